//! `regalia admin key`. A key in clear is printed once, where it is made, and never taken from the command line.

use clap::Subcommand;
use serde_json::{Map, json};

use super::client::Server;
use super::{fields, in_days, listed, secret};
use crate::cli::{Failure, Outcome};

const COLUMNS: &[(&str, &str)] = &[
    ("id", "/id"),
    ("name", "/name"),
    ("created_at", "/createdAt"),
    ("last_used_at", "/lastUsedAt"),
    ("expires_at", "/expiresAt"),
];

#[derive(Subcommand)]
pub(super) enum Key {
    /// Make a key and print it, this once
    Create {
        /// The user whom it stands for
        #[arg(long, value_name = "NAME")]
        user: String,
        /// What the key is called in lists
        #[arg(long, value_name = "LABEL", default_value = "")]
        name: String,
        /// After how many days the key opens nothing any more; never, if not given
        #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=36500))]
        expires_in_days: Option<u32>,
    },
    /// Read a key that clients have already from standard input
    Import {
        /// The user whom it stands for
        #[arg(long, value_name = "NAME")]
        user: String,
        /// What the key is called in lists
        #[arg(long, value_name = "LABEL", default_value = "")]
        name: String,
    },
    /// List a user's keys, without the keys themselves
    List {
        /// The user; yourself if not given
        #[arg(long, value_name = "NAME")]
        user: Option<String>,
    },
    /// Revoke a key for ever
    Revoke {
        /// Its id, from `key list`
        id: String,
    },
}

impl Key {
    pub(super) async fn run(self, server: &Server) -> Result<Outcome, Failure> {
        match self {
            Self::Create { user, name, expires_in_days } => {
                let document =
                    "mutation ($input: ApiKeyCreateInput!) { apiKeyCreate(input: $input) { apiKey { id expiresAt } secret } }";
                let input = json!({ "user": user, "name": name, "expiresAt": in_days(expires_in_days) });
                let data = server.execute(document, json!({ "input": input })).await?;
                let columns = [("id", "/apiKey/id"), ("key", "/secret"), ("expires_at", "/apiKey/expiresAt")];
                let made = fields(&data["apiKeyCreate"], &columns);
                let key = super::text(&made, "/key");
                Ok(Outcome::done(made, key))
            }
            Self::Import { user, name } => {
                let key = secret()?;
                let document = "mutation ($input: ApiKeyImportInput!) {
                    apiKeyImport(input: $input) { apiKey { id name createdAt lastUsedAt expiresAt } }
                }";
                let input = json!({ "input": { "user": user, "name": name, "secret": key.trim() } });
                let data = server.execute(document, input).await?;
                let row = fields(&data["apiKeyImport"]["apiKey"], COLUMNS);
                Ok(Outcome::done(row, format!("The key stands for {user} now.")))
            }
            Self::List { user } => {
                let document = "query ($name: String!, $mine: Boolean!, $first: Int, $after: String) {
                    user(name: $name) @skip(if: $mine) { ...Keys }
                    viewer @include(if: $mine) { ...Keys }
                }
                fragment Keys on User {
                    apiKeys(first: $first, after: $after) {
                        nodes { id name createdAt lastUsedAt expiresAt } pageInfo { hasNextPage endCursor }
                    }
                }";
                let mut variables = Map::new();
                variables.insert("mine".into(), user.is_none().into());
                variables.insert("name".into(), user.as_deref().unwrap_or("").into());
                let path = if user.is_none() { "/viewer/apiKeys" } else { "/user/apiKeys" };
                let rows = server.all(document, path, variables).await?.ok_or_else(|| Failure {
                    code: "NOT_FOUND".into(),
                    message: format!(
                        "The user \"{}\" is not found, or his keys aren't yours to see.",
                        user.as_deref().unwrap_or("")
                    ),
                })?;
                Ok(listed(&rows, COLUMNS))
            }
            Self::Revoke { id } => {
                let document = "mutation ($input: ApiKeyRevokeInput!) { apiKeyRevoke(input: $input) { id } }";
                server.execute(document, json!({ "input": { "id": id } })).await?;
                Ok(Outcome::done(json!({ "id": id }), "Revoked the key."))
            }
        }
    }
}
