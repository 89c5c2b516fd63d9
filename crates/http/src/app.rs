use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ackd_api::{Code, Problem, Time};
use ackd_domain::Timestamp;
use ackd_engine::{Engine, Files};
use bytes::Bytes;
use http::HeaderValue;
use http::header::HeaderMap;

use crate::browser::{Hosts, Origin, Origins};
use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::problem::Rejection;
use crate::stream::Spread;
use crate::targets::{Outbounds, Targets};

/// What an [`App`] is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The address that clients use, where it is another than the one listened on (`--public-url`): problems name it,
    /// its host is answered for, and its pages may call.
    pub public_url: Option<String>,
    /// Further names that are answered for in `Host` (`--host`); with a port it must match too.
    pub hosts: Vec<String>,
    /// Further origins whose pages may call (`--allow-origin`), as `https://app.example`.
    pub origins: Vec<String>,
    /// How much a client may ask.
    pub limits: Limits,
    /// Where the store of files has links of its own, a download is sent there, by one that is good for so long.
    pub file_links: Option<Duration>,
    /// The server's version, shown by `/healthz` and `/openapi.json`.
    pub version: String,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            public_url: None,
            hosts: Vec::new(),
            origins: Vec::new(),
            limits: Limits::default(),
            file_links: None,
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}

/// Why a [`Config`] cannot be meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The public URL is none.
    #[error("`{0}` is no public URL: it is http:// or https:// and a host, as in https://ackd.example")]
    PublicUrl(String),
    /// A host is none.
    #[error("`{0}` is no host: it is a name or an address, with or without a port")]
    Host(String),
    /// An origin is none.
    #[error("`{0}` is no origin: it is http:// or https://, a host and no path, as in https://app.example")]
    Origin(String),
    /// The payload limit is more than the ledger takes.
    #[error("a payload of {0} bytes cannot be allowed: at most {max} can", max = ackd_domain::limits::BODY_BYTES)]
    Payload(usize),
}

/// The API over an engine. Cloning it is cheap.
#[derive(Debug, Clone)]
pub struct App {
    pub(crate) shared: Arc<Shared>,
}

/// What every request of every connection sees.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) engine: Engine,
    pub(crate) files: Files,
    pub(crate) file_links: Option<Duration>,
    pub(crate) targets: Targets,
    pub(crate) limits: Limits,
    pub(crate) metrics: Metrics,
    pub(crate) version: String,
    pub(crate) started_at: Time,
    /// Without a slash at its end.
    pub(crate) public_url: Option<String>,
    pub(crate) hosts: Hosts,
    pub(crate) origins: Origins,
    /// The OpenAPI document, once somebody asked for it.
    pub(crate) openapi: OnceLock<Bytes>,
    /// The bytes of bodies that are being received.
    receiving: AtomicUsize,
    /// The subscriptions of all sockets.
    subscriptions: AtomicUsize,
    /// So that streams that began together do not all end together.
    pub(crate) spread: Spread,
}

impl App {
    /// The API over `engine` and its `files`, as `config` says. What is to be posted somewhere must pass the checks of who
    /// of `outbounds` would post it.
    ///
    /// # Errors
    /// [`ConfigError`] names the value that cannot be meant.
    pub fn new(engine: Engine, files: Files, outbounds: Outbounds, config: Config) -> Result<App, ConfigError> {
        let Config { public_url, hosts, origins, mut limits, file_links, version } = config;
        limits.claim_check = limits.claim_check.min(limits.payload);
        if limits.payload > ackd_domain::limits::BODY_BYTES {
            return Err(ConfigError::Payload(limits.payload));
        }
        let public_url = public_url.map(|url| url.trim_end_matches('/').to_owned());
        let public = match &public_url {
            Some(url) => Some(Origin::of_url(url).ok_or_else(|| ConfigError::PublicUrl(url.clone()))?),
            None => None,
        };
        let mut known_hosts = Hosts::default();
        for host in hosts {
            if !known_hosts.add(&host) {
                return Err(ConfigError::Host(host));
            }
        }
        let mut known_origins = Origins::default();
        for origin in origins {
            match Origin::parse(&origin) {
                Some(parsed) => known_origins.add(parsed),
                None => return Err(ConfigError::Origin(origin)),
            }
        }
        if let Some(public) = public {
            // Whoever comes by the public URL through a proxy that keeps `Host` asks for this very server.
            known_hosts.add(public.host());
            known_origins.add(public);
        }
        let started_at = time(engine.clock().wall());
        Ok(App {
            shared: Arc::new(Shared {
                engine,
                files,
                file_links,
                targets: Targets::new(outbounds),
                limits,
                metrics: Metrics::new(),
                version,
                started_at,
                public_url,
                hosts: known_hosts,
                origins: known_origins,
                openapi: OnceLock::new(),
                receiving: AtomicUsize::new(0),
                subscriptions: AtomicUsize::new(0),
                spread: Spread::default(),
            }),
        })
    }

    /// The engine behind it.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.shared.engine
    }
}

impl Shared {
    /// Whether this request comes from a page that may call. Gives the origin to answer with, if it names one.
    pub(crate) fn admit(
        &self,
        authority: Option<&http::uri::Authority>,
        version: http::Version,
        headers: &HeaderMap,
    ) -> Result<Option<HeaderValue>, Rejection> {
        let host = self.hosts.admit(authority, version, headers)?;
        self.origins.admit(host, headers)
    }

    /// `problem` with the address that its kind has on this server, for one that stands in a line of an answer.
    pub(crate) fn addressed(&self, problem: Problem) -> Problem {
        match &self.public_url {
            Some(url) => problem.with_base(url),
            None => problem,
        }
    }

    /// A share of the subscriptions of all sockets, until the [`Subscribed`] is dropped.
    pub(crate) fn subscribe(self: &Arc<Shared>) -> Result<Subscribed, Problem> {
        // It is counted first, so that whatever becomes of it is counted off.
        let before = self.subscriptions.fetch_add(1, Ordering::Relaxed);
        let subscribed = Subscribed(Arc::clone(self));
        let most = self.limits.subscriptions;
        if before >= most { Err(crate::socket::too_many(most)) } else { Ok(subscribed) }
    }

    /// Room for `bytes` of a body, until the [`Room`] is dropped.
    pub(crate) fn room(self: &Arc<Shared>, bytes: usize) -> Result<Room, Rejection> {
        let mut room = Room { shared: Arc::clone(self), bytes: 0 };
        room.grow(bytes).map(|()| room)
    }
}

/// One of the subscriptions of all sockets.
#[derive(Debug)]
pub(crate) struct Subscribed(Arc<Shared>);

impl Drop for Subscribed {
    fn drop(&mut self) {
        self.0.subscriptions.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A share of what all bodies that are being received may take together.
#[derive(Debug)]
pub(crate) struct Room {
    shared: Arc<Shared>,
    bytes: usize,
}

impl Room {
    /// Takes as many bytes more as make it `bytes`.
    pub(crate) fn grow_to(&mut self, bytes: usize) -> Result<(), Rejection> {
        self.grow(bytes.saturating_sub(self.bytes))
    }

    /// Takes so many bytes more.
    pub(crate) fn grow(&mut self, bytes: usize) -> Result<(), Rejection> {
        let before = self.shared.receiving.fetch_add(bytes, Ordering::Relaxed);
        self.bytes += bytes;
        if before + bytes > self.shared.limits.bodies {
            return Err(Rejection::new(
                Code::Overloaded,
                "too many large bodies are being received at once; send this one again later",
            ));
        }
        Ok(())
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.shared.receiving.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// The API's form of a time.
pub(crate) const fn time(at: Timestamp) -> Time {
    Time(at.millis())
}
