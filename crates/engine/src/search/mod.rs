//! Finding jobs by what their payloads say, beside all else by which lists are narrowed.

mod field;
mod number;

use std::sync::Arc;

use ackd_domain::{Job, is_json};
use ackd_ports::{Filter, LedgerReader, Page, ReadError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub use field::{Field, FieldError};

/// The most jobs of which one page of a search reads the payloads.
const JOBS: usize = 1000;

/// The most bytes of payloads that one page of a search reads, but for a single payload that is larger.
const BYTES: u64 = 16 << 20;

/// How many jobs are looked at, having passed the filter, before it is asked for more.
const STEP: usize = 250;

/// How many pages of searches are read at once for those who wait for an answer. It takes a processor to do it, and workers
/// are in need of them too.
const AT_ONCE: usize = 2;

/// What a list is to contain.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Search {
    /// The jobs of which the payloads are looked at.
    pub filter: Filter,
    /// What has to stand in the payload of each, at most [`Search::FIELDS`] fields. Where there is one, a payload that is a
    /// file or no JSON is none that is searched for.
    pub fields: Vec<Field>,
}

impl From<Filter> for Search {
    fn from(filter: Filter) -> Search {
        Search { filter, fields: Vec::new() }
    }
}

impl Search {
    /// The most fields.
    pub const FIELDS: usize = 8;

    /// The jobs, newest first, from below the number `before` on: at most `limit`, and fewer where a bounded part of the
    /// ledger was read without finding more.
    pub(crate) fn page(&self, reader: &dyn LedgerReader, before: Option<u64>, limit: usize) -> Result<Page, ReadError> {
        if self.fields.is_empty() {
            return reader.list(&self.filter, before, limit);
        }
        let (mut found, mut room) = (Vec::new(), Room { jobs: JOBS, bytes: BYTES });
        let mut before = before;
        loop {
            let step = STEP.min(room.jobs);
            let Page { jobs, next } = reader.list(&self.filter, before, step)?;
            // The list has looked at as many rows as it looks at.
            let is_short = jobs.len() < step;
            for job in jobs {
                if found.len() == limit || !room.take(&job) {
                    return Ok(Page { jobs: found, next: Some(job.id.number() + 1) });
                }
                if self.is_met(reader, &job)? {
                    found.push(job);
                }
            }
            if next.is_none() || is_short || found.len() == limit || room.jobs == 0 {
                return Ok(Page { jobs: found, next });
            }
            before = next;
        }
    }

    fn is_met(&self, reader: &dyn LedgerReader, job: &Job) -> Result<bool, ReadError> {
        if !has_json(job) {
            return Ok(false);
        }
        let payload = reader.payloads(&[job.id.number()])?.pop().flatten();
        Ok(payload.is_some_and(|payload| self.fields.iter().all(|field| field.is_in(&payload.bytes))))
    }
}

/// Whether the job's payload is JSON by its type, and in the ledger.
fn has_json(job: &Job) -> bool {
    let spec = &job.spec;
    spec.payload_file.is_none() && is_json(&spec.payload.content_type)
}

/// How much a page may still read.
struct Room {
    jobs: usize,
    bytes: u64,
}

impl Room {
    /// Takes what is needed to look at `job`, unless it is not there.
    fn take(&mut self, job: &Job) -> bool {
        let size = if has_json(job) { job.spec.payload.size } else { 0 };
        let is_first = self.bytes == BYTES;
        if self.jobs == 0 || size > self.bytes && !is_first {
            return false;
        }
        self.jobs -= 1;
        self.bytes = self.bytes.saturating_sub(size);
        true
    }
}

/// The searches that are under way; others wait for their turn.
#[derive(Debug, Clone)]
pub(crate) struct Turns(Arc<Semaphore>);

impl Default for Turns {
    fn default() -> Turns {
        Turns(Arc::new(Semaphore::new(AT_ONCE)))
    }
}

/// Lasts as long as the search that has it.
#[derive(Debug)]
pub(crate) struct Turn(
    #[allow(dead_code, reason = "the next one's turn comes when it is dropped")] Option<OwnedSemaphorePermit>,
);

impl Turns {
    /// The turn of `search`, at once where it reads no payloads.
    pub(crate) async fn of(&self, search: &Search) -> Turn {
        if search.fields.is_empty() {
            return Turn(None);
        }
        // Nobody closes it.
        Turn(Arc::clone(&self.0).acquire_owned().await.ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn searches_of_payloads_take_turns_and_lists_do_not() {
        let turns = Turns::default();
        let list = Search::default();
        let search = Search { fields: vec![Field::new("a", "1").unwrap()], ..Search::default() };
        let mut under_way = Vec::new();
        for _ in 0..AT_ONCE {
            under_way.push(turns.of(&search).await);
        }
        let mut next = std::pin::pin!(turns.of(&search));
        let polled = std::future::poll_fn(|context| std::task::Poll::Ready(next.as_mut().poll(context))).await;
        assert!(polled.is_pending());
        turns.of(&list).await;
        under_way.pop();
        next.await;
    }
}
