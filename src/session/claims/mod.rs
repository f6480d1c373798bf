//! Claim validators: what a good session must claim before a handler sees it.
//!
//! A refusal is a 403 that tells the client which claim failed and why, in the form of SuperTokens.

use std::fmt::{self, Debug};
use std::time::SystemTime;

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use super::{AuthError, InvalidClaim, Session};

/// Tells whether a session's claims satisfy a demand. Runs on each request, after the session was verified.
///
/// ```
/// use serde_json::json;
/// use tower_user_metadata::session::claims::{ClaimInput, ClaimRejection, ClaimValidator};
///
/// /// Lets only paying users in.
/// #[derive(Debug)]
/// struct PaidPlan;
///
/// impl ClaimValidator for PaidPlan {
///     fn id(&self) -> &str {
///         "plan"
///     }
///
///     fn validate(&self, input: &ClaimInput<'_>) -> Result<(), ClaimRejection> {
///         match input.session.claim::<String>("plan") {
///             Ok(Some(plan)) if plan == "paid" => Ok(()),
///             _ => Err(ClaimRejection::with_reason(json!({ "message": "a paid plan is needed" }))),
///         }
///     }
/// }
///
/// assert_eq!(PaidPlan.id(), "plan");
/// ```
pub trait ClaimValidator: Debug + Send + Sync + 'static {
    /// The name under which a refusal is reported; the built-in validators use the claim's key.
    fn id(&self) -> &str;

    /// Checks the session. Fails closed: a claim that is missing or of another type is a refusal.
    ///
    /// # Errors
    ///
    /// The session does not satisfy the demand.
    fn validate(&self, input: &ClaimInput<'_>) -> Result<(), ClaimRejection>;
}

/// What a validator looks at.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ClaimInput<'a> {
    /// The verified session.
    pub session: &'a Session,
    /// The time that counts as now.
    pub now: SystemTime,
}

impl<'a> ClaimInput<'a> {
    /// Asks about a session at a time.
    #[must_use]
    pub fn new(session: &'a Session, now: SystemTime) -> Self {
        Self { session, now }
    }
}

/// A validator's refusal. `Debug` prints no reason, since reasons hold values from the session.
///
/// ```
/// use serde_json::json;
/// use tower_user_metadata::session::claims::ClaimRejection;
///
/// let rejection = ClaimRejection::with_reason(json!({ "message": "a paid plan is needed" }));
/// assert_eq!(rejection.reason().map(|json| json.get()), Some(r#"{"message":"a paid plan is needed"}"#));
/// assert!(ClaimRejection::without_reason().reason().is_none());
/// ```
#[derive(Clone, Default)]
pub struct ClaimRejection {
    reason: Option<Box<RawValue>>,
}

impl ClaimRejection {
    /// A refusal that tells the client no reason.
    #[must_use]
    pub fn without_reason() -> Self {
        Self::default()
    }

    /// A refusal whose reason the client is told: anything that serialises to JSON, its members in their order. What
    /// cannot be serialised gives a refusal without a reason.
    #[must_use]
    pub fn with_reason(reason: impl Serialize) -> Self {
        Self { reason: to_raw_value(&reason).ok() }
    }

    /// What the client is told, as JSON text.
    #[must_use]
    pub fn reason(&self) -> Option<&RawValue> {
        self.reason.as_deref()
    }
}

impl Debug for ClaimRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClaimRejection").finish_non_exhaustive()
    }
}

/// Runs the validators in order and collects every refusal.
pub(crate) fn check(
    validators: &[std::sync::Arc<dyn ClaimValidator>],
    input: &ClaimInput<'_>,
) -> Result<(), AuthError> {
    let mut invalid = Vec::new();
    for validator in validators {
        if let Err(rejection) = validator.validate(input) {
            invalid.push(InvalidClaim { id: validator.id().to_owned(), reason: rejection.reason });
        }
    }
    if invalid.is_empty() { Ok(()) } else { Err(AuthError::invalid_claims(invalid)) }
}
