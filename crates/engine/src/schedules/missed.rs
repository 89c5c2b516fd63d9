use std::time::Duration;

use ackd_domain::{Missed, Timestamp, limits};

use crate::calendar::Calendar;

/// What is made no later than this after its time is not missed: a server that is started anew needs a moment.
pub const ON_TIME: Duration = Duration::from_secs(60);

/// The times from `at`, which the schedule is to leave, to `now`, for which a job is made, in order.
pub(super) fn times(calendar: &Calendar, missed: Missed, at: Timestamp, now: Timestamp) -> Vec<Timestamp> {
    // Where the rules of the time zone have changed meanwhile, `at` may be no time of the calendar any more. It was
    // promised all the same.
    let latest = calendar.latest(at, now).unwrap_or(at);
    match missed {
        Missed::Skip if now.since(latest) > ON_TIME => Vec::new(),
        Missed::Skip | Missed::One => vec![latest],
        Missed::All => {
            let before = |time: &Timestamp| {
                let before = Timestamp::from_millis(time.millis() - 1);
                (*time > at).then(|| calendar.latest(at, before).unwrap_or(at))
            };
            let mut times: Vec<_> = std::iter::successors(Some(latest), before).take(limits::MISSED_RUNS).collect();
            times.reverse();
            times
        }
    }
}
