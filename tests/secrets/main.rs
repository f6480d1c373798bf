//! Nothing that is printed tells a secret: not the log at TRACE, not an error, not `Debug` of anything, not a panic.
//!
//! A binary of its own, since the subscriber and the panic hook are those of the whole process.

mod outside;
mod watch;
mod world;

use std::fmt::Debug;
use std::sync::Arc;

use http::{HeaderValue, Request};
use http_body_util::{BodyExt, Full};
use serde_json::json;
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_user_metadata::endpoints::UserMetadataEndpoints;
use tower_user_metadata::session::claims::{PrimitiveArrayClaim, PrimitiveClaim, Tenant};
use tower_user_metadata::session::keys::{Algorithm, KeySet, VerificationKey};
use tower_user_metadata::session::{JwtVerifier, SessionVerifier, TokenSource, TokenSources, Verdict, VerifyInput};
use tower_user_metadata::store::{self, MemoryStore, MetadataStore};
use tower_user_metadata::{
    AntiCsrf, AuthError, Authenticator, Limits, Metadata, MetadataUpdate, Precondition, Session, UserId,
    UserMetadataHandle, UserMetadataLayer, metadata_update,
};

use watch::Watch;
use world::{World, now};

/// Every case in one test: the log is one, and it is read at the end of each.
#[tokio::test]
async fn nothing_that_is_printed_tells_a_secret() {
    let world = World::new();
    let watch = Watch::over(&world.secrets());
    watch.works();

    keys(&world, &watch);
    configuration(&world, &watch).await;
    tokens(&world, &watch).await;
    sessions(&world, &watch);
    claims(&world, &watch).await;
    documents(&world, &watch).await;
    endpoints(&world, &watch).await;
    outside::key_servers(&world, &watch).await;
    outside::databases(&world, &watch).await;
    panics(&world, &watch).await;

    assert!(watch.read() > 200, "only {} texts were read", watch.read());
    assert!(watch.logged() > 20, "only {} lines were logged", watch.logged());
}

/// Reads `Display` of an error and of its sources, and `Debug` of all.
fn error(watch: &Watch, place: &str, error: &(dyn std::error::Error + 'static)) {
    let mut next = Some(error);
    while let Some(error) = next {
        watch.text(place, &error.to_string());
        debug(watch, place, &error);
        next = error.source();
    }
}

fn debug(watch: &Watch, place: &str, value: &dyn Debug) {
    watch.text(place, &format!("{value:?}"));
    watch.text(place, &format!("{value:#?}"));
}

fn failed<T, E: std::error::Error + 'static>(watch: &Watch, place: &str, result: Result<T, E>) {
    match result {
        Ok(_) => panic!("{place} was to fail"),
        Err(failure) => error(watch, place, &failure),
    }
}

fn keys(world: &World, watch: &Watch) {
    let secret = world.secret.as_bytes();
    debug(watch, "a secret key", &VerificationKey::from_secret(Algorithm::HS256, secret));
    failed(watch, "a short secret", VerificationKey::from_secret(Algorithm::HS256, &secret[..31]));
    failed(watch, "a secret of another algorithm", VerificationKey::from_secret(Algorithm::HS512, secret));
    failed(watch, "a weak secret", VerificationKey::from_secret(Algorithm::HS256, [secret, b"password"].concat()));
    debug(watch, "a short secret that is taken", &VerificationKey::from_weak_secret(Algorithm::HS256, &secret[..31]));
    let guessable = [secret, b"password"].concat();
    debug(watch, "a weak secret that is taken", &VerificationKey::from_weak_secret(Algorithm::HS256, guessable));
    let public = [secret, b"-----BEGIN PUBLIC KEY-----"].concat();
    failed(watch, "a public key as a secret", VerificationKey::from_weak_secret(Algorithm::HS256, public));
    failed(watch, "a secret as a PEM block", VerificationKey::from_pem(Algorithm::RS256, secret));
    failed(watch, "a secret as a JWK", VerificationKey::from_jwk(Algorithm::HS256, secret));
    let jwk = json!({ "kty": "oct", "kid": world.kid, "k": world.secret_base64() });
    debug(watch, "a secret JWK", &VerificationKey::from_jwk(Algorithm::HS256, jwk.to_string()).expect("a key"));
    let private = json!({ "kty": "OKP", "crv": "Ed25519", "x": "AA", "d": world.secret_base64() });
    failed(watch, "a private JWK", VerificationKey::from_jwk(Algorithm::EdDSA, private.to_string()));
    let mut twin = jwk.clone();
    twin["k"] = json!(format!("AAAA{}", world.secret_base64()));
    let set = json!({ "keys": [jwk, twin, private, { "kty": world.claim, "kid": world.kid }] }).to_string();
    failed(watch, "a set of ambiguous keys", KeySet::from_jwks(set.as_bytes(), &[Algorithm::HS256]));
    failed(watch, "half a set of keys", KeySet::from_jwks(&set.as_bytes()[..200], &[Algorithm::HS256]));
    let set = json!({ "keys": [jwk, private] }).to_string();
    let keys = KeySet::from_jwks(set.as_bytes(), &[Algorithm::HS256]).expect("a key set");
    debug(watch, "a key set", &keys);
    debug(watch, "a builder", &JwtVerifier::builder(keys));
    debug(watch, "an algorithm", &world.secret.parse::<Algorithm>());
}

async fn configuration(world: &World, watch: &Watch) {
    for url in [
        format!("mongodb://admin:{}@localhost/app", world.secret),
        format!("MEMORY:{}", world.secret),
        format!("sqlite2://{}", world.secret),
        format!("://{}", world.secret),
    ] {
        failed(watch, "a store's URL", store::connect(&url).await.map(drop));
    }
    let sources = [TokenSource::bearer(), TokenSource::cookie("s", AntiCsrf::ViaToken).expect("a cookie")];
    debug(watch, "token sources", &TokenSources::new(sources));
}

/// The layer that the requests of this test go through: SuperTokens tokens in every place, claims that must be there.
fn layer(world: &World) -> UserMetadataLayer {
    let places = [
        TokenSource::header("x-token").expect("a header"),
        TokenSource::bearer(),
        TokenSource::cookie("sAccessToken", AntiCsrf::ViaToken).expect("a cookie"),
    ];
    UserMetadataLayer::new(world.verifier(), MemoryStore::new()).with_token_sources(TokenSources::new(places))
}

async fn tokens(world: &World, watch: &Watch) {
    let layer = layer(world);
    let mut requests = vec![];
    for token in world.tokens() {
        for (name, value) in [
            ("x-token", token.clone()),
            ("authorization", format!("Bearer {token}")),
            ("authorization", format!("Bearer {token} x")),
            ("authorization", token.clone()),
            ("cookie", format!("a=1; sAccessToken={token}")),
            ("cookie", format!("sAccessToken={token}; sAccessToken={token}")),
            ("cookie", format!("sAccessToken={token}%2E")),
        ] {
            // Some of the tokens are such that no header can hold them.
            let Ok(value) = HeaderValue::try_from(value) else { continue };
            for (method, proof) in
                [("GET", None), ("POST", None), ("POST", Some(&world.csrf)), ("POST", Some(&world.claim))]
            {
                let mut request = Request::builder().method(method).uri("/").header(name, &value);
                if let Some(proof) = proof {
                    request = request.header("anti-csrf", proof);
                }
                requests.push(request.body(()).expect("a request"));
            }
        }
    }
    let mut admitted = 0;
    for request in requests {
        let inner = service_fn(|request: Request<()>| async move {
            Ok::<_, std::convert::Infallible>(http::Response::new(Full::from(
                if request.extensions().get::<Session>().is_some() { "admitted" } else { "nobody" },
            )))
        });
        let mut service = layer.layer(inner);
        debug(watch, "a service", &service);
        let future = Service::<Request<()>>::call(&mut service, request);
        debug(watch, "a future", &future);
        let response = future.await.expect("infallible");
        debug(watch, "headers", response.headers());
        if let Some(failure) = response.extensions().get::<AuthError>() {
            error(watch, "an AuthError", failure);
            debug(watch, "a kind", &failure.kind());
        }
        let body: Full<bytes::Bytes> = response.into_body();
        let body = body.collect().await.expect("infallible").to_bytes();
        admitted += usize::from(body == "admitted");
        watch.text("a body", std::str::from_utf8(&body).expect("text"));
    }
    assert!(admitted > 3, "only {admitted} requests were admitted");
    debug(watch, "a layer", &layer);
    watch.log();
}

fn sessions(world: &World, watch: &Watch) {
    let verifier = world.verifier();
    for token in world.tokens() {
        let input = VerifyInput::new(&token, now());
        debug(watch, "a question", &input);
        let verdict = verifier.verify(input);
        debug(watch, "a verdict", &verdict);
        let Verdict::Ready(Ok(Some(session))) = verdict else { continue };
        debug(watch, "a session", &session);
        debug(watch, "a user id", session.user_id());
        failed(watch, "a claim of another type", session.claim::<u8>("secretClaim"));
        failed(watch, "a claim of a struct's type", session.claim::<std::time::Duration>("secretClaim"));
    }
    debug(watch, "a verifier with sessions in its cache", &verifier);
    let user = UserId::new(world.user.as_str()).expect("an id");
    debug(watch, "a builder", &Session::assertion(user, now()).with_handle(world.handle.as_str()));
    for bad in [format!(" {}", world.user), format!("{}\n", world.user), world.user.repeat(20)] {
        failed(watch, "a bad user id", UserId::new(bad));
    }
    watch.log();
}

/// Refusals of claims tell the client what is wrong; that is for the client alone.
async fn claims(world: &World, watch: &Watch) {
    let layer = layer(world)
        .with_claim_validator(PrimitiveClaim::new("secretClaim").has_value("another"))
        .with_claim_validator(PrimitiveArrayClaim::new("roles").includes("admin"))
        .with_claim_validator(Tenant::exactly("another"));
    let token = world.tokens().remove(0);
    let request = Request::builder().header("authorization", format!("Bearer {token}")).body(()).expect("a request");
    let inner = service_fn(|_: Request<()>| async {
        Ok::<_, std::convert::Infallible>(http::Response::new(Full::<bytes::Bytes>::default()))
    });
    let response = layer.layer(inner).call(request).await.expect("infallible");
    assert_eq!(response.status(), 403);
    let failure = response.extensions().get::<AuthError>().expect("an error");
    assert_eq!(failure.claims().len(), 3);
    error(watch, "an AuthError with claims", failure);
    debug(watch, "refused claims", &failure.claims());
    debug(watch, "a layer with validators", &layer);

    let authenticator = Authenticator::new(world.verifier(), MemoryStore::new());
    let request = Request::builder().header("authorization", format!("Bearer {token}")).body(()).expect("a request");
    let authentication = authenticator.authenticate("GET", request.headers());
    debug(watch, "an authentication", &authentication);
    let authenticated = authentication.await.expect("a session");
    debug(watch, "what was authenticated", &authenticated);
    debug(watch, "an authenticator", &authenticator);
    watch.log();
}

async fn documents(world: &World, watch: &Watch) {
    let user = UserId::new(world.user.as_str()).expect("an id");
    let store: Arc<dyn MetadataStore> = Arc::new(MemoryStore::new().with_limits(Limits::default()));
    let handle = UserMetadataHandle::admin(user.clone(), Arc::clone(&store));
    let value = world.value.as_str();
    let update = metadata_update! { "field": value, "nested": { "deep": [value] } };
    debug(watch, "an update", &update);
    let record = handle.update(update).await.expect("memory");
    debug(watch, "a record", &record);
    debug(watch, "a document", &record.metadata);
    debug(watch, "a handle", &handle);
    debug(watch, "a store", &store);
    for bad in [
        format!(r#"{{"a":"{value}","#),
        format!(r#"["{value}"]"#),
        format!(r#""{value}""#),
        format!(r#"{{"{value}":1,"{value}":2}}"#),
        format!(r#"{{"a":"{value}\u0000"}}"#),
        format!(r#"{{"a":"{value}\ud800"}}"#),
        format!(r#"{{"{value}":1e99999}}"#),
        format!(r#"{{"{value}":{}1{}}}"#, "[".repeat(200), "]".repeat(200)),
    ] {
        failed(watch, "a malformed document", Metadata::from_json(bad.as_bytes()));
        failed(watch, "a malformed update", MetadataUpdate::from_json(bad.as_bytes()));
    }
    for (place, update) in [
        ("a long name", MetadataUpdate::new().set(&value.repeat(40), &1)),
        ("a large value", MetadataUpdate::new().set("a", &value.repeat(10_000))),
        (
            "what JSON cannot hold",
            MetadataUpdate::new().set(value, &std::collections::HashMap::from([((1, value), 2)])),
        ),
    ] {
        failed(watch, place, handle.update(update).await);
    }
    let other = Precondition::Version("0123456789abcdef".parse().expect("a version"));
    debug(watch, "a precondition", &other);
    failed(watch, "another version", handle.update_if(metadata_update! { "field": value }, other).await);
    failed(watch, "a document that is there", handle.clear_if(Precondition::Absent).await);
    failed(watch, "a document of another type", handle.get_as::<Vec<String>>().await);
    failed(watch, "a document of a struct's type", handle.get_as::<std::time::Duration>().await);
    let document = handle.get().await.expect("memory");
    failed(watch, "a field of another type", document.get::<bool>("field"));
    failed(watch, "a document of another type", document.to::<[u8; 3]>());
    failed(watch, "too many conflicts", contested(&handle, &store, &user).await);
    handle.clear().await.expect("memory");
    watch.log();
}

/// A change that somebody else always comes before.
async fn contested(
    handle: &UserMetadataHandle,
    store: &Arc<dyn MetadataStore>,
    user: &UserId,
) -> Result<tower_user_metadata::Record, tower_user_metadata::StoreError> {
    let change = |document: &Metadata| {
        let update = metadata_update! { "other": document.len() };
        let other = store.update(user, &update, &Precondition::None);
        // The memory store is ready at once.
        let mut other = std::pin::pin!(other);
        let _ = other.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop()));
        metadata_update! { "mine": 1 }
    };
    handle.modify(change).await
}

/// What the ready-made endpoints answer to a mistake is seen by a client, but logs see it as well.
async fn endpoints(world: &World, watch: &Watch) {
    let user = UserId::new(world.user.as_str()).expect("an id");
    let handle = UserMetadataHandle::admin(user, MemoryStore::new());
    let value = world.value.as_str();
    let service = UserMetadataEndpoints::new().with_required_preconditions();
    debug(watch, "the endpoints", &service);
    for (method, name, header, body) in [
        ("PATCH", "if-match", "*", format!(r#"{{"a":"{value}"}}"#)),
        ("PATCH", "if-match", value, format!(r#"{{"a":"{value}"}}"#)),
        ("PATCH", "if-none-match", "*", format!(r#"{{"a":"{value}""#)),
        ("PATCH", "if-none-match", "*", format!(r#"["{value}"]"#)),
        ("PATCH", "content-type", value, String::new()),
        ("PATCH", "if-none-match", "*", format!(r#"{{"{value}":1,"{value}":2}}"#)),
        ("PATCH", "if-none-match", "*", value.repeat(100_000)),
        ("DELETE", "x-unused", value, String::new()),
        ("POST", "x-unused", value, String::new()),
    ] {
        let request = Request::builder().method(method).uri(format!("/?{value}")).header(name, header);
        let request = request.extension(handle.clone()).body(Full::<bytes::Bytes>::from(body)).expect("a request");
        let response = service.oneshot(request).await.expect("infallible");
        assert!(!response.status().is_success(), "{method} {name}");
        debug(watch, "headers", response.headers());
        let body = response.into_body().collect().await.expect("infallible").to_bytes();
        watch.text("a problem", std::str::from_utf8(&body).expect("text"));
    }
    watch.log();
}

/// A handler that panics, and the wrong use of what the crate hands out.
async fn panics(world: &World, watch: &Watch) {
    let layer = layer(world);
    let token = world.tokens().remove(0);
    let request = Request::builder().header("authorization", format!("Bearer {token}")).body(()).expect("a request");
    let handler = tokio::spawn(async move {
        let inner = service_fn(|request: Request<()>| async move {
            let session = request.extensions().get::<Session>().cloned();
            let handle = request.extensions().get::<UserMetadataHandle>().cloned();
            panic!("handler: {session:?} {handle:?}");
            #[expect(unreachable_code, reason = "it names the type of the response")]
            Ok::<_, std::convert::Infallible>(http::Response::new(Full::<bytes::Bytes>::default()))
        });
        let _ = layer.layer(inner).call(request).await;
    });
    assert!(handler.await.is_err());
    let document = Metadata::from_json(format!(r#"{{"field":"{}"}}"#, world.value).as_bytes()).expect("a document");
    let unwrapped = std::panic::catch_unwind(|| document.get::<u8>("field").expect("a number"));
    assert!(unwrapped.is_err());
    watch.panicked(2);
}
