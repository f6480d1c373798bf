//! Claim validators: what a good session must claim before a handler sees it.
//!
//! A refusal is a 403 that tells the client which claim failed and why, in the form of SuperTokens.
//!
//! | Validator | Demands |
//! |---|---|
//! | [`Expiry::at_least`] | the session still lasts for a time |
//! | [`Issuer`], [`Audience`], [`Tenant`] | exactly one name, or one of several |
//! | [`PrimitiveClaim::has_value`] | a claim of SuperTokens has a value |
//! | [`BooleanClaim::is_true`], [`is_false`](BooleanClaim::is_false) | the same, for `true` and `false` |
//! | [`PrimitiveArrayClaim`] | a claim of SuperTokens includes or excludes one, all or any of some values |
//! | [`MultiFactorAuth::completed`] | all factors of the sign-in were given |
//! | your own [`ClaimValidator`] | anything else; see the example `custom_claim` |
//!
//! The claims of SuperTokens are those of its SDKs, with the same reasons, byte for byte. Keys that its recipes use are
//! constants: [`BooleanClaim::EMAIL_VERIFICATION`], [`PrimitiveArrayClaim::USER_ROLE`] and
//! [`PrimitiveArrayClaim::PERMISSION`]. Where an SDK takes a value of the wrong type for a good one, or fails upon it,
//! the validators here refuse.

mod allowed;
mod array;
mod audience;
mod boolean;
mod expiry;
mod issuer;
mod multi_factor;
mod primitive;
mod stamped;
mod tenant;
mod value;

use std::fmt::{self, Debug};
use std::time::SystemTime;

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

pub use array::{PrimitiveArrayClaim, PrimitiveArrayValidator};
pub use audience::Audience;
pub use boolean::BooleanClaim;
pub use expiry::Expiry;
pub use issuer::Issuer;
pub use multi_factor::MultiFactorAuth;
pub use primitive::{PrimitiveClaim, PrimitiveValidator};
pub use tenant::Tenant;
pub use value::Primitive;

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

/// The session and the time that a validator looks at.
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

    /// A refusal with a reason that the client gets: anything that serialises to JSON, its members in their order. A
    /// value that cannot be serialised gives a refusal without a reason.
    #[must_use]
    pub fn with_reason(reason: impl Serialize) -> Self {
        Self { reason: to_raw_value(&reason).ok() }
    }

    /// The reason that the client gets, as JSON text.
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
pub(crate) fn check<'v>(
    validators: impl IntoIterator<Item = &'v dyn ClaimValidator>,
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

#[cfg(test)]
mod testing {
    //! Sessions for the tests of the validators.

    use std::time::{Duration, SystemTime};

    use super::{ClaimInput, ClaimValidator};
    use crate::session::{Session, SessionBuilder};
    use crate::user_id::UserId;

    pub(super) fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
    }

    pub(super) fn unclaimed_until(expires_at: SystemTime) -> SessionBuilder {
        Session::assertion(UserId::new("alice").expect("an id"), expires_at)
    }

    pub(super) fn unclaimed() -> SessionBuilder {
        unclaimed_until(now() + Duration::from_secs(60))
    }

    pub(super) fn session(claims: &str) -> Session {
        unclaimed().with_claims(claims.as_bytes(), &[]).expect("well-formed").build()
    }

    /// `None`: the session is taken; an empty text: it is refused without a reason.
    pub(super) fn reason(validator: &dyn ClaimValidator, session: &Session) -> Option<String> {
        let refusal = validator.validate(&ClaimInput::new(session, now())).err()?;
        Some(refusal.reason().map_or_else(String::new, |json| json.get().to_owned()))
    }
}
