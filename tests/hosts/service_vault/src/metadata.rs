use rocket::serde::json::Json;
use rocket::{Route, delete, get, patch, routes};
use tower_user_metadata::{Metadata, MetadataUpdate, StoreError, UserMetadataHandle};

use crate::auth::Headers;

pub(crate) fn routes() -> Vec<Route> {
    routes![read, update, clear]
}

#[get("/")]
async fn read(_headers: Headers, metadata: UserMetadataHandle) -> Result<Json<Metadata>, StoreError> {
    Ok(Json(metadata.get().await?))
}

#[patch("/", data = "<update>")]
async fn update(
    _headers: Headers,
    metadata: UserMetadataHandle,
    update: MetadataUpdate,
) -> Result<Json<Metadata>, StoreError> {
    Ok(Json(metadata.update(update).await?.metadata))
}

#[delete("/")]
async fn clear(_headers: Headers, metadata: UserMetadataHandle) -> Result<(), StoreError> {
    metadata.clear().await
}
