//! PostgreSQL's log: what its programs write to standard error, copied into a file that can't grow without end.
//! PostgreSQL's own collector can't promise that: it truncates by time and never by size.

use std::{
    collections::VecDeque,
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::PathBuf,
    process::ChildStderr,
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// Bytes kept in memory for messages; they are there even when the disk is full.
const TAIL: usize = 4096;

#[derive(Debug)]
pub(super) struct Log {
    pub path: PathBuf,
    cap: u64,
    sink: Mutex<Sink>,
}

#[derive(Debug, Default)]
struct Sink {
    file: Option<(File, u64)>,
    tail: VecDeque<u8>,
}

impl Log {
    pub fn new(path: PathBuf, cap: u64) -> Self {
        Self { path, cap, sink: Mutex::default() }
    }

    /// Copies until nobody has the other end open any more.
    pub fn follow(self: &Arc<Self>, mut stderr: ChildStderr) -> io::Result<JoinHandle<()>> {
        let log = Arc::clone(self);
        thread::Builder::new().name("pg-log".into()).spawn(move || {
            let mut buffer = [0; TAIL];
            while let Ok(count @ 1..) = stderr.read(&mut buffer) {
                log.write(&buffer[..count]);
            }
        })
    }

    /// The last few lines.
    pub fn tail(&self) -> String {
        let sink = self.sink.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes: Vec<u8> = sink.tail.iter().copied().collect();
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(12)..].join("\n")
    }

    /// Lets go of the file, so that its file system can be unmounted; a later line opens it again.
    pub fn close(&self) {
        self.sink.lock().unwrap_or_else(PoisonError::into_inner).file = None;
    }

    fn write(&self, bytes: &[u8]) {
        let mut sink = self.sink.lock().unwrap_or_else(PoisonError::into_inner);
        sink.tail.extend(bytes);
        let surplus = sink.tail.len().saturating_sub(TAIL);
        sink.tail.drain(..surplus);
        // On a full disk lines are lost, but the pipe is emptied: PostgreSQL must not block on its log.
        let _ = self.append(&mut sink.file, bytes);
    }

    fn append(&self, current: &mut Option<(File, u64)>, bytes: &[u8]) -> io::Result<()> {
        let (file, size) = match current {
            Some((_, size)) if *size + bytes.len() as u64 > self.cap => {
                fs::rename(&self.path, self.path.with_extension("log.1"))?;
                current.insert(self.open()?)
            }
            Some(open) => open,
            None => current.insert(self.open()?),
        };
        file.write_all(bytes)?;
        *size += bytes.len() as u64;
        Ok(())
    }

    fn open(&self) -> io::Result<(File, u64)> {
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(&self.path)?;
        let size = file.metadata()?.len();
        Ok((file, size))
    }
}

/// Gives the reader of a program that has ended a moment to reach the last line. Not longer: a process that
/// outlives its parent keeps the pipe open.
pub(super) fn settle(reader: &JoinHandle<()>) {
    let deadline = Instant::now() + Duration::from_secs(1);
    while !reader.is_finished() && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(5));
    }
}
