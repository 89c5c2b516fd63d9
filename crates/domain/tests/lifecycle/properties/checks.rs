use std::collections::BTreeMap;

use ackd_domain::{
    Answer, Change, ChangeKind, Command, Decision, Job, LeaseState, LeaseToken, Position, Refusal, Status, Submission,
    Write,
};

use crate::book::{Book, Drawn};

/// Checks one decision against the book before it and what was drawn after it.
pub(super) fn decision(book: &Book, drawn: &Drawn, command: &Command, decision: &Result<Decision, Refusal>) {
    let spent = (drawn.number - book.drawn.number, drawn.position - book.drawn.position);
    let decision = match decision {
        Ok(decision) => decision,
        // Nothing is written, for there is nothing to write; and nothing is used up.
        Err(_) => return assert_eq!(spent, (0, 0), "a refused {command:?} has drawn something"),
    };
    assert_eq!(spent.1, 3 * decision.changes.len() as u64, "not every position that was drawn has its change");
    let mut last = Position(book.drawn.position);
    for change in &decision.changes {
        assert!(change.position > last && change.position.0 <= drawn.position, "a position was not drawn for this");
        last = change.position;
        let before = book.jobs.get(&change.job.id.number());
        assert!(before.is_some() || change.kind == ChangeKind::Submitted, "a change of a job that is not there");
        self::change(book, before.map(|job| &**job), change);
        job(&change.job);
        let written = decision.writes.iter().any(|write| written(write).is_some_and(|job| *job == *change.job));
        assert!(written, "a change is told and not written: {change:?}");
    }
    if let Some(lease) = lease(command) {
        let told = decision.changes.len() + decision.writes.len();
        let live = book.jobs.get(&lease.number).is_some_and(|job| job.live_lease(lease).is_some());
        assert!(live || told == 0, "a lease that is not live changes something: {command:?}");
    }
    if let (Command::Submit(submissions), Answer::Accepted(_)) = (command, &decision.answer) {
        accepted(book, submissions, decision, spent.0);
    }
}

/// Checks what any job is like after any change.
fn job(job: &Job) {
    let live = job.lease.as_ref().is_some_and(|lease| lease.state == LeaseState::Live);
    assert_eq!(job.status == Status::Processing, live, "a job is worked on without a lease, or the other way: {job:?}");
    assert_eq!(
        job.status.is_terminal(),
        job.finished_at.is_some(),
        "a job ended without a time, or the other way: {job:?}"
    );
    assert!(job.attempt <= job.spec.max_attempts, "a job has more attempts than it may: {job:?}");
    assert!(job.result.is_none() || job.status == Status::Done, "a job has a result that is not done: {job:?}");
    assert!(job.status != Status::Processing || job.started_at.is_some(), "an attempt did not start: {job:?}");
    assert!(job.status != Status::Failed || job.error.is_some(), "a job failed without a reason: {job:?}");
    assert!(job.status != Status::Done || job.error.is_none(), "a job is done and has an error: {job:?}");
}

/// Checks a change against the job before it.
fn change(book: &Book, before: Option<&Job>, change: &Change) {
    let after = &*change.job;
    assert_eq!((after.changed, change.at), (change.position, book.now));
    let Some(before) = before else {
        assert_eq!((after.version, after.run, after.attempt, after.status), (1, 1, 0, Status::Init));
        return assert_eq!(change.previous, Position::START);
    };
    assert_eq!(change.previous, before.changed, "the chain of a job's changes is broken");
    assert_eq!(after.version, before.version + 1, "a change is not one version");
    assert_eq!((after.id, &after.spec), (before.id, &before.spec), "a job became another");
    if matches!(change.kind, ChangeKind::Retried | ChangeKind::Redriven) {
        assert!(before.status.is_terminal() && before.status != Status::Done, "{} is retried", before.status);
        assert_eq!((after.run, after.attempt, after.status), (before.run + 1, 0, Status::Init));
        return;
    }
    assert!(!before.status.is_terminal(), "a terminal status changes within its run: {change:?}");
    assert_eq!((after.run, after.expires_at), (before.run, before.expires_at), "{:?} opens a run", change.kind);
    let attempts = i64::from(after.attempt) - i64::from(before.attempt);
    let counted = match change.kind {
        ChangeKind::Leased => 1,
        ChangeKind::Released => -1,
        _ => 0,
    };
    assert_eq!(attempts, counted, "{:?} counts {attempts} attempts", change.kind);
    let asked = before.cancel_requested_at.is_some();
    assert!(!asked || after.status != Status::Init, "a job goes on whose worker was asked to stop: {change:?}");
    assert!(after.status != Status::Init || after.run_at >= change.at, "a job waits for the past");
    let (waiting, working) = (before.status == Status::Init, before.status == Status::Processing);
    let allowed = match change.kind {
        // No submission of these plans has a unique key.
        ChangeKind::Submitted | ChangeKind::Retried | ChangeKind::Redriven | ChangeKind::Replaced => false,
        ChangeKind::Leased => waiting && after.status == Status::Processing,
        ChangeKind::Progressed | ChangeKind::Checkpointed => working && after.status == Status::Processing,
        ChangeKind::CancelRequested => working && !asked && after.status == Status::Processing,
        ChangeKind::Completed => working && after.status == Status::Done,
        ChangeKind::Released => working && matches!(after.status, Status::Init | Status::Cancelled),
        ChangeKind::Failed | ChangeKind::Lapsed => {
            working && matches!(after.status, Status::Init | Status::Failed | Status::Cancelled)
        }
        ChangeKind::Unblocked => waiting && after.status == Status::Init && !before.held.is_free(),
        ChangeKind::Blocked => waiting && after.status == Status::Init && !before.held.behind && after.held.behind,
        ChangeKind::Cancelled => waiting && after.status == Status::Cancelled,
        ChangeKind::Expired => after.status == Status::Expired && book.now >= before.expires_at,
    };
    assert!(allowed, "{:?} takes a job from {} to {}", change.kind, before.status, after.status);
}

/// Checks that all lines of a submission were accepted, each key once.
fn accepted(book: &Book, submissions: &[Submission], decision: &Decision, numbers: u64) {
    let Answer::Accepted(accepted) = &decision.answer else { panic!("{:?}", decision.answer) };
    assert_eq!(accepted.len(), submissions.len(), "not every line is answered");
    let fresh: Vec<&Job> = accepted.iter().filter(|line| !line.is_replayed()).map(|line| &*line.job).collect();
    let told: Vec<&Job> = decision.changes.iter().map(|change| &*change.job).collect();
    let inserted: Vec<&Job> = decision.writes.iter().filter_map(written).collect();
    assert_eq!((&told, &inserted), (&fresh, &fresh), "what is accepted, told and written differs");
    assert_eq!(numbers, fresh.len() as u64, "not every number that was drawn has its job");
    for (submission, line) in submissions.iter().zip(accepted) {
        assert_eq!(line.job.spec.key, submission.key, "a line gets the job of another key");
        let Some(key) = &submission.key else {
            assert!(!line.is_replayed(), "a line without a key is replayed");
            continue;
        };
        let held = |job: &&Job| job.spec.key.as_ref().is_some_and(|held| held.text == key.text);
        let holders: Vec<&Job> =
            book.jobs.values().map(|job| &**job).chain(fresh.iter().copied()).filter(held).collect();
        assert_eq!(holders, [&*line.job], "one key is not one job");
    }
}

/// Checks what holds over a whole life.
pub(super) fn history(book: &Book) {
    let mut attempts: BTreeMap<(u64, u32), i64> = BTreeMap::new();
    let mut ends: BTreeMap<(u64, u32), Status> = BTreeMap::new();
    let mut last: BTreeMap<u64, (u64, Position)> = BTreeMap::new();
    for change in &book.changes {
        let (number, job) = (change.job.id.number(), &change.job);
        let (version, previous) = last.insert(number, (job.version, change.position)).unwrap_or_default();
        assert_eq!((job.version, change.previous), (version + 1, previous), "a job's history has a gap");
        let run = (number, job.run);
        *attempts.entry(run).or_default() += match change.kind {
            ChangeKind::Leased => 1,
            ChangeKind::Released => -1,
            _ => 0,
        };
        assert_eq!(attempts[&run], i64::from(job.attempt), "an attempt is not counted once");
        if job.status.is_terminal() {
            assert_eq!(ends.insert(run, job.status), None, "a run ends twice");
        }
        assert_eq!(ends.get(&run).copied().unwrap_or(job.status), job.status, "a run goes on after its end");
    }
    for (number, job) in &book.jobs {
        assert_eq!(last.get(number), Some(&(job.version, job.changed)), "a job is not as it was told last");
    }
}

fn written(write: &Write) -> Option<&Job> {
    match write {
        Write::Insert(job, _)
        | Write::Copy { job, .. }
        | Write::Replace(job, _)
        | Write::Update(job)
        | Write::Finish(job, _) => Some(job),
        Write::Erase(_)
        | Write::Overdue(_)
        | Write::Forget(_)
        | Write::Queue(_)
        | Write::Started(..)
        | Write::Endpoint(_)
        | Write::NoEndpoint(_)
        | Write::Position(..)
        | Write::Schedule(_)
        | Write::NoSchedule(_)
        | Write::Link(..)
        | Write::Unlink(..)
        | Write::Unresolved(_)
        | Write::Resolved(_)
        | Write::File(_)
        | Write::NoFile(_) => None,
    }
}

fn lease(command: &Command) -> Option<&LeaseToken> {
    match command {
        Command::Heartbeat { lease, .. }
        | Command::Complete { lease, .. }
        | Command::Fail { lease, .. }
        | Command::Release { lease, .. }
        | Command::Lapse { lease, .. } => Some(lease),
        _ => None,
    }
}
