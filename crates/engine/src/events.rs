//! Following one job: what happened after a position, then what happens, without a gap or a repetition.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use ackd_domain::{Change, Job, JobId, Position};
use ackd_ports::ReadError;

use crate::engine::Engine;
use crate::hub::{Followed, Following};
use crate::read::Record;

/// What a follower of a job gets.
#[derive(Debug, Clone)]
pub enum Event {
    /// The job as it is now, told to one who asked for no position.
    Current(Arc<Job>),
    /// What was asked for is no longer kept; the job as it is now.
    Reset(Arc<Job>),
    /// A change.
    Change(Change),
}

impl Event {
    /// The job as of the event.
    #[must_use]
    pub fn job(&self) -> &Arc<Job> {
        match self {
            Event::Current(job) | Event::Reset(job) => job,
            Event::Change(change) => &change.job,
        }
    }
}

/// How following a job begins.
#[derive(Debug)]
pub enum EventsStart {
    /// There is no such job.
    NotFound,
    /// The job has ended, and the position is at its end: nothing will ever follow.
    Over,
    /// The events.
    Events(Box<Events>),
}

/// The events of one job.
#[derive(Debug)]
pub struct Events {
    engine: Engine,
    id: JobId,
    following: Following,
    /// The position of the last event that was given out.
    at: Position,
    ready: VecDeque<Event>,
    /// Changes were missed: the ledger has them.
    behind: bool,
    /// Changes were missed, and nobody was told.
    lagged: bool,
    over: bool,
}

/// When a long poll ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// The run has ended.
    Terminal,
    /// The version is another than this.
    VersionIsNot(u64),
}

impl Until {
    fn holds(self, job: &Job) -> bool {
        match self {
            Until::Terminal => job.status.is_terminal(),
            Until::VersionIsNot(version) => job.version != version,
        }
    }
}

impl Engine {
    /// Follows a job: from `after` on, or from its current state where that is `None`, until its run ends.
    ///
    /// # Errors
    /// If the ledger cannot be read.
    pub async fn events(&self, id: JobId, after: Option<Position>) -> Result<EventsStart, ReadError> {
        // Follow first, read second: what happens between the two is seen twice rather than never.
        let following = self.hub().follow(id.number());
        let Some(job) = self.job(id).await? else { return Ok(EventsStart::NotFound) };
        if let Some(after) = after
            && job.status.is_terminal()
            && after >= job.changed
        {
            return Ok(EventsStart::Over);
        }
        let mut events = Events {
            engine: self.clone(),
            id,
            following,
            at: after.unwrap_or(Position::START),
            ready: VecDeque::new(),
            behind: false,
            lagged: false,
            over: false,
        };
        match after {
            None => events.ready.push_back(Event::Current(job)),
            Some(_) => events.catch_up().await?,
        }
        Ok(EventsStart::Events(Box::new(events)))
    }

    /// Waits until `until` holds of the job in `record`, at most `patience`, and gives the job as it is then.
    ///
    /// # Errors
    /// If the ledger cannot be read.
    pub async fn wait(&self, record: Record, until: Until, patience: Duration) -> Result<Record, ReadError> {
        let Record { job, payload, inputs, .. } = record;
        let id = job.id;
        let following = self.hub().follow(id.number());
        // A change between the reading of `record` and the following is seen by reading once more.
        let Some(current) = self.job(id).await? else { return Ok(Record { job, payload, result: None, inputs }) };
        let mut latest = current;
        let mut result = None;
        let patience = tokio::time::sleep(patience);
        tokio::pin!(patience);
        while !until.holds(&latest) {
            tokio::select! {
                biased;
                followed = following.next() => match followed {
                    Followed::Change(change) => {
                        if change.position > latest.changed {
                            result = change.body.filter(|_| change.job.result.is_some());
                            latest = change.job;
                        }
                    }
                    Followed::Lagging => {
                        if let Some(job) = self.job(id).await? {
                            latest = job;
                        }
                    }
                    Followed::Closed => break,
                },
                () = &mut patience => break,
            }
        }
        if result.is_none() && latest.result.is_some() {
            result = self.result(id.number()).await?;
        }
        Ok(Record { job: latest, payload, result, inputs })
    }
}

impl Events {
    /// The next event; `None` once the run has ended or the server stops. May be cancelled and called again.
    ///
    /// # Errors
    /// If the ledger cannot be read.
    pub async fn next(&mut self) -> Result<Option<Event>, ReadError> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                self.at = event.job().changed;
                // A job that was retried goes on behind the end of its earlier run.
                self.over = event.job().status.is_terminal() && self.ready.is_empty();
                return Ok(Some(event));
            }
            if self.over {
                return Ok(None);
            }
            if self.behind {
                // It stays so until the ledger was read, should this be cancelled meanwhile.
                self.catch_up().await?;
                self.behind = false;
                continue;
            }
            match self.following.next().await {
                Followed::Change(change) if change.position > self.at => self.ready.push_back(Event::Change(change)),
                Followed::Change(_) => {}
                Followed::Lagging => (self.behind, self.lagged) = (true, true),
                Followed::Closed => return Ok(None),
            }
        }
    }

    /// The position of the last event that was given out.
    #[must_use]
    pub const fn position(&self) -> Position {
        self.at
    }

    /// Whether everything that had happened was given out: what comes next has not happened yet.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.ready.is_empty() && !self.behind
    }

    /// Whether the run has ended with the last event that was given out, or the job is gone.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        self.over
    }

    /// Whether, since this was asked last, events came faster than they were taken, and were read from the ledger.
    pub const fn take_lagged(&mut self) -> bool {
        std::mem::replace(&mut self.lagged, false)
    }

    /// Reads what happened after the last event.
    async fn catch_up(&mut self) -> Result<(), ReadError> {
        let Some(timeline) = self.engine.timeline(self.id).await? else {
            self.over = true;
            return Ok(());
        };
        let Some(last) = timeline.changes.last().map(|change| change.position) else {
            return self.catch_up_by_job().await;
        };
        let after: VecDeque<Change> = timeline.changes.into_iter().filter(|change| change.position > self.at).collect();
        let gap = match after.front() {
            // The first change behind the position must be the one right behind it.
            Some(first) => first.previous > self.at,
            None => self.at > last && self.at > self.engine.head().await?,
        };
        if gap {
            return self.reset().await;
        }
        self.ready.extend(after.into_iter().map(Event::Change));
        Ok(())
    }

    /// None of the job's changes is kept, which is no loss to one who has seen the last of them.
    async fn catch_up_by_job(&mut self) -> Result<(), ReadError> {
        let Some(job) = self.engine.job(self.id).await? else {
            self.over = true;
            return Ok(());
        };
        if job.changed > self.at || self.at > self.engine.head().await? {
            self.ready.push_back(Event::Reset(job));
        }
        Ok(())
    }

    async fn reset(&mut self) -> Result<(), ReadError> {
        match self.engine.job(self.id).await? {
            Some(job) => self.ready.push_back(Event::Reset(job)),
            None => self.over = true,
        }
        Ok(())
    }
}
