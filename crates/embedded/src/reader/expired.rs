use std::sync::{Mutex, PoisonError};

use ackd_domain::{Status, Timestamp};

use crate::fault::Fault;
use crate::integer::limited;
use crate::pool::Reading;
use crate::rows::{Columns, USUAL_EXPIRY, Unreadable};
use crate::trouble::Trouble;

/// The most jobs that are looked at for a usual expiry at once.
const LOOKED_AT: i64 = 10_000;

/// The most bytes of payloads of jobs that expire at once: of each another may be made in a dead-letter queue.
const BYTES: u64 = 16 << 20;

/// How far it is known of the jobs that expire at the usual time, by number, that they have ended.
#[derive(Debug, Default)]
pub(super) struct Unexpired(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// The time of the last search.
    at: Timestamp,
    /// All below this have ended, or expire at a time of their own.
    ended: i64,
    /// Where to look next, if that is farther: of those between, some cannot be ended now.
    next: i64,
}

impl Known {
    /// What is still known if it is `now`. A job with a time of its own that was passed gets the usual one when it is
    /// replaced at the very time of its submission, which comes again only if time goes back.
    fn at(&mut self, now: Timestamp) -> &mut Known {
        if now < self.at {
            *self = Known::default();
        }
        self.at = now;
        self
    }
}

/// What was found. One goes always, however large it is.
struct Found {
    numbers: Vec<u64>,
    bytes: u64,
    limit: usize,
}

impl Found {
    /// Takes the job of this number, if there is room for it and its payload of so many bytes.
    fn take(&mut self, number: i64, bytes: i64) -> bool {
        self.bytes = self.bytes.saturating_add(bytes.unsigned_abs());
        let has_room = self.numbers.len() < self.limit && (self.bytes <= BYTES || self.numbers.is_empty());
        if has_room {
            self.numbers.push(number.cast_unsigned());
        }
        has_room
    }
}

/// The numbers of unfinished jobs that have expired by `now`, at most `limit`, and fewer where their payloads are large.
///
/// Those that named a time of their own stand in a table by it. The others expire in the order in which
/// they were accepted, so they need none.
pub(super) fn numbers(
    reading: &Reading,
    unexpired: &Unexpired,
    trouble: &Trouble,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<u64>, Fault> {
    let mut unexpired = unexpired.0.lock().unwrap_or_else(PoisonError::into_inner);
    let known = unexpired.at(now);
    let mut found = Found { numbers: Vec::new(), bytes: 0, limit };
    if at_their_own_time(reading, now, &mut found)? {
        at_the_usual_time(reading, known, trouble, now, &mut found)?;
    }
    Ok(found.numbers)
}

/// Says whether there is room for more.
fn at_their_own_time(reading: &Reading, now: Timestamp, found: &mut Found) -> Result<bool, Fault> {
    // The length of a body is in its row's head.
    const OWN: &str = "SELECT expiry.job, coalesce(length(submission.body), 0) FROM expiry \
                       LEFT JOIN submission ON submission.id = expiry.job WHERE at <= ?1 ORDER BY at, job LIMIT ?2";
    let mut statement = reading.connection.prepare_cached(OWN)?;
    let mut rows = statement.query((now.millis(), limited(found.limit)))?;
    while let Some(row) = rows.next()? {
        if !found.take(row.get(0)?, row.get(1)?) {
            return Ok(false);
        }
    }
    Ok(found.numbers.len() < found.limit)
}

fn at_the_usual_time(
    reading: &Reading,
    known: &mut Known,
    trouble: &Trouble,
    now: Timestamp,
    found: &mut Found,
) -> Result<(), Fault> {
    const USUAL: &str = "SELECT job.id, job.status, job.expires_at, submission.created_at, length(submission.body) FROM job \
                         JOIN submission ON submission.id = job.id WHERE job.id >= ?1 ORDER BY job.id LIMIT ?2";
    let ended_before = known.ended;
    let start = ended_before.max(known.next);
    let mut statement = reading.connection.prepare_cached(USUAL)?;
    let mut rows = statement.query((start, LOOKED_AT))?;
    // How far all have ended that expire at the usual time.
    let mut ended = start;
    let mut all_ended = start == ended_before;
    // Where to go on, unless all were looked at that may have expired.
    let mut next = 0;
    let mut looked_at = 0;
    while let Some(row) = rows.next()? {
        let mut columns = Columns::from(row, 0);
        let number = columns.int()?;
        looked_at += 1;
        if looked_at == LOOKED_AT {
            next = number + 1;
        }
        let mut read = || -> Result<(i64, Option<i64>, i64, Option<i64>), Unreadable> {
            Ok((columns.int()?, columns.maybe()?, columns.int()?, columns.maybe()?))
        };
        let Ok((status, own, created_at, bytes)) = read() else {
            // It can only be looked at again; those behind it expire all the same.
            trouble.damaged(&format!("job {number}"));
            all_ended = false;
            continue;
        };
        let created_at = Timestamp::from_millis(created_at);
        if created_at.after(USUAL_EXPIRY) > now {
            // One that a clock which was ahead dated later than now says nothing of those behind it.
            if created_at > now {
                all_ended = false;
                continue;
            }
            next = 0;
            break;
        }
        if own.is_none() && status < Status::Done as i64 {
            all_ended = false;
            if !found.take(number, bytes.unwrap_or_default()) {
                next = 0;
                break;
            }
        }
        if all_ended {
            ended = number + 1;
        }
    }
    known.next = next;
    if start == ended_before {
        known.ended = ended;
    }
    Ok(())
}
