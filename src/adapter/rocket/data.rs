use rocket::data::{self, ByteUnit, Data, DataStream, FromData};
use rocket::http::Method;
use rocket::route::{self, Handler, Route};
use rocket::{Ignite, Request, Rocket, Sentinel};
use tokio_util::io::ReaderStream;

use super::fairing::{outcome, render};
use super::guards::{authenticator, found, required};
use crate::adapter::body::Chunks;
use crate::endpoints::{Problem, UserMetadataEndpoints, read_update};
use crate::handle::UserMetadataHandle;
use crate::metadata::MetadataUpdate;

/// Read from the body with the limits of the user's store, whatever limits Rocket has for other data; so it needs a
/// session.
#[rocket::async_trait]
impl<'r> FromData<'r> for MetadataUpdate {
    type Error = Problem;

    async fn from_data(request: &'r Request<'_>, data: Data<'r>) -> data::Outcome<'r, Self> {
        let update = async {
            let metadata: UserMetadataHandle = required(request).await?;
            read_update(request.headers(), body(data).await, metadata.limits()).await
        };
        outcome(request, update.await)
    }
}

/// The application does not start without the fairing.
impl Sentinel for MetadataUpdate {
    fn abort(rocket: &Rocket<Ignite>) -> bool {
        UserMetadataHandle::abort(rocket)
    }
}

/// The [ready-made endpoints](crate::endpoints) as a route, to be mounted where they shall be.
impl From<UserMetadataEndpoints> for Vec<Route> {
    fn from(endpoints: UserMetadataEndpoints) -> Self {
        use Method::{Connect, Delete, Get, Options, Patch, Post, Put, Trace};
        // Those that the endpoints do not take, they answer themselves; `HEAD` Rocket makes of `GET`.
        [Get, Patch, Delete, Post, Put, Options, Trace, Connect].map(|method| Route::new(method, "/", endpoints)).into()
    }
}

#[rocket::async_trait]
impl Handler for UserMetadataEndpoints {
    async fn handle<'r>(&self, request: &'r Request<'_>, data: Data<'r>) -> route::Outcome<'r> {
        let answer = async {
            let (method, headers) = (request.method().as_str(), request.headers());
            // What does not pass as a preflight is refused before the endpoints would take it for one.
            let passes = authenticator(request).is_none_or(|sessions| sessions.passes_preflight(method, headers));
            let metadata = if passes { found(request).await? } else { Some(required(request).await?) };
            Ok(self.respond(method, headers, metadata.as_ref(), body(data).await).await)
        };
        outcome(request, answer.await).map(|answer| render(request, answer)).map_error(|(status, _)| status)
    }
}

/// As many bytes Rocket reads of every body before it asks anybody.
const PEEKED: usize = "_method=delete".len();

/// Without a limit of Rocket's: no more of it is read than may be kept.
///
/// Where a body breaks off within the bytes that Rocket has read already, Rocket logs that and shows what it has as if it were
/// all. Then it holds fewer bytes than it wanted and does not say that they are complete.
async fn body(mut data: Data<'_>) -> Chunks<ReaderStream<DataStream<'_>>> {
    let broken = !data.peek_complete() && data.peek(PEEKED).await.len() < PEEKED;
    Chunks::new(ReaderStream::new(data.open(ByteUnit::max_value()))).broken(broken)
}
