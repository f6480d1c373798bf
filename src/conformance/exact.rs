use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// A JSON value whose numbers keep every digit: equal when the contract of the stores calls two values equal.
///
/// Member order and the spelling of strings and numbers do not count, so `100` equals `1e2`, and `0` equals `-0.0`.
///
/// ```
/// use tower_user_metadata::conformance::ExactValue;
///
/// let left = ExactValue::parse(r#"{"a":1e2,"b":"\u00e9"}"#)?;
/// assert_eq!(left, ExactValue::parse(r#"{"b":"é","a":100.0}"#)?);
/// assert_ne!(ExactValue::parse("1e400")?, ExactValue::parse("1.00000000000000000000001e400")?);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExactValue {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(Decimal),
    /// A string, decoded.
    String(String),
    /// An array.
    Array(Vec<ExactValue>),
    /// An object; of several members with one name the last.
    Object(BTreeMap<String, ExactValue>),
}

impl ExactValue {
    /// Reads a JSON text.
    ///
    /// Written for texts of tests: the cost grows with the depth times the length.
    ///
    /// # Errors
    ///
    /// The text is not JSON.
    pub fn parse(text: &str) -> Result<Self, serde_json::Error> {
        let raw: &RawValue = serde_json::from_str(text)?;
        let text = raw.get();
        Ok(match text.as_bytes().first() {
            Some(b'{') => {
                let Members(members) = serde_json::from_str(text)?;
                let members = members.into_iter().map(|(name, value)| Ok((name, Self::parse(value.get())?)));
                Self::Object(members.collect::<Result<_, serde_json::Error>>()?)
            }
            Some(b'[') => {
                let items: Vec<&RawValue> = serde_json::from_str(text)?;
                Self::Array(items.into_iter().map(|item| Self::parse(item.get())).collect::<Result<_, _>>()?)
            }
            Some(b'"') => Self::String(serde_json::from_str(text)?),
            Some(b't' | b'f') => Self::Bool(serde_json::from_str(text)?),
            Some(b'-' | b'0'..=b'9') => Self::Number(Decimal::of_literal(text)),
            _ => Self::Null,
        })
    }
}

/// The members of a JSON object as they stand in the text, repeated names and all.
pub(super) struct Members<'a>(pub(super) Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;

        impl<'de> Visitor<'de> for Collect {
            type Value = Vec<(String, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(members)
            }
        }

        deserializer.deserialize_map(Collect).map(Members)
    }
}

/// A number as its significant digits and a power of ten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decimal {
    negative: bool,
    /// Without zeros at either end; empty for zero.
    digits: String,
    /// The power of ten that the last digit stands for; 0 for zero.
    exponent: i64,
}

impl Decimal {
    /// Reads a literal that is known to be a JSON number.
    fn of_literal(literal: &str) -> Self {
        let (negative, unsigned) = match literal.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, literal),
        };
        let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = format!("{whole}{fraction}");
        let significant = digits.trim_end_matches('0');
        let scale = (digits.len() - significant.len()) as i64 - fraction.len() as i64;
        let significant = significant.trim_start_matches('0');
        if significant.is_empty() {
            return Self { negative: false, digits: String::new(), exponent: 0 };
        }
        // An exponent past 64 bits is told apart by its sign alone: no store takes such a number.
        let exponent = exponent.parse::<i64>().unwrap_or(if exponent.starts_with('-') { i64::MIN } else { i64::MAX });
        Self { negative, digits: significant.to_owned(), exponent: exponent.saturating_add(scale) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(literal: &str) -> ExactValue {
        ExactValue::parse(literal).expect("a number")
    }

    #[test]
    fn numbers_are_equal_as_values_and_to_the_last_digit() {
        for (left, right) in [
            ("100", "1e2"),
            ("100", "1E+2"),
            ("1.50", "15e-1"),
            ("0.001", "1e-3"),
            ("-0.0", "0"),
            ("0e99999999999999999999", "0"),
            ("1e400", "10e399"),
            ("-12.0", "-12"),
        ] {
            assert_eq!(number(left), number(right), "{left} {right}");
        }
        for (left, right) in [
            ("1", "-1"),
            ("1", "10"),
            ("9007199254740993", "9007199254740992"),
            ("0.1234567890123456789012345678901234567890", "0.1234567890123456789012345678901234567891"),
            ("5e-324", "4.9e-324"),
            ("1e400", "1e401"),
        ] {
            assert_ne!(number(left), number(right), "{left} {right}");
        }
    }

    #[test]
    fn values_are_compared_whole() {
        let parse = |text: &str| ExactValue::parse(text).expect("JSON");
        assert_eq!(parse(r#" {"a" : [1, {"b":null}] , "c":true} "#), parse(r#"{"c":true,"a":[1.0,{"b":null}]}"#));
        assert_ne!(parse("[1,2]"), parse("[2,1]"));
        assert_ne!(parse(r#"{"a":null}"#), parse("{}"));
        assert_ne!(parse(r#""e\u0301""#), parse(r#""\u00e9""#));
        assert_ne!(parse("0"), parse("false"));
        assert!(ExactValue::parse("{").is_err());
    }
}
