//! What every answer and every log line of every test has to pass: no 5xx outside a fault test, no SQL, path or secret in an
//! answer, no secret in a log.

use std::io::Write;
use std::sync::{LazyLock, Mutex, Once};

use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

use crate::statements::Counter;

static SECRETS: LazyLock<Mutex<Vec<String>>> = LazyLock::new(Mutex::default);

/// Texts that must not show in any log from now on.
///
/// # Panics
/// If another test thread panicked while it did this.
pub fn secret(text: &str) {
    SECRETS.lock().unwrap().push(text.to_owned());
}

/// Fails the test that got this answer, if a client must not get it.
pub(crate) fn answer(what: &str, status: u16, body: &str) {
    assert!(status < 500, "{what} answered {status}: {body}");
    // Fragments of our own statements, of the driver's errors and of this machine's file system.
    for leak in ["select ", "insert into", "-- ", "violates", "sqlx", "postgres", "/crates/", "/files/blobs", "panicked", "src/"]
    {
        assert!(!body.contains(leak), "{what} shows {leak:?} to a client: {body}");
    }
}

/// Aborts the whole test process when a secret is logged: a panic inside the logger could be lost.
struct Guarded;

impl Write for Guarded {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        let leaked = SECRETS.lock().unwrap().iter().any(|secret| text.contains(secret.as_str()));
        if leaked {
            // Past the test harness, which would keep it to itself.
            let _ = writeln!(std::io::stderr(), "a secret was logged: {text}");
            std::process::abort();
        }
        if std::env::var_os("REGALIA_TEST_LOG").is_some() {
            eprint!("{text}");
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Starts the log of this test process: everything, into the guard.
pub(crate) fn log() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let lines = tracing_subscriber::fmt::layer()
            .json()
            .with_writer(|| Guarded)
            .with_filter(EnvFilter::new("debug,hyper=info,h2=info,sqlx::postgres::notice=warn"));
        tracing_subscriber::registry().with(Counter).with(lines).init();
    });
}
