//! A server in the test's own process, on a database and a directory of its own.

use std::collections::BTreeMap;
use std::io::{BufRead as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use regalia_domain::manifest::ManifestLimits;
use regalia_domain::names::{DisplayName, EntityName};
use regalia_domain::roles::{OrganizationRole, TeamRole};
use regalia_server::http::{self, App, Patience, Proxies};
use regalia_server::serve::SystemRandom;
use regalia_service::accounts::NewKey;
use regalia_service::blobs::Blobs;
use regalia_service::passwords::Hasher;
use regalia_service::profiles::Profile;
use regalia_service::signing::Signer;
use regalia_service::store::{Address, Store, installation};
use regalia_service::{Request, Service, Settings};
use serde_json::Value;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, PgConnection};
use uuid::Uuid;

use crate::{Client, SetClock, gates};

/// A running server. Dropping it ends it and drops its database and files.
pub struct Server {
    /// Where it is.
    pub url: String,
    /// Its use-cases, for what a test can't say through a door.
    pub service: Arc<Service>,
    /// Its time.
    pub clock: Arc<SetClock>,
    /// A connection URL to its database, for looking at rows.
    pub database_url: String,
    /// Where it keeps files.
    pub directory: PathBuf,
    database: String,
    admin: Request,
    running: Running,
    looking: tokio::sync::Mutex<Option<Looking>>,
}

/// Another server on the same database and files, as a second machine would run it. Dropping it ends it.
pub struct Twin {
    /// Where it is.
    pub url: String,
    _running: Running,
}

/// Another server on the same database and files, in a process of its own. Dropping it ends it.
pub struct Neighbor {
    /// Where it is.
    pub url: String,
    process: std::process::Child,
    said: std::io::BufReader<std::process::ChildStdout>,
}

impl Neighbor {
    /// Has it end what is over at a time; returns how many versions it ended.
    ///
    /// # Panics
    /// When it fails.
    pub async fn expire(mut self, now: DateTime<Utc>) -> (Self, usize) {
        let asked = tokio::task::spawn_blocking(move || {
            let stdin = self.process.stdin.as_mut().expect("its standard input is a pipe");
            writeln!(stdin, "{}", now.to_rfc3339()).expect("it listens");
            let mut ended = String::new();
            self.said.read_line(&mut ended).expect("it answers");
            (self, ended.trim().parse().expect("it says how many"))
        });
        asked.await.expect("it is asked")
    }
}

impl Drop for Neighbor {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The program of a [`Neighbor`]: serves what another process made and says where. Each line of its standard input is a time:
/// what is over then ends, and it says how many that were. Ends when its standard input does.
///
/// # Panics
/// When it can't.
pub async fn neighbor(database_url: String, directory: &Path) {
    let store = Store::connect(&Address::Url(database_url), 20).await.expect("the test database can be reached");
    let service = service(store, directory, Arc::default(), ManifestLimits::default()).await;
    let (url, _running) = serve(service.clone(), Patience::default()).await;
    println!("{url}");
    // The end of whoever started it ends it, however that came.
    let (heard, mut lines) = tokio::sync::mpsc::unbounded_channel();
    std::thread::spawn(move || std::io::stdin().lines().map_while(Result::ok).try_for_each(|line| heard.send(line)));
    while let Some(line) = lines.recv().await {
        println!("{}", service.expire(line.parse().expect("a time")).await.expect("the expiry works"));
    }
}

/// Rows that are locked, or written and not committed.
pub struct Held(PgConnection);

impl Held {
    /// Gives them free. Dropping it would too, but a moment later.
    ///
    /// # Panics
    /// When the database has gone.
    pub async fn release(mut self) {
        sqlx::raw_sql("rollback").execute(&mut self.0).await.expect("the transaction ends");
    }

    /// Commits what was written.
    ///
    /// # Panics
    /// When the database has gone.
    pub async fn commit(mut self) {
        sqlx::raw_sql("commit").execute(&mut self.0).await.expect("the transaction ends");
    }
}

/// A connection that looks at all tables, again and again.
struct Looking {
    connection: PgConnection,
    query: String,
}

impl Looking {
    async fn begin(database_url: &str) -> Self {
        let mut connection = quiet(database_url).await.expect("the test database can be reached");
        let tables: Vec<String> = sqlx::query_scalar(
            "select table_name::text from information_schema.tables where table_schema = 'public' and table_type = 'BASE TABLE'",
        )
        .fetch_all(&mut connection)
        .await
        .expect("the tables can be listed");
        assert!(tables.len() > 20, "these are not all tables: {tables:?}");
        let row = "(to_jsonb(t) - 'last_used_at')::text";
        let each = tables.iter().map(|table| {
            format!(
                "select '{table}', count(*) || ' rows, ' || coalesce(md5(string_agg({row}, ',' order by {row})), '') from {table} t"
            )
        });
        let query = each.collect::<Vec<_>>().join(" union all ");
        Self { connection, query }
    }
}

/// A server's task; ends with it.
struct Running(tokio::task::JoinHandle<()>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn cluster() -> String {
    std::env::var("DATABASE_URL")
        .expect("DATABASE_URL names a PostgreSQL to make test databases on: run the tests with `make test`")
}

/// The same URL with another database.
fn with_database(url: &str, database: &str) -> String {
    let (address, query) = url.split_once('?').map_or((url, String::new()), |(address, query)| (address, format!("?{query}")));
    let (server, _) = address.rsplit_once('/').expect("DATABASE_URL ends in /DATABASE");
    format!("{server}/{database}{query}")
}

/// A connection whose statements aren't logged: a test may look for a secret in the rows, and the log must not hold it.
async fn quiet(url: &str) -> sqlx::Result<PgConnection> {
    let options: PgConnectOptions = url.parse()?;
    PgConnection::connect_with(&options.disable_statement_logging()).await
}

async fn on_cluster(statement: String) {
    let mut connection = quiet(&cluster()).await.expect("the PostgreSQL of DATABASE_URL can be reached");
    sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&mut connection).await.expect("test databases can be made and dropped");
    connection.close().await.expect("the connection closes");
}

impl Server {
    /// Starts a server on a new database.
    ///
    /// # Panics
    /// When it can't.
    pub async fn start() -> Self {
        Self::patient(Patience::default()).await
    }

    /// Starts a server on a new database that waits for bodies as said.
    ///
    /// # Panics
    /// When it can't.
    pub async fn patient(patience: Patience) -> Self {
        gates::log();
        let database = format!("regalia_test_{}", Uuid::new_v4().simple());
        on_cluster(format!("create database {database} template template0 encoding 'UTF8' lc_collate 'C' lc_ctype 'C'")).await;
        let database_url = with_database(&cluster(), &database);
        let store = Store::connect(&Address::Url(database_url.clone()), 20).await.expect("the test database can be reached");
        store.migrate().await.expect("the migrations run");
        Self::on(database, database_url, store, patience).await
    }

    async fn on(database: String, database_url: String, store: Store, patience: Patience) -> Self {
        let directory = std::env::temp_dir().join(&database);
        std::fs::create_dir_all(&directory).expect("the temporary directory can be written to");
        let clock = Arc::new(SetClock::default());
        let service = service(store, &directory, clock.clone(), ManifestLimits::default()).await;
        let (_, key) = service.first_start(|_| Ok(())).await.expect("the first start works").expect("the database is new");
        gates::secret(key.reveal());
        let caller = service.authenticate(key.reveal()).await.expect("the first key opens");
        let (url, running) = serve(service.clone(), patience).await;
        let admin = Request { caller: Some(caller), id: Uuid::new_v4(), base_url: url.clone() };
        Self { url, service, clock, database_url, database, directory, admin, running, looking: tokio::sync::Mutex::default() }
    }

    /// Starts another server on the same database and files. It shares nothing else with this one but the clock.
    ///
    /// # Panics
    /// When it can't.
    pub async fn twin(&self) -> Twin {
        self.other(20, ManifestLimits::default()).await
    }

    /// Starts another server like [`Self::twin`], for which a version may have no more than so many entries.
    ///
    /// # Panics
    /// When it can't.
    pub async fn strict(&self, max_entries: u64) -> Twin {
        self.other(20, ManifestLimits { max_entries, ..ManifestLimits::default() }).await
    }

    async fn other(&self, connections: u32, manifests: ManifestLimits) -> Twin {
        let store = Store::connect(&Address::Url(self.database_url.clone()), connections)
            .await
            .expect("the test database can be reached");
        let (url, running) =
            serve(service(store, &self.directory, self.clock.clone(), manifests).await, Patience::default()).await;
        Twin { url, _running: running }
    }

    /// Starts another server on the same database and files in a process of its own, which `program` is: a test knows it as
    /// `env!("CARGO_BIN_EXE_neighbor")`. Its clock stands at its start.
    ///
    /// # Panics
    /// When it can't.
    #[must_use]
    pub fn neighbor(&self, program: &str) -> Neighbor {
        let mut process = std::process::Command::new(program)
            .arg(&self.database_url)
            .arg(&self.directory)
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .expect("the second server can be started");
        let mut url = String::new();
        let mut said = std::io::BufReader::new(process.stdout.take().expect("its standard output is a pipe"));
        said.read_line(&mut url).expect("it says where it is");
        assert!(url.starts_with("http://127.0.0.1:"), "the second server says {url:?}");
        Neighbor { url: url.trim().to_owned(), process, said }
    }

    /// Keeps what a statement locks until it is released.
    pub async fn hold(&self, statement: &str) -> Held {
        let mut connection = quiet(&self.database_url).await.expect("the test database can be reached");
        let statement = format!("begin; {statement}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&mut connection).await.expect("the statement runs");
        Held(connection)
    }

    /// Starts another server, whose answers have PostgreSQL's plans of their statements. It has one connection, so that statements
    /// that come again are those that PostgreSQL may settle for one plan of. Needs a superuser of PostgreSQL.
    ///
    /// # Panics
    /// When it can't.
    pub async fn explaining(&self) -> Twin {
        let settings = [
            ("session_preload_libraries", "auto_explain"),
            ("auto_explain.log_min_duration", "0"),
            ("auto_explain.log_analyze", "on"),
            ("auto_explain.log_timing", "off"),
            ("auto_explain.log_format", "json"),
            // To the client, where the driver logs it.
            ("auto_explain.log_level", "notice"),
        ];
        for (name, value) in settings {
            self.sql(&format!("alter database {} set {name} = '{value}'", self.database)).await;
        }
        self.other(1, ManifestLimits::default()).await
    }

    /// A client of the site administrator.
    pub async fn admin(&self) -> Client {
        self.client("admin").await
    }

    /// A client with a new key of a user.
    pub async fn client(&self, user: &str) -> Client {
        let (_, key) = self
            .service
            .create_key(&self.admin, &name(user), NewKey { label: "test", ..NewKey::default() })
            .await
            .expect("a key is made");
        gates::secret(key.reveal());
        Client::new(&self.url, Some(key.reveal()))
    }

    /// A client without a key.
    #[must_use]
    pub fn anonymous(&self) -> Client {
        Client::new(&self.url, None)
    }

    /// Makes a user and a client of that user.
    pub async fn user(&self, user: &str) -> Client {
        self.service.create_user(&self.admin, &name(user), None, false, None).await.expect("a user is made");
        self.client(user).await
    }

    /// Makes an organization; returns its entity name.
    pub async fn organization(&self, display_name: &str, admin: &str) -> String {
        let display_name = DisplayName::parse(display_name).expect("a display name");
        self.service.create_organization(&self.admin, &display_name, &name(admin)).await.expect("an organization is made").name
    }

    /// Adds a user to an organization, or changes the role there.
    pub async fn join(&self, organization: &str, user: &str, role: OrganizationRole) {
        self.service.set_organization_member(&self.admin, organization, &name(user), role).await.expect("a member is set");
    }

    /// Makes a team.
    pub async fn team(&self, organization: &str, team: &str, admin: &str) {
        self.service.create_team(&self.admin, organization, &name(team), &name(admin)).await.expect("a team is made");
    }

    /// Adds a user to a team, or changes the role there.
    pub async fn join_team(&self, team: &str, user: &str, role: TeamRole) {
        self.service.set_team_member(&self.admin, &name(team), &name(user), role).await.expect("a team member is set");
    }

    /// Makes the usual people: alice is admin of the organization `acme` and of its team `alpha`, which is her default; bob is
    /// a member of `acme` without a team; carol is nobody's.
    pub async fn people(&self) -> (Client, Client, Client) {
        let (alice, bob, carol) = (self.user("alice").await, self.user("bob").await, self.user("carol").await);
        self.organization("acme", "alice").await;
        self.team("acme", "alpha", "alice").await;
        self.join("acme", "bob", OrganizationRole::Member).await;
        let profile = Profile { default_entity: Some(name("alpha")), ..Profile::default() };
        self.service.update_user(&self.admin, &name("alice"), &profile).await.expect("a default is set");
        (alice, bob, carol)
    }

    /// Runs SQL on the server's database, for looking at rows and for what no door offers yet.
    pub async fn sql(&self, statement: &str) {
        let mut connection = quiet(&self.database_url).await.expect("the test database can be reached");
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement.to_owned())).execute(&mut connection).await.expect("the statement runs");
    }

    /// Runs SQL that the database may refuse; the error is its SQLSTATE.
    ///
    /// # Errors
    /// As PostgreSQL says.
    pub async fn attempt(&self, statement: &str) -> Result<(), String> {
        let mut connection = quiet(&self.database_url).await.expect("the test database can be reached");
        let done = sqlx::raw_sql(sqlx::AssertSqlSafe(statement.to_owned())).execute(&mut connection).await;
        let refused = done.err().map(|error| {
            let code = error.as_database_error().and_then(|database| database.code()).map(std::borrow::Cow::into_owned);
            code.unwrap_or_else(|| error.to_string())
        });
        refused.map_or(Ok(()), Err)
    }

    /// The rows of a query on the server's database, each a JSON object.
    pub async fn rows(&self, query: &str) -> Vec<Value> {
        let mut connection = quiet(&self.database_url).await.expect("the test database can be reached");
        let query = format!("select to_jsonb(row) from ({query}) row");
        sqlx::query_scalar(sqlx::AssertSqlSafe(query)).fetch_all(&mut connection).await.expect("the query gives rows")
    }

    /// The files of stored bytes, by name, and those that are on their way.
    #[must_use]
    pub fn objects(&self) -> (Vec<String>, Vec<String>) {
        (files_below(&self.directory.join("blobs")), files_below(&self.directory.join("staging")))
    }

    /// What every table holds, but for the times at which keys were used: equal before and after something that changed
    /// nothing. A value begins with the number of rows.
    pub async fn everything(&self) -> BTreeMap<String, String> {
        let mut looking = self.looking.lock().await;
        if looking.is_none() {
            *looking = Some(Looking::begin(&self.database_url).await);
        }
        let Looking { connection, query } = looking.as_mut().expect("it was just begun");
        let rows: Vec<(String, String)> =
            sqlx::query_as(sqlx::AssertSqlSafe(query.clone())).fetch_all(connection).await.expect("the tables can be read");
        rows.into_iter().collect()
    }

    /// A number from the server's database.
    pub async fn number(&self, query: &str) -> i64 {
        let mut connection = quiet(&self.database_url).await.expect("the test database can be reached");
        sqlx::query_scalar(sqlx::AssertSqlSafe(query.to_owned()))
            .fetch_one(&mut connection)
            .await
            .expect("the query gives a number")
    }
}

/// The use-cases on a database and a directory.
async fn service(store: Store, directory: &Path, clock: Arc<SetClock>, manifests: ManifestLimits) -> Arc<Service> {
    let mut tx = store.begin().await.expect("a transaction begins");
    let keys = installation::signing_keys(&mut tx, [7; 32]).await.expect("there is a signing key");
    regalia_service::store::commit(tx).await.expect("the signing key is kept");
    Arc::new(Service {
        store,
        blobs: Blobs::directory(directory).expect("the directory holds blobs"),
        clock,
        random: Arc::new(SystemRandom),
        signer: Signer::new(keys),
        hasher: Hasher::default(),
        settings: Settings { public_url: None, largest_file: 64 * 1024 * 1024, manifests },
    })
}

async fn serve(service: Arc<Service>, patience: Patience) -> (String, Running) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let url = format!("http://{}", listener.local_addr().expect("a bound listener has an address"));
    let app = App::new(service, patience, Proxies::default());
    (url, Running(tokio::spawn(http::serve(listener, app, std::future::pending()))))
}

fn name(text: &str) -> EntityName {
    EntityName::parse(text).expect("an entity name")
}

fn files_below(directory: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    let mut names = Vec::new();
    for entry in entries {
        let path = entry.expect("the directory can be read").path();
        if path.is_dir() {
            names.extend(files_below(&path));
        } else {
            names.push(path.file_name().expect("a file has a name").to_string_lossy().into_owned());
        }
    }
    names.sort();
    names
}

impl Drop for Server {
    fn drop(&mut self) {
        self.running.0.abort();
        let _ = std::fs::remove_dir_all(&self.directory);
        let statement = format!("drop database if exists {} with (force)", self.database);
        // A runtime of its own, because a drop can't wait in the test's.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            if let Ok(runtime) = runtime {
                runtime.block_on(on_cluster(statement));
            }
        });
        let _ = dropped.join();
    }
}
