//! The application on Rocket. Run it with
//!
//! ```sh
//! cargo run --example rocket --features jwks,rocket,sqlite
//! ```

mod app;

use std::io::Cursor;
use std::net::SocketAddr;
use std::time::Duration;

use app::{App, Cleared, Reply, Shutdown, Updated};
use rocket::config::{Config, LogLevel};
use rocket::data::{Capped, Data, ToByteUnit};
use rocket::fairing::AdHoc;
use rocket::http::{ContentType, Status};
use rocket::response::{self, Responder};
use rocket::{Ignite, Request, Response, Rocket, State, catch, catchers, get, post, routes};
use tokio::runtime::Runtime;
use tower_user_metadata::adapter::rocket::{UserMetadata, refusal};
use tower_user_metadata::endpoints::Problem;
use tower_user_metadata::{Authenticator, MetadataUpdate, StoreError, UserMetadataHandle};

/// Far more than a login needs.
const LOGIN_KIBIBYTES: u32 = 64;

#[tokio::main]
async fn main() -> Result<(), app::Error> {
    let app = App::from_env().await?;
    let sessions = Authenticator::new(app.verifier.clone(), app.store.clone());
    let address = app.address();
    let mut config = Config { address: address.ip(), port: address.port(), ..Config::default() };
    // Rocket logs to where the application says that it listens.
    config.log_level = LogLevel::Off;
    // Told to stop by `Shutdown`, as every example is, which gives requests in flight ten seconds.
    config.shutdown.ctrlc = false;
    config.shutdown.signals.clear();
    (config.shutdown.grace, config.shutdown.mercy) = (10, 1);

    let announced = app.clone();
    let rocket = rocket::custom(config)
        .attach(UserMetadata::fairing(sessions))
        .attach(AdHoc::on_liftoff("announcement", move |rocket| {
            let address = SocketAddr::new(rocket.config().address, rocket.config().port);
            announced.announce(address, "http");
            Box::pin(std::future::ready(()))
        }))
        .mount("/", routes![user_info, update_info, clear_info, login])
        .register("/", catchers![no_route, no_method])
        .manage(app.clone())
        .ignite()
        .await?;

    let shutdown = Shutdown::on_signal()?;
    let server = serve(rocket, shutdown.begun());
    shutdown.finish(Box::pin(server), &*app.store).await
}

/// Runs the server until it is told to stop and its connections have ended.
///
/// Told to stop, Rocket lets idle connections go and still waits for all of its grace, if there was a connection when it
/// looked. In a runtime of its own the tasks are those of connections, so that it can be seen when there are none.
async fn serve(rocket: Rocket<Ignite>, begun: impl Future<Output = ()>) -> Result<(), app::Error> {
    let runtime = Runtime::new()?;
    let (tasks, handle) = (runtime.handle().metrics(), rocket.shutdown());
    let mut server = runtime.spawn(rocket.launch());
    let _connections = Connections(Some(runtime));
    tokio::select! {
        ended = &mut server => ended.map_err(app::Error::from).and_then(|ended| Ok(ended.map(drop)?)),
        () = begun => {
            handle.notify();
            while tasks.num_alive_tasks() > usize::from(!server.is_finished()) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            Ok(())
        }
    }
}

/// Their runtime, which must not be waited for where it is dropped: within another one.
struct Connections(Option<Runtime>);

impl Drop for Connections {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

#[get("/userinfo")]
async fn user_info(metadata: UserMetadataHandle) -> Result<Reply, StoreError> {
    Ok(Reply::json(200, &metadata.get().await?))
}

#[post("/updateinfo", data = "<update>")]
async fn update_info(metadata: UserMetadataHandle, update: MetadataUpdate) -> Result<Reply, StoreError> {
    let record = metadata.update(update).await?;
    Ok(Reply::json(200, &Updated::new(record.metadata)))
}

#[post("/clearinfo")]
async fn clear_info(metadata: UserMetadataHandle) -> Result<Reply, StoreError> {
    metadata.clear().await?;
    Ok(Reply::json(200, &Cleared::new()))
}

#[post("/login", data = "<body>")]
async fn login(app: &State<App>, body: Data<'_>) -> Reply {
    let body = body.open(LOGIN_KIBIBYTES.kibibytes()).into_bytes().await.ok().filter(Capped::is_complete);
    app.login(&body.map(Capped::into_inner).unwrap_or_default())
}

#[catch(404)]
fn no_route(request: &Request<'_>) -> Reply {
    Reply::no_route(request.uri().path().as_str())
}

/// A method that it does not know Rocket refuses itself.
#[catch(400)]
fn no_method(request: &Request<'_>) -> Result<Reply, Problem> {
    refusal(request).map_or_else(|| Ok(no_route(request)), Err)
}

impl<'r> Responder<'r, 'static> for Reply {
    fn respond_to(self, _: &'r Request<'_>) -> response::Result<'static> {
        let mut response = Response::build();
        response.status(Status::new(self.status)).header(ContentType::JSON);
        if let Some(allow) = self.allow {
            response.raw_header("Allow", allow);
        }
        response.sized_body(self.body.len(), Cursor::new(self.body)).ok()
    }
}
