//! The access matrix: each operation of each door, run as each kind of caller, written down in `docs/access-matrix.md` and
//! compared with it (rules 14 to 24). An operation of the schema or a route without a row fails. Here is what a row is, how it
//! is run and how the file is written; the rows are in a file for each door. What must not live here: why a caller may do
//! something (`access`, `members`, `native`).
//!
//! A row is a few lines in one of the files: the operation as `Type.field` or `METHOD /path`, a note when there are several
//! of it, and what to send. Whatever changes something is sent to a target of its own for each cell: see [`stage::Cell`].

mod life;
mod native;
mod routes;
mod stage;
mod wire;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt::Write as _;
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use uuid::Uuid;

use stage::{Cell, PERSONAE, Stage};

/// How many cells are filled at once.
const AT_ONCE: usize = 8;

/// Mutations that write no event: heartbeats, uploads and runs are none, nor is what is only begun; and where there are no other
/// sessions none ends.
const SILENT: [&str; 11] = [
    "createArtifact",
    "createArtifactFiles",
    "createArtifactManifest",
    "createRunFiles",
    "markRunFilesUploaded",
    "stopRun",
    "updateUser",
    "upsertBucket",
    "useArtifact",
    "sessionEnd",
    "versionBegin",
];

/// What became of one operation of one caller.
pub struct Outcome {
    /// What stands in the cell.
    word: &'static str,
    /// The request, if its events are to be looked for.
    request: Option<Uuid>,
    /// The error's sentence, for who wonders about a cell.
    said: String,
}

impl Outcome {
    /// By the code of an error; empty: done.
    fn of(code: &str, said: &str, request: Option<Uuid>) -> Self {
        let word = match code {
            "" => "yes",
            "FORBIDDEN" => "no",
            "NOT_FOUND" => "–",
            "UNAUTHENTICATED" => "401",
            "INVALID" => "n/a",
            "CONFLICT" => "taken",
            other => panic!("an answer with the code {other} says nothing of rights: {said}"),
        };
        Self { word, request, said: said.to_owned() }
    }

    /// Whether something was shown.
    fn seen(shown: bool) -> Self {
        Self { word: if shown { "yes" } else { "–" }, request: None, said: String::new() }
    }
}

type Ask = Box<dyn Fn(Cell) -> BoxFuture<'static, Outcome> + Send + Sync>;

/// An operation, or one kind of its targets.
struct Row {
    /// The heading that it stands under.
    section: String,
    /// `Type.field`, or `METHOD /path`.
    operation: &'static str,
    /// Which of several; may be empty.
    note: String,
    ask: Ask,
}

/// The rows, in the order of the file.
#[derive(Default)]
pub struct Rows {
    rows: Vec<Row>,
    section: String,
}

impl Rows {
    fn section(&mut self, heading: &str) {
        heading.clone_into(&mut self.section);
    }

    fn add(&mut self, operation: &'static str, note: impl Into<String>, ask: Ask) {
        self.rows.push(Row { section: self.section.clone(), operation, note: note.into(), ask });
    }
}

/// A row: an operation, a note, and what is sent by the cell's caller.
macro_rules! row {
    ($rows:ident, $operation:literal, $note:expr, |$cell:ident| $body:expr) => {
        $rows.add($operation, $note, Box::new(move |$cell: $crate::matrix::stage::Cell| Box::pin(async move { $body })))
    };
}
pub(crate) use row;

const HEAD: &str = "# The access matrix

Each operation of each door, tried by each kind of caller. A test makes this file by doing it all
(`crates/testkit/tests/doors/matrix`) and fails when an answer differs, or when an operation has no row here.
The rules are in [rules.md](rules.md), most of them under 14 to 24.

| word | meaning |
|---|---|
| `yes` | it was done, or shown |
| `no` | refused as forbidden: the caller sees what it is about, or it is a thing of the site's own |
| `–` | as if it weren't there: null, not in the list, or not found |
| `401` | refused for want of an API key or session |
| `n/a` | refused as invalid, because it means nothing for this caller |
| `taken` | refused because the name is taken, which is all that it says (rule 2) |

";

const AFTER_PERSONAE: &str = "
From the left to the right each ladder goes up: seats in the organization, roles in the registry, places in the team; the last
two are above all of them, each in his own field. Nobody has a right that isn't named: who has a role in the registry or a place
in the team is an ordinary member of the organization; the team has no role in a registry. The organization's members may create
registries.

An *open* registry is seen by its whole organization, a *closed* one, whose visibility is `restricted`, by its members. What lies
in either was born in the team's project. *The team's* is what is only there; *a colleague* is an ordinary member of the
organization who isn't in the table, *a colleague's* what is his or in his personal project. What is changed is made anew for each
cell, with the same people in the same places.
";

fn capitalized(noun: &str) -> String {
    let (first, rest) = noun.split_at(1);
    format!("{}{rest}", first.to_uppercase())
}

fn rendered(rows: &[Row], cells: &[Vec<Outcome>]) -> String {
    let mut text = HEAD.to_owned();
    text.push_str("| column | who |\n|---|---|\n");
    for persona in &PERSONAE {
        writeln!(text, "| `{}` | {} |", persona.heading, persona.who).unwrap();
    }
    text.push_str(AFTER_PERSONAE);
    let label = |row: &Row| {
        let operation = row.operation.trim_start_matches("Query.").trim_start_matches("Mutation.");
        if row.note.is_empty() { format!("`{operation}`") } else { format!("`{operation}` {}", row.note) }
    };
    let mut section = "";
    let mut width = 0;
    for (row, cells) in rows.iter().zip(cells) {
        if row.section != section {
            section = &row.section;
            let of_section = rows.iter().filter(|row| row.section == section);
            width = of_section.map(|row| label(row).chars().count()).max().unwrap_or(0);
            let (door, noun) = section.split_once(": ").unwrap_or((section, ""));
            if !text.contains(&format!("\n## {door}\n")) {
                writeln!(text, "\n## {door}").unwrap();
            }
            writeln!(text, "\n### {}\n", capitalized(noun)).unwrap();
            let headings: Vec<String> = PERSONAE.iter().map(|persona| format!("{:<5}", persona.heading)).collect();
            writeln!(text, "| {:<width$} | {} |", "", headings.join(" | ")).unwrap();
            let lines: Vec<String> =
                PERSONAE.iter().map(|persona| "-".repeat(persona.heading.chars().count().max(5) + 2)).collect();
            writeln!(text, "|{}|{}|", "-".repeat(width + 2), lines.join("|")).unwrap();
        }
        let words: Vec<String> = cells
            .iter()
            .zip(&PERSONAE)
            .map(|(cell, persona)| format!("{:<1$}", cell.word, persona.heading.chars().count().max(5)))
            .collect();
        writeln!(text, "| {:<width$} | {} |", label(row), words.join(" | ")).unwrap();
    }
    text
}

/// Fails when an operation has no row, or a row is of nothing.
async fn complete(stage: &Stage, rows: &[Row]) {
    let asked: BTreeSet<&str> = rows.iter().map(|row| row.operation).collect();
    let types = "{ __schema { types { name fields { name } } } }";
    let types = stage.alice.graphql(types, json!({})).await.ok();
    let fields: BTreeMap<&str, BTreeSet<&str>> = types["__schema"]["types"]
        .as_array()
        .unwrap()
        .iter()
        .map(|kind| {
            let names = kind["fields"].as_array().map(Vec::as_slice).unwrap_or_default();
            (kind["name"].as_str().unwrap(), names.iter().map(|field| field["name"].as_str().unwrap()).collect())
        })
        .collect();
    for root in ["Query", "Mutation"] {
        for field in &fields[root] {
            assert!(asked.contains(format!("{root}.{field}").as_str()), "{root}.{field} has no row in the access matrix");
        }
    }
    let mut routes = BTreeSet::new();
    for path in regalia_server::http::paths() {
        // What a route takes is told to whoever sends what it doesn't.
        let sample = path.split('/').map(|segment| if segment.starts_with('{') { "x" } else { segment }).collect::<Vec<_>>();
        let reply = stage.alice.request("PATCH", &sample.join("/"), |request| request).await;
        let allowed = reply.headers.get("allow").unwrap_or_else(|| panic!("{path} doesn't say what it takes: {}", reply.status));
        for method in allowed.to_str().unwrap().split(',').filter(|method| *method != "HEAD") {
            routes.insert(format!("{method} {path}"));
        }
    }
    for route in &routes {
        assert!(asked.contains(route.as_str()), "{route} has no row in the access matrix");
    }
    for operation in asked {
        let (kind, field) = operation.split_once('.').unwrap_or((operation, ""));
        let there = fields.get(kind).is_some_and(|fields| fields.contains(field)) || routes.contains(operation);
        assert!(there, "{operation} has a row in the access matrix, and there is no such thing");
    }
    for field in SILENT {
        assert!(fields["Mutation"].contains(field), "there is no mutation {field}");
    }
}

/// What was done has left its event, and what was refused has left none.
async fn effective(stage: &Stage, rows: &[Row], cells: &[Vec<Outcome>]) {
    let events: HashSet<Uuid> = stage
        .server
        .rows("select distinct request_id from audit_events")
        .await
        .iter()
        .map(|row: &Value| row["request_id"].as_str().unwrap().parse().unwrap())
        .collect();
    for (row, cells) in rows.iter().zip(cells) {
        let silent = row.operation.strip_prefix("Mutation.").is_none_or(|field| SILENT.contains(&field));
        for (cell, persona) in cells.iter().zip(&PERSONAE) {
            let Some(request) = cell.request else { continue };
            let (done, told) = (cell.word == "yes", events.contains(&request));
            let what = format!("{} {} as {}: {} {}", row.operation, row.note, persona.heading, cell.word, cell.said);
            assert!(done || !told, "something was done: {what}");
            assert!(!done || told || silent, "nothing was done: {what}");
        }
    }
}

/// Rules 14 to 24, and whatever else says who may do what: read the file.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_access_matrix_is_as_checked_in() {
    let checked_in = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/access-matrix.md");
    let expected = std::fs::read_to_string(checked_in).unwrap_or_default();
    let stage = Arc::new(Stage::set().await);
    let mut rows = Rows::default();
    native::rows(&mut rows);
    life::own(&mut rows);
    wire::rows(&mut rows);
    life::wire(&mut rows);
    routes::rows(&mut rows);
    let rows = rows.rows;
    complete(&stage, &rows).await;

    let all = (0..rows.len() * PERSONAE.len()).map(|number| {
        let (row, persona) = (&rows[number / PERSONAE.len()], number % PERSONAE.len());
        (row.ask)(Cell::new(&stage, persona, number))
    });
    let outcomes: Vec<Outcome> = futures_util::stream::iter(all).buffered(AT_ONCE).collect().await;
    let mut outcomes = outcomes.into_iter();
    let cells: Vec<Vec<Outcome>> = rows.iter().map(|_| outcomes.by_ref().take(PERSONAE.len()).collect()).collect();
    effective(&stage, &rows, &cells).await;

    let matrix = rendered(&rows, &cells);
    if matrix != expected {
        let found = concat!(env!("CARGO_TARGET_TMPDIR"), "/access-matrix.md");
        std::fs::write(found, &matrix).unwrap();
        for (row, cells) in rows.iter().zip(&cells) {
            for (cell, persona) in cells.iter().zip(&PERSONAE).filter(|(cell, _)| !["yes", "401"].contains(&cell.word)) {
                println!("{} {} as {}: {} {}", row.operation, row.note, persona.heading, cell.word, cell.said);
            }
        }
        panic!(
            "the access matrix is not that of {checked_in}. Look with `diff {checked_in} {found}`; if it shall be so, `cp {found} \
             {checked_in}`."
        );
    }
}
