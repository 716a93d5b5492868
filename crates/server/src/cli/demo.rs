//! `regalia demo-data`: loads demo data into the database of a running server and shows how far it is. What must not live here:
//! what is loaded (`regalia_service::demo`).

use std::io::{IsTerminal as _, Write as _};

use clap::Args;
use regalia_server::serve;
use regalia_service::demo::{DemoSize, Loaded, ORGANIZATION, Progress};
use serde_json::Value;

use super::{Configured, Failure, Outcome};

/// Columns of the bar.
const BAR: usize = 40;

#[derive(Args)]
pub(super) struct DemoData {
    #[command(flatten)]
    configured: Configured,
    /// Registries, up to 10,000
    #[arg(long, value_name = "NUMBER", default_value_t = DemoSize::DEFAULT.registries)]
    registries: u32,
    /// Registry collections, at least as many as registries, up to 1,000,000; each has a source collection beside it
    #[arg(long, value_name = "NUMBER", default_value_t = DemoSize::DEFAULT.collections)]
    collections: u32,
    /// Versions, at least as many as collections, up to 10,000,000
    #[arg(long, value_name = "NUMBER", default_value_t = DemoSize::DEFAULT.versions)]
    versions: u32,
}

impl DemoData {
    pub(super) async fn run(self) -> Result<Outcome, Failure> {
        let config = self.configured.load()?;
        let size = DemoSize { registries: self.registries, collections: self.collections, versions: self.versions };
        let database = serve::join_database(&config).await.map_err(Failure::local)?;
        let loaded = async {
            let missing = database.store.missing_migrations().await.map_err(Failure::local)?;
            if missing > 0 {
                return Err(Failure::local(format!(
                    "The database's schema is not this program's: {missing} migrations differ. Start this program's server on it first."
                )));
            }
            let service = serve::service(&config, database.store.clone()).await.map_err(Failure::local)?;
            let mut shown = Shown::new(std::io::stderr().is_terminal());
            let loaded = service.load_demo(size, |progress| shown.tell(progress)).await;
            shown.end();
            loaded.map_err(|error| Failure { code: error.code().to_owned(), message: advice(&error) })
        }
        .await;
        database.close().await;
        loaded.map(|loaded| Outcome::done(Value::Null, text(size, &loaded)))
    }
}

/// The sentence for a person, with its cause where that is kept for the log.
fn advice(error: &regalia_service::Error) -> String {
    match std::error::Error::source(error) {
        None => error.to_string(),
        Some(cause) => format!("The demo data couldn't be loaded: {cause}. No version was added; the same command begins again."),
    }
}

fn text(size: DemoSize, loaded: &Loaded) -> String {
    format!(
        "Loaded {registries} registries, {collections} registry collections and {versions} versions into the organization \"{ORGANIZATION}\".\n\
         Its admins are {administrator} and alice; bob is a member, carol a viewer. Make them keys with `regalia admin key create --user alice`.\n\
         Look at it in GraphiQL, at /graphiql of the server:\n\
         \n\
         {{ registry(organization: \"{ORGANIZATION}\", name: \"{registry}\") {{ collections(first: 50) {{ nodes {{ name tags latest {{ index aliases }} }} }} }} }}",
        registries = size.registries,
        collections = size.collections,
        versions = size.versions,
        administrator = loaded.administrator,
        registry = loaded.registry,
    )
}

/// Progress on standard error: one line that changes, for a person at a terminal; else a line for each tenth.
struct Shown {
    terminal: bool,
    last: Option<(&'static str, u32)>,
}

impl Shown {
    fn new(terminal: bool) -> Self {
        Self { terminal, last: None }
    }

    fn tell(&mut self, progress: Progress) {
        let line = self.line(progress);
        if let Some(line) = line {
            // Whoever closed our standard error doesn't want to know.
            let _ = write!(std::io::stderr(), "{line}");
        }
    }

    /// What is written for this progress, if anything.
    fn line(&mut self, Progress { what, done, of }: Progress) -> Option<String> {
        let steps = if self.terminal { 100 } else { 10 };
        let step = u32::try_from(u64::from(done) * steps / u64::from(of.max(1))).unwrap_or(0);
        if self.last == Some((what, step)) {
            return None;
        }
        let other = self.last.is_some_and(|(last, _)| last != what);
        self.last = Some((what, step));
        if !self.terminal {
            return Some(format!("{what}: {done} of {of}\n"));
        }
        let full = BAR * step as usize / 100;
        let (begin, bar) = (if other { "\n" } else { "\r" }, "#".repeat(full));
        Some(format!("{begin}{what:<10} [{bar:<BAR$}] {step:>3} % {done} of {of}"))
    }

    fn end(&mut self) {
        if self.terminal && self.last.is_some() {
            let _ = writeln!(std::io::stderr());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_a_bar_on_a_terminal_and_a_line_for_each_tenth_elsewhere() {
        let at = |what, done| Progress { what, done, of: 1000 };
        let mut bar = Shown::new(true);
        assert_eq!(bar.line(at("versions", 505)).unwrap(), format!("\rversions   [{:<BAR$}]  50 % 505 of 1000", "#".repeat(20)));
        assert_eq!(bar.line(at("versions", 509)), None);
        assert!(bar.line(at("others", 1000)).unwrap().starts_with("\nothers     [####"));
        let mut lines = Shown::new(false);
        let told: Vec<String> = (1..=1000).filter_map(|done| lines.line(at("versions", done))).collect();
        assert_eq!(told.len(), 11);
        assert_eq!(told[10], "versions: 1000 of 1000\n");
    }
}
