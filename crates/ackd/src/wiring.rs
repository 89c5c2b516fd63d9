//! Every part being joined: the one place that knows them all.

use std::path::PathBuf;
use std::sync::Arc;

use ackd_embedded::{EmbeddedStore, OpenError, Options};
use ackd_engine::dispatch::WindowLimits;
use ackd_engine::{
    BulkWorker, Deliverer, Engine, FileKeeper, Files, MailboxLimits, Parts, PushOptions, Pusher, StartError,
};
use ackd_http::{App, Outbounds, WebhookRenderer, lease_text};
use ackd_outbound::{Allow, Cidr, HttpOutbound};
use ackd_ports::{Entropy, Outbound, SystemClock, SystemEntropy};

use crate::config::Config;
use crate::file_store::{self, FileStoreError};

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WiringError {
    /// The store cannot be opened.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// The engine cannot start on what the store holds.
    #[error("{0:?}: {1}")]
    Engine(PathBuf, StartError),
    /// There is nowhere to keep files.
    #[error(transparent)]
    Files(#[from] FileStoreError),
    /// A setting of the API cannot be meant.
    #[error(transparent)]
    Api(#[from] ackd_http::ConfigError),
    /// The operating system gives no randomness.
    #[error("no randomness is to be had: {0}")]
    Entropy(std::io::Error),
}

/// The parts that the server's life is made of.
pub(crate) struct Wired {
    /// The API.
    pub(crate) app: App,
    files: Files,
    outbounds: Outbounds,
    renderer: WebhookRenderer,
    pushing: PushOptions,
}

impl Wired {
    /// Starts to work off bulk jobs, on the runtime of the caller.
    pub(crate) fn bulk(&self) -> BulkWorker {
        BulkWorker::start(self.app.engine().clone())
    }

    /// Starts to send webhooks, on the runtime of the caller.
    pub(crate) fn deliver(&self) -> Deliverer {
        let engine = self.app.engine().clone();
        Deliverer::start(engine, Arc::clone(&self.outbounds.webhooks), Arc::new(self.renderer.clone()))
    }

    /// Starts to post the jobs of queues that are pushed, on the runtime of the caller.
    pub(crate) fn push(&self) -> Pusher {
        Pusher::start(self.app.engine().clone(), self.files.clone(), Arc::clone(&self.outbounds.pushes), self.pushing)
    }

    /// Starts to delete the files that nobody needs, on the runtime of the caller.
    pub(crate) fn keep_files(&self) -> FileKeeper {
        FileKeeper::start(self.files.clone())
    }
}

/// Joins the embedded store, the engine, the store of files, the API, and what sends webhooks and pushes jobs as `config` says.
///
/// # Errors
/// [`WiringError`] says which part does not start, and why.
pub(crate) fn wire(config: &Config) -> Result<Wired, WiringError> {
    let mut entropy = SystemEntropy::new().map_err(WiringError::Entropy)?;
    let (mut names, seed) = (SystemEntropy::new().map_err(WiringError::Entropy)?, entropy.random());
    let store = EmbeddedStore::open(&config.data, &Options::default(), Box::new(entropy))?;
    let engine = Engine::start(Parts {
        ledger: Box::new(store.ledger),
        reader: store.reader.clone(),
        feed: store.reader,
        clock: Arc::new(SystemClock::start()),
        mailbox: MailboxLimits::default(),
        window: WindowLimits::default(),
        feed_retention: config.feed_retention,
    })
    .map_err(|error| WiringError::Engine(config.data.clone(), error))?;
    let files = Files::new(engine.clone(), file_store::open(&config.files, &config.data, &mut names)?, seed);
    let api = ackd_http::Config {
        public_url: config.public_url.clone(),
        hosts: config.hosts.clone(),
        origins: config.allow_origins.clone(),
        limits: ackd_http::Limits {
            payload: config.max_payload,
            claim_check: config.claim_check,
            file: config.max_file,
            connections: config.max_connections,
            connections_per_address: config.max_connections_per_address.unwrap_or(usize::MAX),
            ..ackd_http::Limits::default()
        },
        file_links: config.file_links,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    // Each with connections of its own: what one may connect to is not for the other.
    let outbound = |allow: &[Cidr], allow_flag| -> Arc<dyn Outbound> {
        let allow = Allow::new(allow.to_vec());
        Arc::new(HttpOutbound::new(ackd_outbound::Options { allow, allow_flag, ..ackd_outbound::Options::default() }))
    };
    let outbounds = Outbounds {
        webhooks: outbound(&config.webhook_allow, "--webhook-allow"),
        pushes: outbound(&config.push_allow, "--push-allow"),
    };
    let app = App::new(engine, files.clone(), outbounds.clone(), api)?;
    let pushing = PushOptions { lease: lease_text, result: config.max_payload };
    Ok(Wired { app, files, outbounds, renderer: WebhookRenderer::new(config.public_url.as_deref()), pushing })
}
