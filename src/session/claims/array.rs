use std::borrow::Cow;
use std::time::Duration;

use serde_json::value::RawValue;

use super::stamped::{Member, Stamped, wrong_value};
use super::value::{Primitive, array};
use super::{ClaimInput, ClaimRejection, ClaimValidator};

/// A claim of SuperTokens with a list of values: `"key": {"v": [value, …], "t": milliseconds since 1970}`.
///
/// Looks at what the token holds and fetches nothing, as [`PrimitiveClaim`](super::PrimitiveClaim). Where the value is
/// not an array, every demand is refused, the negative ones as well.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use tower_user_metadata::session::Session;
/// use tower_user_metadata::session::claims::{ClaimInput, ClaimValidator, PrimitiveArrayClaim};
/// use tower_user_metadata::UserId;
///
/// let now = SystemTime::now();
/// let alice = Session::assertion(UserId::new("alice")?, now + Duration::from_secs(60))
///     .with_claims(br#"{"st-role":{"v":["author"],"t":1700000000000}}"#, &[])?
///     .build();
/// let input = ClaimInput::new(&alice, now);
///
/// let role = PrimitiveArrayClaim::USER_ROLE;
/// assert!(role.includes_any(["author", "admin"]).validate(&input).is_ok());
/// let refusal = role.includes("admin").validate(&input).unwrap_err();
/// assert_eq!(
///     refusal.reason().map(|json| json.get()),
///     Some(r#"{"message":"wrong value","expectedToInclude":"admin","actualValue":["author"]}"#),
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct PrimitiveArrayClaim(Cow<'static, str>);

/// Demands something of a claim's list of values; see [`PrimitiveArrayClaim`].
#[derive(Clone, Debug)]
#[must_use]
pub struct PrimitiveArrayValidator {
    claim: Stamped,
    demand: Demand,
    values: Values,
}

#[derive(Clone, Copy, Debug)]
enum Demand {
    Includes,
    Excludes,
    IncludesAny,
}

/// One value or a list of them: both are checked alike, and a refusal names them as they were given.
#[derive(Clone, Debug)]
enum Values {
    One(Primitive),
    Many(Vec<Primitive>),
}

impl PrimitiveArrayClaim {
    /// `st-role` of SuperTokens: the roles of the user in the session's tenant.
    pub const USER_ROLE: Self = Self(Cow::Borrowed("st-role"));

    /// `st-perm` of SuperTokens: the permissions that these roles give.
    pub const PERMISSION: Self = Self(Cow::Borrowed("st-perm"));

    /// The claim with this key.
    #[must_use]
    pub fn new(key: impl Into<Cow<'static, str>>) -> Self {
        Self(key.into())
    }

    /// Demands that this value is in the list.
    pub fn includes(&self, value: impl Into<Primitive>) -> PrimitiveArrayValidator {
        self.demand(Demand::Includes, Values::One(value.into()))
    }

    /// Demands that this value is not in the list; a claim that is missing is refused.
    pub fn excludes(&self, value: impl Into<Primitive>) -> PrimitiveArrayValidator {
        self.demand(Demand::Excludes, Values::One(value.into()))
    }

    /// Demands that each of these values is in the list.
    pub fn includes_all<T: Into<Primitive>>(&self, values: impl IntoIterator<Item = T>) -> PrimitiveArrayValidator {
        self.demand(Demand::Includes, Values::many(values))
    }

    /// Demands that none of these values is in the list; a claim that is missing is refused.
    pub fn excludes_all<T: Into<Primitive>>(&self, values: impl IntoIterator<Item = T>) -> PrimitiveArrayValidator {
        self.demand(Demand::Excludes, Values::many(values))
    }

    /// Demands that at least one of these values is in the list; of no values, none ever is.
    pub fn includes_any<T: Into<Primitive>>(&self, values: impl IntoIterator<Item = T>) -> PrimitiveArrayValidator {
        self.demand(Demand::IncludesAny, Values::many(values))
    }

    fn demand(&self, demand: Demand, values: Values) -> PrimitiveArrayValidator {
        PrimitiveArrayValidator { claim: Stamped::new(self.0.clone()), demand, values }
    }
}

impl PrimitiveArrayValidator {
    /// Refuses values that were fetched longer ago than this. Default: any age will do.
    pub fn with_max_age(self, max_age: Duration) -> Self {
        Self { claim: self.claim.with_max_age(max_age), ..self }
    }

    /// Sets the id under which a refusal is reported. Default: the claim's key.
    pub fn with_id(self, id: impl Into<Box<str>>) -> Self {
        Self { claim: self.claim.with_id(id), ..self }
    }
}

impl ClaimValidator for PrimitiveArrayValidator {
    fn id(&self) -> &str {
        self.claim.id()
    }

    fn validate(&self, input: &ClaimInput<'_>) -> Result<(), ClaimRejection> {
        let missing = match self.demand {
            Demand::Includes => "expectedToInclude",
            // Upstream names this member so for `includesAny` as well, but only where the claim is missing.
            Demand::Excludes | Demand::IncludesAny => "expectedToNotInclude",
        };
        let actual = self.claim.value(input, || self.values.member(missing))?;
        if list(actual).is_some_and(|list| self.demand.is_met(self.values.as_slice(), &list)) {
            return Ok(());
        }
        let wrong = match self.demand {
            Demand::Includes => "expectedToInclude",
            Demand::Excludes => "expectedToNotInclude",
            Demand::IncludesAny => "expectedToIncludeAtLeastOneOf",
        };
        Err(wrong_value(self.values.member(wrong), actual))
    }
}

impl Demand {
    fn is_met(self, values: &[Primitive], list: &[Primitive]) -> bool {
        match self {
            Self::Includes => values.iter().all(|value| list.contains(value)),
            Self::Excludes => !values.iter().any(|value| list.contains(value)),
            Self::IncludesAny => values.iter().any(|value| list.contains(value)),
        }
    }
}

impl Values {
    fn many<T: Into<Primitive>>(values: impl IntoIterator<Item = T>) -> Self {
        Self::Many(values.into_iter().map(Into::into).collect())
    }

    fn as_slice(&self) -> &[Primitive] {
        match self {
            Self::One(value) => std::slice::from_ref(value),
            Self::Many(values) => values,
        }
    }

    fn member(&self, name: &'static str) -> Member<'static> {
        let json = match self {
            Self::One(value) => value.to_json(),
            Self::Many(values) => array(values),
        };
        (name, json.into())
    }
}

/// The primitives in a JSON array; what else is in it equals none, so it is left out.
fn list(raw: &str) -> Option<Vec<Primitive>> {
    let items: Vec<&RawValue> = serde_json::from_str(raw).ok()?;
    Some(items.into_iter().filter_map(|item| Primitive::parse(item.get())).collect())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{reason, session};
    use super::*;

    #[test]
    fn every_demand_has_its_reasons() {
        let claim = PrimitiveArrayClaim::new("k");
        let (missing, wrong) = (session("{}"), session(r#"{"k":{"v":["a",1.0],"t":0}}"#));
        for (validator, expected_if_missing, expected_if_wrong) in [
            (claim.includes("b"), r#""expectedToInclude":"b""#, r#""expectedToInclude":"b""#),
            (claim.excludes(1), r#""expectedToNotInclude":1"#, r#""expectedToNotInclude":1"#),
            (claim.includes_all(["a", "b"]), r#""expectedToInclude":["a","b"]"#, r#""expectedToInclude":["a","b"]"#),
            (claim.excludes_all([2, 1]), r#""expectedToNotInclude":[2,1]"#, r#""expectedToNotInclude":[2,1]"#),
            (claim.includes_any(["b"]), r#""expectedToNotInclude":["b"]"#, r#""expectedToIncludeAtLeastOneOf":["b"]"#),
        ] {
            assert_eq!(
                reason(&validator, &missing),
                Some(format!(r#"{{"message":"value does not exist",{expected_if_missing}}}"#))
            );
            assert_eq!(
                reason(&validator, &wrong),
                Some(format!(r#"{{"message":"wrong value",{expected_if_wrong},"actualValue":["a",1]}}"#))
            );
        }
    }

    #[test]
    fn a_value_that_is_not_an_array_satisfies_nothing() {
        let claim = PrimitiveArrayClaim::new("k");
        for value in [r#""a""#, r#""""#, "null", "1", r#"{"0":"a"}"#] {
            let session = session(&format!(r#"{{"k":{{"v":{value},"t":0}}}}"#));
            for validator in [claim.includes("a"), claim.excludes("b"), claim.excludes_all(["b"])] {
                assert!(reason(&validator, &session).is_some(), "{validator:?} of {value}");
            }
            assert!(reason(&claim.includes_all::<&str>([]), &session).is_some(), "{value}");
        }
        // What is in an array and no primitive equals none.
        let nested = session(r#"{"k":{"v":[["a"],{"v":"a"},"c"],"t":0}}"#);
        assert!(reason(&claim.includes("a"), &nested).is_some());
        assert_eq!(reason(&claim.includes_all(["c"]), &nested), None);
    }
}
