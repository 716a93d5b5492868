//! The cluster on disk: its directories and their owners, creating it, and what a killed predecessor left in it. How
//! the programs that work on it are run is in programs.rs.

use std::{
    env,
    fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError},
    io::{self, ErrorKind},
    os::unix::{
        ffi::OsStrExt,
        fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, lchown},
        net::UnixStream,
    },
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::{
    DATABASE, Options, PORT, PostgresError, ROLE,
    account::Account,
    binaries::{self, Binaries, PACKAGES},
    log::Log,
    processes,
    programs::{POLL, Running},
};

/// The longest path of a Unix socket that Linux takes, in bytes.
const SOCKET_PATH: usize = 107;

/// One server's hold on the data directory.
#[derive(Debug)]
pub(super) struct Lock(File);

impl Lock {
    /// Explicitly, because closing the file isn't enough at once: a program that another thread is just starting has
    /// a copy of the descriptor until it runs.
    pub fn release(&self) {
        let _ = self.0.unlock();
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.release();
    }
}

#[derive(Debug)]
pub(super) struct Cluster {
    pub account: Account,
    /// `<data directory>/postgres`
    pub root: PathBuf,
    pub data: PathBuf,
    /// The marker of an initdb that isn't finished is the name: only a complete cluster is called `data`.
    unfinished: PathBuf,
    pub socket_dir: PathBuf,
    pub log: Arc<Log>,
}

impl Cluster {
    /// Takes the data directory for this server alone and makes the directories that only the server's own user can
    /// make.
    pub fn open(options: &Options) -> Result<(Self, Lock), PostgresError> {
        let account = Account::current()?;
        let data_dir = &options.data_dir;
        if !data_dir.exists() {
            // As root others must get through, though not look around: PostgreSQL's user is one of them. Whatever
            // the umask is.
            let mode = if account.drops { 0o711 } else { 0o700 };
            let made = fs::create_dir_all(data_dir);
            let made = made.and_then(|()| fs::set_permissions(data_dir, Permissions::from_mode(mode)));
            made.map_err(PostgresError::io("create", data_dir))?;
        }
        let data_dir = fs::canonicalize(data_dir).map_err(PostgresError::io("find", data_dir))?;

        let path = data_dir.join("postgres.lock");
        let opened = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
        let lock = opened.map_err(PostgresError::io("open", &path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(PostgresError::AlreadyRunning { data_dir });
            }
            Err(TryLockError::Error(error)) => return Err(PostgresError::io("lock", &path)(error)),
        }

        let lock = Lock(lock);

        let root = data_dir.join("postgres");
        let owner = private_dir(&root)?.uid();
        if owner != account.uid.as_raw() {
            // One of root's own was left between the two steps; any other owner is somebody's decision.
            if owner != 0 || !account.drops {
                return Err(PostgresError::WrongOwner { dir: root, owner, user: account.name });
            }
            hand_over(&root, &account)?;
        }
        let socket_dir = socket_dir(&root, &account)?;
        let log = Arc::new(Log::new(root.join("postgresql.log"), options.log_cap));
        let (data, unfinished) = (root.join("data"), root.join("data.new"));
        Ok((Self { account, root, data, unfinished, socket_dir, log }, lock))
    }

    /// After PostgreSQL has ended: what lies outside the data directory goes.
    pub fn leave(&self) {
        if !self.socket_dir.starts_with(&self.root) {
            // Not empty or gone already: either way there is nothing more to do.
            let _ = fs::remove_dir(&self.socket_dir);
        }
    }

    /// Everything up to a PostgreSQL that accepts connections. Only on the supervising thread, under the lock.
    pub fn launch(&self, options: &Options) -> Result<Running, PostgresError> {
        self.account.act_on_files();
        self.check_reachable()?;
        let found = self.version()?;
        let path = env::var_os("PATH");
        let programs = binaries::find(options.bin_dir.as_deref(), Path::new(PACKAGES), path.as_deref(), found)?;
        if let Some(found) = found.filter(|found| *found != programs.major) {
            return Err(PostgresError::OtherMajor { dir: self.data.clone(), found, installed: programs.major });
        }
        self.clear_leftovers(options.leftover_timeout)?;
        if self.socket_dir.starts_with(&self.root) {
            private_dir(&self.socket_dir)?;
        }
        self.write_access_rules()?;
        if found.is_none() {
            self.create(&programs, options.init_timeout)?;
        }
        // Volumes are sometimes handed over with wider permissions than PostgreSQL accepts.
        let narrowed = fs::set_permissions(&self.data, Permissions::from_mode(0o700));
        narrowed.map_err(PostgresError::io("set the permissions of", &self.data))?;
        self.serve(&programs, options.start_timeout)
    }

    /// As root, the way to the directory is walked by another user.
    fn check_reachable(&self) -> Result<(), PostgresError> {
        let ancestors: Vec<_> = self.root.ancestors().collect();
        let closed = |dir: &&&Path| fs::metadata(dir.join(".")).is_err_and(|error| error.kind() == ErrorKind::PermissionDenied);
        match ancestors.iter().rev().find(closed) {
            None => Ok(()),
            Some(blocked) => Err(self.unreachable(blocked)),
        }
    }

    pub fn unreachable(&self, blocked: &Path) -> PostgresError {
        let user = self.account.name.clone();
        PostgresError::Unreachable { user, blocked: blocked.into(), dir: self.root.clone() }
    }

    /// The major version of the cluster, or none where there is no cluster yet.
    fn version(&self) -> Result<Option<u32>, PostgresError> {
        match fs::read_to_string(self.data.join("PG_VERSION")) {
            Ok(text) => {
                let major = binaries::parse_major(&text);
                major.map(Some).ok_or_else(|| PostgresError::NotACluster { dir: self.data.clone() })
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                match fs::read_dir(&self.data).is_ok_and(|mut entries| entries.next().is_some()) {
                    true => Err(PostgresError::NotACluster { dir: self.data.clone() }),
                    false => Ok(None),
                }
            }
            Err(error) => Err(PostgresError::io("read", &self.data)(error)),
        }
    }

    /// Ends what an earlier PostgreSQL left running here, and removes the files by which PostgreSQL itself would
    /// believe in it. The lock says that no server is in charge of it any more; only when no process is left may
    /// the files go, since they also guard the shared memory that those processes have attached.
    fn clear_leftovers(&self, timeout: Duration) -> Result<(), PostgresError> {
        let dirs = [self.root.clone(), self.data.clone(), self.unfinished.clone()];
        let pid_file = self.data.join("postmaster.pid");
        let deadline = Instant::now() + timeout;
        let mut signalled = false;
        loop {
            let left = processes::living_in(&dirs);
            if left.is_empty() {
                break;
            }
            if !signalled {
                tracing::warn!(?left, "waiting for an earlier PostgreSQL to end");
                let claimed = fs::read_to_string(&pid_file).ok();
                let claimed = claimed.and_then(|text| text.lines().next()?.trim().parse().ok()).map(Pid::from_raw);
                let (signal, to) = match claimed.filter(|pid| left.contains(pid)) {
                    // A fast shutdown; mostly it is on its way already.
                    Some(postmaster) => (Signal::SIGINT, vec![postmaster]),
                    // Children of a killed postmaster go by themselves, but not from the middle of a long query.
                    None => (Signal::SIGTERM, left.clone()),
                };
                for pid in to {
                    // Already gone is as good.
                    let _ = kill(pid, signal);
                }
                signalled = true;
            }
            if Instant::now() > deadline {
                let pids: Vec<_> = left.iter().map(ToString::to_string).collect();
                return Err(PostgresError::StillRunning { dir: self.root.clone(), pids: pids.join(" ") });
            }
            thread::sleep(POLL);
        }
        let socket = self.socket_dir.join(format!(".s.PGSQL.{PORT}"));
        let socket_lock = self.socket_dir.join(format!(".s.PGSQL.{PORT}.lock"));
        for stale in [pid_file, socket, socket_lock] {
            remove(fs::remove_file(&stale), &stale)?;
        }
        Ok(())
    }

    /// Peer authentication only: the kernel says who connects, the map says as whom.
    fn write_access_rules(&self) -> Result<(), PostgresError> {
        let (server, own) = (&self.account.server, &self.account.name);
        let map = format!(
            "regalia \"{server}\" {ROLE}\nregalia \"{server}\" postgres\n{}",
            if self.account.drops { format!("regalia \"{own}\" postgres\n") } else { String::new() }
        );
        for (path, text) in [(self.hba_file(), "local all all peer map=regalia\n"), (self.ident_file(), &map)] {
            let text = format!("# Written by the server at each start: changes are lost.\n{text}");
            fs::write(&path, text).map_err(PostgresError::io("write", &path))?;
        }
        Ok(())
    }

    pub fn hba_file(&self) -> PathBuf {
        self.root.join("pg_hba.conf")
    }

    pub fn ident_file(&self) -> PathBuf {
        self.root.join("pg_ident.conf")
    }

    /// A new cluster with the role and the database, under another name until it is complete and on disk.
    fn create(&self, programs: &Binaries, timeout: Duration) -> Result<(), PostgresError> {
        tracing::info!(dir = %self.data.display(), version = programs.major, "creating the database");
        self.discard_unfinished()?;
        let mut initdb = self.command(programs, "initdb");
        initdb.args(["--encoding=UTF8", "--locale=C", "--data-checksums"]);
        initdb.args(["--username=postgres", "--auth-local=peer", "--auth-host=reject"]);
        initdb.args(["--no-instructions", "--pgdata"]).arg(&self.unfinished);
        // A stand-alone backend: nobody can connect to a half-made database.
        let mut alone = self.command(programs, "postgres");
        alone.args(["--single", "-c", "exit_on_error=on", "-D"]);
        alone.arg(&self.unfinished).arg("postgres");
        let sql = format!("CREATE ROLE {ROLE} LOGIN CREATEDB\nCREATE DATABASE {DATABASE} OWNER {ROLE}\n");
        let made = self.complete("initdb", initdb, "", timeout).and_then(|()| self.complete("postgres", alone, &sql, timeout));
        if made.is_err() {
            let _ = self.discard_unfinished();
        }
        made?;
        let published = fs::rename(&self.unfinished, &self.data).and_then(|()| File::open(&self.root)?.sync_all());
        published.map_err(PostgresError::io("finish", &self.data))
    }

    fn discard_unfinished(&self) -> Result<(), PostgresError> {
        remove(fs::remove_dir_all(&self.unfinished), &self.unfinished)
    }
}

/// The directory with mode 0700, made if it is missing. A link in its place isn't followed.
fn private_dir(dir: &Path) -> Result<fs::Metadata, PostgresError> {
    match DirBuilder::new().mode(0o700).create(dir) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            return Err(PostgresError::io("create", dir)(error));
        }
        _ => {}
    }
    let found = fs::symlink_metadata(dir).map_err(PostgresError::io("look at", dir))?;
    if !found.is_dir() {
        return Err(PostgresError::io("use", dir)(ErrorKind::NotADirectory.into()));
    }
    Ok(found)
}

/// The socket's directory, if somebody listens there.
pub(super) fn socket_in_use(data_dir: &Path) -> Result<Option<PathBuf>, PostgresError> {
    let root = data_dir.join("postgres");
    if !root.join("data").exists() {
        return Ok(None);
    }
    let root = fs::canonicalize(&root).map_err(PostgresError::io("find", &root))?;
    let dir = socket_dir(&root, &Account::current()?)?;
    Ok(UnixStream::connect(dir.join(format!(".s.PGSQL.{PORT}"))).is_ok().then_some(dir))
}

fn hand_over(dir: &Path, account: &Account) -> Result<(), PostgresError> {
    let given = lchown(dir, Some(account.uid.as_raw()), Some(account.gid.as_raw()));
    given.map_err(PostgresError::io("change the owner of", dir))
}

/// Where the socket goes: into PostgreSQL's directory, or, where its path would be too long or has characters that
/// the setting gives a meaning to, into a short one that is named after it.
fn socket_dir(root: &Path, account: &Account) -> Result<PathBuf, PostgresError> {
    let near = root.join("run");
    let length = near.join(format!(".s.PGSQL.{PORT}")).as_os_str().len();
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/._-+".contains(byte);
    if length <= SOCKET_PATH && near.as_os_str().as_bytes().iter().all(plain) {
        return Ok(near);
    }
    let identity = fs::metadata(root).map_err(PostgresError::io("look at", root))?;
    // Root has a place where nobody else can put something in the way.
    let base = if account.drops { "/run" } else { "/tmp" };
    let dir = PathBuf::from(format!("{base}/regalia-{}-{:x}-{:x}", account.uid, identity.dev(), identity.ino()));
    let mut found = private_dir(&dir)?;
    if account.drops && found.uid() == 0 {
        hand_over(&dir, account)?;
        found = private_dir(&dir)?;
    }
    if found.uid() != account.uid.as_raw() || found.mode() & 0o777 != 0o700 {
        return Err(PostgresError::SocketDirectory { dir, user: account.name.clone() });
    }
    Ok(dir)
}

/// Removing what isn't there is fine.
fn remove(result: io::Result<()>, path: &Path) -> Result<(), PostgresError> {
    match result {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(PostgresError::io("remove", path)(error)),
        _ => Ok(()),
    }
}
