use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;

use crate::{
    Acceptance, Accepted, After, Answer, Body, Callback, CallbackRequest, Change, ChangeKind, Decision, Draws, FileId,
    FlowPart, Held, Job, JobId, Name, OnFailure, Position, Predecessor, Queue, Refusal, Secret, Spec, Start, Status,
    Submission, Timestamp, View, Write, limits,
};

use super::{end, file, forgo, step, unique};

/// All submissions are accepted, or none: a key that belongs to another request refuses them all, and so does a job that
/// is not there and was to be come after.
pub(super) fn decide(
    view: &View,
    submissions: Vec<Submission>,
    now: Timestamp,
    draws: &mut dyn Draws,
) -> Result<Decision, Refusal> {
    refuse_mismatches(view, &submissions)?;
    refuse_unknown(view, &submissions)?;
    refuse_draining(view, &submissions)?;
    refuse_missing_files(view, &submissions, now)?;
    let many = submissions.len();
    let mut decision = Decision::answer(Answer::Accepted(Vec::new()));
    decision.writes.reserve(many);
    decision.changes.reserve(many);
    let (flow, lines) = (FlowOf::of(&submissions), Lines::default());
    let mut accepting = Accepting { view, now, decision, flow, lines, files: file::Payloads::default() };
    let mut accepted: Vec<Accepted> = Vec::with_capacity(many);
    // The lines whose key is new, so that a later line with the same key finds its job.
    let mut fresh: HashMap<Arc<str>, usize> = HashMap::new();
    // Likewise the latest line of each unique key.
    let mut rivals: HashMap<(Name, Arc<str>), usize> = HashMap::new();
    let mut flow_of_before: Option<Arc<Job>> = None;
    for (line, submission) in submissions.into_iter().enumerate() {
        let earlier = submission.key.as_ref().and_then(|key| fresh.get(&key.text)).map(|line| &accepted[*line].job);
        let known = view.holder_of(line).or(earlier);
        let known = known.or(flow_of_before.as_ref().filter(|_| submission.flow_key.is_some())).cloned();
        if let Some(job) = known {
            if submission.flow_key.is_some() {
                flow_of_before = Some(Arc::clone(&job));
            }
            accepted.push(Accepted { job, how: Acceptance::Replayed });
            continue;
        }
        if let Some(key) = unique::key(&submission) {
            let earlier = rivals.insert(key, line).map(|line| &accepted[line].job);
            let rival = earlier.or(view.rival_of(line)).filter(|job| !job.status.is_terminal()).cloned();
            if let Some(rival) = rival {
                accepted.push(unique::coalesce(rival, submission, &mut accepting, draws));
                continue;
            }
        }
        if let Some(key) = &submission.key {
            fresh.insert(Arc::clone(&key.text), line);
        }
        let waits = Waits::of(&submission, view, &accepted, None);
        let job = accepting.accept(submission, view.queue_of(line), waits, draws);
        accepted.push(Accepted { job, how: Acceptance::Made });
    }
    let Accepting { mut decision, files, .. } = accepting;
    decision.writes.extend(files.into_writes());
    decision.answer = Answer::Accepted(accepted);
    Ok(decision)
}

/// A command's submissions on their way.
pub(super) struct Accepting<'a> {
    pub(super) view: &'a View,
    pub(super) now: Timestamp,
    pub(super) decision: Decision,
    flow: FlowOf,
    lines: Lines,
    pub(super) files: file::Payloads,
}

impl Accepting<'_> {
    /// The file that is to be the payload of `submission`, and its size; one more job refers to it.
    pub(super) fn take_payload(&mut self, submission: &mut Submission) -> Option<(FileId, u64)> {
        let file = self.files.refer(self.view, *submission.payload_file.take()?, self.now)?;
        submission.payload = Body { content_type: Arc::clone(&file.content_type), bytes: Bytes::new() };
        Some((file.id, file.size))
    }

    /// Makes the job, and those that come after it.
    fn accept(
        &mut self,
        mut submission: Submission,
        queue: Option<&Arc<Queue>>,
        waits: Waits,
        draws: &mut dyn Draws,
    ) -> Arc<Job> {
        let then = std::mem::take(&mut submission.then);
        let file = self.take_payload(&mut submission);
        let (payload, start) = (submission.payload.clone(), submission.start);
        let behind = self.lines.stand(&submission, self.view);
        let flow_key = submission.flow_key.clone();
        let names_expiry = submission.expires_in.is_some();
        let mut spec = spec(submission, queue, draws);
        spec.after = waits.after;
        if let Some((id, size)) = file {
            spec.payload_file = Some(id);
            spec.payload.size = size;
        }
        let held = Held { after: !waits.links.is_empty(), behind };
        let mut made = job(spec, held, start, self.now, draws, |id| self.flow.part(id, flow_key));
        if !names_expiry {
            // Nobody said that it is to expire before it is due, or soon after.
            made.expires_at = made.run_at.after(made.spec.expires_in);
        }
        let made = Arc::new(made);
        accept(&mut self.decision, Arc::clone(&made), payload, self.now);
        self.decision.writes.extend(waits.links.into_iter().map(|from| Write::Link(from, made.id.number())));
        let job = match waits.forgo {
            Some((because, status)) => cancelled(&mut self.decision, &made, because, status, self.now, draws),
            None => made,
        };
        if job.status.is_terminal() {
            self.lines.leave(&job);
        }
        for next in then {
            let waits = Waits::of(&next, self.view, &[], Some(&job));
            let queue = self.view.later_queues.get(&next.queue);
            self.accept(next, queue, waits, draws);
        }
        job
    }
}

/// The ordering keys of a command's own jobs.
#[derive(Default)]
struct Lines(HashSet<(Name, Arc<str>)>);

impl Lines {
    /// Whether the job is behind another, in the ledger or of an earlier line. Those after it are behind it from now on.
    fn stand(&mut self, submission: &Submission, view: &View) -> bool {
        let Some(key) = &submission.ordering_key else { return false };
        let line = (submission.queue.clone(), Arc::clone(key));
        let behind = view.behind.contains(&line);
        !self.0.insert(line) || behind
    }

    /// The job has ended at once. It was the first of its key only where it did not stand behind another.
    fn leave(&mut self, job: &Job) {
        if let (Some(key), false) = (&job.spec.ordering_key, job.held.behind) {
            self.0.remove(&(job.spec.queue.clone(), Arc::clone(key)));
        }
    }
}

/// What a submission waits for.
#[derive(Default)]
struct Waits {
    after: Vec<Predecessor>,
    /// The numbers of those that have not ended as it needs.
    links: Vec<u64>,
    /// One that has ended so that there is nothing to wait for.
    forgo: Option<(JobId, Status)>,
}

impl Waits {
    /// What `submission` waits for, `parent` included, whose `then` it is of.
    fn of(submission: &Submission, view: &View, accepted: &[Accepted], parent: Option<&Arc<Job>>) -> Waits {
        let mut waits = Waits::default();
        let named = submission.after.iter().map(|after| match after {
            After::Job(id) => (view.predecessors.get(&id.number()), false),
            After::Line(line) => (accepted.get(*line).map(|accepted| &accepted.job), true),
        });
        for (job, is_of_flow) in named.chain(parent.map(|parent| (Some(parent), false))) {
            let Some(job) = job else { continue };
            if waits.after.iter().any(|known| known.id == job.id) {
                continue;
            }
            let key = job.spec.flow.as_ref().filter(|_| is_of_flow).map(|flow| Arc::clone(&flow.key));
            waits.after.push(Predecessor { id: job.id, key });
            match (job.status, submission.on_failure) {
                (Status::Done, _) => {}
                (status, OnFailure::Continue) if status.is_terminal() => {}
                (status, OnFailure::Cancel) if status.is_terminal() => {
                    waits.forgo.get_or_insert((job.id, status));
                }
                _ => waits.links.push(job.id.number()),
            }
        }
        waits
    }
}

/// The flow of a command's submissions.
struct FlowOf {
    id: Option<JobId>,
    size: u32,
}

impl FlowOf {
    fn of(submissions: &[Submission]) -> FlowOf {
        let size = submissions.iter().filter(|submission| submission.flow_key.is_some()).count();
        FlowOf { id: None, size: u32::try_from(size).unwrap_or(u32::MAX) }
    }

    /// The part of the job `id`, whose first gives the flow its own.
    fn part(&mut self, id: JobId, key: Option<Arc<str>>) -> Option<Arc<FlowPart>> {
        let key = key?;
        Some(Arc::new(FlowPart { id: *self.id.get_or_insert(id), size: self.size, key }))
    }
}

/// Adds to the decision that the new job ends at once.
fn cancelled(
    decision: &mut Decision,
    job: &Job,
    because: JobId,
    status: Status,
    now: Timestamp,
    draws: &mut dyn Draws,
) -> Arc<Job> {
    let (job, change) = step(job, ChangeKind::Cancelled, now, draws, |_, next| {
        next.error = Some(forgo::failure(because, status));
        end(next, Status::Cancelled, now);
    });
    decision.writes.push(Write::Update(Arc::clone(&job)));
    decision.changes.push(change);
    job
}

/// Looks for jobs that are to be come after and are not there.
fn refuse_unknown(view: &View, submissions: &[Submission]) -> Result<(), Refusal> {
    let unknown_to = |submission: &Submission| {
        let jobs = submission.after.iter().filter_map(|after| match after {
            After::Job(id) => Some(*id),
            After::Line(_) => None,
        });
        let is_known = |id: JobId| {
            view.predecessors.get(&id.number()).is_some_and(|job| job.id == id && !job.spec.queue.is_reserved())
        };
        jobs.filter(|id| !is_known(*id)).collect::<Vec<_>>()
    };
    let mut unknown = Vec::new();
    for (line, submission) in submissions.iter().enumerate() {
        // Where they stand is found out only where one is missing.
        if submission.with_all_after().any(|it| !unknown_to(it).is_empty()) {
            submission.with_places(line, &mut |place, it| {
                unknown.extend(unknown_to(it).into_iter().map(|id| (place.clone(), id)));
            });
        }
    }
    if unknown.is_empty() { Ok(()) } else { Err(Refusal::NoPredecessor(unknown)) }
}

/// Looks for files that are to be payloads and are not there. What is replayed, and what comes after it, needs none any more.
fn refuse_missing_files(view: &View, submissions: &[Submission], now: Timestamp) -> Result<(), Refusal> {
    let is_replayed = |line: usize| view.holder_of(line).is_some();
    let flow_is_replayed = submissions.iter().enumerate().any(|(line, it)| it.flow_key.is_some() && is_replayed(line));
    let fresh = submissions
        .iter()
        .enumerate()
        .filter(|(line, it)| !(is_replayed(*line) || it.flow_key.is_some() && flow_is_replayed));
    file::refuse_missing(view, fresh, now)
}

/// Looks for queues that take no new jobs. What makes none, because it was accepted before, is no matter of theirs.
fn refuse_draining(view: &View, submissions: &[Submission]) -> Result<(), Refusal> {
    let is_known = |line| view.holder_of(line).is_some() || view.rival_of(line).is_some();
    let mut flow = submissions.iter().enumerate().filter(|(_, submission)| submission.flow_key.is_some());
    let known_flow = flow.any(|(line, _)| view.holder_of(line).is_some());
    for (line, submission) in submissions.iter().enumerate() {
        if is_known(line) || (known_flow && submission.flow_key.is_some()) {
            continue;
        }
        let later = submission.with_all_after().skip(1).filter_map(|later| view.later_queues.get(&later.queue));
        if let Some(queue) = view.queue_of(line).into_iter().chain(later).find(|queue| queue.draining) {
            return Err(Refusal::Draining(queue.name.clone()));
        }
    }
    Ok(())
}

/// Looks for keys that belong to another request: one in the ledger, or an earlier line of this one.
fn refuse_mismatches(view: &View, submissions: &[Submission]) -> Result<(), Refusal> {
    let mut mismatches = Vec::new();
    let mut fresh: HashMap<&str, u128> = HashMap::new();
    for (line, submission) in submissions.iter().enumerate() {
        let Some(key) = &submission.key else { continue };
        match view.holder_of(line) {
            Some(holder) if holder.spec.key.as_ref() != Some(key) => mismatches.push((line, Some(holder.id))),
            Some(_) => {}
            None if *fresh.entry(&key.text).or_insert(key.fingerprint) != key.fingerprint => {
                mismatches.push((line, None));
            }
            None => {}
        }
    }
    if mismatches.is_empty() { Ok(()) } else { Err(Refusal::KeyMismatch(mismatches)) }
}

/// Adds the new job with its payload to the decision.
pub(super) fn accept(decision: &mut Decision, job: Arc<Job>, payload: Body, now: Timestamp) {
    decision.writes.push(Write::Insert(Arc::clone(&job), payload.clone()));
    decision.changes.push(submitted(job, Some(payload), now));
}

/// The change that tells of a new job.
pub(super) fn submitted(job: Arc<Job>, body: Option<Body>, now: Timestamp) -> Change {
    let (position, previous) = (job.changed, Position::START);
    Change { position, previous, at: now, kind: ChangeKind::Submitted, job, body, was_due: None }
}

/// The new job of this spec; `flow` gives its place in one.
pub(super) fn job(
    mut spec: Spec,
    held: Held,
    start: Start,
    now: Timestamp,
    draws: &mut dyn Draws,
    flow: impl FnOnce(JobId) -> Option<Arc<FlowPart>>,
) -> Job {
    let run_at = start.due(now);
    #[allow(clippy::cast_possible_truncation, reason = "the salt is the lower bits")]
    let salt = draws.random() as u32;
    let id = JobId::new(now, draws.number(), salt);
    spec.flow = flow(id);
    Job {
        id,
        status: Status::Init,
        version: 1,
        run: 1,
        attempt: 0,
        run_at,
        held,
        expires_at: now.after(spec.expires_in),
        started_at: None,
        finished_at: None,
        cancel_requested_at: None,
        worker: None,
        lease: None,
        progress: None,
        error: None,
        checkpoint: None,
        result: None,
        result_file: None,
        changed: draws.position(),
        spec: Arc::new(spec),
    }
}

/// What the job is to be, with what the client left out filled in from the queue.
pub(super) fn spec(submission: Submission, queue: Option<&Arc<Queue>>, draws: &mut dyn Draws) -> Spec {
    let callback = submission.callback.map(|request| {
        let CallbackRequest { url, events, format, secret } = *request;
        Arc::new(Callback { url, events, format, secret: secret.unwrap_or_else(|| Secret::make(draws)) })
    });
    Spec {
        payload: submission.payload.info(),
        payload_file: None,
        queue: submission.queue,
        kind: submission.kind,
        priority: submission.priority.unwrap_or(limits::DEFAULT_PRIORITY),
        group: submission.group,
        max_attempts: submission
            .max_attempts
            .unwrap_or_else(|| queue.map_or(limits::DEFAULT_ATTEMPTS, |queue| queue.max_attempts())),
        timeout: submission.timeout,
        backoff: submission.backoff,
        expires_in: submission
            .expires_in
            .unwrap_or_else(|| queue.map_or(limits::DEFAULT_EXPIRY, |queue| queue.expires_in())),
        result_retention: submission
            .result_retention
            .or_else(|| queue.and_then(|queue| queue.settings.result_retention)),
        key: submission.key,
        tags: submission.tags,
        traceparent: submission.traceparent,
        callback,
        ordering_key: submission.ordering_key,
        unique: submission.unique.map(|unique| unique.key),
        after: Vec::new(),
        on_failure: submission.on_failure,
        flow: None,
        delivery: None,
        dead_letter_of: None,
    }
}
