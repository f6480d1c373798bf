use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use serde::de::DeserializeOwned;

use super::cache::Kept;
use super::clock::{from_unix_millis, unix_millis};
use super::payload::{Payload, Text};
use crate::json::WrongType;
use crate::user_id::{HasUserId, UserId};

/// A verified session: who is calling, until when, and what the token claims.
///
/// The layer puts one into the extensions of each request that has a session. Cheap to clone. `Debug` prints neither
/// ids nor claims.
#[derive(Clone)]
pub struct Session(Arc<Inner>);

pub(crate) struct Inner {
    user: UserId,
    recipe_user: Option<UserId>,
    // Where they stand in the claims, as a rule.
    tenant: Option<Text>,
    handle: Option<Text>,
    anti_csrf_token: Option<Text>,
    issued_at: Option<i64>,
    expires_at: i64,
    claims: Payload,
    /// Names of the claims that belong to the token and not to the application.
    protected: &'static [&'static str],
}

impl Session {
    /// Vouches for a session: the one place where sessions are made, to be called only by a verifier that checked
    /// the token.
    pub fn assertion(user: UserId, expires_at: SystemTime) -> SessionBuilder {
        SessionBuilder(Inner {
            user,
            recipe_user: None,
            tenant: None,
            handle: None,
            anti_csrf_token: None,
            issued_at: None,
            expires_at: unix_millis(expires_at),
            claims: Payload::default(),
            protected: &[],
        })
    }

    /// The user whose session it is; metadata is kept under this id.
    #[must_use]
    pub fn user_id(&self) -> &UserId {
        &self.0.user
    }

    /// The id of the login method that was used, where SuperTokens links several to one user; else the user id.
    #[must_use]
    pub fn recipe_user_id(&self) -> &UserId {
        self.0.recipe_user.as_ref().unwrap_or(&self.0.user)
    }

    /// The tenant of the session. SuperTokens calls its default tenant `public`; `None` where tokens name none.
    #[must_use]
    pub fn tenant_id(&self) -> Option<&str> {
        self.text(&self.0.tenant)
    }

    /// The handle of the session, the same for all of its tokens; `None` where tokens name none.
    #[must_use]
    pub fn handle(&self) -> Option<&str> {
        self.text(&self.0.handle)
    }

    /// When the token was issued, if it says so.
    #[must_use]
    pub fn issued_at(&self) -> Option<SystemTime> {
        self.0.issued_at.map(from_unix_millis)
    }

    /// From when on the token is no longer taken.
    #[must_use]
    pub fn expires_at(&self) -> SystemTime {
        from_unix_millis(self.0.expires_at)
    }

    /// A claim as a `T`; `None` when the token does not have it.
    ///
    /// In SuperTokens tokens of version 2 these are the members of `userData`, in all others those of the token's
    /// root.
    ///
    /// # Errors
    ///
    /// The claim is there and is not a `T`.
    pub fn claim<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, WrongType> {
        self.0.claims.get(name)
    }

    /// A claim as raw JSON text.
    #[must_use]
    pub fn raw_claim(&self, name: &str) -> Option<&str> {
        self.0.claims.raw(name)
    }

    /// The claims that the application put into the token, in order, as raw JSON text: all but those that belong to
    /// the token itself, such as `sub` and `exp`.
    pub fn custom_claims(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.claims.iter().filter(|(name, _)| !self.0.protected.contains(name))
    }

    fn text<'a>(&'a self, text: &'a Option<Text>) -> Option<&'a str> {
        text.as_ref().map(|text| self.0.claims.kept(text))
    }

    pub(crate) fn anti_csrf_token(&self) -> Option<&str> {
        self.text(&self.0.anti_csrf_token)
    }

    /// Itself, for those who only ask whose it is.
    pub(crate) fn owner(&self) -> Arc<dyn HasUserId> {
        self.0.clone()
    }

    pub(crate) fn claims(&self) -> &Payload {
        &self.0.claims
    }
}

impl HasUserId for Inner {
    fn user_id(&self) -> &UserId {
        &self.user
    }
}

impl Kept for Session {
    fn bytes(&self) -> usize {
        let Inner { user, recipe_user, tenant, handle, anti_csrf_token, claims, .. } = &*self.0;
        let ids = user.as_str().len() + recipe_user.as_ref().map_or(0, |user| user.as_str().len());
        let own = |text: &Option<Text>| match text {
            Some(Text::Own(text)) => text.len(),
            _ => 0,
        };
        let texts = [tenant, handle, anti_csrf_token].map(own);
        size_of::<Inner>() + ids + texts.iter().sum::<usize>() + claims.heap_bytes()
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("expires_at", &self.expires_at()).finish_non_exhaustive()
    }
}

/// A session in the making; see [`Session::assertion`].
#[must_use]
pub struct SessionBuilder(Inner);

impl SessionBuilder {
    /// Sets [`Session::recipe_user_id`].
    pub fn with_recipe_user_id(mut self, user: UserId) -> Self {
        self.0.recipe_user = Some(user);
        self
    }

    /// Sets [`Session::tenant_id`].
    pub fn with_tenant_id(mut self, tenant: impl Into<Box<str>>) -> Self {
        self.0.tenant = Some(tenant.into().into());
        self
    }

    /// Sets [`Session::handle`].
    pub fn with_handle(mut self, handle: impl Into<Box<str>>) -> Self {
        self.0.handle = Some(handle.into().into());
        self
    }

    /// Sets [`Session::issued_at`].
    pub fn with_issued_at(mut self, issued_at: SystemTime) -> Self {
        self.0.issued_at = Some(unix_millis(issued_at));
        self
    }

    /// Sets the secret that [`AntiCsrf::ViaToken`](super::AntiCsrf::ViaToken) compares.
    pub fn with_anti_csrf_token(mut self, token: impl Into<Box<str>>) -> Self {
        self.0.anti_csrf_token = Some(token.into().into());
        self
    }

    /// Sets the claims from the text of a JSON object, which is read strictly; [`Session::custom_claims`] leaves out
    /// the `protected` ones.
    ///
    /// # Errors
    ///
    /// The text is not a JSON object, or two of its members have one name.
    pub fn with_claims(self, json: &[u8], protected: &'static [&'static str]) -> Result<Self, super::AuthError> {
        match Payload::parse(json) {
            Ok(claims) => Ok(self.with_payload(claims, protected)),
            Err(_) => Err(super::AuthError::because(super::AuthErrorKind::MalformedClaims, "not a strict JSON object")),
        }
    }

    pub(crate) fn with_payload(mut self, claims: Payload, protected: &'static [&'static str]) -> Self {
        self.0.claims = claims;
        self.0.protected = protected;
        self
    }

    /// The texts that are kept beside the claims of [`with_payload`](Self::with_payload).
    pub(crate) fn with_texts(
        mut self,
        tenant: Option<Text>,
        handle: Option<Text>,
        anti_csrf_token: Option<Text>,
    ) -> Self {
        (self.0.tenant, self.0.handle, self.0.anti_csrf_token) = (tenant, handle, anti_csrf_token);
        self
    }

    /// The session.
    #[must_use]
    pub fn build(self) -> Session {
        Session(Arc::new(self.0))
    }
}

impl fmt::Debug for SessionBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionBuilder(..)")
    }
}
