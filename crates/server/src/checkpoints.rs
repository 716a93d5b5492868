//! Checkpoints: where the chains of audit events had got to, in a file outside the database, so that a chain that is rewritten
//! as a whole, or cut off at its end, is noticed. What must not live here: what a checkpoint says (the domain crate).

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use regalia_domain::chain::Checkpoint;

/// The file in a data directory.
#[must_use]
pub fn path(data_dir: &Path) -> PathBuf {
    data_dir.join("audit").join("checkpoints.jsonl")
}

/// Appends lines, and returns when they are on the disk. Servers on one directory wait for each other; a line that a crash
/// left unfinished goes.
///
/// # Errors
/// The file can't be written.
pub fn append(path: &Path, checkpoints: &[Checkpoint]) -> io::Result<()> {
    let mut lines = Vec::new();
    for checkpoint in checkpoints {
        serde_json::to_writer(&mut lines, checkpoint)?;
        lines.push(b'\n');
    }
    let directory = path.parent().ok_or_else(|| io::Error::other("the file has no directory"))?;
    fs::create_dir_all(directory)?;
    let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
    file.lock()?;
    let whole = whole(&mut file)?;
    if whole < file.metadata()?.len() {
        file.set_len(whole)?;
    }
    file.write_all(&lines)?;
    file.sync_all()?;
    File::open(directory)?.sync_all()
}

/// How long the file is without an unfinished line at its end.
fn whole(file: &mut File) -> io::Result<u64> {
    /// Longer than any line.
    const TAIL: u64 = 4096;
    let length = file.metadata()?.len();
    let begin = length.saturating_sub(TAIL);
    file.seek(SeekFrom::Start(begin))?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail)?;
    match tail.iter().rposition(|byte| *byte == b'\n') {
        Some(at) => Ok(begin + at as u64 + 1),
        None if begin == 0 => Ok(0),
        None => Err(io::Error::other("its last line is longer than any that a server wrote")),
    }
}

/// All checkpoints of a file, as [`each`].
///
/// # Errors
/// As [`each`].
pub fn read(path: &Path) -> io::Result<Vec<Checkpoint>> {
    let mut checkpoints = Vec::new();
    each(path, |checkpoint| checkpoints.push(checkpoint))?;
    Ok(checkpoints)
}

/// The last position of each chain, 0 for the installation's, by a file that may be longer than memory.
///
/// # Errors
/// As [`each`].
pub fn last(path: &Path) -> io::Result<BTreeMap<i64, i64>> {
    let mut last: BTreeMap<i64, i64> = BTreeMap::new();
    each(path, |checkpoint| {
        let position = last.entry(checkpoint.organization.unwrap_or(0)).or_default();
        *position = checkpoint.position.max(*position);
    })?;
    Ok(last)
}

/// The checkpoints of a file, in its order, one at a time; none when there is no file. An unfinished last line is passed over.
///
/// # Errors
/// The file can't be read, or a line of it is no checkpoint.
fn each(path: &Path, mut take: impl FnMut(Checkpoint)) -> io::Result<()> {
    let mut file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        file => BufReader::new(file?),
    };
    let mut line = String::new();
    for number in 1.. {
        line.clear();
        if file.read_line(&mut line)? == 0 || !line.ends_with('\n') {
            break;
        }
        take(serde_json::from_str(&line).map_err(|error| io::Error::other(format!("line {number} is no checkpoint: {error}")))?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            Self(std::env::temp_dir().join(format!("regalia-checkpoints-{name}-{}", std::process::id())))
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn checkpoint(position: i64) -> Checkpoint {
        Checkpoint { organization: Some(7), position, hash: "0".repeat(64), at: "2026-01-31T23:59:59.123456Z".into() }
    }

    #[test]
    fn what_was_written_comes_back_and_what_was_torn_goes() {
        let scratch = Scratch::new("torn");
        let path = path(&scratch.0);
        assert_eq!(read(&path).unwrap(), []);
        append(&path, &[checkpoint(1), checkpoint(2)]).unwrap();
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"organization\":7,\"pos").unwrap();
        assert_eq!(read(&path).unwrap(), [checkpoint(1), checkpoint(2)]);
        append(&path, &[checkpoint(3)]).unwrap();
        assert_eq!(read(&path).unwrap(), [checkpoint(1), checkpoint(2), checkpoint(3)]);
        let of = |organization, position| Checkpoint { organization, ..checkpoint(position) };
        append(&path, &[of(None, 9), of(Some(7), 2), of(None, 8)]).unwrap();
        assert_eq!(last(&path).unwrap(), BTreeMap::from([(0, 9), (7, 3)]));
        fs::write(&path, "{}\n").unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("line 1"));
        fs::write(&path, "x".repeat(5000)).unwrap();
        assert!(append(&path, &[checkpoint(1)]).is_err());
    }

    #[test]
    fn servers_that_write_at_once_tear_no_line() {
        let scratch = Scratch::new("many");
        let path = path(&scratch.0);
        std::thread::scope(|scope| {
            for server in 0..8 {
                let path = &path;
                scope.spawn(move || (0..20).for_each(|n| append(path, &vec![checkpoint(server * 100 + n); 3]).unwrap()));
            }
        });
        let mut positions: Vec<i64> = read(&path).unwrap().iter().map(|checkpoint| checkpoint.position).collect();
        assert_eq!(positions.len(), 8 * 20 * 3);
        positions.sort_unstable();
        positions.dedup();
        assert_eq!(positions.len(), 8 * 20);
    }
}
