use super::allowed::Allowed;
use super::{ClaimInput, ClaimRejection, ClaimValidator};

/// Demands that the claim `iss` is one of these strings, byte for byte.
///
/// For routes that take the sessions of some issuers only; what all routes take is an option of the verifier. Tokens
/// of SuperTokens before version 3 have no issuer: they are refused, unless the application put an `iss` into `userData`.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use tower_user_metadata::session::Session;
/// use tower_user_metadata::session::claims::{ClaimInput, ClaimValidator, Issuer};
/// use tower_user_metadata::UserId;
///
/// let now = SystemTime::now();
/// let alice = Session::assertion(UserId::new("alice")?, now + Duration::from_secs(60))
///     .with_claims(br#"{"iss":"https://staff.example.com"}"#, &[])?
///     .build();
/// let input = ClaimInput::new(&alice, now);
/// assert!(Issuer::exactly("https://staff.example.com").validate(&input).is_ok());
/// assert!(Issuer::exactly("https://staff.example.com/").validate(&input).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Issuer {
    id: Box<str>,
    allowed: Allowed,
}

impl Issuer {
    /// Demands this issuer.
    pub fn exactly(issuer: impl Into<Box<str>>) -> Self {
        Self::one_of([issuer])
    }

    /// Demands one of these issuers; of none, every session is refused.
    pub fn one_of<T: Into<Box<str>>>(issuers: impl IntoIterator<Item = T>) -> Self {
        Self { id: "iss".into(), allowed: Allowed::new(issuers) }
    }

    /// Sets the id under which a refusal is reported. Default `iss`.
    pub fn with_id(self, id: impl Into<Box<str>>) -> Self {
        Self { id: id.into(), ..self }
    }
}

impl ClaimValidator for Issuer {
    fn id(&self) -> &str {
        &self.id
    }

    fn validate(&self, input: &ClaimInput<'_>) -> Result<(), ClaimRejection> {
        // A claim that is not a string names no issuer.
        let issuer: Option<String> = input.session.claim("iss").unwrap_or_default();
        self.allowed.check(issuer.as_deref().map(|issuer| [issuer]))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{reason, session};
    use super::*;

    #[test]
    fn the_issuer_is_compared_whole() {
        let validator = Issuer::one_of(["https://a.example", "https://b.example"]);
        for (claims, expected) in [
            (r#"{"iss":"https://a.example"}"#, None),
            (r#"{"iss":"https:\/\/b.exampl\u0065"}"#, None),
            (r#"{"iss":"https://A.example"}"#, Some(r#"{"message":"wrong value"}"#)),
            (r#"{"iss":"https://a.example "}"#, Some(r#"{"message":"wrong value"}"#)),
            (r#"{"iss":"https://a.example.evil.example"}"#, Some(r#"{"message":"wrong value"}"#)),
            (r#"{"iss":""}"#, Some(r#"{"message":"wrong value"}"#)),
            (r#"{"iss":["https://a.example"]}"#, Some(r#"{"message":"value does not exist"}"#)),
            (r#"{"iss":null}"#, Some(r#"{"message":"value does not exist"}"#)),
            (r#"{"ISS":"https://a.example"}"#, Some(r#"{"message":"value does not exist"}"#)),
        ] {
            assert_eq!(reason(&validator, &session(claims)).as_deref(), expected, "{claims}");
        }
        let nobody = Issuer::one_of::<&str>([]).with_id("nobody");
        assert_eq!(reason(&nobody, &session(r#"{"iss":""}"#)).as_deref(), Some(r#"{"message":"wrong value"}"#));
        assert_eq!((validator.id(), nobody.id()), ("iss", "nobody"));
    }
}
