//! `exp`, `nbf` and `iat`.

use crate::session::payload::Payload;
use crate::session::{AuthError, AuthErrorKind as Kind};

/// 9999-12-31T23:59:59Z: a later expiry is a mistake or an attempt at an overflow.
const LATEST_SECONDS: f64 = 253_402_300_799.0;

/// The times of a token, in milliseconds since 1970.
pub(super) struct Times {
    pub(super) issued_at: Option<i64>,
    pub(super) expires_at: i64,
}

impl Times {
    /// Reads the times and compares them with now.
    ///
    /// RFC 7519 section 4.1.4: a token is expired *on* its expiry time. `exp` must be there: a session without an end
    /// cannot be ended. The leeway, in milliseconds, is for `nbf` and `iat`: a clock that is ahead of ours shows there as
    /// soon as somebody has signed in.
    pub(super) fn check(claims: &Payload, now: i64, leeway: i64) -> Result<Self, AuthError> {
        let expires_at = numeric_date(claims, "exp")?.ok_or(malformed("there is no exp"))?;
        let issued_at = numeric_date(claims, "iat")?;
        if issued_at.is_some_and(|issued_at| issued_at > expires_at) {
            return Err(malformed("exp is before iat"));
        }
        expired(expires_at, now)?;
        not_yet_valid(claims, now, leeway)?;
        if issued_at.is_some_and(|issued_at| is_ahead(issued_at, now, leeway)) {
            return Err(AuthError::because(Kind::NotYetValid, "iat is in the future"));
        }
        Ok(Self { issued_at, expires_at })
    }
}

pub(super) fn expired(expires_at: i64, now: i64) -> Result<(), AuthError> {
    if expires_at <= now { Err(AuthError::because(Kind::Expired, "exp has passed")) } else { Ok(()) }
}

/// Compares `nbf` with now, if it is there (RFC 7519 section 4.1.5).
pub(super) fn not_yet_valid(claims: &Payload, now: i64, leeway: i64) -> Result<(), AuthError> {
    let not_before = millis_of(claims, "nbf", f64::ceil)?;
    if not_before.is_some_and(|not_before| is_ahead(not_before, now, leeway)) {
        return Err(AuthError::because(Kind::NotYetValid, "nbf is in the future"));
    }
    Ok(())
}

/// Whether a time is still to come, by the leeway or more.
fn is_ahead(time: i64, now: i64, leeway: i64) -> bool {
    time > now && time >= now.saturating_add(leeway)
}

/// A NumericDate (RFC 7519 section 2) in milliseconds, cut to the second.
pub(super) fn numeric_date(claims: &Payload, name: &str) -> Result<Option<i64>, AuthError> {
    millis_of(claims, name, f64::floor)
}

/// Any JSON number is taken: cores of SuperTokens before 6.0.9 wrote `1.691623046E9`. Fractions are rounded to a whole
/// second, in the direction that makes a token valid for less long.
fn millis_of(claims: &Payload, name: &str, round: fn(f64) -> f64) -> Result<Option<i64>, AuthError> {
    let Some(raw) = claims.raw(name) else { return Ok(None) };
    if let Some(seconds) = whole_seconds(raw) {
        return Ok(Some(seconds * 1_000));
    }
    let seconds: Option<f64> = claims.get(name).map_err(|_| malformed("exp, iat or nbf is not a number"))?;
    match seconds {
        None => Ok(None),
        #[expect(clippy::cast_possible_truncation, reason = "the range is checked: at most 253402300799 * 1000")]
        Some(seconds) if seconds.abs() <= LATEST_SECONDS => Ok(Some(round(seconds) as i64 * 1_000)),
        Some(_) => Err(malformed("exp, iat or nbf is out of range")),
    }
}

/// What nearly every issuer writes: digits, so few that they are in range.
fn whole_seconds(raw: &str) -> Option<i64> {
    if raw.len() > 11 {
        return None;
    }
    raw.bytes().try_fold(0, |seconds, byte| byte.is_ascii_digit().then(|| seconds * 10 + i64::from(byte - b'0')))
}

/// A time of SuperTokens tokens of version 2: whole milliseconds.
pub(super) fn millis(claims: &Payload, name: &str) -> Result<i64, AuthError> {
    match claims.get::<u64>(name).ok().flatten().and_then(|millis| i64::try_from(millis).ok()) {
        Some(millis) if millis / 1_000 <= 253_402_300_799 => Ok(millis),
        _ => Err(malformed("expiryTime or timeCreated is not whole milliseconds in range")),
    }
}

fn malformed(reason: &'static str) -> AuthError {
    AuthError::because(Kind::MalformedClaims, reason)
}
