use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::conformance::ExactValue;
use crate::metadata::{Metadata, MetadataUpdate, Precondition, Record};
use crate::store::{MetadataStore, StoreError, StoreErrorKind};
use crate::user_id::UserId;

/// A promise of the contract that a store broke.
#[derive(Clone, Debug)]
pub struct Violation {
    pub(super) promise: &'static str,
    pub(super) detail: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the store breaks the promise \"{}\": {}", self.promise, self.detail)
    }
}

impl std::error::Error for Violation {}

/// One store under one promise: each call names the promise when the store does not do as it must.
#[derive(Clone, Copy)]
pub(super) struct Probe<'a> {
    pub(super) store: &'a dyn MetadataStore,
    pub(super) promise: &'static str,
}

impl<'a> Probe<'a> {
    pub(super) fn new(store: &'a dyn MetadataStore, promise: &'static str) -> Self {
        Self { store, promise }
    }

    pub(super) fn broken<T>(&self, detail: impl Into<String>) -> Result<T, Violation> {
        Err(Violation { promise: self.promise, detail: detail.into() })
    }

    pub(super) fn hold(&self, holds: bool, detail: impl Into<String>) -> Result<(), Violation> {
        if holds { Ok(()) } else { self.broken(detail) }
    }

    pub(super) fn done<T>(&self, what: &str, outcome: Result<T, StoreError>) -> Result<T, Violation> {
        outcome.or_else(|error| self.broken(format!("{what} failed: {error}")))
    }

    pub(super) async fn get(&self, user: &UserId) -> Result<Option<Record>, Violation> {
        self.done("get", self.store.get(user).await)
    }

    pub(super) async fn update(&self, user: &UserId, update: &str) -> Result<Record, Violation> {
        self.update_if(user, update, Precondition::None).await
    }

    pub(super) async fn update_if(&self, user: &UserId, update: &str, when: Precondition) -> Result<Record, Violation> {
        let update = self.parse(update)?;
        self.done("update", self.store.update(user, &update, &when).await)
    }

    pub(super) async fn clear(&self, user: &UserId) -> Result<(), Violation> {
        self.done("clear", self.store.clear(user, &Precondition::None).await)
    }

    pub(super) fn parse(&self, update: &str) -> Result<MetadataUpdate, Violation> {
        MetadataUpdate::from_json(update.as_bytes())
            .or_else(|error| self.broken(format!("an update of the suite itself cannot be read: {error}")))
    }

    /// The stored document must be this one; answers its record.
    pub(super) async fn stored(&self, user: &UserId, expected: Option<&str>) -> Result<Option<Record>, Violation> {
        let record = self.get(user).await?;
        match (&record, expected) {
            (None, None) => {}
            (Some(record), Some(expected)) => self.same("get", &record.metadata, expected)?,
            (None, Some(expected)) => return self.broken(format!("no document is stored instead of {expected}")),
            (Some(record), None) => {
                return self.broken(format!("{} is stored instead of no document", record.metadata.to_json()));
            }
        }
        Ok(record)
    }

    /// A document must equal the expected one as the contract counts: exact values in any order.
    pub(super) fn same(&self, call: &str, document: &Metadata, expected: &str) -> Result<(), Violation> {
        let json = document.to_json();
        let equal = match (ExactValue::parse(&json), ExactValue::parse(expected)) {
            (Ok(left), Ok(right)) => left == right,
            _ => false,
        };
        self.hold(equal, format!("{call} answers {json} instead of {expected}"))
    }

    /// An error must be of this kind, and must not say that the write may have happened.
    pub(super) fn refused<T>(
        &self,
        call: &str,
        outcome: Result<T, StoreError>,
        kind: StoreErrorKind,
    ) -> Result<StoreError, Violation> {
        match outcome {
            Ok(_) => self.broken(format!("{call} is done instead of refused as {kind:?}")),
            Err(error) if error.kind() != kind => {
                self.broken(format!("{call} is refused as {:?} instead of {kind:?}", error.kind()))
            }
            Err(error) if error.may_have_happened() => {
                self.broken(format!("{call} is refused and says that it may have happened"))
            }
            Err(error) => Ok(error),
        }
    }

    /// Nothing may have changed since `before` was read, not even the version.
    pub(super) async fn unchanged(&self, user: &UserId, before: Option<&Record>) -> Result<(), Violation> {
        let now = self.get(user).await?;
        let text = |record: Option<&Record>| {
            record.map_or_else(
                || "no document".to_owned(),
                |r| format!("{} at version {}", r.metadata.to_json(), r.version),
            )
        };
        self.hold(now.as_ref() == before, format!("{} became {}", text(before), text(now.as_ref())))
    }
}

/// An id that no store has seen.
pub(super) fn fresh_user(label: &str) -> UserId {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let run = getrandom::u64().unwrap_or_default();
    // The labels of this suite are short ASCII words, so the whole is a valid id.
    UserId::new(format!("{label}-{run:016x}-{count}")).expect("a valid id")
}
