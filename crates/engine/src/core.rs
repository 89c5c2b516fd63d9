//! One turn after another: what was asked since the last turn is committed in one batch, and everybody
//! who waits for it is told.
//!
//! The core owns the ledger and runs on one thread, so that nothing on the hot path is handed between
//! threads more often than once in and once out. It has no clock: each turn is given the time.

mod batch;
mod failure;
mod reaction;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ackd_domain::{Answer, Command, Endpoint, Job, LeaseToken, Name, Queue, Refusal, Schedule, Timestamp};
use ackd_ports::{Lane, Ledger, LedgerReader, OldChanges, Outlived, ReadError, Ready};
use rustc_hash::FxHashSet;
use tokio::sync::oneshot;

use self::batch::{Batch, Origin, Parked, Reply, Request};
use self::reaction::{Reaction, make_commands};
use crate::clock::Moment;
use crate::dispatch::{self, Ask, AskId, Dispatcher, QueueRules, WindowLimits};
use crate::engine::Unavailable;
use crate::hub::Hub;
use crate::leases::{self, LiveLeases};
use crate::pager::PagerRequest;
use crate::push::Pushes;
use crate::retention::Retention;
use crate::schedules::{self, Schedules};
use crate::seen::Seen;
use crate::stats::Stats;
use crate::tail::Tail;
use crate::waiting::QueuesSeen;
use crate::work::Assigned;

/// After a commit failed for want of room, dispatch rests for so long.
const REST: Duration = Duration::from_secs(1);

/// How often jobs are looked for that have passed their expiry.
const EXPIRY_INTERVAL: Duration = Duration::from_secs(1);

/// The most expired jobs that one turn ends.
const EXPIRED_AT_ONCE: usize = 500;

/// So many that were found are remembered, to know them again.
const EXPIRED_KNOWN: usize = 10_000;

/// How soon further expired jobs are looked for after a list of them.
const EXPIRED_PAUSE: Duration = Duration::from_millis(50);

/// What the core is asked or told between turns.
#[derive(Debug)]
pub enum Input {
    /// Apply these commands in one commit, and answer each.
    Run(Vec<Command>, oneshot::Sender<Result<Vec<Result<Answer, Refusal>>, Unavailable>>),
    /// Apply these commands, which nobody waits for: where they cannot be committed, in a later commit.
    Unasked(Vec<Command>),
    /// A worker asks for jobs.
    Ask(AskId, Ask, oneshot::Sender<Result<Vec<Assigned>, Unavailable>>),
    /// A worker no longer asks. It is answered with what it was given before, if anything.
    Forget(AskId),
    /// A worker gives all its leases back; answered with how many they were.
    ReleaseWorker(Arc<str>, oneshot::Sender<Result<usize, Unavailable>>),
    /// The server is about to stop: whoever waits for a job is let go, and nobody is made to wait any more.
    Drain,
    /// What the pager read.
    Read(PagerRequest, Result<Pages, ReadError>),
}

impl Input {
    fn submits(&self) -> bool {
        let submits = |command: &Command| command.makes() > 0;
        matches!(self, Input::Run(commands, _) if commands.iter().any(submits))
    }
}

/// What the pager reads.
#[derive(Debug)]
pub enum Pages {
    /// The lanes that have waiting jobs.
    Lanes(Vec<Lane>),
    /// A part of a lane's backlog.
    Backlog(Vec<Ready>),
    /// Jobs that have expired.
    Expired(Vec<u64>),
    /// Ended jobs that were kept as long as they are to be.
    Outlived(Outlived),
    /// How far the feed's changes are old.
    OldChanges(OldChanges),
}

/// What the core is made of.
pub struct CoreParts {
    /// The one writer of the ledger.
    pub ledger: Box<dyn Ledger>,
    /// Reads what was there when the server started.
    pub reader: Arc<dyn LedgerReader>,
    /// How much of the backlog is held in memory.
    pub window: WindowLimits,
    /// How long the change feed is kept.
    pub feed_retention: Duration,
}

/// What the core tells others by.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) hub: Arc<Hub>,
    pub(crate) tail: Arc<Tail>,
    pub(crate) queues: Arc<QueuesSeen>,
    pub(crate) endpoints: Arc<Seen<Endpoint>>,
    pub(crate) pushes: Arc<Pushes>,
    pub(crate) schedules: Arc<Seen<Schedule>>,
    pub(crate) stats: Arc<Stats>,
}

/// See the module.
pub struct Core {
    ledger: Box<dyn Ledger>,
    /// For what was committed last, where a commit has failed.
    reader: Arc<dyn LedgerReader>,
    dispatcher: Dispatcher,
    leases: LiveLeases,
    asks: BTreeMap<AskId, Parked>,
    /// Those who wait no longer than this turn.
    forgotten: Vec<AskId>,
    hub: Arc<Hub>,
    tail: Arc<Tail>,
    queues: Arc<QueuesSeen>,
    endpoints: Arc<Seen<Endpoint>>,
    pushes: Arc<Pushes>,
    schedules: Schedules,
    schedules_seen: Arc<Seen<Schedule>>,
    stats: Arc<Stats>,
    /// Commands of the core's own, for the next turn.
    own: Vec<Command>,
    /// Commands of the core's own that found no room, for when it has rested.
    delayed: Vec<Command>,
    /// What the pager is to read, to be fetched with [`Core::take_reads`].
    reads: Vec<PagerRequest>,
    /// When dispatch goes on after a failed commit.
    resting_until: Option<Duration>,
    /// When the lanes are to be read again, because a job fell out of its window.
    read_again_at: Option<Duration>,
    next_expiry: Duration,
    looking_for_expired: bool,
    /// Those that were found before.
    expired_before: FxHashSet<u64>,
    retention: Retention,
    /// The last commit with submissions found no room: until one does, they are committed apart, so that
    /// they cannot keep others from settling.
    full: bool,
    /// The server is about to stop.
    draining: bool,
    /// The ledger has failed for good.
    failed: Option<String>,
    dispatch_outputs: Vec<dispatch::Output>,
    lease_outputs: Vec<leases::Output>,
}

impl Core {
    /// A core over `parts`, with what the ledger knows taken up at this moment.
    ///
    /// # Errors
    /// If the ledger cannot be read.
    pub(crate) fn start(parts: CoreParts, shared: Shared, moment: Moment) -> Result<Core, ReadError> {
        let Moment { now, tick, .. } = moment;
        let Shared { hub, tail, queues, endpoints, pushes, schedules: schedules_seen, stats } = shared;
        let mut schedules = Schedules::default();
        for schedule in schedules_seen.all() {
            schedules.step(schedules::Input::Put(&schedule), tick, &mut Vec::new());
        }
        let mut leases = LiveLeases::default();
        let mut dispatcher = Dispatcher::new(parts.window);
        let mut outputs = Vec::new();
        for queue in parts.reader.queues()? {
            queues.configured(&queue.name, rules(&queue));
            pushes.configured(&queue);
            leases.count_groups(&queue.name, queue.settings.group_concurrency.is_some());
            dispatcher.step(dispatch::Input::Configured(&queue.name, rules(&queue)), now, &mut outputs);
        }
        for job in &parts.reader.leased()? {
            leases.resume(job, now, tick);
        }
        queues.count(leases.take_counts());
        // What a crash left half told.
        let own = parts
            .reader
            .unresolved()?
            .into_iter()
            .map(|number| Command::Resolve { number, run: None, told: 0 })
            .collect();
        let running = leases.running();
        dispatcher.step(dispatch::Input::Started(parts.reader.started()?), now, &mut outputs);
        dispatcher.step(dispatch::Input::Leased(&running), now, &mut outputs);
        dispatcher.step(dispatch::Input::Lanes(parts.reader.lanes()?), now, &mut outputs);
        Ok(Core {
            ledger: parts.ledger,
            reader: parts.reader,
            dispatcher,
            leases,
            asks: BTreeMap::new(),
            forgotten: Vec::new(),
            hub,
            tail,
            queues,
            endpoints,
            pushes,
            schedules,
            schedules_seen,
            stats,
            own,
            delayed: Vec::new(),
            reads: Vec::new(),
            resting_until: None,
            read_again_at: None,
            next_expiry: tick,
            looking_for_expired: false,
            expired_before: FxHashSet::default(),
            retention: Retention::new(parts.feed_retention, tick),
            full: false,
            draining: false,
            failed: None,
            dispatch_outputs: outputs,
            lease_outputs: Vec::new(),
        })
    }

    /// Why the ledger has failed for good, if it has.
    pub(crate) fn failed(&self) -> Option<&str> {
        self.failed.as_deref()
    }

    /// Whether the core has something of its own to commit yet.
    pub(crate) fn is_busy(&self) -> bool {
        !self.own.is_empty() && self.failed.is_none()
    }

    /// What is to be read for the core now; each is answered by an [`Input::Read`].
    pub(crate) fn take_reads(&mut self) -> Vec<PagerRequest> {
        std::mem::take(&mut self.reads)
    }

    /// How long the core may sleep if nobody asks it anything.
    pub(crate) fn patience(&self, moment: Moment) -> Duration {
        let Moment { now, wall, tick } = moment;
        if self.failed.is_some() {
            // Nothing is ever to be done again but to say so.
            return Duration::from_secs(3600);
        }
        if !self.own.is_empty() || !self.dispatch_outputs.is_empty() {
            return Duration::ZERO;
        }
        let mut until = EXPIRY_INTERVAL;
        if !self.looking_for_expired {
            until = until.min(self.next_expiry.saturating_sub(tick));
        }
        if let Some(due) = self.retention.next_due() {
            until = until.min(due.saturating_sub(tick));
        }
        for at in [self.resting_until, self.read_again_at].into_iter().flatten() {
            until = until.min(at.saturating_sub(tick));
        }
        if let Some(due) = self.leases.next_due() {
            until = until.min(due.saturating_sub(tick));
        }
        if let Some(patience) = self.schedules.patience(wall, tick) {
            until = until.min(patience);
        }
        if let Some(due) = self.dispatcher.next_due()
            && self.resting_until.is_none()
        {
            until = until.min(due.since(now));
        }
        until.max(Duration::from_micros(100))
    }

    /// Takes one turn.
    pub(crate) fn turn(&mut self, inputs: Vec<Input>, moment: Moment) {
        let Moment { now, wall, tick } = moment;
        if self.failed.is_some() {
            return self.refuse(inputs);
        }
        let mut batch = Batch::of(std::mem::take(&mut self.own));
        let mut submissions = Batch::of(Vec::new());
        for input in inputs {
            let apart = self.full && input.submits();
            self.take_up(input, if apart { &mut submissions } else { &mut batch }, moment);
        }
        self.look_at_the_time(now, tick);
        self.fire(if self.full { &mut submissions } else { &mut batch }, wall, tick);
        self.dispatch(&mut batch);
        // Apart from the others, so that these need not wait for room that only a purge takes.
        let purges = Batch::of(self.retention.take_commands());
        for batch in [batch, submissions, purges] {
            if !batch.commands.is_empty() {
                self.commit(batch, now, tick);
            }
        }
        for id in std::mem::take(&mut self.forgotten) {
            if self.may_find_more_for(id) {
                self.forgotten.push(id);
            } else {
                self.forget(id, now, tick);
            }
        }
        self.leases.due(tick, &mut self.lease_outputs);
        self.own.extend(self.lease_outputs.drain(..).map(|output| match output {
            leases::Output::Lapse(lease, reason) => Command::Lapse { lease, reason },
            leases::Output::Record(lease, progress) => {
                Command::Heartbeat { lease, ttl: None, progress: Some(progress), checkpoint: None }
            }
        }));
        self.queues.limited(self.dispatcher.take_limited());
        self.stats.live_leases.store(self.leases.len() as u64, Ordering::Relaxed);
        self.stats.parked_asks.store(self.dispatcher.parked_of_clients() as u64, Ordering::Relaxed);
    }

    fn take_up(&mut self, input: Input, batch: &mut Batch, moment: Moment) {
        let Moment { now, tick, .. } = moment;
        let Batch { commands, origins, requests, .. } = &mut *batch;
        match input {
            Input::Unasked(own) => batch.add(own),
            Input::Run(run, reply) => {
                let at = requests.len();
                requests.push(Request { reply: Reply::Answers(reply), answers: Vec::with_capacity(run.len()) });
                for mut command in run {
                    command.put_off_starts(moment.ahead());
                    let beat = self.coalesce(&mut command, tick);
                    commands.push(command);
                    origins.push(Origin::Request(at, beat));
                }
            }
            Input::ReleaseWorker(worker, reply) => {
                let at = requests.len();
                requests.push(Request { reply: Reply::Count(reply), answers: Vec::new() });
                let tokens = self.leases.of_worker(&worker);
                if tokens.is_empty() {
                    requests.pop().into_iter().for_each(|request| request.answer());
                }
                for lease in tokens {
                    commands.push(Command::Release { lease, delay: None, checkpoint: None });
                    origins.push(Origin::Request(at, None));
                }
            }
            Input::Ask(_, _, reply) if self.draining => drop(reply.send(Ok(Vec::new()))),
            Input::Ask(id, ask, reply) => {
                for name in &ask.queues {
                    self.queues.asked(name, tick);
                }
                let parked = Parked { queues: ask.queues.clone(), worker: ask.worker.clone(), ttl: ask.ttl, reply };
                self.asks.insert(id, parked);
                self.dispatcher.step(dispatch::Input::Ask(id, ask), now, &mut self.dispatch_outputs);
            }
            // Somebody who does not wait says so right after asking: what is ready must be found for it first.
            Input::Forget(id) if self.asks.get(&id).is_some_and(|parked| !parked.reply.is_closed()) => {
                self.forgotten.push(id);
            }
            Input::Forget(id) => self.forget(id, now, tick),
            Input::Read(request, read) => self.take_up_read(request, read, now, tick),
            Input::Drain => {
                self.draining = true;
                for (id, parked) in std::mem::take(&mut self.asks) {
                    self.dispatcher.step(dispatch::Input::Forget(id), now, &mut self.dispatch_outputs);
                    // Whoever asked may be gone; there is nothing to tell it then.
                    let _ = parked.reply.send(Ok(Vec::new()));
                }
            }
        }
    }

    /// Whether a part of the backlog is on its way that may hold something for this ask: then it is not
    /// told that there is nothing.
    fn may_find_more_for(&self, id: AskId) -> bool {
        let Some(parked) = self.asks.get(&id).filter(|parked| !parked.reply.is_closed()) else { return false };
        parked.queues.iter().any(|name| self.dispatcher.is_reading(name))
    }

    /// Lets one go that waits no longer, with nothing.
    fn forget(&mut self, id: AskId, now: Timestamp, tick: Duration) {
        self.dispatcher.step(dispatch::Input::Forget(id), now, &mut self.dispatch_outputs);
        if let Some(parked) = self.asks.remove(&id) {
            parked.queues.iter().for_each(|name| self.queues.asked(name, tick));
            // Whoever asked may be gone; there is nothing to tell it then.
            let _ = parked.reply.send(Ok(Vec::new()));
        }
    }

    fn take_up_read(&mut self, request: PagerRequest, read: Result<Pages, ReadError>, now: Timestamp, tick: Duration) {
        let outputs = &mut self.dispatch_outputs;
        match (request, read) {
            (PagerRequest::Backlog(request), Ok(Pages::Backlog(page))) => {
                self.dispatcher.step(dispatch::Input::Page(request, page), now, outputs);
            }
            (PagerRequest::Backlog(request), read) => {
                report(read);
                self.dispatcher.step(dispatch::Input::Unread(&request), now, outputs);
                self.resting_until.get_or_insert(tick + REST);
            }
            (PagerRequest::Lanes, Ok(Pages::Lanes(lanes))) => {
                self.dispatcher.step(dispatch::Input::Lanes(lanes), now, outputs);
            }
            (PagerRequest::Lanes, read) => {
                report(read);
                self.resting_until.get_or_insert(tick + REST);
            }
            (request @ (PagerRequest::Outlived(..) | PagerRequest::OldChanges { .. }), read) => {
                self.retention.take_up(&request, read)
            }
            (PagerRequest::Expired(..), read) => {
                self.looking_for_expired = false;
                match read {
                    Ok(Pages::Expired(numbers)) => {
                        if self.expired_before.len() > EXPIRED_KNOWN {
                            self.expired_before.clear();
                        }
                        // Those of before cannot be ended, as where one is damaged; for others there may be more.
                        let new = numbers.iter().filter(|number| self.expired_before.insert(**number)).count();
                        if new > 0 {
                            // Once these are ended, which takes a turn.
                            self.next_expiry = tick + EXPIRED_PAUSE;
                        }
                        self.own.extend(numbers.iter().map(|number| Command::Expire { number: *number }));
                    }
                    read => report(read),
                }
            }
        }
    }

    /// Holds progress back that comes too soon after what was recorded last. Gives the lease of a heartbeat.
    fn coalesce(&mut self, command: &mut Command, tick: Duration) -> Option<LeaseToken> {
        let Command::Heartbeat { lease, progress, checkpoint, .. } = command else { return None };
        match progress {
            // A checkpoint is written at once, and the progress told with it.
            Some(_) if checkpoint.is_some() => self.leases.recorded(lease, tick),
            Some(told) if !self.leases.may_record(lease, told, tick) => *progress = None,
            _ => {}
        }
        Some(*lease)
    }

    fn look_at_the_time(&mut self, now: Timestamp, tick: Duration) {
        if tick >= self.next_expiry && !self.looking_for_expired {
            self.next_expiry = tick + EXPIRY_INTERVAL;
            self.looking_for_expired = true;
            self.stats.in_memory.store(self.dispatcher.in_memory() as u64, Ordering::Relaxed);
            self.reads.push(PagerRequest::Expired(now, EXPIRED_AT_ONCE));
        }
        self.retention.look(now, tick, &mut self.reads);
        if self.read_again_at.take_if(|at| *at <= tick).is_some() {
            self.read_what_began(now);
            self.reads.push(PagerRequest::Lanes);
        }
        if self.resting_until.is_some_and(|until| until <= tick) {
            self.resting_until = None;
            self.own.append(&mut self.delayed);
            self.reads.push(PagerRequest::Lanes);
        }
        self.dispatcher.step(dispatch::Input::Tick, now, &mut self.dispatch_outputs);
    }

    /// Makes commands of the schedules whose time has come by the wall clock.
    fn fire(&mut self, batch: &mut Batch, wall: Timestamp, tick: Duration) {
        let mut firings = Vec::new();
        self.schedules.step(schedules::Input::Tick(wall), tick, &mut firings);
        for firing in firings {
            batch.origins.push(Origin::Schedule(firing.name.clone()));
            batch.commands.push(Command::Fire(Box::new(firing)));
        }
    }

    /// Makes commands of what the dispatcher wants.
    fn dispatch(&mut self, batch: &mut Batch) {
        let Batch { commands, origins, .. } = batch;
        make_commands(&mut self.dispatch_outputs, &self.asks, &mut self.reads, |command, origin| {
            commands.push(command);
            origins.push(origin);
        });
    }

    fn commit(&mut self, batch: Batch, now: Timestamp, tick: Duration) {
        let Batch { commands, origins, mut requests, own } = batch;
        let submits = commands.iter().any(|command| command.makes() > 0);
        let assigns = origins.iter().any(|origin| matches!(origin, Origin::Ask { .. }));
        let fired = origins.iter().filter_map(|origin| match origin {
            Origin::Schedule(name) => Some(name.clone()),
            _ => None,
        });
        let fired: Vec<Name> = fired.collect();
        let mut reaction = Reaction {
            dispatcher: &mut self.dispatcher,
            outputs: &mut self.dispatch_outputs,
            asks: &self.asks,
            reads: &mut self.reads,
            origins,
            seen: 0,
            told: false,
            configured: Vec::new(),
            now,
        };
        let started = std::time::Instant::now();
        let applied = self.ledger.apply(commands, now, &mut reaction);
        let Reaction { origins, told, configured, .. } = reaction;
        match applied {
            Ok(applied) => {
                self.full &= !submits;
                self.stats.commits.record(started.elapsed());
                self.stats.count(&applied.changes);
                self.retention.committed(&applied.answers, tick);
                self.leases.observe(&applied.changes, now, tick);
                self.queues.count(self.leases.take_counts());
                self.note_endpoints(&applied.answers);
                self.note_schedules(&applied.answers, tick);
                self.hub.publish(&applied.changes);
                self.tail.publish(&applied.changes);
                self.hand_out(applied.answers, origins, &mut requests, now, tick);
                self.own.extend(applied.follow_ups);
                requests.into_iter().for_each(Request::answer);
            }
            Err(error) => {
                // What was assigned has left its lane, even where the ledger failed before it told anything.
                if told || assigns {
                    self.forget_what_was_told(&configured, now, tick);
                }
                if !own.is_empty() {
                    self.delayed.extend(own);
                    self.resting_until.get_or_insert(tick + REST);
                }
                for name in &fired {
                    self.not_fired(name, tick);
                }
                self.failed_commit(&error, requests);
            }
        }
    }

    /// Before the changes are told: who sees them knows every endpoint that was there before them.
    fn note_endpoints(&self, answers: &[Result<Answer, Refusal>]) {
        for answer in answers {
            match answer {
                Ok(Answer::Endpoint { endpoint, .. }) => self.endpoints.put(endpoint),
                Ok(Answer::NoEndpoint(name)) => self.endpoints.delete(name),
                _ => {}
            }
        }
    }

    fn note_schedules(&mut self, answers: &[Result<Answer, Refusal>], tick: Duration) {
        for answer in answers {
            let input = match answer {
                Ok(Answer::Schedule { schedule, .. } | Answer::Fired { schedule, .. }) => {
                    self.schedules_seen.put(schedule);
                    schedules::Input::Put(schedule)
                }
                Ok(Answer::NoSchedule(name)) => {
                    self.schedules_seen.delete(name);
                    schedules::Input::Deleted(name)
                }
                _ => continue,
            };
            self.schedules.step(input, tick, &mut Vec::new());
        }
    }

    fn not_fired(&mut self, name: &Name, tick: Duration) {
        self.schedules.step(schedules::Input::NotFired(name), tick, &mut Vec::new());
    }

    fn hand_out(
        &mut self,
        answers: Vec<Result<Answer, Refusal>>,
        origins: Vec<Origin>,
        requests: &mut [Request],
        now: Timestamp,
        tick: Duration,
    ) {
        let mut granted: BTreeMap<AskId, Vec<Assigned>> = BTreeMap::new();
        for (mut answer, origin) in answers.into_iter().zip(origins) {
            if answer.is_err() {
                self.stats.refusals.fetch_add(1, Ordering::Relaxed);
            }
            if let Ok(Answer::Queue(queue)) = &answer {
                self.pushes.configured(queue);
                self.leases.count_groups(&queue.name, queue.settings.group_concurrency.is_some());
                self.queues.count(self.leases.take_counts());
                let was = self.queues.configured(&queue.name, rules(queue));
                if was.paused && !queue.paused {
                    // A job that was taken up just as its queue was paused was refused, and stands in no
                    // window any more.
                    self.reads.push(PagerRequest::Lanes);
                }
            }
            if let (Origin::Ask { .. }, Err(Refusal::HeldBack)) = (&origin, &answer) {
                // The ledger knows better; the job stands in no window any more.
                self.read_again_at.get_or_insert(tick + REST);
            }
            match origin {
                Origin::Request(at, beat) => {
                    if let (Some(lease), Ok(Answer::Beat { ttl, .. })) = (beat, &mut answer) {
                        // What is left of the attempt is known here only: the wall clock may have jumped.
                        *ttl = self.leases.beat(&lease, *ttl, tick);
                    }
                    requests[at].answers.push(answer);
                }
                Origin::Ask { ask, payload, version, .. } => {
                    if let Ok(Answer::Job(job)) = answer {
                        // Another version may have had another payload; then it is read.
                        let payload = payload.filter(|_| job.version == version + 1);
                        granted.entry(ask).or_default().push(Assigned { job, payload, inputs: Vec::new() });
                    }
                }
                // It was put anew or deleted in this very batch, or something that it needs is damaged.
                Origin::Schedule(name) if answer.is_err() => self.not_fired(&name, tick),
                Origin::Schedule(_) | Origin::Own => {}
            }
        }
        for (ask, assigned) in granted {
            let Some(parked) = self.asks.remove(&ask) else {
                self.take_back(assigned);
                continue;
            };
            if let Err(Ok(assigned)) = parked.reply.send(Ok(assigned)) {
                self.take_back(assigned);
            }
        }
        self.dispatcher.step(dispatch::Input::Answered, now, &mut self.dispatch_outputs);
    }

    /// Releases what was leased for a worker that went away meanwhile; the attempts do not count.
    fn take_back(&mut self, assigned: Vec<Assigned>) {
        let tokens = assigned.into_iter().filter_map(|it| token(&it.job));
        self.own.extend(tokens.map(|lease| Command::Release { lease, delay: None, checkpoint: None }));
    }
}

/// The token of the live lease of `job`.
pub(crate) fn token(job: &Job) -> Option<LeaseToken> {
    job.lease.as_ref().map(|lease| lease.token(job.id.number()))
}

/// What of the queue's settings matters to dispatch.
const fn rules(queue: &Queue) -> QueueRules {
    QueueRules {
        paused: queue.paused,
        concurrency: queue.settings.concurrency,
        group_concurrency: queue.settings.group_concurrency,
        rate: queue.settings.rate,
    }
}

fn report(read: Result<Pages, ReadError>) {
    if let Err(error) = read {
        tracing::error!(%error, "a part of the backlog cannot be read; it is tried again");
    }
}

#[cfg(test)]
mod tests;
