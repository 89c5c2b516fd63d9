//! The long texts of jobs: each is written once, under the position of the change that brought it, and
//! job and changes refer to it.

use std::sync::Arc;

use ackd_domain::Change;
use rusqlite::Connection;

use super::touched::{Touched, TouchedJob};
use crate::checksum::Checksum;
use crate::fault::Fault;
use crate::rows::{ChangeRefs, Refs, TextRow};

/// Writes the texts that the changes bring. Says for each change where those of its job stand, and keeps
/// that in the touched jobs; nothing where no job has any.
pub(super) fn write(
    connection: &Connection,
    touched: &mut Touched,
    changes: &[Change],
    checksum: &mut Checksum,
) -> Result<Vec<ChangeRefs>, Fault> {
    let had = touched.jobs.iter().any(|job| job.refs != Refs::default());
    let have = changes.iter().any(|change| change.job.error.is_some() || change.job.checkpoint.is_some());
    if !had && !have {
        return Ok(Vec::new());
    }
    let mut refs = Vec::with_capacity(changes.len());
    for change in changes {
        refs.push(match touched.get(change.job.id.number()) {
            Some(job) => write_those_of(connection, job, change, checksum)?,
            None => ChangeRefs::default(),
        });
    }
    Ok(refs)
}

fn write_those_of(
    connection: &Connection,
    job: &mut TouchedJob,
    change: &Change,
    checksum: &mut Checksum,
) -> Result<ChangeRefs, Fault> {
    const FAILURE: &str = "INSERT INTO failure (seq, job, crc, problem) VALUES (?1, ?2, ?3, ?4)";
    const CHECKPOINT: &str = "INSERT INTO checkpoint (seq, job, crc, state) VALUES (?1, ?2, ?3, ?4)";
    let before = job.refs;
    let (number, seq) = (job.number.cast_signed(), change.position.0.cast_signed());
    let mut insert = |sql: &str, row: TextRow<'_>| -> Result<(), Fault> {
        let sum = row.sum(checksum);
        connection.prepare_cached(sql)?.execute((row.seq, row.job, sum, row.text))?;
        Ok(())
    };
    let error = change.job.error.as_ref().map(|error| &error.problem);
    if job.texts.error.as_ref() != error {
        job.refs.error = error.map(|_| seq);
        job.texts.error = error.map(Arc::clone);
        if let Some(problem) = error {
            insert(FAILURE, TextRow::failure(seq, number, problem))?;
        }
    }
    let checkpoint = change.job.checkpoint.as_ref();
    if job.texts.checkpoint.as_ref() != checkpoint {
        job.refs.checkpoint = checkpoint.map(|_| seq);
        job.texts.checkpoint = checkpoint.map(Arc::clone);
        if let Some(state) = checkpoint {
            insert(CHECKPOINT, TextRow::checkpoint(seq, number, state))?;
        }
    }
    let replaced = |before: Option<i64>, now| before.filter(|before| Some(*before) != now);
    Ok(ChangeRefs {
        now: job.refs,
        replaced: Refs {
            error: replaced(before.error, job.refs.error),
            checkpoint: replaced(before.checkpoint, job.refs.checkpoint),
        },
    })
}
