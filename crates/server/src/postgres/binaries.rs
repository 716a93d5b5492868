//! Finding PostgreSQL's programs, and reading their version. Runs nothing but `postgres --version`.

use std::{
    env,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::PostgresError;

/// The oldest major version that the migrations and the supervisor are made for.
pub const OLDEST: u32 = 15;
/// Where Debian and its relatives install one directory for each major version.
pub const PACKAGES: &str = "/usr/lib/postgresql";

/// A directory with `initdb` and `postgres` in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binaries {
    /// The directory.
    pub dir: PathBuf,
    /// The major version, as a number.
    pub major: u32,
}

/// The programs to use: `setting` if there is one and nothing else then; else the highest version below `packages`
/// (its layout is `<version>/bin`), except that the version `existing` of a cluster that is already there comes
/// first; else the first directory of `path`. A directory with only client programs doesn't count, nor does a
/// version before [`OLDEST`].
///
/// # Errors
/// [`PostgresError::NoBinaries`] with the line that installs them; for a setting that doesn't serve
/// [`PostgresError::BadBinDir`] or [`PostgresError::TooOld`].
pub fn find(
    setting: Option<&Path>,
    packages: &Path,
    path: Option<&OsStr>,
    existing: Option<u32>,
) -> Result<Binaries, PostgresError> {
    if let Some(dir) = setting {
        let found = inspect(dir).ok_or_else(|| PostgresError::BadBinDir { dir: dir.into() })?;
        return match found.major {
            major if major < OLDEST => Err(PostgresError::TooOld { dir: found.dir, major }),
            _ => Ok(found),
        };
    }
    let installed = fs::read_dir(packages).into_iter().flatten().flatten();
    let usable = |found: &Binaries| found.major >= OLDEST;
    installed
        .filter_map(|entry| inspect(&entry.path().join("bin")))
        .filter(usable)
        .max_by_key(|found| (Some(found.major) == existing, found.major))
        .or_else(|| {
            let dirs = env::split_paths(path.unwrap_or_default());
            dirs.filter(|dir| dir.is_absolute()).filter_map(|dir| inspect(&dir)).find(usable)
        })
        .ok_or(PostgresError::NoBinaries)
}

/// The programs in a directory, if the server's are there and say their version.
fn inspect(dir: &Path) -> Option<Binaries> {
    let postgres = dir.join("postgres");
    if !postgres.is_file() || !dir.join("initdb").is_file() {
        return None;
    }
    let output = Command::new(postgres).arg("--version").output().ok()?;
    let major = parse_major(&String::from_utf8_lossy(&output.stdout))?;
    Some(Binaries { dir: dir.into(), major })
}

/// The major version in `postgres (PostgreSQL) 15.14 (Debian …)`, in `17devel`, or in a `PG_VERSION` file.
pub fn parse_major(text: &str) -> Option<u32> {
    let version = text.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    version.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}
