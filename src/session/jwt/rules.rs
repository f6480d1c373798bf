use super::demands::Demands;
use super::mismatch::{Warnings, describe};
use super::oidc::ClaimNames;
use super::supertokens::SigningKeys;
use crate::ConfigError;
use crate::session::payload::Payload;
use crate::session::{AuthError, AuthErrorKind as Kind};

/// The largest token by default, in bytes: larger than any that fits the header limits of common servers and proxies.
pub(super) const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// The size of the cache of verified sessions by default, in bytes: some 8,000 sessions with tokens of 800 bytes.
pub(super) const CACHE_BYTES: usize = 16 * 1024 * 1024;

/// What is demanded of a token beyond a right signature.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    pub(super) max_token_bytes: usize,
    pub(super) issuer: Option<Box<str>>,
    pub(super) audiences: Vec<Box<str>>,
    pub(super) profile: Profile,
}

#[derive(Clone, Debug)]
pub(super) enum Profile {
    SuperTokens { signing_keys: SigningKeys },
    Plain(Plain),
}

/// The rules of plain tokens.
#[derive(Clone, Debug)]
pub(super) struct Plain {
    pub(super) names: ClaimNames,
    /// The values of the header `typ` that are taken.
    pub(super) token_types: Vec<Box<str>>,
    /// Whether id tokens are sessions.
    pub(super) id_tokens: bool,
    pub(super) demands: Demands,
    /// How far ahead of ours the issuer's clock may be, in milliseconds.
    pub(super) leeway: i64,
}

impl Rules {
    /// Refuses an issuer and audiences that no token can have. White space mostly comes from a file that ends in a line
    /// end, and then every token would be refused.
    pub(super) fn check_texts(&self) -> Result<(), ConfigError> {
        let issuer = self.issuer.iter().map(|issuer| ("with_issuer", issuer));
        let audiences = self.audiences.iter().map(|audience| ("with_audience", audience));
        for (option, value) in issuer.chain(audiences) {
            let problem = if value.is_empty() {
                "it is empty"
            } else if value.trim() != &**value {
                "it begins or ends with white space"
            } else {
                continue;
            };
            return Err(ConfigError::VerifierOption { option, value: value.to_string(), problem });
        }
        match &self.profile {
            Profile::Plain(plain) => plain.demands.check_texts(),
            Profile::SuperTokens { .. } => Ok(()),
        }
    }

    /// Exactly the configured issuer, and exactly one of the configured audiences (RFC 7519 sections 4.1.1 and 4.1.3).
    pub(super) fn check_issuer_and_audience(&self, claims: &Payload, warnings: &Warnings) -> Result<(), AuthError> {
        let text = |name| claims.text(name).ok().flatten();
        if let Some(issuer) = self.issuer.as_deref().filter(|issuer| text("iss").as_deref() != Some(issuer)) {
            let found = describe(claims, "iss", &[issuer]);
            if warnings.issuer.is_due() {
                tracing::warn!(
                    expected = ?issuer,
                    found,
                    "a token was refused for its issuer `iss`; further ones in this minute are told at debug level"
                );
            }
            return Err(AuthError::because(Kind::WrongIssuer, found));
        }
        let ours = |audience: &str| self.audiences.iter().any(|ours| **ours == *audience);
        // An array of strings only: a member of another type makes the claim malformed.
        let for_us = self.audiences.is_empty()
            || text("aud").is_some_and(|audience| ours(&audience))
            || claims
                .get::<Vec<String>>("aud")
                .is_ok_and(|audiences| audiences.unwrap_or_default().iter().any(|audience| ours(audience)));
        if for_us {
            return Ok(());
        }
        let expected: Vec<_> = self.audiences.iter().map(|audience| &**audience).collect();
        let found = describe(claims, "aud", &expected);
        if warnings.audience.is_due() {
            tracing::warn!(
                ?expected,
                found,
                "a token was refused for its audience `aud`; further ones in this minute are told at debug level"
            );
        }
        Err(AuthError::because(Kind::WrongAudience, found))
    }
}
