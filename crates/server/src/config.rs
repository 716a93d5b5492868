//! What an installation may set, from four places: flags, environment, file, defaults; the earlier wins, key by key. And
//! the file that lets `regalia admin` work on the server's own machine. What must not live here: what the keys do.
//! `docs/configuration.md` explains every key; a test compares.

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use clap::{Args, Command, FromArgMatches as _, ValueEnum};
use serde::{Deserialize, Serialize};

use crate::http::Proxies;

/// Begins the name of each environment variable.
const PREFIX: &str = "REGALIA_";

/// Name of the file that `regalia admin` reads, in the data directory.
const ADMIN_FILE: &str = "admin.json";

/// A configuration that can't be used: a sentence that names the key and the place. It quotes neither a line of the file nor
/// a variable, because there are secrets among them.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(String);

type Result<T, E = ConfigError> = std::result::Result<T, E>;

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One JSON object on each line.
    Json,
    /// For a person at a terminal.
    Text,
}

/// One place's share of the configuration: a key that it doesn't set is absent.
#[derive(Default, Clone, Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Directory of the files and of the PostgreSQL that the server manages
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Address and port to listen on
    #[arg(long, value_name = "IP:PORT")]
    pub listen: Option<SocketAddr>,
    /// URL under which clients reach the server, if it isn't that of their requests
    #[arg(long, value_name = "URL")]
    pub public_url: Option<String>,
    /// PostgreSQL to use instead of one that the server manages; has a password in it, so better set it in the environment
    #[arg(long, value_name = "URL")]
    pub database_url: Option<String>,
    /// Most connections to PostgreSQL
    #[arg(long, value_name = "NUMBER")]
    pub database_connections: Option<u32>,
    /// Directory of the PostgreSQL programs that the server manages its own database with
    #[arg(long, value_name = "DIR")]
    pub postgres_bin_dir: Option<PathBuf>,
    /// Most bytes of one uploaded file
    #[arg(long, value_name = "BYTES")]
    pub largest_file_bytes: Option<u64>,
    /// Proxies that are believed when they say whom they serve: addresses and networks such as 10.0.0.0/8, or none
    #[arg(long, value_name = "NETWORKS", value_delimiter = ',')]
    pub trusted_proxies: Option<Vec<String>>,
    /// How log lines are written
    #[arg(long, value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,
    /// What is logged: a level, or levels by module such as `info,regalia_service=debug`
    #[arg(long, value_name = "LEVEL")]
    pub log_level: Option<String>,
}

impl Settings {
    fn or(self, other: Self) -> Self {
        Self {
            data_dir: self.data_dir.or(other.data_dir),
            listen: self.listen.or(other.listen),
            public_url: self.public_url.or(other.public_url),
            database_url: self.database_url.or(other.database_url),
            database_connections: self.database_connections.or(other.database_connections),
            postgres_bin_dir: self.postgres_bin_dir.or(other.postgres_bin_dir),
            largest_file_bytes: self.largest_file_bytes.or(other.largest_file_bytes),
            trusted_proxies: self.trusted_proxies.or(other.trusted_proxies),
            log_format: self.log_format.or(other.log_format),
            log_level: self.log_level.or(other.log_level),
        }
    }

    /// Each key is read from `REGALIA_<KEY>`, as its flag would be; an empty variable is none. `DATABASE_URL` is known too.
    fn from_environment(variable: &impl Fn(&str) -> Option<OsString>) -> Result<Self> {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let command = Self::augment_args(Command::new("environment").no_binary_name(true));
        let mut settings = Self::default();
        for argument in command.get_arguments() {
            let key = argument.get_id().as_str();
            let name = format!("{PREFIX}{}", key.to_uppercase());
            let (name, value) = match set(&name) {
                None if key == "database_url" => ("DATABASE_URL".to_owned(), set("DATABASE_URL")),
                value => (name, value),
            };
            let Some(value) = value else { continue };
            let mut flag = OsString::from(format!("--{}=", key.replace('_', "-")));
            flag.push(value);
            let one = command.clone().try_get_matches_from([flag]).and_then(|matches| Self::from_arg_matches(&matches));
            settings = settings
                .or(one.map_err(|_| ConfigError(format!("The environment variable {name} has no usable value for {key}.")))?);
        }
        Ok(settings)
    }

    fn from_file(path: &Path) -> Result<Self> {
        let shown = path.display();
        let text = fs::read_to_string(path)
            .map_err(|error| ConfigError(format!("The configuration file {shown} can't be read: {error}.")))?;
        toml::from_str(&text).map_err(|error| {
            // The error's own display quotes the line, which may hold a password.
            let line = error.span().map_or(0, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
            ConfigError(format!("The configuration file {shown}, line {line}: {}", error.message()))
        })
    }
}

/// A complete configuration.
#[derive(Clone)]
pub struct Config {
    /// Directory of the files and of the managed PostgreSQL; absolute.
    pub data_dir: PathBuf,
    /// Where to listen.
    pub listen: SocketAddr,
    /// URL under which clients reach the server, without a slash at the end; none: that of each request.
    pub public_url: Option<String>,
    /// PostgreSQL, with its password; none: the server manages one.
    pub database_url: Option<String>,
    /// Most connections to PostgreSQL, at least one.
    pub database_connections: u32,
    /// Where the programs of PostgreSQL are; none: they are looked for.
    pub postgres_bin_dir: Option<PathBuf>,
    /// Most bytes of one uploaded file.
    pub largest_file_bytes: u64,
    /// Who is believed when he says whom he serves.
    pub trusted_proxies: Proxies,
    /// How log lines are written.
    pub log_format: LogFormat,
    /// Level, or levels by module.
    pub log_level: String,
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("data_dir", &self.data_dir)
            .field("listen", &self.listen)
            .field("public_url", &self.public_url)
            .field("database_url", &self.database_url.as_ref().map(|_| "(secret)"))
            .field("database_connections", &self.database_connections)
            .field("postgres_bin_dir", &self.postgres_bin_dir)
            .field("largest_file_bytes", &self.largest_file_bytes)
            .field("trusted_proxies", &self.trusted_proxies)
            .field("log_format", &self.log_format)
            .field("log_level", &self.log_level)
            .finish()
    }
}

impl Config {
    /// The default of `database_connections`.
    pub const DATABASE_CONNECTIONS: u32 = 10;
    /// The default of `largest_file_bytes`: 1 TiB.
    pub const LARGEST_FILE_BYTES: u64 = 1 << 40;
    /// The default of `listen`.
    pub const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8080);
    /// The default of `log_level`.
    pub const LOG_LEVEL: &str = "info";

    /// Reads the configuration. `file` is that of `--config`; without it `REGALIA_CONFIG` names one, or there is none.
    ///
    /// # Errors
    /// The file can't be read or has an unknown key; a value can't be used; there is no home for the data.
    pub fn load(file: Option<&Path>, flags: Settings) -> Result<Self> {
        Self::resolve(file, flags, &|name| std::env::var_os(name))
    }

    fn resolve(file: Option<&Path>, flags: Settings, variable: &impl Fn(&str) -> Option<OsString>) -> Result<Self> {
        let named = variable("REGALIA_CONFIG").filter(|value| !value.is_empty()).map(PathBuf::from);
        let from_file = file.or(named.as_deref()).map(Settings::from_file).transpose()?.unwrap_or_default();
        let settings = flags.or(Settings::from_environment(variable)?).or(from_file);

        let data_dir = match settings.data_dir {
            Some(directory) => directory,
            None => default_data_dir(variable)?,
        };
        let database_connections = settings.database_connections.unwrap_or(Self::DATABASE_CONNECTIONS);
        if database_connections == 0 {
            return Err(ConfigError("database_connections is 0; the server needs at least 1.".into()));
        }
        let default_format = || if std::io::stderr().is_terminal() { LogFormat::Text } else { LogFormat::Json };
        Ok(Self {
            data_dir: std::path::absolute(data_dir).map_err(|error| ConfigError(format!("data_dir can't be used: {error}.")))?,
            listen: settings.listen.unwrap_or(Self::LISTEN),
            public_url: settings.public_url.filter(|url| !url.is_empty()).map(|url| public_url(&url)).transpose()?,
            database_url: settings.database_url.filter(|url| !url.is_empty()),
            database_connections,
            postgres_bin_dir: settings.postgres_bin_dir,
            largest_file_bytes: settings.largest_file_bytes.unwrap_or(Self::LARGEST_FILE_BYTES),
            trusted_proxies: settings.trusted_proxies.map_or_else(|| Ok(Proxies::default()), |list| trusted_proxies(&list))?,
            log_format: settings.log_format.unwrap_or_else(default_format),
            log_level: settings.log_level.map_or_else(|| Ok(Self::LOG_LEVEL.to_owned()), log_level)?,
        })
    }
}

/// Addresses and networks; the one word `none`, or an empty list in the file, is nobody.
fn trusted_proxies(list: &[String]) -> Result<Proxies> {
    let texts: &[String] = if matches!(list, [word] if word == "none") { &[] } else { list };
    Proxies::parse(texts.iter().map(String::as_str)).map_err(|text| {
        ConfigError(format!(
            "trusted_proxies can't be used: {text:?} is no IP address, such as 10.0.0.1, and no network, such as 10.0.0.0/8 or \
             fd00::/8."
        ))
    })
}

/// A level, or levels by module. The logger takes a misspelt level for a module, and then says nothing at all.
fn log_level(text: String) -> Result<String> {
    let level = |word: &str| ["off", "error", "warn", "info", "debug", "trace"].contains(&word.to_ascii_lowercase().as_str());
    let sound = text.split(',').all(|part| match part.split_once('=') {
        Some((module, word)) => {
            !module.is_empty() && module.chars().all(|c| c.is_ascii_alphanumeric() || "_:".contains(c)) && level(word)
        }
        None => level(part),
    });
    if sound {
        return Ok(text);
    }
    Err(ConfigError(
        "log_level can't be used: give one of off, error, warn, info, debug and trace, or levels by module such as \
         info,regalia_service=debug."
            .into(),
    ))
}

/// `/var/lib/regalia` for root, whose home PostgreSQL's own user can't enter; else a place in the user's home.
fn default_data_dir(variable: &impl Fn(&str) -> Option<OsString>) -> Result<PathBuf> {
    if nix::unistd::geteuid().is_root() {
        return Ok("/var/lib/regalia".into());
    }
    let absolute = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute("XDG_DATA_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".local/share")))
        .map(|share| share.join("regalia"))
        .ok_or_else(|| {
            ConfigError("There is no home directory to keep data in. Set data_dir, for example with --data-dir.".into())
        })
}

/// An HTTP address that paths can be appended to.
fn public_url(text: &str) -> Result<String> {
    let unusable = || ConfigError("public_url is not of the form https://HOST[:PORT][/PATH].".into());
    let url: reqwest::Url = text.parse().map_err(|_| unusable())?;
    let plain = url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
    if matches!(url.scheme(), "http" | "https") && url.has_host() && plain {
        Ok(url.as_str().trim_end_matches('/').to_owned())
    } else {
        Err(unusable())
    }
}

/// Where a server is and a key of its administrator, for `regalia admin` on the server's own machine.
#[derive(Clone, Serialize, Deserialize)]
pub struct AdminFile {
    /// Address of the server.
    pub url: String,
    /// A site administrator's API key.
    pub api_key: String,
}

impl fmt::Debug for AdminFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdminFile").field("url", &self.url).field("api_key", &"(secret)").finish()
    }
}

/// Writes the owner-only file that `regalia admin` reads; returns where it is. A reader sees the whole file or none.
///
/// # Errors
/// The data directory can't be written to.
pub fn write_admin_file(data_dir: &Path, url: &str, api_key: &str) -> std::io::Result<PathBuf> {
    let path = data_dir.join(ADMIN_FILE);
    let unfinished = data_dir.join(format!("{ADMIN_FILE}.new"));
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let content = serde_json::to_vec_pretty(&AdminFile { url: url.to_owned(), api_key: api_key.to_owned() })?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
    file.write_all(&content)?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    fs::rename(&unfinished, &path)?;
    File::open(data_dir)?.sync_all()?;
    Ok(path)
}

/// Reads the file that [`write_admin_file`] wrote; none when there is none.
///
/// # Errors
/// It is there and can't be read.
pub fn read_admin_file(data_dir: &Path) -> Result<Option<AdminFile>> {
    let path = data_dir.join(ADMIN_FILE);
    let unreadable = |why: String| ConfigError(format!("{} can't be read: {why}.", path.display()));
    match fs::read(&path) {
        // The parser's own sentence could quote what is in the file.
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|_| unreadable("it is not what the server wrote".into())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unreadable(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// A fresh directory below the system's one for temporary files, removed at the end.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("regalia-config-{name}-{}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn file(&self, text: &str) -> PathBuf {
            let path = self.0.join("regalia.toml");
            fs::write(&path, text).unwrap();
            path
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn resolve(file: Option<&Path>, environment: &[(&str, &str)], flags: Settings) -> Result<Config> {
        let environment: BTreeMap<&str, &str> =
            [("HOME", "/home/alice")].into_iter().chain(environment.iter().copied()).collect();
        Config::resolve(file, flags, &|name| environment.get(name).map(OsString::from))
    }

    fn flags(arguments: &[&str]) -> Settings {
        let command = Settings::augment_args(Command::new("flags").no_binary_name(true));
        Settings::from_arg_matches(&command.try_get_matches_from(arguments).unwrap()).unwrap()
    }

    #[test]
    fn without_anything_there_are_defaults() {
        let config = resolve(None, &[], Settings::default()).unwrap();
        assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
        assert_eq!((config.database_connections, config.largest_file_bytes), (10, 1_099_511_627_776));
        assert_eq!((config.public_url, config.database_url, config.postgres_bin_dir), (None, None, None));
        assert_eq!(config.log_level, "info");
        let home = if nix::unistd::geteuid().is_root() { "/var/lib/regalia" } else { "/home/alice/.local/share/regalia" };
        assert_eq!(config.data_dir, Path::new(home));
    }

    #[test]
    fn flags_win_over_environment_over_file_over_defaults() {
        let scratch = Scratch::new("precedence");
        let file =
            scratch.file("listen = '127.0.0.1:1'\ndatabase_connections = 1\nlargest_file_bytes = 1\nlog_format = 'json'\n");
        let environment = [("REGALIA_LISTEN", "127.0.0.1:2"), ("REGALIA_DATABASE_CONNECTIONS", "2")];
        let config = resolve(Some(&file), &environment, flags(&["--listen", "127.0.0.1:3"])).unwrap();
        assert_eq!(config.listen.port(), 3);
        assert_eq!(config.database_connections, 2);
        assert_eq!(config.largest_file_bytes, 1);
        assert_eq!(config.log_format, LogFormat::Json);
        assert_eq!(config.log_level, "info");
    }

    #[test]
    fn the_environment_names_the_file_and_the_flag_another() {
        let scratch = Scratch::new("file");
        let file = scratch.file("log_level = 'debug'");
        let environment = [("REGALIA_CONFIG", file.to_str().unwrap())];
        assert_eq!(resolve(None, &environment, Settings::default()).unwrap().log_level, "debug");
        let missing = scratch.0.join("absent.toml");
        assert!(resolve(Some(&missing), &environment, Settings::default()).unwrap_err().to_string().contains("absent.toml"));
    }

    #[test]
    fn the_database_has_two_variables_and_ours_wins() {
        let url = |environment: &[(&str, &str)]| resolve(None, environment, Settings::default()).unwrap().database_url;
        assert_eq!(url(&[("DATABASE_URL", "postgres://a/b")]).as_deref(), Some("postgres://a/b"));
        let both = [("DATABASE_URL", "postgres://a/b"), ("REGALIA_DATABASE_URL", "postgres://c/d")];
        assert_eq!(url(&both).as_deref(), Some("postgres://c/d"));
        assert_eq!(url(&[("DATABASE_URL", ""), ("REGALIA_DATABASE_URL", "")]), None);
    }

    #[test]
    fn what_is_unusable_is_named_and_no_secret_is_quoted() {
        let scratch = Scratch::new("unusable");
        let refused = |file: Option<&str>, environment: &[(&str, &str)]| {
            let file = file.map(|text| scratch.file(text));
            resolve(file.as_deref(), environment, Settings::default()).unwrap_err().to_string()
        };
        let unknown = refused(Some("listen = '127.0.0.1:1'\nlisten_on = '127.0.0.1:hunter2'\n"), &[]);
        assert!(unknown.contains("line 2") && unknown.contains("listen_on") && !unknown.contains("hunter2"), "{unknown}");
        let broken = refused(Some("database_url = postgres://u:hunter2@h/d\n"), &[]);
        assert!(broken.contains("line 1") && !broken.contains("hunter2"), "{broken}");
        let wrong_type = refused(Some("listen = 5\n"), &[]);
        assert!(wrong_type.contains("line 1"), "{wrong_type}");
        let variable = refused(None, &[("REGALIA_LISTEN", "hunter2")]);
        assert!(variable.contains("REGALIA_LISTEN") && !variable.contains("hunter2"), "{variable}");
        assert!(refused(None, &[("REGALIA_DATABASE_CONNECTIONS", "0")]).contains("database_connections"));
    }

    #[test]
    fn public_urls() {
        for (given, kept) in [
            ("https://models.example.com/", "https://models.example.com"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("https://example.com/regalia/", "https://example.com/regalia"),
        ] {
            assert_eq!(public_url(given).unwrap(), kept);
        }
        for bad in
            ["models.example.com", "ftp://example.com", "https://u:p@example.com", "https://example.com?a", "https://", "x:y"]
        {
            assert!(public_url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn trusted_proxies_from_every_place() {
        let scratch = Scratch::new("proxies");
        let believed = |file: Option<&str>, environment: &[(&str, &str)], arguments: &[&str]| {
            let file = file.map(|text| scratch.file(text));
            resolve(file.as_deref(), environment, flags(arguments)).map(|config| config.trusted_proxies)
        };
        let own = Proxies::parse(["127.0.0.0/8", "::1"]).unwrap();
        assert_eq!(believed(None, &[], &[]).unwrap(), own, "this machine");
        let two = Proxies::parse(["10.0.0.0/8", "fd00::1"]).unwrap();
        assert_eq!(believed(Some("trusted_proxies = ['10.0.0.0/8', 'fd00::1']"), &[], &[]).unwrap(), two);
        let environment = [("REGALIA_TRUSTED_PROXIES", "10.0.0.0/8, fd00::1")];
        assert_eq!(believed(Some("trusted_proxies = ['10.9.9.9']"), &environment, &[]).unwrap(), two);
        assert_eq!(believed(None, &environment, &["--trusted-proxies", "10.0.0.0/8,fd00::1"]).unwrap(), two);
        let nobody = Proxies::parse([]).unwrap();
        assert_eq!(believed(Some("trusted_proxies = []"), &[], &[]).unwrap(), nobody);
        assert_eq!(believed(None, &environment, &["--trusted-proxies", "none"]).unwrap(), nobody);
        for bad in ["10.0.0.0/33", "proxy.example.com", "10.0.0.1,,", "none,10.0.0.1"] {
            let error = believed(None, &[("REGALIA_TRUSTED_PROXIES", bad)], &[]).unwrap_err().to_string();
            assert!(error.contains("trusted_proxies") && error.contains("10.0.0.0/8"), "{error}");
        }
        let error = believed(Some("trusted_proxies = ['10.0.0.0/33']"), &[], &[]).unwrap_err().to_string();
        assert!(error.contains("\"10.0.0.0/33\""), "{error}");
    }

    #[test]
    fn secrets_are_not_printed() {
        let config = resolve(None, &[("DATABASE_URL", "postgres://u:hunter2@h/d")], Settings::default()).unwrap();
        assert!(!format!("{config:?}").contains("hunter2"));
        let file = AdminFile { url: "http://127.0.0.1:8080".into(), api_key: "hunter2".into() };
        assert!(!format!("{file:?}").contains("hunter2"));
    }

    #[test]
    fn a_misspelt_log_level_is_refused() {
        for text in ["info", "OFF", "warn,regalia_service=debug", "regalia_server::http=trace"] {
            assert!(log_level(text.into()).is_ok(), "{text}");
        }
        for text in ["", "verbose", "info,", "regalia_service", "a=b=c", "=info", "info;debug", "[span]=info"] {
            assert!(log_level(text.into()).unwrap_err().to_string().contains("log_level"), "{text}");
        }
    }

    #[test]
    fn the_admin_file_is_its_owners_alone_and_comes_back() {
        let scratch = Scratch::new("admin");
        assert!(read_admin_file(&scratch.0).unwrap().is_none());
        for key in ["first", "second"] {
            let path = write_admin_file(&scratch.0, "http://127.0.0.1:8080", key).unwrap();
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            let file = read_admin_file(&scratch.0).unwrap().unwrap();
            assert_eq!((file.url.as_str(), file.api_key.as_str()), ("http://127.0.0.1:8080", key));
        }
        fs::write(scratch.0.join(ADMIN_FILE), "{\"url\": \"x\", \"api_key\": hunter2}").unwrap();
        assert!(!read_admin_file(&scratch.0).unwrap_err().to_string().contains("hunter2"));
    }

    #[test]
    fn the_documentation_has_every_key_and_no_other() {
        let page = include_str!("../../../docs/configuration.md");
        let cell = |text: &str| text.trim().trim_matches('`').to_owned();
        let documented: Vec<[String; 4]> = page
            .lines()
            .filter(|line| line.starts_with("| `"))
            .map(|line| {
                let mut cells = line.trim_matches('|').split('|').map(cell);
                std::array::from_fn(|_| cells.next().unwrap_or_default())
            })
            .collect();
        let defaults = resolve(None, &[], Settings::default()).unwrap();
        let command = Settings::augment_args(Command::new("keys"));
        let known: Vec<[String; 4]> = command
            .get_arguments()
            .map(|argument| {
                let key = argument.get_id().as_str();
                let default = match key {
                    "listen" => defaults.listen.to_string(),
                    "database_connections" => defaults.database_connections.to_string(),
                    "largest_file_bytes" => defaults.largest_file_bytes.to_string(),
                    "trusted_proxies" => "127.0.0.0/8,::1".to_owned(),
                    "log_level" => defaults.log_level.clone(),
                    "data_dir" | "log_format" => "see below".to_owned(),
                    _ => "none".to_owned(),
                };
                let flag = format!("--{}", argument.get_long().unwrap());
                [key.to_owned(), flag, format!("{PREFIX}{}", key.to_uppercase()), default]
            })
            .collect();
        assert_eq!(documented, known);
    }
}
