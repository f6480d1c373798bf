//! What the validators share that demand one of several names.

use serde_json::json;

use super::ClaimRejection;

/// The names of which one must be there. A refusal tells none of them: who is refused need not know what other
/// tenants or services there are.
#[derive(Clone, Debug)]
pub(super) struct Allowed(Box<[Box<str>]>);

impl Allowed {
    pub(super) fn new<T: Into<Box<str>>>(names: impl IntoIterator<Item = T>) -> Self {
        Self(names.into_iter().map(Into::into).collect())
    }

    /// Demands that one of the names that a session has is among these; `None`: it has no such claim.
    pub(super) fn check<'a>(&self, found: Option<impl IntoIterator<Item = &'a str>>) -> Result<(), ClaimRejection> {
        let Some(found) = found else {
            return Err(ClaimRejection::with_reason(json!({ "message": "value does not exist" })));
        };
        if found.into_iter().any(|found| self.0.iter().any(|allowed| **allowed == *found)) {
            Ok(())
        } else {
            Err(ClaimRejection::with_reason(json!({ "message": "wrong value" })))
        }
    }
}
