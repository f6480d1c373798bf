//! Demands on the claims of a session: one of your own beside one that comes with the crate. Run it with
//!
//! ```sh
//! cargo run --example custom_claim
//! ```
//!
//! It starts no server: it sends four requests to a service in the same process and prints the answers.

use std::convert::Infallible;
use std::error::Error;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Value, json};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_user_metadata::session::JwtVerifier;
use tower_user_metadata::session::claims::{BooleanClaim, ClaimInput, ClaimRejection, ClaimValidator};
use tower_user_metadata::session::keys::{Algorithm, VerificationKey};
use tower_user_metadata::store::MemoryStore;
use tower_user_metadata::{Session, UserMetadataLayer};

/// Lets in whoever accepted the terms of use, in this edition or a later one: `"terms": 3` in the token.
#[derive(Debug)]
struct AcceptedTerms {
    edition: u32,
}

impl ClaimValidator for AcceptedTerms {
    fn id(&self) -> &str {
        "terms"
    }

    fn validate(&self, input: &ClaimInput<'_>) -> Result<(), ClaimRejection> {
        // A claim that is not a number counts as one that is missing: what cannot be read is refused.
        let accepted: Option<u32> = input.session.claim("terms").ok().flatten();
        if accepted.is_some_and(|accepted| accepted >= self.edition) {
            return Ok(());
        }
        // The client is sent this, so it says what to do and nothing that the user may not know.
        let reason = json!({ "message": "the terms of use are not accepted", "edition": self.edition });
        Err(ClaimRejection::with_reason(reason))
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret)?;
    // The audience tells these tokens from what else the secret may sign.
    let key = VerificationKey::from_secret(Algorithm::HS256, secret)?;
    let verifier = JwtVerifier::builder(key).with_audience("welcome").build()?;
    let service = UserMetadataLayer::new(verifier, MemoryStore::new())
        .with_claim_validator(BooleanClaim::EMAIL_VERIFICATION.is_true())
        .with_claim_validator(AcceptedTerms { edition: 3 })
        .layer(service_fn(welcome));

    let verified = json!({ "v": true, "t": 1_700_000_000_000_u64 });
    let good = token(&secret, &json!({ "st-ev": verified, "terms": 3 }))?;
    let old_terms = token(&secret, &json!({ "st-ev": verified, "terms": 2 }))?;
    let no_claims = token(&secret, &json!({}))?;

    let (status, body) = answer(&service, "no token", None).await?;
    assert_eq!((status, &*body), (StatusCode::UNAUTHORIZED, r#"{"message":"unauthorised"}"#));

    let (status, body) = answer(&service, "a token without claims", Some(&no_claims)).await?;
    let missing_email = json!({ "message": "value does not exist", "expectedValue": true });
    let missing_terms = json!({ "message": "the terms of use are not accepted", "edition": 3 });
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert_eq!(
        serde_json::from_str::<Value>(&body)?,
        json!({
            "message": "invalid claim",
            "claimValidationErrors": [
                { "id": "st-ev", "reason": missing_email },
                { "id": "terms", "reason": missing_terms },
            ],
        })
    );

    let (status, body) = answer(&service, "a token with old terms", Some(&old_terms)).await?;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert_eq!(
        serde_json::from_str::<Value>(&body)?["claimValidationErrors"],
        json!([{ "id": "terms", "reason": missing_terms }])
    );

    let (status, body) = answer(&service, "a token with both claims", Some(&good)).await?;
    assert_eq!((status, &*body), (StatusCode::OK, "welcome, alice"));
    Ok(())
}

/// Runs only when every demand is met.
async fn welcome(request: Request<()>) -> Result<Response<Full<Bytes>>, Infallible> {
    let session = request.extensions().get::<Session>();
    let name = session.map_or("stranger", |session| session.user_id().as_str());
    Ok(Response::new(Full::from(format!("welcome, {name}"))))
}

/// What an issuer of tokens does: signs who the user is, until when, and what else is known.
fn token(secret: &[u8], claims: &Value) -> Result<String, Box<dyn Error>> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let mut payload = json!({ "sub": "alice", "aud": "welcome", "iat": now, "exp": now + 3600 });
    if let (Value::Object(payload), Value::Object(claims)) = (&mut payload, claims) {
        payload.extend(claims.clone());
    }
    Ok(jsonwebtoken::encode(&Header::default(), &payload, &EncodingKey::from_secret(secret)?)?)
}

async fn answer<S>(service: &S, what: &str, token: Option<&str>) -> Result<(StatusCode, String), Box<dyn Error>>
where
    S: Service<Request<()>, Response = Response<Full<Bytes>>, Error = Infallible> + Clone,
{
    let mut request = Request::get("/");
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let response = service.clone().oneshot(request.body(())?).await?;
    let status = response.status();
    let body = String::from_utf8(response.into_body().collect().await?.to_bytes().to_vec())?;
    println!("GET / with {what}\n  {status}\n  {body}");
    Ok((status, body))
}

#[test]
fn the_example_runs() -> Result<(), Box<dyn Error>> {
    main()
}
