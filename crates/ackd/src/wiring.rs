//! Every part being joined: the one place that knows them all.

use std::path::PathBuf;
use std::sync::Arc;

use ackd_embedded::{EmbeddedStore, OpenError, Options};
use ackd_engine::dispatch::WindowLimits;
use ackd_engine::{Engine, MailboxLimits, Parts, StartError};
use ackd_http::App;
use ackd_ports::{SystemClock, SystemEntropy};

use crate::config::Config;

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WiringError {
    /// The store cannot be opened.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// The engine cannot start on what the store holds.
    #[error("{0:?}: {1}")]
    Engine(PathBuf, StartError),
    /// A setting of the API cannot be meant.
    #[error(transparent)]
    Api(#[from] ackd_http::ConfigError),
    /// The operating system gives no randomness.
    #[error("no randomness is to be had: {0}")]
    Entropy(std::io::Error),
}

/// Joins the embedded store, the engine and the API as `config` says.
///
/// # Errors
/// [`WiringError`] says which part does not start, and why.
pub(crate) fn wire(config: &Config) -> Result<App, WiringError> {
    let entropy = SystemEntropy::new().map_err(WiringError::Entropy)?;
    let store = EmbeddedStore::open(&config.data, &Options::default(), Box::new(entropy))?;
    let engine = Engine::start(Parts {
        ledger: Box::new(store.ledger),
        reader: store.reader.clone(),
        feed: store.reader,
        clock: Arc::new(SystemClock::start()),
        mailbox: MailboxLimits::default(),
        window: WindowLimits::default(),
    })
    .map_err(|error| WiringError::Engine(config.data.clone(), error))?;
    let api = ackd_http::Config {
        public_url: config.public_url.clone(),
        hosts: config.hosts.clone(),
        origins: config.allow_origins.clone(),
        limits: ackd_http::Limits {
            payload: config.max_payload,
            connections: config.max_connections,
            ..ackd_http::Limits::default()
        },
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    Ok(App::new(engine, api)?)
}
