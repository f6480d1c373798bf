use super::pool::Pool;
use super::query::Statements;
use crate::metadata::Limits;
use crate::store::Namespace;

/// What a call needs.
pub(super) struct Database {
    pub(super) pool: Pool,
    pub(super) statements: Statements,
    pub(super) namespace: Namespace,
    pub(super) limits: Limits,
}
