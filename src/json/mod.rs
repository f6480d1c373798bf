//! Strict JSON: one reader for everything that comes from outside (update bodies, token headers, claims, key sets).
//!
//! `serde_json` keeps the last of two members with one name and rounds numbers; both are wrong where the text is
//! evidence (RFC 7515 section 4) or must come back digit by digit. This reader checks a whole text once and hands
//! out the members of its root object as slices of it.

mod plain;
mod reader;
mod rules;
mod text;
mod wrong_type;

use std::borrow::Cow;

use reader::Reader;
pub(crate) use rules::{Fault, JsonError, MAX_DEPTH, Rules};
pub(crate) use text::{compact, depth};
pub use wrong_type::WrongType;
pub(crate) use wrong_type::typed;

/// The members of a root object: decoded names, values as they stand in the text.
pub(crate) type Members<'a> = Vec<(Cow<'a, str>, &'a str)>;

/// Reads a text that must be one JSON object.
pub(crate) fn read_object(text: &[u8], rules: Rules) -> Result<Members<'_>, JsonError> {
    let text =
        std::str::from_utf8(text).map_err(|error| JsonError { fault: Fault::NotUtf8, at: error.valid_up_to() })?;
    let mut members = Vec::new();
    read_members(text, rules, |name, value| members.push((name, value)))?;
    Ok(members)
}

/// Gives the members of a text that must be one JSON object, in order; those of a text that is refused in the end, too.
pub(crate) fn read_members<'a>(
    text: &'a str,
    rules: Rules,
    member: impl FnMut(Cow<'a, str>, &'a str),
) -> Result<(), JsonError> {
    let mut reader = Reader::new(text, rules);
    reader.white_space();
    if reader.peek() != Some(b'{') {
        // A scalar or an array is well-formed JSON of the wrong shape: tell the two mistakes apart.
        reader.value(1)?;
        reader.end()?;
        return Err(JsonError { fault: Fault::NotAnObject, at: 0 });
    }
    reader.object(1, member)?;
    reader.end()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Rules = Rules { depth: 64, exponent: 1000, nul: false };

    fn fault(text: &str) -> Option<Fault> {
        read_object(text.as_bytes(), RULES).err().map(|error| error.fault)
    }

    #[test]
    fn members_are_decoded_names_and_raw_values() {
        let members =
            read_object(br#" { "a" : [1, 2] , "\u0062\n\ud83d\ude00" : -0.0e+1 } "#, RULES).expect("well-formed");
        assert_eq!(members, [("a".into(), "[1, 2]"), ("b\n\u{1f600}".into(), "-0.0e+1")]);
    }

    #[test]
    fn each_fault_has_its_name() {
        for (text, expected) in [
            ("", Fault::Syntax),
            ("{", Fault::Syntax),
            ("{\"a\":1,}", Fault::Syntax),
            ("{\"a\":01}", Fault::Syntax),
            ("{\"a\":1.}", Fault::Syntax),
            ("{\"a\":+1}", Fault::Syntax),
            ("{\"a\":\"\t\"}", Fault::Syntax),
            ("{\"a\":\"\\x\"}", Fault::Syntax),
            ("{\"a\":\"\\u12g4\"}", Fault::Syntax),
            ("{\"a\":\"\\", Fault::Syntax),
            ("{} {}", Fault::Syntax),
            ("\u{feff}{}", Fault::Syntax),
            ("[{}]", Fault::NotAnObject),
            ("null", Fault::NotAnObject),
            ("{\"a\":1,\"\\u0061\":2}", Fault::DuplicateMember),
            ("{\"a\":{\"b\":1,\"b\":1}}", Fault::DuplicateMember),
            ("{\"a\":\"\\ud800\"}", Fault::LoneSurrogate),
            ("{\"a\":\"\\udc00\\ud800\"}", Fault::LoneSurrogate),
            ("{\"a\":\"\\ud800\\u0041\"}", Fault::LoneSurrogate),
            ("{\"\\u0000\":1}", Fault::Nul),
            ("{\"a\":1e1001}", Fault::NumberOutOfRange),
            ("{\"a\":10e1000}", Fault::NumberOutOfRange),
            ("{\"a\":0.1e-1000}", Fault::NumberOutOfRange),
            ("{\"a\":1.5e-1000}", Fault::NumberOutOfRange),
            ("{\"a\":0e99999999999999999999}", Fault::NumberOutOfRange),
        ] {
            assert_eq!(fault(text), Some(expected), "{text}");
        }
        for text in ["{\"a\":1e1000}", "{\"a\":1e-1000}", "{\"a\":0.00}", "{\"a\":123456789012345678901234567890}"] {
            assert_eq!(fault(text), None, "{text}");
        }
        let digits = |fraction: usize| format!("{{\"a\":1.{}}}", "7".repeat(fraction));
        assert_eq!(fault(&digits(1000)), None);
        assert_eq!(fault(&digits(1001)), Some(Fault::NumberOutOfRange));
    }

    #[test]
    fn depth_counts_the_root_as_one() {
        let nested = |levels: usize| format!("{{\"a\":{}{}}}", "[".repeat(levels), "]".repeat(levels));
        assert_eq!(fault(&nested(63)), None);
        assert_eq!(fault(&nested(64)), Some(Fault::TooDeep));
        assert_eq!(fault(&nested(100_000)), Some(Fault::TooDeep));
        assert_eq!(depth(&nested(63)), 64);
        assert_eq!(depth("\"[[\\\"[\""), 0);
    }

    #[test]
    fn compact_leaves_strings_alone() {
        assert_eq!(compact("[ 1,\n\"a \\\" b\" , { } ]"), "[1,\"a \\\" b\",{}]");
        assert!(matches!(compact("[1]"), Cow::Borrowed(_)));
    }

    #[test]
    fn what_ends_a_string_is_seen_at_each_place() {
        let plain = ["a", "!", "#", "[", "]", "~", "\u{7f}", "\u{80}", "\u{a2}", "\u{dc}", "\u{fffd}"];
        for length in 0..70 {
            for filling in plain {
                let filling = filling.repeat(length);
                assert_eq!(fault(&format!("{{\"a\":\"{filling}\"}}")), None, "{filling}");
                assert_eq!(fault(&format!("{{\"a\":\"{filling}\\n\\\"{filling}\"}}")), None, "{filling}");
                for control in ["\0", "\n", "\u{1f}"] {
                    let text = format!("{{\"a\":\"{filling}{control}{filling}\"}}");
                    assert_eq!(fault(&text), Some(Fault::Syntax), "{filling}");
                }
            }
        }
    }

    #[test]
    fn names_that_differ_in_their_middle_only_are_still_compared() {
        assert_eq!(fault("{\"axb\":1,\"ayb\":2}"), None);
        assert_eq!(fault("{\"axb\":1,\"ayb\":2,\"axb\":3}"), Some(Fault::DuplicateMember));
        assert_eq!(fault("{\"\":1,\"\":2}"), Some(Fault::DuplicateMember));
    }

    #[test]
    fn many_names_are_still_compared() {
        let members: Vec<String> = (0..40).map(|n| format!("\"k{n}\":0")).collect();
        let text = format!("{{{},\"k3\":1}}", members.join(","));
        assert_eq!(fault(&text), Some(Fault::DuplicateMember));
    }
}
