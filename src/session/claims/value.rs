use serde_json::Value;

/// A value that a claim is compared with: a string, a number, a boolean or `null`.
///
/// Values are compared as JavaScript's `===` does: of one type and equal, numbers by value as `f64` (so `1` is `1.0`
/// and `"1"` is not `1`), strings character by character. Integers are taken up to 32 bits, all of which `f64` holds
/// exactly.
///
/// ```
/// use tower_user_metadata::session::claims::Primitive;
///
/// assert_eq!(Primitive::from(1), Primitive::from(1.0));
/// assert_ne!(Primitive::from(1), Primitive::from("1"));
/// assert_ne!(Primitive::from(0), Primitive::NULL);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Primitive(Kind);

#[derive(Clone, Debug, PartialEq)]
enum Kind {
    Null,
    Bool(bool),
    Number(f64),
    String(Box<str>),
}

impl Primitive {
    /// JSON's `null`.
    pub const NULL: Self = Self(Kind::Null);

    /// Reads a JSON value; `None` when it is an array or an object.
    pub(super) fn parse(raw: &str) -> Option<Self> {
        Some(Self(match raw.as_bytes().first()? {
            b'"' => Kind::String(serde_json::from_str(raw).ok()?),
            b'-' | b'0'..=b'9' => Kind::Number(raw.parse().ok()?),
            b't' => Kind::Bool(true),
            b'f' => Kind::Bool(false),
            b'n' => Kind::Null,
            _ => return None,
        }))
    }

    pub(super) fn to_json(&self) -> String {
        match &self.0 {
            Kind::Null => "null".to_owned(),
            Kind::Bool(value) => value.to_string(),
            Kind::Number(value) => number(*value),
            Kind::String(value) => Value::from(&**value).to_string(),
        }
    }
}

impl From<bool> for Primitive {
    fn from(value: bool) -> Self {
        Self(Kind::Bool(value))
    }
}

impl From<i32> for Primitive {
    fn from(value: i32) -> Self {
        Self(Kind::Number(value.into()))
    }
}

impl From<u32> for Primitive {
    fn from(value: u32) -> Self {
        Self(Kind::Number(value.into()))
    }
}

impl From<f64> for Primitive {
    fn from(value: f64) -> Self {
        Self(Kind::Number(value))
    }
}

impl From<&str> for Primitive {
    fn from(value: &str) -> Self {
        Self(Kind::String(value.into()))
    }
}

impl From<String> for Primitive {
    fn from(value: String) -> Self {
        Self(Kind::String(value.into()))
    }
}

/// A JSON array of these values.
pub(super) fn array(values: &[Primitive]) -> String {
    let values: Vec<String> = values.iter().map(Primitive::to_json).collect();
    format!("[{}]", values.join(","))
}

/// A number as JavaScript writes it (ECMA-262, `Number::toString`); `null` where JSON has no number for it.
pub(super) fn number(value: f64) -> String {
    let size = value.abs();
    if !size.is_finite() {
        return "null".to_owned();
    }
    if size == 0.0 {
        return "0".to_owned();
    }
    if (1e-6..1e21).contains(&size) {
        return value.to_string();
    }
    let scientific = format!("{value:e}");
    match scientific.split_once('e') {
        Some((digits, exponent)) if !exponent.starts_with('-') => format!("{digits}e+{exponent}"),
        _ => scientific,
    }
}

/// What JavaScript's `JSON.stringify` gives for a value that it read from this JSON text.
pub(super) fn stringify(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(first) = rest.bytes().next() {
        let length = match first {
            b'"' => string_bytes(rest),
            b'-' | b'0'..=b'9' => {
                rest.bytes().take_while(|byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E')).count()
            }
            _ => 1,
        };
        // The text is JSON, so outside of strings all is ASCII and every string ends.
        let Some((token, after)) = rest.split_at_checked(length) else { break };
        match first {
            b' ' | b'\t' | b'\n' | b'\r' => {}
            b'"' | b'-' | b'0'..=b'9' => out.push_str(&Primitive::parse(token).unwrap_or(Primitive::NULL).to_json()),
            _ => out.push_str(token),
        }
        rest = after;
    }
    out
}

/// The length of the string that a text begins with, quotes included.
fn string_bytes(text: &str) -> usize {
    let mut escaped = false;
    let closing = text.bytes().skip(1).position(|byte| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    });
    closing.map_or(text.len(), |at| at + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_javascript_does() {
        for (value, text) in [
            (1.0, "1"),
            (-0.0, "0"),
            (0.1 + 0.2, "0.30000000000000004"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (-1.5e300, "-1.5e+300"),
            (1e-6, "0.000001"),
            (1.5e-7, "1.5e-7"),
            (5e-324, "5e-324"),
            (f64::MAX, "1.7976931348623157e+308"),
            (9_007_199_254_740_992.0, "9007199254740992"),
            (f64::NAN, "null"),
            (f64::NEG_INFINITY, "null"),
        ] {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn texts_are_rewritten_as_javascript_does() {
        assert_eq!(
            stringify("[ 1.0 , {\"b\\u0022\\\\\" : -0.0, \"a\":[1E2,true , null]}, \"\\u00e9\\/\\\\\", \" , 1.0\"]"),
            r#"[1,{"b\"\\":0,"a":[100,true,null]},"é/\\"," , 1.0"]"#
        );
        assert_eq!(stringify("\"\\\\\""), "\"\\\\\"");
        assert_eq!(stringify("9e308"), "null");
    }

    #[test]
    fn only_primitives_are_compared() {
        assert_eq!(Primitive::parse("10E-1"), Some(1.into()));
        assert_eq!(Primitive::parse("\"\\u0061\""), Some("a".into()));
        assert_eq!(Primitive::parse("false"), Some(false.into()));
        assert_eq!(Primitive::parse("null"), Some(Primitive::NULL));
        assert_eq!(Primitive::parse("[1]"), None);
        assert_eq!(Primitive::parse("{}"), None);
        assert_ne!(Primitive::from(f64::NAN), Primitive::from(f64::NAN));
    }
}
