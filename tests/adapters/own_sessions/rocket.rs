use std::sync::Arc;

use http::Method;
use rocket::fairing::AdHoc;
use rocket::local::asynchronous::Client;
use rocket::request::{FromRequest, Outcome};
use rocket::{Request, State, post, routes};
use tower_user_metadata::adapter::rocket::{Claims, Demand, Optional, UserMetadata, put_user_metadata};
use tower_user_metadata::endpoints::UserMetadataEndpoints;
use tower_user_metadata::session::claims::{ClaimValidator, PrimitiveArrayClaim};
use tower_user_metadata::store::MemoryStore;
use tower_user_metadata::{MetadataStore, MetadataUpdate, Session, StoreError, UserMetadataHandle};

use super::{HANDLE_ALONE, Host, caller, cases, user};
use crate::rocket::send;
use crate::shared::{Answer, Headers, authenticator, bearer, signed_in};

#[post("/user")]
fn user_id(metadata: UserMetadataHandle) -> String {
    metadata.user_id().as_str().to_owned()
}

#[post("/greet")]
fn greet(metadata: Optional<UserMetadataHandle>) -> String {
    metadata.0.map_or_else(|| "stranger".to_owned(), |metadata| metadata.user_id().as_str().to_owned())
}

#[post("/update", data = "<update>")]
async fn update(metadata: UserMetadataHandle, update: MetadataUpdate) -> Result<String, StoreError> {
    Ok(metadata.update(update).await?.metadata.to_json())
}

#[post("/session")]
fn session(session: Session) -> String {
    session.user_id().as_str().to_owned()
}

struct Admin;

impl Demand for Admin {
    fn validator() -> impl ClaimValidator {
        PrimitiveArrayClaim::USER_ROLE.includes("admin")
    }
}

#[post("/admin")]
fn admin(_admin: Claims<Admin>) {}

/// A guard of the service itself.
struct Caller;

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Caller {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, ()> {
        let store: &State<Arc<dyn MetadataStore>> = request.guard().await.expect("it is managed");
        put_user_metadata(request, caller(request.headers().get_one("x-user"), store));
        Outcome::Success(Self)
    }
}

#[post("/guarded")]
fn guarded(_caller: Caller, metadata: UserMetadataHandle) -> String {
    user_id(metadata)
}

async fn client(store: Arc<dyn MetadataStore>, fairing: UserMetadata) -> Client {
    let config = rocket::Config { log_level: rocket::config::LogLevel::Off, ..rocket::Config::default() };
    let shared = Arc::clone(&store);
    let own = AdHoc::on_request("own sessions", move |request, _| {
        let store = Arc::clone(&shared);
        Box::pin(async move {
            if !["/forgotten", "/guarded"].iter().any(|path| request.uri().path().starts_with(path)) {
                put_user_metadata(request, caller(request.headers().get_one("x-user"), &store));
            }
        })
    });
    let rocket = rocket::custom(config)
        .attach(own)
        .attach(fairing)
        .manage(store)
        .mount("/", routes![user_id, greet, update, session, admin, guarded])
        .mount("/forgotten", routes![forgotten, session])
        .mount("/endpoints", UserMetadataEndpoints::new());
    Client::untracked(rocket).await.expect("it starts")
}

#[post("/")]
fn forgotten(metadata: UserMetadataHandle) -> String {
    user_id(metadata)
}

struct Rocket(Client);

impl Host for Rocket {
    const REMEDIES: Option<[&'static str; 2]> = Some([
        HANDLE_ALONE,
        "no session was verified: attach `UserMetadata::fairing(authenticator)` to the application, or call \
         `put_user_metadata(request, …)` before this guard",
    ]);

    async fn new(store: Arc<dyn MetadataStore>) -> Self {
        Self(client(store, UserMetadata::without_authenticator()).await)
    }

    async fn send(&self, method: Method, path: &str, headers: Headers, body: &[u8]) -> Answer {
        send(&self.0, method, path, headers, body).await
    }
}

cases!(Rocket);

#[tokio::test]
async fn a_guard_of_the_services_own_may_say_who_calls() {
    let host = Rocket::new(Arc::new(MemoryStore::new())).await;
    assert_eq!(host.send(Method::POST, "/guarded", user("alice"), b"").await.body, "alice");
    assert_eq!(host.send(Method::POST, "/guarded", vec![], b"").await.status, 401);
    let demanded = host.send(Method::POST, "/admin", user("alice"), b"").await;
    assert_eq!((demanded.status, demanded.body), (500, format!(r#"{{"message":"{HANDLE_ALONE}"}}"#)));
}

/// Sessions of both kinds in one application: who was put counts, and where nobody spoke, the authenticator is asked.
#[tokio::test]
async fn what_was_put_counts_before_what_would_be_verified() {
    let client = client(Arc::new(MemoryStore::new()), UserMetadata::fairing(authenticator())).await;
    let both = [user("bob"), signed_in(&bearer())].concat();
    assert_eq!(send(&client, Method::POST, "/user", both.clone(), b"").await.body, "bob");
    assert_eq!(send(&client, Method::POST, "/session", both, b"").await.status, 500);
    assert_eq!(send(&client, Method::POST, "/user", signed_in(&bearer()), b"").await.status, 401);
    assert_eq!(send(&client, Method::POST, "/forgotten", signed_in(&bearer()), b"").await.body, "alice");
    assert_eq!(send(&client, Method::POST, "/forgotten/session", signed_in(&bearer()), b"").await.body, "alice");
}
