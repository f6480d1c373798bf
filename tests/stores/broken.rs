//! Stores with one fault each: the contract must find every one of them, or it checks less than it says.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use tokio::task::yield_now;
use tower_user_metadata::conformance::store::check;
use tower_user_metadata::store::{Capabilities, Durability, MetadataStore, Namespace, StoreError, StoreErrorKind};
use tower_user_metadata::{Limits, Metadata, MetadataUpdate, Precondition, Record, UserId, Version};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    None,
    /// No fault either: the contract leaves conditional writes open.
    NoConditionalWrites,
    /// Reads, and writes later what it read.
    LostUpdates,
    /// Checks the precondition, and writes later.
    EarlyPreconditions,
    /// Checks the limits, and writes later.
    EarlyLimits,
    /// Writes field by field.
    HalfWrites,
    IgnoredPreconditions,
    /// Says that it has none, and checks none.
    UndeclaredPreconditions,
    ForgottenCurrentVersion,
    ForgottenLimits,
    FoldedIds,
    SharedNamespaces,
    RoundedNumbers,
    TruncatedNames,
    KeptNulls,
    RecursiveMerge,
    CountedVersions,
    TouchingEmptyUpdates,
    NoEmptyDocuments,
    SortedGetMany,
    /// Keeps the good fields of an update with a bad one.
    LenientUpdates,
    ForgetfulClear,
    NeverAnswers,
}

type Records = Arc<Mutex<HashMap<(String, String), Record>>>;

#[derive(Clone, Debug)]
struct Broken {
    fault: Fault,
    namespace: String,
    records: Records,
}

impl Broken {
    fn key(&self, user: &UserId) -> (String, String) {
        let namespace = if self.fault == Fault::SharedNamespaces { String::new() } else { self.namespace.clone() };
        let user = user.as_str();
        (namespace, if self.fault == Fault::FoldedIds { user.to_lowercase() } else { user.to_owned() })
    }

    fn read(&self, user: &UserId) -> Option<Record> {
        let record = self.records.lock().expect("not poisoned").get(&self.key(user)).cloned();
        record.filter(|record| self.fault != Fault::NoEmptyDocuments || !record.metadata.is_empty())
    }

    fn write(&self, user: &UserId, record: &Record) {
        self.records.lock().expect("not poisoned").insert(self.key(user), record.clone());
    }

    fn check(&self, when: &Precondition, current: Option<&Record>) -> Result<(), StoreError> {
        let current = current.map(|record| record.version);
        match self.fault {
            Fault::IgnoredPreconditions | Fault::UndeclaredPreconditions => Ok(()),
            Fault::NoConditionalWrites if *when != Precondition::None => {
                Err(StoreError::new(StoreErrorKind::Unsupported))
            }
            _ if when.holds(current) => Ok(()),
            Fault::ForgottenCurrentVersion => Err(StoreError::new(StoreErrorKind::PreconditionFailed)),
            _ => Err(StoreError::precondition_failed(current)),
        }
    }

    fn merge(&self, current: Option<&Record>, update: &MetadataUpdate) -> Result<Record, StoreError> {
        let stored = current.map_or_else(Metadata::new, |record| record.metadata.clone());
        let limits = match self.fault {
            Fault::ForgottenLimits => Limits::default().with_document_bytes(usize::MAX).with_root_fields(usize::MAX),
            _ => Limits::default(),
        };
        let metadata = match self.fault {
            Fault::LenientUpdates => good_fields(update).apply(&stored, &limits)?,
            Fault::RecursiveMerge => recursive(&stored, update),
            _ => update.apply(&stored, &limits)?,
        };
        let metadata = match self.fault {
            Fault::RoundedNumbers => {
                metadata.to_value().map_or(metadata, |value| Metadata::from_value(&value).expect("was a document"))
            }
            Fault::TruncatedNames => short_names(&metadata),
            Fault::KeptNulls => with_nulls(&metadata, update),
            _ => metadata,
        };
        let version = match (current, self.fault) {
            (Some(record), fault) if update.is_empty() && fault != Fault::TouchingEmptyUpdates => record.version,
            (record, Fault::CountedVersions) => {
                Version::from_bits(record.map_or(0, |record| record.version.to_bits()) + 1)
            }
            _ => Version::random().expect("randomness"),
        };
        Ok(Record { metadata, version })
    }
}

fn good_fields(update: &MetadataUpdate) -> MetadataUpdate {
    update.fields().fold(MetadataUpdate::new(), |good, (name, value)| good.set(name, &value))
}

fn recursive(stored: &Metadata, update: &MetadataUpdate) -> Metadata {
    let mut merged = stored.to_value().unwrap_or_default();
    for (name, value) in update.fields() {
        let new: serde_json::Value = value.and_then(|v| serde_json::from_str(v.get()).ok()).unwrap_or_default();
        match (merged.get_mut(name).and_then(serde_json::Value::as_object_mut), new) {
            (Some(old), serde_json::Value::Object(new)) => old.extend(new),
            (_, serde_json::Value::Null) => {
                merged.as_object_mut().expect("a document").remove(name);
            }
            (_, new) => merged[name] = new,
        }
    }
    Metadata::from_value(&merged).expect("was a document")
}

fn short_names(metadata: &Metadata) -> Metadata {
    let short: HashMap<String, _> =
        metadata.iter().map(|(name, value)| (name.chars().take(64).collect(), value)).collect();
    Metadata::from_serialize(&short).expect("was a document")
}

fn with_nulls(metadata: &Metadata, update: &MetadataUpdate) -> Metadata {
    let removed = update.fields().filter(|(_, value)| value.is_none()).map(|(name, _)| (name, None));
    let fields = metadata.iter().map(|(name, value)| (name, Some(value)));
    Metadata::from_serialize(&fields.chain(removed).collect::<HashMap<_, _>>()).expect("was a document")
}

#[async_trait]
impl MetadataStore for Broken {
    async fn get(&self, user: &UserId) -> Result<Option<Record>, StoreError> {
        if self.fault == Fault::NeverAnswers {
            std::future::pending::<()>().await;
        }
        Ok(self.read(user))
    }

    async fn get_many(&self, users: &[UserId]) -> Result<Vec<Option<Record>>, StoreError> {
        let mut users = users.to_vec();
        if self.fault == Fault::SortedGetMany {
            users.sort();
        }
        Ok(users.iter().map(|user| self.read(user)).collect())
    }

    async fn update(&self, user: &UserId, update: &MetadataUpdate, when: &Precondition) -> Result<Record, StoreError> {
        match self.fault {
            Fault::LostUpdates => {
                let current = self.read(user);
                self.check(when, current.as_ref())?;
                let record = self.merge(current.as_ref(), update)?;
                yield_now().await;
                self.write(user, &record);
                return Ok(record);
            }
            Fault::EarlyPreconditions => {
                self.check(when, self.read(user).as_ref())?;
                yield_now().await;
            }
            Fault::EarlyLimits => {
                self.merge(self.read(user).as_ref(), update)?;
                yield_now().await;
            }
            Fault::HalfWrites => {
                let current = self.read(user);
                self.check(when, current.as_ref())?;
                let mut record = self.merge(current.as_ref(), update)?;
                for (name, value) in update.fields() {
                    let field = MetadataUpdate::new().set(name, &value);
                    record = self.merge(self.read(user).as_ref(), &field)?;
                    self.write(user, &record);
                    yield_now().await;
                }
                self.write(user, &record);
                return Ok(record);
            }
            _ => {}
        }
        let mut records = self.records.lock().expect("not poisoned");
        let current = records.get(&self.key(user)).cloned();
        if self.fault != Fault::EarlyPreconditions {
            self.check(when, current.as_ref())?;
        }
        let record = match self.fault {
            Fault::EarlyLimits => {
                Broken { fault: Fault::ForgottenLimits, ..self.clone() }.merge(current.as_ref(), update)?
            }
            _ => self.merge(current.as_ref(), update)?,
        };
        records.insert(self.key(user), record.clone());
        Ok(record)
    }

    async fn clear(&self, user: &UserId, when: &Precondition) -> Result<(), StoreError> {
        self.check(when, self.read(user).as_ref())?;
        let mut records = self.records.lock().expect("not poisoned");
        match (self.fault, records.get_mut(&self.key(user))) {
            // Removes what it knew of when it was written, say.
            (Fault::ForgetfulClear, Some(record)) => {
                record.metadata = MetadataUpdate::new().remove("a").apply(&record.metadata, &Limits::default())?;
            }
            _ => drop(records.remove(&self.key(user))),
        }
        Ok(())
    }

    async fn close(&self) {}

    fn capabilities(&self) -> Capabilities {
        let capabilities = Capabilities::new(Durability::Process);
        match self.fault {
            Fault::UndeclaredPreconditions | Fault::NoConditionalWrites => capabilities,
            _ => capabilities.with_conditional_writes(),
        }
    }
}

/// What `check` says of a store with this fault; `None` when it finds nothing.
fn found(fault: Fault) -> Option<String> {
    let checked = std::thread::spawn(move || {
        let runtime = match fault {
            // On paused time, so that nobody waits for the time limit.
            Fault::NeverAnswers => {
                tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build()
            }
            _ => tokio::runtime::Builder::new_multi_thread().enable_all().build(),
        };
        let records = Records::default();
        let open = async |namespace: Namespace| {
            let namespace = namespace.as_str().to_owned();
            Broken { fault, namespace, records: Arc::clone(&records) }
        };
        runtime.expect("a runtime").block_on(check(&open))
    });
    checked.join().err().map(|panic| *panic.downcast::<String>().expect("a text"))
}

#[test]
fn every_fault_is_found_and_named() {
    assert_eq!(found(Fault::None), None);
    assert_eq!(found(Fault::NoConditionalWrites), None);
    for (fault, promises) in [
        (Fault::LostUpdates, &["two first updates", "different fields", "meets a clear", "inside the write"][..]),
        (Fault::EarlyPreconditions, &["preconditions are checked inside the write", "modify loses no"]),
        (Fault::EarlyLimits, &["limits are checked on the merged document inside the write"]),
        (Fault::HalfWrites, &["a dropped future"]),
        (Fault::IgnoredPreconditions, &["preconditions are checked"]),
        (Fault::UndeclaredPreconditions, &["preconditions are checked"]),
        (Fault::ForgottenCurrentVersion, &["preconditions are checked"]),
        (Fault::ForgottenLimits, &["limits hold to the byte"]),
        (Fault::FoldedIds, &["compared byte for byte", "sees nothing of another namespace"]),
        (Fault::SharedNamespaces, &["sees nothing of another namespace", "tenant-T1-t1"]),
        (Fault::RoundedNumbers, &["numbers keep every digit"]),
        (Fault::TruncatedNames, &["limits hold to the byte"]),
        (Fault::KeptNulls, &["a null at the root is never stored", "as the vectors say"]),
        (Fault::RecursiveMerge, &["update merges at the root", "as the vectors say"]),
        (Fault::CountedVersions, &["no two writes of one user give the same version"]),
        (Fault::TouchingEmptyUpdates, &["an empty update changes nothing", "as the vectors say"]),
        (Fault::NoEmptyDocuments, &["creates a document where there is none", "as the vectors say"]),
        (Fault::SortedGetMany, &["in the order asked"]),
        (Fault::LenientUpdates, &["an invalid update is refused", "as the vectors say"]),
        (Fault::ForgetfulClear, &["clear removes the document", "meets a clear"]),
        (Fault::NeverAnswers, &["every call ends within the deadline"]),
    ] {
        let said = found(fault).unwrap_or_else(|| panic!("{fault:?} is not found"));
        for promise in promises {
            assert!(said.contains(promise), "{fault:?} does not break {promise:?}: {said}");
        }
    }
}
