//! Which schedule's time has come, and what is to be made of it.
//!
//! A state machine: it is told of every schedule that is committed, and of the time; it says what to fire, and until when there is
//! nothing to do. It looks at no table: what is due stands in order. Whether something is made is decided by the
//! ledger, where a schedule's time is left once only; so this may be wrong towards too often, and is never towards too seldom.

mod missed;
mod put;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use ackd_domain::{Firing, Name, Schedule, Timestamp};

use crate::calendar::Calendar;

pub use missed::ON_TIME;

/// The most jobs that one tick makes, but for a single schedule's.
const JOBS_AT_ONCE: usize = 1000;

/// The most bytes of payloads that one tick makes, but for a single schedule's.
const BYTES_AT_ONCE: usize = 16 << 20;

/// How long a schedule rests that could not be fired.
const REST: Duration = Duration::from_secs(1);

/// The schedules by their next time. See the module.
#[derive(Debug, Default)]
pub struct Schedules {
    by_name: BTreeMap<Name, Known>,
    /// When each is to be looked at that has a next time and is not being fired.
    due: BTreeSet<(Timestamp, Name)>,
    /// Those that could not be fired, and until when they rest, by the clock that never jumps.
    resting: Vec<Name>,
    rested: Duration,
}

#[derive(Debug)]
struct Known {
    schedule: Arc<Schedule>,
    /// `None` where its fields or its time zone cannot be read any more.
    calendar: Option<Calendar>,
}

/// What the schedules are told.
#[derive(Debug)]
pub enum Input<'a> {
    /// It is so from now on: it was read, put, or has been fired.
    Put(&'a Arc<Schedule>),
    /// There is none of this name any more.
    Deleted(&'a Name),
    /// It was to be fired, and was not.
    NotFired(&'a Name),
    /// It is this time by the wall clock, by which calendars go.
    Tick(Timestamp),
}

impl Schedules {
    /// Takes one step at `tick`; adds what is to be fired. Each is told again by [`Input::Put`] when it was, or
    /// else by [`Input::NotFired`].
    pub fn step(&mut self, input: Input<'_>, tick: Duration, firings: &mut Vec<Firing>) {
        match input {
            Input::Put(schedule) => self.put(schedule),
            Input::Deleted(name) => {
                if let Some(known) = self.by_name.remove(name) {
                    self.take_out(&known.schedule);
                }
            }
            Input::NotFired(name) => {
                self.resting.push(name.clone());
                self.rested = tick + REST;
            }
            Input::Tick(now) => {
                if self.rested <= tick {
                    for name in std::mem::take(&mut self.resting) {
                        if let Some(known) = self.by_name.get(&name) {
                            self.due.extend(place(known));
                        }
                    }
                }
                self.fire(now, firings);
            }
        }
    }

    /// How long there is nothing to do, unless the wall clock jumps.
    #[must_use]
    pub fn patience(&self, now: Timestamp, tick: Duration) -> Option<Duration> {
        let due = self.due.first().map(|(at, _)| at.since(now));
        let rested = (!self.resting.is_empty()).then(|| self.rested.saturating_sub(tick));
        due.into_iter().chain(rested).min()
    }

    fn put(&mut self, schedule: &Arc<Schedule>) {
        let known = self.by_name.remove(&schedule.name);
        let as_before =
            |known: &Known| (&known.schedule.cron, &known.schedule.timezone) == (&schedule.cron, &schedule.timezone);
        let calendar = match known {
            Some(known) => {
                self.take_out(&known.schedule);
                if as_before(&known) { known.calendar } else { calendar(schedule) }
            }
            None => calendar(schedule),
        };
        let known = Known { schedule: Arc::clone(schedule), calendar };
        self.due.extend(place(&known));
        self.by_name.insert(schedule.name.clone(), known);
    }

    fn take_out(&mut self, schedule: &Schedule) {
        if let Some(at) = schedule.next_run_at {
            self.due.remove(&(at, schedule.name.clone()));
        }
    }

    fn fire(&mut self, now: Timestamp, firings: &mut Vec<Firing>) {
        let (mut jobs, mut bytes) = (0, 0);
        while jobs < JOBS_AT_ONCE
            && bytes < BYTES_AT_ONCE
            && self.due.first().is_some_and(|(at, _)| *at <= now)
            && let Some((_, name)) = self.due.pop_first()
        {
            let Some(Known { schedule, calendar: Some(calendar) }) = self.by_name.get(&name) else { continue };
            let Some(at) = schedule.next_run_at else { continue };
            let times = missed::times(calendar, schedule.missed, at, now);
            jobs += times.len().max(1);
            bytes += times.len() * schedule.job.payload.bytes.len();
            firings.push(Firing {
                revision: schedule.revision,
                at,
                jobs: vec![schedule.job.clone(); times.len()],
                latest: times.last().copied(),
                next: calendar.next(now),
                name,
            });
        }
    }
}

/// Where a schedule stands among those that are due, if it does.
fn place(known: &Known) -> Option<(Timestamp, Name)> {
    known.calendar.as_ref()?;
    known.schedule.next_run_at.map(|at| (at, known.schedule.name.clone()))
}

fn calendar(schedule: &Schedule) -> Option<Calendar> {
    match Calendar::new(&schedule.cron, &schedule.timezone) {
        Ok(calendar) => Some(calendar),
        Err(error) => {
            tracing::error!(schedule = %schedule.name, %error, "the schedule makes no jobs; put it anew");
            None
        }
    }
}

#[cfg(test)]
mod tests;
