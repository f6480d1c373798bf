use super::allowed::Allowed;
use super::{ClaimInput, ClaimRejection, ClaimValidator};

/// Demands that the session belongs to one of these tenants, byte for byte.
///
/// The tenant is [`Session::tenant_id`](crate::Session::tenant_id): the claim `tId` of SuperTokens, whose default
/// tenant is `public`, or the claim that the verifier was told to take it from. A session without a tenant is refused.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use tower_user_metadata::session::Session;
/// use tower_user_metadata::session::claims::{ClaimInput, ClaimValidator, Tenant};
/// use tower_user_metadata::UserId;
///
/// let now = SystemTime::now();
/// let alice = Session::assertion(UserId::new("alice")?, now + Duration::from_secs(60)).with_tenant_id("acme").build();
/// let input = ClaimInput::new(&alice, now);
/// assert!(Tenant::one_of(["acme", "globex"]).validate(&input).is_ok());
/// let refusal = Tenant::exactly("public").validate(&input).unwrap_err();
/// assert_eq!(refusal.reason().map(|json| json.get()), Some(r#"{"message":"wrong value"}"#));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Tenant {
    id: Box<str>,
    allowed: Allowed,
}

impl Tenant {
    /// Demands this tenant.
    pub fn exactly(tenant: impl Into<Box<str>>) -> Self {
        Self::one_of([tenant])
    }

    /// Demands one of these tenants; of none, every session is refused.
    pub fn one_of<T: Into<Box<str>>>(tenants: impl IntoIterator<Item = T>) -> Self {
        Self { id: "tId".into(), allowed: Allowed::new(tenants) }
    }

    /// Sets the id under which a refusal is reported. Default `tId`, the name of the claim in SuperTokens.
    pub fn with_id(self, id: impl Into<Box<str>>) -> Self {
        Self { id: id.into(), ..self }
    }
}

impl ClaimValidator for Tenant {
    fn id(&self) -> &str {
        &self.id
    }

    fn validate(&self, input: &ClaimInput<'_>) -> Result<(), ClaimRejection> {
        self.allowed.check(input.session.tenant_id().map(|tenant| [tenant]))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{reason, session, unclaimed};
    use super::*;

    #[test]
    fn the_tenant_is_that_of_the_session_and_not_a_claim() {
        let tenant = |name: &str| unclaimed().with_tenant_id(name).build();
        let validator = Tenant::one_of(["public", "acme"]).with_id("tenant");
        assert_eq!(reason(&validator, &tenant("acme")), None);
        for name in ["Acme", "acme ", "acm", "acme2", ""] {
            assert_eq!(reason(&validator, &tenant(name)).as_deref(), Some(r#"{"message":"wrong value"}"#), "{name}");
        }
        let claim_only = session(r#"{"tId":"acme"}"#);
        assert_eq!(reason(&validator, &claim_only).as_deref(), Some(r#"{"message":"value does not exist"}"#));
        assert_eq!((validator.id(), Tenant::exactly("acme").id()), ("tenant", "tId"));
    }
}
