//! What the claims of SuperTokens share: a value with the time at which it was fetched,
//! `"key": {"v": value, "t": milliseconds since 1970}`.

use std::borrow::Cow;
use std::time::Duration;

use serde_json::value::RawValue;

use super::value::{number, stringify};
use super::{ClaimInput, ClaimRejection};
use crate::json;
use crate::session::clock::unix_millis;
use crate::session::payload::RULES;

/// Which claim a validator looks at, what it is called in a refusal, and how old the value may be.
#[derive(Clone, Debug)]
pub(super) struct Stamped {
    key: Cow<'static, str>,
    id: Option<Box<str>>,
    max_age_seconds: Option<f64>,
}

/// A member of a refusal's reason: its name and its value as JSON text.
pub(super) type Member<'a> = (&'static str, Cow<'a, str>);

impl Stamped {
    pub(super) fn new(key: Cow<'static, str>) -> Self {
        Self { key, id: None, max_age_seconds: None }
    }

    pub(super) fn with_id(self, id: impl Into<Box<str>>) -> Self {
        Self { id: Some(id.into()), ..self }
    }

    pub(super) fn with_max_age(self, max_age: Duration) -> Self {
        Self { max_age_seconds: Some(seconds(max_age)), ..self }
    }

    pub(super) fn id(&self) -> &str {
        self.id.as_deref().unwrap_or(&self.key)
    }

    /// The claim's value as JSON text, if it is there and not too old; `expected` is for the reason of a refusal.
    pub(super) fn value<'a, 'e>(
        &self,
        input: &ClaimInput<'a>,
        expected: impl Fn() -> Member<'e>,
    ) -> Result<&'a str, ClaimRejection> {
        let claim = input.session.raw_claim(&self.key).unwrap_or_default();
        // What is not an object has no members, in JavaScript as well.
        let members = json::read_object(claim.as_bytes(), RULES).unwrap_or_default();
        let member = |name: &str| members.iter().find(|(member, _)| member == name).map(|(_, value)| *value);
        let Some(value) = member("v") else { return Err(reason("value does not exist", &[expected()])) };
        if let Some(max_age) = self.max_age_seconds {
            // A time that is not a number leaves the age unknown: NaN, which JSON writes as null.
            let fetched = member("t").and_then(|time| time.parse().ok()).unwrap_or(f64::NAN);
            let age = (unix_millis(input.now) as f64 - fetched) / 1000.0;
            if age.is_nan() || age > max_age {
                let age = ("ageInSeconds", number(age).into());
                return Err(reason("expired", &[age, ("maxAgeInSeconds", number(max_age).into())]));
            }
        }
        Ok(value)
    }
}

/// The refusal of a value that is not what was demanded.
pub(super) fn wrong_value(expected: Member<'_>, actual: &str) -> ClaimRejection {
    reason("wrong value", &[expected, ("actualValue", stringify(actual).into())])
}

pub(super) fn reason(message: &str, members: &[Member<'_>]) -> ClaimRejection {
    let members: String = members.iter().map(|(name, value)| format!(",\"{name}\":{value}")).collect();
    // Names and message are constants without anything to escape, and values are JSON, so the whole is JSON.
    ClaimRejection { reason: RawValue::from_string(format!("{{\"message\":\"{message}\"{members}}}")).ok() }
}

/// The `f64` that JavaScript reads for this number of seconds: rounded once, where `as_secs_f64` rounds twice.
pub(super) fn seconds(duration: Duration) -> f64 {
    let text = format!("{}.{:09}", duration.as_secs(), duration.subsec_nanos());
    // The text is always a number, so the fallback is never taken.
    text.parse().unwrap_or(duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::super::PrimitiveClaim;
    use super::super::testing::{reason, session};
    use super::*;

    fn outcome(claims: &str) -> Option<String> {
        let validator = PrimitiveClaim::new("k").has_value("a").with_max_age(Duration::from_secs(60));
        reason(&validator, &session(claims))
    }

    #[test]
    fn missing_comes_before_expired_and_expired_before_wrong() {
        let missing = r#"{"message":"value does not exist","expectedValue":"a"}"#;
        for claims in ["{}", r#"{"k":"a"}"#, r#"{"k":["a",0]}"#, r#"{"k":{"t":0}}"#, r#"{"k":null}"#] {
            assert_eq!(outcome(claims).as_deref(), Some(missing), "{claims}");
        }
        assert_eq!(
            outcome(r#"{"k":{"v":"b","t":1799999939999}}"#).as_deref(),
            Some(r#"{"message":"expired","ageInSeconds":60.001,"maxAgeInSeconds":60}"#)
        );
        assert_eq!(
            outcome(r#"{"k":{"v":"b","t":1799999940000}}"#).as_deref(),
            Some(r#"{"message":"wrong value","expectedValue":"a","actualValue":"b"}"#)
        );
        assert_eq!(outcome(r#"{"k":{"v":"a","t":1.79999994e12}}"#), None);
    }

    #[test]
    fn an_unknown_age_is_too_old() {
        for claims in [r#"{"k":{"v":"a"}}"#, r#"{"k":{"v":"a","t":null}}"#, r#"{"k":{"v":"a","t":"1800000000000"}}"#] {
            assert_eq!(
                outcome(claims).as_deref(),
                Some(r#"{"message":"expired","ageInSeconds":null,"maxAgeInSeconds":60}"#),
                "{claims}"
            );
        }
    }

    #[test]
    fn seconds_are_rounded_once() {
        for (duration, text) in [
            (Duration::from_millis(3_600_300), "3600.3"),
            (Duration::from_nanos(100), "1e-7"),
            (Duration::from_secs(86_400), "86400"),
            (Duration::MAX, "18446744073709552000"),
        ] {
            assert_eq!(number(seconds(duration)), text);
        }
    }
}
