use bytes::Bytes;
use http::Response;

use super::Authenticator;
use crate::problem::{Hook, Problem};

impl Authenticator {
    /// Renders refusals, invalid updates, errors of stores and all else that is a [`Problem`], in place of
    /// `{"message":"…"}`: what the layer or the middleware with this authenticator refuses, what extractors and the ready-made
    /// endpoints answer, and the errors that handlers inside return.
    ///
    /// The function gets the problem and the answer as it would be, and gives back the answer: status and headers stay as they
    /// are unless it changes them. Headers that a handler added to its answer, such as cookies, stay too, unless the function
    /// sets the same one; of `Set-Cookie` and `Vary` both are sent. What says something of the old body goes. Answers that are
    /// no problem never get here. Where layers stand in one another, the innermost renders. gRPC statuses are not rendered.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use http::header::CONTENT_TYPE;
    /// use http::{HeaderValue, Request, Response};
    /// use http_body_util::{BodyExt, Full};
    /// use tower::{Layer, ServiceExt};
    /// use tower_user_metadata::endpoints::{Problem, UserMetadataEndpoints};
    /// # use tower_user_metadata::session::keys::{Algorithm, VerificationKey};
    /// # use tower_user_metadata::session::JwtVerifier;
    /// # use tower_user_metadata::{Authenticator, UserMetadataLayer, store::MemoryStore};
    ///
    /// /// Problem details (RFC 9457).
    /// fn problem_details(problem: &Problem, mut answer: Response<Bytes>) -> Response<Bytes> {
    ///     let status = answer.status().as_u16();
    ///     let body = serde_json::json!({ "title": problem.to_string(), "status": status }).to_string();
    ///     answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    ///     answer.map(|_| body.into())
    /// }
    ///
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// # let key = VerificationKey::from_secret(Algorithm::HS256, b"nT7#kq2!vX9@mZ4$wR8%yB6^cD3&fG5*")?;
    /// # let verifier = JwtVerifier::builder(key).with_issuer("https://auth.example.com").build()?;
    /// let authenticator = Authenticator::new(verifier, MemoryStore::new()).with_problem_response(problem_details);
    /// let service = UserMetadataLayer::from_authenticator(authenticator).layer(UserMetadataEndpoints::new());
    /// let refused = service.oneshot(Request::new(Full::<Bytes>::default())).await?;
    /// assert_eq!(refused.headers()["content-type"], "application/problem+json");
    /// assert_eq!(refused.headers()["www-authenticate"], "Bearer");
    /// assert_eq!(refused.into_body().collect().await?.to_bytes(), r#"{"status":401,"title":"unauthorised"}"#);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_problem_response(
        self,
        render: impl Fn(&Problem, Response<Bytes>) -> Response<Bytes> + Send + Sync + 'static,
    ) -> Self {
        self.with(|inner| inner.hook = Some(Hook::new(render)))
    }

    /// Renders an answer anew that carries a [`Problem`] in its extensions, by the function of
    /// [`with_problem_response`](Self::with_problem_response); any other answer stays as it is, and so do all without such a
    /// function. For adapters of frameworks that are not here.
    ///
    /// ```
    /// # use tower_user_metadata::session::{Session, SessionVerifier, Verdict, VerifyInput};
    /// # use tower_user_metadata::{Authenticator, AuthError, AuthErrorKind, store::MemoryStore};
    /// # #[derive(Debug)]
    /// # struct Strict;
    /// # impl SessionVerifier for Strict {
    /// #     fn verify(&self, _: VerifyInput<'_>) -> Verdict {
    /// #         Verdict::Ready(Err(AuthError::new(AuthErrorKind::BadSignature)))
    /// #     }
    /// # }
    /// use tower_user_metadata::endpoints::Problem;
    ///
    /// # let authenticator = Authenticator::new(Strict, MemoryStore::new());
    /// let authenticator = authenticator.with_problem_response(|_, answer| answer.map(|_| "no".into()));
    /// let problem: Problem = AuthError::new(AuthErrorKind::Expired).into();
    /// assert_eq!(authenticator.render(problem.into_response()).body(), "no");
    /// assert_eq!(authenticator.render(http::Response::new("yes".into())).body(), "yes");
    /// ```
    #[must_use]
    pub fn render(&self, answer: Response<Bytes>) -> Response<Bytes> {
        let rendered =
            self.hook().and_then(|hook| hook.replacement(answer.status(), answer.headers(), answer.extensions()));
        match rendered {
            Some(mut rendered) => {
                let mut extensions = answer.into_parts().0.extensions;
                extensions.extend(std::mem::take(rendered.extensions_mut()));
                *rendered.extensions_mut() = extensions;
                rendered
            }
            None => answer,
        }
    }

    pub(crate) fn hook(&self) -> Option<&Hook> {
        self.0.hook.as_ref()
    }
}
