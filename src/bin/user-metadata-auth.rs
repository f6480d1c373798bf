//! The sidecar: answers the checks of a proxy, and keeps metadata for services in any language.

use std::convert::Infallible;
use std::env::{self, VarError};
use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tower::{Layer, Service, service_fn};
use tower_user_metadata::endpoints::UserMetadataEndpoints;
use tower_user_metadata::forward_auth::ForwardAuth;
use tower_user_metadata::session::keys::{Algorithm, Jwks};
use tower_user_metadata::session::{AntiCsrf, TokenSource, TokenSources};
use tower_user_metadata::store::{self, MemoryStore, MetadataStore};
use tower_user_metadata::{Authenticator, JwtVerifier, UserMetadataLayer};

const HELP: &str = "\
user-metadata-auth answers the session checks of nginx, Traefik, Caddy and Envoy, and keeps metadata of users.

  GET /auth                     200 with X-User-Id, X-Session-Handle and X-Tenant-Id, or 401, 403, 503
  GET /auth/optional            the same, and 200 with empty headers without credentials
  GET /auth/role/NAME           the same as /auth, for users with this role; also /auth/permission/NAME
  GET, PATCH, DELETE /metadata  the metadata of the user whose token the request has
  GET /health                   200 while it runs

Settings are environment variables:

  LISTEN                      address and port, default 127.0.0.1:8787
  JWKS_URL                    the keys of the sessions' issuer: https, or http on a loopback address
  SUPERTOKENS_CONNECTION_URI  a SuperTokens core whose keys to take, in the place of JWKS_URL
  ALLOW_PLAIN_HTTP            `true` takes keys by http from any host: whoever answers there signs in as anybody
  TOKENS                      jwt, supertokens or supertokens-static; default jwt with JWKS_URL, else supertokens
  ISSUER, AUDIENCE            what `iss` and `aud` of the tokens must be; by default they are not looked at
  SESSION_COOKIE              where tokens are beside `Authorization: Bearer`, default sAccessToken
  ANTI_CSRF                   what cookie sessions must prove: VIA_CUSTOM_HEADER (default), VIA_TOKEN, or NONE
  OFFLINE_START               `true` starts without keys and answers 503 until there are any
  DATABASE_URL                where metadata is kept; without it there is no /metadata
  LOG                         error, warn, info (default), debug, trace; to standard error
";

/// How long requests in flight may take once the program was told to stop.
const GRACE: Duration = Duration::from_secs(10);

/// How long a client may take for the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

type Answer = Response<Full<Bytes>>;

#[tokio::main]
async fn main() -> ExitCode {
    match env::args().nth(1).as_deref() {
        None => {}
        Some("--help" | "-h") => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Some("--version" | "-V") => {
            println!("user-metadata-auth {}", env!("CARGO_PKG_VERSION"));
            return ExitCode::SUCCESS;
        }
        Some(_) => {
            eprintln!(
                "user-metadata-auth takes no arguments but --help and --version; settings are in the environment"
            );
            return ExitCode::from(2);
        }
    }
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("user-metadata-auth: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Error> {
    let level = variable("LOG")?.unwrap_or_else(|| "info".to_owned());
    let level: tracing::Level = level.parse().map_err(|_| Error(format!("LOG cannot be {level:?}")))?;
    tracing_subscriber::fmt().with_max_level(level).with_ansi(false).with_writer(std::io::stderr).init();

    let listen = variable("LISTEN")?.unwrap_or_else(|| "127.0.0.1:8787".to_owned());
    let listen: SocketAddr =
        listen.parse().map_err(|_| Error(format!("LISTEN must be an address and a port, and is {listen:?}")))?;
    let verifier = verifier().await?;
    let store = match variable("DATABASE_URL")? {
        Some(url) => Some(store::connect(&url).await?),
        None => None,
    };
    let sources = token_sources()?;

    // A check never asks the store, so without one any will do.
    let checks = Authenticator::new(verifier.clone(), MemoryStore::new()).with_token_sources(sources.clone());
    let metadata = store.clone().map(|store| {
        let authenticator = Authenticator::new(verifier, store).with_token_sources(sources);
        UserMetadataLayer::from_authenticator(authenticator).layer(UserMetadataEndpoints::new())
    });
    let (checks, has_metadata) = (ForwardAuth::new(checks), metadata.is_some());
    let service = service_fn(move |request: Request<Incoming>| {
        let (mut checks, metadata) = (checks.clone(), metadata.clone());
        async move {
            match (request.uri().path(), metadata) {
                ("/metadata", Some(mut metadata)) => metadata.call(request).await,
                ("/health", _) => Ok(Answer::new(Full::from("ok\n"))),
                (path, _) if path.starts_with("/auth") => checks.call(request).await,
                _ => Ok(not_found()),
            }
        }
    });

    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let listener =
        TcpListener::bind(listen).await.map_err(|error| Error(format!("{listen} cannot be listened on: {error}")))?;
    let address = listener.local_addr()?;
    if !address.ip().is_loopback() {
        tracing::warn!(%address, "not a loopback address: only the proxy should reach this");
    }
    tracing::info!(%address, metadata = has_metadata, "listening");
    println!("listening on http://{address}");
    let told_to_stop = async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    let connections = serve(listener, service, told_to_stop).await;
    let finished = tokio::time::timeout(GRACE, connections.shutdown()).await;
    if let Some(store) = store {
        store.close().await;
    }
    finished.map_err(|_| Error(format!("requests were still in flight after {} seconds", GRACE.as_secs())))
}

/// Takes connections until `stop` ends; gives back those that are open then.
async fn serve<S>(listener: TcpListener, service: S, stop: impl Future<Output = ()>) -> GracefulShutdown
where
    S: Service<Request<Incoming>, Response = Answer, Error = Infallible, Future: Send> + Clone + Send + 'static,
{
    let connections = GracefulShutdown::new();
    let mut stop = pin!(stop);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => return connections,
        };
        let Ok((stream, _)) = accepted else {
            // For example too many open files, which passes.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let service = TowerToHyperService::new(service.clone());
        let mut server = http1::Builder::new();
        server.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
        let connection = connections.watch(server.serve_connection(TokioIo::new(stream), service));
        // An error is one of the client's, who is gone.
        tokio::spawn(async { drop(connection.await) });
    }
}

fn not_found() -> Answer {
    let mut answer = Answer::new(Full::from(r#"{"message":"not found"}"#));
    *answer.status_mut() = StatusCode::NOT_FOUND;
    answer.headers_mut().insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    answer
}

async fn verifier() -> Result<JwtVerifier, Error> {
    use Algorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
    // Those of public keys: a secret must never come from a key server.
    let mut keys = Jwks::builder([RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA]);
    let mut default_tokens = "jwt";
    match (variable("JWKS_URL")?, variable("SUPERTOKENS_CONNECTION_URI")?) {
        (Some(url), None) => keys = keys.with_url(url),
        (None, Some(uri)) => {
            keys = keys.with_supertokens_core(uri);
            default_tokens = "supertokens";
        }
        _ => return Err(Error("JWKS_URL or SUPERTOKENS_CONNECTION_URI must be set, and not both".to_owned())),
    }
    if flag("ALLOW_PLAIN_HTTP")? {
        keys = keys.with_dangerous_plain_http();
    }
    if flag("OFFLINE_START")? {
        keys = keys.with_offline_start();
    }
    let (issuer, audience) = (variable("ISSUER")?, variable("AUDIENCE")?);
    let tokens = variable("TOKENS")?.unwrap_or_else(|| default_tokens.to_owned());
    if !["jwt", "supertokens", "supertokens-static"].contains(&tokens.as_str()) {
        return Err(Error(format!("TOKENS must be jwt, supertokens or supertokens-static, and is {tokens:?}")));
    }
    let keys = keys.build().await?;
    if tokens == "jwt" {
        let mut verifier = JwtVerifier::builder(keys);
        if let Some(issuer) = issuer {
            verifier = verifier.with_issuer(issuer);
        }
        if let Some(audience) = audience {
            verifier = verifier.with_audience(audience);
        }
        return Ok(verifier.build()?);
    }
    let mut verifier = JwtVerifier::supertokens(keys);
    if tokens == "supertokens-static" {
        verifier = verifier.with_static_signing_key();
    }
    if let Some(issuer) = issuer {
        verifier = verifier.with_issuer(issuer);
    }
    if let Some(audience) = audience {
        verifier = verifier.with_audience(audience);
    }
    Ok(verifier.build()?)
}

fn token_sources() -> Result<TokenSources, Error> {
    let anti_csrf = match variable("ANTI_CSRF")?.as_deref() {
        None | Some("VIA_CUSTOM_HEADER") => AntiCsrf::ViaCustomHeader,
        Some("VIA_TOKEN") => AntiCsrf::ViaToken,
        Some("NONE") => AntiCsrf::NoneBecauseCookiesAreSameSite,
        Some(other) => {
            return Err(Error(format!("ANTI_CSRF must be VIA_CUSTOM_HEADER, VIA_TOKEN or NONE, and is {other:?}")));
        }
    };
    let cookie = variable("SESSION_COOKIE")?.unwrap_or_else(|| "sAccessToken".to_owned());
    Ok(TokenSources::new([TokenSource::bearer(), TokenSource::cookie(&cookie, anti_csrf)?]))
}

fn flag(name: &str) -> Result<bool, Error> {
    match variable(name)?.as_deref() {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(other) => Err(Error(format!("{name} must be true or false, and is {other:?}"))),
    }
}

/// An empty variable counts as one that is not set.
fn variable(name: &str) -> Result<Option<String>, Error> {
    match env::var(name) {
        Ok(value) => Ok(Some(value).filter(|value| !value.is_empty())),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => Err(Error(format!("{name} is not UTF-8"))),
    }
}

/// What keeps the program from starting or serving, as a sentence for whoever started it.
#[derive(Debug)]
struct Error(String);

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<E: std::error::Error> From<E> for Error {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}
