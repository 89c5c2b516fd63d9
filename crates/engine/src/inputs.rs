use std::sync::Arc;

use ackd_domain::{Body, Job};
use ackd_ports::{LedgerReader, ReadError};

use crate::blocks::SMALL_RESULT;

/// The most bytes of results that one job is handed, 1 MiB. What is beyond is read by whoever needs it.
pub const INPUTS_BYTES: u64 = 1 << 20;

/// What a job is handed of one that it comes after.
#[derive(Debug, Clone, PartialEq)]
pub struct JobInput {
    /// The name of that job in their flow, else its id.
    pub key: Arc<str>,
    /// Its result, where it has one of at most [`SMALL_RESULT`] bytes, and with those before at most [`INPUTS_BYTES`].
    pub result: Option<Body>,
}

/// The results of the jobs that `job` comes after.
pub(crate) fn inputs(reader: &dyn LedgerReader, job: &Job) -> Result<Vec<JobInput>, ReadError> {
    let mut inputs = Vec::with_capacity(job.spec.after.len());
    let mut bytes = 0;
    for predecessor in &job.spec.after {
        let key = predecessor.key.clone().unwrap_or_else(|| predecessor.id.to_string().into());
        let size = reader.job(predecessor.id)?.and_then(|job| Some(job.result.as_ref()?.size));
        let fits = size.filter(|size| *size <= SMALL_RESULT && bytes + size <= INPUTS_BYTES);
        let result = match fits {
            Some(size) => {
                bytes += size;
                reader.result(predecessor.id.number())?
            }
            None => None,
        };
        inputs.push(JobInput { key, result });
    }
    Ok(inputs)
}
