//! Running PostgreSQL's programs: as which user, with which settings, and until when.

use std::{
    ffi::{OsStr, OsString},
    fs,
    io::{self, ErrorKind, Write},
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    sys::{
        prctl,
        signal::{Signal, kill},
    },
    unistd::{Pid, getpid, getppid},
};

use super::{PORT, PostgresError, binaries::Binaries, cluster::Cluster, log};

/// How often something that can't be waited for is looked at.
pub(super) const POLL: Duration = Duration::from_millis(10);

/// A program and the thread that reads its log.
pub(super) struct Running {
    pub child: Child,
    pub log_reader: JoinHandle<()>,
}

/// Settings of the server process, on the command line, where nothing written into the cluster overrides them.
const SETTINGS: &[(&str, &str)] = &[
    ("listen_addresses", ""),
    ("unix_socket_permissions", "0700"),
    ("fsync", "on"),
    ("full_page_writes", "on"),
    ("synchronous_commit", "on"),
    // Instead of opening each file after a crash.
    ("recovery_init_sync_method", "syncfs"),
    ("max_connections", "200"),
    // A registry's queries are small, and a machine it idles on has other things to do.
    ("shared_buffers", "64MB"),
    ("jit", "off"),
    // Parallel workers share memory in /dev/shm, of which a container has 64 MB.
    ("max_parallel_workers_per_gather", "0"),
    ("max_parallel_maintenance_workers", "0"),
    // To standard error; see log.rs.
    ("logging_collector", "off"),
    ("log_destination", "stderr"),
    // Without the DETAIL of an error, which quotes the row it is about.
    ("log_error_verbosity", "terse"),
    ("timezone", "UTC"),
    ("log_timezone", "UTC"),
];

impl Cluster {
    /// Runs a program to its end.
    pub fn complete(&self, program: &'static str, command: Command, input: &str, timeout: Duration) -> Result<(), PostgresError> {
        let mut running = self.spawn(command)?;
        if let Some(mut stdin) = running.child.stdin.take() {
            // A program that ended before reading it says why in its log.
            let _ = stdin.write_all(input.as_bytes());
        }
        self.wait(program, running, timeout, |_| false).map(drop)
    }

    /// Starts PostgreSQL and waits until it accepts connections; recovering is a part of that.
    pub fn serve(&self, programs: &Binaries, timeout: Duration) -> Result<Running, PostgresError> {
        let mut command = self.command(programs, "postgres");
        command.arg("-D").arg(&self.data);
        let mut set = |name: &str, value: &OsStr| {
            let mut setting = OsString::from(format!("{name}="));
            setting.push(value);
            command.arg("-c").arg(setting);
        };
        SETTINGS.iter().for_each(|(name, value)| set(name, value.as_ref()));
        set("port", PORT.to_string().as_ref());
        set("hba_file", self.hba_file().as_ref());
        set("ident_file", self.ident_file().as_ref());
        set("unix_socket_directories", self.socket_dir.as_ref());

        let running = self.spawn(command)?;
        let pid_file = self.data.join("postmaster.pid");
        // The postmaster keeps its state in the eighth line, which is what pg_ctl waits for too.
        let ready = |pid: u32| {
            let text = fs::read_to_string(&pid_file).unwrap_or_default();
            let mut lines = text.lines();
            lines.next() == Some(&pid.to_string()) && lines.nth(6).is_some_and(|state| state.trim() == "ready")
        };
        let running = self.wait("postgres", running, timeout, ready)?;
        running.ok_or_else(|| self.failed("postgres", "stopped while starting".into()))
    }

    /// Until `ready` says so of the process id, or, without a value, until the program has succeeded.
    fn wait(
        &self,
        program: &'static str,
        mut running: Running,
        timeout: Duration,
        ready: impl Fn(u32) -> bool,
    ) -> Result<Option<Running>, PostgresError> {
        let deadline = Instant::now() + timeout;
        loop {
            match running.child.try_wait().map_err(PostgresError::io("wait for", &self.root))? {
                Some(status) => {
                    log::settle(&running.log_reader);
                    return match status.success() {
                        true => Ok(None),
                        false => Err(self.failed(program, status.to_string())),
                    };
                }
                None if ready(running.child.id()) => return Ok(Some(running)),
                None if Instant::now() > deadline => {
                    end(running.child);
                    log::settle(&running.log_reader);
                    return Err(PostgresError::TooSlow {
                        program,
                        seconds: timeout.as_secs(),
                        log: self.log.path.clone(),
                        lines: self.log.tail(),
                    });
                }
                None => thread::sleep(POLL),
            }
        }
    }

    fn failed(&self, program: &'static str, status: String) -> PostgresError {
        let lines = self.log.tail();
        if lines.contains("No space left on device") {
            return PostgresError::DiskFull { dir: self.root.clone(), detail: format!(":\n{lines}") };
        }
        PostgresError::Failed { program, status, log: self.log.path.clone(), lines }
    }

    /// One of PostgreSQL's programs, as the right user, with nothing of the server's environment (which may hold
    /// secrets), in its own process group (the terminal's Ctrl-C is for the server), and dying with the server.
    #[allow(unsafe_code, reason = "what happens between fork and exec can only be said in a hook")]
    pub fn command(&self, programs: &Binaries, program: &str) -> Command {
        let mut command = Command::new(programs.dir.join(program));
        command.env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C");
        command.current_dir(&self.root).process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        if self.account.drops {
            // This also gives up root's supplementary groups.
            command.uid(self.account.uid.as_raw()).gid(self.account.gid.as_raw());
        }
        let server = getpid();
        let hook = move || {
            // After the change of user, which would clear it. SIGINT is a fast shutdown.
            prctl::set_pdeathsig(Signal::SIGINT)?;
            if getppid() != server {
                return Err(io::Error::from(Errno::ESRCH));
            }
            Ok(())
        };
        // SAFETY: only async-signal-safe system calls are made: prctl and getppid.
        unsafe { command.pre_exec(hook) };
        command
    }

    /// Starts a program and the thread that reads its log.
    fn spawn(&self, mut command: Command) -> Result<Running, PostgresError> {
        let program = PathBuf::from(command.get_program());
        let mut child = command.spawn().map_err(|error| match error.kind() {
            // The program is fine, its version has been read: so it is the directory.
            ErrorKind::PermissionDenied => self.unreachable(&self.root),
            _ => PostgresError::io("run", &program)(error),
        })?;
        let stderr = child.stderr.take().ok_or_else(|| ErrorKind::BrokenPipe.into());
        match stderr.and_then(|stderr| self.log.follow(stderr)) {
            Ok(log_reader) => Ok(Running { child, log_reader }),
            Err(error) => {
                end(child);
                Err(PostgresError::io("read the log of", &program)(error))
            }
        }
    }
}

/// Ends a program that was just started: by a fast shutdown if it takes it soon, or else at once.
fn end(mut child: Child) {
    let _ = kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGINT);
    let deadline = Instant::now() + Duration::from_secs(10);
    while let Ok(None) = child.try_wait() {
        if Instant::now() > deadline {
            let _ = child.kill();
        }
        thread::sleep(POLL);
    }
}
