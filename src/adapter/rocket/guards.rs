use std::marker::PhantomData;

use rocket::request::{self, FromRequest};
use rocket::{Ignite, Request, Rocket, Sentinel};

use super::fairing::{UserMetadata, outcome};
use super::own::put;
use crate::adapter::Optional;
use crate::authenticator::{Authenticated, Authenticator};
use crate::endpoints::Problem;
use crate::handle::UserMetadataHandle;
use crate::session::claims::ClaimValidator;
use crate::session::{AuthError, AuthErrorKind, Session};

const NO_FAIRING: &str = "no session was verified: attach `UserMetadata::fairing(authenticator)` to the application";

const NOBODY_PUT: &str = "no session was verified: call `put_user_metadata(request, …)` before this guard, or attach \
                          `UserMetadata::fairing(authenticator)` to the application";

const NO_SESSIONS: &str = "a `Session` needs `UserMetadata::fairing(authenticator)`: with sessions of your own, take a \
                           `UserMetadataHandle`";

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

guard!(Session, request => session(request).await.and_then(required));
guard!(UserMetadataHandle, request => metadata(request).await.and_then(required));
guard!(Optional<Session>, request => session(request).await.map(Self));
guard!(Optional<UserMetadataHandle>, request => metadata(request).await.map(Self));
guard!(Claims<D> where D: Demand, request => demand::<D>(request).await);

/// A stranger is refused.
pub(super) fn required<T>(found: Option<T>) -> Result<T, Problem> {
    found.ok_or_else(|| AuthError::new(AuthErrorKind::MissingCredentials).into())
}

/// The metadata of whoever the application itself says it is, else of the session's user.
pub(super) async fn metadata(request: &Request<'_>) -> Result<Option<UserMetadataHandle>, Problem> {
    match put(request) {
        Some(put) => Ok(put),
        None => Ok(verified(request, NOBODY_PUT).await?.map(UserMetadataHandle::from)),
    }
}

async fn session(request: &Request<'_>) -> Result<Option<Session>, Problem> {
    Ok(verified(request, NO_SESSIONS).await?.map(Session::from))
}

/// Verified once a request, however many guards ask.
async fn verified(request: &Request<'_>, remedy: &'static str) -> Result<Option<Authenticated>, Problem> {
    let authenticator = authenticator(request)?.ok_or_else(|| Problem::missing_middleware(remedy))?;
    let verified = async { authenticator.authenticate(request.method().as_str(), request.headers()).await };
    Ok(request.local_cache_async(verified).await.clone()?)
}

async fn demand<D: Demand>(request: &Request<'_>) -> Result<Claims<D>, Problem> {
    let session = session(request).await.and_then(required)?;
    if let Some(authenticator) = authenticator(request)? {
        authenticator.check(&session, &D::validator())?;
    }
    Ok(Claims(PhantomData))
}

/// `None` where the application verifies its sessions by itself.
pub(super) fn authenticator<'r>(request: &'r Request<'_>) -> Result<Option<&'r Authenticator>, Problem> {
    let fairing: Option<&UserMetadata> = request.rocket().state();
    fairing.map(|fairing| fairing.authenticator.as_ref()).ok_or_else(|| Problem::missing_middleware(NO_FAIRING))
}
