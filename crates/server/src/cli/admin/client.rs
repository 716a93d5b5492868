//! The server's own GraphQL over HTTP, as `regalia admin` uses it. What must not live here: what is asked.

use std::error::Error as _;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, Url};
use serde_json::{Map, Value, json};

use crate::cli::Failure;

/// Rows that one request of a list asks for.
const PAGE: i64 = 500;

/// A server and a key for it.
pub(in crate::cli) struct Server {
    client: Client,
    url: String,
    api_key: String,
}

/// An HTTP client for one server. It follows no redirect, which could lead a key elsewhere, and takes no proxy to this
/// machine itself.
pub(in crate::cli) fn http(url: &str) -> Result<Client, Failure> {
    let url: Url = url.parse().map_err(|_| Failure::local(format!("{url} is not a URL. Use one like http://127.0.0.1:8080.")))?;
    let here = match url.host_str() {
        Some("localhost") => true,
        Some(host) => host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback()),
        None => false,
    };
    let mut builder = Client::builder().redirect(Policy::none()).timeout(Duration::from_secs(60)).user_agent("regalia-admin");
    if here {
        builder = builder.no_proxy();
    }
    builder.build().map_err(Failure::local)
}

/// The innermost cause of a failed request, in its own words: the outer ones only repeat the address.
pub(in crate::cli) fn reason(error: &reqwest::Error) -> String {
    let mut cause = error.source();
    let mut text = if error.is_timeout() { "no answer in time".to_owned() } else { error.to_string() };
    while let Some(inner) = cause {
        text = inner.to_string();
        cause = inner.source();
    }
    text
}

impl Server {
    pub(super) fn new(url: &str, api_key: String) -> Result<Self, Failure> {
        let url = url.trim_end_matches('/').to_owned();
        Ok(Self { client: http(&url)?, url, api_key })
    }

    /// Executes a document; the answer's `data`.
    ///
    /// # Errors
    /// The server's own sentence and code, or that it can't be reached.
    pub(super) async fn execute(&self, document: &str, variables: Value) -> Result<Value, Failure> {
        let request = self
            .client
            .post(format!("{}/graphql", self.url))
            .bearer_auth(&self.api_key)
            .json(&json!({ "query": document, "variables": variables }));
        let unreachable = |error: reqwest::Error| Failure {
            code: "UNREACHABLE".into(),
            message: format!(
                "The server at {} can't be reached: {}. Is it running, and is the address right?",
                self.url,
                reason(&error)
            ),
        };
        let answer = request.send().await.map_err(unreachable)?;
        let status = answer.status();
        let bytes = answer.bytes().await.map_err(unreachable)?;
        let body: Value = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        if let Some(error) = body.pointer("/errors/0") {
            let text = |pointer: &str| error.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
            return Err(Failure {
                code: text("/extensions/code").unwrap_or_else(|| status.as_u16().to_string()),
                message: text("/message").unwrap_or_else(|| format!("The server at {} refused without a reason.", self.url)),
            });
        }
        match body.get("data") {
            Some(data) if status.is_success() => Ok(data.clone()),
            _ => Err(Failure {
                code: status.as_u16().to_string(),
                message: format!("{} answered {status} and nothing that a Regalia server would. Is the address right?", self.url),
            }),
        }
    }

    /// All rows of a connection, page by page. The document takes `$first` and `$after`; `path` leads from the answer's
    /// data to the connection; none where the path ends early.
    ///
    /// # Errors
    /// As [`Server::execute`].
    pub(super) async fn all(
        &self,
        document: &str,
        path: &str,
        variables: Map<String, Value>,
    ) -> Result<Option<Vec<Value>>, Failure> {
        let mut variables = variables;
        variables.insert("first".into(), PAGE.into());
        let mut rows = Vec::new();
        loop {
            let data = self.execute(document, Value::Object(variables.clone())).await?;
            let Some(connection) = data.pointer(path).filter(|connection| !connection.is_null()) else { return Ok(None) };
            rows.extend(connection.pointer("/nodes").and_then(Value::as_array).into_iter().flatten().cloned());
            let cursor = connection.pointer("/pageInfo/endCursor").filter(|cursor| cursor.is_string());
            match (connection.pointer("/pageInfo/hasNextPage"), cursor) {
                (Some(Value::Bool(true)), Some(cursor)) => variables.insert("after".into(), cursor.clone()),
                _ => return Ok(Some(rows)),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::http;

    #[test]
    fn an_address_that_is_none_is_told() {
        assert!(http("127.0.0.1:8080").is_err_and(|failure| failure.message.contains("is not a URL")));
        assert!(http("http://127.0.0.1:8080").is_ok() && http("http://[::1]:8080").is_ok());
    }
}
