use rocket::fairing::{Fairing, Info, Kind};
use rocket::http::HeaderMap;
use rocket::{Build, Request, Response, Rocket, fairing};

use super::guards::Refusal;
use super::response::fill;
use crate::authenticator::Authenticator;
use crate::session::Headers;

/// What the guards of this crate need: attach it once; see the [module](super) for an example.
///
/// It makes the authenticator part of the application's state, and renders what the guards refuse, as
/// [`JsonRejection`](crate::layer::JsonRejection) and the ready-made endpoints do, in place of what a catcher made of the
/// status. To render something else, attach another fairing after this one, or give the answer another status in a catcher:
/// both find the reason by [`refusal`](super::refusal).
#[derive(Clone, Debug)]
pub struct UserMetadata(Authenticator);

impl UserMetadata {
    /// The fairing. Whether a session is required the guards say, and not
    /// [`Authenticator::optional`](crate::Authenticator::optional).
    #[must_use]
    pub fn fairing(authenticator: Authenticator) -> Self {
        Self(authenticator.optional())
    }

    /// The authenticator of the application.
    pub(super) fn authenticator(&self) -> &Authenticator {
        &self.0
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
        let refused = Refusal::of(request).filter(|problem| problem.status().as_u16() == response.status().code);
        if let Some(problem) = refused {
            fill(response, problem.into_response());
        }
    }
}

impl Headers for HeaderMap<'_> {
    fn visit<'a>(&'a self, name: &str, visit: &mut dyn FnMut(&'a [u8])) {
        self.get(name).for_each(|value| visit(value.as_bytes()));
    }
}
