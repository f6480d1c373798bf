use std::sync::Arc;

use bytes::Bytes;
use http::Method;
use http_body_util::Full;
use tower::ServiceExt;
use tower_user_metadata::adapter::warp::{endpoints_for, metadata_update_within, recover_default};
use tower_user_metadata::endpoints::UserMetadataEndpoints;
use tower_user_metadata::{AuthError, AuthErrorKind, MetadataStore, MetadataUpdate, UserMetadataHandle};
use warp::{Filter, Rejection, Reply};

use super::{Host, caller, cases};
use crate::shared::{Answer, Headers, request};

struct Warp(Arc<dyn MetadataStore>);

impl Host for Warp {
    /// A filter takes what it needs as an argument.
    const REMEDIES: Option<[&'static str; 2]> = None;

    async fn new(store: Arc<dyn MetadataStore>) -> Self {
        Self(store)
    }

    async fn send(&self, method: Method, path: &str, headers: Headers, body: &[u8]) -> Answer {
        let store = Arc::clone(&self.0);
        let limits = store.capabilities().limits();
        let found =
            warp::header::optional::<String>("x-user").map(move |user: Option<String>| caller(user.as_deref(), &store));
        let required = found.clone().and_then(async |metadata: Option<UserMetadataHandle>| {
            metadata.ok_or_else(|| Rejection::from(AuthError::new(AuthErrorKind::MissingCredentials)))
        });
        let id = |metadata: UserMetadataHandle| metadata.user_id().as_str().to_owned();
        let user = warp::path!("user").and(required.clone()).map(id);
        let greet = warp::path!("greet")
            .and(found.clone())
            .map(move |metadata: Option<UserMetadataHandle>| metadata.map_or_else(|| "stranger".to_owned(), id));
        let update = warp::path!("update").and(required).and(metadata_update_within(limits)).and_then(
            async |metadata: UserMetadataHandle, update: MetadataUpdate| {
                Ok::<_, Rejection>(metadata.update(update).await?.metadata.to_json())
            },
        );
        let endpoints = warp::path!("endpoints").and(endpoints_for(found, UserMetadataEndpoints::new()));
        let texts = user.or(greet).unify().or(update).unify().map(Reply::into_response);
        let routes = texts.or(endpoints).unify().recover(recover_default);
        let mut request = request(method, headers, Full::new(Bytes::copy_from_slice(body)));
        *request.uri_mut() = path.parse().expect("a path");
        Answer::collect(warp::service(routes).oneshot(request).await.expect("a rejection is no error")).await
    }
}

cases!(Warp);
