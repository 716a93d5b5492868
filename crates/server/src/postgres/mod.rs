//! The PostgreSQL that the server manages itself when no `DATABASE_URL` is given: found, created, started, watched
//! and stopped here, over the system's own binaries. Synchronous, and without a database driver: whoever wants to
//! talk to it takes [`ManagedPostgres::socket_dir`] and connects by Unix socket with peer authentication.
//!
//! What must not live here: SQL of the application, migrations, connection pools, anything async.
//!
//! On disk, below the server's data directory:
//!
//! ```text
//! postgres.lock            held with flock(2) for as long as a server uses the directory
//! postgres/                0700, owned by the user that PostgreSQL runs as
//!   data/                  the cluster; it appears by rename, so it is always a complete one
//!   data.new/              a cluster that is being created; what is left of it after a crash is thrown away
//!   run/                   the socket (elsewhere when this path is too long for one)
//!   pg_hba.conf, pg_ident.conf   written anew at each start
//!   postgresql.log, postgresql.log.1   each at most `Options::log_cap` bytes
//! ```
//!
//! In a container: run an init as PID 1 (backends of a killed PostgreSQL are nobody else's to reap), and let the
//! volume belong to the user that the server runs as, who needs a name in `/etc/passwd`. `/dev/shm` may be as small
//! as containers have it: parallel queries, its only large user, are off.

mod account;
pub mod binaries;
mod cluster;
mod error;
mod log;
mod processes;
mod programs;

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc},
    thread,
    time::Duration,
};

use nix::{
    errno::Errno,
    sys::{
        signal::{Signal, kill},
        wait::{Id, WaitPidFlag, waitid},
    },
    unistd::Pid,
};

use cluster::{Cluster, Lock};
pub use error::PostgresError;
use programs::Running;

/// The role that the server connects as: it owns the database and may create others, but is no superuser. For
/// administration the same operating-system user may also connect as the superuser `postgres`.
pub(crate) const ROLE: &str = "regalia";
pub(crate) const DATABASE: &str = "regalia";
/// Only a part of the socket's file name: nothing listens on TCP.
pub(crate) const PORT: u16 = 5432;
/// How long an immediate shutdown may take, once a fast one has taken longer than it may.
const IMMEDIATE_SHUTDOWN: Duration = Duration::from_secs(15);

/// Where the managed PostgreSQL lives and how long things may take.
#[derive(Debug, Clone)]
pub struct Options {
    /// The server's data directory; created if it is missing. As root, each of its parents must be open (`x`) to
    /// the user `postgres`.
    pub data_dir: PathBuf,
    /// The directory with `initdb` and `postgres`; searched for (see [`binaries::find`]) when absent.
    pub bin_dir: Option<PathBuf>,
    /// For creating the cluster, once.
    pub init_timeout: Duration,
    /// From the start of `postgres` until it accepts connections, recovery after a crash included.
    pub start_timeout: Duration,
    /// For processes that a killed server or PostgreSQL left in the directory.
    pub leftover_timeout: Duration,
    /// For a fast shutdown; after it follows an immediate one.
    pub stop_timeout: Duration,
    /// Bytes after which PostgreSQL's log starts anew. One older file is kept, so the two take at most twice this.
    pub log_cap: u64,
}

impl Options {
    /// The defaults: time-outs generous enough for a slow, busy machine, and 8 MiB of log.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            bin_dir: None,
            init_timeout: Duration::from_secs(300),
            start_timeout: Duration::from_secs(600),
            leftover_timeout: Duration::from_secs(60),
            stop_timeout: Duration::from_secs(60),
            log_cap: 8 << 20,
        }
    }
}

/// The socket's directory of the PostgreSQL that a server manages in this data directory right now; none when none does, or
/// when it is another user's.
///
/// # Errors
/// The directory can't be looked at.
pub fn running_in(data_dir: &Path) -> Result<Option<PathBuf>, PostgresError> {
    cluster::socket_in_use(data_dir)
}

/// How PostgreSQL ended.
#[derive(Debug, Clone)]
pub struct Exit {
    /// [`ManagedPostgres::stop`] was called before. If not, the server has lost its database and must exit non-zero.
    pub asked_for: bool,
    /// For people: "exit status: 1", "signal: 9 (SIGKILL)".
    pub status: String,
    /// The end of its log, for people.
    pub last_lines: String,
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = if self.asked_for { "was stopped" } else { "ended by itself" };
        write!(f, "PostgreSQL {how} ({}); its last lines:\n{}", self.status, self.last_lines)
    }
}

/// A running PostgreSQL of the server's own. Dropping it stops it.
#[derive(Debug)]
pub struct ManagedPostgres {
    pid: Pid,
    cluster: Arc<Cluster>,
    stop_timeout: Duration,
    shared: Arc<Shared>,
    lock: Lock,
}

/// Between the supervising thread and everybody else.
#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    ended: Condvar,
}

#[derive(Debug, Default)]
struct State {
    asked_for: bool,
    exit: Option<Exit>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ManagedPostgres {
    /// Starts PostgreSQL and returns when it accepts connections: creates the cluster, the role and the database
    /// the first time, waits for what a killed predecessor left behind, waits for recovery. Blocks for as long as
    /// that takes; safe to call from any thread, also from one that ends soon.
    ///
    /// # Errors
    /// See [`PostgresError`]; nothing is left running after one.
    pub fn start(options: &Options) -> Result<Self, PostgresError> {
        let (cluster, lock) = Cluster::open(options)?;
        let cluster = Arc::new(cluster);
        let shared = Arc::new(Shared::default());
        let (tell, told) = mpsc::sync_channel(1);
        // PostgreSQL gets its signal of parental death when the *thread* that spawned it ends, hence a thread that
        // does nothing else and lives exactly as long. The thread also acts on files as PostgreSQL's user, which
        // must not leak into others.
        let spawned = thread::Builder::new().name("pg-supervisor".into()).spawn({
            let (cluster, shared, options) = (Arc::clone(&cluster), Arc::clone(&shared), options.clone());
            move || match cluster.launch(&options) {
                Ok(running) => {
                    let pid = Pid::from_raw(running.child.id().cast_signed());
                    // The receiver waits for exactly this message, so it can't be gone.
                    let _ = tell.send(Ok(pid));
                    supervise(pid, running, &cluster, &shared);
                }
                Err(error) => {
                    cluster.log.close();
                    let _ = tell.send(Err(error));
                }
            }
        });
        spawned.map_err(PostgresError::io("start a thread for", &options.data_dir))?;
        let pid = told.recv().unwrap_or(Err(PostgresError::Supervisor)).inspect_err(|_| cluster.leave())?;
        tracing::info!(pid = pid.as_raw(), socket = %cluster.socket_dir.display(), "PostgreSQL is ready");
        Ok(Self { pid, cluster, stop_timeout: options.stop_timeout, shared, lock })
    }

    /// The directory of the socket, absolute; the file in it is `.s.PGSQL.<port>`.
    pub fn socket_dir(&self) -> &Path {
        &self.cluster.socket_dir
    }

    /// The role to connect as; no password.
    pub fn user(&self) -> &'static str {
        ROLE
    }

    /// The database to connect to: UTF8, C locale.
    pub fn database(&self) -> &'static str {
        DATABASE
    }

    /// The port in the socket's file name.
    pub fn port(&self) -> u16 {
        PORT
    }

    /// The postmaster's process id.
    pub fn pid(&self) -> u32 {
        self.pid.as_raw().cast_unsigned()
    }

    /// Blocks until PostgreSQL has ended, whatever the reason. From another thread, so that a server whose
    /// PostgreSQL died can exit non-zero (`asked_for` is false then).
    pub fn wait_exited(&self) -> Exit {
        let mut state = self.shared.lock();
        loop {
            if let Some(exit) = &state.exit {
                return exit.clone();
            }
            state = self.shared.ended.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// A fast shutdown: open transactions are rolled back, everything is written, then the directory is free for
    /// another server. Close connection pools before. If it takes longer than `stop_timeout`, an immediate
    /// shutdown follows, from which the next start recovers. Once stopped, it only returns the same again.
    ///
    /// # Errors
    /// [`PostgresError::StopTimeout`] when PostgreSQL is still there after both.
    pub fn stop(&self) -> Result<Exit, PostgresError> {
        for (signal, patience) in [(Signal::SIGINT, self.stop_timeout), (Signal::SIGQUIT, IMMEDIATE_SHUTDOWN)] {
            let mut state = self.shared.lock();
            if state.exit.is_none() {
                state.asked_for = true;
                // Under the lock and without an exit the process isn't reaped yet, so the id is still its own.
                let _ = kill(self.pid, signal);
            }
            let ended = self.shared.ended.wait_timeout_while(state, patience, |state| state.exit.is_none());
            let (state, _) = ended.unwrap_or_else(PoisonError::into_inner);
            if let Some(exit) = &state.exit {
                self.cluster.leave();
                self.lock.release();
                return Ok(exit.clone());
            }
            tracing::warn!(pid = self.pid.as_raw(), %signal, ?patience, "PostgreSQL has not stopped in time");
        }
        Err(PostgresError::StopTimeout { pid: self.pid() })
    }
}

impl Drop for ManagedPostgres {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            tracing::error!(%error, "stopping PostgreSQL");
        }
    }
}

/// Waits for the postmaster's end and tells everybody.
fn supervise(pid: Pid, mut running: Running, cluster: &Cluster, shared: &Shared) {
    // Without reaping, so that the id stays its own until that happens below under the lock.
    while waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT) == Err(Errno::EINTR) {}
    log::settle(&running.log_reader);
    cluster.log.close();
    let mut state = shared.lock();
    let status = running.child.wait().map_or_else(|error| error.to_string(), |status| status.to_string());
    let exit = Exit { asked_for: state.asked_for, status, last_lines: cluster.log.tail() };
    if exit.asked_for {
        tracing::info!(status = exit.status, "PostgreSQL has stopped");
    } else {
        tracing::error!("{exit}");
    }
    state.exit = Some(exit);
    shared.ended.notify_all();
}
