//! What `ackd serve` is told: by flag, by environment, by file, by default, in this order.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use ackd_api::Duration;
use ackd_domain::limits;
use ackd_outbound::{Cidr, CidrError};
use clap::{Args, ValueEnum};
use serde::Deserialize;

/// The address on which the server listens where it is told none. HTTP 202 is what the product is about.
pub(crate) const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8202);

/// The configuration file that is read where none is named, if it is there.
const DEFAULT_FILE: &str = "ackd.toml";

/// The flags of `ackd serve`. Each is also an environment variable and a key of the configuration file.
#[derive(Debug, Clone, Default, PartialEq, Args, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(crate) struct ServeArgs {
    /// Read settings from this file [default: ackd.toml, if it is there]
    #[arg(long, value_name = "FILE", env = "ACKD_CONFIG")]
    #[serde(skip)]
    config: Option<PathBuf>,

    /// Keep everything in this directory [default: ackd-data]
    #[arg(long, value_name = "DIR", env = "ACKD_DATA")]
    data: Option<PathBuf>,

    /// Listen on this address; port 0 picks a free one [default: 127.0.0.1:8202]
    #[arg(long, value_name = "ADDR:PORT", env = "ACKD_LISTEN")]
    listen: Option<SocketAddr>,

    /// Allow an address beyond loopback although nothing protects the server yet: no keys, no TLS
    #[arg(long, env = "ACKD_UNPROTECTED", num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    unprotected: Option<bool>,

    /// Speak the Kafka protocol on this address (not supported yet: only "off")
    #[arg(long, value_name = "ADDR:PORT|off", env = "ACKD_KAFKA_LISTEN")]
    kafka_listen: Option<String>,

    /// Where jobs are kept: sqlite (others are not supported yet) [default: sqlite]
    #[arg(long, value_name = "URL", env = "ACKD_STORE")]
    store: Option<String>,

    /// What carries jobs to the workers: memory (others are not supported yet) [default: memory]
    #[arg(long, value_name = "URL", env = "ACKD_BROKER")]
    broker: Option<String>,

    /// The address under which clients reach the server, where it differs from --listen
    #[arg(long, value_name = "URL", env = "ACKD_PUBLIC_URL")]
    public_url: Option<String>,

    /// Answer requests for this host name too, beside IP addresses and localhost (may be repeated)
    #[arg(long = "host", value_name = "NAME", env = "ACKD_HOST", value_delimiter = ',')]
    #[serde(rename = "host")]
    hosts: Vec<String>,

    /// Let pages of this origin use the API from a browser (may be repeated)
    #[arg(long = "allow-origin", value_name = "URL", env = "ACKD_ALLOW_ORIGIN", value_delimiter = ',')]
    #[serde(rename = "allow-origin")]
    allow_origins: Vec<String>,

    /// Let webhooks go to private addresses in this range, as 10.0.0.0/8 (may be repeated)
    #[arg(long, value_name = "CIDR", env = "ACKD_WEBHOOK_ALLOW", value_delimiter = ',')]
    webhook_allow: Vec<String>,

    /// Let the jobs of queues be pushed to private addresses in this range, as 10.0.0.0/8 (may be repeated)
    #[arg(long, value_name = "CIDR", env = "ACKD_PUSH_ALLOW", value_delimiter = ',')]
    push_allow: Vec<String>,

    /// Keep the change feed for so long, 1m to 3650d [default: 21d]
    #[arg(long, value_name = "DURATION", env = "ACKD_FEED_RETENTION")]
    feed_retention: Option<Duration>,

    /// The largest payload or result in bytes, at most 67108864 [default: 1048576]
    #[arg(long, value_name = "BYTES", env = "ACKD_MAX_PAYLOAD")]
    max_payload: Option<usize>,

    /// A raw payload or result of more bytes than this is kept as a file, at most --max-payload [default: --max-payload]
    #[arg(long, value_name = "BYTES", env = "ACKD_CLAIM_CHECK")]
    claim_check: Option<usize>,

    /// The largest file in bytes, at most 68719476736 [default: 17179869184]
    #[arg(long, value_name = "BYTES", env = "ACKD_MAX_FILE")]
    max_file: Option<usize>,

    /// Keep files in this directory, or on S3 as s3://BUCKET/PREFIX [default: files, in the data directory]
    #[arg(long, value_name = "DIR|URL", env = "ACKD_FILES")]
    files: Option<String>,

    /// Send whoever downloads a file to S3 itself, by a link that anybody can use for so long, 1s to 1h [default: never]
    #[arg(long, value_name = "DURATION", env = "ACKD_FILE_LINKS")]
    file_links: Option<Duration>,

    /// The most connections at a time [default: 16384]
    #[arg(long, value_name = "N", env = "ACKD_MAX_CONNECTIONS")]
    max_connections: Option<usize>,

    /// The most connections of one address at a time; behind a proxy all clients have one [default: --max-connections]
    #[arg(long, value_name = "N", env = "ACKD_MAX_CONNECTIONS_PER_ADDRESS")]
    max_connections_per_address: Option<usize>,

    /// How the log on stderr is written [default: text]
    #[arg(long, value_name = "FORMAT", env = "ACKD_LOG_FORMAT")]
    log_format: Option<LogFormat>,

    /// What the log tells: error, warn, info, debug or trace [default: info]
    #[arg(long, value_name = "LEVEL", env = "ACKD_LOG_LEVEL")]
    log_level: Option<LogLevel>,
}

/// How the log is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// Lines for people.
    #[default]
    Text,
    /// A JSON object a line.
    Json,
}

/// How much the log tells.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogLevel {
    /// What broke a promise or stops the server.
    Error,
    /// What may become one of the former.
    Warn,
    /// The server's comings and goings.
    #[default]
    Info,
    /// What a developer asks for.
    Debug,
    /// Everything.
    Trace,
}

/// What the server is to be.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Config {
    /// Where everything is kept.
    pub(crate) data: PathBuf,
    /// Where it listens.
    pub(crate) listen: SocketAddr,
    /// Under which address clients reach it.
    pub(crate) public_url: Option<String>,
    /// The host names it answers for.
    pub(crate) hosts: Vec<String>,
    /// The origins whose pages may use it.
    pub(crate) allow_origins: Vec<String>,
    /// The addresses that webhooks go to although they are private.
    pub(crate) webhook_allow: Vec<Cidr>,
    /// The addresses that jobs are pushed to although they are private.
    pub(crate) push_allow: Vec<Cidr>,
    /// How long the change feed is kept.
    pub(crate) feed_retention: std::time::Duration,
    /// The largest payload or result in bytes.
    pub(crate) max_payload: usize,
    /// The largest one that stands in the ledger, where it came as a body of its own.
    pub(crate) claim_check: usize,
    /// The largest file in bytes.
    pub(crate) max_file: u64,
    /// Where files are kept.
    pub(crate) files: FilesPlace,
    /// For how long links to files are good, where downloads go by links.
    pub(crate) file_links: Option<std::time::Duration>,
    /// The most connections at a time.
    pub(crate) max_connections: usize,
    /// The most connections of one address at a time, where they are counted.
    pub(crate) max_connections_per_address: Option<usize>,
    /// How the log is written.
    pub(crate) log_format: LogFormat,
    /// How much the log tells.
    pub(crate) log_level: LogLevel,
}

/// Where files are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FilesPlace {
    /// In this directory.
    Folder(PathBuf),
    /// On S3.
    #[cfg(feature = "s3")]
    S3(ackd_files::S3Address),
}

/// Settings that cannot be served: wrong use, exit code 2.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ConfigError {
    /// The configuration file is not there or cannot be read.
    #[error("the configuration file {0} cannot be read: {1}")]
    File(PathBuf, String),
    /// It does not say what it should.
    #[error("the configuration file {0} is wrong: {1}")]
    Syntax(PathBuf, String),
    /// A later version will know it.
    #[error("--{flag} {value} is not supported yet; {instead}")]
    NotYet {
        /// The flag, without its dashes.
        flag: &'static str,
        /// What was asked for.
        value: String,
        /// What can be done now.
        instead: &'static str,
    },
    /// Anybody on the network could do anything.
    #[error(
        "--listen {0} is beyond loopback, and nothing protects the server yet: no keys, no TLS. \
         Listen on 127.0.0.1 behind a proxy that does, or say --unprotected if the network itself is trusted"
    )]
    Unprotected(SocketAddr),
    /// No range of addresses.
    #[error("--{flag} {error}")]
    Allow {
        /// The flag, without its dashes.
        flag: &'static str,
        /// What is wrong with it.
        error: CidrError,
    },
    /// No place for files.
    #[error("--files {0}")]
    Files(String),
    /// Nobody could use a link for less, and nobody should for more; or there are none.
    #[error("--file-links {0}")]
    FileLinks(String),
    /// Nobody could follow a feed that is kept for less, or for the rest of time.
    #[error("--feed-retention is a time from 1m to 3650d, not {0}")]
    FeedRetention(Duration),
    /// A number out of its range.
    #[error("--{flag} is a number from {min} to {max}")]
    Range {
        /// The flag, without its dashes.
        flag: &'static str,
        /// The least it may be.
        min: usize,
        /// The most it may be.
        max: usize,
    },
}

impl ServeArgs {
    /// Puts flags, environment, file and defaults together.
    ///
    /// # Errors
    /// [`ConfigError`] says which setting cannot be served, and what to do.
    pub(crate) fn config(self) -> Result<Config, ConfigError> {
        let file = match &self.config {
            Some(path) => read(path)?,
            None if Path::new(DEFAULT_FILE).exists() => read(Path::new(DEFAULT_FILE))?,
            None => ServeArgs::default(),
        };
        self.over(file).check()
    }

    /// These settings, and where they say nothing those of `file`.
    fn over(self, file: ServeArgs) -> ServeArgs {
        fn first(flags: Vec<String>, file: Vec<String>) -> Vec<String> {
            if flags.is_empty() { file } else { flags }
        }
        ServeArgs {
            config: self.config,
            data: self.data.or(file.data),
            listen: self.listen.or(file.listen),
            unprotected: self.unprotected.or(file.unprotected),
            kafka_listen: self.kafka_listen.or(file.kafka_listen),
            store: self.store.or(file.store),
            broker: self.broker.or(file.broker),
            public_url: self.public_url.or(file.public_url),
            hosts: first(self.hosts, file.hosts),
            allow_origins: first(self.allow_origins, file.allow_origins),
            webhook_allow: first(self.webhook_allow, file.webhook_allow),
            push_allow: first(self.push_allow, file.push_allow),
            feed_retention: self.feed_retention.or(file.feed_retention),
            max_payload: self.max_payload.or(file.max_payload),
            claim_check: self.claim_check.or(file.claim_check),
            max_file: self.max_file.or(file.max_file),
            files: self.files.or(file.files),
            file_links: self.file_links.or(file.file_links),
            max_connections: self.max_connections.or(file.max_connections),
            max_connections_per_address: self.max_connections_per_address.or(file.max_connections_per_address),
            log_format: self.log_format.or(file.log_format),
            log_level: self.log_level.or(file.log_level),
        }
    }

    /// These settings alone, with defaults for what they do not say.
    ///
    /// # Errors
    /// As [`ServeArgs::config`].
    pub(crate) fn check(self) -> Result<Config, ConfigError> {
        let not_yet = |flag, value: Option<String>, known: &str, instead| match value {
            Some(value) if value != known => Err(ConfigError::NotYet { flag, value, instead }),
            _ => Ok(()),
        };
        not_yet("kafka-listen", self.kafka_listen, "off", "leave it out")?;
        not_yet("store", self.store, "sqlite", "use sqlite, the embedded default")?;
        not_yet("broker", self.broker, "memory", "use memory, the embedded default")?;
        let listen = self.listen.unwrap_or(DEFAULT_LISTEN);
        if !listen.ip().is_loopback() && self.unprotected != Some(true) {
            return Err(ConfigError::Unprotected(listen));
        }
        let data = self.data.unwrap_or_else(|| PathBuf::from("ackd-data"));
        let max_payload = within("max-payload", self.max_payload.unwrap_or(1 << 20), 1, limits::BODY_BYTES)?;
        let files = files_place(self.files, &data)?;
        let max_connections = within("max-connections", self.max_connections.unwrap_or(16_384), 1, 1_000_000)?;
        let of_address = |most| within("max-connections-per-address", most, 1, max_connections);
        Ok(Config {
            claim_check: within("claim-check", self.claim_check.unwrap_or(max_payload), 0, max_payload)?,
            max_file: within("max-file", self.max_file.unwrap_or(16 << 30), 1, most_of_file())? as u64,
            file_links: file_links(self.file_links, &files)?,
            files,
            data,
            listen,
            public_url: self.public_url,
            hosts: self.hosts,
            allow_origins: self.allow_origins,
            webhook_allow: ranges("webhook-allow", &self.webhook_allow)?,
            push_allow: ranges("push-allow", &self.push_allow)?,
            feed_retention: feed_retention(self.feed_retention)?,
            max_payload,
            max_connections,
            max_connections_per_address: self.max_connections_per_address.map(of_address).transpose()?,
            log_format: self.log_format.unwrap_or_default(),
            log_level: self.log_level.unwrap_or_default(),
        })
    }
}

fn ranges(flag: &'static str, texts: &[String]) -> Result<Vec<Cidr>, ConfigError> {
    texts.iter().map(|range| range.parse().map_err(|error| ConfigError::Allow { flag, error })).collect()
}

fn feed_retention(named: Option<Duration>) -> Result<std::time::Duration, ConfigError> {
    let Some(named) = named else { return Ok(limits::DEFAULT_FEED_RETENTION) };
    let within = (limits::FEED_RETENTION_MIN..=limits::DURATION).contains(&named.get());
    if within { Ok(named.get()) } else { Err(ConfigError::FeedRetention(named)) }
}

fn files_place(named: Option<String>, data: &Path) -> Result<FilesPlace, ConfigError> {
    match named {
        None => Ok(FilesPlace::Folder(data.join("files"))),
        Some(url) if url.contains("://") => bucket(&url),
        Some(folder) if folder.is_empty() => Err(ConfigError::Files("names no directory".to_owned())),
        Some(folder) => Ok(FilesPlace::Folder(folder.into())),
    }
}

#[cfg(feature = "s3")]
fn bucket(url: &str) -> Result<FilesPlace, ConfigError> {
    url.parse().map(FilesPlace::S3).map_err(|error: ackd_files::OpenError| ConfigError::Files(error.to_string()))
}

#[cfg(not(feature = "s3"))]
fn bucket(url: &str) -> Result<FilesPlace, ConfigError> {
    Err(ConfigError::Files(format!(
        "{url}: this ackd was built without S3; build it with `--features s3`, or name a directory"
    )))
}

fn most_of_file() -> usize {
    usize::try_from(limits::FILE_BYTES).unwrap_or(usize::MAX)
}

fn file_links(named: Option<Duration>, files: &FilesPlace) -> Result<Option<std::time::Duration>, ConfigError> {
    let Some(valid_for) = named else { return Ok(None) };
    if matches!(files, FilesPlace::Folder(_)) {
        return Err(ConfigError::FileLinks("is for files on S3: a directory has no links of its own".to_owned()));
    }
    let (least, most) = (std::time::Duration::from_secs(1), std::time::Duration::from_hours(1));
    if (least..=most).contains(&valid_for.get()) {
        return Ok(Some(valid_for.get()));
    }
    Err(ConfigError::FileLinks(format!("is a time from 1s to 1h, not {valid_for}")))
}

fn within(flag: &'static str, value: usize, min: usize, max: usize) -> Result<usize, ConfigError> {
    if (min..=max).contains(&value) { Ok(value) } else { Err(ConfigError::Range { flag, min, max }) }
}

fn read(path: &Path) -> Result<ServeArgs, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|error| ConfigError::File(path.to_owned(), error.to_string()))?;
    toml::from_str(&text).map_err(|error| ConfigError::Syntax(path.to_owned(), error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> ServeArgs {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn a_flag_goes_before_the_file_and_the_file_before_the_default() {
        let flags = ServeArgs { data: Some("flag".into()), hosts: vec!["a".into()], ..ServeArgs::default() };
        let from_file = file("data = 'file'\nhost = ['b']\nmax-payload = 5\nlog-format = 'json'");
        let config = flags.over(from_file).check().unwrap();
        assert_eq!(config.data, PathBuf::from("flag"));
        assert_eq!(config.hosts, ["a"]);
        assert_eq!(config.max_payload, 5);
        assert_eq!(config.log_format, LogFormat::Json);
        assert_eq!(config.listen, DEFAULT_LISTEN);
        assert_eq!(config.max_connections, 16_384);
    }

    #[test]
    fn an_unknown_key_of_the_file_is_refused() {
        assert!(toml::from_str::<ServeArgs>("dta = 'x'").unwrap_err().to_string().contains("dta"));
    }

    #[test]
    fn what_is_not_supported_yet_is_refused() {
        for (text, flag) in [
            ("kafka-listen = '127.0.0.1:9202'", "kafka-listen"),
            ("store = 'postgres://db'", "store"),
            ("broker = 'kafka://k'", "broker"),
        ] {
            match file(text).check() {
                Err(ConfigError::NotYet { flag: refused, .. }) => assert_eq!(refused, flag),
                other => panic!("{text}: {other:?}"),
            }
        }
        for text in ["kafka-listen = 'off'", "store = 'sqlite'", "broker = 'memory'"] {
            assert!(file(text).check().is_ok(), "{text}");
        }
    }

    #[test]
    fn the_feed_is_kept_for_a_time_within_limits() {
        let kept = |text: &str| file(text).check().map(|config| config.feed_retention);
        assert_eq!(kept(""), Ok(limits::DEFAULT_FEED_RETENTION));
        for (text, retention) in [("1m", limits::FEED_RETENTION_MIN), ("3650d", limits::DURATION)] {
            assert_eq!(kept(&format!("feed-retention = '{text}'")), Ok(retention));
        }
        for text in ["59s999ms", "0s"] {
            let refused = kept(&format!("feed-retention = '{text}'"));
            assert!(matches!(refused, Err(ConfigError::FeedRetention(_))), "{text}: {refused:?}");
        }
        for text in ["3650d1ms", "soon"] {
            assert!(toml::from_str::<ServeArgs>(&format!("feed-retention = '{text}'")).is_err(), "{text}");
        }
    }

    #[test]
    fn beyond_loopback_only_when_it_is_said_to_be_unprotected() {
        for listen in ["0.0.0.0:8202", "[::]:8202", "192.168.0.1:80"] {
            let text = format!("listen = '{listen}'");
            assert_eq!(file(&text).check().unwrap_err(), ConfigError::Unprotected(listen.parse().unwrap()));
            assert!(file(&format!("{text}\nunprotected = true")).check().is_ok());
        }
        for listen in ["127.0.0.1:0", "127.8.0.1:1", "[::1]:8202"] {
            assert!(file(&format!("listen = '{listen}'")).check().is_ok(), "{listen}");
        }
    }

    #[test]
    fn webhooks_and_pushes_may_go_where_their_ranges_say_and_wrong_ranges_are_refused() {
        let nowhere = file("").check().unwrap();
        assert_eq!((nowhere.webhook_allow, nowhere.push_allow), (vec![], vec![]));
        let texts = |ranges: &[Cidr]| ranges.iter().map(Cidr::to_string).collect::<Vec<_>>();
        for flag in ["webhook-allow", "push-allow"] {
            let config = file(&format!("{flag} = ['127.0.0.0/8', 'fd00::/8', '192.0.2.7']")).check().unwrap();
            let (allowed, other) = match flag {
                "push-allow" => (config.push_allow, config.webhook_allow),
                _ => (config.webhook_allow, config.push_allow),
            };
            assert_eq!(
                (texts(&allowed), other),
                (vec!["127.0.0.0/8".into(), "fd00::/8".into(), "192.0.2.7/32".into()], vec![])
            );
            for wrong in ["10.0.0.0/33", "10.0.0.1/8", "private", ""] {
                let error = file(&format!("{flag} = ['::1', '{wrong}']")).check().unwrap_err();
                assert!(error.to_string().starts_with(&format!("--{flag} ")), "{error}");
            }
        }
    }

    #[test]
    fn files_are_kept_in_the_data_directory_or_where_it_is_said() {
        let place = |text: &str| file(text).check().map(|config| config.files);
        assert_eq!(place(""), Ok(FilesPlace::Folder("ackd-data/files".into())));
        assert_eq!(place("data = 'd'"), Ok(FilesPlace::Folder("d/files".into())));
        assert_eq!(place("files = '/srv/files'"), Ok(FilesPlace::Folder("/srv/files".into())));
        for wrong in ["files = ''", "files = 'https://x/y'", "files = 's3://'"] {
            assert!(matches!(place(wrong), Err(ConfigError::Files(_))), "{wrong}");
        }
        // A directory has no links.
        assert!(matches!(place("file-links = '5m'"), Err(ConfigError::FileLinks(_))));
    }

    #[cfg(feature = "s3")]
    #[test]
    fn links_are_good_for_an_hour_at_most() {
        let links = |text: &str| file(&format!("files = 's3://bucket/a'\nfile-links = '{text}'")).check();
        for good in ["1s", "1h"] {
            assert!(links(good).is_ok_and(|config| config.file_links.is_some()), "{good}");
        }
        for wrong in ["999ms", "1h1ms"] {
            assert!(matches!(links(wrong), Err(ConfigError::FileLinks(_))), "{wrong}");
        }
    }

    #[test]
    fn what_is_larger_than_the_claim_check_is_a_file() {
        let checked = |text: &str| file(text).check().map(|config| (config.max_payload, config.claim_check));
        assert_eq!(checked(""), Ok((1 << 20, 1 << 20)));
        assert_eq!(checked("max-payload = 5"), Ok((5, 5)));
        assert_eq!(checked("max-payload = 5\nclaim-check = 0"), Ok((5, 0)));
        assert!(matches!(checked("max-payload = 5\nclaim-check = 6"), Err(ConfigError::Range { .. })));
    }

    #[test]
    fn numbers_are_checked_at_their_edges() {
        let most = limits::BODY_BYTES;
        assert!(file(&format!("max-payload = {most}")).check().is_ok());
        let of_address = file("max-connections = 5\nmax-connections-per-address = 5").check();
        assert_eq!(of_address.map(|config| config.max_connections_per_address), Ok(Some(5)));
        assert!(file(&format!("max-file = {}", limits::FILE_BYTES)).check().is_ok());
        for text in [
            format!("max-payload = {}", most + 1),
            "max-payload = 0".to_owned(),
            format!("max-file = {}", limits::FILE_BYTES + 1),
            "max-file = 0".to_owned(),
            "max-connections = 0".to_owned(),
            "max-connections-per-address = 0".to_owned(),
            "max-connections = 5\nmax-connections-per-address = 6".to_owned(),
        ] {
            assert!(matches!(file(&text).check(), Err(ConfigError::Range { .. })), "{text}");
        }
    }
}
