//! Everything that can go wrong with the managed PostgreSQL, each with what to do about it.

use std::{
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use thiserror::Error;

use super::binaries::OLDEST;

/// Why the managed PostgreSQL didn't start or stop. The messages are for the person at the terminal.
#[derive(Debug, Error)]
pub enum PostgresError {
    /// Nothing that serves is installed.
    #[error("PostgreSQL {OLDEST} or newer is not installed. Install it with: apt-get install -y postgresql")]
    NoBinaries,
    /// The setting names a directory without the server's programs.
    #[error("{dir} has no working `initdb` and `postgres`. Name the directory that has them (for Debian's package /usr/lib/postgresql/{OLDEST}/bin), or unset it to search", dir = .dir.display())]
    BadBinDir {
        /// The setting.
        dir: PathBuf,
    },
    /// The setting names programs of a version before [`OLDEST`].
    #[error("the PostgreSQL in {dir} is version {major}, and {OLDEST} or newer is needed. Install it with: apt-get install -y postgresql", dir = .dir.display())]
    TooOld {
        /// The setting.
        dir: PathBuf,
        /// What is there.
        major: u32,
    },
    /// The server's user id has no name, so peer authentication can't work.
    #[error(
        "user id {uid} has no name, which PostgreSQL needs. Add the user to /etc/passwd, or use a database of your own with DATABASE_URL"
    )]
    NoUserName {
        /// The server's effective user id.
        uid: u32,
    },
    /// Root, and nobody to drop to.
    #[error(
        "PostgreSQL refuses to run as root, and there is no user `postgres` to run it as. Create it with: useradd --system postgres"
    )]
    NoPostgresUser,
    /// Another server holds the lock.
    #[error("another server is using {data_dir}. Stop it, or choose another data directory with --data-dir", data_dir = .data_dir.display())]
    AlreadyRunning {
        /// The server's data directory.
        data_dir: PathBuf,
    },
    /// As root: `postgres` can't get to its own directory.
    #[error("PostgreSQL runs as user `{user}`, who may not enter {blocked} and so can't reach {dir}. Choose a data directory that it can reach, such as /var/lib/regalia, with --data-dir; or let others through with: chmod o+x {blocked}; or run the server as an ordinary user", blocked = .blocked.display(), dir = .dir.display())]
    Unreachable {
        /// PostgreSQL's user.
        user: String,
        /// The first directory on the way that is closed to it.
        blocked: PathBuf,
        /// Where it has to go.
        dir: PathBuf,
    },
    /// Made earlier by somebody else.
    #[error("{dir} belongs to user id {owner}, but PostgreSQL runs as `{user}`. Run the server as the user who made it, or give it over with: chown -R {user}: {dir}", dir = .dir.display())]
    WrongOwner {
        /// PostgreSQL's directory.
        dir: PathBuf,
        /// Who has it.
        owner: u32,
        /// PostgreSQL's user.
        user: String,
    },
    /// The directory for the socket is somebody else's, or open to others.
    #[error("{dir} is not a directory with mode 0700 that belongs to `{user}`. Remove it, or choose a data directory with a shorter path, so that the socket fits there", dir = .dir.display())]
    SocketDirectory {
        /// The short directory.
        dir: PathBuf,
        /// PostgreSQL's user.
        user: String,
    },
    /// Processes of an earlier PostgreSQL don't end.
    #[error("an earlier PostgreSQL in {dir} has not ended: process {pids}. Wait, or end it with: kill {pids}", dir = .dir.display())]
    StillRunning {
        /// PostgreSQL's directory.
        dir: PathBuf,
        /// Its processes, separated by spaces.
        pids: String,
    },
    /// The cluster was made by another major version.
    #[error("{dir} was made by PostgreSQL {found}, but PostgreSQL {installed} is in use. Install the old one beside it with: apt-get install -y postgresql-{found}; or upgrade the directory with pg_upgrade first", dir = .dir.display())]
    OtherMajor {
        /// The cluster.
        dir: PathBuf,
        /// Its version.
        found: u32,
        /// The programs' version.
        installed: u32,
    },
    /// The place of the cluster holds something else.
    #[error("{dir} is not empty and not a PostgreSQL cluster either. Restore it from a backup, or move it away to start anew", dir = .dir.display())]
    NotACluster {
        /// The cluster's place.
        dir: PathBuf,
    },
    /// No space left, or a quota is used up.
    #[error("no space is left on the file system of {dir}. Free some (a new database takes about 60 MB) and start again{detail}", dir = .dir.display())]
    DiskFull {
        /// Where space is needed.
        dir: PathBuf,
        /// What PostgreSQL said, on lines of its own.
        detail: String,
    },
    /// `initdb` or `postgres` ended where it should not.
    #[error("`{program}` failed ({status}). What it said, and {log} has more:\n{lines}", log = .log.display())]
    Failed {
        /// The program.
        program: &'static str,
        /// How it ended.
        status: String,
        /// The log file.
        log: PathBuf,
        /// The end of it.
        lines: String,
    },
    /// `initdb` or `postgres` took too long.
    #[error("`{program}` was not done after {seconds} s and was stopped. If the machine is only slow, start again: nothing is lost. {log} says how far it came:\n{lines}", log = .log.display())]
    TooSlow {
        /// The program.
        program: &'static str,
        /// The time it had.
        seconds: u64,
        /// The log file.
        log: PathBuf,
        /// The end of it.
        lines: String,
    },
    /// Neither a fast nor an immediate shutdown ended it.
    #[error("PostgreSQL (process {pid}) does not stop. Look at the disk it writes to; it is safe to end it with: kill -9 {pid}")]
    StopTimeout {
        /// The postmaster.
        pid: u32,
    },
    /// The supervising thread is gone without a word: a defect.
    #[error("the thread that supervises PostgreSQL ended unexpectedly. Please report this as a defect")]
    Supervisor,
    /// The server's or PostgreSQL's user may not do this.
    #[error("not permitted to {action} {path}. Give the directory to the user that runs the server, or choose another with --data-dir", path = .path.display())]
    NotPermitted {
        /// What was tried.
        action: &'static str,
        /// With what.
        path: PathBuf,
    },
    /// Anything else that the operating system answers.
    #[error("can't {action} {path}: {source}", path = .path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// With what.
        path: PathBuf,
        /// The answer.
        source: io::Error,
    },
}

impl PostgresError {
    /// For `map_err`: the error for `action` on `path`.
    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| match source.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::DiskFull { dir: path, detail: String::new() },
            ErrorKind::PermissionDenied => Self::NotPermitted { action, path },
            _ => Self::Io { action, path, source },
        }
    }
}
