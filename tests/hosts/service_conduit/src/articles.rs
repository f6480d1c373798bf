use axum::routing::get;
use axum::{Extension, Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::Context;
use crate::error::Error;
use crate::extractor::AuthUser;

pub(crate) fn router() -> Router {
    Router::new().route("/api/articles", get(list).post(create))
}

#[derive(Deserialize)]
struct NewArticle {
    title: String,
}

/// All articles, and which are the reader's own; strangers may read.
async fn list(reader: Option<AuthUser>, Extension(context): Extension<Context>) -> Result<Json<Value>, Error> {
    let articles: Vec<(String, String, Uuid)> =
        sqlx::query_as("SELECT slug, title, user_id FROM article ORDER BY slug").fetch_all(&context.database).await?;
    let reader = reader.map(|reader| reader.user_id);
    let articles: Vec<_> = articles
        .into_iter()
        .map(|(slug, title, author)| json!({ "slug": slug, "title": title, "own": Some(author) == reader }))
        .collect();
    Ok(Json(json!({ "articles": articles })))
}

async fn create(
    author: AuthUser,
    Extension(context): Extension<Context>,
    Json(article): Json<NewArticle>,
) -> Result<Json<Value>, Error> {
    let slug = article.title.to_lowercase().replace(' ', "-");
    sqlx::query("INSERT INTO article (slug, user_id, title) VALUES (?, ?, ?)")
        .bind(&slug)
        .bind(author.user_id)
        .bind(article.title)
        .execute(&context.database)
        .await?;
    Ok(Json(json!({ "slug": slug })))
}
