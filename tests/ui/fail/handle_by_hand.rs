//! The way in which the layer makes a handle is the layer's alone.

use tower_user_metadata::UserMetadataHandle;

fn main() {
    let _ = UserMetadataHandle::new;
}
