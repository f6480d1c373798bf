//! Requests, and the answers that the Tower layer and the ready-made endpoints give to them, which are the answers that
//! every adapter must give.

use std::convert::Infallible;
use std::fmt::Debug;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use jsonwebtoken::{EncodingKey, Header};
use tower::{Layer, ServiceExt, service_fn};

use tower_user_metadata::endpoints::UserMetadataEndpoints;
use tower_user_metadata::session::JwtVerifier;
use tower_user_metadata::session::claims::PrimitiveArrayClaim;
use tower_user_metadata::session::keys::{Algorithm, VerificationKey};
use tower_user_metadata::store::MemoryStore;
use tower_user_metadata::{Authenticator, Limits, StoreError, StoreErrorKind, UserMetadataLayer, Version};

const SECRET: &[u8] = b"nT7#kq2!vX9@mZ4$wR8%yB6^cD3&fG5*";
const MINUTE: Duration = Duration::from_secs(60);

/// What a client gets.
#[derive(Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn new(response: Response<Bytes>) -> Self {
        let (parts, body) = response.into_parts();
        let body = String::from_utf8(body.to_vec()).expect("all bodies are text");
        Self { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    pub(crate) async fn collect<B: Body<Error: Debug>>(response: Response<B>) -> Self {
        let (parts, body) = response.into_parts();
        Self::new(Response::from_parts(parts, body.collect().await.expect("it is in memory").to_bytes()))
    }

    /// Without the headers that only a body that is stored needs.
    pub(crate) fn uncached(mut self) -> Self {
        for name in [http::header::CACHE_CONTROL, http::header::VARY] {
            self.headers.remove(name);
        }
        self
    }
}

/// Says of an answer whether its response told the reason of a refusal to whoever stands around it.
pub(crate) fn with_reason(answer: Answer, told: bool) -> Answer {
    assert_eq!(told, [401, 403].contains(&answer.status), "{answer:?}");
    answer
}

pub(crate) fn authenticator() -> Authenticator {
    authenticator_on(MemoryStore::new())
}

pub(crate) fn authenticator_on(store: MemoryStore) -> Authenticator {
    let key = VerificationKey::from_secret(Algorithm::HS256, SECRET).expect("a strong secret");
    Authenticator::new(JwtVerifier::builder(key).without_audience().build().expect("a verifier"), store)
}

/// A small store, so that bodies need not be large to be too large.
pub(crate) fn small_store() -> MemoryStore {
    MemoryStore::new().with_limits(Limits::default().with_document_bytes(1_000))
}

pub(crate) fn token(secret: &[u8], expires: SystemTime) -> String {
    let seconds = |time: SystemTime| time.duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let claims = serde_json::json!({ "sub": "alice", "iat": seconds(expires - MINUTE), "exp": seconds(expires) });
    jsonwebtoken::encode(&Header::default(), &claims, &EncodingKey::from_secret(secret).expect("not empty"))
        .expect("claims serialise")
}

/// Demands a role that alice has with [`admin`] only.
pub(crate) fn admins(sessions: &Authenticator) -> Authenticator {
    sessions.clone().with_claim_validator(PrimitiveArrayClaim::USER_ROLE.includes("admin"))
}

/// The header that signs alice in as an administrator.
pub(crate) fn admin() -> String {
    let expires = (SystemTime::now() + MINUTE).duration_since(UNIX_EPOCH).expect("after 1970");
    let claims = serde_json::json!({ "sub": "alice", "exp": expires.as_secs(), "st-role": { "t": 0, "v": ["admin"] } });
    let key = EncodingKey::from_secret(SECRET).expect("not empty");
    format!("Bearer {}", jsonwebtoken::encode(&Header::default(), &claims, &key).expect("claims serialise"))
}

/// The header that signs alice in.
pub(crate) fn bearer() -> String {
    format!("Bearer {}", token(SECRET, SystemTime::now() + MINUTE))
}

pub(crate) type Headers = Vec<(HeaderName, HeaderValue)>;

/// The header of whoever has this.
pub(crate) fn signed_in(bearer: &str) -> Headers {
    vec![(http::header::AUTHORIZATION, HeaderValue::from_str(bearer).expect("a value"))]
}

/// Requests that are refused, by what is wrong with them.
pub(crate) fn strangers() -> Vec<(&'static str, Headers)> {
    let value = |value: &[u8]| HeaderValue::from_bytes(value).expect("a header value");
    let authorization = |line: &[u8]| vec![(http::header::AUTHORIZATION, value(line))];
    let cookie = |line: &str| (http::header::COOKIE, value(line.as_bytes()));
    let good = token(SECRET, SystemTime::now() + MINUTE);
    let expired = token(SECRET, SystemTime::now() - MINUTE);
    let forged = token(b"another secret of thirty-two bytes", SystemTime::now() + MINUTE);
    vec![
        ("no credentials", vec![]),
        ("malformed bearer", authorization(b"Bearer")),
        ("bytes beyond ASCII", authorization(b"Bearer \xff")),
        ("not a token", authorization(b"Bearer a.b.c")),
        ("expired", authorization(format!("Bearer {expired}").as_bytes())),
        ("wrong key", authorization(format!("Bearer {forged}").as_bytes())),
        ("two headers", [authorization(bearer().as_bytes()), authorization(bearer().as_bytes())].concat()),
        ("two cookies", vec![cookie(&format!("sAccessToken={good}; sAccessToken={forged}"))]),
        ("two cookie headers", vec![cookie(&format!("sAccessToken={good}")), cookie("sAccessToken=x")]),
        ("a cookie from another site", vec![cookie(&format!("sAccessToken={good}"))]),
    ]
}

/// What the Tower layer answers to a session without the role.
pub(crate) async fn forbidden_answer() -> Answer {
    let answer = answer_of(admins(&authenticator()), signed_in(&bearer())).await;
    assert_eq!(answer.status, 403);
    answer
}

/// What the Tower layer answers to a `POST` with these headers.
pub(crate) async fn layer_answer(headers: Headers) -> Answer {
    answer_of(authenticator(), headers).await
}

async fn answer_of(authenticator: Authenticator, headers: Headers) -> Answer {
    let handler = service_fn(async |_: Request<()>| Ok::<_, Infallible>(Response::new(Full::<Bytes>::default())));
    let service = UserMetadataLayer::from_authenticator(authenticator).layer(handler);
    let response = service.oneshot(request(Method::POST, headers, ())).await.expect("a refusal is no error");
    Answer::collect(response).await
}

/// The headers of a CORS preflight.
pub(crate) fn preflight() -> Headers {
    vec![
        (http::header::ORIGIN, HeaderValue::from_static("https://app.example.com")),
        (http::header::ACCESS_CONTROL_REQUEST_METHOD, HeaderValue::from_static("PATCH")),
    ]
}

/// The header of a body that is JSON.
pub(crate) fn json() -> Headers {
    vec![(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"))]
}

/// Bodies that are no updates, with their content types, by what is wrong with them.
pub(crate) fn bad_bodies() -> Vec<(&'static str, Headers, Vec<u8>)> {
    let kind = |kind: &'static str| vec![(http::header::CONTENT_TYPE, HeaderValue::from_static(kind))];
    let coding = |coding: &'static str| vec![(http::header::CONTENT_ENCODING, HeaderValue::from_static(coding))];
    let good = json;
    vec![
        ("empty", good(), b"".to_vec()),
        ("an array", good(), b"[]".to_vec()),
        ("null", good(), b"null".to_vec()),
        ("a string", good(), br#""x""#.to_vec()),
        ("too large", good(), vec![b' '; 1_000_000]),
        ("too large once merged", good(), format!(r#"{{"a":"{}"}}"#, "x".repeat(993)).into_bytes()),
        ("too deep", good(), [b"[".repeat(200), b"]".repeat(200)].concat()),
        ("not UTF-8", good(), b"{\"a\":\"\xff\"}".to_vec()),
        ("U+0000", good(), br#"{"a":"\u0000"}"#.to_vec()),
        ("no content type", vec![], b"{}".to_vec()),
        ("another content type", kind("text/plain"), b"{}".to_vec()),
        ("another charset", kind("application/json; charset=latin1"), b"{}".to_vec()),
        ("two content types", [good(), good()].concat(), b"{}".to_vec()),
        ("a coded body", [good(), coding("gzip")].concat(), b"\x1f\x8b\x08\x00".to_vec()),
        ("two codings", [good(), coding("identity, br")].concat(), b"{}".to_vec()),
    ]
}

/// What the ready-made endpoints answer to a `PATCH` of alice with this body.
pub(crate) async fn endpoints_answer(store: MemoryStore, headers: Headers, body: Vec<u8>) -> Answer {
    let layer = UserMetadataLayer::from_authenticator(authenticator_on(store));
    let headers = [headers, signed_in(&bearer())].concat();
    let request = request(Method::PATCH, headers, Full::new(Bytes::from(body)));
    let response = layer.layer(UserMetadataEndpoints::new()).oneshot(request).await.expect("a problem is no error");
    Answer::collect(response).await.uncached()
}

pub(crate) fn request<B>(method: Method, headers: Headers, body: B) -> Request<B> {
    let mut request = Request::new(body);
    *request.method_mut() = method;
    for (name, value) in headers {
        request.headers_mut().append(name, value);
    }
    request
}

/// One failure of each kind.
pub(crate) fn store_errors() -> impl Iterator<Item = StoreError> {
    use StoreErrorKind as Kind;
    let kinds = [Kind::Unsupported, Kind::Unavailable, Kind::Timeout, Kind::Closed, Kind::Corrupt, Kind::Internal];
    kinds.into_iter().map(StoreError::new).chain([StoreError::precondition_failed(Some(Version::from_bits(255)))])
}
