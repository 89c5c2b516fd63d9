//! Leases on their way to a worker.

use std::sync::Arc;
use std::time::Duration;

use ackd_domain::{Body, Job, LeaseToken, Name};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::core::token;
use crate::engine::Engine;
use crate::files::FilesError;
use crate::inputs::JobInput;

/// What a worker asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkRequest {
    /// Jobs of these queues, at most [`ackd_domain::limits::LEASE_QUEUES`].
    pub queues: Vec<Name>,
    /// Only of these types; of any where it is empty.
    pub kinds: Vec<Arc<str>>,
    /// At most so many, 1 to [`ackd_domain::limits::LEASES`].
    pub max: usize,
    /// How long to wait for the first.
    pub wait: Duration,
    /// The worker's name.
    pub worker: Option<Arc<str>>,
    /// How long each lease is to last without a heartbeat; the queue's own time where it is `None`.
    pub ttl: Option<Duration>,
    /// The largest payload in bytes that is to come with the lease: a thousand large ones must not stand in
    /// memory at once.
    pub inline: u64,
}

/// A job that the core leased, on its way out.
#[derive(Debug)]
pub struct Assigned {
    /// The job; its lease is live.
    pub job: Arc<Job>,
    /// Its payload, where it was at hand.
    pub payload: Option<Body>,
    /// Those of the jobs that it comes after, once they were read.
    pub inputs: Vec<JobInput>,
}

/// A leased job, with all that its worker needs.
#[derive(Debug, Clone)]
pub struct Granted {
    /// The job as of the lease.
    pub job: Arc<Job>,
    /// Its payload, unless it is larger than was asked for.
    pub payload: Option<Body>,
    /// The results of the jobs that it comes after.
    pub inputs: Vec<JobInput>,
    /// What the worker shows to prove the lease.
    pub token: LeaseToken,
    /// How long the lease lasts without a heartbeat; no longer than the attempt may take.
    pub ttl: Duration,
}

/// Leases that were granted and have not reached their worker yet.
///
/// Whatever is dropped without [`Grants::delivered`] is released, and the attempt not counted: an answer
/// that could not be written must not cost the job an attempt, nor let it wait for the lease to lapse.
#[derive(Debug)]
pub struct Grants {
    engine: Engine,
    grants: Vec<Granted>,
    delivered: bool,
    /// What lets them last meanwhile, where they are long on their way, and since when.
    lasting: Option<(AbortHandle, Instant)>,
}

/// So often at least is a heartbeat sent while a lease lasts.
const BEATS: u32 = 3;

/// Leases that were no longer on their way than this lack nothing worth a heartbeat: none is shorter than a second.
const SOON: Duration = Duration::from_millis(100);

impl Grants {
    pub(crate) fn new(engine: Engine, grants: Vec<Granted>) -> Grants {
        Grants { engine, grants, delivered: false, lasting: None }
    }

    /// The leases.
    #[must_use]
    pub fn leases(&self) -> &[Granted] {
        &self.grants
    }

    /// They will be long on their way: they last meanwhile, by heartbeats in place of the worker's, as long as
    /// `is_on_its_way` says so whenever it is asked; and once they are delivered, for their whole time from then on. What an
    /// attempt may take in all is not longer for that.
    pub fn last_while(&mut self, mut is_on_its_way: impl FnMut() -> bool + Send + 'static) {
        let Some(ttl) = self.grants.iter().map(|granted| granted.ttl).min() else { return };
        let tokens: Vec<LeaseToken> = self.grants.iter().map(|granted| granted.token).collect();
        let (engine, interval) = (self.engine.clone(), ttl / BEATS);
        let lasting = tokio::spawn(async move {
            loop {
                tokio::time::sleep(interval).await;
                if is_on_its_way() {
                    engine.beat_undelivered(tokens.iter().copied());
                }
            }
        });
        self.lasting = Some((lasting.abort_handle(), Instant::now()));
    }

    /// They have reached the worker.
    pub fn delivered(&mut self) {
        self.delivered = true;
        if let Some((lasting, since)) = self.lasting.take() {
            lasting.abort();
            if since.elapsed() > SOON {
                self.engine.beat_undelivered(self.grants.iter().map(|granted| granted.token));
            }
        }
    }

    /// The file that is the payload cannot be read, which is none of the worker's doing. Where it is damaged the job fails for
    /// good: it would be handed out again and again. Where it is missing the attempt fails, and where the store does not answer
    /// the job rests for a while.
    pub fn unreadable(mut self, error: &FilesError) {
        self.delivered = true;
        self.grants.iter().for_each(|granted| self.engine.unreadable_file(granted.token, error));
    }
}

impl Drop for Grants {
    fn drop(&mut self) {
        if let Some((lasting, _)) = self.lasting.take() {
            lasting.abort();
        }
        if !self.delivered && !self.grants.is_empty() {
            self.engine.release_undelivered(self.grants.iter().map(|granted| granted.token).collect());
        }
    }
}

/// Leases whose payloads are still being read. Dropped before that, they are released like [`Grants`].
pub(crate) struct Unpacked<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) assigned: Vec<Assigned>,
}

impl Drop for Unpacked<'_> {
    fn drop(&mut self) {
        if !self.assigned.is_empty() {
            self.engine.release_undelivered(self.assigned.iter().filter_map(|it| token(&it.job)).collect());
        }
    }
}
