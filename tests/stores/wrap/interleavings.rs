//! Random orders of what can happen around a cache, each run one step at a time on one thread: every place where a call
//! gives way is a place where another may come between.
//!
//! What must hold of a read: it answers a document that the store had after the newest write of which its caller could
//! know when the read began, whether by an answer or by an invalidation; and, as long as the outcome of every write is
//! known, not one from before what an earlier read has answered.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tokio::task::JoinHandle;
use tower_user_metadata::store::{CachedStore, MetadataStore};
use tower_user_metadata::{Precondition, Record, StoreError, UserId, Version, metadata_update};

use super::staged::{Call, Failure, Staged, settle, user};

#[derive(Clone, Copy, Debug)]
enum Step {
    Get,
    /// Both users, of whom only one is looked at.
    GetMany,
    Update,
    Clear,
    /// Fails, since its precondition does not hold.
    Refused,
    /// Lets one of the store's calls under way go on.
    Advance(usize),
    Finish(usize),
    Fail(usize),
    LoseAnswer(usize),
    /// Drops the future of one of the calls under way.
    Drop(usize),
    /// Somebody else writes, and says so.
    Past,
    PastAndAll,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        10 => Just(Step::Get),
        2 => Just(Step::GetMany),
        3 => Just(Step::Update),
        2 => Just(Step::Clear),
        1 => Just(Step::Refused),
        15 => (0..4_usize).prop_map(Step::Advance),
        10 => (0..2_usize).prop_map(Step::Finish),
        1 => (0..4_usize).prop_map(Step::Fail),
        1 => (0..4_usize).prop_map(Step::LoseAnswer),
        1 => (0..4_usize).prop_map(Step::Drop),
        1 => Just(Step::Past),
        1 => Just(Step::PastAndAll),
    ];
    prop::collection::vec(step, 1..60)
}

/// What happened, to know that the runs are worth something.
#[derive(Clone, Debug, Default)]
struct Met {
    reads: usize,
    kept: usize,
    shared: usize,
    crowded_writes: usize,
    unknown: usize,
}

struct World {
    staged: Staged,
    store: CachedStore,
    alice: UserId,
    /// The number of the newest write that a caller who comes now could know of.
    known: Rc<Cell<usize>>,
    /// Whether there was a write whose outcome nobody knows.
    unknown: Rc<Cell<bool>>,
    tasks: Vec<JoinHandle<Result<(), String>>>,
    next: u64,
    met: Met,
}

impl World {
    fn new() -> Self {
        let staged = Staged::default();
        let store = CachedStore::new(staged.clone(), 1024 * 1024).with_max_age(Duration::from_secs(3_600));
        Self {
            staged,
            store,
            alice: user("alice"),
            known: Rc::default(),
            unknown: Rc::default(),
            tasks: Vec::new(),
            next: 0,
            met: Met::default(),
        }
    }

    async fn take(&mut self, step: Step) {
        match step {
            Step::Get => self.read(false).await,
            Step::GetMany => self.read(true).await,
            Step::Update => self.write(Some(Precondition::None)).await,
            Step::Refused => self.write(Some(Precondition::Version(Version::from_bits(1)))).await,
            Step::Clear => self.write(None).await,
            Step::Advance(at) => self.one_of_the_calls(at, |call| call.step()),
            Step::Finish(at) => self.one_of_the_calls(at, |call| call.finish()),
            Step::Fail(at) => self.one_of_the_calls(at, |call| call.fail(Failure::Fails)),
            Step::LoseAnswer(at) => self.one_of_the_calls(at, |call| call.fail(Failure::LosesAnswer)),
            Step::Drop(at) => {
                let under_way: Vec<_> = self.tasks.iter().filter(|task| !task.is_finished()).collect();
                if let Some(task) = under_way.get(at) {
                    task.abort();
                }
            }
            Step::Past | Step::PastAndAll => {
                self.next += 1;
                let number = self.staged.write_past(&self.alice, &metadata_update! { "n": self.next }).await;
                match step {
                    Step::Past => self.store.invalidate(&self.alice),
                    _ => self.store.invalidate_all(),
                }
                self.known.set(self.known.get().max(number));
            }
        }
        settle().await;
    }

    fn one_of_the_calls(&self, at: usize, act: impl Fn(&Arc<Call>)) {
        self.staged.under_way().get(at).into_iter().for_each(act);
    }

    async fn read(&mut self, many: bool) {
        self.met.reads += 1;
        let (before, calls) = (self.staged.calls().len(), self.staged.under_way().len());
        let (store, staged, alice) = (self.store.clone(), self.staged.clone(), self.alice.clone());
        let (known, unknown) = (Rc::clone(&self.known), Rc::clone(&self.unknown));
        let at_least = known.get();
        self.tasks.push(tokio::task::spawn_local(async move {
            let read = match many {
                true => store.get_many(&[user("bob"), alice.clone()]).await.map(|mut records| records.pop().flatten()),
                false => store.get(&alice).await,
            };
            let Ok(read) = read else { return Ok(()) };
            let history = staged.history(&alice);
            let mut fitting = history.iter().filter(|(number, left)| *number >= at_least && *left == read);
            let Some((number, _)) = fitting.next() else {
                return Err(format!("{} after write {at_least} of {}", told(&read), history.len() - 1));
            };
            if !unknown.get() {
                known.set(known.get().max(*number));
            }
            Ok(())
        }));
        settle().await;
        if !many && self.staged.calls().len() == before {
            match self.tasks.last().is_some_and(JoinHandle::is_finished) {
                true => self.met.kept += 1,
                false if calls > 0 => self.met.shared += 1,
                false => panic!("a reader waits for nothing"),
            }
        }
    }

    /// An update, or without a precondition a clear.
    async fn write(&mut self, update: Option<Precondition>) {
        let writing = |call: &&Arc<Call>| matches!(call.operation, "update" | "clear");
        self.met.crowded_writes += usize::from(self.staged.under_way().iter().any(|call| writing(&call)));
        self.next += 1;
        let (store, alice, number) = (self.store.clone(), self.alice.clone(), self.next);
        let (known, unknown) = (Rc::clone(&self.known), Rc::clone(&self.unknown));
        let (call, calls) = (Rc::new(Cell::new(None::<Arc<Call>>)), self.staged.calls().len());
        let own = Rc::clone(&call);
        self.tasks.push(tokio::task::spawn_local(async move {
            // Until it has ended, and for good when it is dropped.
            let outcome_known = Unless { flag: unknown, ended: false };
            let answer = match update {
                Some(when) => store.update(&alice, &metadata_update! { "n": number }, &when).await.map(drop),
                None => store.clear(&alice, &Precondition::None).await,
            };
            let done_as = own.take().map_or(0, |call| call.done_as.load(Ordering::SeqCst));
            outcome_known.ended(answer.as_ref().err().is_some_and(StoreError::may_have_happened));
            if answer.is_ok() {
                known.set(known.get().max(done_as));
            }
            Ok(())
        }));
        settle().await;
        call.set(self.staged.calls().get(calls).cloned());
    }

    async fn end(mut self) -> Result<Met, String> {
        for _ in 0..2 {
            self.staged.under_way().iter().for_each(|call| call.finish());
            settle().await;
        }
        for task in self.tasks.drain(..) {
            if !task.is_finished() {
                return Err("somebody waits for ever".to_owned());
            }
            match task.await {
                Ok(outcome) => outcome?,
                Err(dropped) if dropped.is_cancelled() => {}
                Err(panic) => std::panic::resume_unwind(panic.into_panic()),
            }
        }
        self.met.unknown = usize::from(self.unknown.get());
        if self.unknown.get() {
            self.store.invalidate(&self.alice);
        }
        let (store, alice) = (self.store.clone(), self.alice.clone());
        let read = tokio::task::spawn_local(async move { store.get(&alice).await });
        settle().await;
        self.staged.under_way().iter().for_each(|call| call.finish());
        let read = read.await.expect("no panic").expect("all is well again");
        let (number, last) = self.staged.history(&self.alice).pop().expect("a beginning");
        if read != last {
            return Err(format!("{} at the end, where write {number} left {}", told(&read), told(&last)));
        }
        Ok(self.met)
    }
}

/// Raises a flag unless the outcome was known.
struct Unless {
    flag: Rc<Cell<bool>>,
    ended: bool,
}

impl Unless {
    fn ended(mut self, unknown: bool) {
        self.ended = !unknown;
    }
}

impl Drop for Unless {
    fn drop(&mut self) {
        if !self.ended {
            self.flag.set(true);
        }
    }
}

fn told(record: &Option<Record>) -> String {
    record.as_ref().map_or_else(|| "no document".to_owned(), |record| record.metadata.to_json())
}

fn play(steps: Vec<Step>) -> Result<Met, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let mut world = World::new();
        for step in steps {
            world.take(step).await;
        }
        world.end().await
    })
}

#[test]
fn reads_miss_no_write_through_the_cache_and_nothing_comes_back() {
    let total = std::cell::RefCell::new(Met::default());
    let config = Config { cases: 1_000, failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(&steps(), |steps| {
        let met = play(steps).map_err(TestCaseError::fail)?;
        let mut total = total.borrow_mut();
        total.reads += met.reads;
        total.kept += met.kept;
        total.shared += met.shared;
        total.crowded_writes += met.crowded_writes;
        total.unknown += met.unknown;
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
    let total = total.into_inner();
    assert!(total.kept > total.reads / 20 && total.shared > total.reads / 20, "{total:?}");
    assert!(total.crowded_writes > 500 && total.unknown > 100 && total.unknown < 900, "{total:?}");
}
