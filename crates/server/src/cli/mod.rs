//! The command line: what can be asked, and how answers and errors are printed. What must not live here: what the commands
//! do.

mod admin;
mod audit;
mod demo;
mod doctor;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use regalia_server::config::{Config, Settings};
use regalia_server::serve;
use serde_json::{Value, json};

/// A registry for machine-learning artifacts.
#[derive(Parser)]
#[command(name = "regalia", version, about, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server until SIGTERM or SIGINT
    Serve(Configured),
    /// Bring the database to the schema of this program, and end
    Migrate(Configured),
    /// Print the GraphQL schema
    Schema,
    /// Check database, migrations, storage, public URL and clock, and say what to do
    Doctor(doctor::Doctor),
    /// Load demo data into the database of a running server: an organization "demo" with many registries and versions
    DemoData(demo::DemoData),
    /// Prove the history of an installation: verify the chains of its audit events, or export them
    Audit(audit::Audit),
    /// Manage users, API keys, organizations and teams of a running server
    Admin(admin::Admin),
}

/// The configuration of the commands that work on the installation itself. Each option can also be set in the environment
/// or in a file: see docs/configuration.md.
#[derive(Args)]
struct Configured {
    /// TOML file to read settings from [environment: REGALIA_CONFIG]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    settings: Settings,
}

impl Configured {
    fn load(self) -> Result<Config, Failure> {
        Config::load(self.config.as_deref(), self.settings).map_err(Failure::local)
    }
}

/// Why a command failed: a stable word and a sentence, neither with a secret.
struct Failure {
    code: String,
    message: String,
}

impl Failure {
    /// Something on this machine.
    fn local(error: impl std::fmt::Display) -> Self {
        Self { code: "LOCAL".into(), message: error.to_string() }
    }
}

/// What a command found or did, for a program and for a person.
struct Outcome {
    json: Value,
    text: String,
    ok: bool,
}

impl Outcome {
    fn done(json: Value, text: impl Into<String>) -> Self {
        Self { json, text: text.into(), ok: true }
    }
}

/// Runs the command that the process was started with.
pub async fn run() -> ExitCode {
    let (json, result) = match Cli::parse().command {
        Command::Serve(configured) => (false, serve(configured).await),
        Command::Migrate(configured) => (false, migrate(configured).await),
        Command::Schema => (false, Ok(Outcome::done(Value::Null, regalia_graphql::sdl().trim_end()))),
        Command::DemoData(demo) => (false, demo.run().await),
        Command::Doctor(doctor) => (doctor.json, doctor.run().await),
        Command::Audit(audit) => (audit.json(), audit.run().await),
        Command::Admin(admin) => (admin.json, admin.run().await),
    };
    match result {
        Ok(outcome) => {
            if json {
                print(&format!("{:#}", outcome.json));
            } else {
                print(&outcome.text);
            }
            if outcome.ok { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(Failure { code, message }) => {
            if json {
                eprintln!("{:#}", json!({ "error": { "code": code, "message": message } }));
            } else {
                eprintln!("{message}");
            }
            ExitCode::FAILURE
        }
    }
}

/// Prints lines; one that closed our standard output early, such as `head`, is no error.
fn print(text: &str) {
    use std::io::Write as _;
    if !text.is_empty() {
        let _ = writeln!(std::io::stdout(), "{text}");
    }
}

async fn serve(configured: Configured) -> Result<Outcome, Failure> {
    serve::run(configured.load()?).await.map_err(Failure::local)?;
    Ok(Outcome::done(Value::Null, ""))
}

async fn migrate(configured: Configured) -> Result<Outcome, Failure> {
    let database = serve::open_database(&configured.load()?).await.map_err(Failure::local)?;
    let migrated = database.store.migrate().await.map_err(Failure::local);
    database.close().await;
    migrated?;
    Ok(Outcome::done(Value::Null, "The database has the schema of this program."))
}

/// Rows as lines with aligned columns; the last column isn't padded.
fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain([head[column].len()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let padded: Vec<String> = cells.zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        padded.join("  ").trim_end().to_owned()
    };
    let mut lines = vec![line(&mut head.iter().copied())];
    lines.extend(rows.iter().map(|row| line(&mut row.iter().map(String::as_str))));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
    }

    #[test]
    fn tables_are_aligned() {
        let rows = [vec!["alice".to_owned(), String::new()], vec!["bé".to_owned(), "x".to_owned()]];
        assert_eq!(table(&["NAME", "EMAIL"], &rows), "NAME   EMAIL\nalice\nbé     x");
    }
}
