use std::env::{self, VarError};

use tower_user_metadata::JwtVerifier;
use tower_user_metadata::session::keys::{Algorithm, Jwks};

use super::Error;

/// What the environment says.
pub(crate) struct Settings {
    /// `PORT`, default 3000; 0 takes any free one.
    pub(crate) port: u16,
    /// `DATABASE_URL`, default a file in the working directory; see `store::connect`.
    pub(crate) database_url: String,
    /// Somebody else who issues the sessions, if `JWKS_URL` is set.
    pub(crate) issuer: Option<Issuer>,
}

/// `JWKS_URL`, and what its tokens must say besides: `ISSUER` and `AUDIENCE`, if they are set.
pub(crate) struct Issuer {
    jwks_url: String,
    issuer: Option<String>,
    audience: Option<String>,
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
        let issuer = match (variable("JWKS_URL")?, variable("ISSUER")?, variable("AUDIENCE")?) {
            (Some(jwks_url), issuer, audience) => Some(Issuer { jwks_url, issuer, audience }),
            (None, None, None) => None,
            // Whoever sets these does not expect a login that takes everybody.
            _ => return Err(Error::new("ISSUER and AUDIENCE need JWKS_URL")),
        };
        Ok(Self { port, database_url, issuer })
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

    pub(crate) async fn verifier(&self) -> Result<JwtVerifier, Error> {
        let keys = Jwks::builder(Self::ALGORITHMS).with_url(&self.jwks_url).build().await?;
        let mut verifier = JwtVerifier::builder(keys);
        if let Some(issuer) = &self.issuer {
            verifier = verifier.with_issuer(issuer.as_str());
        }
        if let Some(audience) = &self.audience {
            verifier = verifier.with_audience(audience.as_str());
        }
        Ok(verifier.build()?)
    }
}

/// An empty variable counts as one that is not set.
fn variable(name: &str) -> Result<Option<String>, Error> {
    match env::var(name) {
        Ok(value) => Ok(Some(value).filter(|value| !value.is_empty())),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => Err(Error::new(format!("{name} is not UTF-8"))),
    }
}
