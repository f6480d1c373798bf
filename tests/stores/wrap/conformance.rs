use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tower_user_metadata::store::{
    BatchedStore, CachedStore, MemoryStore, MetadataStore, Namespace, ObservedStore, TimeoutStore,
};

use crate::suite;

const ROOM: usize = 8 * 1024 * 1024;

/// Runs the contract over what `wrap` makes of a memory; the handles on one namespace are clones of it.
async fn keeps_the_contract<S: MetadataStore + Clone>(name: &str, wrap: impl Fn(MemoryStore) -> S) {
    let stores = Mutex::new(HashMap::<Namespace, S>::new());
    let open = async |namespace| {
        let mut stores = stores.lock().expect("no check panics in here");
        stores.entry(namespace).or_insert_with(|| wrap(MemoryStore::new())).clone()
    };
    suite::whole(name, &open).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_with_a_deadline_keeps_the_contract() {
    keeps_the_contract("TimeoutStore", |store| TimeoutStore::new(store, Duration::from_secs(60))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_observed_store_keeps_the_contract() {
    keeps_the_contract("ObservedStore", |store| ObservedStore::new(store, "memory")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batched_store_keeps_the_contract() {
    keeps_the_contract("BatchedStore", BatchedStore::new).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cached_store_keeps_the_contract() {
    let forever = Duration::from_secs(3_600);
    keeps_the_contract("CachedStore", |store| CachedStore::new(store, ROOM).with_max_age(forever)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cache_that_is_too_small_for_anything_keeps_the_contract() {
    keeps_the_contract("CachedStore without room", |store| CachedStore::new(store, 0)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_caches_that_keep_nothing_keep_the_contract() {
    let memories = Mutex::new(HashMap::<Namespace, MemoryStore>::new());
    let open = async |namespace| {
        let memory = memories.lock().expect("no check panics in here").entry(namespace).or_default().clone();
        CachedStore::new(memory, ROOM).with_max_age(Duration::ZERO)
    };
    suite::whole("CachedStore twice, without age", &open).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_of_them_around_one_another_keep_the_contract() {
    let wrap = |store| -> Arc<dyn MetadataStore> {
        let store = CachedStore::new(TimeoutStore::new(store, Duration::from_secs(60)), ROOM);
        Arc::new(TimeoutStore::new(ObservedStore::new(store, "cached"), Duration::from_secs(60)))
    };
    keeps_the_contract("all wrappers", wrap).await;
}
