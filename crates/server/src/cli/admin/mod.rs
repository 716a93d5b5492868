//! `regalia admin`: people and their keys on a running server, through its native GraphQL. What must not live here: rules
//! about them, which are the server's; and the database.

pub(super) mod client;
mod key;
mod organization;
mod service_account;
mod team;
mod user;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use regalia_server::config::{Config, Settings, read_admin_file};
use serde_json::Value;

use super::{Failure, Outcome};
use client::Server;

#[derive(Args)]
pub(super) struct Admin {
    /// Address of the server [environment: REGALIA_URL]
    #[arg(long, global = true, value_name = "URL")]
    url: Option<String>,
    /// API key of a site administrator; better set in the environment [environment: REGALIA_API_KEY]
    #[arg(long, global = true, value_name = "KEY")]
    api_key: Option<String>,
    /// TOML file in which to look for data_dir [environment: REGALIA_CONFIG]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Data directory in which to look for what the first start wrote
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Print one JSON document
    #[arg(long, global = true)]
    pub(super) json: bool,
    #[command(subcommand)]
    noun: Noun,
}

#[derive(Subcommand)]
enum Noun {
    /// Accounts
    #[command(subcommand)]
    User(user::User),
    /// API keys
    #[command(subcommand)]
    Key(key::Key),
    /// Machines' accounts
    #[command(subcommand)]
    ServiceAccount(service_account::ServiceAccount),
    /// Organizations and their members
    #[command(subcommand, visible_alias = "organization")]
    Org(organization::Organization),
    /// Teams and their members
    #[command(subcommand)]
    Team(team::Team),
}

impl Admin {
    pub(super) async fn run(self) -> Result<Outcome, Failure> {
        let server = self.server()?;
        match self.noun {
            Noun::User(command) => command.run(&server).await,
            Noun::Key(command) => command.run(&server).await,
            Noun::ServiceAccount(command) => command.run(&server).await,
            Noun::Org(command) => command.run(&server).await,
            Noun::Team(command) => command.run(&server).await,
        }
    }

    fn server(&self) -> Result<Server, Failure> {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let url = self.url.clone().or_else(|| variable("REGALIA_URL"));
        let api_key = self.api_key.clone().or_else(|| variable("REGALIA_API_KEY"));
        if let (Some(url), Some(api_key)) = (&url, &api_key) {
            return Server::new(url, api_key.clone());
        }
        let settings = Settings { data_dir: self.data_dir.clone(), ..Settings::default() };
        let data_dir = Config::load(self.config.as_deref(), settings).map_err(Failure::local)?.data_dir;
        let file = read_admin_file(&data_dir).map_err(Failure::local)?;
        match (url, api_key, file) {
            (None, None, Some(file)) => Server::new(&file.url, file.api_key),
            (None, Some(api_key), Some(file)) => Server::new(&file.url, api_key),
            // The file's key is for the file's address alone.
            (Some(url), None, Some(file)) if url.trim_end_matches('/') == file.url.trim_end_matches('/') => {
                Server::new(&url, file.api_key)
            }
            (Some(url), None, _) => {
                Err(Failure::local(format!("An API key for {url} is needed. Set REGALIA_API_KEY or give --api-key.")))
            }
            (_, _, _) => Err(Failure::local(format!(
                "There is no admin.json in {}. Give the server's address and a key with --url and --api-key, or as REGALIA_URL and \
                 REGALIA_API_KEY, or say with --data-dir where the server keeps its data.",
                data_dir.display()
            ))),
        }
    }
}

/// What is told of a member of an organization or a team.
const MEMBER_COLUMNS: &[(&str, &str)] = &[
    ("name", "/user/name"),
    ("display_name", "/user/displayName"),
    ("service_account", "/user/serviceAccount"),
    ("role", "/role"),
];

/// The error when a query found nothing of that name.
fn missing(noun: &str, name: &str) -> Failure {
    Failure { code: "NOT_FOUND".into(), message: format!("The {noun} \"{name}\" is not found, or it isn't yours to see.") }
}

/// The text of a field; nothing where it is null.
fn text(row: &Value, pointer: &str) -> String {
    match row.pointer(pointer) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Bool(true)) => "yes".into(),
        Some(Value::Bool(false)) => "no".into(),
        _ => String::new(),
    }
}

/// Longest secret that is read from standard input, in bytes.
const LONGEST_SECRET: u64 = 4096;

/// A secret from standard input, so that it stands on no command line; without the end of its line.
fn secret() -> Result<String, Failure> {
    use std::io::Read as _;
    let mut text = String::new();
    std::io::stdin()
        .take(LONGEST_SECRET)
        .read_to_string(&mut text)
        .map_err(|error| Failure::local(format!("Standard input can't be read: {error}.")))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

/// The moment so many days from now, as the schema's `DateTime`; none without a number.
fn in_days(days: Option<u32>) -> Option<String> {
    days.map(|days| (chrono::Utc::now() + chrono::TimeDelta::days(i64::from(days))).to_rfc3339())
}

/// The named fields of a row, under the names that `--json` prints.
fn fields(row: &Value, names: &[(&str, &str)]) -> Value {
    names.iter().map(|(name, pointer)| ((*name).to_owned(), row.pointer(pointer).cloned().unwrap_or(Value::Null))).collect()
}

/// A list for both readers: the columns are JSON names with the pointers to their values.
fn listed(rows: &[Value], columns: &[(&str, &str)]) -> Outcome {
    let json = rows.iter().map(|row| fields(row, columns)).collect();
    let head: Vec<String> = columns.iter().map(|(name, _)| name.replace('_', " ").to_uppercase()).collect();
    let head: Vec<&str> = head.iter().map(String::as_str).collect();
    let cells: Vec<Vec<String>> =
        rows.iter().map(|row| columns.iter().map(|(_, pointer)| text(row, pointer)).collect()).collect();
    Outcome::done(json, super::table(&head, &cells))
}
