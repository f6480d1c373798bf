use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::routing::post;
use http::Method;
use tower::ServiceExt;
use tower_user_metadata::endpoints::UserMetadataEndpoints;
use tower_user_metadata::layer::NoSession;
use tower_user_metadata::{MetadataStore, MetadataUpdate, Session, StoreError, UserMetadataHandle};

use super::{HANDLE_ALONE, Host, caller, cases};
use crate::shared::{Answer, Headers, request};

async fn user_id(metadata: UserMetadataHandle) -> String {
    metadata.user_id().as_str().to_owned()
}

async fn greet(metadata: Option<UserMetadataHandle>) -> String {
    metadata.map_or_else(|| "stranger".to_owned(), |metadata| metadata.user_id().as_str().to_owned())
}

async fn update(metadata: UserMetadataHandle, update: MetadataUpdate) -> Result<String, StoreError> {
    Ok(metadata.update(update).await?.metadata.to_json())
}

struct Axum(Router);

impl Host for Axum {
    const REMEDIES: Option<[&'static str; 2]> = Some([
        HANDLE_ALONE,
        "no session was verified for this route: add `UserMetadataLayer::new(verifier, store)` around it, or let your own \
         middleware insert `UserMetadataHandle::for_user(user, store)`",
    ]);

    async fn new(store: Arc<dyn MetadataStore>) -> Self {
        let own = from_fn(move |mut request: Request, next: Next| {
            let user = request.headers().get("x-user").and_then(|id| id.to_str().ok());
            match caller(user, &store) {
                Some(metadata) => drop(request.extensions_mut().insert(metadata)),
                None => drop(request.extensions_mut().insert(NoSession)),
            }
            next.run(request)
        });
        Self(
            Router::new()
                .route("/user", post(user_id))
                .route("/greet", post(greet))
                .route("/update", post(update))
                .route("/session", post(async |_: Session| {}))
                .route_service("/endpoints", UserMetadataEndpoints::new())
                .route_layer(own)
                .route("/forgotten", post(user_id)),
        )
    }

    async fn send(&self, method: Method, path: &str, headers: Headers, body: &[u8]) -> Answer {
        let mut request = request(method, headers, Body::from(body.to_vec()));
        *request.uri_mut() = path.parse().expect("a path");
        let mut response = self.0.clone().oneshot(request).await.expect("infallible");
        // axum's own.
        response.headers_mut().remove(http::header::CONTENT_LENGTH);
        Answer::collect(response).await
    }
}

cases!(Axum);
