use std::path::Path;

use axum::routing::get;
use axum::{Json, Router};
use tower_user_metadata::session::keys::{Algorithm, VerificationKey};
use tower_user_metadata::session::{JwtVerifier, TokenSource, TokenSources};
use tower_user_metadata::{Metadata, MetadataUpdate, StoreError, UserMetadataHandle, UserMetadataLayer, store};

use crate::service::Outcome;

pub(crate) async fn router(hmac_key: &str, directory: &Path) -> Outcome<Router> {
    // The key signs nothing but what `AuthUser::token` makes.
    let verifier = JwtVerifier::builder(VerificationKey::from_secret(Algorithm::HS384, hmac_key)?)
        .without_audience()
        .with_user_claim("user_id")
        .build()?;
    let store = store::connect(&format!("sqlite://{}", directory.join("user-metadata.db").display())).await?;
    let sessions =
        UserMetadataLayer::new(verifier, store).with_token_sources(TokenSources::new([TokenSource::scheme("Token")?]));
    Ok(Router::new().route("/api/user/metadata", get(read).patch(update).delete(clear)).route_layer(sessions))
}

async fn read(metadata: UserMetadataHandle) -> Result<Json<Metadata>, StoreError> {
    Ok(Json(metadata.get().await?))
}

async fn update(metadata: UserMetadataHandle, update: MetadataUpdate) -> Result<Json<Metadata>, StoreError> {
    Ok(Json(metadata.update(update).await?.metadata))
}

async fn clear(metadata: UserMetadataHandle) -> Result<(), StoreError> {
    metadata.clear().await
}
