use rocket::Request;
use rocket::response::{self, Responder};

use super::fairing::render;
use crate::adapter::errors::for_each_error;
use crate::endpoints::Problem;

macro_rules! responder {
    ($(#[$doc:meta])* $error:ty) => {
        $(#[$doc])*
        impl<'r> Responder<'r, 'static> for $error {
            fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
                Ok(render(request, Problem::from(self).into_response()))
            }
        }
    };
}

for_each_error!(responder);
