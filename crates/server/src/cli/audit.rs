//! `regalia audit`: proves the history. It reads the database itself, or an export of it, and changes nothing. What must not live
//! here: what is hashed and what is wrong with a chain (`regalia_domain::chain`).

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, BufWriter, Write as _};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use regalia_domain::chain::{Checkpoint, Event, Report, Sealed, Verifier, told};
use regalia_server::checkpoints;
use regalia_server::config::Config;
use regalia_server::serve::{self, Database};
use regalia_service::store::chain::{self, Place};
use serde_json::{Value, json};

use super::{Configured, Failure, Outcome};

/// How many events are read at once.
const PAGE: i64 = 2000;

/// How long an event that should be sealed is given to be sealed.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Args)]
pub(super) struct Audit {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Say of each chain whether it holds, and name the first event that was changed, removed, moved or added
    Verify(Verify),
    /// Print the sealed events, one JSON object on each line, for `regalia audit verify --file` or a program of yours
    Export(Export),
}

#[derive(Args)]
struct Verify {
    #[command(flatten)]
    configured: Configured,
    /// Verify the lines of `regalia audit export` instead of the database
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Compare with these checkpoints; without it with those in the data directory, and with --file with none
    #[arg(long, value_name = "FILE")]
    checkpoints: Option<PathBuf>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct Export {
    #[command(flatten)]
    configured: Configured,
    /// Only this organization's events, by its entity name; also one that is deleted
    #[arg(long, value_name = "NAME")]
    organization: Option<String>,
}

impl Audit {
    pub(super) fn json(&self) -> bool {
        matches!(&self.command, Command::Verify(verify) if verify.json)
    }

    pub(super) async fn run(self) -> Result<Outcome, Failure> {
        match self.command {
            Command::Verify(verify) => verify.run().await,
            Command::Export(export) => export.run().await,
        }
    }
}

/// What organizations are called, by what their own events tell.
type Names = BTreeMap<i64, String>;

fn note_name(names: &mut Names, event: &Event) {
    if let (Some(organization), "organization.created", Some(after)) = (event.organization, event.kind.as_str(), &event.after)
        && let Ok(after) = serde_json::from_str::<Value>(after)
        && let Some(name) = after["name"].as_str()
    {
        names.insert(organization, name.to_owned());
    }
}

impl Verify {
    async fn run(self) -> Result<Outcome, Failure> {
        let mut names = Names::new();
        let mut without = None;
        let (reports, unsealed) = match self.file {
            Some(file) => {
                let checkpoints = self.checkpoints.map_or_else(|| Ok(Vec::new()), given_checkpoints)?;
                let mut verifier = Verifier::new(checkpoints, None);
                let unreadable = |error: &dyn std::fmt::Display| Failure::local(format!("{}: {error}", file.display()));
                let lines = BufReader::new(File::open(&file).map_err(|error| unreadable(&error))?).lines();
                for (number, line) in (1..).zip(lines) {
                    let line = line.map_err(|error| unreadable(&error))?;
                    let sealed: Sealed = serde_json::from_str(&line)
                        .map_err(|error| unreadable(&format!("line {number} is no event of an export: {error}")))?;
                    note_name(&mut names, &sealed.event);
                    verifier.event(&sealed);
                }
                let mut reports = verifier.finish();
                // An export of one organization says nothing of the others; one of all has the installation's chain.
                let mut told = reports.iter().filter(|report| report.events > 0);
                if let (Some(only), None) = (told.next(), told.next())
                    && only.organization.is_some()
                {
                    reports.retain(|report| report.events > 0);
                }
                (reports, 0)
            }
            None => {
                let config = self.configured.load()?;
                let checkpoints = match self.checkpoints {
                    Some(file) => given_checkpoints(file)?,
                    None => {
                        let file = checkpoints::path(&config.data_dir);
                        without = (!file.exists()).then(|| file.clone());
                        read_checkpoints(file)?
                    }
                };
                let database = database(&config).await?;
                let verified = verified(&database, checkpoints, &mut names).await;
                database.close().await;
                verified.map_err(Failure::local)?
            }
        };
        let mut outcome = outcome(&reports, unsealed, &names);
        if let Some(file) = without {
            let warning = format!(
                "There are no checkpoints in {}: a chain that was rewritten as a whole isn't noticed. A server writes them within a \
                 minute; name a copy with --checkpoints.",
                file.display()
            );
            outcome.text = format!("{}\n{warning}", outcome.text);
            outcome.json["warning"] = Value::String(warning);
        }
        Ok(outcome)
    }
}

/// Those of a file that was named: there has to be one.
fn given_checkpoints(file: PathBuf) -> Result<Vec<Checkpoint>, Failure> {
    if !file.exists() {
        return Err(Failure::local(format!(
            "There is no file {} to compare with. Name the file of checkpoints.",
            file.display()
        )));
    }
    read_checkpoints(file)
}

fn read_checkpoints(file: PathBuf) -> Result<Vec<Checkpoint>, Failure> {
    checkpoints::read(&file)
        .map_err(|error| Failure::local(format!("The checkpoints in {} can't be read: {error}.", file.display())))
}

/// The database of a running server, or else as that server would open it.
async fn database(config: &Config) -> Result<Database, Failure> {
    let database = match serve::join_database(config).await {
        Err(serve::Error::NotRunning(_)) if config.data_dir.exists() => serve::open_database(config).await,
        joined => joined,
    };
    let database = database.map_err(Failure::local)?;
    match database.store.missing_migrations().await {
        Ok(0) => Ok(database),
        missing => {
            database.close().await;
            let missing = missing.map_err(Failure::local)?;
            Err(Failure::local(format!(
                "The database's schema is not this program's: {missing} migrations differ. Start this program's server on it first."
            )))
        }
    }
}

/// What was found, and how many events wait for being sealed.
async fn verified(
    database: &Database,
    checkpoints: Vec<Checkpoint>,
    names: &mut Names,
) -> regalia_service::store::Result<(Vec<Report>, i64)> {
    let (mut unsealed, mut late) = chain::left(&mut *database.store.read().await?).await?;
    if let Some(first) = late {
        // One that was written before others and committed after them, or of a clock that was put back, is sealed in a moment: while
        // a server is at work the first one is another each time.
        tokio::time::sleep(PATIENCE).await;
        (unsealed, late) = chain::left(&mut *database.store.read().await?).await?;
        late = late.filter(|event| event.id == first.id);
    }
    let mut tx = database.store.begin().await?;
    chain::one_moment(&mut tx).await?;
    let mut verifier = Verifier::new(checkpoints, Some(chain::ends(&mut tx).await?));
    let mut place = Place::START;
    loop {
        let (events, next) = chain::page(&mut tx, None, place, PAGE).await?;
        if events.is_empty() {
            break;
        }
        for sealed in &events {
            note_name(names, &sealed.event);
            verifier.event(sealed);
        }
        place = next;
    }
    if let Some(event) = late {
        verifier.unsealed(event);
    }
    Ok((verifier.finish(), unsealed))
}

fn whose(organization: Option<i64>, names: &Names) -> String {
    match organization {
        None => "the installation".to_owned(),
        Some(id) => match names.get(&id) {
            Some(name) => format!("the organization \"{name}\" ({id})"),
            None => format!("the organization {id}"),
        },
    }
}

fn outcome(reports: &[Report], unsealed: i64, names: &Names) -> Outcome {
    let problem = |report: &Report| match (&report.problem, report.organization) {
        (Some(problem), _) => Some(problem.to_string()),
        (None, Some(id)) if report.events > 0 && !names.contains_key(&id) => {
            Some("no event tells that this organization was made: its events were put there".to_owned())
        }
        (None, _) => None,
    };
    let sound = |report: &Report| report.sound() && problem(report).is_none();
    let ok = reports.iter().all(sound);
    let mut lines: Vec<String> = Vec::new();
    let mut chains = Vec::new();
    for report in reports {
        let whose = whose(report.organization, names);
        let problem = problem(report);
        lines.push(match &problem {
            Some(problem) => format!("BAD   {whose}: {problem}."),
            None => format!(
                "ok    {whose}: {} events hold, {} checkpoints agree; the last has the hash {}.",
                report.events, report.checkpoints, report.hash
            ),
        });
        if let Some(event) = &report.backdated {
            lines.push(format!(
                "BAD   {whose}: {} at position {} says that it is over a day older than what was sealed before it: it was put \
                 behind the chain's end, or the database's clock was put back.",
                told(event),
                event.position
            ));
        }
        chains.push(json!({
            "organization": report.organization, "name": report.organization.and_then(|id| names.get(&id)),
            "events": report.events, "position": report.position, "hash": report.hash.to_hex(), "checkpoints": report.checkpoints,
            "ok": sound(report), "problem": problem, "backdated": report.backdated,
        }));
    }
    if unsealed > 0 {
        let then =
            if ok { "a running server does that within a second" } else { "those of a chain that doesn't hold may wait for it" };
        lines.push(format!("{unsealed} events aren't sealed yet; {then}."));
    }
    if reports.is_empty() {
        lines.push("There are no sealed events.".to_owned());
    }
    Outcome { json: json!({ "ok": ok, "unsealed": unsealed, "chains": chains }), text: lines.join("\n"), ok }
}

impl Export {
    async fn run(self) -> Result<Outcome, Failure> {
        let config = self.configured.load()?;
        let database = database(&config).await?;
        let written = export(&database, self.organization.as_deref()).await;
        database.close().await;
        written.map(|()| Outcome::done(Value::Null, ""))
    }
}

async fn export(database: &Database, organization: Option<&str>) -> Result<(), Failure> {
    let mut tx = database.store.begin().await.map_err(Failure::local)?;
    chain::one_moment(&mut tx).await.map_err(Failure::local)?;
    let organization = match organization {
        None => None,
        Some(name) => {
            let found = chain::organization(&mut tx, name).await.map_err(Failure::local)?;
            Some(found.ok_or_else(|| Failure::local(format!("There is no organization \"{name}\", and never was.")))?)
        }
    };
    let mut out = BufWriter::new(std::io::stdout().lock());
    let mut place = Place::START;
    loop {
        let (events, next) = chain::page(&mut tx, organization, place, PAGE).await.map_err(Failure::local)?;
        if events.is_empty() {
            return out.flush().map_err(Failure::local);
        }
        for sealed in &events {
            serde_json::to_writer(&mut out, sealed).map_err(Failure::local)?;
            out.write_all(b"\n").map_err(Failure::local)?;
        }
        place = next;
    }
}
