//! The contract of [`MetadataStore`](crate::store::MetadataStore) as checks: [`check`] runs them all.

mod cancel;
mod conditional;
mod documents;
mod handles;
mod hostile;
mod identity;
mod limits;
mod probe;
mod races;
mod report;
mod texts;
mod vectors;

use std::future::Future;
use std::time::Duration;

pub use cancel::cancel_safety;
pub use conditional::{modify_loses_nothing, one_conditional_writer_wins, preconditions, versions_never_repeat};
pub use documents::{empty_update, get_many, invalid_update, merge_and_clear, nulls_for_an_unknown_user, numbers};
pub use handles::{Handles, OpenStore};
pub use hostile::hostile_inputs;
pub use identity::{byte_exact_ids, handles_share, namespaces};
pub use limits::limits;
pub use probe::Violation;
pub use races::{clear_against_update, concurrent_fields, first_write_race, limits_race};
pub use report::{Report, Tally};
pub use texts::{JsonExpect, JsonText, json_texts, strings};
pub use vectors::{merge_vectors, update_vectors};

use crate::store::Namespace;

/// Rows for [`update_vectors`], one a line; CC0-1.0.
pub const UPDATE_VECTORS: &str = include_str!("../vectors/update_vectors.jsonl");

/// Rows for [`hostile_inputs`], one a line; CC0-1.0.
pub const HOSTILE_INPUTS: &str = include_str!("../vectors/hostile_inputs.jsonl");

/// A check that takes longer has met a store that never answers.
const LONGEST: Duration = Duration::from_secs(300);

/// Runs the whole contract over a store.
///
/// Run it on a runtime with several threads, so that callers really meet, and over a store without documents of others:
/// some checks clear the documents of users with fixed ids.
///
/// ```
/// use std::collections::HashMap;
/// use std::sync::Mutex;
/// use tower_user_metadata::conformance;
/// use tower_user_metadata::store::{MemoryStore, Namespace};
///
/// # tokio::runtime::Builder::new_multi_thread().enable_time().build()?.block_on(async {
/// let stores = Mutex::new(HashMap::<Namespace, MemoryStore>::new());
/// let open = async |namespace| stores.lock().unwrap().entry(namespace).or_default().clone();
/// let report = conformance::store::check(&open).await;
/// assert!(report.promises().contains(&"first_write_race"));
/// assert_eq!(report.tallies()[0].family(), "metadata/update_vectors");
/// # });
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Panics
///
/// The store breaks a promise: the text names all that are broken, and how.
pub async fn check<O: OpenStore>(open: &O) -> Report {
    let handles = Handles::open(open, Namespace::default()).await;
    let store = handles.first();
    let mut run = Run::default();
    run.check("merge_and_clear", merge_and_clear(store)).await;
    run.check("empty_update", empty_update(store)).await;
    run.check("nulls_for_an_unknown_user", nulls_for_an_unknown_user(store)).await;
    run.check("invalid_update", invalid_update(store)).await;
    run.check("get_many", get_many(store)).await;
    run.check("numbers", numbers(store)).await;
    run.check("limits", limits(store)).await;
    run.check("byte_exact_ids", byte_exact_ids(store, &identity::alike_ids())).await;
    run.check("namespaces", namespaces(open, &identity::alike_namespaces(), &identity::alike_ids())).await;
    run.check("handles_share", handles_share(&handles)).await;
    run.check("preconditions", preconditions(store)).await;
    run.check("versions_never_repeat", versions_never_repeat(store)).await;
    run.check("one_conditional_writer_wins", one_conditional_writer_wins(&handles)).await;
    run.check("modify_loses_nothing", modify_loses_nothing(&handles)).await;
    run.check("first_write_race", first_write_race(&handles)).await;
    run.check("concurrent_fields", concurrent_fields(&handles)).await;
    run.check("clear_against_update", clear_against_update(&handles)).await;
    run.check("limits_race", limits_race(&handles)).await;
    run.check("cancel_safety", cancel_safety(store)).await;
    run.vectors("update_vectors", update_vectors(store, UPDATE_VECTORS.lines())).await;
    run.vectors("hostile_inputs", hostile_inputs(open, HOSTILE_INPUTS.lines())).await;
    let broken = run.broken.iter().map(|violation| format!("\n{violation}")).collect::<String>();
    assert!(run.broken.is_empty(), "{} promises are broken:{broken}", run.broken.len());
    run.report
}

#[derive(Default)]
struct Run {
    report: Report,
    broken: Vec<Violation>,
}

impl Run {
    async fn check(&mut self, name: &'static str, check: impl Future<Output = Result<(), Violation>>) {
        if self.within_time(name, check).await.is_some() {
            self.report.holds(name);
        }
    }

    async fn vectors(&mut self, name: &'static str, vectors: impl Future<Output = Result<Tally, Violation>>) {
        if let Some(tally) = self.within_time(name, vectors).await {
            self.report.holds(name);
            self.report.counted(tally);
        }
    }

    async fn within_time<T>(
        &mut self,
        name: &'static str,
        check: impl Future<Output = Result<T, Violation>>,
    ) -> Option<T> {
        let outcome = tokio::time::timeout(LONGEST, check).await.unwrap_or_else(|_| {
            let detail = format!("{name} did not end within {LONGEST:?}");
            Err(Violation { promise: "every call ends within the deadline of the store", detail })
        });
        outcome.map_err(|violation| self.broken.push(violation)).ok()
    }
}
