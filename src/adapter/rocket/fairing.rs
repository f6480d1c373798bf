use bytes::Bytes;
use rocket::fairing::{self, Fairing, Info, Kind};
use rocket::http::{HeaderMap, Status};
use rocket::outcome::Outcome;
use rocket::{Build, Request, Response, Rocket};

use super::convert::convert;
use super::known::known;
use crate::authenticator::Authenticator;
use crate::endpoints::Problem;
use crate::session::Headers;

/// The fairing that the guards of this crate need. Attach it once; see the [module](super) for an example.
///
/// It makes the authenticator part of the application's state, and renders what the guards refuse, in place of what a
/// catcher made of the status: as the ready-made endpoints do, or as
/// [`with_problem_response`](crate::Authenticator::with_problem_response) of the authenticator says. For one route alone, give
/// the answer another status in a catcher, which finds the reason by [`refusal`](super::refusal).
#[derive(Clone, Debug)]
pub struct UserMetadata(pub(super) Option<Authenticator>);

impl UserMetadata {
    /// The fairing. Whether a session is required the guards say, and not
    /// [`Authenticator::with_optional_sessions`](crate::Authenticator::with_optional_sessions).
    #[must_use]
    pub fn fairing(authenticator: Authenticator) -> Self {
        Self(Some(authenticator.with_optional_sessions()))
    }

    /// The fairing for an application that [has sessions already](super#you-have-sessions-already), and tells by
    /// [`put_user_metadata`](super::put_user_metadata) whose a request is.
    #[must_use]
    pub fn without_authenticator() -> Self {
        Self(None)
    }
}

#[rocket::async_trait]
impl Fairing for UserMetadata {
    fn info(&self) -> Info {
        // A second one would find the state taken.
        Info { name: "user metadata", kind: Kind::Ignite | Kind::Response | Kind::Singleton }
    }

    async fn on_ignite(&self, rocket: Rocket<Build>) -> fairing::Result {
        Ok(rocket.manage(self.clone()))
    }

    async fn on_response<'r>(&self, request: &'r Request<'_>, response: &mut Response<'r>) {
        // Another route may have answered after this one was refused.
        if let Some(problem) = refusal(request).filter(|problem| problem.status().as_u16() == response.status().code) {
            // Leaves the headers that others have set.
            response.merge(render(request, problem.into_response()));
        }
    }
}

/// The problem for which a guard of this crate refused the request, for catchers and fairings.
#[must_use]
pub fn refusal(request: &Request<'_>) -> Option<Problem> {
    known(request).get().cloned()
}

/// An answer of this crate in the form that the application wants.
pub(super) fn render<'r>(request: &Request<'_>, answer: http::Response<Bytes>) -> Response<'r> {
    let fairing: Option<&UserMetadata> = request.rocket().state();
    convert(match fairing.and_then(|fairing| fairing.0.as_ref()) {
        Some(authenticator) => authenticator.render(answer),
        None => answer,
    })
}

/// Of a guard: leaves the problem where the fairing finds it, and gives the status for a catcher.
pub(super) fn outcome<T, F>(request: &Request<'_>, found: Result<T, Problem>) -> Outcome<T, (Status, Problem), F> {
    if let Err(problem) = &found {
        known(request).insert(problem.clone());
    }
    found.map_or_else(|problem| Outcome::Error((Status::new(problem.status().as_u16()), problem)), Outcome::Success)
}

impl Headers for HeaderMap<'_> {
    fn visit<'a>(&'a self, name: &str, visit: &mut dyn FnMut(&'a [u8])) {
        self.get(name).for_each(|value| visit(value.as_bytes()));
    }
}
