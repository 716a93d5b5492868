//! `/session`: signing in with a password, who is signed in, signing out. The session itself is a row in the database; the
//! browser has its secret in a cookie that no script can read. What must not live here: what a session opens (`auth`).

use std::net::SocketAddr;

use axum::Json;
use axum::body::Body;
use axum::extract::{ConnectInfo, Extension, State};
use axum::http::header::{CACHE_CONTROL, RETRY_AFTER, SET_COOKIE, USER_AGENT};
use axum::http::{Extensions, HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use regalia_service::store::accounts::UserRow;
use regalia_service::store::sessions::Browser;
use regalia_service::{Error, Request};
use serde::Deserialize;
use serde_json::{Value, json};

use super::auth::{self, Credentials, cookie_name};
use super::{App, Proxies, answer, graphql};

/// A name and a password need no more.
const MOST_BYTES: usize = 16 * 1024;

/// How much is kept of what a browser calls itself.
const USER_AGENT_CHARS: usize = 512;

/// How long who tried too often is told to wait, in seconds.
const COME_BACK: HeaderValue = HeaderValue::from_static("900");

/// Where a request came from.
#[derive(Clone)]
pub(super) struct Address(String);

impl Address {
    /// As text.
    pub(super) fn text(&self) -> &str {
        &self.0
    }

    #[cfg(test)]
    pub(super) fn of(text: &str) -> Self {
        Self(text.to_owned())
    }
}

/// The address of the client, by which tries of passwords are counted: that of the connection, or of whom a proxy serves that is
/// believed.
pub(super) fn address(proxies: &Proxies, extensions: &Extensions, headers: &HeaderMap) -> Address {
    let Some(ConnectInfo(peer)) = extensions.get::<ConnectInfo<SocketAddr>>() else { return Address("unknown".into()) };
    Address(proxies.client(peer.ip(), headers).to_string())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignIn {
    name: String,
    password: String,
}

/// `POST /session`: signs in.
pub(super) async fn sign_in(
    State(app): State<App>,
    Extension(request): Extension<Request>,
    Extension(Address(address)): Extension<Address>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    // Else a foreign page could sign a browser in as somebody else, whose things its user would then take for his own.
    if let Err(error) = auth::own_page(&request.base_url, &headers) {
        return answer::error(&error);
    }
    if !graphql::is_json(&headers) {
        return answer::refuse(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "INVALID",
            "Send the request as `Content-Type: application/json`.",
        );
    }
    let body = match graphql::read(body, MOST_BYTES, app.patience, |_| Ok(())).await {
        Ok(body) => body,
        Err(error) => return answer::error(&error),
    };
    // The parser's own sentence could quote a password.
    let Ok(SignIn { name, password }) = serde_json::from_slice(&body) else {
        let sentence = "The body is not of the form {\"name\": \"NAME OR ADDRESS\", \"password\": \"PASSWORD\"}.";
        return answer::refuse(StatusCode::BAD_REQUEST, "INVALID", sentence);
    };
    let user_agent: Option<String> =
        headers.get(USER_AGENT).and_then(|value| value.to_str().ok()).map(|text| text.chars().take(USER_AGENT_CHARS).collect());
    let browser = Browser { address: &address, user_agent: user_agent.as_deref() };
    match app.service.sign_in(&request, &name, &password, browser).await {
        Ok(signed_in) => {
            let seconds = (signed_in.expires_at - app.service.clock.now()).num_seconds();
            told(&signed_in.user, Some(signed_in.expires_at), cookie(&request.base_url, &signed_in.token, seconds))
        }
        Err(error) => {
            let mut response = answer::error(&error);
            if matches!(error, Error::TooMany(_)) {
                response.headers_mut().insert(RETRY_AFTER, COME_BACK);
            }
            response
        }
    }
}

/// `GET /session`: who is signed in. It changes nothing and no foreign page can read it, so it asks for no origin.
pub(super) async fn show(
    State(app): State<App>,
    Extension(request): Extension<Request>,
    Extension(credentials): Extension<Credentials>,
) -> Response {
    let Credentials::Session(token, address) = credentials else { return nobody(None) };
    let found = match app.tries.of_session(&app.service, &token, &address).await {
        Ok(caller) => app.service.session(&caller).await,
        Err(error) => Err(error),
    };
    match found {
        Ok((user, until)) => told(&user, until, None),
        Err(Error::Unauthenticated(_)) => nobody(cookie(&request.base_url, "", 0)),
        Err(error) => answer::error(&error),
    }
}

/// `DELETE /session`: signs out, on every server at once. Who isn't signed in any more is as well.
pub(super) async fn sign_out(
    State(app): State<App>,
    Extension(request): Extension<Request>,
    Extension(credentials): Extension<Credentials>,
    headers: HeaderMap,
) -> Response {
    if let Err(error) = auth::own_page(&request.base_url, &headers) {
        return answer::error(&error);
    }
    let outcome = match &credentials {
        Credentials::Session(..) => match auth::authenticate_browser(&app, &request, &credentials, &headers).await {
            Ok(request) => app.service.sign_out(&request).await,
            Err(error) => Err(error),
        },
        _ => Ok(()),
    };
    match outcome {
        Ok(()) | Err(Error::Unauthenticated(_)) => nobody(cookie(&request.base_url, "", 0)),
        Err(error) => answer::error(&error),
    }
}

/// The cookie: no script reads it, no foreign page sends it, and under https it goes nowhere else.
fn cookie(base_url: &str, token: &str, seconds: i64) -> Option<HeaderValue> {
    let secure = if base_url.starts_with("https://") { "; Secure" } else { "" };
    let name = cookie_name(base_url);
    HeaderValue::from_str(&format!("{name}={token}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}")).ok()
}

fn told(user: &UserRow, until: Option<DateTime<Utc>>, cookie: Option<HeaderValue>) -> Response {
    let user = json!({
        "name": user.name, "displayName": user.display_name.as_ref().unwrap_or(&user.name), "email": user.email,
        "siteAdmin": user.site_admin,
    });
    respond(&json!({ "user": user, "expiresAt": until }), cookie)
}

fn nobody(cookie: Option<HeaderValue>) -> Response {
    respond(&json!({ "user": null, "expiresAt": null }), cookie)
}

fn respond(body: &Value, cookie: Option<HeaderValue>) -> Response {
    let mut response = Json(body).into_response();
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(cookie) = cookie {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    response
}
