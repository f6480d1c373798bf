use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use http::{Extensions, Request, Response};
use tower::{Layer, Service, service_fn};
use tower_user_metadata::adapter::RequestExt;
use tower_user_metadata::layer::NoSession;
use tower_user_metadata::session::claims::PrimitiveArrayClaim;
use tower_user_metadata::store::{MemoryStore, MetadataStore};
use tower_user_metadata::{
    AuthErrorKind, Authenticator, Limits, Precondition, Session, UserId, UserMetadataHandle, UserMetadataLayer,
    metadata_update,
};

use crate::verifier::{Body, Scripted, answer, both_ways, layer, run, session, with_token};

/// Something of the application's own.
#[derive(Clone, Debug, PartialEq)]
struct Mine(u8);

/// What the handler finds in the extensions, if it is called.
fn extensions(layer: &UserMetadataLayer, request: Request<()>) -> Option<Extensions> {
    let found = Arc::new(Mutex::new(None));
    let handler = service_fn(|request: Request<()>| {
        *found.lock().expect("not poisoned") = Some(request.extensions().clone());
        async { Ok::<Response<Body>, Infallible>(answer("inner")) }
    });
    run(layer.layer(handler).call(request)).expect("infallible");
    found.lock().expect("not poisoned").take()
}

/// As an outer layer, or a client's framework, may have left them: of somebody else, or of another request.
fn with_stale_extensions(mut request: Request<()>) -> Request<()> {
    let mallory = UserId::new("mallory").expect("an id");
    let extensions = request.extensions_mut();
    extensions.insert(session("mallory"));
    extensions.insert(UserMetadataHandle::admin(mallory, Arc::new(MemoryStore::new())));
    extensions.insert(NoSession);
    extensions.insert(Mine(1));
    request
}

#[test]
fn a_good_session_replaces_whatever_was_there() {
    for verifier in both_ways() {
        for layer in [layer(&verifier), layer(&verifier).with_optional_sessions()] {
            let found = extensions(&layer, with_stale_extensions(with_token("good"))).expect("called");
            assert_eq!(found.get::<Session>().expect("a session").user_id().as_str(), "alice");
            assert_eq!(found.get::<UserMetadataHandle>().expect("a handle").user_id().as_str(), "alice");
            assert!(found.get::<NoSession>().is_none());
            assert_eq!(found.get::<Mine>(), Some(&Mine(1)));
        }
    }
}

#[test]
fn where_sessions_are_optional_a_stranger_is_nobody() {
    for verifier in both_ways() {
        let layer = layer(&verifier).with_optional_sessions();
        for request in [Request::new(()), with_stale_extensions(Request::new(()))] {
            let found = extensions(&layer, request).expect("called");
            assert!(found.get::<Session>().is_none());
            assert!(found.get::<UserMetadataHandle>().is_none());
            assert!(found.get::<NoSession>().is_some());
        }
        // Bad credentials are no absence of credentials.
        for token in ["bad", "down"] {
            assert!(extensions(&layer, with_stale_extensions(with_token(token))).is_none(), "{token}");
        }
    }
    for request in [Request::new(()), with_stale_extensions(Request::new(()))] {
        assert!(extensions(&layer(&Scripted::at_once()), request).is_none());
    }
}

/// The session of a visitor who has not signed in: it is in order, and nothing can be forged in anybody's name.
#[test]
fn a_session_in_which_nobody_is_signed_in_is_that_of_a_stranger() {
    let cookie = |method: &str| {
        Request::builder().method(method).header("cookie", "sAccessToken=nobody").body(()).expect("a request")
    };
    let requests = || [with_token("nobody"), cookie("GET"), cookie("POST")];
    for verifier in both_ways() {
        // A demand on claims is one on those who have any.
        let admins = PrimitiveArrayClaim::USER_ROLE.includes("admin");
        let optional = layer(&verifier).with_optional_sessions().with_claim_validator(admins);
        for request in requests() {
            let found = extensions(&optional, with_stale_extensions(request)).expect("called");
            assert!(found.get::<Session>().is_none());
            assert!(found.get::<UserMetadataHandle>().is_none());
            assert!(found.get::<NoSession>().is_some());
        }
        for request in requests() {
            assert!(extensions(&layer(&verifier), request).is_none());
        }
        for token in ["ended", "out-of-reach"] {
            assert!(extensions(&optional, with_token(token)).is_none(), "{token}");
        }
    }
}

/// Some users have a token, and others a session of the application's own: its middleware stands in the layer, and puts
/// a handle where it knows somebody.
#[test]
fn a_middleware_in_an_optional_layer_may_know_who_the_stranger_is() {
    let bob = || UserMetadataHandle::for_user(UserId::new("bob").expect("an id"), MemoryStore::new());
    for verifier in both_ways() {
        let optional = layer(&verifier).with_optional_sessions();
        for (request, known, caller) in [
            (Request::new(()), false, None),
            (Request::new(()), true, Some("bob")),
            (with_token("nobody"), true, Some("bob")),
            (with_token("good"), false, Some("alice")),
            (with_token("good"), true, Some("bob")),
        ] {
            let passed = extensions(&optional, request).expect("called");
            let mut request = Request::new(());
            *request.extensions_mut() = passed;
            if known {
                request.extensions_mut().insert(bob());
            }
            let id = |metadata: UserMetadataHandle| metadata.user_id().as_str().to_owned();
            let found = request.optional_user_metadata().expect("the layer was there").map(id);
            assert_eq!(found.as_deref(), caller);
            assert_eq!(request.user_metadata().ok().map(id).as_deref(), caller);
        }
    }
}

/// The handle in the extensions is that of the layer's store, and the layer itself asks the store for nothing.
#[tokio::test]
async fn the_handle_reads_and_writes_the_store_of_the_layer() {
    let store = MemoryStore::new();
    let verifier = Scripted::at_once();
    let layer = UserMetadataLayer::new(verifier, store.clone());
    let found = extensions(&layer, with_token("good")).expect("called");
    let alice = UserId::new("alice").expect("an id");
    assert!(store.get(&alice).await.expect("memory").is_none());
    let handle = found.get::<UserMetadataHandle>().expect("a handle");
    handle.update(metadata_update! { "theme": "dark" }).await.expect("memory");
    let record = store.get(&alice).await.expect("memory").expect("a document");
    assert_eq!(record.metadata.to_json(), r#"{"theme":"dark"}"#);
    handle.clear_if(Precondition::None).await.expect("memory");
    assert!(store.get(&alice).await.expect("memory").is_none());
}

/// An adapter reads bodies up to them before the store is asked.
#[test]
fn the_limits_are_those_of_the_store() {
    let limits = Limits::default().with_document_bytes(7).with_root_fields(3);
    let store = MemoryStore::new().with_limits(limits);
    assert_eq!(Authenticator::new(Scripted::at_once(), store).limits(), limits);
}

/// A demand in the midst of a handler is what it would be at the layer.
#[test]
fn a_session_can_be_checked_once_more() {
    let authenticator = Authenticator::new(Scripted::at_once(), MemoryStore::new());
    let admin = PrimitiveArrayClaim::USER_ROLE.includes("admin");
    for (claims, expected) in [
        (r#"{"st-role":{"v":["admin"],"t":1}}"#, None),
        (r#"{"st-role":{"v":["user"],"t":1}}"#, Some(AuthErrorKind::InvalidClaims)),
        ("{}", Some(AuthErrorKind::InvalidClaims)),
    ] {
        let alice = UserId::new("alice").expect("an id");
        let session = Session::assertion(alice, UNIX_EPOCH + Duration::from_secs(4_000_000_000));
        let session = session.with_claims(claims.as_bytes(), &[]).expect("claims").build();
        assert_eq!(authenticator.check(&session, &admin).err().map(|error| error.kind()), expected, "{claims}");
    }
}

#[tokio::test]
async fn if_the_layer_says_so_all_parts_of_one_request_share_a_load_and_other_requests_have_their_own() {
    let store = MemoryStore::new();
    let layer = UserMetadataLayer::new(Scripted::at_once(), store.clone()).with_single_load();
    let handle = |found: &Extensions| found.get::<UserMetadataHandle>().expect("a handle").clone();
    let found = extensions(&layer, with_token("good")).expect("called");
    assert!(handle(&found).get().await.expect("memory").is_empty());
    let alice = UserId::new("alice").expect("an id");
    store.update(&alice, &metadata_update! { "n": 1 }, &Precondition::None).await.expect("memory");
    assert!(handle(&found).get().await.expect("memory").is_empty(), "loaded before");
    let later = extensions(&layer, with_token("good")).expect("called");
    assert_eq!(handle(&later).get().await.expect("memory").to_json(), r#"{"n":1}"#);
}
