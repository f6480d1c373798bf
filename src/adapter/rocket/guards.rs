use std::marker::PhantomData;

use rocket::request::{self, FromRequest};
use rocket::{Ignite, Request, Rocket, Sentinel};

use super::fairing::{UserMetadata, outcome};
use crate::adapter::Optional;
use crate::authenticator::{Authenticated, Authenticator};
use crate::endpoints::Problem;
use crate::handle::UserMetadataHandle;
use crate::session::Session;
use crate::session::claims::ClaimValidator;

const REMEDY: &str = "no session was verified: attach `UserMetadata::fairing(authenticator)` to the application";

/// The demand of a [`Claims`] guard on a session; see the [module](super) for an example.
pub trait Demand: 'static {
    /// The validator; made anew for each request.
    fn validator() -> impl ClaimValidator;
}

/// A request guard that lets only sessions pass whose claims satisfy the demand; everybody else is refused, with a 403 if
/// there is a session.
pub struct Claims<D>(PhantomData<fn() -> D>);

impl<D> std::fmt::Debug for Claims<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Claims")
    }
}

macro_rules! guard {
    ($guard:ty $(where $generic:ident: $bound:path)?, $request:ident => $found:expr) => {
        #[rocket::async_trait]
        impl<'r, $($generic: $bound)?> FromRequest<'r> for $guard {
            type Error = Problem;

            async fn from_request($request: &'r Request<'_>) -> request::Outcome<Self, Problem> {
                outcome($request, $found)
            }
        }

        /// The application does not start without the fairing.
        impl<$($generic: $bound)?> Sentinel for $guard {
            fn abort(rocket: &Rocket<Ignite>) -> bool {
                rocket.state::<UserMetadata>().is_none()
            }
        }
    };
}

guard!(Session, request => required(request).await.map(Session::from));
guard!(UserMetadataHandle, request => required(request).await.map(UserMetadataHandle::from));
guard!(Optional<T> where T: From<Authenticated>, request => found(request).await.map(|found| Self(found.map(T::from))));
guard!(Claims<D> where D: Demand, request => demand::<D>(request).await);

/// The session and its user's metadata; a stranger is refused.
pub(super) async fn required(request: &Request<'_>) -> Result<Authenticated, Problem> {
    Ok(Authenticated::required(found(request).await?)?)
}

/// Verified once a request, however many guards ask.
async fn found(request: &Request<'_>) -> Result<Option<Authenticated>, Problem> {
    let authenticator = authenticator(request)?;
    let verified = async { authenticator.authenticate(request.method().as_str(), request.headers()).await };
    Ok(request.local_cache_async(verified).await.clone()?)
}

async fn demand<D: Demand>(request: &Request<'_>) -> Result<Claims<D>, Problem> {
    authenticator(request)?.check(&required(request).await?.session, &D::validator())?;
    Ok(Claims(PhantomData))
}

pub(super) fn authenticator<'r>(request: &'r Request<'_>) -> Result<&'r Authenticator, Problem> {
    let fairing: Option<&UserMetadata> = request.rocket().state();
    fairing.map(|fairing| &fairing.0).ok_or_else(|| Problem::missing_middleware(REMEDY))
}
