//! GraphiQL, bundled at build time and served from the binary: it works on a network with no way out.

use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use rust_embed::RustEmbed;

use super::answer;

/// What `make web` builds; empty in a build without Node.
#[derive(RustEmbed)]
#[folder = "../../web/dist/graphiql"]
struct Assets;

/// For all pages. GraphiQL styles its editor inline; everything else is ours and from here.
const POLICY: &str = "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self'; \
    img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub(super) async fn home() -> Redirect {
    Redirect::temporary("/graphiql")
}

pub(super) async fn page(headers: HeaderMap) -> Response {
    serve::<Assets>("index.html", &headers).unwrap_or_else(|| {
        answer::refuse(
            StatusCode::NOT_FOUND,
            "NOT_FOUND",
            "This program was built without GraphiQL. Run `make web` and build again.",
        )
    })
}

pub(super) async fn asset(path: Result<Path<String>, PathRejection>, headers: HeaderMap) -> Response {
    let Ok(Path(path)) = path else { return answer::unreadable_path() };
    serve::<Assets>(&path, &headers)
        .unwrap_or_else(|| answer::refuse(StatusCode::NOT_FOUND, "NOT_FOUND", "GraphiQL has no such file."))
}

/// A file that is in the binary, if there is one of this name.
pub(super) fn serve<A: RustEmbed>(path: &str, headers: &HeaderMap) -> Option<Response> {
    let file = A::get(path)?;
    let etag = format!("\"{}\"", hex::encode(file.metadata.sha256_hash()));
    let common = [(ETAG, etag.clone()), (CACHE_CONTROL, "no-cache".to_owned())];
    if headers.get(IF_NONE_MATCH).is_some_and(|value| value.as_bytes() == etag.as_bytes()) {
        return Some((StatusCode::NOT_MODIFIED, common).into_response());
    }
    let media_type = match path.rsplit_once('.').map(|(_, ending)| ending) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("ttf") => "font/ttf",
        _ => "text/plain; charset=utf-8",
    };
    let kind = [(CONTENT_TYPE, media_type), (CONTENT_SECURITY_POLICY, POLICY), (X_CONTENT_TYPE_OPTIONS, "nosniff")];
    Some((common, kind, file.data.into_owned()).into_response())
}
