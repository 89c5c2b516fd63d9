use std::sync::atomic::{AtomicI64, Ordering};

use ackd_domain::{Status, Timestamp};

use crate::fault::Fault;
use crate::integer::limited;
use crate::pool::Reading;
use crate::rows::{Columns, USUAL_EXPIRY, Unreadable};
use crate::trouble::Trouble;

/// The most jobs that are looked at for a usual expiry at once.
const LOOKED_AT: i64 = 10_000;

/// The numbers of unfinished jobs that have expired by `now`.
///
/// Those that named a time of their own stand in a table by it. The others expire in the order in which
/// they were accepted, so they need none: `unexpired` is how far all of them are known to have ended.
pub(super) fn numbers(
    reading: &Reading,
    unexpired: &AtomicI64,
    trouble: &Trouble,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<u64>, Fault> {
    let mut numbers = at_their_own_time(reading, now, limit)?;
    if numbers.len() < limit {
        at_the_usual_time(reading, unexpired, trouble, now, limit, &mut numbers)?;
    }
    Ok(numbers)
}

fn at_their_own_time(reading: &Reading, now: Timestamp, limit: usize) -> Result<Vec<u64>, Fault> {
    const OWN: &str = "SELECT job FROM expiry WHERE at <= ?1 ORDER BY at, job LIMIT ?2";
    let mut statement = reading.connection.prepare_cached(OWN)?;
    let mut rows = statement.query((now.millis(), limited(limit)))?;
    let mut numbers = Vec::new();
    while let Some(row) = rows.next()? {
        numbers.push(row.get::<_, i64>(0)?.cast_unsigned());
    }
    Ok(numbers)
}

fn at_the_usual_time(
    reading: &Reading,
    unexpired: &AtomicI64,
    trouble: &Trouble,
    now: Timestamp,
    limit: usize,
    numbers: &mut Vec<u64>,
) -> Result<(), Fault> {
    const USUAL: &str = "SELECT job.id, job.status, job.expires_at, submission.created_at FROM job \
                         JOIN submission ON submission.id = job.id WHERE job.id >= ?1 ORDER BY job.id LIMIT ?2";
    let start = unexpired.load(Ordering::Relaxed);
    let mut statement = reading.connection.prepare_cached(USUAL)?;
    let mut rows = statement.query((start, LOOKED_AT))?;
    // How far all have ended that expire at the usual time.
    let mut ended = start;
    let mut all_ended = true;
    while let Some(row) = rows.next()? {
        let mut columns = Columns::from(row, 0);
        let number = columns.int()?;
        let mut read = || -> Result<(i64, Option<i64>, i64), Unreadable> {
            Ok((columns.int()?, columns.maybe()?, columns.int()?))
        };
        let Ok((status, own, created_at)) = read() else {
            // It can only be looked at again; those behind it expire all the same.
            trouble.damaged(&format!("job {number}"));
            all_ended = false;
            continue;
        };
        let created_at = Timestamp::from_millis(created_at);
        if created_at.after(USUAL_EXPIRY) > now || numbers.len() == limit {
            break;
        }
        if own.is_none() && status < Status::Done as i64 {
            numbers.push(number.cast_unsigned());
            all_ended = false;
        }
        if all_ended {
            ended = number + 1;
        }
    }
    unexpired.fetch_max(ended, Ordering::Relaxed);
    Ok(())
}
