use std::marker::PhantomData;
use std::sync::{Mutex, PoisonError};

use rocket::http::Status;
use rocket::outcome::Outcome;
use rocket::request::{self, FromRequest};
use rocket::{Ignite, Request, Rocket, Sentinel};

use super::fairing::UserMetadata;
use crate::adapter::Optional;
use crate::authenticator::Authenticated;
use crate::endpoints::Problem;
use crate::handle::UserMetadataHandle;
use crate::session::claims::ClaimValidator;
use crate::session::{AuthError, AuthErrorKind, Session};

const MISSING_FAIRING: &str =
    "no session was verified: attach `UserMetadata::fairing(authenticator)` to the application";

/// What a [`Claims`] guard demands of a session; see the [module](super) for an example.
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

/// What a guard of this crate refused the request with, for catchers and fairings.
#[must_use]
pub fn refusal(request: &Request<'_>) -> Option<Problem> {
    Refusal::of(request)
}

macro_rules! guard {
    ($guard:ty $(where $generic:ident: $bound:path)?, $request:ident => $outcome:expr) => {
        #[rocket::async_trait]
        impl<'r, $($generic: $bound)?> FromRequest<'r> for $guard {
            type Error = Problem;

            async fn from_request($request: &'r Request<'_>) -> request::Outcome<Self, Problem> {
                match $outcome {
                    Ok(found) => Outcome::Success(found),
                    Err(problem) => Outcome::Error(refuse($request, problem)),
                }
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
    found(request).await?.ok_or_else(|| AuthError::new(AuthErrorKind::MissingCredentials).into())
}

/// Verified once a request, however many guards ask.
async fn found(request: &Request<'_>) -> Result<Option<Authenticated>, Problem> {
    let authenticator = fairing(request)?.authenticator();
    let authentication = authenticator.authenticate(request.method().as_str(), request.headers());
    request.local_cache_async(authentication).await.clone().map_err(Problem::from)
}

async fn demand<D: Demand>(request: &Request<'_>) -> Result<Claims<D>, Problem> {
    let session = required(request).await?.session;
    fairing(request)?.authenticator().check(&session, &D::validator())?;
    Ok(Claims(PhantomData))
}

fn fairing<'r>(request: &'r Request<'_>) -> Result<&'r UserMetadata, Problem> {
    request.rocket().state().ok_or_else(|| Problem::developers_mistake(MISSING_FAIRING))
}

/// In the cache of a request: the last refusal.
#[derive(Default)]
pub(super) struct Refusal(Mutex<Option<Problem>>);

impl Refusal {
    pub(super) fn of(request: &Request<'_>) -> Option<Problem> {
        request.local_cache(Self::default).0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Leaves the problem where the fairing finds it, and gives the status for a catcher.
pub(super) fn refuse(request: &Request<'_>, problem: Problem) -> (Status, Problem) {
    let refusal = request.local_cache(Refusal::default);
    *refusal.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(problem.clone());
    (Status::new(problem.status().as_u16()), problem)
}
