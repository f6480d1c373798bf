use std::sync::Arc;

use actix_web::test::{TestRequest, call_service, init_service};
use actix_web::{App, HttpMessage, dev::Service, web};
use http::Method;
use tower_user_metadata::adapter::actix::{Optional, endpoints};
use tower_user_metadata::endpoints::UserMetadataEndpoints;
use tower_user_metadata::layer::NoSession;
use tower_user_metadata::{AuthError, MetadataStore, MetadataUpdate, Session, StoreError, UserMetadataHandle};

use super::{HANDLE_ALONE, Host, caller, cases};
use crate::actix::answer;
use crate::shared::{Answer, Headers, with_reason};

async fn user_id(metadata: UserMetadataHandle) -> String {
    metadata.user_id().as_str().to_owned()
}

async fn greet(Optional(metadata): Optional<UserMetadataHandle>) -> String {
    metadata.map_or_else(|| "stranger".to_owned(), |metadata| metadata.user_id().as_str().to_owned())
}

async fn update(metadata: UserMetadataHandle, update: MetadataUpdate) -> Result<String, StoreError> {
    Ok(metadata.update(update).await?.metadata.to_json())
}

async fn session(session: Session) -> String {
    session.user_id().as_str().to_owned()
}

struct Actix(Arc<dyn MetadataStore>);

impl Host for Actix {
    const REMEDIES: Option<[&'static str; 2]> = Some([
        HANDLE_ALONE,
        "no session was verified for this route: wrap it in `user_metadata(&authenticator)`, or let your own middleware \
         insert `UserMetadataHandle::for_user(user, store)`",
    ]);

    async fn new(store: Arc<dyn MetadataStore>) -> Self {
        Self(store)
    }

    async fn send(&self, method: Method, path: &str, headers: Headers, body: &[u8]) -> Answer {
        let store = Arc::clone(&self.0);
        let own = web::scope("")
            .wrap_fn(move |request, service| {
                let user = request.headers().get("x-user").and_then(|id| id.to_str().ok());
                match caller(user, &store) {
                    Some(metadata) => drop(request.extensions_mut().insert(metadata)),
                    None => drop(request.extensions_mut().insert(NoSession)),
                }
                service.call(request)
            })
            .service(web::resource("/user").to(user_id))
            .service(web::resource("/greet").to(greet))
            .service(web::resource("/update").to(update))
            .service(web::resource("/session").to(session))
            .service(web::resource("/endpoints").route(endpoints(UserMetadataEndpoints::new())));
        let app = App::new().service(web::resource("/forgotten").to(user_id)).service(own);
        let request = headers.iter().fold(TestRequest::default(), |request, (name, value)| {
            request.append_header((name.as_str(), value.as_bytes()))
        });
        let method = method.as_str().parse().expect("a method");
        let request = request.method(method).uri(path).set_payload(body.to_vec());
        let response = call_service(&init_service(app).await, request.to_request()).await;
        let told = response.response().extensions().contains::<AuthError>();
        with_reason(answer(response).await, told)
    }
}

cases!(Actix);
