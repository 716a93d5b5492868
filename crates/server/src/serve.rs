//! `regalia serve`: from a configuration to a listening server, and back to nothing. What must not live here: routes.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use regalia_domain::keys::ApiKey;
use regalia_domain::manifest::ManifestLimits;
use regalia_service::blobs::Blobs;
use regalia_service::garbage::Collected;
use regalia_service::passwords::Hasher;
use regalia_service::signing::Signer;
use regalia_service::store::{Address, Store};
use regalia_service::{Clock, Random, Service, Settings};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::MissedTickBehavior;
use tracing_subscriber::EnvFilter;

use crate::checkpoints;
use crate::config::{self, Config, LogFormat};
use crate::http::{self, App, Patience};
use crate::postgres::{self, ManagedPostgres, Options};
use crate::sealer::Sealer;

/// How long requests that are under way may take after the signal to stop.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often it is looked whether a version has expired: one look into an index.
const EXPIRY: Duration = Duration::from_secs(20);

/// How long connections may take to be given back.
const CLOSING: Duration = Duration::from_secs(2);

/// Why the server didn't start, or stopped. Each sentence says what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The data directory can't be used.
    #[error("The data directory {0} can't be used: {1}. Give another one with --data-dir.")]
    DataDirectory(String, std::io::Error),
    /// The managed PostgreSQL didn't start.
    #[error(transparent)]
    Postgres(#[from] crate::postgres::PostgresError),
    /// The PostgreSQL given by an address can't be reached or refuses.
    #[error("The database can't be used: {0}. Check database_url.")]
    Database(#[from] regalia_service::store::Error),
    /// A migration failed.
    #[error("The database can't be brought to this program's schema: {0}")]
    Migration(String),
    /// The directory of the files can't be used.
    #[error("The directory of the files can't be used: {0}")]
    Blobs(#[from] regalia_service::blobs::Error),
    /// A use-case of the start failed.
    #[error("{0}")]
    Service(#[from] regalia_service::Error),
    /// The address is taken or not ours.
    #[error("The address {0} can't be listened on: {1}. Give another one with --listen.")]
    Listen(SocketAddr, std::io::Error),
    /// The process's own input and output.
    #[error("The server can't go on: {0}")]
    Io(#[from] std::io::Error),
    /// There is no managed PostgreSQL to reach.
    #[error(
        "No server is running on the data directory {0}, or it is another user's. Start it with `make run` or `regalia serve`, or say \
         with --data-dir where the running one keeps its data."
    )]
    NotRunning(String),
    /// The managed PostgreSQL ended by itself.
    #[error("PostgreSQL has ended, so the server ends too: {0}")]
    PostgresEnded(String),
}

/// The system's clock.
#[derive(Debug)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }
}

/// The system's random numbers.
#[derive(Debug)]
pub struct SystemRandom;

impl Random for SystemRandom {
    #[allow(clippy::expect_used)] // Without random numbers no key is safe: there is nothing to go on with.
    fn fill(&self, buffer: &mut [u8]) {
        getrandom::fill(buffer).expect("the system gives random numbers");
    }
}

/// A database, and the PostgreSQL behind it if this server manages it.
#[derive(Debug)]
pub struct Database {
    /// The database.
    pub store: Store,
    postgres: Option<Arc<ManagedPostgres>>,
}

impl Database {
    /// Closes the connections, then stops the managed PostgreSQL.
    pub async fn close(self) {
        // When PostgreSQL has died there is nothing left to give back, and requests still wait for it.
        let _ = tokio::time::timeout(CLOSING, self.store.close()).await;
        if let Some(postgres) = self.postgres {
            let stopped = tokio::task::spawn_blocking(move || postgres.stop()).await;
            if let Ok(Err(error)) = stopped {
                tracing::error!(%error, "PostgreSQL did not stop");
            }
        }
    }
}

/// Connects to the database of a configuration; without an address, starts the managed PostgreSQL first.
///
/// # Errors
/// As [`Error`].
pub async fn open_database(config: &Config) -> Result<Database, Error> {
    if let Some(url) = &config.database_url {
        let store = Store::connect(&Address::Url(url.clone()), config.database_connections).await?;
        return Ok(Database { store, postgres: None });
    }
    // PostgreSQL's own user has to pass through the data directory, so its supervisor makes it with the right mode.
    let mut options = Options::new(&config.data_dir);
    options.bin_dir.clone_from(&config.postgres_bin_dir);
    let started = tokio::task::spawn_blocking(move || ManagedPostgres::start(&options)).await;
    let postgres = Arc::new(started.map_err(std::io::Error::other)??);
    let store = Store::connect(&managed(postgres.socket_dir()), config.database_connections).await?;
    Ok(Database { store, postgres: Some(postgres) })
}

/// Connects to the database of a configuration, which without an address is that of a server that is running.
///
/// # Errors
/// `NotRunning`; as [`open_database`].
pub async fn join_database(config: &Config) -> Result<Database, Error> {
    let address = match &config.database_url {
        Some(url) => Address::Url(url.clone()),
        None => match postgres::running_in(&config.data_dir)? {
            Some(socket_dir) => managed(&socket_dir),
            None => return Err(Error::NotRunning(config.data_dir.display().to_string())),
        },
    };
    Ok(Database { store: Store::connect(&address, config.database_connections).await?, postgres: None })
}

fn managed(socket_dir: &Path) -> Address {
    Address::Socket {
        directory: socket_dir.to_owned(),
        port: postgres::PORT,
        user: postgres::ROLE.to_owned(),
        database: postgres::DATABASE.to_owned(),
    }
}

fn data_directory(path: &Path) -> Result<(), Error> {
    std::fs::create_dir_all(path).map_err(|error| Error::DataDirectory(path.display().to_string(), error))
}

/// Builds the use-cases over a database that has the schema.
///
/// # Errors
/// As [`Error`].
pub async fn service(config: &Config, store: Store) -> Result<Service, Error> {
    let files = config.data_dir.join("files");
    let mut private = std::fs::DirBuilder::new();
    std::os::unix::fs::DirBuilderExt::mode(private.recursive(true), 0o700);
    private.create(&files).map_err(|error| Error::DataDirectory(files.display().to_string(), error))?;
    let blobs = Blobs::directory(&files)?;
    let mut secret = [0; 32];
    SystemRandom.fill(&mut secret);
    let mut tx = store.begin().await?;
    let keys = regalia_service::store::installation::signing_keys(&mut tx, secret).await?;
    regalia_service::store::commit(tx).await?;
    Ok(Service {
        store,
        blobs,
        clock: Arc::new(SystemClock),
        random: Arc::new(SystemRandom),
        signer: Signer::new(keys),
        hasher: Hasher::default(),
        settings: Settings {
            public_url: config.public_url.clone(),
            largest_file: config.largest_file_bytes,
            manifests: ManifestLimits::default(),
        },
    })
}

/// Runs the server until it is told to stop or its PostgreSQL ends.
///
/// # Errors
/// As [`Error`].
pub async fn run(config: Config) -> Result<(), Error> {
    log(&config);
    // From the first moment: a signal that comes while the server is starting ends it as any other does.
    let signals = Signals::listen()?;
    let database = open_database(&config).await?;
    let outcome = run_on(&config, &database, signals).await;
    database.close().await;
    if outcome.is_ok() {
        tracing::info!("stopped");
    }
    outcome
}

async fn run_on(config: &Config, database: &Database, mut signals: Signals) -> Result<(), Error> {
    data_directory(&config.data_dir)?;
    database.store.migrate().await.map_err(|error| Error::Migration(error.to_string()))?;
    let service = Arc::new(service(config, database.store.clone()).await?);
    let listener = TcpListener::bind(config.listen).await.map_err(|error| Error::Listen(config.listen, error))?;
    let address = listener.local_addr()?;
    let url = config.public_url.clone().unwrap_or_else(|| format!("http://{address}"));
    let clearing = tokio::spawn(clear_leftovers(service.clone()));
    let (stop_sealing, sealing_stops) = tokio::sync::watch::channel(());
    let sealer = Sealer::new(service.clone(), checkpoints::path(&config.data_dir));
    let sealing = tokio::spawn(sealer.run(sealing_stops));
    let expiring = tokio::spawn(expire(service.clone()));
    first_start(config, &service, &url, local(address)).await?;

    let (stop, mut stopped) = tokio::sync::watch::channel(false);
    let app = App::new(service, Patience::default(), config.trusted_proxies.clone());
    let mut serving = tokio::spawn(http::serve(listener, app, async move {
        // The sender lives as long as this function.
        let _ = stopped.changed().await;
    }));
    tracing::info!(%address, "listening");
    let ended = postgres_ended(database);
    let outcome = tokio::select! {
        result = &mut serving => return Ok(result.map_err(std::io::Error::other)?),
        signal = signals.next() => { tracing::info!(signal, "stopping"); Ok(()) }
        last_words = ended => Err(Error::PostgresEnded(last_words)),
    };
    let _ = stop.send(true);
    if outcome.is_ok() && tokio::time::timeout(PATIENCE, &mut serving).await.is_err() {
        tracing::warn!("requests that took too long are broken off");
    }
    serving.abort();
    clearing.abort();
    expiring.abort();
    // After the last request, so that nothing is left unsealed.
    drop(stop_sealing);
    if tokio::time::timeout(CLOSING, sealing).await.is_err() {
        tracing::warn!("the last events are sealed by the next server that starts");
    }
    outcome
}

/// Resolves when the managed PostgreSQL ends; never when there is none.
async fn postgres_ended(database: &Database) -> String {
    let Some(postgres) = database.postgres.clone() else { return std::future::pending().await };
    // Its own thread, because it waits for as long as the server lives.
    let (tell, told) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let _ = tell.send(postgres.wait_exited().to_string());
    });
    told.await.unwrap_or_default()
}

/// The signals that end the server.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// Ends versions, soon after their time is over. What is broken off half-way was not done.
async fn expire(service: Arc<Service>) {
    let mut times = tokio::time::interval(EXPIRY);
    times.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        times.tick().await;
        let outcome = match service.store.clock().await {
            Ok(now) => service.expire(now).await,
            Err(error) => Err(error.into()),
        };
        if let Err(error) = outcome {
            tracing::warn!(?error, "versions whose time is over could not be ended; this is tried again");
        }
    }
}

/// Clears, every hour, what nothing needs any more, and what a crash or a broken-off upload left behind long ago.
async fn clear_leftovers(service: Arc<Service>) {
    let mut hours = tokio::time::interval(Duration::from_secs(3600));
    loop {
        hours.tick().await;
        clear_leftovers_once(&service).await;
    }
}

async fn clear_leftovers_once(service: &Service) {
    let before = service.clock.now() - TimeDelta::days(1);
    if let Err(error) = service.blobs.clear_staging(before.into()).await {
        tracing::warn!(%error, "old staged files could not be cleared");
    }
    if let Err(error) = service.clear_sessions().await {
        tracing::warn!(%error, "old sessions could not be cleared");
    }
    match service.store.clock().await {
        Ok(now) => {
            let collected = service.collect(now).await;
            if collected != Collected::default() {
                tracing::info!(?collected, "cleared what nothing needed");
            }
        }
        Err(error) => tracing::warn!(?error, "what nothing needs could not be cleared; this is tried again"),
    }
}

/// Makes the first site administrator and says, once, how to begin. Standard output, because it is for a person and never
/// for the log.
async fn first_start(config: &Config, service: &Service, url: &str, local: SocketAddr) -> Result<(), Error> {
    let local = format!("http://{local}");
    let mut file = std::path::PathBuf::new();
    let keep = |key: &ApiKey| {
        file = config::write_admin_file(&config.data_dir, &local, key.reveal())?;
        Ok(())
    };
    let Some((name, key)) = service.first_start(keep).await? else {
        // `regalia admin` finds the server where it listens now.
        if let Ok(Some(known)) = config::read_admin_file(&config.data_dir)
            && known.url != local
            && let Err(error) = config::write_admin_file(&config.data_dir, &local, &known.api_key)
        {
            tracing::warn!(%error, "the file for `regalia admin` could not be written");
        }
        say(&format!("Regalia is at {url}"));
        return Ok(());
    };
    let key = key.reveal();
    say(&format!(
        "Regalia is at {url}\n\
         \n\
         The site administrator is \"{name}\". Its API key is shown this once:\n\
         \n\
         \x20   {key}\n\
         \n\
         `regalia admin` finds it in {file}, which only you can read.\n\
         \n\
         Try it in Python (python3 -m venv env && env/bin/pip install wandb && env/bin/python):\n\
         \n\
         import os\n\
         os.environ[\"WANDB_BASE_URL\"] = \"{url}\"\n\
         os.environ[\"WANDB_API_KEY\"] = \"{key}\"\n\
         import wandb\n\
         run = wandb.init(project=\"hello\")\n\
         open(\"my_model.txt\", \"w\").write(\"a model\")\n\
         run.log_artifact(\"my_model.txt\", \"my-model\", type=\"model\").wait()\n\
         run.finish()\n\
         \n\
         GraphiQL: {url}/graphiql",
        file = file.display(),
    ));
    Ok(())
}

/// Where this machine reaches what the server listens on.
fn local(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}

/// Tells a person; one who closed our standard output early is no error.
fn say(text: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stdout(), "{text}");
}

fn log(config: &Config) {
    let filter = EnvFilter::try_new(&config.log_level).unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second start in one process keeps the first one's log.
    let begun = match config.log_format {
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
        LogFormat::Text => builder.try_init(),
    };
    if begun.is_ok() {
        // A panic is a line like any other; its text says where.
        std::panic::set_hook(Box::new(|panic| tracing::error!(%panic, "panicked")));
    }
}
