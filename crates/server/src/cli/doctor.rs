//! `regalia doctor`: looks at what the server stands on, and says what to do. It changes nothing but a file that it writes
//! and removes again. What must not live here: repairs.

use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::Args;
use regalia_server::config::{Config, read_admin_file};
use regalia_server::serve;
use serde_json::json;

use super::admin::client::http;
use super::{Configured, Failure, Outcome};

/// Two clocks that differ by more than this are worth a word. A refusal of signed URLs begins at minutes.
const CLOCK_SECONDS: i64 = 10;

/// Less free space than this is worth a word, in bytes.
const FREE_BYTES: u64 = 1 << 30;

#[derive(Args)]
pub(super) struct Doctor {
    #[command(flatten)]
    configured: Configured,
    /// Print one JSON document
    #[arg(long)]
    pub(super) json: bool,
}

/// One thing that was looked at.
struct Check {
    name: &'static str,
    ok: bool,
    says: String,
}

impl Check {
    fn new(name: &'static str, result: Result<String, String>) -> Self {
        let ok = result.is_ok();
        Self { name, ok, says: result.unwrap_or_else(|advice| advice) }
    }
}

impl Doctor {
    pub(super) async fn run(self) -> Result<Outcome, Failure> {
        let config = self.configured.load()?;
        let mut checks = database(&config).await;
        checks.push(Check::new("storage", storage(&config.data_dir)));
        checks.push(Check::new("public URL", public_url(&config).await));

        let ok = checks.iter().all(|check| check.ok);
        let json: Vec<_> =
            checks.iter().map(|check| json!({ "check": check.name, "ok": check.ok, "message": check.says })).collect();
        let lines: Vec<String> = checks
            .iter()
            .map(|check| format!("{:4}  {}: {}", if check.ok { "ok" } else { "BAD" }, check.name, check.says))
            .collect();
        Ok(Outcome { json: json!({ "ok": ok, "checks": json }), text: lines.join("\n"), ok })
    }
}

async fn database(config: &Config) -> Vec<Check> {
    let managed = config.database_url.is_none();
    if managed && !config.data_dir.exists() {
        return vec![Check::new("database", Ok("not made yet; the first start makes it".into()))];
    }
    let database = match serve::open_database(config).await {
        Ok(database) => database,
        Err(error) => {
            // A managed PostgreSQL belongs to one process: the server has it while it runs.
            let server = if managed { running(config).await } else { None };
            return match server {
                Some(url) => through_server(&url).await,
                None => vec![Check::new("database", Err(error.to_string()))],
            };
        }
    };
    let which = if managed { "the managed PostgreSQL" } else { "the PostgreSQL of database_url" };
    let missing = match database.store.missing_migrations().await {
        Ok(0) => Ok("none is missing".into()),
        Ok(missing) => Err(format!("{missing} missing. Run `regalia migrate`, or start the server, which does it too")),
        Err(error) => Err(error.to_string()),
    };
    let clock = database.store.clock().await.map_err(|error| error.to_string()).and_then(|theirs| clock(Utc::now(), theirs));
    database.close().await;
    vec![Check::new("database", Ok(format!("{which} answers"))), Check::new("migrations", missing), Check::new("clock", clock)]
}

/// The address of the server that runs on this installation, if one does.
async fn running(config: &Config) -> Option<String> {
    let file = read_admin_file(&config.data_dir).ok().flatten();
    let url = file.map_or_else(|| format!("http://{}", config.listen), |file| file.url);
    let answer = http(&url).ok()?.get(format!("{url}/health")).timeout(Duration::from_secs(5)).send().await.ok()?;
    answer.status().is_success().then_some(url)
}

/// What a running server says of the PostgreSQL that it manages.
async fn through_server(url: &str) -> Vec<Check> {
    let ready = async { http(url).ok()?.get(format!("{url}/ready")).timeout(Duration::from_secs(30)).send().await.ok() }.await;
    match ready {
        Some(answer) if answer.status().is_success() => vec![
            Check::new("database", Ok(format!("the server at {url} is running and its PostgreSQL answers"))),
            Check::new("migrations", Ok("none is missing, says that server".into())),
            Check::new("clock", Ok("the database is on this machine".into())),
        ],
        Some(answer) => {
            let status = answer.status().as_u16();
            let advice = format!(
                "the server at {url} is running but not ready ({status}). Its log says why; if migrations are missing, restart it"
            );
            vec![Check::new("database", Err(advice))]
        }
        None => vec![Check::new("database", Err(format!("the server at {url} doesn't answer in time. Look at its log")))],
    }
}

fn clock(ours: DateTime<Utc>, theirs: DateTime<Utc>) -> Result<String, String> {
    let seconds = (ours - theirs).num_seconds();
    if seconds.abs() > CLOCK_SECONDS {
        let direction = if seconds > 0 { "ahead of" } else { "behind" };
        Err(format!("this machine is {} s {direction} the database's. Synchronize both with a time server", seconds.abs()))
    } else {
        Ok("this machine and the database agree".into())
    }
}

fn storage(data_dir: &Path) -> Result<String, String> {
    let shown = data_dir.display();
    if !data_dir.exists() {
        return Ok(format!("{shown} doesn't exist yet; the first start makes it"));
    }
    let probe = data_dir.join(format!(".doctor-{}", std::process::id()));
    let written = std::fs::File::create_new(&probe).and_then(|mut file| {
        file.write_all(b"regalia")?;
        file.sync_all()
    });
    // Also after a failure: a full disk leaves an empty file.
    let removed = std::fs::remove_file(&probe);
    written
        .and(removed)
        .map_err(|error| format!("{shown} can't be written to: {error}. Check its owner, its rights and the disk"))?;
    let disk = nix::sys::statvfs::statvfs(data_dir).map_err(|error| format!("{shown} can't be measured: {error}"))?;
    let free = disk.blocks_available().saturating_mul(disk.fragment_size());
    let gib = free as f64 / f64::from(1 << 30);
    if free < FREE_BYTES {
        Err(format!("{shown} has only {gib:.1} GiB free. Make room before uploads fail"))
    } else {
        Ok(format!("{shown} can be written to and has {gib:.1} GiB free"))
    }
}

async fn public_url(config: &Config) -> Result<String, String> {
    let Some(url) = &config.public_url else {
        return Ok("not set; links have the address of each request".into());
    };
    let client = http(url).map_err(|failure| failure.message)?;
    match client.get(format!("{url}/health")).timeout(Duration::from_secs(10)).send().await {
        Ok(answer) if answer.status().is_success() => Ok(format!("{url} answers")),
        Ok(answer) => Err(format!("{url}/health answers {}. Check the proxy in front of the server", answer.status().as_u16())),
        Err(error) => Err(format!(
            "{url}/health can't be reached from here: {}. Start the server; check public_url, DNS, certificate and proxy",
            super::admin::client::reason(&error)
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_may_differ_a_little() {
        let now = Utc::now();
        assert!(clock(now, now + chrono::Duration::seconds(CLOCK_SECONDS)).is_ok());
        assert!(clock(now + chrono::Duration::seconds(60), now).unwrap_err().contains("60 s ahead of"));
        assert!(clock(now - chrono::Duration::seconds(60), now).unwrap_err().contains("60 s behind"));
    }

    #[test]
    fn storage_that_cannot_be_written_to_is_told() {
        let here = std::env::temp_dir();
        assert!(storage(&here).unwrap_or_else(|advice| advice).contains("GiB free"));
        assert!(storage(&here.join("regalia-doctor-absent")).unwrap().contains("first start"));
        assert!(storage(Path::new("/proc")).unwrap_err().contains("can't be written to"));
    }
}
