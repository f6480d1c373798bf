//! The contract of an adapter as one table of requests and answers: [`check`] runs it over a socket.
//!
//! The application under test has the routes of this crate's examples, written in the framework of the adapter, with
//! this crate's defaults:
//!
//! | Request | Session | Answer |
//! |---|---|---|
//! | `GET /userinfo` | yes | 200, the document |
//! | `POST /updateinfo`, a JSON object | yes | 200 `{"message":"successfully updated user metadata","metadata":{…}}` |
//! | `POST /clearinfo` | yes | 200 `{"success":true}` |
//! | another method | no | 405 `{"message":"method not allowed"}`, with `Allow` |
//! | another path | no | 404 `{"message":"not found"}` |
//!
//! Every request is made of raw bytes, so that also those are sent that no client library would send.

mod bodies;
mod case;
mod client;
mod report;
mod routes;
mod sessions;
mod tokens;
mod unfinished;

use std::io;
use std::net::SocketAddr;

pub use case::Request;
pub use client::{Answer, exchange};
pub use report::{Checked, Report};
pub use tokens::{TokenKind, USER};

use self::case::{Case, SEED};
use self::tokens::Tokens;

/// Runs the whole contract over an application that listens at `address`; `mint` makes the tokens.
///
/// It blocks, so call it outside of an asynchronous runtime or on a thread of its own.
///
/// ```
/// # #[cfg(feature = "axum")] {
/// # use std::time::{SystemTime, UNIX_EPOCH};
/// # use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
/// # use axum::response::IntoResponse;
/// # use axum::routing::{get, post};
/// # use axum::{Json, Router};
/// # use jsonwebtoken::{EncodingKey, Header, encode};
/// # use serde_json::json;
/// use tower_user_metadata::conformance::adapter::{self, TokenKind, USER};
/// # use tower_user_metadata::session::keys::{Algorithm, VerificationKey};
/// # use tower_user_metadata::store::MemoryStore;
/// # use tower_user_metadata::session::JwtVerifier;
/// # use tower_user_metadata::{MetadataUpdate, StoreError, UserMetadataHandle, UserMetadataLayer};
/// #
/// # async fn user_info(metadata: UserMetadataHandle) -> Result<impl IntoResponse, StoreError> {
/// #     Ok(Json(metadata.get().await?))
/// # }
/// # async fn update_info(metadata: UserMetadataHandle, update: MetadataUpdate) -> Result<impl IntoResponse, StoreError> {
/// #     let document = metadata.update(update).await?.metadata.to_json();
/// #     let body = format!(r#"{{"message":"successfully updated user metadata","metadata":{document}}}"#);
/// #     Ok(([(header::CONTENT_TYPE, "application/json")], body))
/// # }
/// # async fn clear_info(metadata: UserMetadataHandle) -> Result<impl IntoResponse, StoreError> {
/// #     metadata.clear().await?;
/// #     Ok(Json(json!({ "success": true })))
/// # }
/// # async fn no_route(uri: Uri) -> impl IntoResponse {
/// #     let (status, message, allow) = match uri.path() {
/// #         "/userinfo" => (StatusCode::METHOD_NOT_ALLOWED, "method not allowed", Some("GET, HEAD")),
/// #         "/updateinfo" | "/clearinfo" => (StatusCode::METHOD_NOT_ALLOWED, "method not allowed", Some("POST")),
/// #         _ => (StatusCode::NOT_FOUND, "not found", None),
/// #     };
/// #     let allow = allow.map(|allow| (header::ALLOW, HeaderValue::from_static(allow)));
/// #     (status, HeaderMap::from_iter(allow), Json(json!({ "message": message })))
/// # }
/// #
/// let secret = b"nT7#kq2!vX9@mZ4$wR8%yB6^cD3&fG5*";
/// # let verifier = JwtVerifier::builder(VerificationKey::from_secret(Algorithm::HS256, secret)?).without_audience().build()?;
/// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
/// let address = listener.local_addr()?;
/// // An application in the framework of the adapter, in a process or on a thread of its own.
/// # listener.set_nonblocking(true)?;
/// # let application = Router::new()
/// #     .route("/userinfo", get(user_info))
/// #     .route("/updateinfo", post(update_info))
/// #     .route("/clearinfo", post(clear_info))
/// #     .route_layer(UserMetadataLayer::new(verifier, MemoryStore::new()))
/// #     .method_not_allowed_fallback(no_route)
/// #     .fallback(no_route);
/// # let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
/// # runtime.spawn(async move { axum::serve(tokio::net::TcpListener::from_std(listener).unwrap(), application).await });
///
/// let report = adapter::check(address, |kind| {
///     let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
///     let (user, expires, secret) = match kind {
///         TokenKind::Good => (USER, now + 600, secret),
///         TokenKind::OtherUser => ("somebody-else", now + 600, secret),
///         TokenKind::Expired => (USER, now - 600, secret),
///         TokenKind::WrongKey => (USER, now + 600, b"7dP%uJ3*hS8&eK5#zN2!xV9@qL6^tM4$"),
///     };
///     let claims = json!({ "sub": user, "exp": expires });
///     encode(&Header::default(), &claims, &EncodingKey::from_secret(secret).unwrap()).unwrap()
/// });
/// assert!(report.checked().len() > 150);
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Panics
///
/// An answer is not as the contract demands: the text names all of them, with what came and what should have come.
pub fn check(address: SocketAddr, mint: impl Fn(TokenKind) -> String) -> Report {
    let report = check_except(address, &mint, &[]);
    check_unfinished(address, mint);
    report
}

/// As [`check`], without these rows of the table: for a framework that decides them before the adapter is asked.
///
/// # Panics
///
/// As [`check`] does, and where no row has such a name.
pub fn check_except(address: SocketAddr, mint: impl Fn(TokenKind) -> String, except: &[&str]) -> Report {
    let tokens = Tokens::minted(mint);
    let cases = [routes::cases(&tokens), sessions::cases(&tokens), bodies::cases(&tokens)].concat();
    for name in except {
        assert!(cases.iter().any(|case| case.name == *name), "no row is named {name:?}");
    }
    let mut report = Report::default();
    let mut broken = Vec::new();
    for case in cases.iter().filter(|case| !except.contains(&&*case.name)) {
        match run(address, &tokens, case) {
            Ok(answer) => report.add(case.name.clone(), case.request.clone(), answer),
            Err(problem) => broken.push(format!("\n{}: {problem}", case.name)),
        }
    }
    assert!(broken.is_empty(), "{} of {} answers are wrong:{}", broken.len(), cases.len(), broken.concat());
    report
}

/// The part of [`check`] about bodies that end before their end, in every framing and in every way in which a client may
/// leave: each is answered with a refusal or not at all, and nothing of it is stored.
///
/// A framework may take a connection that broke off for the end of the body, and what came of an update may be a valid
/// one.
///
/// # Panics
///
/// As [`check`] does.
pub fn check_unfinished(address: SocketAddr, mint: impl Fn(TokenKind) -> String) {
    let token = mint(TokenKind::Good);
    let broken = match fill(address, &token) {
        Ok(()) => unfinished::broken(address, &token),
        Err(problem) => vec![problem],
    };
    assert!(broken.is_empty(), "unfinished updates are not refused:\n{}", broken.join("\n"));
}

/// Fills the document, sends the request, and looks at the answer and at the document again.
fn run(address: SocketAddr, tokens: &Tokens, case: &Case) -> Result<Answer, String> {
    fill(address, &tokens.good)?;
    let answer = exchange(address, &case.request.to_bytes()).map_err(|error| format!("no answer: {error}"))?;
    case.expected.compare(&answer)?;
    let document = signed_in(address, &tokens.good, Request::get("/userinfo"))
        .map_err(|error| format!("no document afterwards: {error}"))?;
    if document.body() == case.after.as_bytes() {
        Ok(answer)
    } else {
        Err(format!("the document afterwards is {}, and should be {}", document.body_text(), case.after))
    }
}

/// Gives the user the document that each request finds.
fn fill(address: SocketAddr, token: &str) -> Result<(), String> {
    let filled = signed_in(address, token, Request::post("/clearinfo"))
        .and_then(|_| signed_in(address, token, Request::post("/updateinfo").json(SEED)));
    match filled {
        Ok(filled) if filled.status() == 200 => Ok(()),
        filled => Err(format!("the document cannot be filled before the request: {filled:?}")),
    }
}

fn signed_in(address: SocketAddr, token: &str, request: Request) -> io::Result<Answer> {
    exchange(address, &request.bearer(token).to_bytes())
}
