//! Sessions are made in one place, which is called `assertion`.

use std::sync::Arc;

use tower_user_metadata::{Session, UserId};

fn main() {
    let user = UserId::new("alice").unwrap();
    let _ = Session(Arc::new(user));
}
