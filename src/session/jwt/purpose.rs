//! The purpose of a token (RFC 8725 section 3.11): id, logout, event and refresh tokens of the same issuer have the
//! same signature, and often the same audience, as a session.
//!
//! `nonce` is no mark, since Keycloak before 24, authentik and Microsoft Graph put it into access tokens. Of the issuers
//! that were looked at, Dex alone has one of these marks in its access tokens (`at_hash`): they have the form of id tokens.

use super::header::Header;
use crate::json;
use crate::session::payload::Payload;
use crate::session::{AuthError, AuthErrorKind as Kind};

/// What a token is, if it is not an access token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    Id,
    Refresh,
    Logout,
    Event,
    /// Something that only its issuer takes back: Keycloak's cookies, registrations and links in mails.
    Own,
}

impl Purpose {
    fn reason(self) -> &'static str {
        match self {
            Self::Id => "an id token",
            Self::Refresh => "a refresh token",
            Self::Logout => "a logout token",
            Self::Event => "a security event or logout token",
            Self::Own => "a token that only its issuer takes",
        }
    }
}

/// Refuses tokens whose header names another type than the allowed ones: DPoP proofs, verifiable credentials and many
/// more have types of their own. `typ` is a media type, so its case and a leading `application/` do not count (RFC 7515
/// section 4.1.9).
pub(super) fn check_header(header: &Header, allowed: &[Box<str>]) -> Result<(), AuthError> {
    let Some(token_type) = &header.token_type else { return Ok(()) };
    let token_type = token_type.to_ascii_lowercase();
    let token_type = token_type.strip_prefix("application/").unwrap_or(&token_type);
    if allowed.iter().any(|allowed| allowed.eq_ignore_ascii_case(token_type)) {
        Ok(())
    } else {
        Err(AuthError::because(Kind::WrongPurpose, "the header names another type of token"))
    }
}

/// Refuses tokens whose claims say that they are for another purpose; id tokens only where they are no sessions.
pub(super) fn check_claims(claims: &Payload, id_tokens: bool) -> Result<(), AuthError> {
    let refused = |purpose: &Purpose| *purpose != Purpose::Id || !id_tokens;
    match claims.iter().filter_map(|(name, value)| purpose(name, value)).find(refused) {
        Some(purpose) => Err(AuthError::because(Kind::WrongPurpose, purpose.reason())),
        None => Ok(()),
    }
}

/// What a claim says of the purpose, if anything; `null` says nothing.
fn purpose(name: &str, value: &str) -> Option<Purpose> {
    match name {
        _ if value == "null" => None,
        // Of the access token, the code, the state and the refresh token that came with an id token (OpenID Connect Core
        // section 3.3.2.11, FAPI, CIBA).
        "at_hash" | "c_hash" | "s_hash" | "urn:openid:params:jwt:claim:rt_hash" => Some(Purpose::Id),
        // RFC 8417; logout tokens are security events.
        "events" => Some(Purpose::Event),
        // The id of the access token that a refresh token belongs to (Spring Security OAuth, Cloud Foundry UAA).
        "ati" => Some(Purpose::Refresh),
        // Keycloak and Rauthy; Cognito; OpenIddict; Simple JWT for Django; Casdoor; Curity; Descope.
        "typ" | "token_use" | "token_usage" | "token_type" | "tokenType" | "purpose" | "drn" => of_word(value),
        // Flask-JWT-Extended and many hand-made issuers; others tell types of users there, so only this word counts.
        "type" if word(value).is_some_and(|word| word == "refresh") => Some(Purpose::Refresh),
        _ => None,
    }
}

/// The purpose that a claim names.
fn of_word(value: &str) -> Option<Purpose> {
    match &*word(value)? {
        "id" => Some(Purpose::Id),
        "refresh" | "rt" | "offline" | "dsr" => Some(Purpose::Refresh),
        "logout" => Some(Purpose::Logout),
        "secevent" => Some(Purpose::Event),
        "serializedid" | "registrationaccess" | "initialaccess" | "resetcredentials" | "executeactions"
        | "verifyemail" => Some(Purpose::Own),
        _ => None,
    }
}

/// A text as one word: issuers write `ID`, `id_token`, `Refresh`, `refresh-token`, `logout+jwt`. `None`: not a text.
fn word(value: &str) -> Option<String> {
    let text: String = json::typed(value).ok()?;
    let mut word: String = text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    for ending in ["jwt", "token"] {
        if word.ends_with(ending) {
            word.truncate(word.len() - ending.len());
        }
    }
    Some(word)
}
