//! The access tokens of SuperTokens, versions 1 to 5.

use std::borrow::Cow;

use super::header::Header;
use super::name::is_name;
use super::time::{expired, millis, not_yet_valid, numeric_date};
use crate::session::clock::from_unix_millis;
use crate::session::payload::{Payload, Text};
use crate::session::{AuthError, AuthErrorKind as Kind, Session};
use crate::user_id::UserId;

/// The tenant of sessions whose token names none.
const DEFAULT_TENANT: &str = "public";

/// The longest user id: the width of the column in which SuperTokens keeps it.
const MAX_USER_ID_CHARS: usize = 128;

const PROTECTED_V3: [&str; 7] =
    ["sub", "iat", "exp", "sessionHandle", "refreshTokenHash1", "parentRefreshTokenHash1", "antiCsrfToken"];
const PROTECTED_V4: [&str; 8] =
    ["sub", "iat", "exp", "sessionHandle", "refreshTokenHash1", "parentRefreshTokenHash1", "antiCsrfToken", "tId"];
const PROTECTED_V5: [&str; 9] = [
    "sub",
    "iat",
    "exp",
    "sessionHandle",
    "refreshTokenHash1",
    "parentRefreshTokenHash1",
    "antiCsrfToken",
    "tId",
    "rsub",
];

/// Which of its two kinds of signing keys the core was told to use; a token signed with the other is refused, although
/// its signature is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SigningKeys {
    /// Rotated keys, `kid` beginning with `d-`.
    Dynamic,
    /// The key that never changes, any other `kid`.
    Static,
}

/// The version of a token that is not a legacy one, if its header fits a SuperTokens access token.
pub(super) fn version(header: &Header) -> Result<u8, AuthError> {
    let version = match header.version.as_deref() {
        Some("3") => 3,
        Some("4") => 4,
        Some("5") => 5,
        _ => return Err(AuthError::because(Kind::WrongPurpose, "not a version of SuperTokens access tokens")),
    };
    if header.token_type.as_deref() != Some("JWT") || header.kid.is_none() {
        return Err(AuthError::because(Kind::WrongPurpose, "not the header of a SuperTokens access token"));
    }
    Ok(version)
}

pub(super) fn check_kid(kid: &str, keys: SigningKeys) -> Result<(), AuthError> {
    let dynamic = kid.starts_with("d-");
    if dynamic == (keys == SigningKeys::Dynamic) {
        Ok(())
    } else {
        Err(AuthError::because(Kind::UnknownKey, "the kid is that of the other kind of signing keys"))
    }
}

/// The session of a token of version 3 to 5. No leeway: its issuer and the core are one.
pub(super) fn session(version: u8, claims: Payload, now: i64) -> Result<Session, AuthError> {
    let issued_at = numeric_date(&claims, "iat")?.ok_or(malformed("there is no iat"))?;
    let expires_at = numeric_date(&claims, "exp")?.ok_or(malformed("there is no exp"))?;
    let user = user(&claims, "sub")?;
    let recipe_user = match version {
        // Mostly the same, and then it takes no place.
        5 => match required(&claims, "rsub")? {
            recipe_user if *recipe_user == *user.as_str() => user.clone(),
            recipe_user => user_id(recipe_user)?,
        },
        _ => user.clone(),
    };
    let tenant = match version {
        3 => Text::Own(DEFAULT_TENANT.into()),
        _ => claims.keep(required(&claims, "tId")?),
    };
    let handle = claims.keep(required(&claims, "sessionHandle")?);
    required(&claims, "refreshTokenHash1")?;
    nullable(&claims, "parentRefreshTokenHash1")?;
    let anti_csrf = nullable(&claims, "antiCsrfToken")?.map(|token| claims.keep(token));
    expired(expires_at, now)?;
    not_yet_valid(&claims, now, 0)?;
    let protected: &[&str] = match version {
        3 => &PROTECTED_V3,
        4 => &PROTECTED_V4,
        _ => &PROTECTED_V5,
    };
    Ok(Session::assertion(user, from_unix_millis(expires_at))
        .with_issued_at(from_unix_millis(issued_at))
        .with_recipe_user_id(recipe_user)
        .with_texts(Some(tenant), Some(handle), anti_csrf)
        .with_payload(claims, protected)
        .build())
}

/// Refuses the OAuth2 tokens of SuperTokens, which are signed with the same keys and have another type in `stt`.
pub(super) fn check_type(session: &Session) -> Result<(), AuthError> {
    // A number is its value, however it is written; what is not one is no type.
    match session.claim::<f64>("stt") {
        Ok(None | Some(0.0)) => Ok(()),
        _ => Err(AuthError::because(Kind::WrongPurpose, "stt is that of an OAuth2 token")),
    }
}

/// The session of a token of version 1 or 2.
pub(super) fn legacy_session(claims: &Payload, now: i64) -> Result<Session, AuthError> {
    let user = user(claims, "userId")?;
    let expires_at = millis(claims, "expiryTime")?;
    let issued_at = millis(claims, "timeCreated")?;
    let handle = required(claims, "sessionHandle")?;
    required(claims, "refreshTokenHash1")?;
    optional(claims, "parentRefreshTokenHash1")?;
    let anti_csrf = optional(claims, "antiCsrfToken")?;
    let user_data = claims.raw("userData").ok_or(malformed("there is no userData"))?;
    let user_data = Payload::parse(user_data.as_bytes()).map_err(|_| malformed("userData is not an object"))?;
    expired(expires_at, now)?;
    let session = Session::assertion(user, from_unix_millis(expires_at))
        .with_issued_at(from_unix_millis(issued_at))
        .with_tenant_id(DEFAULT_TENANT)
        .with_handle(handle)
        .with_payload(user_data, &[]);
    Ok(match anti_csrf {
        Some(token) => session.with_anti_csrf_token(token).build(),
        None => session.build(),
    })
}

fn user(claims: &Payload, name: &str) -> Result<UserId, AuthError> {
    user_id(required(claims, name)?)
}

fn user_id(id: Cow<'_, str>) -> Result<UserId, AuthError> {
    if id.len() > MAX_USER_ID_CHARS && id.chars().count() > MAX_USER_ID_CHARS {
        return Err(malformed("the user id has more than the 128 characters that SuperTokens keeps"));
    }
    UserId::new(id).map_err(|_| malformed("the user id cannot be one"))
}

fn required<'a>(claims: &'a Payload, name: &str) -> Result<Cow<'a, str>, AuthError> {
    optional(claims, name)?.filter(|text| is_name(text)).ok_or(malformed("a required claim is missing or empty"))
}

fn optional<'a>(claims: &'a Payload, name: &str) -> Result<Option<Cow<'a, str>>, AuthError> {
    claims.text(name).map_err(|_| malformed("a claim is not a string"))
}

fn nullable<'a>(claims: &'a Payload, name: &str) -> Result<Option<Cow<'a, str>>, AuthError> {
    match claims.raw(name) {
        Some("null") => Ok(None),
        _ => claims.text(name).map_err(|_| malformed("a claim is not a string or null")),
    }
}

fn malformed(reason: &'static str) -> AuthError {
    AuthError::because(Kind::MalformedClaims, reason)
}
