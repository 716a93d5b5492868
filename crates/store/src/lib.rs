//! PostgreSQL: rows, statements, transactions and the access grants that writes demand. The only crate that knows sqlx.
//! A file per noun. What must not live here: decisions about names, types or roles beyond what SQL has to know (those
//! are in the domain crate), use-cases, and anything of a protocol.
//!
//! Every statement begins with `-- file::function`, so that it can be found from PostgreSQL's own views.

pub mod access;
pub mod accounts;
pub mod aliases;
pub mod audit;
pub mod blobs;
pub mod chain;
pub mod collections;
pub mod demo;
pub mod drafts;
pub mod ending;
pub mod entities;
pub mod expiry;
mod filters;
pub mod garbage;
pub mod history;
pub mod installation;
pub mod lineage;
pub mod lists;
pub mod manifests;
pub mod memberships;
pub mod merging;
pub mod organizations;
pub mod projects;
pub mod registries;
pub mod registry_members;
pub mod removal;
pub mod run_files;
pub mod runs;
pub mod service_accounts;
pub mod sessions;
pub mod tags;
pub mod teams;
pub mod uploads;
pub mod versions;

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use futures_util::{Stream, TryStreamExt as _};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{PgConnection, PgPool, Postgres};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A transaction. What a service writes goes through exactly one, together with its audit event.
pub type Tx = Taken<sqlx::Transaction<'static, Postgres>>;

/// What a statement needs: a connection of the pool, or a transaction.
pub type Connection = PgConnection;

/// A connection taken from the pool, for reads.
pub type Pooled = Taken<sqlx::pool::PoolConnection<Postgres>>;

/// A connection of the pool, and the share of whoever took it, which is given back with it.
#[derive(Debug)]
pub struct Taken<C> {
    connection: C,
    _share: Option<OwnedSemaphorePermit>,
}

impl<C: DerefMut<Target = PgConnection>> Deref for Taken<C> {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.connection
    }
}

impl<C: DerefMut<Target = PgConnection>> DerefMut for Taken<C> {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.connection
    }
}

/// Everything that a store function can fail with.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such row, or the caller may not know of it: the same answer for both.
    #[error("not found")]
    NotFound,
    /// The caller sees the target but lacks the right.
    #[error("not permitted")]
    Forbidden,
    /// A unique name is taken.
    #[error("already exists")]
    Exists,
    /// An alias is protected, and the caller is no admin of the registry (rule 32).
    #[error("the alias is protected")]
    Protected(String),
    /// A version would have more than [`aliases::MOST`] aliases in a collection.
    #[error("too many aliases")]
    TooManyAliases,
    /// The input holds something that no row can hold, such as a NUL character.
    #[error("the input can't be stored")]
    Invalid,
    /// A statement took longer than its time limit.
    #[error("a statement was cancelled: it took too long")]
    TooSlow(#[source] sqlx::Error),
    /// A write changed another number of rows than it had to: a bug or a lost race, never retried blindly.
    #[error("{statement} changed {actual} rows")]
    AffectedRows {
        /// `file::function` of the statement.
        statement: &'static str,
        /// How many rows it changed.
        actual: u64,
    },
    /// PostgreSQL said no, or couldn't be reached.
    #[error(transparent)]
    Database(sqlx::Error),
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        match error.as_database_error() {
            Some(database) if database.is_unique_violation() => Self::Exists,
            // Something that the row depends on was deleted at the same moment.
            Some(database) if database.is_foreign_key_violation() => Self::NotFound,
            // Class 22: data that PostgreSQL can't represent. Class 54: beyond a limit such as an index entry's size.
            Some(database) if database.code().is_some_and(|code| code.starts_with("22") || code.starts_with("54")) => {
                Self::Invalid
            }
            // 57014: the time limit, or an administrator who had enough of it.
            Some(database) if database.code().as_deref() == Some("57014") => Self::TooSlow(error),
            _ => Self::Database(error),
        }
    }
}

impl Error {
    /// Whether PostgreSQL is away, restarting or out of resources, so that a repetition may succeed.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Database(sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::Tls(_)) => {
                true
            }
            // 40: serialization and deadlock; 53: out of resources; 57: shutting down, starting; 08: connection.
            Self::Database(sqlx::Error::Database(error)) => {
                error.code().is_some_and(|code| ["40", "53", "57", "08"].iter().any(|class| code.starts_with(class)))
            }
            _ => false,
        }
    }

    /// Whether PostgreSQL ended this transaction because it and another one waited for each other.
    #[must_use]
    pub fn is_deadlock(&self) -> bool {
        matches!(self, Self::Database(sqlx::Error::Database(error)) if error.code().as_deref() == Some("40P01"))
    }
}

/// Result of a store function.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Where PostgreSQL is.
#[derive(Debug, Clone)]
pub enum Address {
    /// A URL as libpq reads it.
    Url(String),
    /// A Unix socket in a directory, for the PostgreSQL that the server manages itself.
    Socket {
        /// Directory of the socket.
        directory: std::path::PathBuf,
        /// Port number in the socket's name.
        port: u16,
        /// Role.
        user: String,
        /// Database.
        database: String,
    },
}

/// The pool of connections to one database.
#[derive(Debug, Clone)]
pub struct Store {
    pool: PgPool,
    share: Option<Arc<Semaphore>>,
}

/// After so long PostgreSQL ends a statement.
pub const STATEMENT_TIME: &str = "60s";

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../../migrations");

impl Store {
    /// Connects. `connections` is the most that this server opens.
    ///
    /// # Errors
    /// The address can't be read, or PostgreSQL can't be reached within ten seconds.
    pub async fn connect(address: &Address, connections: u32) -> Result<Self> {
        let options: PgConnectOptions = match address {
            Address::Url(url) => url.parse().map_err(Error::Database)?,
            Address::Socket { directory, port, user, database } => {
                PgConnectOptions::new_without_pgpass().socket(directory).port(*port).username(user).database(database)
            }
        };
        let options = options.application_name("regalia").options([
            ("statement_timeout", STATEMENT_TIME),
            ("idle_in_transaction_session_timeout", "120s"),
            ("jit", "off"),
        ]);
        let pool = PgPoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(Duration::from_secs(10))
            .connect_with(options)
            .await?;
        Ok(Self { pool, share: None })
    }

    /// The most connections that this server opens.
    #[must_use]
    pub fn connections(&self) -> u32 {
        self.pool.options().get_max_connections()
    }

    /// The same pool, of which what this one is given to takes at most so many connections at once; whoever wants more waits.
    /// Nobody there may wait for another who has one.
    #[must_use]
    pub fn sharing(&self, connections: usize) -> Self {
        Self { pool: self.pool.clone(), share: Some(Arc::new(Semaphore::new(connections))) }
    }

    async fn share(&self) -> Option<OwnedSemaphorePermit> {
        let share = Arc::clone(self.share.as_ref()?);
        // It is never closed.
        share.acquire_owned().await.ok()
    }

    /// Brings the database to this server's schema. Servers that start together wait for each other.
    ///
    /// # Errors
    /// A migration failed, or the database is newer than this server.
    pub async fn migrate(&self) -> Result<(), sqlx::migrate::MigrateError> {
        let mut connection = self.pool.acquire().await?;
        // What goes over all rows takes as long as it takes.
        sqlx::query("-- lib::migrate\nset statement_timeout = 0").execute(&mut *connection).await?;
        let done = MIGRATIONS.run(&mut *connection).await;
        sqlx::query("-- lib::migrated\nreset statement_timeout").execute(&mut *connection).await?;
        done
    }

    /// How many of this server's migrations the database lacks, and how many it has that this server doesn't know.
    ///
    /// # Errors
    /// PostgreSQL can't be reached.
    pub async fn missing_migrations(&self) -> Result<usize> {
        let applied: Vec<i64> =
            match sqlx::query_scalar("-- lib::missing_migrations\nselect version from _sqlx_migrations where success")
                .fetch_all(&self.pool)
                .await
            {
                Ok(versions) => versions,
                // 42P01: the table isn't there before the first migration.
                Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("42P01") => Vec::new(),
                Err(error) => return Err(error.into()),
            };
        let known: Vec<i64> = MIGRATIONS.iter().map(|migration| migration.version).collect();
        let missing = known.iter().filter(|version| !applied.contains(version)).count();
        Ok(missing + applied.iter().filter(|version| !known.contains(version)).count())
    }

    /// The database's clock, whose times stand in the history.
    ///
    /// # Errors
    /// PostgreSQL can't be reached.
    pub async fn clock(&self) -> Result<chrono::DateTime<chrono::Utc>> {
        Ok(sqlx::query_scalar("-- lib::clock\nselect clock_timestamp()").fetch_one(&self.pool).await?)
    }

    /// A connection for reads.
    ///
    /// # Errors
    /// None is free within ten seconds.
    pub async fn read(&self) -> Result<Pooled> {
        let share = self.share().await;
        Ok(Taken { connection: self.pool.acquire().await?, _share: share })
    }

    /// Begins a transaction.
    ///
    /// # Errors
    /// No connection is free within ten seconds.
    pub async fn begin(&self) -> Result<Tx> {
        let share = self.share().await;
        Ok(Taken { connection: self.pool.begin().await?, _share: share })
    }

    /// Closes the pool after its users have given their connections back.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// Commits a transaction.
///
/// # Errors
/// PostgreSQL couldn't commit; nothing was changed.
pub async fn commit(tx: Tx) -> Result<()> {
    Ok(tx.connection.commit().await?)
}

/// Lets the statements of a transaction take longer than others, for what goes over all that something holds.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn take_long(tx: &mut Tx) -> Result<()> {
    sqlx::query("-- lib::take_long\nset local statement_timeout = '30min'").execute(&mut **tx).await?;
    Ok(())
}

/// Milliseconds that a statement may take for a staged row: forty times what a whole commit takes for one on the README's machine.
const ROW_TIME: i64 = 2;

/// So many rows have no need for more time than any statement has.
const FEW_ROWS: i64 = 30_000;

/// Lets the statements of a transaction that go over so many rows take as long as those may need, so that few rows hold nobody up
/// for longer than any statement does. Whether that is longer; then [`take_usual`] comes before anybody else is waited for.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn take_for(tx: &mut Tx, rows: i64) -> Result<bool> {
    let longer = rows > FEW_ROWS;
    if longer {
        sqlx::query("-- lib::take_for\nselect set_config('statement_timeout', $1, true)")
            .bind(rows.saturating_mul(ROW_TIME).to_string())
            .execute(&mut **tx)
            .await?;
    }
    Ok(longer)
}

/// Lets the statements of a transaction take as long as any from now on.
///
/// # Errors
/// Of PostgreSQL alone.
pub async fn take_usual(tx: &mut Tx) -> Result<()> {
    sqlx::query("-- lib::take_usual\nset local statement_timeout to default").execute(&mut **tx).await?;
    Ok(())
}

/// Rows whose long texts have at most `most` bytes together; none if they have more, and then the others were never in memory.
pub(crate) async fn within<T>(
    mut rows: impl Stream<Item = sqlx::Result<T>> + Unpin,
    most: usize,
    length: impl Fn(&T) -> usize,
) -> Result<Option<Vec<T>>> {
    let (mut left, mut found) = (most, Vec::new());
    while let Some(row) = rows.try_next().await? {
        let Some(rest) = left.checked_sub(length(&row)) else { return Ok(None) };
        left = rest;
        found.push(row);
    }
    Ok(Some(found))
}

/// Asserts that a write changed exactly one row.
pub(crate) fn one(statement: &'static str, done: &sqlx::postgres::PgQueryResult) -> Result<()> {
    match done.rows_affected() {
        1 => Ok(()),
        actual => Err(Error::AffectedRows { statement, actual }),
    }
}
