use std::borrow::Cow;

use super::primitive::{PrimitiveClaim, PrimitiveValidator};

/// A claim of SuperTokens that is true or false: a [`PrimitiveClaim`] with names for its two values.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use tower_user_metadata::session::Session;
/// use tower_user_metadata::session::claims::{BooleanClaim, ClaimInput, ClaimValidator};
/// use tower_user_metadata::UserId;
///
/// let verified = BooleanClaim::EMAIL_VERIFICATION.is_true().with_max_age(Duration::from_secs(3600));
///
/// let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
/// let alice = Session::assertion(UserId::new("alice")?, now + Duration::from_secs(60))
///     .with_claims(br#"{"st-ev":{"v":true,"t":1799996399500}}"#, &[])?
///     .build();
/// let refusal = verified.validate(&ClaimInput::new(&alice, now)).unwrap_err();
/// assert_eq!(
///     refusal.reason().map(|json| json.get()),
///     Some(r#"{"message":"expired","ageInSeconds":3600.5,"maxAgeInSeconds":3600}"#),
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct BooleanClaim(Cow<'static, str>);

impl BooleanClaim {
    /// `st-ev` of SuperTokens: whether the email address is verified.
    pub const EMAIL_VERIFICATION: Self = Self(Cow::Borrowed("st-ev"));

    /// The claim with this key.
    #[must_use]
    pub fn new(key: impl Into<Cow<'static, str>>) -> Self {
        Self(key.into())
    }

    /// Demands that the claim is true.
    pub fn is_true(&self) -> PrimitiveValidator {
        PrimitiveClaim::new(self.0.clone()).has_value(true)
    }

    /// Demands that the claim is false.
    pub fn is_false(&self) -> PrimitiveValidator {
        PrimitiveClaim::new(self.0.clone()).has_value(false)
    }
}
