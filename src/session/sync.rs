//! The locks of the cache: in one place, so that `tests/models` can put those of a model checker here.

pub(super) use std::sync::RwLock;
