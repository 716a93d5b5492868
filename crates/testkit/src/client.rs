//! A client of the HTTP doors whose every answer passes the gates.

use reqwest::RequestBuilder;
use reqwest::header::{AUTHORIZATION, HeaderMap};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{gates, statements};

/// A client with or without a key.
#[derive(Clone)]
pub struct Client {
    url: String,
    key: Option<String>,
    http: reqwest::Client,
}

/// An answer of `/graphql`.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// `data`; null when absent.
    pub data: Value,
    /// `errors`; empty when absent.
    pub errors: Vec<Value>,
    /// The request, as it stands in the log and in audit events.
    pub request: Uuid,
    /// The SQL statements that it took, each by its first line.
    pub statements: Vec<String>,
    /// PostgreSQL's plans of them, at a server of [`crate::Server::explaining`].
    pub plans: Vec<Value>,
}

/// An answer of any other route.
#[derive(Debug, Clone)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
    /// The SQL statements that it took, each by its first line.
    pub statements: Vec<String>,
}

impl Reply {
    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The first error's sentence.
    #[must_use]
    pub fn message(&self) -> String {
        let body: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        body["errors"][0]["message"].as_str().unwrap_or_default().to_owned()
    }
}

impl Answer {
    /// The data, of an answer without errors.
    ///
    /// # Panics
    /// When there are errors.
    #[must_use]
    pub fn ok(self) -> Value {
        assert!(self.errors.is_empty() && self.status == 200, "{} {:?}", self.status, self.errors);
        self.data
    }

    /// Fails on errors.
    ///
    /// # Panics
    /// When there are errors.
    pub fn expect_ok(self) {
        let _ = self.ok();
    }

    /// The first error's sentence.
    #[must_use]
    pub fn message(&self) -> &str {
        self.errors.first().and_then(|error| error["message"].as_str()).unwrap_or_default()
    }

    /// The first error's code.
    #[must_use]
    pub fn code(&self) -> &str {
        self.errors.first().and_then(|error| error["extensions"]["code"].as_str()).unwrap_or_default()
    }
}

impl Client {
    pub(crate) fn new(url: &str, key: Option<&str>) -> Self {
        // No proxy of the environment: every request goes to the server under test.
        let http = reqwest::Client::builder().no_proxy().build().expect("a client is built");
        Self { url: url.to_owned(), key: key.map(str::to_owned), http }
    }

    /// The same client with another key.
    #[must_use]
    pub fn with_key(&self, key: &str) -> Self {
        Self { key: Some(key.to_owned()), ..self.clone() }
    }

    /// The same client under the name of the SDK, which is shown the numbers of places among aliases.
    #[must_use]
    pub fn as_sdk(&self) -> Self {
        let named = reqwest::Client::builder().no_proxy().user_agent("W&B Public Client 0.31.0");
        Self { http: named.build().expect("a client is built"), ..self.clone() }
    }

    /// The same client at another server.
    #[must_use]
    pub fn at(&self, url: &str) -> Self {
        Self { url: url.to_owned(), ..self.clone() }
    }

    /// The key.
    #[must_use]
    pub fn key(&self) -> &str {
        self.key.as_deref().unwrap_or_default()
    }

    /// Address of the server.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Sends a GraphQL document.
    ///
    /// # Panics
    /// When a gate stops the answer.
    pub async fn graphql(&self, query: &str, variables: Value) -> Answer {
        self.post(json!({ "query": query, "variables": variables })).await
    }

    /// Sends a body to `/graphql`.
    ///
    /// # Panics
    /// When a gate stops the answer.
    pub async fn post(&self, body: Value) -> Answer {
        let id = Uuid::new_v4();
        let mut request = self.http.post(format!("{}/graphql", self.url)).json(&body).header("x-request-id", id.to_string());
        if let Some(key) = &self.key {
            request = request.basic_auth("api", Some(key));
        }
        let response = request.send().await.expect("the server answers");
        let status = response.status().as_u16();
        let text = response.text().await.expect("the answer is text");
        gates::answer("/graphql", status, &text);
        let body: Value =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("/graphql answered no JSON ({error}): {text}"));
        Answer {
            status,
            data: body["data"].clone(),
            errors: body["errors"].as_array().cloned().unwrap_or_default(),
            request: id,
            statements: statements::of(&id.to_string()),
            plans: statements::plans_of(&id.to_string()),
        }
    }

    /// Sends any request to a path of the server or a whole URL, with the key only where `request` puts it.
    ///
    /// # Panics
    /// When a gate stops the answer.
    pub async fn request(&self, method: &str, url: &str, request: impl FnOnce(RequestBuilder) -> RequestBuilder) -> Reply {
        let id = Uuid::new_v4();
        let method = method.parse().expect("a method");
        let url = if url.starts_with('/') { format!("{}{url}", self.url) } else { url.to_owned() };
        let begun = self.http.request(method, &url).header("x-request-id", id.to_string());
        let response = request(begun).send().await.expect("the server answers");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.bytes().await.expect("the body is whole").to_vec();
        if status >= 400 {
            gates::answer(url.split('?').next().unwrap_or(&url), status, &String::from_utf8_lossy(&body));
        }
        Reply { status, headers, body, statements: statements::of(&id.to_string()) }
    }

    /// PUTs bytes to a URL that the server gave out, without a key; returns the status.
    ///
    /// # Panics
    /// When a gate stops the answer.
    pub async fn put(&self, url: &str, bytes: impl Into<reqwest::Body>) -> u16 {
        let response = self.http.put(url).body(bytes).send().await.expect("the server answers");
        let status = response.status().as_u16();
        gates::answer("an upload", status, &response.text().await.expect("the answer is text"));
        status
    }

    /// GETs a URL without a key: status, headers, bytes.
    ///
    /// # Panics
    /// When a gate stops the answer.
    pub async fn get(&self, url: &str, headers: &[(&str, &str)]) -> (u16, HeaderMap, Vec<u8>) {
        let mut request = self.http.get(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.expect("the server answers");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = response.bytes().await.expect("the body is whole").to_vec();
        if status >= 400 {
            gates::answer(url.split('?').next().unwrap_or(url), status, &String::from_utf8_lossy(&bytes));
        }
        (status, headers, bytes)
    }

    /// GETs a path with the key.
    ///
    /// # Panics
    /// When a gate stops the answer.
    pub async fn get_path(&self, path: &str, headers: &[(&str, &str)]) -> (u16, HeaderMap, Vec<u8>) {
        let authorization = format!("Bearer {}", self.key());
        let mut all = headers.to_vec();
        if self.key.is_some() {
            all.push((AUTHORIZATION.as_str(), &authorization));
        }
        self.get(&format!("{}{path}", self.url), &all).await
    }
}
