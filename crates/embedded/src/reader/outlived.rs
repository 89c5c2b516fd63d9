use std::sync::Arc;
use std::sync::atomic::Ordering;

use ackd_domain::{Job, Status, Timestamp};
use ackd_ports::Outlived;

use super::{jobs, old};
use crate::fault::Fault;
use crate::integer::{limited, saturated};
use crate::leaving;
use crate::meta;
use crate::pool::Reading;
use crate::rows::{USUAL_RETENTION, leaving};
use crate::shared::Shared;

/// The most ends that are looked at at once.
const LOOKED_AT: i64 = 5_000;

/// The most bytes of payloads and results that go at once: SQLite walks over each page of a long one.
const BYTES: u64 = 16 << 20;

/// The most versions of jobs that go at once: each may have brought a text that goes as well.
const VERSIONS: u64 = 5_000;

/// Ended jobs that were kept as long as they are to be by `now`.
///
/// Those that go at a time of their own stand in a table by it. The others go in the order in which they ended, which is
/// that of the feed, so they need none: a job that ends costs nothing here. `ends_seen` is how far the feed has no end of
/// a job that is still to be found by it.
pub(super) fn jobs(reading: &mut Reading, shared: &Shared, now: Timestamp, limit: usize) -> Result<Outlived, Fault> {
    let mut found = Found { outlived: Outlived::default(), limit, bytes: 0, versions: 0 };
    at_their_own_time(reading, shared, now, &mut found)?;
    if !found.outlived.more {
        at_the_usual_time(reading, shared, now, &mut found)?;
    }
    Ok(found.outlived)
}

struct Found {
    outlived: Outlived,
    limit: usize,
    bytes: u64,
    versions: u64,
}

impl Found {
    /// Takes the job, if there is room for it.
    fn take(&mut self, job: &Job) {
        let numbers = &mut self.outlived.numbers;
        let bytes = job.stored_size();
        self.bytes = self.bytes.saturating_add(bytes);
        self.versions = self.versions.saturating_add(job.version);
        let heavy = self.bytes > BYTES || self.versions > VERSIONS;
        // One goes always, however large it is.
        if numbers.len() == self.limit || (heavy && !numbers.is_empty()) {
            self.outlived.more = true;
        } else {
            numbers.push(job.id.number());
        }
    }
}

fn at_their_own_time(reading: &mut Reading, shared: &Shared, now: Timestamp, found: &mut Found) -> Result<(), Fault> {
    const OWN: &str = "SELECT job FROM leaving WHERE at <= ?1 AND NOT EXISTS \
                       (SELECT 1 FROM link JOIN job ON job.id = link.follower \
                        WHERE link.job = leaving.job AND job.status = 0 AND job.held >= 2) ORDER BY at, job LIMIT ?2";
    // One more than may go, so that it is known whether there is one; and some more, should there be damaged ones.
    let limit = limited(found.limit).saturating_add(1 + 64);
    let numbers: Vec<i64> = {
        let mut statement = reading.connection.prepare_cached(OWN)?;
        statement.query_map((now.millis(), limit), |row| row.get(0))?.collect::<rusqlite::Result<_>>()?
    };
    for number in numbers {
        if let Some(job) = load(reading, shared, number)?
            && job.kept_until().is_some_and(|until| until <= now)
        {
            found.take(&job);
            if found.outlived.more {
                break;
            }
        }
    }
    Ok(())
}

fn at_the_usual_time(reading: &mut Reading, shared: &Shared, now: Timestamp, found: &mut Found) -> Result<(), Fault> {
    const ENDS: &str = "SELECT seq, at, job, status FROM change WHERE seq > ?1 ORDER BY seq LIMIT ?2";
    let purged = saturated(meta::purged(&reading.connection)?);
    let start = shared.ends_seen.load(Ordering::Relaxed).max(purged);
    // An end at `time` is old enough.
    let time = now.millis().saturating_sub(limited_millis()).saturating_add(1);
    let Some(surely) = old::one_before(&reading.connection, start, time)? else { return Ok(()) };
    let changes: Vec<(i64, i64, i64, i64)> = {
        let mut statement = reading.connection.prepare_cached(ENDS)?;
        let rows =
            statement.query_map([start, LOOKED_AT], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
        rows.collect::<rusqlite::Result<_>>()?
    };
    let (mut seen, mut all_seen, mut looked_at) = (start, true, 0);
    for (seq, at, number, status) in changes {
        if seq > surely && at >= time {
            break;
        }
        looked_at += 1;
        if status >= Status::Done as i64
            && let Some(job) = load(reading, shared, number)?
            // Else it has run again since.
            && job.changed.0 == seq.cast_unsigned()
            // Else it stands in the table; or its end lies in the future by a clock that was wrong, and it gets there when
            // the feed forgets its end.
            && leaving(&job).is_none()
            && let Some(until) = job.kept_until().filter(|until| *until <= now)
            // One that others wait for gets there when it is to be purged.
            && !leaving::is_noted(&reading.connection, until.millis(), job.id.number())?
        {
            all_seen = false;
            found.take(&job);
            if found.outlived.more {
                break;
            }
        }
        if all_seen {
            seen = seq;
        }
    }
    shared.ends_seen.fetch_max(seen, Ordering::Relaxed);
    found.outlived.more |= looked_at == LOOKED_AT;
    Ok(())
}

fn limited_millis() -> i64 {
    i64::try_from(USUAL_RETENTION.as_millis()).unwrap_or(i64::MAX)
}

/// The job of this number. One that is damaged is noted, and stays: nobody can say when it is to go.
fn load(reading: &mut Reading, shared: &Shared, number: i64) -> Result<Option<Arc<Job>>, Fault> {
    match jobs::by_number(reading, &shared.lanes, number.cast_unsigned()) {
        Err(fault @ Fault::Damaged(_)) => {
            drop(shared.trouble.note(fault));
            Ok(None)
        }
        read => read,
    }
}
