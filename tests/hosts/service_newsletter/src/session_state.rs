use std::future::{Ready, ready};

use actix_session::{Session, SessionExt, SessionGetError, SessionInsertError};
use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use uuid::Uuid;

const USER_ID: &str = "user_id";

/// A session that holds what this service puts into sessions, and nothing else.
pub(crate) struct TypedSession(Session);

impl TypedSession {
    pub(crate) fn sign_in(&self, user: Uuid) -> Result<(), SessionInsertError> {
        self.0.renew();
        self.0.insert(USER_ID, user)
    }

    pub(crate) fn user(&self) -> Result<Option<Uuid>, SessionGetError> {
        self.0.get(USER_ID)
    }

    pub(crate) fn log_out(self) {
        self.0.purge();
    }
}

impl FromRequest for TypedSession {
    type Error = actix_web::Error;
    type Future = Ready<Result<Self, Self::Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self(request.get_session())))
    }
}
