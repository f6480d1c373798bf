//! Tokens in `Authorization`, and in headers of one's own.

use super::headers::{Headers, single};
use super::{AuthError, AuthErrorKind};

/// What follows a scheme in `Authorization`.
pub(super) fn after_scheme<'a>(headers: &'a dyn Headers, scheme: &str) -> Result<Option<&'a [u8]>, AuthError> {
    let Some(value) = single(headers, "authorization")? else { return Ok(None) };
    // Another scheme, for example `Basic`, is not a token of ours, so the next place may have one.
    let Some((name, rest)) = value.split_at_checked(scheme.len()) else { return Ok(None) };
    if !name.eq_ignore_ascii_case(scheme.as_bytes()) {
        return Ok(None);
    }
    // RFC 9110 section 11.4: one space or more, and no other white space; HTTP took off what surrounds a value.
    let spaces = rest.iter().take_while(|byte| **byte == b' ').count();
    match rest.get(spaces..) {
        Some(token) if spaces > 0 => Ok(Some(token)),
        Some([byte, ..]) if is_token_character(*byte) => Ok(None),
        _ => Err(AuthError::because(
            AuthErrorKind::MalformedCredentials,
            "Authorization is not a scheme, spaces and a token",
        )),
    }
}

/// The value of a header without `Bearer`; of `Authorization` only if it names no other scheme.
pub(super) fn bare<'a>(headers: &'a dyn Headers, name: &str) -> Result<Option<&'a [u8]>, AuthError> {
    let Some(value) = single(headers, name)? else { return Ok(None) };
    let token = after_bearer(value);
    if name == "authorization" && token.len() == value.len() {
        let end = value.iter().position(|byte| !is_token_character(*byte)).unwrap_or(value.len());
        // No token has a space.
        let other_scheme = end > 0 && value.get(end) == Some(&b' ');
        return Ok(Some(value).filter(|value| !value.is_empty() && !other_scheme));
    }
    Ok(Some(token))
}

/// RFC 9110 section 5.6.2.
pub(super) fn is_token_character(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// What follows `Bearer` and spaces, which are in no token; else the whole value.
fn after_bearer(value: &[u8]) -> &[u8] {
    match value.split_at_checked(6) {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case(b"bearer") && rest.starts_with(b" ") => {
            rest.trim_ascii_start()
        }
        _ => value,
    }
}
