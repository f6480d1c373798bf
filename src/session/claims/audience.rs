use serde::Deserialize;

use super::allowed::Allowed;
use super::{ClaimInput, ClaimRejection, ClaimValidator};

/// Demands that the claim `aud` is, or holds, one of these strings, byte for byte (RFC 7519 section 4.1.3).
///
/// For routes that belong to some audiences only; what all routes take is an option of the verifier.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use tower_user_metadata::session::Session;
/// use tower_user_metadata::session::claims::{Audience, ClaimInput, ClaimValidator};
/// use tower_user_metadata::UserId;
///
/// let now = SystemTime::now();
/// let alice = Session::assertion(UserId::new("alice")?, now + Duration::from_secs(60))
///     .with_claims(br#"{"aud":["shop","billing"]}"#, &[])?
///     .build();
/// let input = ClaimInput::new(&alice, now);
/// assert!(Audience::exactly("billing").validate(&input).is_ok());
/// assert!(Audience::one_of(["bill", "admin"]).validate(&input).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Audience {
    id: Box<str>,
    allowed: Allowed,
}

/// The two forms of `aud`.
#[derive(Deserialize)]
#[serde(untagged)]
enum Found {
    One(String),
    Many(Vec<String>),
}

impl Audience {
    /// Demands this audience.
    pub fn exactly(audience: impl Into<Box<str>>) -> Self {
        Self::one_of([audience])
    }

    /// Demands one of these audiences; of none, every session is refused.
    pub fn one_of<T: Into<Box<str>>>(audiences: impl IntoIterator<Item = T>) -> Self {
        Self { id: "aud".into(), allowed: Allowed::new(audiences) }
    }

    /// Sets the id under which a refusal is reported. Default `aud`.
    pub fn with_id(self, id: impl Into<Box<str>>) -> Self {
        Self { id: id.into(), ..self }
    }
}

impl ClaimValidator for Audience {
    fn id(&self) -> &str {
        &self.id
    }

    fn validate(&self, input: &ClaimInput<'_>) -> Result<(), ClaimRejection> {
        // A claim of another type, or a list in which not all are strings, names no audience.
        let found: Option<Found> = input.session.claim("aud").unwrap_or_default();
        self.allowed.check(found.as_ref().map(|found| match found {
            Found::One(audience) => std::slice::from_ref(audience).iter().map(String::as_str),
            Found::Many(audiences) => audiences.iter().map(String::as_str),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{reason, session};
    use super::*;

    #[test]
    fn one_audience_has_to_fit_whole() {
        let validator = Audience::one_of(["shop", "billing"]).with_id("mine");
        for (claims, expected) in [
            (r#"{"aud":"shop"}"#, None),
            (r#"{"aud":["other","bill\u0069ng"]}"#, None),
            (r#"{"aud":"shopping"}"#, Some(r#"{"message":"wrong value"}"#)),
            (r#"{"aud":"shop billing"}"#, Some(r#"{"message":"wrong value"}"#)),
            (r#"{"aud":["Shop"]}"#, Some(r#"{"message":"wrong value"}"#)),
            (r#"{"aud":[]}"#, Some(r#"{"message":"wrong value"}"#)),
            (r#"{"aud":["shop",1]}"#, Some(r#"{"message":"value does not exist"}"#)),
            (r#"{"aud":[["shop"]]}"#, Some(r#"{"message":"value does not exist"}"#)),
            (r#"{"aud":{"0":"shop"}}"#, Some(r#"{"message":"value does not exist"}"#)),
            (r#"{"aud":null}"#, Some(r#"{"message":"value does not exist"}"#)),
            (r#"{}"#, Some(r#"{"message":"value does not exist"}"#)),
        ] {
            assert_eq!(reason(&validator, &session(claims)).as_deref(), expected, "{claims}");
        }
        assert_eq!((validator.id(), Audience::exactly("shop").id()), ("mine", "aud"));
    }
}
