use std::sync::Arc;

use async_trait::async_trait;
use http::Method;
use salvo_core::writing::Writer;
use salvo_core::{Depot, FlowCtrl, Handler, Request, Response, Router, Service, handler};
use tower_user_metadata::adapter::salvo::{Optional, user_metadata};
use tower_user_metadata::endpoints::UserMetadataEndpoints;
use tower_user_metadata::layer::NoSession;
use tower_user_metadata::{MetadataStore, MetadataUpdate, Session, StoreError, UserMetadataHandle};

use super::{HANDLE_ALONE, Host, caller, cases, user};
use crate::salvo::send;
use crate::shared::{Answer, Headers, authenticator};

#[handler]
fn user_id(metadata: UserMetadataHandle) -> String {
    metadata.user_id().as_str().to_owned()
}

#[handler]
fn greet(metadata: Optional<UserMetadataHandle>) -> String {
    metadata.0.map_or_else(|| "stranger".to_owned(), |metadata| metadata.user_id().as_str().to_owned())
}

#[handler]
async fn update(metadata: UserMetadataHandle, changes: MetadataUpdate) -> Result<String, StoreError> {
    Ok(metadata.update(changes).await?.metadata.to_json())
}

#[handler]
fn session(found: Session) -> String {
    found.user_id().as_str().to_owned()
}

/// Where the hoop of such a service puts what it knows.
#[derive(Clone, Copy)]
enum Place {
    Depot,
    Extensions,
}

struct Own(Arc<dyn MetadataStore>, Place);

#[async_trait]
impl Handler for Own {
    async fn handle(&self, request: &mut Request, depot: &mut Depot, _: &mut Response, _: &mut FlowCtrl) {
        match (caller(request.header("x-user"), &self.0), self.1) {
            (Some(metadata), Place::Depot) => drop(depot.insert_typed(metadata)),
            (None, Place::Depot) => drop(depot.insert_typed(NoSession)),
            (Some(metadata), Place::Extensions) => drop(request.extensions_mut().insert(metadata)),
            (None, Place::Extensions) => drop(request.extensions_mut().insert(NoSession)),
        }
    }
}

fn service(own: Own) -> Service {
    let inner = Router::new()
        .hoop(own)
        .push(Router::with_path("user").goal(user_id))
        .push(Router::with_path("greet").goal(greet))
        .push(Router::with_path("update").goal(update))
        .push(Router::with_path("session").goal(session))
        .push(Router::with_path("endpoints").goal(UserMetadataEndpoints::new()))
        .push(Router::with_path("ours").hoop(user_metadata(&authenticator().with_optional_sessions())).goal(greet));
    Service::new(Router::new().push(Router::with_path("forgotten").goal(user_id)).push(inner))
}

const FORGOTTEN: &str = "no session was verified for this route: hoop it with `user_metadata(&authenticator)`, or let your \
                         own hoop inject `UserMetadataHandle::for_user(user, store)` into the depot";

macro_rules! places {
    ($($module:ident $place:ident)*) => {$(
        mod $module {
            use super::*;

            struct $place(Service);

            impl Host for $place {
                const REMEDIES: Option<[&'static str; 2]> = Some([HANDLE_ALONE, FORGOTTEN]);

                async fn new(store: Arc<dyn MetadataStore>) -> Self {
                    Self(service(Own(store, Place::$place)))
                }

                async fn send(&self, method: Method, path: &str, headers: Headers, body: &[u8]) -> Answer {
                    send(&self.0, method, path, headers, body).await
                }
            }

            cases!($place);
        }
    )*};
}

places!(depot Depot extensions Extensions);

/// Whom an outer hoop has signed in is a stranger to the hoop inside, if that knows nobody.
#[tokio::test]
async fn the_hoop_inside_has_the_last_word() {
    for place in [Place::Depot, Place::Extensions] {
        let service = service(Own(Arc::new(tower_user_metadata::store::MemoryStore::new()), place));
        assert_eq!(send(&service, Method::POST, "/greet", user("bob"), b"").await.body, "bob");
        assert_eq!(send(&service, Method::POST, "/ours", user("bob"), b"").await.body, "stranger");
        let both = [user("bob"), crate::shared::signed_in(&crate::shared::bearer())].concat();
        assert_eq!(send(&service, Method::POST, "/ours", both, b"").await.body, "alice");
    }
}
