//! What a service demands of its tokens beyond the issuer and the audience, since its key signs others as well.

use serde_json::Value;

use super::header::Header;
use super::mismatch::Warnings;
use super::purpose;
use crate::ConfigError;
use crate::json;
use crate::session::payload::Payload;
use crate::session::{AuthError, AuthErrorKind as Kind};

#[derive(Clone, Debug, Default)]
pub(super) struct Demands {
    /// Of the values of each claim one must be there.
    required: Vec<(Box<str>, Vec<Value>)>,
    forbidden: Vec<Box<str>>,
    /// The values of the header `typ`, one of which must be there; none: `typ` need not be there.
    types: Vec<Box<str>>,
}

impl Demands {
    pub(super) fn require(&mut self, name: Box<str>, value: Value) {
        match self.required.iter_mut().find(|(known, _)| *known == name) {
            Some((_, values)) => values.push(value),
            None => self.required.push((name, vec![value])),
        }
    }

    pub(super) fn forbid(&mut self, name: Box<str>) {
        self.forbidden.push(name);
    }

    pub(super) fn require_type(&mut self, token_type: Box<str>) {
        // `typ` is a media type, and so is what somebody copies from a standard.
        let subtype = token_type.strip_prefix("application/").map(Into::into);
        self.types.push(subtype.unwrap_or(token_type));
    }

    /// Whether they say which types the header may name, so that nothing else does.
    pub(super) fn name_types(&self) -> bool {
        !self.types.is_empty()
    }

    /// Whether they tell the tokens of a service from others: `JWT` is the type of all kinds.
    pub(super) fn tell_tokens_apart(&self) -> bool {
        let all_tell = self.types.iter().all(|token_type| !token_type.eq_ignore_ascii_case("JWT"));
        !self.required.is_empty() || !self.forbidden.is_empty() || (self.name_types() && all_tell)
    }

    /// Refuses what no token can fulfil, or what nobody means.
    pub(super) fn check_texts(&self) -> Result<(), ConfigError> {
        let refused = |option, value: &str, problem| {
            Err(ConfigError::VerifierOption { option, value: value.to_owned(), problem })
        };
        let texts = self.required.iter().map(|(name, _)| ("with_required_claim", name));
        let texts = texts.chain(self.forbidden.iter().map(|name| ("with_forbidden_claim", name)));
        for (option, text) in texts.chain(self.types.iter().map(|text| ("with_required_token_type", text))) {
            if text.is_empty() {
                return refused(option, text, "it is empty");
            }
            if text.trim() != &**text {
                return refused(option, text, "it begins or ends with white space");
            }
        }
        for (name, values) in &self.required {
            if self.forbidden.contains(name) {
                return refused("with_forbidden_claim", name, "the claim is required as well");
            }
            if let Some(value) = values.iter().find(|value| value.is_null()) {
                let problem = "`null` says nothing; `with_forbidden_claim` takes tokens without the claim";
                return refused("with_required_claim", &value.to_string(), problem);
            }
            if let Some(value) = values.iter().find(|value| has_fraction(value)) {
                return refused(
                    "with_required_claim",
                    &value.to_string(),
                    "numbers with a fraction have no exact form",
                );
            }
        }
        Ok(())
    }

    pub(super) fn check(&self, header: &Header, claims: &Payload, warnings: &Warnings) -> Result<(), AuthError> {
        if self.name_types() {
            if header.token_type.is_none() {
                return Err(refusal("typ", "the header names no type of token", warnings));
            }
            purpose::check_header(header, &self.types).map_err(|error| refusal("typ", error.reason(), warnings))?;
        }
        for (name, values) in &self.required {
            let reason = match claims.raw(name) {
                None | Some("null") => "a required claim is missing",
                Some(raw) if json::typed::<Value>(raw).is_ok_and(|found| values.contains(&found)) => continue,
                Some(_) => "a required claim has another value",
            };
            return Err(refusal(name, reason, warnings));
        }
        match self.forbidden.iter().find(|name| claims.raw(name).is_some_and(|value| value != "null")) {
            Some(name) => Err(refusal(name, "a forbidden claim", warnings)),
            None => Ok(()),
        }
    }
}

/// Warned of like a wrong audience: a mistake in the settings refuses every token.
fn refusal(name: &str, found: &'static str, warnings: &Warnings) -> AuthError {
    if warnings.purpose.is_due() {
        tracing::warn!(
            name,
            found,
            "a token was refused as one for another purpose; further ones in this minute are told at debug level"
        );
    }
    AuthError::because(Kind::WrongPurpose, found)
}

/// Whether there is a number that is no integer, at any depth.
fn has_fraction(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.is_f64(),
        Value::Array(values) => values.iter().any(has_fraction),
        Value::Object(members) => members.values().any(has_fraction),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn demands(required: &[(&str, Value)]) -> Demands {
        let mut demands = Demands::default();
        required.iter().for_each(|(name, value)| demands.require((*name).into(), value.clone()));
        demands
    }

    fn verdict(demands: &Demands, token_type: Option<&str>, claims: &str) -> Result<(), &'static str> {
        let token_type = token_type.map(str::to_owned);
        let header = Header { algorithm: None, kid: None, token_type, version: None };
        let claims = Payload::parse(claims.as_bytes()).expect("an object");
        demands.check(&header, &claims, &Warnings::new()).map_err(|error| {
            assert_eq!(error.kind(), Kind::WrongPurpose);
            error.reason()
        })
    }

    #[test]
    fn a_required_claim_is_there_with_exactly_this_value() {
        for (value, right, wrong) in [
            (
                json!("access"),
                &[r#""access""#, r#""\u0061ccess""#][..],
                &[r#""Access""#, r#""access ""#, r#"["access"]"#][..],
            ),
            (json!(true), &["true"], &["false", r#""true""#, "1"]),
            (json!(1), &["1"], &["1.0", "1e0", r#""1""#, "true", "11", "-1"]),
            (json!(9_007_199_254_740_993_u64), &["9007199254740993"], &["9007199254740992", "9007199254740993.0"]),
            (json!(["a", 1]), &[r#"["a",1]"#, r#"[ "a", 1 ]"#], &[r#"[1,"a"]"#, r#"["a"]"#, r#""a""#]),
            (json!({"a": 1, "b": 2}), &[r#"{"b":2,"a":1}"#], &[r#"{"a":1}"#, r#"{"a":1,"b":2,"c":3}"#]),
        ] {
            let demands = demands(&[("use", value.clone())]);
            demands.check_texts().expect("they can be fulfilled");
            for found in right {
                assert_eq!(verdict(&demands, None, &format!(r#"{{"use":{found}}}"#)), Ok(()), "{value} {found}");
            }
            for found in wrong {
                let refused = verdict(&demands, None, &format!(r#"{{"use":{found}}}"#));
                assert_eq!(refused, Err("a required claim has another value"), "{value} {found}");
            }
            for missing in ["{}", r#"{"use":null}"#, r#"{"Use":"access"}"#, r#"{"a":{"use":"access"}}"#] {
                assert_eq!(verdict(&demands, None, missing), Err("a required claim is missing"), "{value} {missing}");
            }
        }
    }

    #[test]
    fn each_name_is_needed_and_of_its_values_one() {
        let demands = demands(&[("use", json!("access")), ("v", json!(2)), ("use", json!("session"))]);
        for (claims, verdict_of) in [
            (r#"{"use":"access","v":2}"#, Ok(())),
            (r#"{"use":"session","v":2}"#, Ok(())),
            (r#"{"use":"refresh","v":2}"#, Err("a required claim has another value")),
            (r#"{"use":"access"}"#, Err("a required claim is missing")),
            (r#"{"v":2}"#, Err("a required claim is missing")),
        ] {
            assert_eq!(verdict(&demands, None, claims), verdict_of, "{claims}");
        }
    }

    #[test]
    fn a_forbidden_claim_is_not_there_whatever_it_says() {
        let mut demands = Demands::default();
        demands.forbid("invite".into());
        for claims in [r#"{"invite":1}"#, r#"{"invite":false}"#, r#"{"invite":""}"#, r#"{"inv\u0069te":{}}"#] {
            assert_eq!(verdict(&demands, None, claims), Err("a forbidden claim"), "{claims}");
        }
        for claims in ["{}", r#"{"invite":null}"#, r#"{"invites":1}"#, r#"{"a":{"invite":1}}"#] {
            assert_eq!(verdict(&demands, None, claims), Ok(()), "{claims}");
        }
    }

    #[test]
    fn a_required_type_is_in_the_header() {
        let mut demands = Demands::default();
        demands.require_type("at+jwt".into());
        demands.require_type("application/session".into());
        for token_type in ["at+jwt", "AT+JWT", "application/at+jwt", "session"] {
            assert_eq!(verdict(&demands, Some(token_type), "{}"), Ok(()), "{token_type}");
        }
        assert_eq!(verdict(&demands, None, r#"{"typ":"at+jwt"}"#), Err("the header names no type of token"));
        for token_type in ["JWT", "", "at+jwt ", "refresh"] {
            let refused = verdict(&demands, Some(token_type), "{}");
            assert_eq!(refused, Err("the header names another type of token"), "{token_type}");
        }
    }

    #[test]
    fn demands_that_no_token_can_fulfil_are_refused() {
        let forbid = |name: &str| {
            let mut demands = demands(&[("use", json!("access"))]);
            demands.forbid(name.into());
            demands
        };
        let of_type = |name: &str| {
            let mut demands = Demands::default();
            demands.require_type(name.into());
            demands
        };
        for (demands, option) in [
            (demands(&[("", json!(1))]), "with_required_claim"),
            (demands(&[(" use", json!(1))]), "with_required_claim"),
            (demands(&[("use", Value::Null)]), "with_required_claim"),
            (demands(&[("use", json!(1.5))]), "with_required_claim"),
            (demands(&[("use", json!([{"a": 1.0}]))]), "with_required_claim"),
            (demands(&[("use", Value::from(f64::NAN))]), "with_required_claim"),
            (forbid(""), "with_forbidden_claim"),
            (forbid("use"), "with_forbidden_claim"),
            (of_type(""), "with_required_token_type"),
            (of_type("at+jwt\n"), "with_required_token_type"),
        ] {
            let refused = demands.check_texts().expect_err("refused");
            assert!(
                matches!(refused, ConfigError::VerifierOption { option: named, .. } if named == option),
                "{refused}"
            );
        }
        assert!(forbid("invite").check_texts().is_ok());
    }

    #[test]
    fn the_type_of_every_token_tells_none_apart() {
        let of_types = |types: &[&str]| {
            let mut demands = Demands::default();
            types.iter().for_each(|name| demands.require_type((*name).into()));
            demands.tell_tokens_apart()
        };
        assert!(!of_types(&[]) && !of_types(&["JWT"]) && !of_types(&["at+jwt", "jwt"]));
        assert!(of_types(&["at+jwt"]) && demands(&[("use", json!("access"))]).tell_tokens_apart());
    }
}
