//! Plain JWT access tokens: those of OpenID Connect providers (RFC 9068), and our own.

use std::borrow::Cow;

use super::mismatch::Warnings;
use super::name::is_name;
use super::time::Times;
use crate::session::clock::from_unix_millis;
use crate::session::payload::Payload;
use crate::session::{AuthError, AuthErrorKind as Kind, Session};
use crate::user_id::{InvalidUserId, UserId};

/// The claims that belong to the token and not to the application (RFC 7519 section 4.1).
const PROTECTED: [&str; 7] = ["iss", "sub", "aud", "exp", "nbf", "iat", "jti"];

/// Which claims say what.
#[derive(Clone, Debug)]
pub(super) struct ClaimNames {
    pub(super) user: Box<str>,
    pub(super) tenant: Option<Box<str>>,
    pub(super) session: Box<str>,
    /// Whether these may be integers, too.
    pub(super) integers: bool,
}

pub(super) fn session(
    claims: Payload,
    names: &ClaimNames,
    now: i64,
    leeway: i64,
    warnings: &Warnings,
) -> Result<Session, AuthError> {
    let times = Times::check(&claims, now, leeway)?;
    let text = |name| id(&claims, name, names.integers, warnings);
    let name = |claim| proper(text(claim)?);
    let user = text(&names.user)?.ok_or(malformed("there is no user id"))?;
    let user = UserId::new(user).map_err(|invalid| {
        malformed(match invalid {
            InvalidUserId::Empty => "the user id is empty",
            InvalidUserId::TooLong => "the user id has more than 255 characters",
            InvalidUserId::ControlCharacter => "the user id has a control character",
            InvalidUserId::Padded => "the user id begins or ends with white space",
        })
    })?;
    let mut session = Session::assertion(user, from_unix_millis(times.expires_at));
    if let Some(issued_at) = times.issued_at {
        session = session.with_issued_at(from_unix_millis(issued_at));
    }
    let tenant = match &names.tenant {
        Some(tenant) => name(tenant)?.map(|tenant| claims.keep(tenant)),
        None => None,
    };
    let handle = name(&names.session)?.map(|handle| claims.keep(handle));
    Ok(session.with_texts(tenant, handle, None).with_payload(claims, &PROTECTED).build())
}

/// A claim that is a string or, where they are taken, an integer; of an integer its digits, of which none is lost.
fn id<'a>(
    claims: &'a Payload,
    name: &str,
    integers: bool,
    warnings: &Warnings,
) -> Result<Option<Cow<'a, str>>, AuthError> {
    if let Ok(text) = claims.text(name) {
        return Ok(text);
    }
    let raw = claims.raw(name).unwrap_or_default();
    // JSON has no digits that begin with a zero, so a number is written in one way only.
    if !raw.bytes().all(|byte| byte.is_ascii_digit()) {
        let number = raw.starts_with(|first: char| first == '-' || first.is_ascii_digit());
        return Err(malformed(if number {
            "an id is a number with a sign, a fraction or an exponent"
        } else {
            "a claim is not a string"
        }));
    }
    if integers {
        return Ok(Some(Cow::Borrowed(raw)));
    }
    if warnings.id.is_due() {
        tracing::warn!(
            claim = name,
            "a token was refused for an id that is an integer, which `with_integer_ids` takes; further ones in this minute \
             are told at debug level"
        );
    }
    Err(malformed("an id is an integer, which only `with_integer_ids` takes"))
}

/// The name of a tenant or a session, if it is one.
fn proper(name: Option<Cow<'_, str>>) -> Result<Option<Cow<'_, str>>, AuthError> {
    match name {
        Some(name) if !is_name(&name) => Err(malformed("a tenant or a session without a proper name")),
        name => Ok(name),
    }
}

fn malformed(reason: &'static str) -> AuthError {
    AuthError::because(Kind::MalformedClaims, reason)
}
