use std::net::SocketAddr;
use std::num::ParseIntError;
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use clap::error::ErrorKind;
use clap::{ArgAction, Command, CommandFactory, Parser, ValueEnum};
use tower_user_metadata::ConfigError;
use tower_user_metadata::session::{AntiCsrf, TokenSource, TokenSources};

use crate::list::{List, trimmed};

const AFTER_HELP: &str = "\
A flag wins over its environment variable. White space around a value is taken off, and an empty variable counts as one
that is not set.

Requests:
  GET /auth                     200 with X-User-Id, X-Session-Handle and X-Tenant-Id, or 401, 403, 503
  GET /auth/optional            the same, and 200 with empty headers for a request without credentials
  GET /auth/role/NAME           the same as /auth, for users with this role; also /auth/permission/NAME
  GET, PATCH, DELETE /metadata  the metadata of the user whose token the request has
  GET /health                   200 while it runs";

/// Answers the session checks of nginx, Traefik, Caddy and Envoy, and keeps metadata of users.
#[derive(Debug, Parser)]
#[command(name = "user-metadata-auth", version, after_help = AFTER_HELP, next_line_help = true)]
pub(crate) struct Settings {
    /// Address and port to listen on.
    #[arg(long, env, default_value = "127.0.0.1:8787")]
    pub(crate) listen: SocketAddr,

    /// Key server of whoever issues the sessions: https, or http on a loopback address.
    #[arg(long, env, value_parser = NonEmptyStringValueParser::new())]
    pub(crate) jwks_url: Option<String>,

    /// SuperTokens core whose keys to take, in the place of JWKS_URL.
    #[arg(long, env, value_parser = NonEmptyStringValueParser::new())]
    pub(crate) supertokens_connection_uri: Option<String>,

    /// Take keys by http from any host: whoever answers there can sign in as anybody.
    #[arg(long, env, action = ArgAction::Set, default_value = "false")]
    pub(crate) allow_plain_http: bool,

    /// Start without keys, and answer 503 until there are any.
    #[arg(long, env, action = ArgAction::Set, default_value = "false")]
    pub(crate) offline_start: bool,

    /// Form of the tokens; jwt by default with JWKS_URL, else supertokens.
    #[arg(long, env)]
    tokens: Option<Tokens>,

    /// What `iss` of the tokens must be.
    #[arg(long, env, value_parser = NonEmptyStringValueParser::new())]
    pub(crate) issuer: Option<String>,

    /// What `aud` of the tokens must be or hold; one of a list with commas.
    #[arg(long, env)]
    audience: Option<List>,

    /// Take tokens for any audience, where jwt tokens have neither ISSUER nor AUDIENCE: right only where the keys sign for
    /// this application alone.
    #[arg(long, env, action = ArgAction::Set, default_value = "false")]
    pub(crate) any_audience: bool,

    /// Claim that is the user id, for jwt tokens; sub by default.
    #[arg(long, env, value_parser = NonEmptyStringValueParser::new())]
    pub(crate) user_claim: Option<String>,

    /// Claim that is the tenant, for jwt tokens; none by default.
    #[arg(long, env, value_parser = NonEmptyStringValueParser::new())]
    pub(crate) tenant_claim: Option<String>,

    /// Claim that is the session handle, for jwt tokens; sid by default.
    #[arg(long, env, value_parser = NonEmptyStringValueParser::new())]
    pub(crate) session_claim: Option<String>,

    /// Take integers as ids of users, tenants and sessions of jwt tokens, by their digits: 1 is the same as "1".
    #[arg(long, env, action = ArgAction::Set, default_value = "false")]
    pub(crate) integer_ids: bool,

    /// Header `typ` of jwt tokens, a list with commas; JWT,at+jwt by default. A token without `typ` is always taken.
    #[arg(long, env)]
    token_types: Option<List>,

    /// Header `typ` that jwt tokens must have, a list with commas; it goes before TOKEN_TYPES.
    #[arg(long, env)]
    required_token_types: Option<List>,

    /// Claims that jwt tokens must have with a value, such as use=access; of a list with commas each name, and for a name
    /// that stands in it twice one of the values.
    #[arg(long, env, value_parser = NonEmptyStringValueParser::new())]
    required_claims: Option<String>,

    /// Claims that jwt tokens must not have, a list with commas.
    #[arg(long, env)]
    forbidden_claims: Option<List>,

    /// Take id tokens, which are refused by their claims otherwise: for issuers whose sessions are id tokens.
    #[arg(long, env, action = ArgAction::Set, default_value = "false")]
    pub(crate) id_tokens: bool,

    /// Seconds by which `nbf` and `iat` of jwt tokens may be in the future; 60 by default.
    #[arg(long, env, value_parser = seconds)]
    pub(crate) leeway: Option<Duration>,

    /// Scheme of Authorization that is before the token, in the place of Bearer.
    #[arg(long, env, value_parser = NonEmptyStringValueParser::new())]
    token_scheme: Option<String>,

    /// Header that has the token, with or without `Bearer` before it, in the place of Authorization.
    #[arg(long, env, value_parser = NonEmptyStringValueParser::new())]
    token_header: Option<String>,

    /// Cookie that has the token where the header is missing.
    #[arg(long, env, value_parser = NonEmptyStringValueParser::new(), default_value = "sAccessToken")]
    session_cookie: String,

    /// What requests with the cookie must prove.
    #[arg(long, env, default_value = "VIA_CUSTOM_HEADER")]
    anti_csrf: Proof,

    /// Demand a session of CORS preflights, which browsers send without one.
    #[arg(long, env, action = ArgAction::Set, default_value = "false")]
    pub(crate) refuse_preflights: bool,

    /// Database that keeps the metadata; without it there is no /metadata.
    #[arg(long, env, value_parser = NonEmptyStringValueParser::new())]
    pub(crate) database_url: Option<String>,

    /// Least level of what is logged to standard error: error, warn, info, debug or trace.
    #[arg(long, env, default_value = "info")]
    pub(crate) log: tracing::Level,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Tokens {
    Jwt,
    Supertokens,
    SupertokensStatic,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Proof {
    #[value(name = "VIA_CUSTOM_HEADER")]
    CustomHeader,
    #[value(name = "VIA_TOKEN")]
    Token,
    #[value(name = "NONE")]
    None,
}

impl Settings {
    pub(crate) fn tokens(&self) -> Tokens {
        let default = if self.jwks_url.is_some() { Tokens::Jwt } else { Tokens::Supertokens };
        self.tokens.unwrap_or(default)
    }

    pub(crate) fn audiences(&self) -> &[String] {
        self.audience.as_ref().map_or(&[], |list| &list.0)
    }

    pub(crate) fn token_types(&self) -> Option<&[String]> {
        self.token_types.as_ref().map(|list| &*list.0).filter(|types| !types.is_empty())
    }

    pub(crate) fn required_token_types(&self) -> &[String] {
        self.required_token_types.as_ref().map_or(&[], |list| &list.0)
    }

    pub(crate) fn forbidden_claims(&self) -> &[String] {
        self.forbidden_claims.as_ref().map_or(&[], |list| &list.0)
    }

    /// The names of claims with their values. What is JSON is that value, `2` an integer and `"2"` a string.
    ///
    /// # Errors
    ///
    /// A member of the list has no `=`.
    pub(crate) fn required_claims(&self) -> Result<Vec<(String, serde_json::Value)>, String> {
        let Ok(List(claims)) = self.required_claims.as_deref().unwrap_or_default().parse();
        let read = |claim: &String| {
            let problem = || format!("REQUIRED_CLAIMS cannot be {claim:?}: it has no `=`, as in use=access");
            let (name, value) = claim.split_once('=').ok_or_else(problem)?;
            let value = trimmed(value);
            Ok((trimmed(name).to_owned(), serde_json::from_str(value).unwrap_or_else(|_| value.into())))
        };
        claims.iter().map(read).collect()
    }

    /// Where tokens may be.
    ///
    /// # Errors
    ///
    /// The name of the header, of the scheme or of the cookie is not one.
    pub(crate) fn token_sources(&self) -> Result<TokenSources, ConfigError> {
        let anti_csrf = match self.anti_csrf {
            Proof::CustomHeader => AntiCsrf::ViaCustomHeader,
            Proof::Token => AntiCsrf::ViaToken,
            Proof::None => AntiCsrf::NoneBecauseCookiesAreSameSite,
        };
        let header = match (&self.token_header, &self.token_scheme) {
            (Some(name), _) => TokenSource::header(name)?,
            (None, Some(scheme)) => TokenSource::scheme(scheme)?,
            (None, None) => TokenSource::bearer(),
        };
        Ok(TokenSources::new([header, TokenSource::cookie(&self.session_cookie, anti_csrf)?]))
    }

    /// What no setting shows by itself.
    pub(crate) fn check(&self) -> Result<(), (ErrorKind, String)> {
        let missing = |problem: &str| Err((ErrorKind::MissingRequiredArgument, problem.to_owned()));
        let conflict = |problem: String| Err((ErrorKind::ArgumentConflict, problem));
        match (&self.jwks_url, &self.supertokens_connection_uri) {
            (None, None) => return missing("JWKS_URL or SUPERTOKENS_CONNECTION_URI must be set"),
            (Some(_), Some(_)) => {
                return conflict(
                    "JWKS_URL and SUPERTOKENS_CONNECTION_URI are both set, and not both can be".to_owned(),
                );
            }
            _ => {}
        }
        let audiences = self.audiences();
        if self.any_audience && !audiences.is_empty() {
            return conflict("ANY_AUDIENCE=true and AUDIENCE contradict each other".to_owned());
        }
        if self.id_tokens && audiences.is_empty() && !self.any_audience {
            return missing(
                "ID_TOKENS=true needs AUDIENCE: the id token of any other application would be a session here",
            );
        }
        if self.tokens() == Tokens::Jwt {
            if self.issuer.is_none() && audiences.is_empty() && !self.any_audience {
                return missing(
                    "neither ISSUER nor AUDIENCE is set, so a token that the same key server's provider issued to any other \
                     application would be a session here. Set ISSUER, AUDIENCE or both; or ANY_AUDIENCE=true where the \
                     keys sign for this application alone",
                );
            }
        } else {
            let only_jwt = [
                ("USER_CLAIM", self.user_claim.is_some()),
                ("TENANT_CLAIM", self.tenant_claim.is_some()),
                ("SESSION_CLAIM", self.session_claim.is_some()),
                ("INTEGER_IDS", self.integer_ids),
                ("TOKEN_TYPES", self.token_types().is_some()),
                ("REQUIRED_TOKEN_TYPES", !self.required_token_types().is_empty()),
                ("REQUIRED_CLAIMS", self.required_claims.is_some()),
                ("FORBIDDEN_CLAIMS", !self.forbidden_claims().is_empty()),
                ("ID_TOKENS", self.id_tokens),
                ("LEEWAY", self.leeway.is_some()),
            ];
            if let Some((name, _)) = only_jwt.iter().find(|(_, set)| *set) {
                return conflict(format!(
                    "{name} is for TOKENS=jwt: the tokens of SuperTokens have a form of their own"
                ));
            }
        }
        if self.token_header.is_some() && self.token_scheme.is_some() {
            return conflict("TOKEN_HEADER and TOKEN_SCHEME contradict each other".to_owned());
        }
        self.required_claims().map_err(|problem| (ErrorKind::ValueValidation, problem))?;
        self.token_sources().map(drop).map_err(|error| (ErrorKind::ValueValidation, error.to_string()))
    }
}

/// The one definition of the settings, as clap sees it.
pub(crate) fn command() -> Command {
    Settings::command().mut_args(|argument| argument.hide_env_values(true))
}

fn seconds(text: &str) -> Result<Duration, ParseIntError> {
    text.parse().map(Duration::from_secs)
}
