//! Whatever speaks `http` 1 and Tower, such as bare hyper and AWS Lambda.

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::Full;
use tower::ServiceExt;
use tower_user_metadata::MetadataStore;
use tower_user_metadata::adapter::RequestExt;
use tower_user_metadata::endpoints::{Problem, UserMetadataEndpoints, read_update};
use tower_user_metadata::layer::NoSession;

use super::{HANDLE_ALONE, Host, caller, cases};
use crate::shared::{Answer, Headers, request};

async fn answer(request: Request<Full<Bytes>>) -> Result<Bytes, Problem> {
    Ok(match request.uri().path() {
        "/greet" => match request.optional_user_metadata()? {
            Some(metadata) => metadata.user_id().as_str().to_owned().into(),
            None => "stranger".into(),
        },
        "/update" => {
            let metadata = request.user_metadata()?;
            let (parts, body) = request.into_parts();
            let update = read_update(&parts.headers, body, metadata.limits()).await?;
            metadata.update(update).await?.metadata.to_json().into()
        }
        "/session" => request.session().map(|_| Bytes::new())?,
        _ => request.user_metadata()?.user_id().as_str().to_owned().into(),
    })
}

struct Tower(Arc<dyn MetadataStore>);

impl Host for Tower {
    const REMEDIES: Option<[&'static str; 2]> = Some([
        HANDLE_ALONE,
        "no session was verified for this route: add `UserMetadataLayer::new(verifier, store)` around it, or let your own \
         middleware insert `UserMetadataHandle::for_user(user, store)`",
    ]);

    async fn new(store: Arc<dyn MetadataStore>) -> Self {
        Self(store)
    }

    async fn send(&self, method: Method, path: &str, headers: Headers, body: &[u8]) -> Answer {
        let mut request = request(method, headers, Full::new(Bytes::copy_from_slice(body)));
        *request.uri_mut() = path.parse().expect("a path");
        let user = request.headers().get("x-user").and_then(|id| id.to_str().ok());
        match caller(user, &self.0) {
            _ if path == "/forgotten" => {}
            Some(metadata) => drop(request.extensions_mut().insert(metadata)),
            None => drop(request.extensions_mut().insert(NoSession)),
        }
        let response = match path {
            "/endpoints" => UserMetadataEndpoints::new().oneshot(request).await.expect("infallible"),
            _ => answer(request).await.map(Response::new).unwrap_or_else(Problem::into_response).map(Full::new),
        };
        Answer::collect(response).await
    }
}

cases!(Tower);
