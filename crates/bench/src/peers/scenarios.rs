//! The same work for every peer.

use std::io;
use std::time::{Duration, Instant};

use ackd_bench_driver::Scenario;

use super::driver::{Driver, Line, Running, Submitted};
use super::figures::{Figures, Metric};
use super::servers::Server;

/// Those who submit one at a time.
const CALLERS: usize = 64;
/// Those who submit many at once, and how many.
const BULK_CALLERS: usize = 8;
const BATCH: usize = 100;
/// Jobs of one after another, on an idle system.
const ASKED: u64 = 400;
/// No peer is given up that does at least so many jobs a second.
const SLOWEST: u64 = 100;
/// So long a backlog is worked off at most: what was done until then says how fast it goes.
const DRAINED: Duration = Duration::from_secs(30);
/// How long a server is left alone before its idle memory is taken.
const SETTLE: Duration = Duration::from_secs(2);

/// One run of one peer.
pub(crate) struct Run<'a> {
    pub(crate) driver: Driver<'a>,
    pub(crate) server: &'a Server,
    /// How long what is not counted takes.
    pub(crate) time: Duration,
}

impl Run<'_> {
    /// Makes the queue.
    pub(crate) fn prepare(&self) -> io::Result<()> {
        match self.driver.run("prepare", Some(&self.scenario()), Duration::ZERO)? {
            None => Ok(()),
            Some(line) => Err(io::Error::other(format!("preparing says {line:?}"))),
        }
    }

    /// How many jobs it accepts, one at a time and many at once.
    pub(crate) fn accept(&self, figures: &mut Figures) -> io::Result<()> {
        let one = self.submit(Scenario { callers: CALLERS, seconds: self.seconds(1.0), ..self.scenario() })?;
        if let Ok(one) = one {
            figures.add(Metric::Accept, one.jobs / one.seconds);
            figures.add(Metric::AcceptP99, one.p99);
        }
        let many = Scenario { callers: BULK_CALLERS, batch: BATCH, seconds: self.seconds(1.0), ..self.scenario() };
        match self.submit(many)? {
            Ok(many) => figures.add(Metric::Bulk, many.jobs / many.seconds),
            Err(why) => figures.none(Metric::Bulk, &why),
        }
        Ok(())
    }

    /// Memory when idle, how long one job takes, and how many go through while as many come as can.
    pub(crate) fn interactive(&self, figures: &mut Figures) -> io::Result<()> {
        std::thread::sleep(SETTLE);
        figures.add(Metric::MemoryIdle, mebibytes(self.server.memory()));
        let mut worker = self.driver.start("work", Some(&self.scenario()))?;
        begins(&mut worker)?;
        let ask = Scenario { jobs: Some(ASKED), seconds: self.seconds(5.0), ..self.scenario() };
        match self.driver.run("ask", Some(&ask), self.time * 5)? {
            Some(Line::Submitted(asked)) => {
                figures.add(Metric::AskP50, asked.p50);
                figures.add(Metric::AskP99, asked.p99);
            }
            Some(Line::Unsupported(why)) => {
                figures.none(Metric::AskP50, &why);
                figures.none(Metric::AskP99, &why);
            }
            other => return Err(worker.fault(&format!("asking says {other:?}"))),
        }
        let mut done = worker.said()?;
        let sent = self.submit(Scenario { callers: CALLERS, seconds: self.seconds(1.0), ..self.scenario() })?;
        let to = Instant::now();
        done.extend(worker.said()?);
        let sent = sent.map_err(|why| worker.fault(&why))?;
        let from = to - Duration::from_secs_f64(sent.seconds);
        let rate = done_between(&done, from, to);
        if rate <= 0.0 {
            return Err(worker.fault("it did nothing while jobs came"));
        }
        figures.add(Metric::SteadySent, sent.jobs / sent.seconds);
        figures.add(Metric::SteadyDone, rate);
        Ok(())
    }

    /// How fast a backlog of `jobs` is worked off, in half a minute at most, and the memory that it takes.
    pub(crate) fn backlog(&self, jobs: u64, large: bool, figures: &mut Figures) -> io::Result<()> {
        let many = Scenario { callers: BULK_CALLERS, batch: BATCH, jobs: Some(jobs), ..self.scenario() };
        if let Err(why) = self.submit(many.clone())? {
            if large {
                // One at a time it would take a quarter of an hour to hold that many.
                figures.none(Metric::DrainLarge, &why);
                return Ok(());
            }
            let one = Scenario { callers: CALLERS, batch: 1, ..many };
            self.submit(one)?.map_err(io::Error::other)?;
        }
        if !large {
            figures.add(Metric::MemoryLoaded, mebibytes(self.server.memory()));
        }
        let work = Scenario { jobs: Some(jobs), ..self.scenario() };
        let mut worker = self.driver.start("work", Some(&work))?;
        let started = begins(&mut worker)?;
        let deadline = started + DRAINED * 2;
        let (done, took) = loop {
            match worker.next(deadline)? {
                Some((when, Line::Done(done))) if done >= jobs || when >= started + DRAINED => {
                    break (done, when - started);
                }
                Some((_, Line::Done(_))) => {}
                other => return Err(worker.fault(&format!("working says {other:?}"))),
            }
        };
        let rate = done.min(jobs) as f64 / took.as_secs_f64();
        figures.add(if large { Metric::DrainLarge } else { Metric::Drain }, rate);
        Ok(())
    }

    /// Submits; the inner error says why there is no such thing.
    fn submit(&self, scenario: Scenario) -> io::Result<Result<Submitted, String>> {
        let work = scenario.jobs.map_or(self.time * 2, patience);
        match self.driver.run("submit", Some(&scenario), work)? {
            Some(Line::Submitted(submitted)) if submitted.seconds > 0.0 => Ok(Ok(submitted)),
            Some(Line::Unsupported(why)) => Ok(Err(why)),
            other => Err(io::Error::other(format!("{}: submitting says {other:?}", self.driver.peer.title))),
        }
    }

    fn scenario(&self) -> Scenario {
        Scenario {
            url: self.server.url.clone(),
            callers: 1,
            batch: 1,
            seconds: None,
            jobs: None,
            ack: self.driver.peer.ack,
        }
    }

    fn seconds(&self, times: f64) -> Option<f64> {
        Some(self.time.as_secs_f64() * times)
    }
}

fn patience(jobs: u64) -> Duration {
    Duration::from_secs(jobs / SLOWEST)
}

fn begins(worker: &mut Running) -> io::Result<Instant> {
    match worker.next(Instant::now() + Duration::from_secs(60))? {
        Some((when, Line::Begins)) => Ok(when),
        other => Err(worker.fault(&format!("working says {other:?}"))),
    }
}

/// Jobs done a second between two times, as a worker said how many there were in all.
fn done_between(said: &[(Instant, Line)], from: Instant, to: Instant) -> f64 {
    let until = |time| {
        let mut counts = said.iter().filter(|(when, _)| *when <= time).filter_map(|(_, line)| match line {
            Line::Done(done) => Some(*done),
            _ => None,
        });
        counts.next_back().unwrap_or(0)
    };
    (until(to) - until(from)) as f64 / (to - from).as_secs_f64()
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_done_before_and_after_does_not_count() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let said = [
            (at(0), Line::Begins),
            (at(1), Line::Done(1_000)),
            (at(2), Line::Done(5_000)),
            (at(4), Line::Done(5_500)),
            (at(6), Line::Done(6_000)),
            (at(7), Line::Done(9_000)),
        ];
        assert_eq!(done_between(&said, at(2), at(6)), 250.0);
        assert_eq!(done_between(&said, at(4), at(5)), 0.0);
        assert_eq!(done_between(&said, at(0), at(1)), 1_000.0);
    }
}
