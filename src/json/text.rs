//! What can be told of a value's text once the reader took it.

use std::borrow::Cow;

/// The text of a value without the white space between its tokens.
pub(crate) fn compact(value: &str) -> Cow<'_, str> {
    let insignificant = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
    if !value.as_bytes().iter().any(insignificant) {
        return Cow::Borrowed(value);
    }
    let mut out = String::with_capacity(value.len());
    let (mut in_string, mut escaped) = (false, false);
    for character in value.chars() {
        if in_string {
            out.push(character);
            (in_string, escaped) = match (character, escaped) {
                ('\\', false) => (true, true),
                ('"', false) => (false, false),
                _ => (true, false),
            };
        } else if !matches!(character, ' ' | '\t' | '\n' | '\r') {
            in_string = character == '"';
            out.push(character);
        }
    }
    Cow::Owned(out)
}

/// The levels of nesting of a value that [`read_object`] accepted: 0 for a scalar.
pub(crate) fn depth(value: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let (mut in_string, mut escaped) = (false, false);
    for byte in value.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !in_string => depth -= 1,
            _ => {}
        }
    }
    deepest
}
