//! A file as an answer: whole or a range, streamed, with its length and entity tag. What must not live here: who may have it.

use axum::body::Body;
use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_NONE_MATCH,
    IF_RANGE, RANGE, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use regalia_service::Service;
use regalia_service::files::Content;

use super::answer;

/// What of a file was asked for.
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    Whole,
    Part(u64, u64),
    Outside,
}

/// Reads a `Range` header: one range of bytes. Several ranges, or another unit, mean the whole file, as RFC 9110 lets a
/// server choose.
fn wanted(range: Option<&str>, size: u64) -> Wanted {
    let Some(spec) = range.and_then(|range| range.strip_prefix("bytes=")).filter(|spec| !spec.contains(',')) else {
        return Wanted::Whole;
    };
    let Some((first, last)) = spec.trim().split_once('-') else { return Wanted::Whole };
    let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u64>().unwrap_or(u64::MAX));
    match (first, last) {
        ("", "") => Wanted::Whole,
        ("", suffix) => match number(suffix) {
            None => Wanted::Whole,
            Some(0) => Wanted::Outside,
            Some(_) if size == 0 => Wanted::Outside,
            Some(length) => Wanted::Part(size.saturating_sub(length), size),
        },
        (first, "") => match number(first) {
            None => Wanted::Whole,
            Some(first) if first < size => Wanted::Part(first, size),
            Some(_) => Wanted::Outside,
        },
        (first, last) => match (number(first), number(last)) {
            (Some(first), Some(last)) if first <= last && first < size => Wanted::Part(first, last.saturating_add(1).min(size)),
            (Some(first), Some(last)) if first <= last => Wanted::Outside,
            _ => Wanted::Whole,
        },
    }
}

/// Answers with a file.
pub(super) async fn send(service: &Service, content: &Content, headers: &HeaderMap) -> Response {
    let etag = format!("\"{}\"", content.key.sha256.to_hex());
    let header = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let fixed = [
        (ETAG, etag.clone()),
        (ACCEPT_RANGES, "bytes".to_owned()),
        (CACHE_CONTROL, "private, no-transform".to_owned()),
        (X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
    ];
    if header(IF_NONE_MATCH)
        .is_some_and(|tags| tags.split(',').any(|tag| tag.trim() == "*" || tag.trim().trim_start_matches("W/") == etag))
    {
        return (StatusCode::NOT_MODIFIED, fixed).into_response();
    }
    let range = header(RANGE).filter(|_| header(IF_RANGE).is_none_or(|tag| tag == etag));
    let (status, start, end) = match wanted(range, content.size) {
        Wanted::Whole => (StatusCode::OK, 0, content.size),
        Wanted::Part(start, end) => (StatusCode::PARTIAL_CONTENT, start, end),
        Wanted::Outside => {
            let mut response = answer::refuse(
                StatusCode::RANGE_NOT_SATISFIABLE,
                "INVALID",
                &format!("The file has {} bytes; the range is outside.", content.size),
            );
            if let Ok(value) = HeaderValue::from_str(&format!("bytes */{}", content.size)) {
                response.headers_mut().insert(CONTENT_RANGE, value);
            }
            return response;
        }
    };
    let body = match service.read(content, start..end).await {
        Ok(stream) => Body::from_stream(stream),
        Err(error) => return answer::error(&error),
    };
    let mut response = (status, fixed, body).into_response();
    let mut set = |name: HeaderName, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(name, value);
        }
    };
    set(CONTENT_LENGTH, &(end - start).to_string());
    set(CONTENT_TYPE, "application/octet-stream");
    set(CONTENT_DISPOSITION, "attachment");
    if status == StatusCode::PARTIAL_CONTENT {
        set(CONTENT_RANGE, &format!("bytes {start}-{}/{}", end - 1, content.size));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        for (range, size, expected) in [
            (None, 10, Wanted::Whole),
            (Some("bytes=0-3"), 10, Wanted::Part(0, 4)),
            (Some("bytes=0-"), 10, Wanted::Part(0, 10)),
            (Some("bytes=9-9"), 10, Wanted::Part(9, 10)),
            (Some("bytes=5-100"), 10, Wanted::Part(5, 10)),
            (Some("bytes=10-"), 10, Wanted::Outside),
            (Some("bytes=10-12"), 10, Wanted::Outside),
            (Some("bytes=-3"), 10, Wanted::Part(7, 10)),
            (Some("bytes=-30"), 10, Wanted::Part(0, 10)),
            (Some("bytes=-0"), 10, Wanted::Outside),
            (Some("bytes=0-"), 0, Wanted::Outside),
            (Some("bytes=-1"), 0, Wanted::Outside),
            (Some("bytes=3-1"), 10, Wanted::Whole),
            (Some("bytes=a-b"), 10, Wanted::Whole),
            (Some("bytes=+1-2"), 10, Wanted::Whole),
            (Some("bytes=0-1,4-5"), 10, Wanted::Whole),
            (Some("lines=0-1"), 10, Wanted::Whole),
            (Some("bytes=99999999999999999999999-"), 10, Wanted::Outside),
            (Some("bytes=0-99999999999999999999999"), 10, Wanted::Part(0, 10)),
        ] {
            assert_eq!(wanted(range, size), expected, "{range:?} of {size}");
        }
    }
}
