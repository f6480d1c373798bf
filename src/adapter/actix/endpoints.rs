use actix_web::{HttpRequest, HttpResponse, Route, web};

use super::extract::found;
use super::response::convert;
use crate::adapter::body::Chunks;
use crate::endpoints::{Problem, UserMetadataEndpoints};
use crate::handle::UserMetadataHandle;

/// The [ready-made endpoints](crate::endpoints) as a route, for a resource inside the middleware
/// [`user_metadata`](super::user_metadata).
///
/// ```
/// use actix_web::{App, test, web};
/// use tower_user_metadata::adapter::actix::{endpoints, user_metadata};
/// use tower_user_metadata::endpoints::UserMetadataEndpoints;
/// # use tower_user_metadata::session::keys::{Algorithm, VerificationKey};
/// # use tower_user_metadata::session::JwtVerifier;
/// # use tower_user_metadata::{Authenticator, store::MemoryStore};
///
/// # actix_web::rt::System::new().block_on(async {
/// # let secret = b"nT7#kq2!vX9@mZ4$wR8%yB6^cD3&fG5*";
/// # let key = VerificationKey::from_secret(Algorithm::HS256, secret)?;
/// # let sessions = Authenticator::new(JwtVerifier::builder(key).with_issuer("https://auth.example.com").build()?, MemoryStore::new());
/// # let claims = serde_json::json!({ "iss": "https://auth.example.com", "sub": "alice", "exp": 4_000_000_000_u64 });
/// # let key = jsonwebtoken::EncodingKey::from_secret(secret)?;
/// # let token = jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &key)?;
/// let metadata = web::resource("/metadata").wrap(user_metadata(&sessions));
/// let app = App::new().service(metadata.route(endpoints(UserMetadataEndpoints::new())));
///
/// let app = test::init_service(app).await;
/// let request = test::TestRequest::patch().uri("/metadata").set_payload(r#"{"theme":"dark"}"#);
/// let request = request.insert_header(("content-type", "application/json"));
/// let request = request.insert_header(("authorization", format!("Bearer {token}")));
/// let patched = test::call_service(&app, request.to_request()).await;
/// assert!(patched.headers().contains_key("etag"));
/// assert_eq!(test::read_body(patched).await, r#"{"theme":"dark"}"#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn endpoints(endpoints: UserMetadataEndpoints) -> Route {
    web::route().to(move |request: HttpRequest, payload: web::Payload| respond(endpoints, request, payload))
}

async fn respond(
    endpoints: UserMetadataEndpoints,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let metadata: Option<UserMetadataHandle> = found(&request)?;
    let body = Chunks::new(payload);
    Ok(convert(endpoints.respond(request.method().as_str(), request.headers(), metadata.as_ref(), body).await))
}
