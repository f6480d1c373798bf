use std::sync::Arc;

use http::Method;
use poem::{Endpoint, EndpointExt, Request, Route, handler};
use tower_user_metadata::adapter::poem::Optional;
use tower_user_metadata::endpoints::UserMetadataEndpoints;
use tower_user_metadata::layer::NoSession;
use tower_user_metadata::{MetadataStore, MetadataUpdate, Session, StoreError, UserMetadataHandle};

use super::{HANDLE_ALONE, Host, caller, cases};
use crate::poem::answer;
use crate::shared::{Answer, Headers};

#[handler]
fn user_id(metadata: UserMetadataHandle) -> String {
    metadata.user_id().as_str().to_owned()
}

#[handler]
fn greet(Optional(metadata): Optional<UserMetadataHandle>) -> String {
    metadata.map_or_else(|| "stranger".to_owned(), |metadata| metadata.user_id().as_str().to_owned())
}

#[handler]
async fn update(metadata: UserMetadataHandle, update: MetadataUpdate) -> Result<String, StoreError> {
    Ok(metadata.update(update).await?.metadata.to_json())
}

#[handler]
fn session(found: Session) -> String {
    found.user_id().as_str().to_owned()
}

struct Poem(poem::endpoint::BoxEndpoint<'static>);

impl Host for Poem {
    const REMEDIES: Option<[&'static str; 2]> = Some([
        HANDLE_ALONE,
        "no session was verified for this route: wrap it with `user_metadata(&authenticator)`, or let your own middleware \
         insert `UserMetadataHandle::for_user(user, store)`",
    ]);

    async fn new(store: Arc<dyn MetadataStore>) -> Self {
        let own = Route::new()
            .at("/user", user_id)
            .at("/greet", greet)
            .at("/update", update)
            .at("/session", session)
            .at("/endpoints", UserMetadataEndpoints::new())
            .before(move |mut request: Request| {
                match caller(request.header("x-user"), &store) {
                    Some(metadata) => drop(request.extensions_mut().insert(metadata)),
                    None => drop(request.extensions_mut().insert(NoSession)),
                }
                async { Ok(request) }
            });
        Self(Route::new().at("/forgotten", user_id).nest_no_strip("/", own).boxed())
    }

    async fn send(&self, method: Method, path: &str, headers: Headers, body: &[u8]) -> Answer {
        let mut request = Request::builder().method(method).uri_str(path);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        answer(self.0.get_response(request.body(body.to_vec())).await).await
    }
}

cases!(Poem);
