//! The way in which the layer makes a handle is the layer's alone.

use tower_user_metadata::store::MemoryStore;
use tower_user_metadata::{UserId, UserMetadataHandle};

fn main() {
    let user = UserId::new("alice").unwrap();
    let _ = UserMetadataHandle::new(user, std::sync::Arc::new(MemoryStore::new()));
}
