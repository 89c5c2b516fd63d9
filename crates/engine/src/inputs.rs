use std::sync::Arc;

use ackd_domain::{Body, Job};
use ackd_ports::{LedgerReader, ReadError};
use rustc_hash::FxHashMap;

use crate::blocks::SMALL_RESULT;

/// The most bytes of results that one job is handed, 1 MiB. What is beyond is read by whoever needs it.
pub const INPUTS_BYTES: u64 = 1 << 20;

/// So many results are read at once.
const AT_ONCE: usize = 64;

/// The most bytes of results that are remembered for the next job.
const REMEMBERED: u64 = 4 << 20;

/// What a job is handed of one that it comes after.
#[derive(Debug, Clone, PartialEq)]
pub struct JobInput {
    /// The name of that job in their flow, else its id.
    pub key: Arc<str>,
    /// Its result, where it has one of at most [`SMALL_RESULT`] bytes, and with those before at most [`INPUTS_BYTES`].
    pub result: Option<Body>,
}

/// Reads what jobs are handed, job after job: those of one flow mostly come after the same.
pub(crate) struct Inputs<'a> {
    reader: &'a dyn LedgerReader,
    known: FxHashMap<u64, Option<Body>>,
    bytes: u64,
}

impl<'a> Inputs<'a> {
    pub(crate) fn of(reader: &'a dyn LedgerReader) -> Inputs<'a> {
        Inputs { reader, known: FxHashMap::default(), bytes: 0 }
    }

    /// The results of the jobs that `job` comes after.
    pub(crate) fn read(&mut self, job: &Job) -> Result<Vec<JobInput>, ReadError> {
        let mut inputs = Vec::with_capacity(job.spec.after.len());
        let mut room = INPUTS_BYTES;
        for some in job.spec.after.chunks(AT_ONCE) {
            if room > 0 {
                self.know(some.iter().map(|predecessor| predecessor.id.number()))?;
            }
            for predecessor in some {
                let known = self.known.get(&predecessor.id.number()).and_then(Option::as_ref);
                let result = known.filter(|body| body.bytes.len() as u64 <= room).cloned();
                room -= result.as_ref().map_or(0, |body| body.bytes.len() as u64);
                let key = predecessor.key.clone().unwrap_or_else(|| predecessor.id.to_string().into());
                inputs.push(JobInput { key, result });
            }
        }
        Ok(inputs)
    }

    fn know(&mut self, numbers: impl Iterator<Item = u64>) -> Result<(), ReadError> {
        if self.bytes > REMEMBERED {
            self.known.clear();
            self.bytes = 0;
        }
        let missing: Vec<u64> = numbers.filter(|number| !self.known.contains_key(number)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let read = self.reader.results(&missing, SMALL_RESULT)?;
        for (number, result) in missing.into_iter().zip(read) {
            self.bytes += result.as_ref().map_or(0, |body| body.bytes.len() as u64);
            self.known.insert(number, result);
        }
        Ok(())
    }
}
