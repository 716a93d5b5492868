//! Which operating-system users take part: the server's, and the one that PostgreSQL runs as.

use nix::unistd::{Gid, Uid, User, geteuid, setfsgid, setfsuid};

use super::PostgresError;

/// PostgreSQL refuses to run as root; this is the user that its packages create.
const UNPRIVILEGED: &str = "postgres";

#[derive(Debug)]
pub(super) struct Account {
    /// The server's own user, who connects through peer authentication.
    pub server: String,
    /// The user that PostgreSQL runs as: the same, unless the server is root.
    pub name: String,
    pub uid: Uid,
    pub gid: Gid,
    /// Whether the server is root and PostgreSQL's processes have to change to `uid`.
    pub drops: bool,
}

impl Account {
    pub fn current() -> Result<Self, PostgresError> {
        let euid = geteuid();
        let server = User::from_uid(euid).ok().flatten().ok_or(PostgresError::NoUserName { uid: euid.as_raw() })?;
        let drops = euid.is_root();
        let runs = if drops {
            User::from_name(UNPRIVILEGED).ok().flatten().ok_or(PostgresError::NoPostgresUser)?
        } else {
            server.clone()
        };
        Ok(Self { server: server.name, name: runs.name, uid: runs.uid, gid: runs.gid, drops })
    }

    /// Makes the calling *thread* (Linux keeps this per thread) act on files as PostgreSQL's user, for good. What
    /// it makes belongs to that user, it goes only where that user may, and root's rights can't be turned against
    /// other files by a link planted in a directory that `postgres` owns.
    pub fn act_on_files(&self) {
        if self.drops {
            setfsgid(self.gid);
            setfsuid(self.uid);
        }
    }
}
