//! A handle is bound to the user of a session; who makes another says so, and names a user id and not any text.

use tower_user_metadata::UserMetadataHandle;
use tower_user_metadata::store::MemoryStore;

fn main() {
    let _ = UserMetadataHandle::admin("alice", MemoryStore::new());
}
