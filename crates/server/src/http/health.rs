//! Whether the server lives and whether it can work.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::{App, answer};

/// The process answers.
pub(super) async fn health() -> Json<serde_json::Value> {
    Json(json!({ "status": "ok" }))
}

/// The database answers and has this server's migrations.
pub(super) async fn ready(State(app): State<App>) -> Response {
    match app.service.store.missing_migrations().await {
        Ok(0) => Json(json!({ "status": "ready" })).into_response(),
        Ok(missing) => {
            let sentence = format!(
                "The database differs from this program's schema by {missing} migrations. Run `regalia migrate`, or a program as new as the database."
            );
            answer::refuse(StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE", &sentence)
        }
        Err(error) => answer::error(&error.into()),
    }
}
