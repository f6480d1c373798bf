//! The application that every example is, without its framework: settings, sessions, store, and the fixed answers.
//!
//! | Request | Session | Answer |
//! |---|---|---|
//! | `POST /login` `{"userId":"alice"}` | no | `{"accessToken":"…"}`; only when `JWKS_URL` is not set |
//! | `GET /userinfo` | yes | the document |
//! | `POST /updateinfo`, a JSON object | yes | `{"message":"successfully updated user metadata","metadata":{…}}` |
//! | `POST /clearinfo` | yes | `{"success":true}` |
//!
//! A wrong path or method is answered before a session is asked for. Why a session was refused is in the log on the standard
//! error, in debug builds or with `RUST_LOG=tower_user_metadata=debug`.

mod answer;
mod error;
mod log;
mod login;
mod settings;
mod shutdown;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tower_user_metadata::session::JwtVerifier;
use tower_user_metadata::store::{self, MetadataStore};

pub(crate) use answer::{Cleared, Reply, Updated};
pub(crate) use error::Error;
pub(crate) use shutdown::Shutdown;

use login::DevelopmentLogin;
use settings::Settings;

/// What the handlers and the middleware are made from.
#[derive(Clone)]
pub(crate) struct App {
    /// Verifies the sessions.
    pub(crate) verifier: JwtVerifier,
    /// Keeps the metadata.
    pub(crate) store: Arc<dyn MetadataStore>,
    /// Only there when nobody else issues the sessions.
    login: Option<DevelopmentLogin>,
    port: u16,
}

impl App {
    /// Sets everything up by the environment; [`Settings`] has the variables.
    pub(crate) async fn from_env() -> Result<Self, Error> {
        log::start()?;
        let settings = Settings::from_env()?;
        let (verifier, login) = match &settings.issuer {
            Some(issuer) => (issuer.verifier().await?, None),
            None => DevelopmentLogin::new().map(|(login, verifier)| (verifier, Some(login)))?,
        };
        let store = store::connect(&settings.database_url).await?;
        Ok(Self { verifier, store, login, port: settings.port })
    }

    /// What to listen on: 127.0.0.1 only.
    pub(crate) fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Prints what to try over this protocol, `http` or `grpc`, once the application listens.
    pub(crate) fn announce(&self, address: SocketAddr, protocol: &str) {
        println!("listening on http://{address}, for example:\n");
        for line in if protocol == "grpc" { self.grpcurl(address) } else { self.curl(address) } {
            println!("  {line}");
        }
        println!();
    }

    fn curl(&self, address: SocketAddr) -> [String; 4] {
        let url = format!("http://{address}");
        [
            self.token(&format!(r#"curl -s {url}/login -d '{{"userId":"alice"}}' | sed 's/.*:"\(.*\)"}}/\1/'"#)),
            format!(r#"curl {url}/userinfo -H "Authorization: Bearer $TOKEN""#),
            format!(
                r#"curl {url}/updateinfo -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' -d '{{"theme":"dark"}}'"#
            ),
            format!(r#"curl {url}/clearinfo -H "Authorization: Bearer $TOKEN" -X POST"#),
        ]
    }

    fn grpcurl(&self, address: SocketAddr) -> [String; 4] {
        let call = "grpcurl -plaintext -proto examples/app/user_metadata.proto";
        let (bearer, service) = (r#"-H "authorization: Bearer $TOKEN""#, "user_metadata.v1.UserMetadata");
        let login =
            format!(r#"{call} -d '{{"json":"{{\"userId\":\"alice\"}}"}}' {address} user_metadata.v1.Login/Login"#);
        [
            self.token(&format!(r#"{login} | sed -n 's/.*accessToken\\":\\"\([^\\]*\).*/\1/p'"#)),
            format!("{call} {bearer} {address} {service}/UserInfo"),
            format!(r#"{call} {bearer} -d '{{"json":"{{\"theme\":\"dark\"}}"}}' {address} {service}/UpdateInfo"#),
            format!("{call} {bearer} {address} {service}/ClearInfo"),
        ]
    }

    /// The line that gets a token, by this command where the development login is there.
    fn token(&self, login: &str) -> String {
        match self.login {
            Some(_) => format!("TOKEN=$({login})"),
            None => "TOKEN=…   # an access token of your issuer".to_owned(),
        }
    }

    /// Answers `POST /login`. A body that could not be read, or is too large to be a login, may come as an empty one.
    pub(crate) fn login(&self, body: &[u8]) -> Reply {
        match &self.login {
            Some(login) => login.answer(body),
            None => Reply::no_route(""),
        }
    }
}
