use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use tower_user_metadata::store::{MemoryStore, MetadataStore, Namespace};

use crate::suite;

/// A memory for each namespace, shared by the handles on it.
#[derive(Default)]
struct Memories(Mutex<HashMap<Namespace, MemoryStore>>);

impl Memories {
    fn open(&self, namespace: Namespace) -> MemoryStore {
        self.0.lock().expect("no check panics in here").entry(namespace).or_default().clone()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_memory_store_keeps_the_contract() {
    let memories = Memories::default();
    suite::whole("MemoryStore", &async |namespace| memories.open(namespace)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shared_store_keeps_the_contract() {
    let memories = Memories::default();
    let shared = |store: MemoryStore| -> Arc<dyn MetadataStore> { Arc::new(store) };
    suite::whole("Arc<dyn MetadataStore>", &async |namespace| shared(memories.open(namespace))).await;
}
