use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ackd_checker::{Checker, Event, HistoryError, Names, Record, Report, Snapshot, write_line};
use tokio::sync::watch;

/// What the clients write down. A clone is the same.
#[derive(Debug, Clone)]
pub(crate) struct History(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    started: Instant,
    written: Mutex<Written>,
    /// How many records there are.
    grown: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct Written {
    names: Names,
    records: Vec<Record<u64>>,
    serial: u64,
    jobs: BTreeMap<String, Known>,
    /// Their ids in the order in which they became known.
    ids: Vec<String>,
    /// Answers that there should not be, whatever fails.
    odd: Vec<String>,
    followers: BTreeSet<String>,
}

/// What is known of a job.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Known {
    pub(crate) acknowledged: bool,
    pub(crate) ended: bool,
    /// A webhook is to be told of its end.
    pub(crate) callback: bool,
    /// It was, or cannot be.
    pub(crate) told: bool,
    /// Somebody was told that it is not there.
    pub(crate) missing: bool,
}

impl History {
    pub(crate) fn new() -> History {
        let grown = watch::Sender::new(0);
        History(Arc::new(Inner { started: Instant::now(), written: Mutex::default(), grown }))
    }

    /// The time as the history tells it, in microseconds.
    pub(crate) fn now(&self) -> u64 {
        micros(self.0.started.elapsed())
    }

    pub(crate) fn add(&self, is: Event<String>) {
        let mut written = self.written();
        // Under the lock, so that records are in the order of their times.
        let at = self.now();
        written.note(&is);
        let Written { names, records, .. } = &mut *written;
        records.push(Record { at, is }.map(&mut |id: String| names.number(&id)));
        let length = records.len();
        drop(written);
        self.0.grown.send_replace(length);
    }

    /// Waits for so many further records.
    pub(crate) async fn grow(&self, by: usize) {
        let mut grown = self.0.grown.subscribe();
        let until = *grown.borrow() + by;
        // The sender is ours.
        let _ = grown.wait_for(|length| *length >= until).await;
    }

    /// The name of a new request.
    pub(crate) fn request(&self) -> String {
        format!("request-{}", self.serial())
    }

    /// A number that nobody else has.
    pub(crate) fn serial(&self) -> u64 {
        let mut written = self.written();
        written.serial += 1;
        written.serial
    }

    /// A webhook is to be told of the end of this job.
    pub(crate) fn call_back(&self, id: &str) {
        self.written().know(id).callback = true;
    }

    /// There was an answer that there should not be.
    pub(crate) fn odd(&self, what: impl Into<String>) {
        self.written().odd.push(what.into());
    }

    pub(crate) fn odds(&self) -> Vec<String> {
        self.written().odd.clone()
    }

    /// Those who follow.
    pub(crate) fn followers(&self) -> Vec<String> {
        self.written().followers.iter().cloned().collect()
    }

    /// The jobs that anybody knows.
    pub(crate) fn jobs(&self) -> Vec<(String, Known)> {
        self.written().jobs.iter().map(|(id, known)| (id.clone(), *known)).collect()
    }

    /// The id of the job that became known as the `at`th, counted around.
    pub(crate) fn job(&self, at: u64) -> Option<String> {
        let written = self.written();
        let count = written.ids.len() as u64;
        let at = usize::try_from(at.checked_rem(count)?).ok()?;
        written.ids.get(at).cloned()
    }

    pub(crate) fn knows(&self, id: &str) -> bool {
        self.written().jobs.contains_key(id)
    }

    /// What the checker says.
    pub(crate) fn check(&self) -> Result<Report, HistoryError> {
        let mut checker = Checker::new();
        self.written().records.iter().try_for_each(|record| checker.take(record))?;
        Ok(checker.finish())
    }

    /// Writes it to a file, as `ackd-checker` reads it.
    pub(crate) fn keep(&self, path: &Path) -> io::Result<()> {
        let written = self.written();
        let texts = written.names.texts();
        let name = |id| text(&texts, id);
        let mut file = BufWriter::new(File::create(path)?);
        for record in &written.records {
            writeln!(file, "{}", write_line(record, name))?;
        }
        file.flush()
    }

    /// The records at these places, as lines.
    pub(crate) fn lines(&self, places: &[u64]) -> Vec<String> {
        let written = self.written();
        let texts = written.names.texts();
        let name = |id| text(&texts, id);
        let records = places.iter().filter_map(|at| written.records.get(usize::try_from(*at).ok()?));
        records.map(|record| write_line(record, name)).collect()
    }

    fn written(&self) -> MutexGuard<'_, Written> {
        self.0.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Written {
    fn know(&mut self, id: &str) -> &mut Known {
        if !self.jobs.contains_key(id) {
            self.ids.push(id.to_owned());
        }
        self.jobs.entry(id.to_owned()).or_default()
    }

    fn note(&mut self, is: &Event<String>) {
        match is {
            Event::Accepted { jobs, .. } => jobs.iter().for_each(|job| self.know(job).acknowledged = true),
            Event::Granted { job, .. } | Event::Read { job, .. } | Event::Seen { job, .. } => self.told(job),
            Event::Delivered { job, answer, .. } => {
                self.told(job);
                self.know(&job.job).told |= (200..300).contains(answer);
            }
            Event::DeadDelivery { job, .. } => self.know(job).told = true,
            Event::Missing { job, .. } => self.know(job).missing = true,
            Event::Follows { subscriber, .. } => drop(self.followers.insert(subscriber.clone())),
            _ => {}
        }
    }

    fn told(&mut self, job: &Snapshot<String>) {
        let ended = job.status.is_terminal();
        self.know(&job.job).ended |= ended;
    }
}

fn text(texts: &[&str], id: u64) -> String {
    let text = usize::try_from(id).ok().and_then(|id| texts.get(id)).copied();
    text.unwrap_or_default().to_owned()
}

pub(crate) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
