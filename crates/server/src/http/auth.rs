//! Who asks: an API key as Bearer or as the password of Basic authentication, or the cookie of a browser that is signed in.
//! What must not live here: what a caller may do, and how a session begins and ends (`session`).

use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, COOKIE, HOST, ORIGIN};
use base64::Engine as _;
use regalia_service::{Error, Request, Result};

use super::App;
use super::session::Address;

/// What a request brought to prove who it is from. Never logged.
#[derive(Clone)]
pub(super) enum Credentials {
    /// Nothing.
    None,
    /// An API key, and where it came from.
    Key(String, Address),
    /// A session's secret, by a browser, whose user may not know that it was sent, and where it came from.
    Session(String, Address),
    /// A header that can't be read.
    Unreadable,
}

/// Name of the session's cookie. Under https the browser itself sees to it that no other host or path sets it.
pub(super) fn cookie_name(base_url: &str) -> &'static str {
    if base_url.starts_with("https://") { "__Host-regalia_session" } else { "regalia_session" }
}

/// A key, if there is one, and then no cookie: who sends a key means it.
pub(super) fn credentials(headers: &HeaderMap, base_url: &str, address: &Address) -> Credentials {
    let Some(header) = headers.get(AUTHORIZATION) else {
        return session(headers, cookie_name(base_url))
            .map_or(Credentials::None, |token| Credentials::Session(token, address.clone()));
    };
    let Ok(header) = header.to_str() else { return Credentials::Unreadable };
    let Some((scheme, value)) = header.split_once(' ') else { return Credentials::Unreadable };
    let value = value.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Credentials::Key(value.to_owned(), address.clone());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return Credentials::Unreadable;
    }
    let decoded = base64::engine::general_purpose::STANDARD.decode(value).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    // The user name means nothing: W&B clients send "api" or "user".
    match decoded.as_deref().and_then(|text| text.split_once(':')) {
        Some((_, password)) => Credentials::Key(password.to_owned(), address.clone()),
        None => Credentials::Unreadable,
    }
}

fn session(headers: &HeaderMap, name: &str) -> Option<String> {
    let cookies = headers.get_all(COOKIE).iter().filter_map(|header| header.to_str().ok()).flat_map(|header| header.split(';'));
    let mut values = cookies.filter_map(|cookie| cookie.trim().split_once('=')).filter(|(key, _)| *key == name);
    values.next().map(|(_, value)| value.to_owned())
}

/// The request with its caller, who came with a key: what the routes of programs take. A cookie counts for nothing there.
///
/// # Errors
/// `Unauthenticated` without a key, or with one that opens nothing; `TooMany` after many of those from one address.
pub(super) async fn authenticate(app: &App, request: &Request, credentials: &Credentials) -> Result<Request> {
    let caller = match credentials {
        Credentials::None | Credentials::Session(..) => return Err(Error::unauthenticated()),
        Credentials::Unreadable => {
            return Err(Error::Unauthenticated(
                "The Authorization header can't be read. Send `Bearer <key>`, or Basic authentication with the key as password."
                    .into(),
            ));
        }
        Credentials::Key(key, address) => app.tries.authenticate(&app.service, key, address).await?,
    };
    Ok(Request { caller: Some(caller), ..request.clone() })
}

/// The request with its caller, who came with a key or with a session. A session counts only from a page of our own.
///
/// # Errors
/// As [`authenticate`] and [`own_page`]; `Unauthenticated` for a session that ended, or never was one.
pub(super) async fn authenticate_browser(
    app: &App,
    request: &Request,
    credentials: &Credentials,
    headers: &HeaderMap,
) -> Result<Request> {
    let Credentials::Session(token, address) = credentials else { return authenticate(app, request, credentials).await };
    own_page(&request.base_url, headers)?;
    let caller = app.tries.of_session(&app.service, token, address).await?;
    Ok(Request { caller: Some(caller), ..request.clone() })
}

/// Refuses what a browser sends for a page that isn't ours (cross-site request forgery). No token is needed for it: a browser
/// says itself where a request comes from, and no page can make it lie. `Sec-Fetch-Site` is newer and exact, and sent under
/// https and to this machine; `Origin` is sent with every POST and DELETE, but not with a GET to the own server. Who sends
/// neither has to use a key instead of a cookie. `SameSite=Strict` of the cookie, and that `/graphql` takes only
/// `application/json`, which no form of a
/// foreign page can send, stand behind this.
///
/// # Errors
/// `Forbidden`.
pub(super) fn own_page(base_url: &str, headers: &HeaderMap) -> Result<()> {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let own = match (text("sec-fetch-site"), text(ORIGIN.as_str())) {
        (Some(site), _) => site == "same-origin",
        (None, Some(origin)) => {
            let host = |url: &str| url.split_once("://").map(|(_, rest)| rest.split('/').next().unwrap_or(rest).to_owned());
            let here = host(base_url);
            // Under a name that isn't the public one too: what counts is that both are the same.
            here.is_some() && host(origin) == here
                || text(HOST.as_str()).is_some_and(|name| host(origin).as_deref() == Some(name))
        }
        (None, None) => false,
    };
    if own {
        Ok(())
    } else {
        Err(Error::Forbidden(
            "A request with a session's cookie must come from a page of this server. Programs send an API key instead.".into(),
        ))
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderName, HeaderValue};

    use super::{Address, Credentials, credentials, own_page};

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn only_our_own_pages() {
        let base = "https://models.example.com/regalia";
        for own in [
            &[("origin", "https://models.example.com")] as &[_],
            &[("sec-fetch-site", "same-origin")],
            &[("sec-fetch-site", "same-origin"), ("origin", "https://models.example.com")],
            &[("origin", "http://127.0.0.1:8080"), ("host", "127.0.0.1:8080")],
        ] {
            assert!(own_page(base, &headers(own)).is_ok(), "{own:?}");
        }
        for foreign in [
            &[] as &[_],
            &[("host", "models.example.com")],
            &[("origin", "null")],
            &[("origin", "")],
            &[("origin", "https://evil.example.com")],
            &[("origin", "https://models.example.com.evil.com")],
            &[("origin", "https://models.example.com:8443")],
            &[("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "same-site"), ("origin", "https://models.example.com")],
            &[("sec-fetch-site", "none")],
        ] {
            assert!(own_page(base, &headers(foreign)).is_err(), "{foreign:?}");
        }
    }

    #[test]
    fn a_key_goes_before_a_cookie() {
        let both = headers(&[("authorization", "Bearer k"), ("cookie", "a=b; regalia_session=s")]);
        let credentials = |headers: &HeaderMap, base_url: &str| credentials(headers, base_url, &Address::of("192.0.2.1"));
        assert!(matches!(credentials(&both, "http://h"), Credentials::Key(key, _) if key == "k"));
        let cookie = headers(&[("cookie", "a=b; regalia_session=s; c=d")]);
        assert!(matches!(credentials(&cookie, "http://h"), Credentials::Session(token, _) if token == "s"));
        assert!(matches!(credentials(&cookie, "https://h"), Credentials::None));
    }
}
