//! Who asks: an API key as Bearer or as the password of Basic authentication. What must not live here: what a caller may do.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use base64::Engine as _;
use regalia_service::{Error, Request, Result, Service};

/// What a request brought to prove who it is from. Never logged.
#[derive(Clone)]
pub(super) enum Credentials {
    /// Nothing.
    None,
    /// An API key.
    Key(String),
    /// A header that can't be read.
    Unreadable,
}

pub(super) fn credentials(headers: &HeaderMap) -> Credentials {
    let Some(header) = headers.get(AUTHORIZATION) else { return Credentials::None };
    let Ok(header) = header.to_str() else { return Credentials::Unreadable };
    let Some((scheme, value)) = header.split_once(' ') else { return Credentials::Unreadable };
    let value = value.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Credentials::Key(value.to_owned());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return Credentials::Unreadable;
    }
    let decoded = base64::engine::general_purpose::STANDARD.decode(value).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    // The user name means nothing: W&B clients send "api" or "user".
    match decoded.as_deref().and_then(|text| text.split_once(':')) {
        Some((_, password)) => Credentials::Key(password.to_owned()),
        None => Credentials::Unreadable,
    }
}

/// The request with its caller.
///
/// # Errors
/// `Unauthenticated` without a key, or with one that opens nothing.
pub(super) async fn authenticate(service: &Service, request: &Request, credentials: &Credentials) -> Result<Request> {
    let caller = match credentials {
        Credentials::None => return Err(Error::unauthenticated()),
        Credentials::Unreadable => {
            return Err(Error::Unauthenticated(
                "The Authorization header can't be read. Send `Bearer <key>`, or Basic authentication with the key as password."
                    .into(),
            ));
        }
        Credentials::Key(key) => service.authenticate(key).await?,
    };
    Ok(Request { caller: Some(caller), ..request.clone() })
}
