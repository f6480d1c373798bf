use std::io;

use bytes::Bytes;
use rocket::data::{self, Data, FromData, ToByteUnit};
use rocket::http::Method;
use rocket::outcome::Outcome;
use rocket::route::{self, Handler, Route};
use rocket::{Ignite, Request, Rocket, Sentinel};

use super::guards::{refuse, required};
use super::response::convert;
use crate::adapter::body::{Chunks, Once};
use crate::endpoints::{Problem, UserMetadataEndpoints, read_update};
use crate::handle::UserMetadataHandle;
use crate::metadata::{Limits, MetadataUpdate};

/// Read from the body with the limits of the user's store, whatever limits Rocket has for other data; so it needs a
/// session.
#[rocket::async_trait]
impl<'r> FromData<'r> for MetadataUpdate {
    type Error = Problem;

    async fn from_data(request: &'r Request<'_>, data: Data<'r>) -> data::Outcome<'r, Self> {
        match update(request, data).await {
            Ok(update) => Outcome::Success(update),
            Err(problem) => Outcome::Error(refuse(request, problem)),
        }
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
        match respond(*self, request, data).await {
            Ok(response) => Outcome::Success(convert(response)),
            Err(problem) => Outcome::Error(refuse(request, problem).0),
        }
    }
}

async fn update(request: &Request<'_>, data: Data<'_>) -> Result<MetadataUpdate, Problem> {
    let limits = required(request).await?.metadata.limits();
    read_update(request.headers(), body(request, data, limits), limits).await
}

async fn respond(
    endpoints: UserMetadataEndpoints,
    request: &Request<'_>,
    data: Data<'_>,
) -> Result<http::Response<Bytes>, Problem> {
    let metadata: UserMetadataHandle = required(request).await?.metadata;
    let body = body(request, data, metadata.limits());
    let mut converted = http::Request::builder().method(request.method().as_str());
    for header in request.headers().iter() {
        converted = converted.header(header.name.as_str(), &*header.value);
    }
    // They came as a method and as headers.
    let converted = converted.extension(metadata).body(body);
    let converted = converted.map_err(|_| Problem::new(http::StatusCode::BAD_REQUEST, "the request is malformed"))?;
    Ok(endpoints.respond(converted).await)
}

/// One byte more than may be kept, so that a larger body is seen to be one.
fn body<'r>(
    request: &Request<'_>,
    data: Data<'r>,
    limits: Limits,
) -> Chunks<Once<impl Future<Output = io::Result<Bytes>> + use<'r>>> {
    let limit = limits.document_bytes().saturating_add(1).bytes();
    let read = async move { Ok(data.open(limit).into_bytes().await?.into_inner().into()) };
    Chunks::new(request.headers(), Once::new(read))
}
