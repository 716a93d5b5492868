//! Which PostgreSQL processes live in a directory, by what the kernel says and not by what a pid file says.

use std::{fs, os::unix::fs::MetadataExt, path::PathBuf};

use nix::unistd::Pid;

/// The living processes of PostgreSQL's programs whose working directory is one of `dirs`. A zombie is dead.
pub(super) fn living_in(dirs: &[PathBuf]) -> Vec<Pid> {
    let identity = |path: &PathBuf| fs::metadata(path).ok().map(|found| (found.dev(), found.ino()));
    let dirs: Vec<_> = dirs.iter().filter_map(identity).collect();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            // "<pid> (<comm>) <state> …", where comm may hold anything, parentheses too.
            let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
            let (comm, rest) = stat.split_once('(')?.1.rsplit_once(')')?;
            let dead = rest.trim_start().starts_with(['Z', 'X']);
            // `/.` follows the link into the directory itself, whatever path leads to it now.
            let here = || identity(&entry.path().join("cwd/.")).is_some_and(|cwd| dirs.contains(&cwd));
            (matches!(comm, "postgres" | "initdb") && !dead && here()).then(|| Pid::from_raw(pid))
        })
        .collect()
}
