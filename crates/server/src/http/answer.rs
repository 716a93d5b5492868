//! Errors as plain HTTP answers: always JSON in the shape that SDKs read, never SQL, a path or a cause.

use std::any::Any;

use axum::Json;
use axum::body::Body;
use axum::extract::OriginalUri;
use axum::http::header::{HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{Response as HttpResponse, StatusCode};
use axum::response::{IntoResponse, Response};
use hyper::ext::ReasonPhrase;
use regalia_service::Error;
use serde_json::json;

/// The status of an error where the protocol has statuses.
pub(super) fn status(code: &str) -> StatusCode {
    match code {
        "UNAUTHENTICATED" => StatusCode::UNAUTHORIZED,
        "NOT_FOUND" => StatusCode::NOT_FOUND,
        "FORBIDDEN" => StatusCode::FORBIDDEN,
        "CONFLICT" => StatusCode::CONFLICT,
        "TOO_LARGE" => StatusCode::PAYLOAD_TOO_LARGE,
        "TOO_MANY" => StatusCode::TOO_MANY_REQUESTS,
        "UNAVAILABLE" => StatusCode::SERVICE_UNAVAILABLE,
        "INTERNAL" => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::BAD_REQUEST,
    }
}

/// Most bytes of a reason phrase.
const REASON_BYTES: usize = 300;

/// A sentence for the status line, where SDKs up to 0.25 look for it: they show nothing of the body. Printable ASCII, so that no
/// client stumbles.
pub(super) fn reason(sentence: &str) -> Option<ReasonPhrase> {
    let printable = |character: char| if matches!(character, ' '..='~') { character as u8 } else { b'?' };
    ReasonPhrase::try_from(sentence.chars().take(REASON_BYTES).map(printable).collect::<Vec<u8>>()).ok()
}

/// An error answer with a sentence and a code.
pub(super) fn refuse(status: StatusCode, code: &str, sentence: &str) -> Response {
    let body = json!({ "data": null, "errors": [{ "message": sentence, "extensions": { "code": code } }] });
    let mut response = (status, Json(body)).into_response();
    if let Some(reason) = reason(sentence) {
        response.extensions_mut().insert(reason);
    }
    if status == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"regalia\""));
    }
    response
}

/// When to come back who took too much at once, in seconds. The SDKs do.
const COME_BACK: HeaderValue = HeaderValue::from_static("2");

/// A service error as an answer; internal ones are logged here.
pub(super) fn error(error: &Error) -> Response {
    error.log();
    let mut response = refuse(status(error.code()), error.code(), &error.to_string());
    if matches!(error, Error::TooMany(_)) {
        response.headers_mut().insert(RETRY_AFTER, COME_BACK);
    }
    response
}

/// An address whose segments aren't UTF-8.
pub(super) fn unreadable_path() -> Response {
    refuse(StatusCode::NOT_FOUND, "NOT_FOUND", "The address can't be read: it isn't percent-encoded UTF-8.")
}

pub(super) async fn no_route(OriginalUri(uri): OriginalUri) -> Response {
    refuse(StatusCode::NOT_FOUND, "NOT_FOUND", &format!("There is nothing at {}.", uri.path()))
}

pub(super) async fn no_method(OriginalUri(uri): OriginalUri) -> Response {
    refuse(StatusCode::METHOD_NOT_ALLOWED, "INVALID", &format!("{} doesn't take this method.", uri.path()))
}

/// A bug: logged, and answered without a word about it.
pub(super) fn panicked(panic: Box<dyn Any + Send + 'static>) -> HttpResponse<Body> {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    tracing::error!(panic = text.unwrap_or("unknown"), "a request panicked");
    refuse(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", "Something went wrong inside the server.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_45_a_status_line_holds_any_sentence() {
        for (sentence, line) in [
            ("The alias \"a/b\" contains \"/\".", "The alias \"a/b\" contains \"/\"."),
            ("No \"é\" here\r\nX-Made: up\0\t…", "No \"?\" here??X-Made: up???"),
            ("", ""),
        ] {
            assert_eq!(reason(sentence).unwrap().as_bytes(), line.as_bytes());
        }
        assert_eq!(reason(&"ä".repeat(10_000)).unwrap().as_bytes().len(), REASON_BYTES);
    }
}
