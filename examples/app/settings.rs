use std::env::{self, VarError};

use tower_user_metadata::session::JwtVerifier;
use tower_user_metadata::session::keys::{Algorithm, Jwks};

use super::Error;

/// The settings of the application, which are environment variables.
pub(crate) struct Settings {
    /// `PORT`, default 3000; 0 takes any free one.
    pub(crate) port: u16,
    /// `DATABASE_URL`, default a file in the working directory; see `store::connect`.
    pub(crate) database_url: String,
    /// Somebody else who issues the sessions, if `JWKS_URL` is set.
    pub(crate) issuer: Option<Issuer>,
}

/// `JWKS_URL`, and what the tokens of its issuer must say besides.
pub(crate) struct Issuer {
    jwks_url: String,
    /// `ISSUER`.
    issuer: Option<String>,
    /// `AUDIENCE`, one of a list with commas.
    audiences: Vec<String>,
    /// `ANY_AUDIENCE=true`, where neither of them is set.
    any_audience: bool,
}

impl Settings {
    pub(crate) fn from_env() -> Result<Self, Error> {
        let port = match variable("PORT")? {
            Some(port) => port
                .parse()
                .map_err(|_| Error::new(format!("PORT must be a number from 0 to 65535, and is {port:?}")))?,
            None => 3000,
        };
        let database_url = variable("DATABASE_URL")?.unwrap_or_else(|| "sqlite://user-metadata.db".to_owned());
        Ok(Self { port, database_url, issuer: Issuer::from_env()? })
    }
}

impl Issuer {
    /// The algorithms of public keys: a secret must never come from a key server.
    const ALGORITHMS: [Algorithm; 9] = [
        Algorithm::RS256,
        Algorithm::RS384,
        Algorithm::RS512,
        Algorithm::PS256,
        Algorithm::PS384,
        Algorithm::PS512,
        Algorithm::ES256,
        Algorithm::ES384,
        Algorithm::EdDSA,
    ];

    fn from_env() -> Result<Option<Self>, Error> {
        let issuer = variable("ISSUER")?;
        let audiences = variable("AUDIENCE")?.map(|list| members(&list)).unwrap_or_default();
        let any_audience = match variable("ANY_AUDIENCE")?.as_deref() {
            None | Some("false") => false,
            Some("true") => true,
            Some(other) => return Err(Error::new(format!("ANY_AUDIENCE must be true or false, and is {other:?}"))),
        };
        let told = issuer.is_some() || !audiences.is_empty();
        let Some(jwks_url) = variable("JWKS_URL")? else {
            // Whoever sets these does not expect a login that takes everybody.
            return if told || any_audience {
                Err(Error::new("ISSUER, AUDIENCE and ANY_AUDIENCE need JWKS_URL"))
            } else {
                Ok(None)
            };
        };
        if any_audience && !audiences.is_empty() {
            return Err(Error::new("ANY_AUDIENCE=true and AUDIENCE contradict each other"));
        }
        if !told && !any_audience {
            return Err(Error::new(
                "JWKS_URL is set and neither ISSUER nor AUDIENCE is, so a token that the same provider issued to any other \
                 application would be a session here. Set ISSUER, AUDIENCE or both; or ANY_AUDIENCE=true where the keys \
                 sign for this application alone",
            ));
        }
        Ok(Some(Self { jwks_url, issuer, audiences, any_audience }))
    }

    pub(crate) async fn verifier(&self) -> Result<JwtVerifier, Error> {
        let keys = Jwks::builder(Self::ALGORITHMS).with_url(&self.jwks_url).build().await?;
        let mut verifier = JwtVerifier::builder(keys);
        if let Some(issuer) = &self.issuer {
            verifier = verifier.with_issuer(issuer.as_str());
        }
        for audience in &self.audiences {
            verifier = verifier.with_audience(audience.as_str());
        }
        if self.any_audience {
            verifier = verifier.without_audience();
        }
        Ok(verifier.build()?)
    }
}

/// A variable without the white space that files of secrets have around a value; an empty one counts as one that is not
/// set.
fn variable(name: &str) -> Result<Option<String>, Error> {
    match env::var(name) {
        Ok(value) => Ok(Some(trimmed(&value).to_owned()).filter(|value| !value.is_empty())),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => Err(Error::new(format!("{name} is not UTF-8"))),
    }
}

fn members(list: &str) -> Vec<String> {
    list.split(',').map(trimmed).filter(|member| !member.is_empty()).map(str::to_owned).collect()
}

/// Also without the mark that editors begin a file with.
fn trimmed(text: &str) -> &str {
    text.trim_matches(|character: char| character.is_whitespace() || character == '\u{feff}')
}
