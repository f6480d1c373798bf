//! The value of a `Content-Type` (RFC 9110 section 8.3).

/// Whether it is `application/json` in UTF-8: without a charset, with one of the names of UTF-8 in use, or US-ASCII, which
/// is a part of it. Other parameters mean nothing here.
pub(super) fn is_json(value: &[u8]) -> bool {
    let mut parts = Parts(Some(value));
    let json = parts.next().is_some_and(|essence| essence.trim_ascii().eq_ignore_ascii_case(b"application/json"));
    json && parts.all(is_utf8)
}

/// Of one parameter.
fn is_utf8(parameter: &[u8]) -> bool {
    let Some(equals) = parameter.iter().position(|byte| *byte == b'=') else { return true };
    let (name, value) = parameter.split_at(equals);
    if !name.trim_ascii().eq_ignore_ascii_case(b"charset") {
        return true;
    }
    let value = value.strip_prefix(b"=").unwrap_or(value).trim_ascii();
    let charset = match value.strip_prefix(b"\"") {
        Some(quoted) => match quoted.strip_suffix(b"\"") {
            // A backslash stands before a character that means itself.
            Some(quoted) => quoted.iter().copied().filter(|byte| *byte != b'\\').collect(),
            None => return false,
        },
        None => value.to_vec(),
    };
    [&b"utf-8"[..], b"utf8", b"us-ascii", b"ascii"].iter().any(|name| charset.trim_ascii().eq_ignore_ascii_case(name))
}

/// What stands between semicolons that are not quoted.
struct Parts<'a>(Option<&'a [u8]>);

impl<'a> Iterator for Parts<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.0.take()?;
        let (mut quoted, mut escaped) = (false, false);
        let end = rest.iter().position(|byte| {
            let ends = *byte == b';' && !quoted;
            quoted ^= *byte == b'"' && !escaped;
            escaped = quoted && *byte == b'\\' && !escaped;
            ends
        });
        let Some(end) = end else { return Some(rest) };
        let (part, rest) = rest.split_at(end);
        self.0 = rest.strip_prefix(b";");
        Some(part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_in_utf8_is_taken_under_the_names_that_it_has() {
        for good in [
            "application/json",
            " application/json ",
            "Application/JSON; charset=UTF-8",
            "application/json;charset=utf8",
            "application/json;charset=UTF8",
            "application/json; charset=us-ascii",
            "application/json; charset=ascii",
            "application/json; charset=US-ASCII",
            "application/json; charset=\"utf8\"",
            "application/json;\tCharset=\"US-ASCII\" ",
            "application/json ; charset = utf-8 ; x=y",
            "application/json;charset=\"utf-8\"; x=y",
            "application/json; charset=\"\\utf\\-8\"",
            "application/json;",
            "application/json;;charset=utf-8",
            "application/json; version=1; q=\"a\"",
            "application/json; x=\"a; charset=latin1\"",
            "application/json; x=\"a\\\"; charset=latin1\"; charset=utf8",
            "application/json; charset",
        ] {
            assert!(is_json(good.as_bytes()), "{good}");
        }
    }

    #[test]
    fn anything_else_is_not() {
        for bad in [
            "",
            ";charset=utf-8",
            "text/plain",
            "application/json5",
            "application/merge-patch+json",
            "application/json, application/json",
            "application/json charset=utf-8",
            "application/json; charset=latin1",
            "application/json; charset=utf-16",
            "application/json; charset=utf-32",
            "application/json; charset=iso-8859-1",
            "application/json; charset=windows-1252",
            "application/json; charset=utf-7",
            "application/json; charset=utf-80",
            "application/json; charset=",
            "application/json; charset=\"\"",
            "application/json; charset=\"utf-8",
            "application/json; charset=utf8; charset=latin1",
            "application/json; x=\"a\"; charset=latin1",
            "application/json; x=\"a\\\\\"; charset=latin1",
        ] {
            assert!(!is_json(bad.as_bytes()), "{bad}");
        }
        assert!(!is_json(b"application/json; charset=utf\xff8"));
        assert!(!is_json(b"application/json\xff"));
    }
}
