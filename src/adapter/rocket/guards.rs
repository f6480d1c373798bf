use std::marker::PhantomData;

use rocket::request::{self, FromRequest};
use rocket::{Ignite, Request, Rocket, Sentinel};

use super::fairing::{UserMetadata, outcome};
use super::known::known;
use crate::adapter::Optional;
use crate::adapter::extensions::{is_told, optional};
use crate::authenticator::{Authenticator, no_session};
use crate::endpoints::Problem;
use crate::handle::UserMetadataHandle;
use crate::layer::admit;
use crate::session::Session;
use crate::session::claims::ClaimValidator;

const REMEDY: &str = "no session was verified: attach `UserMetadata::fairing(authenticator)` to the application, or call \
                      `put_user_metadata(request, …)` before this guard";

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
    ($guard:ty $(where [$($generic:tt)+])?, $request:ident => $found:expr) => {
        #[rocket::async_trait]
        impl<'r, $($($generic)+)?> FromRequest<'r> for $guard {
            type Error = Problem;

            async fn from_request($request: &'r Request<'_>) -> request::Outcome<Self, Problem> {
                outcome($request, $found)
            }
        }

        /// The application does not start without the fairing.
        impl<$($($generic)+)?> Sentinel for $guard {
            fn abort(rocket: &Rocket<Ignite>) -> bool {
                rocket.state::<UserMetadata>().is_none()
            }
        }
    };
}

guard!(Session, request => required(request).await);
guard!(UserMetadataHandle, request => required(request).await);
guard!(Optional<T> where [T: Clone + Send + Sync + 'static], request => found(request).await.map(Self));
guard!(Claims<D> where [D: Demand], request => demand::<D>(request).await);

/// A stranger is refused.
pub(super) async fn required<T: Clone + Send + Sync + 'static>(request: &Request<'_>) -> Result<T, Problem> {
    found(request).await?.ok_or_else(|| no_session().into())
}

/// Of whom the application has put, else of the session, which is verified once a request, however many guards ask.
pub(super) async fn found<T: Clone + Send + Sync + 'static>(request: &Request<'_>) -> Result<Option<T>, Problem> {
    let told = is_told(&*known(request));
    if let (false, Some(authenticator)) = (told, authenticator(request)) {
        let verified = async { authenticator.authenticate(request.method().as_str(), request.headers()).await };
        let verified = request.local_cache_async(verified).await.clone();
        admit(&mut known(request), verified)?;
    }
    optional(&*known(request), REMEDY)
}

async fn demand<D: Demand>(request: &Request<'_>) -> Result<Claims<D>, Problem> {
    let session = required(request).await?;
    // Where there is a session, there is somebody who verified it.
    authenticator(request).map_or(Ok(()), |sessions| sessions.check(&session, &D::validator()))?;
    Ok(Claims(PhantomData))
}

/// `None` where the application verifies its sessions by itself.
pub(super) fn authenticator<'r>(request: &'r Request<'_>) -> Option<&'r Authenticator> {
    request.rocket().state::<UserMetadata>()?.0.as_ref()
}
