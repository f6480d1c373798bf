use std::borrow::Cow;
use std::time::Duration;

use super::stamped::{Member, Stamped, wrong_value};
use super::value::Primitive;
use super::{ClaimInput, ClaimRejection, ClaimValidator};

/// A claim of SuperTokens with one value: `"key": {"v": value, "t": milliseconds since 1970}`.
///
/// Looks at what the token holds and fetches nothing: a value that is missing or too old is a refusal, upon which the
/// client gets a new token from whoever issues them.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use tower_user_metadata::session::Session;
/// use tower_user_metadata::session::claims::{ClaimInput, ClaimValidator, PrimitiveClaim};
/// use tower_user_metadata::UserId;
///
/// let validator = PrimitiveClaim::new("plan").has_value("paid");
///
/// let now = SystemTime::now();
/// let alice = Session::assertion(UserId::new("alice")?, now + Duration::from_secs(60))
///     .with_claims(br#"{"plan":{"v":"free","t":1700000000000}}"#, &[])?
///     .build();
/// let refusal = validator.validate(&ClaimInput::new(&alice, now)).unwrap_err();
/// assert_eq!(
///     refusal.reason().map(|json| json.get()),
///     Some(r#"{"message":"wrong value","expectedValue":"paid","actualValue":"free"}"#),
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct PrimitiveClaim(Cow<'static, str>);

/// Demands one value of a claim; see [`PrimitiveClaim::has_value`].
#[derive(Clone, Debug)]
#[must_use]
pub struct PrimitiveValidator {
    claim: Stamped,
    value: Primitive,
}

impl PrimitiveClaim {
    /// The claim with this key.
    #[must_use]
    pub fn new(key: impl Into<Cow<'static, str>>) -> Self {
        Self(key.into())
    }

    /// Demands that the claim has this value.
    pub fn has_value(&self, value: impl Into<Primitive>) -> PrimitiveValidator {
        PrimitiveValidator { claim: Stamped::new(self.0.clone()), value: value.into() }
    }
}

impl PrimitiveValidator {
    /// Refuses values that were fetched longer ago than this. Default: any age will do.
    pub fn with_max_age(self, max_age: Duration) -> Self {
        Self { claim: self.claim.with_max_age(max_age), ..self }
    }

    /// Sets the id under which a refusal is reported. Default: the claim's key.
    pub fn with_id(self, id: impl Into<Box<str>>) -> Self {
        Self { claim: self.claim.with_id(id), ..self }
    }
}

impl ClaimValidator for PrimitiveValidator {
    fn id(&self) -> &str {
        self.claim.id()
    }

    fn validate(&self, input: &ClaimInput<'_>) -> Result<(), ClaimRejection> {
        let expected = || -> Member<'_> { ("expectedValue", self.value.to_json().into()) };
        let actual = self.claim.value(input, expected)?;
        if Primitive::parse(actual).is_some_and(|actual| actual == self.value) {
            Ok(())
        } else {
            Err(wrong_value(expected(), actual))
        }
    }
}
