//! A slow walk over every row, so that damage is found before somebody needs what it hit.

use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::Row;

use crate::error::OpenError;
use crate::fault::Fault;
use crate::pool::Reading;
use crate::rows::{BodyRow, ChangeRow, Columns, JOB_COLUMNS, Loaded, Unreadable, select_change, select_job};
use crate::shared::Shared;

/// The rows of one step. Between two it waits, so that a step is no burden.
const STEP: u32 = 500;

/// How long a step may take; a reader must not hold the write-ahead log for longer than 100 ms.
const LONGEST: Duration = Duration::from_millis(20);

/// The thread that walks. It ends with this.
#[derive(Debug)]
pub(crate) struct Scrubber {
    closing: Arc<Closing>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Closing {
    closing: Mutex<bool>,
    changed: Condvar,
}

impl Closing {
    /// Waits so long; whether to go on.
    fn pause(&self, pause: Duration) -> bool {
        let closing = self.closing.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_timeout_while(closing, pause, |closing| !*closing);
        !*waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

impl Scrubber {
    /// Starts to look at `rate` rows a second, and after the last one to wait for `pause` before it
    /// begins anew.
    pub(crate) fn start(path: &Path, rate: u32, pause: Duration, shared: &Arc<Shared>) -> Result<Scrubber, OpenError> {
        let closing = Arc::<Closing>::default();
        if rate == 0 {
            return Ok(Scrubber { closing, thread: None });
        }
        let mut walk = Walk::new(path, shared)?;
        let waiting = Arc::clone(&closing);
        let between = Duration::from_secs(1) * STEP / rate;
        let thread = std::thread::Builder::new().name("ackd-scrub".to_owned());
        let thread = thread.spawn(move || {
            while waiting.pause(between) {
                if walk.step() == Walked::ToTheEnd && !waiting.pause(pause) {
                    return;
                }
            }
        });
        let thread = thread.map_err(|error| OpenError::io(path, error))?;
        Ok(Scrubber { closing, thread: Some(thread) })
    }
}

impl Drop for Scrubber {
    fn drop(&mut self) {
        *self.closing.closing.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.closing.changed.notify_all();
        if let Some(Err(_)) = self.thread.take().map(JoinHandle::join) {
            tracing::error!("the thread that looks for damage had ended in a panic");
        }
    }
}

/// Where the walk is.
pub(crate) struct Walk {
    reading: Reading,
    shared: Arc<Shared>,
    part: Part,
    /// The last row that was looked at.
    after: i64,
}

/// What a step came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Walked {
    /// There is more.
    On,
    /// That was the last; the next step begins anew.
    ToTheEnd,
}

/// What is walked over, in this order. A job comes with its submission, payload, key and long texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Jobs,
    Results,
    Changes,
}

impl Walk {
    pub(crate) fn new(path: &Path, shared: &Arc<Shared>) -> Result<Walk, OpenError> {
        Ok(Walk { reading: Reading::open(path)?, shared: Arc::clone(shared), part: Part::Jobs, after: 0 })
    }

    /// Looks at some rows and notes what is damaged.
    pub(crate) fn step(&mut self) -> Walked {
        match self.look() {
            Ok(Some(last)) => {
                self.after = last;
                return Walked::On;
            }
            Ok(None) => self.shared.trouble.passing("scrub", None),
            // What SQLite cannot even step over ends this part: the rows behind it cannot be reached so.
            Err(fault @ Fault::Damaged(_)) => drop(self.shared.trouble.note(fault)),
            Err(fault) => {
                let why = format!("rows cannot be looked at for damage: {fault:?}");
                self.shared.trouble.passing("scrub", Some(why));
            }
        }
        self.after = 0;
        let (next, walked) = match self.part {
            Part::Jobs => (Part::Results, Walked::On),
            Part::Results => (Part::Changes, Walked::On),
            Part::Changes => (Part::Jobs, Walked::ToTheEnd),
        };
        self.part = next;
        walked
    }

    /// Looks at the next rows of the part; the last one, or none at its end.
    fn look(&mut self) -> Result<Option<i64>, Fault> {
        const JOBS: &str = concat!(select_job!("", ", submission.body"), "WHERE job.id > ?1 ORDER BY job.id LIMIT ?2");
        const RESULTS: &str = "SELECT id, crc, content_type, body FROM result WHERE id > ?1 ORDER BY id LIMIT ?2";
        const CHANGES: &str = concat!(select_change!(), "WHERE change.seq > ?1 ORDER BY change.seq LIMIT ?2");
        let started = Instant::now();
        let Reading { connection, checksum } = &mut self.reading;
        let lanes = &self.shared.lanes;
        let sql = match self.part {
            Part::Jobs => JOBS,
            Part::Results => RESULTS,
            Part::Changes => CHANGES,
        };
        let mut statement = connection.prepare_cached(sql)?;
        let mut rows = statement.query((self.after, STEP))?;
        let mut last = None;
        while let Some(row) = rows.next()? {
            let number: i64 = row.get(0)?;
            last = Some(number);
            let looked: Result<(), Fault> = match self.part {
                Part::Jobs => Loaded::read(&mut Columns::from(row, 0), checksum, |id| lanes.by_id(connection, id))
                    .and_then(|_: Loaded| {
                        payload(row, number, checksum)
                            .map_err(|_| Fault::Damaged(format!("the payload of job {number}")))
                    })
                    .map_err(|fault| fault.of(|| format!("job {number}"))),
                Part::Results => BodyRow::read_result(&mut Columns::from(row, 0), checksum)
                    .map(drop)
                    .map_err(|_| Fault::Damaged(format!("the result of job {number}"))),
                Part::Changes => {
                    ChangeRow::read(&mut Columns::from(row, 0), checksum, |id| lanes.by_id(connection, id))
                        .map(drop)
                        .map_err(|fault: Fault| fault.of(|| format!("change {number}")))
                }
            };
            match looked {
                Ok(()) => {}
                Err(fault @ Fault::Damaged(_)) => drop(self.shared.trouble.note(fault)),
                Err(fault) => return Err(fault),
            }
            if started.elapsed() > LONGEST {
                break;
            }
        }
        Ok(last)
    }
}

/// Checks the payload in the last column of a job's row.
fn payload(row: &Row<'_>, number: i64, checksum: &mut crate::checksum::Checksum) -> Result<(), Unreadable> {
    let bytes = Columns::from(row, JOB_COLUMNS).blob()?.ok_or(Unreadable)?;
    BodyRow::read_payload_of(row, number, bytes, checksum).map(drop)
}
