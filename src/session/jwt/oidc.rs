//! Plain JWT access tokens: those of OpenID Connect providers (RFC 9068), and our own.

use std::borrow::Cow;

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
}

pub(super) fn session(claims: Payload, names: &ClaimNames, now: i64, leeway: i64) -> Result<Session, AuthError> {
    let times = Times::check(&claims, now, leeway)?;
    let user = text(&claims, &names.user)?.ok_or(malformed("there is no user id"))?;
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
        Some(tenant) => name(&claims, tenant)?.map(|tenant| claims.keep(tenant)),
        None => None,
    };
    let handle = name(&claims, &names.session)?.map(|handle| claims.keep(handle));
    Ok(session.with_texts(tenant, handle, None).with_payload(claims, &PROTECTED).build())
}

fn text<'a>(claims: &'a Payload, name: &str) -> Result<Option<Cow<'a, str>>, AuthError> {
    claims.text(name).map_err(|_| malformed("a claim is not a string"))
}

fn name<'a>(claims: &'a Payload, claim: &str) -> Result<Option<Cow<'a, str>>, AuthError> {
    match text(claims, claim)? {
        Some(name) if !is_name(&name) => Err(malformed("a tenant or a session without a proper name")),
        name => Ok(name),
    }
}

fn malformed(reason: &'static str) -> AuthError {
    AuthError::because(Kind::MalformedClaims, reason)
}
