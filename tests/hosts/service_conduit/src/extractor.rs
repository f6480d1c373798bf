use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::{Extension, RequestPartsExt};
use hmac::{Hmac, Mac};
use jwt::{SignWithKey, VerifyWithKey};
use serde::{Deserialize, Serialize};
use sha2::Sha384;
use uuid::Uuid;

use crate::Context;
use crate::error::Error;

const TWO_WEEKS: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// Who is signed in. `Option<AuthUser>` is for routes that strangers see too; a bad token is refused there as well.
pub(crate) struct AuthUser {
    pub(crate) user_id: Uuid,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    user_id: Uuid,
    exp: u64,
}

impl AuthUser {
    pub(crate) fn token(&self, context: &Context) -> Result<String, Error> {
        let exp = (SystemTime::now() + TWO_WEEKS).duration_since(UNIX_EPOCH)?.as_secs();
        Ok(Claims { user_id: self.user_id, exp }.sign_with_key(&key(context)?)?)
    }

    fn from_token(context: &Context, token: &str) -> Result<Self, Error> {
        let claims: Claims = token.verify_with_key(&key(context)?).map_err(|_| Error::Unauthorized)?;
        if claims.exp < SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs() {
            return Err(Error::Unauthorized);
        }
        Ok(Self { user_id: claims.user_id })
    }
}

fn key(context: &Context) -> Result<Hmac<Sha384>, Error> {
    Ok(Hmac::new_from_slice(context.hmac_key.as_bytes())?)
}

impl<S: Send + Sync> FromRequestParts<S> for AuthUser {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        <Self as OptionalFromRequestParts<S>>::from_request_parts(parts, state).await?.ok_or(Error::Unauthorized)
    }
}

impl<S: Send + Sync> OptionalFromRequestParts<S> for AuthUser {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Error> {
        let Extension(context) = parts.extract::<Extension<Context>>().await?;
        let Some(header) = parts.headers.get(AUTHORIZATION) else { return Ok(None) };
        let token = header.to_str().ok().and_then(|header| header.strip_prefix("Token "));
        Ok(Some(Self::from_token(&context, token.ok_or(Error::Unauthorized)?)?))
    }
}
