//! When ended jobs and old changes are looked for, and how many go at once.
//!
//! However much is due at a time, after a clock has jumped or a retention was shortened: it goes in small commits with
//! pauses between them, in which others have their turn.

use std::time::Duration;

use ackd_domain::{Answer, Command, Position, Refusal, Timestamp};
use ackd_ports::ReadError;

use crate::core::Pages;
use crate::pager::PagerRequest;

/// How often is looked.
const INTERVAL: Duration = Duration::from_secs(1);

/// How soon is looked again when more is known to be due.
const PAUSE: Duration = Duration::from_millis(25);

/// The most jobs that go in one commit: a few milliseconds of work.
const JOBS_AT_ONCE: usize = 500;

/// The most changes that go in one commit, which costs less for each: a job has three or more.
const CHANGES_AT_ONCE: usize = 2_000;

/// See the module. It has no clock: each call is given the time.
#[derive(Debug)]
pub(crate) struct Retention {
    /// How long changes are kept.
    feed: Duration,
    jobs: Chore,
    changes: Chore,
    /// How far changes have gone since the start.
    forgotten: Position,
    commands: Vec<Command>,
}

#[derive(Debug)]
struct Chore {
    next: Duration,
    looking: bool,
    /// There is more than was asked to go.
    more: bool,
}

impl Chore {
    fn is_due(&mut self, tick: Duration) -> bool {
        let due = !self.looking && tick >= self.next;
        if due {
            (self.looking, self.next) = (true, tick + INTERVAL);
        }
        due
    }

    fn next_due(&self) -> Option<Duration> {
        (!self.looking).then_some(self.next)
    }
}

impl Retention {
    /// Changes are kept for `feed`.
    pub(crate) fn new(feed: Duration, tick: Duration) -> Retention {
        let chore = || Chore { next: tick, looking: false, more: false };
        Retention { feed, jobs: chore(), changes: chore(), forgotten: Position::START, commands: Vec::new() }
    }

    /// When there is something to look for.
    pub(crate) fn next_due(&self) -> Option<Duration> {
        [&self.jobs, &self.changes].into_iter().filter_map(Chore::next_due).min()
    }

    /// Asks for what may be due.
    pub(crate) fn look(&mut self, now: Timestamp, tick: Duration, reads: &mut Vec<PagerRequest>) {
        if self.jobs.is_due(tick) {
            reads.push(PagerRequest::Outlived(now, JOBS_AT_ONCE));
        }
        if self.changes.is_due(tick) {
            let (old, ancient) = (now.before(self.feed), now.before(self.feed.saturating_mul(2)));
            reads.push(PagerRequest::OldChanges { old, ancient, limit: CHANGES_AT_ONCE });
        }
    }

    /// Takes up what was found to be due.
    pub(crate) fn take_up(&mut self, request: &PagerRequest, read: Result<Pages, ReadError>) {
        let chore = if matches!(request, PagerRequest::Outlived(..)) { &mut self.jobs } else { &mut self.changes };
        (chore.looking, chore.more) = (false, false);
        match read {
            Ok(Pages::Outlived(outlived)) => {
                chore.more = outlived.more;
                self.commands.extend(outlived.numbers.into_iter().map(|number| Command::Purge { number }));
            }
            Ok(Pages::OldChanges(found)) => {
                chore.more = found.more;
                if found.old > Position::START {
                    self.commands.push(Command::PurgeChanges { old: found.old, ancient: found.ancient });
                }
            }
            Ok(_) => {}
            Err(error) => tracing::error!(%error, "what is due to be deleted cannot be read; it is tried again"),
        }
    }

    /// What is to be committed, apart from everything else.
    pub(crate) fn take_commands(&mut self) -> Vec<Command> {
        std::mem::take(&mut self.commands)
    }

    /// Looks again soon where something went and more is due. What did not go, for want of room or because a consumer
    /// is waited for, waits for the next look.
    pub(crate) fn committed(&mut self, answers: &[Result<Answer, Refusal>], tick: Duration) {
        for answer in answers.iter().flatten() {
            match answer {
                Answer::Erased(_) if self.jobs.more => (self.jobs.more, self.jobs.next) = (false, tick + PAUSE),
                Answer::Forgotten { through, missed_from } => {
                    if let Some(position) = missed_from {
                        tracing::warn!(
                            "changes up to {} are deleted though a consumer of the feed has seen them up to {} only: it \
                             is behind by more than twice the feed's retention",
                            through.0,
                            position.0
                        );
                    }
                    let went = *through > self.forgotten;
                    self.forgotten = self.forgotten.max(*through);
                    if std::mem::take(&mut self.changes.more) && went {
                        self.changes.next = tick + PAUSE;
                    }
                }
                _ => {}
            }
        }
    }
}
