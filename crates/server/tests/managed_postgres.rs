//! What the supervisor of the managed PostgreSQL must get right, point by point: `pNN_` in a test's name counts them. Each test has a directory and a PostgreSQL of its own. As root the tests also try an unprivileged
//! server, small file systems and foreign owners; as anybody else, what that user can try.

// Helpers outside `#[test]` functions fail a test by panicking too.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{
    env,
    ffi::OsStr,
    fs::{self, Permissions},
    io::{self, BufRead, BufReader, Read, Write},
    os::unix::{
        fs::{MetadataExt, PermissionsExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{self, Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, User, geteuid, getpgid},
};
use regalia_server::postgres::{
    ManagedPostgres, Options, PostgresError,
    binaries::{self, Binaries, PACKAGES, parse_major},
};

/// Names the data directory for a copy of this test program that only holds a PostgreSQL, to be killed.
const HOLD: &str = "REGALIA_TEST_HOLD";
/// The user id of `nobody`: has a name, owns nothing.
const NOBODY: u32 = 65534;

// --- helpers ---------------------------------------------------------------------------------------------------

/// A directory that goes with the test, and takes what still runs in it along.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("rg{}-{}", process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        // Not TMPDIR, which may be long, and closed to other users.
        let dir = Path::new("/tmp").join(name);
        fs::create_dir(&dir).unwrap();
        fs::set_permissions(&dir, Permissions::from_mode(0o711)).unwrap();
        Self(dir)
    }

    fn options(&self) -> Options {
        Options::new(self.0.join("data"))
    }

    /// The cluster.
    fn pgdata(&self) -> PathBuf {
        self.0.join("data/postgres/data")
    }

    fn log(&self) -> String {
        fs::read_to_string(self.0.join("data/postgres/postgresql.log")).unwrap()
    }

    fn start(&self) -> ManagedPostgres {
        ManagedPostgres::start(&self.options()).unwrap_or_else(|error| panic!("{error}"))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let left = processes_below(&self.0);
        for pid in &left {
            let _ = kill(*pid, Signal::SIGKILL);
        }
        until("killed processes are gone", || processes_below(&self.0).is_empty());
        let removed = fs::remove_dir_all(&self.0);
        if !thread::panicking() {
            assert!(left.is_empty(), "processes were left running: {left:?}");
            removed.unwrap();
        }
    }
}

/// Living processes, of whatever program, that work in a directory below `dir`.
fn processes_below(dir: &Path) -> Vec<Pid> {
    let alive = |pid: &Pid| state_of(*pid).is_some_and(|state| state != 'Z');
    let inside = |pid: &Pid| fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd.starts_with(dir));
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok().map(Pid::from_raw));
    pids.filter(|pid| alive(pid) && inside(pid)).collect()
}

/// `Z` for a zombie, `T` for a stopped process.
fn state_of(pid: Pid) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

fn until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !done() {
        assert!(Instant::now() < deadline, "timed out waiting until {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

fn root() -> bool {
    geteuid().is_root()
}

/// The user that PostgreSQL runs as in these tests.
fn postgres_user() -> User {
    let user = if root() { User::from_name("postgres") } else { User::from_uid(geteuid()) };
    user.unwrap().expect("a user that PostgreSQL can run as")
}

fn give_to_postgres(path: &Path) {
    let user = postgres_user();
    chown(path, Some(user.uid.as_raw()), Some(user.gid.as_raw())).unwrap();
}

/// A command that runs as PostgreSQL's user.
fn as_postgres(program: impl AsRef<OsStr>) -> Command {
    let (user, mut command) = (postgres_user(), Command::new(program));
    if root() {
        command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
    }
    command
}

fn installed() -> Binaries {
    let path = env::var_os("PATH");
    binaries::find(None, Path::new(PACKAGES), path.as_deref(), None).unwrap_or_else(|error| panic!("{error}"))
}

/// How to connect.
struct Database {
    socket_dir: PathBuf,
    uid: Option<u32>,
}

impl Database {
    fn of(postgres: &ManagedPostgres) -> Self {
        assert_eq!((postgres.user(), postgres.database(), postgres.port()), ("regalia", "regalia", 5432));
        Self { socket_dir: postgres.socket_dir().to_owned(), uid: None }
    }

    fn psql(&self, user: &str) -> Command {
        let program = installed().dir.join("psql");
        assert!(program.exists(), "no psql beside the server: apt-get install -y postgresql");
        let mut psql = Command::new(program);
        psql.env_clear().current_dir("/").arg("-h").arg(&self.socket_dir);
        psql.args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-p", "5432", "-d", "regalia", "-w", "-U", user]);
        if let Some(uid) = self.uid {
            psql.uid(uid);
        }
        psql
    }

    fn try_sql_as(&self, user: &str, sql: &str) -> Result<String, String> {
        let output = self.psql(user).args(["-c", sql]).output().unwrap();
        match output.status.success() {
            true => Ok(String::from_utf8(output.stdout).unwrap().trim().to_owned()),
            false => Err(String::from_utf8(output.stderr).unwrap()),
        }
    }

    fn sql_as(&self, user: &str, sql: &str) -> String {
        self.try_sql_as(user, sql).unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    fn sql(&self, sql: &str) -> String {
        self.sql_as("regalia", sql)
    }

    /// A session that stays open, with the process id of its backend.
    fn session(&self) -> (Child, ChildStdin, Pid) {
        let mut psql = self.psql("regalia").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut stdin = psql.stdin.take().unwrap();
        writeln!(stdin, "SELECT pg_backend_pid();").unwrap();
        let mut line = String::new();
        BufReader::new(psql.stdout.take().unwrap()).read_line(&mut line).unwrap();
        (psql, stdin, Pid::from_raw(line.trim().parse().unwrap()))
    }
}

/// Another process that manages a PostgreSQL as the server does: it exits with 3 when PostgreSQL dies.
struct Holder {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Holder {
    fn command(program: &Path, data_dir: &Path) -> Command {
        let name = concat!(module_path!(), "::p07_a_killed_server_takes_postgres_with_it");
        let (_crate, name) = name.split_once("::").unwrap();
        let mut command = Command::new(program);
        command.args(["--exact", name, "--nocapture"]).env(HOLD, data_dir).current_dir("/");
        command
    }

    /// The same, started by a line of shell.
    fn within(script: &str, data_dir: &Path) -> Command {
        let inner = Self::command(&env::current_exe().unwrap(), data_dir);
        let mut command = Command::new("sh");
        command.args(["-c", &format!("{script} && exec \"$@\""), "sh"]).arg(inner.get_program()).args(inner.get_args());
        command.env(HOLD, data_dir).current_dir("/");
        command
    }

    fn spawn(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, output }
    }

    fn new(data_dir: &Path) -> Self {
        Self::spawn(Self::command(&env::current_exe().unwrap(), data_dir))
    }

    /// The postmaster and how to connect to it, or the error that it failed with.
    fn ready(&mut self) -> Result<(Pid, Database), String> {
        let mut line = String::new();
        while self.output.read_line(&mut line).unwrap() > 0 {
            // The test harness doesn't end its own line before.
            if let Some((_, answer)) = line.split_once("HOLDER ") {
                let (pid, socket_dir) = answer.trim_end().split_once(' ').unwrap();
                let socket_dir = socket_dir.into();
                return Ok((Pid::from_raw(pid.parse().unwrap()), Database { socket_dir, uid: None }));
            }
            line.clear();
        }
        assert_eq!(self.child.wait().unwrap().code(), Some(2));
        let mut error = String::new();
        self.child.stderr.take().map(|mut stderr| stderr.read_to_string(&mut error));
        Err(error)
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }

    /// Its exit code, when it ends without having been told to.
    fn ended(mut self) -> Option<i32> {
        // Waiting for a child closes its input, which here tells it to stop.
        let _input = self.child.stdin.take();
        self.child.wait().unwrap().code()
    }

    /// Its exit code, once it has been told to stop.
    fn end(mut self) -> Option<i32> {
        drop(self.child.stdin.take());
        self.child.wait().unwrap().code()
    }
}

/// What the other process does.
fn hold(data_dir: &OsStr) -> ! {
    let postgres = match ManagedPostgres::start(&Options::new(data_dir)) {
        Ok(postgres) => Arc::new(postgres),
        Err(error) => {
            eprintln!("{error}");
            process::exit(2);
        }
    };
    let watched = Arc::clone(&postgres);
    thread::spawn(move || {
        if !watched.wait_exited().asked_for {
            process::exit(3);
        }
    });
    println!("HOLDER {} {}", postgres.pid(), postgres.socket_dir().display());
    io::stdin().read_to_end(&mut Vec::new()).unwrap();
    postgres.stop().unwrap();
    process::exit(0);
}

/// A program, written by another process: a descriptor of ours that is open for writing could be inherited by a
/// program that another test starts, and would make this one "busy".
fn write_program(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let script = "printf '%s' \"$2\" > \"$1\" && chmod 755 \"$1\"";
    let status = Command::new("sh").args(["-c", script, "sh"]).arg(path).arg(text).status().unwrap();
    assert!(status.success());
}

fn copy_program(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg(from).arg(to).status().unwrap().success());
    fs::set_permissions(to, Permissions::from_mode(0o755)).unwrap();
}

fn write_binaries(dir: &Path, version: &str) {
    write_program(&dir.join("postgres"), &format!("#!/bin/sh\necho 'postgres (PostgreSQL) {version}'\n"));
    write_program(&dir.join("initdb"), "#!/bin/sh\nexit 1\n");
}

// --- 1: the binaries -------------------------------------------------------------------------------------------

#[test]
fn p01_versions_compare_as_numbers() {
    let scratch = Scratch::new();
    let packages = scratch.0.join("packages");
    for (dir, version) in [("9.6", "9.6.24"), ("9", "9.5.1"), ("14", "14.9"), ("15", "15.3 (Debian 15.3-1)"), ("16", "16beta1")] {
        write_binaries(&packages.join(dir).join("bin"), version);
    }
    // A package of client programs alone is no server.
    write_program(&packages.join("18/bin/psql"), "#!/bin/sh\n");
    let found = binaries::find(None, &packages, None, None).unwrap();
    assert_eq!(found, Binaries { dir: packages.join("16/bin"), major: 16 });
    // The version that made the cluster, while it is installed; never one that is too old.
    assert_eq!(binaries::find(None, &packages, None, Some(15)).unwrap().major, 15);
    assert_eq!(binaries::find(None, &packages, None, Some(14)).unwrap().major, 16);
    write_binaries(&packages.join("100/bin"), "100.1");
    assert_eq!(binaries::find(None, &packages, None, None).unwrap().major, 100);

    assert_eq!(parse_major("postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)\n"), Some(15));
    assert_eq!(parse_major("postgres (PostgreSQL) 17devel"), Some(17));
    assert_eq!(parse_major("9.6\n"), Some(9));
    assert_eq!(parse_major("\n"), None);
}

#[test]
fn p01_setting_then_packages_then_path() {
    let scratch = Scratch::new();
    let (packages, set, on_path) = (scratch.0.join("packages"), scratch.0.join("set"), scratch.0.join("path"));
    let path = env::join_paths([scratch.0.join("absent"), on_path.clone()]).unwrap();
    write_binaries(&on_path, "15.1");
    let find = |setting: Option<&Path>| binaries::find(setting, &packages, Some(&path), None);
    assert_eq!(find(None).unwrap().dir, on_path);
    write_binaries(&packages.join("16/bin"), "16.1");
    assert_eq!(find(None).unwrap().dir, packages.join("16/bin"));

    // A setting is obeyed or refused, and nothing else is tried in its place.
    let error = find(Some(&set)).unwrap_err();
    assert!(matches!(error, PostgresError::BadBinDir { .. }), "{error}");
    write_binaries(&set, "14.2");
    let error = find(Some(&set)).unwrap_err();
    assert!(matches!(error, PostgresError::TooOld { major: 14, .. }), "{error}");
    write_binaries(&set, "17.0");
    assert_eq!(find(Some(&set)).unwrap(), Binaries { dir: set.clone(), major: 17 });
}

#[test]
fn p01_nothing_found_is_one_line_that_installs_it() {
    let scratch = Scratch::new();
    let old = scratch.0.join("old");
    write_binaries(&old, "14.1");
    for path in [None, Some(old.as_os_str())] {
        let message = binaries::find(None, &scratch.0.join("packages"), path, None).unwrap_err().to_string();
        assert!(message.ends_with("apt-get install -y postgresql"), "{message}");
        assert_eq!(message.lines().count(), 1);
    }
}

// --- 2: users --------------------------------------------------------------------------------------------------

/// Each process of PostgreSQL and each of its files belong to `uid`.
fn assert_belongs_to(uid: u32, root_dir: &Path) {
    let processes = processes_below(root_dir);
    assert!(processes.len() > 4, "{processes:?}");
    for pid in processes {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let uids = status.lines().find_map(|line| line.strip_prefix("Uid:")).unwrap();
        assert!(uids.split_whitespace().all(|id| id == uid.to_string()), "{uids}");
        let groups = status.lines().find_map(|line| line.strip_prefix("Groups:")).unwrap();
        assert!(uid == 0 || !root() || groups.trim().is_empty(), "root's groups: {groups}");
    }
    let mut dirs = vec![root_dir.to_owned()];
    while let Some(dir) = dirs.pop() {
        assert_eq!(fs::metadata(&dir).unwrap().uid(), uid, "{}", dir.display());
        for entry in fs::read_dir(&dir).unwrap().flatten() {
            // A file may go while PostgreSQL works.
            let Ok(found) = entry.metadata() else { continue };
            assert_eq!(found.uid(), uid, "{}", entry.path().display());
            if found.is_dir() {
                dirs.push(entry.path());
            }
        }
    }
}

#[test]
fn p02_postgres_runs_as_an_ordinary_user() {
    let scratch = Scratch::new();
    let postgres = scratch.start();
    let uid = postgres_user().uid.as_raw();
    assert_ne!(uid, 0);
    assert_belongs_to(uid, &scratch.0.join("data/postgres"));
    assert_eq!(fs::metadata(scratch.0.join("data/postgres")).unwrap().mode() & 0o777, 0o700);
    assert_eq!(fs::metadata(scratch.0.join("data/postgres.lock")).unwrap().uid(), geteuid().as_raw());
    // The server itself stays who it is, on every thread but the one that supervises.
    assert_eq!(fs::metadata("/proc/self").unwrap().uid(), geteuid().as_raw());
    fs::write(scratch.0.join("mine"), "").unwrap();
    assert_eq!(fs::metadata(scratch.0.join("mine")).unwrap().uid(), geteuid().as_raw());
    postgres.stop().unwrap();
}

#[test]
fn p02_an_unprivileged_server_needs_no_other_user() {
    let scratch = Scratch::new();
    let uid = if root() { NOBODY } else { geteuid().as_raw() };
    let program = scratch.0.join("holder");
    copy_program(&env::current_exe().unwrap(), &program);
    let spawn = |data_dir: &Path| {
        let mut command = Holder::command(&program, data_dir);
        if root() {
            command.uid(uid).gid(uid);
        }
        command.stderr(Stdio::piped());
        Holder::spawn(command)
    };
    let mine = scratch.0.join("mine");
    fs::create_dir(&mine).unwrap();
    chown(&mine, Some(uid), None).unwrap();
    let mut holder = spawn(&mine);
    let (_, mut database) = holder.ready().unwrap();
    database.uid = root().then_some(uid);
    assert_belongs_to(uid, &mine.join("postgres"));
    assert_eq!(database.sql("SELECT current_user"), "regalia");
    if root() {
        // Peer authentication: the map knows the server's user, and root isn't that here.
        let refused = Database { uid: None, ..database }.try_sql_as("regalia", "SELECT 1").unwrap_err();
        assert!(refused.contains("Peer authentication failed"), "{refused}");
    }
    assert_eq!(holder.end(), Some(0));

    // A volume that isn't the server's own is told from other mishaps.
    let theirs = scratch.0.join("theirs");
    fs::create_dir(&theirs).unwrap();
    fs::set_permissions(&theirs, Permissions::from_mode(0o555)).unwrap();
    let error = spawn(&theirs).ready().err().unwrap();
    assert!(error.contains("not permitted to open") && error.contains("--data-dir"), "{error}");
}

#[test]
fn p02_a_closed_parent_directory_is_named() {
    let scratch = Scratch::new();
    let closed = scratch.0.join("closed");
    fs::create_dir(&closed).unwrap();
    // Root may enter, but not the user that PostgreSQL runs as; an ordinary user may not either.
    fs::set_permissions(&closed, Permissions::from_mode(if root() { 0o700 } else { 0o000 })).unwrap();
    let error = ManagedPostgres::start(&Options::new(closed.join("data"))).unwrap_err();
    fs::set_permissions(&closed, Permissions::from_mode(0o700)).unwrap();
    let message = error.to_string();
    assert!(message.contains(closed.to_str().unwrap()), "{message}");
    if root() {
        assert!(matches!(&error, PostgresError::Unreachable { blocked, .. } if *blocked == closed), "{error:?}");
        assert!(message.contains("/var/lib/regalia") && message.contains("`postgres`"), "{message}");
    } else {
        assert!(matches!(error, PostgresError::NotPermitted { .. }), "{error:?}");
    }
    // A data directory that the server makes is open enough by itself, whatever the umask.
    let mut holder = Holder::spawn(Holder::within("umask 077", &scratch.0.join("open")));
    let (_, database) = holder.ready().unwrap();
    assert_eq!(database.sql("SELECT 1"), "1");
    let mode = fs::metadata(scratch.0.join("open")).unwrap().mode() & 0o777;
    assert_eq!(mode, if root() { 0o711 } else { 0o700 });
    assert_eq!(holder.end(), Some(0));
}

#[test]
fn p02_a_directory_of_another_user_is_left_alone() {
    let scratch = Scratch::new();
    let theirs = scratch.0.join("data/postgres");
    fs::create_dir_all(scratch.0.join("data")).unwrap();
    if root() {
        fs::create_dir(&theirs).unwrap();
        chown(&theirs, Some(NOBODY), None).unwrap();
        let error = ManagedPostgres::start(&scratch.options()).unwrap_err();
        assert!(matches!(error, PostgresError::WrongOwner { owner: NOBODY, .. }), "{error:?}");
        assert!(error.to_string().contains("chown -R postgres: "), "{error}");
        assert_eq!(fs::metadata(&theirs).unwrap().uid(), NOBODY);
        fs::remove_dir(&theirs).unwrap();
    }
    // Nor is a link followed to where somebody would like root's rights to be used.
    let target = scratch.0.join("target");
    fs::create_dir(&target).unwrap();
    std::os::unix::fs::symlink(&target, &theirs).unwrap();
    let error = ManagedPostgres::start(&scratch.options()).unwrap_err();
    assert!(error.to_string().contains("not a directory"), "{error}");
    assert_eq!(fs::metadata(&target).unwrap().uid(), geteuid().as_raw());
    assert!(fs::read_dir(&target).unwrap().next().is_none());
}

// --- 3: one server ---------------------------------------------------------------------------------------------

#[test]
fn p03_second_server_is_refused_by_the_flock() {
    let scratch = Scratch::new();
    let first = scratch.start();
    let error = ManagedPostgres::start(&scratch.options()).unwrap_err();
    assert!(matches!(error, PostgresError::AlreadyRunning { .. }), "{error:?}");
    let mut command = Holder::command(&env::current_exe().unwrap(), &scratch.options().data_dir);
    command.stderr(Stdio::piped());
    let error = Holder::spawn(command).ready().err().unwrap();
    assert!(error.contains("another server is using"), "{error}");
    // The first one hasn't noticed.
    let pid = first.pid();
    assert_eq!(Database::of(&first).sql("SELECT 1"), "1");
    assert_eq!(fs::read_to_string(scratch.pgdata().join("postmaster.pid")).unwrap().lines().next(), Some(&*pid.to_string()));

    // Also with its PostgreSQL dead, as long as the first server hasn't given up.
    kill(Pid::from_raw(pid.cast_signed()), Signal::SIGKILL).unwrap();
    assert!(!first.wait_exited().asked_for);
    let error = ManagedPostgres::start(&scratch.options()).unwrap_err();
    assert!(matches!(error, PostgresError::AlreadyRunning { .. }), "{error:?}");
    first.stop().unwrap();
    scratch.start().stop().unwrap();
}

// --- 4: stale files --------------------------------------------------------------------------------------------

/// A process that has nothing to do with PostgreSQL and ends with the test.
struct Bystander(Child);

impl Drop for Bystander {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn p04_a_stale_pid_file_is_not_believed() {
    let scratch = Scratch::new();
    let socket_dir = {
        let postgres = scratch.start();
        postgres.socket_dir().to_owned()
    };
    let data = scratch.pgdata();
    let fake = scratch.0.join("postgres");
    copy_program(Path::new("/bin/sleep"), &fake);
    let sleep = |program: &Path, dir: &Path| Bystander(as_postgres(program).arg("600").current_dir(dir).spawn().unwrap());
    // Of PostgreSQL's own user each, so that PostgreSQL itself would take them for a running server: another program in
    // this directory, a postgres of another directory, and one of this directory that is dead but not reaped.
    let mut innocent = [sleep(Path::new("/bin/sleep"), &data), sleep(&fake, Path::new("/"))];
    let mut zombie = sleep(&fake, &data);
    zombie.0.kill().unwrap();
    let zombie_pid = Pid::from_raw(zombie.0.id().cast_signed());
    until("it is a zombie", || state_of(zombie_pid) == Some('Z'));

    let claimed = [innocent[0].0.id(), innocent[1].0.id(), zombie.0.id()];
    for pid in claimed {
        for (path, text) in [
            (data.join("postmaster.pid"), format!("{pid}\n{}\n1\n5432\n{}\n\n", data.display(), socket_dir.display())),
            (socket_dir.join(".s.PGSQL.5432.lock"), format!("{pid}\n{}\n1\n5432\n{}\n", data.display(), socket_dir.display())),
            (socket_dir.join(".s.PGSQL.5432"), String::new()),
        ] {
            fs::write(&path, text).unwrap();
            give_to_postgres(&path);
        }
        let postgres = scratch.start();
        assert_eq!(Database::of(&postgres).sql("SELECT 1"), "1");
        postgres.stop().unwrap();
    }
    for process in &mut innocent {
        assert!(process.0.try_wait().unwrap().is_none(), "somebody else's process was ended");
    }
}

#[test]
fn p04_a_living_postgres_of_this_directory_is_ended_first() {
    let scratch = Scratch::new();
    scratch.start().stop().unwrap();
    let root_dir = scratch.0.join("data/postgres");
    let data = scratch.pgdata();
    let setting = |name: &str, file: &str| format!("{name}={}", root_dir.join(file).display());
    let mut orphan = as_postgres(installed().dir.join("postgres"))
        .arg("-D")
        .arg(&data)
        .args(["-c", "listen_addresses=", "-c", &setting("unix_socket_directories", "run")])
        .args(["-c", &setting("hba_file", "pg_hba.conf"), "-c", &setting("ident_file", "pg_ident.conf")])
        .stderr(Stdio::null())
        .current_dir("/")
        .spawn()
        .unwrap();
    let database = Database { socket_dir: root_dir.join("run"), uid: None };
    until("it answers", || database.try_sql_as("regalia", "SELECT 1").is_ok());
    database.sql("CREATE TABLE t AS SELECT 42 AS a");
    let postgres = scratch.start();
    assert_eq!(orphan.wait().unwrap().code(), Some(0), "a fast shutdown, in order");
    assert_eq!(Database::of(&postgres).sql("SELECT a FROM t"), "42");
    postgres.stop().unwrap();
}

// --- 5: children of a killed postmaster ------------------------------------------------------------------------

#[test]
fn p05_children_of_a_killed_postmaster_are_waited_for() {
    let scratch = Scratch::new();
    let postgres = scratch.start();
    Database::of(&postgres).sql("CREATE TABLE t AS SELECT 42 AS a");
    let (mut psql, stdin, backend) = Database::of(&postgres).session();
    // Stopped, it keeps its shared memory, as a backend in the middle of something would.
    kill(backend, Signal::SIGSTOP).unwrap();
    until("it is stopped", || state_of(backend) == Some('T'));
    kill(Pid::from_raw(postgres.pid().cast_signed()), Signal::SIGKILL).unwrap();
    assert!(!postgres.wait_exited().asked_for);
    drop(postgres);

    let mut options = scratch.options();
    options.leftover_timeout = Duration::from_millis(300);
    let error = ManagedPostgres::start(&options).unwrap_err();
    assert!(matches!(&error, PostgresError::StillRunning { pids, .. } if *pids == backend.to_string()), "{error:?}");
    assert!(scratch.pgdata().join("postmaster.pid").exists(), "it still guards the shared memory");

    let begun = Instant::now();
    let waker = thread::spawn(move || {
        thread::sleep(Duration::from_secs(1));
        kill(backend, Signal::SIGCONT).unwrap();
    });
    let postgres = scratch.start();
    assert!(begun.elapsed() >= Duration::from_secs(1));
    waker.join().unwrap();
    assert_eq!(Database::of(&postgres).sql("SELECT a FROM t"), "42");

    // A backend that computes doesn't look up by itself: it is told, rather than waited for to the end.
    let (mut busy_psql, mut busy_stdin, _) = Database::of(&postgres).session();
    writeln!(busy_stdin, "SELECT count(*) FROM generate_series(1, 100000000000);").unwrap();
    let working = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%generate_series(1, 1000%' AND state = 'active' AND pid <> pg_backend_pid()";
    until("it computes", || Database::of(&postgres).sql(working) == "1");
    kill(Pid::from_raw(postgres.pid().cast_signed()), Signal::SIGKILL).unwrap();
    drop(postgres);
    scratch.start().stop().unwrap();
    drop((stdin, busy_stdin));
    psql.wait().unwrap();
    busy_psql.wait().unwrap();
}

// --- 6: recovery -----------------------------------------------------------------------------------------------

#[test]
fn p06_recovery_is_waited_for() {
    let scratch = Scratch::new();
    let postgres = scratch.start();
    Database::of(&postgres).sql("CREATE TABLE t AS SELECT 42 AS a");
    kill(Pid::from_raw(postgres.pid().cast_signed()), Signal::SIGKILL).unwrap();
    drop(postgres);
    // Recovery that lasts until this test says so: it asks for a file that takes its time.
    let go = scratch.0.join("go");
    let command = format!("while [ ! -e {} ]; do sleep 0.05; done; false", go.display());
    let mut conf = fs::OpenOptions::new().append(true).open(scratch.pgdata().join("postgresql.conf")).unwrap();
    writeln!(conf, "restore_command = '{command}'").unwrap();
    let signal = scratch.pgdata().join("recovery.signal");
    fs::write(&signal, "").unwrap();
    give_to_postgres(&signal);

    let mut options = scratch.options();
    options.start_timeout = Duration::from_millis(500);
    let error = ManagedPostgres::start(&options).unwrap_err();
    assert!(matches!(error, PostgresError::TooSlow { program: "postgres", .. }), "{error:?}");
    assert!(processes_below(&scratch.0).is_empty(), "nothing is left running after an error");

    let (done, result) = mpsc::channel();
    let options = scratch.options();
    thread::spawn(move || done.send(ManagedPostgres::start(&options)));
    let database = Database { socket_dir: scratch.0.join("data/postgres/run"), uid: None };
    let mut refusal = String::new();
    until("it refuses connections", || {
        refusal = database.try_sql_as("regalia", "SELECT 1").unwrap_err();
        refusal.contains("the database system is")
    });
    assert!(result.recv_timeout(Duration::from_millis(500)).is_err(), "ready, but: {refusal}");
    fs::write(&go, "").unwrap();
    let postgres = result.recv_timeout(Duration::from_secs(60)).unwrap().unwrap();
    assert_eq!(Database::of(&postgres).sql("SELECT a FROM t"), "42");
    assert_eq!(Database::of(&postgres).sql("SHOW recovery_init_sync_method"), "syncfs");
    postgres.stop().unwrap();
}

// --- 7: dying with the server ----------------------------------------------------------------------------------

#[test]
fn p07_a_killed_server_takes_postgres_with_it() {
    if let Some(data_dir) = env::var_os(HOLD) {
        hold(&data_dir);
    }
    let scratch = Scratch::new();
    let mut holder = Holder::new(&scratch.options().data_dir);
    let (postmaster, database) = holder.ready().unwrap();
    // Ctrl-C in a terminal goes to the server's group, and PostgreSQL isn't in it.
    assert_eq!(getpgid(Some(postmaster)).unwrap(), postmaster);
    database.sql("CREATE TABLE t AS SELECT 42 AS a");
    kill(holder.pid(), Signal::SIGKILL).unwrap();
    assert_eq!(holder.ended(), None);
    until("PostgreSQL has gone by itself", || processes_below(&scratch.0).is_empty());
    // In order: by the signal, and not because something broke.
    assert!(!scratch.pgdata().join("postmaster.pid").exists());
    let control = as_postgres(installed().dir.join("pg_controldata")).arg("-D").arg(scratch.pgdata()).output().unwrap();
    let control = String::from_utf8(control.stdout).unwrap();
    assert!(control.lines().any(|line| line.starts_with("Database cluster state:") && line.ends_with(" shut down")), "{control}");
}

#[test]
fn p07_rows_survive_kills_of_the_server_of_postgres_and_of_both() {
    let scratch = Scratch::new();
    let data_dir = scratch.options().data_dir;
    let mut rows = 0;
    for victims in ["server", "postgres", "both", "server and at once again"] {
        let mut holder = Holder::new(&data_dir);
        let (postmaster, database) = holder.ready().unwrap();
        database.sql("CREATE TABLE IF NOT EXISTS t (a integer PRIMARY KEY)");
        database.sql(&format!("INSERT INTO t SELECT generate_series({rows} + 1, {rows} + 100)"));
        rows += 100;
        if victims != "postgres" {
            kill(holder.pid(), Signal::SIGKILL).unwrap();
        }
        if matches!(victims, "postgres" | "both") {
            // With the server it may have gone already.
            let killed = kill(postmaster, Signal::SIGKILL);
            assert!(killed.is_ok() || victims == "both");
        }
        // Point 8: a server without its PostgreSQL exits, and not with 0.
        assert_eq!(holder.ended(), (victims == "postgres").then_some(3), "{victims}");
        if victims == "server" {
            until("PostgreSQL has gone", || processes_below(&scratch.0).is_empty());
        }
        let mut holder = Holder::new(&data_dir);
        let (_, database) = holder.ready().unwrap();
        assert_eq!(database.sql("SELECT count(*), max(a) FROM t"), format!("{rows}|{rows}"), "{victims}");
        assert_eq!(holder.end(), Some(0));
    }
}

#[test]
fn p07_the_thread_that_started_it_may_end() {
    let scratch = Scratch::new();
    let options = scratch.options();
    let postgres = thread::spawn(move || ManagedPostgres::start(&options).unwrap()).join().unwrap();
    thread::sleep(Duration::from_millis(500));
    assert_eq!(Database::of(&postgres).sql("SELECT 1"), "1");
    assert!(!scratch.log().contains("shutdown request"));
    postgres.stop().unwrap();
}

// --- 8: stopping -----------------------------------------------------------------------------------------------

#[test]
fn p08_stop_is_a_fast_shutdown() {
    let scratch = Scratch::new();
    let postgres = Arc::new(scratch.start());
    let watched = Arc::clone(&postgres);
    let watcher = thread::spawn(move || watched.wait_exited());
    // Somebody who forgot to leave is no reason to wait.
    let (mut psql, mut stdin, _) = Database::of(&postgres).session();
    writeln!(stdin, "CREATE TABLE never (); BEGIN; CREATE TABLE t ();").unwrap();
    let begun = Instant::now();
    let exit = postgres.stop().unwrap();
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    assert!(exit.asked_for && exit.status == "exit status: 0", "{exit}");
    assert!(watcher.join().unwrap().asked_for);
    assert!(processes_below(&scratch.0).is_empty());
    let log = scratch.log();
    assert!(log.contains("received fast shutdown request") && log.contains("database system is shut down"), "{log}");
    assert!(postgres.stop().unwrap().asked_for, "stopping twice is once");
    drop(stdin);
    psql.wait().unwrap();

    let postgres = scratch.start();
    assert!(!scratch.log().contains("not properly shut down"));
    // Dropping is stopping.
    drop(postgres);
    assert!(processes_below(&scratch.0).is_empty());
}

#[test]
fn p08_a_shutdown_that_hangs_becomes_an_immediate_one() {
    let scratch = Scratch::new();
    let mut options = scratch.options();
    options.stop_timeout = Duration::from_millis(300);
    let postgres = ManagedPostgres::start(&options).unwrap();
    let database = Database::of(&postgres);
    database.sql("CREATE TABLE t AS SELECT 42 AS a");
    let checkpointer = database.sql_as("postgres", "SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'");
    kill(Pid::from_raw(checkpointer.parse().unwrap()), Signal::SIGSTOP).unwrap();
    let exit = postgres.stop().unwrap();
    assert!(exit.asked_for && exit.last_lines.contains("immediate shutdown"), "{exit}");
    let postgres = scratch.start();
    assert_eq!(Database::of(&postgres).sql("SELECT a FROM t"), "42");
    postgres.stop().unwrap();
}

#[test]
fn p08_a_death_is_told() {
    let scratch = Scratch::new();
    let postgres = scratch.start();
    let told = thread::scope(|scope| {
        let watcher = scope.spawn(|| postgres.wait_exited());
        thread::sleep(Duration::from_millis(100));
        assert!(!watcher.is_finished());
        // Not by us: as its administrator could.
        kill(Pid::from_raw(postgres.pid().cast_signed()), Signal::SIGINT).unwrap();
        watcher.join().unwrap()
    });
    assert!(!told.asked_for);
    assert!(told.to_string().contains("ended by itself (exit status: 0)"), "{told}");
    assert!(told.last_lines.contains("received fast shutdown request"), "{told}");
    assert!(!postgres.stop().unwrap().asked_for);
}

// --- 9: who can connect ----------------------------------------------------------------------------------------

/// The inodes of TCP sockets that listen.
fn listening() -> Vec<String> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|path| fs::read_to_string(path).unwrap_or_default());
    let lines = tables.iter().flat_map(|table| table.lines().skip(1));
    let fields = lines.map(|line| line.split_whitespace().collect::<Vec<_>>());
    fields.filter(|fields| fields[3] == "0A").map(|fields| format!("socket:[{}]", fields[9])).collect()
}

#[test]
fn p09_socket_only_peer_only() {
    let scratch = Scratch::new();
    let postgres = scratch.start();
    let database = Database::of(&postgres);
    let tcp = listening();
    for pid in processes_below(&scratch.0) {
        for entry in fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten() {
            let target = fs::read_link(entry.path()).unwrap_or_default();
            assert!(!tcp.iter().any(|socket| Path::new(socket) == target), "{pid} listens on TCP");
        }
    }
    assert_eq!(database.sql("SHOW listen_addresses"), "");
    assert_eq!(fs::metadata(postgres.socket_dir()).unwrap().mode() & 0o777, 0o700);

    let mode = "SELECT string_agg(DISTINCT type || ' ' || auth_method, ',') FROM pg_hba_file_rules";
    assert_eq!(database.sql_as("postgres", mode), "local peer");
    assert_eq!(database.sql_as("postgres", "SELECT count(*) FROM pg_authid WHERE rolpassword IS NOT NULL"), "0");
    // The application's role can't do what only an administrator should.
    assert_eq!(database.sql("SELECT rolsuper OR rolcreaterole OR rolbypassrls FROM pg_roles WHERE rolname = current_user"), "f");
    assert_eq!(
        database.sql("CREATE EXTENSION btree_gist; SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'regalia'"),
        "regalia"
    );
    if root() {
        // Kept out by the directory; and, were it open, by the map.
        let stranger = Database { uid: Some(NOBODY), ..Database::of(&postgres) };
        let refused = stranger.try_sql_as("regalia", "SELECT 1").unwrap_err();
        assert!(refused.contains("Permission denied"), "{refused}");
        let dirs = [postgres.socket_dir(), &scratch.0.join("data/postgres")];
        dirs.iter().for_each(|dir| fs::set_permissions(dir, Permissions::from_mode(0o755)).unwrap());
        fs::set_permissions(postgres.socket_dir().join(".s.PGSQL.5432"), Permissions::from_mode(0o777)).unwrap();
        for role in ["regalia", "postgres"] {
            let refused = stranger.try_sql_as(role, "SELECT 1").unwrap_err();
            assert!(refused.contains("Peer authentication failed"), "{refused}");
        }
    }
    postgres.stop().unwrap();
}

#[test]
fn p09_a_long_path_gets_a_short_socket_directory() {
    let scratch = Scratch::new();
    let data_dir = scratch.0.join("a".repeat(100));
    let options = Options::new(&data_dir);
    let postgres = ManagedPostgres::start(&options).unwrap();
    let dir = postgres.socket_dir().to_owned();
    assert!(!dir.starts_with(&data_dir) && dir.as_os_str().len() < 80, "{}", dir.display());
    let found = fs::metadata(&dir).unwrap();
    assert_eq!((found.mode() & 0o777, found.uid()), (0o700, postgres_user().uid.as_raw()));
    assert_eq!(Database::of(&postgres).sql("SELECT 1"), "1");
    postgres.stop().unwrap();
    assert!(!dir.exists());

    // Somebody else's in its place, or one that others can enter, is refused.
    fs::create_dir(&dir).unwrap();
    give_to_postgres(&dir);
    fs::set_permissions(&dir, Permissions::from_mode(0o777)).unwrap();
    let error = ManagedPostgres::start(&options).unwrap_err();
    assert!(matches!(error, PostgresError::SocketDirectory { .. }), "{error:?}");
    fs::set_permissions(&dir, Permissions::from_mode(0o700)).unwrap();
    if root() {
        chown(&dir, Some(NOBODY), None).unwrap();
        let error = ManagedPostgres::start(&options).unwrap_err();
        assert!(matches!(error, PostgresError::SocketDirectory { .. }), "{error:?}");
        give_to_postgres(&dir);
    }
    // One that a killed server left is taken over.
    ManagedPostgres::start(&options).unwrap().stop().unwrap();
    assert!(!dir.exists());
}

#[test]
fn p09_a_path_with_odd_characters_works() {
    let scratch = Scratch::new();
    let data_dir = scratch.0.join("models, 'new' and \"old\" = ünder %d $HOME");
    let postgres = ManagedPostgres::start(&Options::new(&data_dir)).unwrap();
    assert_eq!(Database::of(&postgres).sql("SELECT 1"), "1");
    postgres.stop().unwrap();
}

// --- 10: the cluster -------------------------------------------------------------------------------------------

#[test]
fn p10_durable_and_the_same_everywhere() {
    let scratch = Scratch::new();
    let postgres = scratch.start();
    let database = Database::of(&postgres);
    for (name, value) in [
        ("fsync", "on"),
        ("full_page_writes", "on"),
        ("synchronous_commit", "on"),
        ("data_checksums", "on"),
        ("server_encoding", "UTF8"),
        ("max_connections", "200"),
        ("shared_buffers", "64MB"),
        ("timezone", "UTC"),
    ] {
        assert_eq!(database.sql(&format!("SHOW {name}")), value, "{name}");
    }
    assert_eq!(database.sql("SELECT datcollate || ' ' || datctype FROM pg_database WHERE datname = current_database()"), "C C");
    // What somebody wrote into the cluster doesn't make it less durable.
    database.sql_as("postgres", "ALTER SYSTEM SET fsync = off");
    postgres.stop().unwrap();
    let postgres = scratch.start();
    assert_eq!(Database::of(&postgres).sql("SHOW fsync"), "on");
    postgres.stop().unwrap();
}

#[test]
fn p10_another_major_version_is_refused() {
    let scratch = Scratch::new();
    scratch.start().stop().unwrap();
    let version = scratch.pgdata().join("PG_VERSION");
    let own = fs::read_to_string(&version).unwrap();
    fs::write(&version, "14\n").unwrap();
    let error = ManagedPostgres::start(&scratch.options()).unwrap_err();
    assert!(matches!(error, PostgresError::OtherMajor { found: 14, .. }), "{error:?}");
    let message = error.to_string();
    assert!(message.contains("postgresql-14") && message.contains("pg_upgrade"), "{message}");
    fs::write(&version, own).unwrap();
    let postgres = scratch.start();
    assert_eq!(Database::of(&postgres).sql("SELECT 1"), "1");
    postgres.stop().unwrap();
    // Something that isn't a cluster is not touched.
    fs::remove_file(&version).unwrap();
    let error = ManagedPostgres::start(&scratch.options()).unwrap_err();
    assert!(matches!(error, PostgresError::NotACluster { .. }), "{error:?}");
    assert!(scratch.pgdata().join("base").exists());
}

// --- 11: interrupted, full, endless ----------------------------------------------------------------------------

#[test]
fn p11_an_interrupted_initdb_is_begun_anew() {
    let scratch = Scratch::new();
    let unfinished = scratch.0.join("data/postgres/data.new");
    // Killed early, in the middle, and when it is nearly a database.
    for file in ["PG_VERSION", "base/1", "base/5"] {
        let holder = Holder::new(&scratch.options().data_dir);
        until("initdb has come far enough", || unfinished.join(file).exists());
        // As when the power goes: neither the server nor initdb gets to clean up.
        kill(holder.pid(), Signal::SIGSTOP).unwrap();
        until("nothing works in there any more", || {
            let left = processes_below(&scratch.0);
            left.iter().for_each(|pid| _ = kill(*pid, Signal::SIGKILL));
            left.is_empty()
        });
        kill(holder.pid(), Signal::SIGKILL).unwrap();
        assert_eq!(holder.ended(), None);
        assert!(unfinished.exists());
        assert!(!scratch.pgdata().exists(), "a cluster that isn't complete isn't called one");
    }
    let postgres = scratch.start();
    assert_eq!(Database::of(&postgres).sql("SELECT current_user || current_database()"), "regaliaregalia");
    assert!(!unfinished.exists());
    postgres.stop().unwrap();
}

/// A small file system, where the test may mount one.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(dir: PathBuf, size: &str) -> Self {
        fs::create_dir(&dir).unwrap();
        let options = format!("size={size},mode=0711");
        let status = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(&dir).status().unwrap();
        assert!(status.success());
        Self(dir)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a program that another test is about to start may have inherited a descriptor for a moment.
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

#[test]
fn p11_a_full_disk_is_told_and_loses_nothing() {
    let scratch = Scratch::new();
    let dir = scratch.0.join("disk");
    if !root() {
        println!("not root: an unwritable directory instead of a full file system");
        fs::create_dir(&dir).unwrap();
        fs::set_permissions(&dir, Permissions::from_mode(0o500)).unwrap();
        let error = ManagedPostgres::start(&Options::new(dir.join("data"))).unwrap_err();
        assert!(matches!(&error, PostgresError::NotPermitted { path, .. } if path.starts_with(&dir)), "{error:?}");
        return;
    }
    println!("root: a small tmpfs that is full");
    let options = Options::new(dir.join("data"));
    let disk_full = || {
        let error = ManagedPostgres::start(&options).unwrap_err();
        assert!(matches!(&error, PostgresError::DiskFull { .. }), "{error:?}");
        let message = error.to_string();
        assert!(message.contains("no space is left") && message.contains(dir.to_str().unwrap()), "{message}");
    };
    let disk = SmallDisk::mount(dir.clone(), "20m");
    disk_full();
    assert!(!dir.join("data/postgres/data").exists() && !dir.join("data/postgres/data.new").exists());
    drop(disk);
    fs::remove_dir(&dir).unwrap();

    let _disk = SmallDisk::mount(dir.clone(), "100m");
    let postgres = ManagedPostgres::start(&options).unwrap();
    Database::of(&postgres).sql("CREATE TABLE t AS SELECT 42 AS a");
    postgres.stop().unwrap();
    let filler = dir.join("filler");
    let filled = io::copy(&mut io::repeat(1), &mut fs::File::create(&filler).unwrap()).unwrap_err();
    assert_eq!(filled.kind(), io::ErrorKind::StorageFull);
    disk_full();
    // With room for the server's own few files, but not for PostgreSQL's.
    let size = fs::metadata(&filler).unwrap().len();
    fs::File::options().write(true).open(&filler).unwrap().set_len(size - 4096).unwrap();
    disk_full();
    fs::remove_file(&filler).unwrap();
    let postgres = ManagedPostgres::start(&options).unwrap();
    assert_eq!(Database::of(&postgres).sql("SELECT a FROM t"), "42");
    postgres.stop().unwrap();
}

#[test]
fn p11_the_log_does_not_grow_without_end() {
    let scratch = Scratch::new();
    let mut options = scratch.options();
    options.log_cap = 32 << 10;
    let postgres = ManagedPostgres::start(&options).unwrap();
    let database = Database::of(&postgres);
    database.sql("DO $$ BEGIN FOR i IN 1..3000 LOOP RAISE WARNING 'filler %', repeat('x', 100); END LOOP; END $$");
    // What was in a row that an error is about isn't for a log.
    database.sql("CREATE TABLE t (a text PRIMARY KEY)");
    let insert = "INSERT INTO t SELECT md5('planted')";
    database.sql(insert);
    assert!(database.try_sql_as("regalia", insert).unwrap_err().contains("already exists"));
    database.try_sql_as("regalia", "SELECT last_of_all").unwrap_err();
    postgres.stop().unwrap();
    let log = scratch.log();
    let path = scratch.0.join("data/postgres/postgresql.log.1");
    let older = fs::read_to_string(path).unwrap();
    for text in [&log, &older] {
        assert!(text.len() <= 32 << 10, "{}", text.len());
        let hash = database_md5_of_planted();
        assert!(!text.contains(hash));
    }
    assert!(older.contains("filler") && log.contains("last_of_all") && log.contains("duplicate key"), "{log}");
    assert!(log.contains("database system is shut down"), "{log}");
    // The cap holds over restarts too.
    let postgres = ManagedPostgres::start(&options).unwrap();
    assert!(scratch.log().len() <= 32 << 10);
    postgres.stop().unwrap();
}

/// `md5('planted')`, which appears in no statement and only in the row.
fn database_md5_of_planted() -> &'static str {
    "08297c071792bd9856adcc8299be428e"
}

#[test]
fn p11_initdb_has_a_time_limit() {
    let scratch = Scratch::new();
    let mut options = scratch.options();
    options.init_timeout = Duration::from_millis(20);
    let error = ManagedPostgres::start(&options).unwrap_err();
    assert!(matches!(error, PostgresError::TooSlow { program: "initdb", .. }), "{error:?}");
    assert!(processes_below(&scratch.0).is_empty());
    scratch.start().stop().unwrap();
}

// --- 12: containers --------------------------------------------------------------------------------------------

#[test]
fn p12_a_small_dev_shm_is_enough() {
    let scratch = Scratch::new();
    let data_dir = scratch.options().data_dir;
    let mut command = Holder::command(&env::current_exe().unwrap(), &data_dir);
    if root() {
        // Smaller than a container's by far, for this holder alone.
        let inner = Holder::within("mount -t tmpfs -o size=4m tmpfs /dev/shm", &data_dir);
        let mut unshare = Command::new("unshare");
        unshare.args(["--mount", "--propagation", "private"]).arg(inner.get_program()).args(inner.get_args());
        unshare.env(HOLD, &data_dir).current_dir("/");
        command = unshare;
    }
    let mut holder = Holder::spawn(command);
    let (postmaster, database) = holder.ready().unwrap();
    if root() {
        let mounts = fs::read_to_string(format!("/proc/{postmaster}/mounts")).unwrap();
        assert!(mounts.lines().any(|line| line.contains(" /dev/shm ") && line.contains("size=4096k")), "{mounts}");
    }
    // What would use the most of it: a join and an index that PostgreSQL would like to do in parallel.
    let eager =
        "SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET work_mem = '64MB';";
    let join = "SELECT count(*) FROM t AS x JOIN t AS y USING (a)";
    database.sql("CREATE TABLE t AS SELECT generate_series(1, 300000) AS a; ANALYZE t");
    let plan = database.sql(&format!("{eager} EXPLAIN {join}"));
    assert!(plan.contains("Join") && !plan.contains("Gather"), "{plan}");
    assert_eq!(database.sql(&format!("{eager} {join}")), "300000");
    let verbose = format!("{eager} SET client_min_messages = debug1; CREATE INDEX ON t (a)");
    let built = database.psql("regalia").args(["-c", &verbose]).output().unwrap();
    let built = String::from_utf8(built.stderr).unwrap();
    assert!(built.contains("building index \"t_a_idx\" on table \"t\" serially"), "{built}");
    assert_eq!(holder.end(), Some(0));
}
