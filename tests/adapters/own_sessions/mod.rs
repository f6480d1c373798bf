//! Services whose own middleware has verified who calls: in each framework the handle that it puts there is found as
//! that of the layer is.

mod actix;
mod axum;
mod poem;
mod rocket;
mod salvo;
mod tower;
mod warp;

use std::sync::Arc;

use http::{HeaderName, HeaderValue, Method};
use tower_user_metadata::{MetadataStore, UserId, UserMetadataHandle, metadata_update};

use crate::shared::{
    Answer, Headers, bad_bodies, bearer, endpoints_answer, json, layer_answer, preflight, signed_in, small_store,
};

/// A service with these routes, all but the last in its own middleware, which believes the header `x-user`:
///
/// | Path | Takes | Answers |
/// |---|---|---|
/// | `/user` | the handle | the id of the user |
/// | `/greet` | the handle, if anybody is signed in | the same, or `stranger` |
/// | `/update` | the handle and an update | the document |
/// | `/endpoints` | any method | as the ready-made endpoints |
/// | `/session` | a session | |
/// | `/forgotten` | the handle | |
trait Host {
    /// What is said where a handler takes a session, and where the middleware was forgotten, if either can be.
    const REMEDIES: Option<[&'static str; 2]>;

    async fn new(store: Arc<dyn MetadataStore>) -> Self;

    async fn send(&self, method: Method, path: &str, headers: Headers, body: &[u8]) -> Answer;
}

const HANDLE_ALONE: &str = "this request has a `UserMetadataHandle` of your own middleware and no `Session`: take the \
                            handle, or insert a `Session` too";

/// Whom the middleware of such a service takes a request for.
fn caller(user: Option<&str>, store: &Arc<dyn MetadataStore>) -> Option<UserMetadataHandle> {
    user.map(|user| UserMetadataHandle::for_user(UserId::new(user).expect("an id"), Arc::clone(store)))
}

fn user(id: &'static str) -> Headers {
    vec![(HeaderName::from_static("x-user"), HeaderValue::from_static(id))]
}

async fn the_callers_own_document_is_read_and_written<H: Host>() {
    let store: Arc<dyn MetadataStore> = Arc::new(small_store());
    let host = H::new(Arc::clone(&store)).await;
    for id in ["alice", "bob"] {
        assert_eq!(host.send(Method::POST, "/user", user(id), b"").await.body, id);
        assert_eq!(host.send(Method::POST, "/greet", user(id), b"").await.body, id);
        let update = format!(r#"{{"id":"{id}"}}"#);
        let headers = || [json(), user(id)].concat();
        assert_eq!(host.send(Method::POST, "/update", headers(), update.as_bytes()).await.body, update);
        let patched = host.send(Method::PATCH, "/endpoints", headers(), br#"{"theme":"dark"}"#).await;
        assert_eq!((patched.status, patched.headers.contains_key("etag")), (200, true));
    }
    let job = UserMetadataHandle::admin(UserId::new("alice").expect("an id"), Arc::clone(&store));
    job.update(metadata_update! { "id": null }).await.expect("memory");
    assert_eq!(host.send(Method::GET, "/endpoints", user("alice"), b"").await.body, r#"{"theme":"dark"}"#);
    let deleted = host.send(Method::DELETE, "/endpoints", user("alice"), b"").await;
    assert_eq!((deleted.status, &*deleted.body), (204, ""));
    assert_eq!(host.send(Method::GET, "/endpoints", user("bob"), b"").await.body, r#"{"id":"bob","theme":"dark"}"#);
}

async fn a_stranger_is_refused_as_by_the_layer<H: Host>() {
    let host = H::new(Arc::new(small_store())).await;
    // A token that the middleware knows nothing of signs nobody in.
    for headers in [vec![], signed_in(&bearer())] {
        for path in ["/user", "/update"] {
            let refused = host.send(Method::POST, path, headers.clone(), b"").await;
            assert_eq!(refused, layer_answer(vec![]).await, "{path}");
        }
        let refused = host.send(Method::GET, "/endpoints", headers.clone(), b"").await;
        assert_eq!((refused.status, &*refused.body), (401, r#"{"message":"unauthorised"}"#));
        assert_eq!(host.send(Method::POST, "/greet", headers, b"").await.body, "stranger");
    }
    let allowed = host.send(Method::OPTIONS, "/endpoints", preflight(), b"").await;
    assert_eq!((allowed.status, &*allowed.body), (204, ""));
}

async fn bad_bodies_get_the_answers_of_the_endpoints<H: Host>() {
    let store = small_store();
    let host = H::new(Arc::new(store.clone())).await;
    for (name, headers, body) in bad_bodies() {
        let expected = endpoints_answer(store.clone(), headers.clone(), body.clone()).await;
        let headers = || [headers.clone(), user("alice")].concat();
        assert_eq!(host.send(Method::POST, "/update", headers(), &body).await, expected, "{name}");
        assert_eq!(host.send(Method::PATCH, "/endpoints", headers(), &body).await.uncached(), expected, "{name}");
    }
}

async fn what_is_not_there_is_the_developers_mistake<H: Host>() {
    let Some([no_session, forgotten]) = H::REMEDIES else { return };
    let host = H::new(Arc::new(small_store())).await;
    for (path, remedy) in [("/session", no_session), ("/forgotten", forgotten)] {
        let answer = host.send(Method::POST, path, user("alice"), b"").await;
        assert_eq!((answer.status, answer.body), (500, format!(r#"{{"message":"{remedy}"}}"#)), "{path}");
    }
}

macro_rules! cases {
    ($host:ty) => {
        crate::own_sessions::cases! {
            $host:
            the_callers_own_document_is_read_and_written
            a_stranger_is_refused_as_by_the_layer
            bad_bodies_get_the_answers_of_the_endpoints
            what_is_not_there_is_the_developers_mistake
        }
    };
    ($host:ty: $($case:ident)*) => {$(
        #[tokio::test]
        async fn $case() {
            crate::own_sessions::$case::<$host>().await;
        }
    )*};
}

use cases;
