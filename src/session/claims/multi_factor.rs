use serde_json::json;

use super::{ClaimInput, ClaimRejection, ClaimValidator};
use crate::json;
use crate::session::payload::RULES;

/// Demands that all factors were given that SuperTokens requires of the user at sign-in: its claim `st-mfa`,
/// `{"c": {factor: seconds since 1970, …}, "v": true}`.
///
/// The SDKs of SuperTokens demand this by themselves wherever multi-factor authentication is set up, so a service
/// beside them has to as well: the session exists from the first factor on.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use tower_user_metadata::session::Session;
/// use tower_user_metadata::session::claims::{ClaimInput, ClaimValidator, MultiFactorAuth};
/// use tower_user_metadata::UserId;
///
/// let now = SystemTime::now();
/// let alice = Session::assertion(UserId::new("alice")?, now + Duration::from_secs(60))
///     .with_claims(br#"{"st-mfa":{"c":{"emailpassword":1700000000},"v":false}}"#, &[])?
///     .build();
/// let refusal = MultiFactorAuth::completed().validate(&ClaimInput::new(&alice, now)).unwrap_err();
/// assert_eq!(
///     refusal.reason().map(|json| json.get()),
///     Some(r#"{"message":"MFA requirement for auth is not satisfied"}"#),
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct MultiFactorAuth {
    id: Box<str>,
}

const KEY: &str = "st-mfa";

impl MultiFactorAuth {
    /// Demands that nothing is left to do at sign-in.
    pub fn completed() -> Self {
        Self { id: KEY.into() }
    }

    /// Sets the id under which a refusal is reported. Default `st-mfa`.
    pub fn with_id(self, id: impl Into<Box<str>>) -> Self {
        Self { id: id.into() }
    }
}

impl ClaimValidator for MultiFactorAuth {
    fn id(&self) -> &str {
        &self.id
    }

    fn validate(&self, input: &ClaimInput<'_>) -> Result<(), ClaimRejection> {
        let claim = input.session.raw_claim(KEY).unwrap_or_default();
        let members = json::read_object(claim.as_bytes(), RULES).unwrap_or_default();
        match members.iter().find(|(name, _)| name == "v").map(|(_, value)| *value) {
            Some("true") => Ok(()),
            Some("false") => {
                Err(ClaimRejection::with_reason(json!({ "message": "MFA requirement for auth is not satisfied" })))
            }
            _ => Err(ClaimRejection::without_reason()),
        }
    }
}
