//! The layers and extractors, each set up as its documentation shows.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::FromRef;
use axum::http::{Request, Response, StatusCode};
use axum_jwt_auth::{Decoder, LocalDecoder};
use axum_keycloak_auth::Url;
use axum_keycloak_auth::decode::ProfileAndEmail;
use axum_keycloak_auth::instance::{KeycloakAuthInstance, KeycloakConfig};
use axum_keycloak_auth::layer::KeycloakAuthLayer;
use clerk_rs::validators::authorizer::ClerkError;
use clerk_rs::validators::axum::ClerkLayer;
use clerk_rs::validators::jwks::{JwksKey, JwksProvider};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use jwt_authorizer::layer::AuthorizationLayer;
use jwt_authorizer::{Authorizer, IntoLayer, JwtAuthorizer, RegisteredClaims};
use serde::Deserialize;
use serde_json::Value;
use tower_http::validate_request::{ValidateRequest, ValidateRequestHeaderLayer};
use tower_oauth2_resource_server::claims::DefaultClaims;
use tower_oauth2_resource_server::layer::OAuth2ResourceServerLayer;
use tower_oauth2_resource_server::server::OAuth2ResourceServer;
use tower_oauth2_resource_server::tenant::TenantConfiguration;
use tower_user_metadata::session::keys::{Algorithm as OurAlgorithm, VerificationKey};
use tower_user_metadata::store::MemoryStore;
use tower_user_metadata::session::JwtVerifier;
use tower_user_metadata::UserMetadataLayer;

use super::issuer::{AUDIENCE, Issuer, KID};

/// Ours, with the cache of verified sessions or without.
pub(crate) fn ours(issuer: &Issuer, cached: bool) -> UserMetadataLayer {
    let key = VerificationKey::from_pem(OurAlgorithm::RS256, issuer.pem.as_bytes()).expect("a public key");
    let verifier = JwtVerifier::builder(key).with_issuer(issuer.url.as_str()).with_audience(AUDIENCE);
    let verifier = if cached { verifier } else { verifier.with_cache_bytes(0) };
    UserMetadataLayer::new(verifier.build(), MemoryStore::new())
}

/// What many services have written for themselves.
#[derive(Clone)]
pub(crate) struct ByHand(Arc<(DecodingKey, Validation)>);

impl<B> ValidateRequest<B> for ByHand {
    type ResponseBody = Body;

    fn validate(&mut self, request: &mut Request<B>) -> Result<(), Response<Body>> {
        let header = request.headers().get("authorization").and_then(|value| value.to_str().ok());
        let token = header.and_then(|value| value.strip_prefix("Bearer "));
        match token.and_then(|token| jsonwebtoken::decode::<Value>(token, &self.0.0, &self.0.1).ok()) {
            Some(decoded) => {
                request.extensions_mut().insert(decoded.claims);
                Ok(())
            }
            None => {
                let mut response = Response::new(Body::empty());
                *response.status_mut() = StatusCode::UNAUTHORIZED;
                Err(response)
            }
        }
    }
}

pub(crate) fn tower_http(issuer: &Issuer) -> ValidateRequestHeaderLayer<ByHand> {
    let mut validation = Validation::new(Algorithm::RS256);
    validation.set_audience(&[AUDIENCE]);
    validation.set_issuer(&[&issuer.url]);
    let key = DecodingKey::from_rsa_pem(issuer.pem.as_bytes()).expect("a public key");
    ValidateRequestHeaderLayer::custom(ByHand(Arc::new((key, validation))))
}

/// For axum 0.7.
pub(crate) async fn jwt_authorizer(issuer: &Issuer) -> AuthorizationLayer<RegisteredClaims> {
    let validation = jwt_authorizer::Validation::new().iss(&[issuer.url.as_str()]).aud(&[AUDIENCE]).nbf(true);
    let authorizer: Authorizer =
        JwtAuthorizer::from_rsa_pem_text(&issuer.pem).validation(validation).build().await.expect("a public key");
    authorizer.into_layer()
}

pub(crate) async fn oauth2_resource_server(issuer: &Issuer) -> OAuth2ResourceServerLayer<Body, DefaultClaims> {
    let tenant = TenantConfiguration::builder(issuer.url.as_str()).audiences(&[AUDIENCE]).build().await;
    let server = <OAuth2ResourceServer>::builder().add_tenant(tenant.expect("a tenant")).build().await;
    server.expect("a resource server").into_layer()
}

pub(crate) struct OneKey(JwksKey);

#[async_trait::async_trait]
impl JwksProvider for OneKey {
    type Error = ClerkError;

    async fn get_key(&self, _: &str) -> Result<JwksKey, ClerkError> {
        Ok(self.0.clone())
    }
}

pub(crate) fn clerk(issuer: &Issuer) -> ClerkLayer<OneKey> {
    let key = JwksKey {
        use_key: "sig".to_owned(),
        kty: "RSA".to_owned(),
        kid: KID.to_owned(),
        alg: "RS256".to_owned(),
        n: issuer.n.clone(),
        e: issuer.e.clone(),
    };
    ClerkLayer::new(OneKey(key), None, false)
}

#[derive(Clone, Deserialize)]
pub(crate) struct Claims {
    pub(crate) sub: String,
}

/// The state of an axum application with the extractor of axum-jwt-auth.
#[derive(Clone)]
pub(crate) struct JwtAuth(Decoder<Claims>);

impl FromRef<JwtAuth> for Decoder<Claims> {
    fn from_ref(state: &JwtAuth) -> Self {
        Arc::clone(&state.0)
    }
}

pub(crate) fn axum_jwt_auth(issuer: &Issuer) -> JwtAuth {
    let mut validation = jsonwebtoken10::Validation::new(jsonwebtoken10::Algorithm::RS256);
    validation.set_audience(&[AUDIENCE]);
    validation.set_issuer(&[&issuer.url]);
    let key = jsonwebtoken10::DecodingKey::from_rsa_pem(issuer.pem.as_bytes()).expect("a public key");
    JwtAuth(Arc::new(LocalDecoder::new(vec![key], validation).expect("a decoder")))
}

pub(crate) async fn axum_keycloak_auth(issuer: &Issuer) -> KeycloakAuthLayer<String, ProfileAndEmail> {
    let server = issuer.url.trim_end_matches("/realms/bench");
    let config = KeycloakConfig::builder().server(Url::parse(server).expect("a URL")).realm("bench".to_owned()).build();
    let instance = KeycloakAuthInstance::new(config);
    while !instance.is_operational().await {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    KeycloakAuthLayer::builder().instance(instance).expected_audiences(vec![AUDIENCE.to_owned()]).build()
}
