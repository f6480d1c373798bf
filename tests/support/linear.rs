//! Whether what concurrent clients saw of one document can be explained: whether there is an order of their operations,
//! each at one moment between its call and its return, in which every answer is right. This is linearizability (Herlihy
//! and Wing, 1990), decided by Wing's and Gong's search with Lowe's memory of the states that led nowhere.

use std::collections::{BTreeMap, HashSet};

/// Root fields, each with its value as JSON text.
pub(crate) type Fields = BTreeMap<String, String>;

/// One operation on the document.
#[derive(Clone, Debug)]
pub(crate) struct Operation {
    pub(crate) action: Action,
    pub(crate) when: When,
    pub(crate) outcome: Outcome,
    /// When it began and when it ended.
    pub(crate) call: u64,
    pub(crate) ret: u64,
}

#[derive(Clone, Debug)]
pub(crate) enum Action {
    Get,
    /// Sets fields, and removes those without a value.
    Update(BTreeMap<String, Option<String>>),
    Clear,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum When {
    Always,
    Exists,
    Absent,
    Version(u64),
}

#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    /// What was read, or what an update left.
    Saw(Seen),
    Cleared,
    /// The precondition did not hold; the version of the document, `None` without one.
    Refused(Option<u64>),
    /// Nobody was told: it happened at any time after its call, or never.
    Unknown,
}

#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) fields: Fields,
    /// Whether there was a document, where an empty one is told from none.
    pub(crate) exists: Option<bool>,
    pub(crate) version: Option<u64>,
}

/// Whether there is such an order, beginning without a document.
pub(crate) fn is_linearizable(history: &[Operation]) -> bool {
    let mut history: Vec<_> = history.iter().collect();
    history.sort_by_key(|operation| operation.call);
    let mut open = vec![(Done(vec![0; history.len().div_ceil(64)]), State(None))];
    let mut known = HashSet::new();
    while let Some((done, state)) = open.pop() {
        // The first to end of those that are not done: whoever began after that comes after it.
        let mut first_end = u64::MAX;
        let mut over = true;
        for (place, operation) in history.iter().enumerate().filter(|(place, _)| !done.has(*place)) {
            if operation.call > first_end {
                break;
            }
            let unknown = matches!(operation.outcome, Outcome::Unknown);
            if !unknown {
                over = false;
                first_end = first_end.min(operation.ret);
            }
            if let Some(state) = state.after(operation) {
                let next = (done.and(place), state);
                if known.insert(next.clone()) {
                    open.push(next);
                }
            }
        }
        if over {
            return true;
        }
    }
    false
}

/// Which operations have their place in the order.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Done(Vec<u64>);

impl Done {
    fn has(&self, place: usize) -> bool {
        self.0[place / 64] & (1 << (place % 64)) != 0
    }

    fn and(&self, place: usize) -> Self {
        let mut done = self.clone();
        done.0[place / 64] |= 1 << (place % 64);
        done
    }
}

/// The document, and its version as soon as somebody was told of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct State(Option<(Fields, Option<u64>)>);

impl State {
    /// What the operation leaves; `None` where it cannot have had this outcome.
    fn after(&self, operation: &Operation) -> Option<Self> {
        let Operation { action, when, outcome, .. } = operation;
        match outcome {
            Outcome::Unknown => self.may_hold(*when).then(|| self.with(action)),
            Outcome::Refused(version) => {
                let told = self.told(Some(version.is_some()), *version)?;
                let holds = match (when, version) {
                    (When::Always, _) | (When::Exists, Some(_)) | (When::Absent, None) => true,
                    (When::Version(wanted), found) => *found == Some(*wanted),
                    (When::Exists, None) | (When::Absent, Some(_)) => false,
                };
                (!holds).then_some(told)
            }
            Outcome::Cleared => self.may_hold(*when).then(|| self.with(action)),
            Outcome::Saw(seen) => {
                let left = if self.may_hold(*when) { self.with(action) } else { return None };
                let fields = left.0.as_ref().map(|(fields, _)| fields.clone()).unwrap_or_default();
                (fields == seen.fields).then(|| left.told(seen.exists, seen.version))?
            }
        }
    }

    /// The same, after somebody was told this of it; `None` where that is not true.
    fn told(&self, exists: Option<bool>, version: Option<u64>) -> Option<Self> {
        if exists.is_some_and(|exists| exists != self.0.is_some()) {
            return None;
        }
        match &self.0 {
            Some((fields, known)) => {
                let same = known.is_none() || version.is_none() || *known == version;
                same.then(|| Self(Some((fields.clone(), known.or(version)))))
            }
            None => version.is_none().then_some(Self(None)),
        }
    }

    fn may_hold(&self, when: When) -> bool {
        match (when, &self.0) {
            (When::Always, _) | (When::Exists, Some(_)) | (When::Absent, None) => true,
            (When::Exists | When::Version(_), None) | (When::Absent, Some(_)) => false,
            (When::Version(wanted), Some((_, known))) => known.is_none_or(|known| known == wanted),
        }
    }

    fn with(&self, action: &Action) -> Self {
        match action {
            Action::Get => self.clone(),
            Action::Clear => Self(None),
            Action::Update(update) if update.is_empty() && self.0.is_some() => self.clone(),
            Action::Update(update) => {
                let mut fields = self.0.as_ref().map(|(fields, _)| fields.clone()).unwrap_or_default();
                for (name, value) in update {
                    match value {
                        Some(value) => fields.insert(name.clone(), value.clone()),
                        None => fields.remove(name),
                    };
                }
                Self(Some((fields, None)))
            }
        }
    }
}
