//! The embedded ledger by itself: the same SQLite writes without HTTP, engine or client.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use ackd_domain::{Answer, Body, Command, JSON, LeaseToken, Name, Submission, Timestamp};
use ackd_embedded::{EmbeddedStore, Options};
use ackd_ports::{Applied, Idle, Ledger, SystemEntropy};
use bytes::Bytes;

use crate::jobs::{self, FreshKeys};

/// A store of its own, with the requests that a run makes of it.
struct Alone {
    store: EmbeddedStore,
    submission: Submission,
    result: Body,
    keys: FreshKeys,
    started: Instant,
}

impl Alone {
    fn open(dir: &Path) -> io::Result<Alone> {
        let entropy = Box::new(SystemEntropy::new()?);
        let store = EmbeddedStore::open(dir, &Options::default(), entropy).map_err(io::Error::other)?;
        let body = |text: String| Body { content_type: JSON.into(), bytes: Bytes::from(text) };
        let queue = Name::new("bench").map_err(io::Error::other)?;
        Ok(Alone {
            store,
            submission: Submission::new(queue, body(jobs::payload())),
            result: body(jobs::result()),
            keys: FreshKeys::new(),
            started: Instant::now(),
        })
    }

    fn apply(&mut self, commands: Vec<Command>) -> io::Result<Applied> {
        let millis = i64::try_from(self.started.elapsed().as_millis()).unwrap_or(i64::MAX);
        let now = Timestamp::from_millis(1_700_000_000_000 + millis);
        self.store.ledger.apply(commands, now, &mut Idle).map_err(io::Error::other)
    }

    fn submit(&mut self, many: usize, keyed: bool) -> io::Result<Vec<u64>> {
        let one = || match keyed {
            true => self.submission.clone().keyed(String::from_utf8_lossy(&self.keys.next()).into()),
            false => self.submission.clone(),
        };
        let commands = std::iter::repeat_with(one).take(many).map(|one| Command::Submit(vec![one])).collect();
        let applied = self.apply(commands)?;
        let numbers = applied.changes.iter().map(|change| change.job.id.number()).collect();
        Ok(numbers)
    }

    fn work(&mut self, numbers: &[u64]) -> io::Result<()> {
        let lease = |number: &u64| Command::Lease { number: *number, worker: Some("bench".into()), ttl: None };
        let leased = self.apply(numbers.iter().map(lease).collect())?;
        let tokens: Vec<LeaseToken> = leased
            .answers
            .iter()
            .filter_map(|answer| match answer {
                Ok(Answer::Job(job)) => job.lease.as_ref().map(|lease| lease.token(job.id.number())),
                _ => None,
            })
            .collect();
        let complete = |lease: LeaseToken| Command::Complete { lease, result: Some(self.result.clone()) };
        let commands: Vec<Command> = tokens.into_iter().map(complete).collect();
        self.apply(commands)?;
        Ok(())
    }
}

/// Accepts a second, `batch` of them a commit.
pub(crate) fn accepts(dir: &Path, batch: usize, time: Duration, keyed: bool) -> io::Result<f64> {
    let data = tempfile::tempdir_in(dir)?;
    let mut alone = Alone::open(data.path())?;
    let mut count = 0;
    let started = Instant::now();
    while started.elapsed() < time {
        count += alone.submit(batch, keyed)?.len();
    }
    Ok(count as f64 / started.elapsed().as_secs_f64())
}

/// Jobs a second through submit, lease and complete, `batch` of them a commit.
pub(crate) fn lifecycles(dir: &Path, batch: usize, time: Duration) -> io::Result<f64> {
    let data = tempfile::tempdir_in(dir)?;
    let mut alone = Alone::open(data.path())?;
    let mut count = 0;
    let started = Instant::now();
    while started.elapsed() < time {
        let numbers = alone.submit(batch, false)?;
        alone.work(&numbers)?;
        count += numbers.len();
    }
    Ok(count as f64 / started.elapsed().as_secs_f64())
}

/// Jobs a second of a backlog through lease and complete, `batch` of them a commit.
pub(crate) fn drains(dir: &Path, batch: usize, time: Duration) -> io::Result<f64> {
    let data = tempfile::tempdir_in(dir)?;
    let mut alone = Alone::open(data.path())?;
    let mut waiting = Vec::new();
    let (mut count, mut took) = (0, Duration::ZERO);
    while took < time {
        // So many commits of accepts at a time that none of what is leased has just been written.
        while waiting.len() < 50 * batch {
            waiting.extend(alone.submit(batch, false)?);
        }
        let started = Instant::now();
        for numbers in waiting.drain(..25 * batch).as_slice().chunks(batch) {
            alone.work(numbers)?;
            count += numbers.len();
        }
        took += started.elapsed();
    }
    Ok(count as f64 / took.as_secs_f64())
}
