//! What several clients of a store see of a few users at once, recorded and explained.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tower_user_metadata::store::{MemoryStore, MetadataStore, StoreErrorKind};
use tower_user_metadata::{MetadataUpdate, Precondition, Record, StoreError, UserId, Version};

use crate::linear::{Action, Operation, Outcome, Seen, When, is_linearizable};
use crate::support::vectors::say;
use crate::user;

const CLIENTS: usize = 6;
const USERS: usize = 2;
const CALLS: usize = 30;

/// `FAULTS_HISTORIES` makes it more.
fn histories() -> usize {
    std::env::var("FAULTS_HISTORIES").map_or(15, |histories| histories.parse().expect("a number"))
}

#[tokio::test(flavor = "multi_thread")]
async fn memory() {
    let store: Arc<dyn MetadataStore> = Arc::new(MemoryStore::new());
    are_linearizable("memory", &[store], async || {}).await;
}

/// Records histories of clients who share these handles of one store, while `meanwhile` runs again and again.
pub(crate) async fn are_linearizable(name: &str, handles: &[Arc<dyn MetadataStore>], meanwhile: impl AsyncFn()) {
    let (mut operations, mut unknown, mut refused) = (0, 0, 0);
    for number in 0..histories() {
        let users: Vec<_> = (0..USERS).map(|n| user(&format!("history {number} {n}"))).collect();
        let clock = Arc::new(AtomicU64::new(1));
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let random = Random((number * CLIENTS + client + 1) as u64);
                let store = Arc::clone(&handles[client % handles.len()]);
                let seen = vec![None; USERS];
                Client { store, users: users.clone(), clock: Arc::clone(&clock), random, seen, done: Vec::new() }
            })
            .map(|client| tokio::spawn(client.run()))
            .collect();
        while !clients.iter().all(tokio::task::JoinHandle::is_finished) {
            meanwhile().await;
            tokio::task::yield_now().await;
        }
        let mut done = Vec::new();
        for client in clients {
            done.extend(client.await.expect("no panic"));
        }
        for at in 0..USERS {
            let history: Vec<_> = done.iter().filter(|(user, _)| *user == at).map(|(_, done)| done.clone()).collect();
            assert!(is_linearizable(&history), "{name}: no order explains {history:#?}");
            let versions = history.iter().filter_map(given);
            let mut known = HashSet::new();
            versions.for_each(|version| assert!(known.insert(version), "{name}: a version was given twice"));
            operations += history.len();
            unknown += history.iter().filter(|one| matches!(one.outcome, Outcome::Unknown)).count();
            refused += history.iter().filter(|one| matches!(one.outcome, Outcome::Refused(_))).count();
        }
    }
    say(&format!(
        "{name}: {} histories, {operations} operations, {refused} refused by a precondition, {unknown} of unknown \
         outcome: linearizable",
        histories() * USERS
    ));
}

/// The version that an update gave.
fn given(operation: &Operation) -> Option<u64> {
    match (&operation.action, &operation.outcome) {
        (Action::Update(update), Outcome::Saw(seen)) if !update.is_empty() => seen.version,
        _ => None,
    }
}

struct Client {
    store: Arc<dyn MetadataStore>,
    users: Vec<UserId>,
    clock: Arc<AtomicU64>,
    random: Random,
    /// The last version that it saw of each user.
    seen: Vec<Option<Version>>,
    done: Vec<(usize, Operation)>,
}

impl Client {
    async fn run(mut self) -> Vec<(usize, Operation)> {
        for call in 0..CALLS {
            let at = self.random.below(USERS);
            match self.random.below(20) {
                0..6 => self.get(at).await,
                6 => self.get_all().await,
                7..15 => self.update(at, call).await,
                _ => self.clear(at).await,
            }
        }
        self.done
    }

    async fn get(&mut self, at: usize) {
        let call = self.now();
        // A read that failed saw nothing.
        if let Ok(record) = self.store.get(&self.users[at]).await {
            self.note(at, Action::Get, When::Always, saw(record.as_ref()), call);
            self.seen[at] = record.map(|record| record.version);
        }
    }

    async fn get_all(&mut self) {
        let call = self.now();
        if let Ok(records) = self.store.get_many(&self.users).await {
            for (at, record) in records.into_iter().enumerate() {
                self.note(at, Action::Get, When::Always, saw(record.as_ref()), call);
            }
        }
    }

    async fn update(&mut self, at: usize, number: usize) {
        let mut update = MetadataUpdate::new();
        let mut members = BTreeMap::new();
        for _ in 0..self.random.below(3) {
            let name = ["a", "b", "c"][self.random.below(3)];
            let value = (self.random.below(4) > 0).then_some(number);
            update = value.map_or_else(|| update.clone().remove(name), |value| update.clone().set(name, &value));
            members.insert(name.to_owned(), value.map(|value| value.to_string()));
        }
        let (precondition, when) = self.precondition(at);
        let call = self.now();
        let outcome = self.store.update(&self.users[at], &update, &precondition).await;
        if let Ok(record) = &outcome {
            self.seen[at] = Some(record.version);
        }
        let outcome = outcome.map_or_else(|error| failed(&error), |record| Some(saw(Some(&record))));
        if let Some(outcome) = outcome {
            self.note(at, Action::Update(members), when, outcome, call);
        }
    }

    async fn clear(&mut self, at: usize) {
        let (precondition, when) = self.precondition(at);
        let call = self.now();
        let outcome = self.store.clear(&self.users[at], &precondition).await;
        let outcome = outcome.map_or_else(|error| failed(&error), |()| Some(Outcome::Cleared));
        if let Some(outcome) = outcome {
            self.note(at, Action::Clear, when, outcome, call);
        }
    }

    fn precondition(&mut self, at: usize) -> (Precondition, When) {
        match (self.random.below(10), self.seen[at]) {
            (0, _) => (Precondition::Exists, When::Exists),
            (1, _) => (Precondition::Absent, When::Absent),
            (2..5, Some(version)) => (Precondition::Version(version), When::Version(version.to_bits())),
            _ => (Precondition::None, When::Always),
        }
    }

    fn note(&mut self, at: usize, action: Action, when: When, outcome: Outcome, call: u64) {
        let ret = self.now();
        self.done.push((at, Operation { action, when, outcome, call, ret }));
    }

    fn now(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::SeqCst)
    }
}

fn saw(record: Option<&Record>) -> Outcome {
    let members = record.into_iter().flat_map(|record| record.metadata.iter());
    Outcome::Saw(Seen {
        fields: members.map(|(name, value)| (name.to_owned(), value.get().to_owned())).collect(),
        exists: Some(record.is_some()),
        version: record.map(|record| record.version.to_bits()),
    })
}

/// What is known of a write that failed; `None`: that it did not happen.
fn failed(error: &StoreError) -> Option<Outcome> {
    match error.kind() {
        StoreErrorKind::PreconditionFailed => Some(Outcome::Refused(error.current_version().map(Version::to_bits))),
        _ if error.may_have_happened() => Some(Outcome::Unknown),
        StoreErrorKind::Unavailable | StoreErrorKind::Timeout => None,
        _ => panic!("{error:?}"),
    }
}

/// The same numbers for the same seed (splitmix64).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % bound as u64).expect("below a usize")
    }
}
