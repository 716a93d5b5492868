//! The page to sign in on, in the binary: it works on a network with no way out, and in a build without Node. What must not live
//! here: signing in itself (`session`).

use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use rust_embed::RustEmbed;

use super::{answer, graphiql};

#[derive(RustEmbed)]
#[folder = "../../web/signin"]
struct Assets;

pub(super) async fn page(headers: HeaderMap) -> Response {
    file("index.html", &headers)
}

pub(super) async fn asset(path: Result<Path<String>, PathRejection>, headers: HeaderMap) -> Response {
    let Ok(Path(path)) = path else { return answer::unreadable_path() };
    file(&path, &headers)
}

fn file(path: &str, headers: &HeaderMap) -> Response {
    graphiql::serve::<Assets>(path, headers)
        .unwrap_or_else(|| answer::refuse(StatusCode::NOT_FOUND, "NOT_FOUND", "The page to sign in on has no such file."))
}
