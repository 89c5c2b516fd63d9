use std::sync::Arc;

use ackd_domain::{
    After, ChangeKind, Command, Held, Job, JobId, LeaseToken, OnFailure, Refusal, Status, Submission, limits,
};

use ackd_ports::{Filter, LedgerError};

use super::Case;
use super::samples::{HOUR, SECOND, failure, filled, json, submission};
use super::world::World;

pub(super) const CASES: &[Case] = &[
    ("of an ordering key one may run at a time, in order", one_of_a_key_at_a_time),
    ("a key is held by a head that waits to be tried again", a_retrying_head_holds_its_key),
    ("who ends behind another lets nobody pass", who_ends_behind_lets_nobody_pass),
    ("a retried job stands in line anew", a_retried_job_stands_in_line),
    ("jobs that are retried run in the order of their acceptance", retried_newest_first),
    ("who waits for the retry of one with its own key gets it", a_retry_of_ones_own_key),
    ("keys are of a queue, and of every length", keys_are_of_a_queue),
    ("a job comes after others", a_job_comes_after_others),
    ("what has ended already is not waited for", what_has_ended_is_not_waited_for),
    ("a job is cancelled after one that failed, and what comes after it too", cancelled_after_a_failure),
    ("a job runs after one that failed", continued_after_a_failure),
    ("a job waits until one that failed is retried", waits_for_a_retry),
    ("what is not there cannot be come after", unknown_predecessors),
    ("a batch of jobs comes after its own lines", a_batch_comes_after_its_lines),
    ("what comes after a job is accepted with it, once", then_is_accepted_once),
    ("a thousand are told, slice by slice", a_thousand_are_told),
    ("a job that is retried while others are told of its end tells of the next", retried_while_it_is_told),
    ("as many as are told at once, and one more or less", as_many_as_are_told_at_once),
    ("who is gone does not end the telling of the others", the_gone_do_not_end_the_telling),
    ("one is kept as long as any of many waits for it", the_last_of_many_keeps_it),
    ("a crash before all are cancelled leaves none waiting", a_crash_before_all_are_cancelled),
];

fn ordered(queue: &str, key: &str) -> Submission {
    Submission { ordering_key: Some(key.into()), ..submission(queue) }
}

fn after(jobs: &[&Arc<Job>]) -> Submission {
    Submission { after: jobs.iter().map(|job| After::Job(job.id)).collect(), ..submission("video") }
}

fn done(world: &mut World, job: &Job) {
    let (_, lease) = world.lease(&world.known(job));
    complete(world, lease);
}

fn complete(world: &mut World, lease: LeaseToken) {
    world.job(Command::Complete { lease, result: Some(json("1")) });
}

fn fail(world: &mut World, job: &Job, retryable: bool) {
    let (_, lease) = world.lease(&world.known(job));
    world.job(Command::Fail { lease, error: failure("no"), retryable, retry_after: Some(HOUR), cancelled: false });
}

fn held(world: &World, jobs: &[&Arc<Job>]) -> Vec<bool> {
    jobs.iter().map(|job| !world.known(job).held.is_free()).collect()
}

/// Who holds the ordering key of this job.
fn holder(world: &World, job: &Job) -> Option<JobId> {
    let key = job.spec.ordering_key.as_deref().expect("it has an ordering key");
    world.reader().holder(&job.spec.queue, key).expect("the holder of a key can be read").map(|holder| holder.id)
}

fn lease_of(job: &Job) -> Command {
    Command::Lease { number: job.id.number(), worker: None, ttl: None }
}

fn one_of_a_key_at_a_time(world: &mut World) {
    let [a, b, c] = [0; 3].map(|_| world.submit(ordered("video", "customer-1")));
    let other = world.submit(ordered("video", "customer-2"));
    let plain = world.submit(submission("video"));
    assert_eq!(held(world, &[&a, &b, &c, &other, &plain]), [false, true, true, false, false]);
    world.refused(lease_of(&b), &Refusal::HeldBack);
    world.audit();
    world.reopen();
    assert_eq!(holder(world, &a), Some(a.id));
    done(world, &a);
    assert_eq!(held(world, &[&b, &c]), [false, true]);
    world.refused(lease_of(&c), &Refusal::HeldBack);
    // In one batch: the end of one and the lease of the next.
    let (_, lease) = world.lease(&world.known(&b));
    let applied = world.apply(vec![Command::Complete { lease, result: None }, lease_of(&c)]);
    assert!(applied.answers.iter().all(Result::is_ok), "{:?}", applied.answers);
    let kinds: Vec<ChangeKind> = applied.changes.iter().map(|change| change.kind).collect();
    assert_eq!(kinds, [ChangeKind::Completed, ChangeKind::Unblocked, ChangeKind::Leased]);
    // The line is at its end, and begins anew.
    world.job(Command::Cancel { id: c.id });
    let late = world.submit(ordered("video", "customer-1"));
    assert_eq!(held(world, &[&late]), [true]);
    // Many at once, in one command.
    let many = world.submit_all(vec![ordered("bulk", "k"), ordered("bulk", "l"), ordered("bulk", "k")]);
    let held: Vec<bool> = many.iter().map(|it| it.job.held.behind).collect();
    assert_eq!(held, [false, false, true]);
}

fn a_retrying_head_holds_its_key(world: &mut World) {
    let [a, b] = [0; 2].map(|_| world.submit(ordered("video", "k")));
    fail(world, &a, true);
    assert_eq!((world.known(&a).status, held(world, &[&a, &b])), (Status::Init, vec![false, true]));
    world.refused(lease_of(&b), &Refusal::HeldBack);
    world.pass(HOUR);
    fail(world, &a, false);
    assert_eq!((world.known(&a).status, held(world, &[&b])), (Status::Failed, vec![false]));
    // So does one that is due later.
    let later = Submission { start: ackd_domain::Start::After(HOUR), ..ordered("video", "later") };
    let [head, next] = [world.submit(later), world.submit(ordered("video", "later"))];
    assert_eq!(held(world, &[&head, &next]), [false, true]);
    world.job(Command::Cancel { id: head.id });
    assert_eq!(held(world, &[&next]), [false]);
}

fn who_ends_behind_lets_nobody_pass(world: &mut World) {
    let [a, b, c] = [0; 3].map(|_| world.submit(ordered("video", "k")));
    world.job(Command::Cancel { id: b.id });
    assert_eq!(held(world, &[&a, &c]), [false, true]);
    let soon = Submission { expires_in: Some(SECOND), ..ordered("video", "k") };
    let soon = world.submit(soon);
    world.pass(SECOND);
    world.job(Command::Expire { number: soon.id.number() });
    assert_eq!(held(world, &[&a, &c]), [false, true]);
    done(world, &a);
    assert_eq!(held(world, &[&c]), [false]);
}

fn a_retried_job_stands_in_line(world: &mut World) {
    let [a, b, c] = [0; 3].map(|_| world.submit(ordered("video", "k")));
    fail(world, &a, false);
    let (_, lease) = world.lease(&world.known(&b));
    world.job(Command::Retry { id: a.id });
    assert_eq!(held(world, &[&a, &c]), [true, true]);
    assert_eq!(holder(world, &a), Some(b.id), "it is the first of its key, and another runs");
    world.reopen();
    // It was accepted first, and so it is the next.
    complete(world, lease);
    assert_eq!(held(world, &[&a, &c]), [false, true]);
    done(world, &a);
    done(world, &c);
    fail_and_retry_alone(world);
}

fn fail_and_retry_alone(world: &mut World) {
    let alone = world.submit(ordered("video", "alone"));
    fail(world, &alone, false);
    world.job(Command::Retry { id: alone.id });
    assert_eq!(held(world, &[&alone]), [false]);
}

/// As a bulk retry has them: the newest first.
fn retried_newest_first(world: &mut World) {
    let jobs = [0; 5].map(|_| world.submit(ordered("video", "k")));
    jobs.iter().for_each(|job| fail(world, job, false));
    let next = world.submit(ordered("video", "k"));
    for job in jobs.iter().rev() {
        world.job(Command::Retry { id: job.id });
        world.audit();
    }
    world.reopen();
    for at in 0..jobs.len() {
        let waiting: Vec<&Arc<Job>> = jobs[at..].iter().chain([&next]).collect();
        let expected: Vec<bool> = (0..waiting.len()).map(|place| place > 0).collect();
        assert_eq!(held(world, &waiting), expected, "after {at}");
        done(world, &jobs[at]);
    }
    done(world, &next);
    // One that is to be tried again makes way, too; one that runs does not.
    let [a, b, c] = [0; 3].map(|_| world.submit(ordered("video", "l")));
    fail(world, &a, false);
    fail(world, &b, true);
    world.job(Command::Retry { id: a.id });
    assert_eq!(held(world, &[&a, &b, &c]), [false, true, true]);
    world.refused(lease_of(&b), &Refusal::HeldBack);
    done(world, &a);
    assert_eq!(held(world, &[&b, &c]), [false, true]);
    world.pass(HOUR);
    done(world, &b);
    // Whoever was accepted later waits for its turn.
    fail(world, &c, false);
    let d = world.submit(ordered("video", "l"));
    world.job(Command::Retry { id: c.id });
    assert_eq!(held(world, &[&c, &d]), [false, true]);
    world.job(Command::Cancel { id: c.id });
    assert_eq!(held(world, &[&d]), [false]);
    // In one batch with the lease that it prevents.
    let applied = world.apply(vec![Command::Retry { id: c.id }, lease_of(&d)]);
    assert_eq!(applied.answers[1], Err(Refusal::HeldBack));
    let kinds: Vec<ChangeKind> = applied.changes.iter().map(|change| change.kind).collect();
    assert_eq!(kinds, [ChangeKind::Retried, ChangeKind::Blocked]);
}

fn a_retry_of_ones_own_key(world: &mut World) {
    let first = world.submit(ordered("video", "k"));
    let waits = Submission { on_failure: OnFailure::Wait, ..ordered("video", "k") };
    let next = world.submit(Submission { after: vec![After::Job(first.id)], ..waits.clone() });
    let last = world.submit(ordered("video", "k"));
    fail(world, &first, false);
    assert_eq!(world.known(&next).held, Held { after: true, behind: false });
    world.job(Command::Retry { id: first.id });
    assert_eq!(world.known(&first).held, Held::default());
    assert_eq!(world.known(&next).held, Held { after: true, behind: true });
    world.reopen();
    done(world, &first);
    assert_eq!(held(world, &[&next, &last]), [false, true]);
    done(world, &next);
    done(world, &last);
    // Through one that has no key.
    let first = world.submit(ordered("video", "k"));
    let middle = Submission { ordering_key: None, ..waits.clone() };
    let middle = world.submit(Submission { after: vec![After::Job(first.id)], ..middle });
    let next = world.submit(Submission { after: vec![After::Job(middle.id)], ..waits });
    fail(world, &first, false);
    world.job(Command::Retry { id: first.id });
    for job in [&first, &middle, &next] {
        assert_eq!(held(world, &[job]), [false]);
        done(world, job);
    }
}

fn keys_are_of_a_queue(world: &mut World) {
    let longest = filled("größe", limits::ORDERING_KEY_BYTES);
    for key in ["k", "", &longest] {
        let [here, there] = [world.submit(ordered("video", key)), world.submit(ordered("audio", key))];
        assert_eq!(held(world, &[&here, &there]), [false, false]);
        assert_eq!(held(world, &[&world.known(&here)]), [false]);
        let behind = world.submit(ordered("video", key));
        assert_eq!(behind.held, Held { behind: true, after: false });
    }
    world.reopen();
}

fn a_job_comes_after_others(world: &mut World) {
    let [a, b] = [0; 2].map(|_| world.submit(submission("video")));
    let both = world.submit(Submission { ordering_key: Some("k".into()), ..after(&[&a, &b, &a]) });
    let behind = world.submit(ordered("video", "k"));
    assert_eq!(both.held, Held { after: true, behind: false });
    let ids: Vec<JobId> = both.spec.after.iter().map(|it| it.id).collect();
    assert_eq!(ids, [a.id, b.id], "each once");
    world.refused(lease_of(&both), &Refusal::HeldBack);
    world.audit();
    world.reopen();
    let waits_for = |world: &World| -> Vec<JobId> {
        let predecessors = world.reader().predecessors(both.id.number(), 10).expect("links can be read");
        predecessors.iter().map(|job| job.id).collect()
    };
    assert_eq!(waits_for(world), [a.id, b.id]);
    done(world, &a);
    assert_eq!((waits_for(world), held(world, &[&both, &behind])), (vec![b.id], vec![true, true]));
    world.reopen();
    done(world, &b);
    assert_eq!((waits_for(world), held(world, &[&both, &behind])), (vec![], vec![false, true]));
    assert_eq!(world.reader().unresolved(), Ok(vec![]), "all were told");
    done(world, &both);
    assert_eq!(held(world, &[&behind]), [false]);
    // Both in one batch.
    let [a, b] = [0; 2].map(|_| world.submit(submission("video")));
    let joined = world.submit(after(&[&a, &b]));
    let leases = [&a, &b].map(|job| world.lease(&world.known(job)).1);
    let end = |lease| Command::Complete { lease, result: None };
    world.apply(leases.map(end).into());
    assert_eq!(held(world, &[&joined]), [false]);
    let a = world.submit(submission("video"));
    let next = world.submit(after(&[&a]));
    let (_, lease) = world.lease(&a);
    if world.fixture.fail_next(LedgerError::Full("no room".into())) {
        let failed = world.try_apply(vec![Command::Complete { lease, result: None }], &mut ackd_ports::Idle);
        assert!(matches!(failed, Err(LedgerError::Full(_))), "{failed:?}");
        world.audit();
        assert_eq!(held(world, &[&next]), [true]);
    }
    complete(world, lease);
    assert_eq!(held(world, &[&next]), [false]);
}

fn what_has_ended_is_not_waited_for(world: &mut World) {
    let [a, b] = [0; 2].map(|_| world.submit(submission("video")));
    done(world, &a);
    fail(world, &b, false);
    let policy = |on_failure| Submission { on_failure, ..after(&[&a, &b]) };
    assert_eq!(world.submit(after(&[&a])).held, Held::default());
    assert_eq!(world.submit(policy(OnFailure::Continue)).held, Held::default());
    assert_eq!(world.submit(policy(OnFailure::Wait)).held, Held { after: true, behind: false });
    let cancelled = world.submit(Submission { ordering_key: Some("k".into()), ..policy(OnFailure::Cancel) });
    assert_eq!((cancelled.status, cancelled.version), (Status::Cancelled, 2));
    assert!(cancelled.error.as_ref().is_some_and(|error| error.problem.contains(&b.id.to_string())));
    assert_eq!(world.submit(ordered("video", "k")).held, Held::default(), "one that ended at once holds no key");
}

fn cancelled_after_a_failure(world: &mut World) {
    let a = world.submit(submission("video"));
    let [b, c] = [world.submit(after(&[&a])), world.submit(ordered("video", "k"))];
    let d = world.submit(Submission { ordering_key: Some("k".into()), ..after(&[&b, &c]) });
    let anyway = world.submit(Submission { on_failure: OnFailure::Continue, ..after(&[&b]) });
    let (_, lease) = world.lease(&a);
    let fails = Command::Fail { lease, error: failure("no"), retryable: false, retry_after: None, cancelled: false };
    world.apply(vec![fails]);
    let statuses: Vec<Status> = [&a, &b, &c, &d].iter().map(|job| world.known(job).status).collect();
    assert_eq!(statuses, [Status::Failed, Status::Cancelled, Status::Init, Status::Cancelled]);
    assert_eq!(held(world, &[&anyway]), [false]);
    assert_eq!(world.reader().unresolved(), Ok(vec![]));
    world.audit();
    world.reopen();
    // What d also came after tells nobody any more, and a retry of d waits for nothing.
    done(world, &c);
    world.job(Command::Retry { id: d.id });
    assert_eq!(held(world, &[&d]), [false]);
    done(world, &d);
}

fn continued_after_a_failure(world: &mut World) {
    for end in [Status::Failed, Status::Cancelled, Status::Expired] {
        let first = world.submit(Submission { expires_in: Some(SECOND), ..submission("video") });
        let next = world.submit(Submission { on_failure: OnFailure::Continue, ..after(&[&first]) });
        match end {
            Status::Failed => fail(world, &first, false),
            Status::Cancelled => drop(world.job(Command::Cancel { id: first.id })),
            _ => {
                world.pass(SECOND);
                world.job(Command::Expire { number: first.id.number() });
            }
        }
        assert_eq!((world.known(&first).status, held(world, &[&next])), (end, vec![false]));
    }
}

fn waits_for_a_retry(world: &mut World) {
    let first = world.submit(submission("video"));
    let next = world.submit(Submission { on_failure: OnFailure::Wait, ..after(&[&first]) });
    fail(world, &first, false);
    assert_eq!((world.known(&next).status, held(world, &[&next])), (Status::Init, vec![true]));
    assert_eq!(world.reader().unresolved(), Ok(vec![]));
    world.reopen();
    world.job(Command::Retry { id: first.id });
    done(world, &first);
    assert_eq!(held(world, &[&next]), [false]);
    // Its owner may lose patience.
    let first = world.submit(submission("video"));
    let next = world.submit(Submission { on_failure: OnFailure::Wait, ..after(&[&first]) });
    world.job(Command::Cancel { id: next.id });
    done(world, &first);
    assert_eq!(world.known(&next).status, Status::Cancelled);
}

fn unknown_predecessors(world: &mut World) {
    let a = world.submit(submission("video"));
    let salted = JobId::new(a.created_at(), a.id.number(), a.id.salt() ^ 1);
    let never = JobId::new(a.created_at(), 1 << 40, 1);
    let lines = vec![
        submission("video"),
        Submission { after: vec![After::Job(a.id), After::Job(salted)], ..submission("video") },
        Submission { after: vec![After::Job(never)], ..submission("video") },
    ];
    world.refused(Command::Submit(lines), &Refusal::NoPredecessor(vec![(1.into(), salted), (2.into(), never)]));
    world.audit();
}

fn a_batch_comes_after_its_lines(world: &mut World) {
    let part = |key: &str, lines: &[usize]| Submission {
        after: lines.iter().map(|line| After::Line(*line)).collect(),
        flow_key: Some(key.into()),
        ..submission("video")
    };
    let lines = vec![part("split", &[]), part("left", &[0]), part("right", &[0]), part("join", &[1, 2])];
    let jobs: Vec<Arc<Job>> = world.submit_all(lines).into_iter().map(|accepted| accepted.job).collect();
    let parts: Vec<_> = jobs.iter().filter_map(|job| job.spec.flow.as_deref()).collect();
    assert!(parts.iter().all(|part| part.id == jobs[0].id && part.size == 4), "{parts:?}");
    world.submit(submission("video"));
    for size in [1, 3, 10] {
        let (mut listed, mut before) = (Vec::new(), None);
        loop {
            let filter = Filter { flow: Some(jobs[0].id), ..Filter::default() };
            let page = world.reader().list(&filter, before, size).expect("a flow can be listed");
            listed.extend(page.jobs.iter().map(|job| job.id));
            before = page.next;
            if before.is_none() {
                break;
            }
        }
        assert!(listed.iter().rev().eq(jobs.iter().map(|job| &job.id)), "{listed:?}");
    }
    let none = Filter { flow: Some(world.submit(submission("video")).id), ..Filter::default() };
    assert_eq!(world.reader().list(&none, None, 10).map(|page| page.jobs.len()), Ok(0));
    let keys: Vec<_> = jobs[3].spec.after.iter().map(|it| (it.id, it.key.as_deref())).collect();
    assert_eq!(keys, [(jobs[1].id, Some("left")), (jobs[2].id, Some("right"))]);
    world.audit();
    world.reopen();
    done(world, &jobs[0]);
    assert_eq!(held(world, &[&jobs[1], &jobs[2], &jobs[3]]), [false, false, true]);
    done(world, &jobs[1]);
    done(world, &jobs[2]);
    assert_eq!(held(world, &[&jobs[3]]), [false]);
}

fn a_thousand_are_told(world: &mut World) {
    let first = world.submit(submission("video"));
    let next = (0..1000).map(|at| Submission {
        on_failure: if at % 2 == 0 { OnFailure::Cancel } else { OnFailure::Continue },
        ..after(&[&first])
    });
    let next: Vec<Arc<Job>> = world.submit_all(next.collect()).into_iter().map(|accepted| accepted.job).collect();
    let (_, lease) = world.lease(&first);
    let fails = Command::Fail { lease, error: failure("no"), retryable: false, retry_after: None, cancelled: false };
    let mut follow_ups = world.apply(vec![fails]).follow_ups;
    assert!(!follow_ups.is_empty(), "so many at once stall everybody else");
    // A crash: what was left is known again.
    world.reopen();
    assert_eq!(world.reader().unresolved(), Ok(vec![first.id.number()]));
    follow_ups = vec![Command::Resolve { number: first.id.number(), run: None, told: 0 }];
    let mut steps = 0;
    while !follow_ups.is_empty() {
        follow_ups = world.apply(follow_ups).follow_ups;
        steps += 1;
        assert!(steps < 100, "it comes to no end");
    }
    assert_eq!(world.reader().unresolved(), Ok(vec![]));
    for (at, job) in next.iter().enumerate() {
        let job = world.known(job);
        let expected = if at % 2 == 0 { Status::Cancelled } else { Status::Init };
        assert_eq!((job.status, job.held.is_free() || at % 2 == 0), (expected, true), "job {at}");
    }
}

/// Some were told of its failure, and the others are about to be, when it is retried and done.
fn retried_while_it_is_told(world: &mut World) {
    let first = world.submit(submission("video"));
    // Of the failure a commit tells more than of the end that is waited for.
    let next = (0..3000).map(|at| Submission {
        on_failure: if at % 3 == 0 { OnFailure::Continue } else { OnFailure::Wait },
        ..after(&[&first])
    });
    let next = world.submit_all(next.collect());
    let next: Vec<Arc<Job>> = next.into_iter().map(|accepted| accepted.job).collect();
    let (_, lease) = world.lease(&first);
    let fails = Command::Fail { lease, error: failure("no"), retryable: false, retry_after: None, cancelled: false };
    let mut of_the_failure = world.apply(vec![fails]).follow_ups;
    assert!(!of_the_failure.is_empty(), "all were told at once");
    world.job(Command::Retry { id: first.id });
    let (_, lease) = world.lease(&world.known(&first));
    world.apply(vec![Command::Complete { lease, result: None }]);
    while !of_the_failure.is_empty() {
        of_the_failure = world.apply(of_the_failure).follow_ups;
    }
    // A crash, before anybody was told of the end of the second run.
    world.reopen();
    let mut follow_ups = vec![Command::Resolve { number: first.id.number(), run: None, told: 0 }];
    assert_eq!(
        world.reader().unresolved(),
        Ok(vec![first.id.number()]),
        "those who were told of the failure still wait"
    );
    while !follow_ups.is_empty() {
        follow_ups = world.apply(follow_ups).follow_ups;
    }
    assert_eq!(world.reader().unresolved(), Ok(vec![]));
    assert!(held(world, &next.iter().collect::<Vec<_>>()).iter().all(|held| !held), "some were not told");
}

fn as_many_as_are_told_at_once(world: &mut World) {
    for count in [limits::RESOLVED_AT_ONCE - 1, limits::RESOLVED_AT_ONCE, limits::RESOLVED_AT_ONCE + 1] {
        let first = world.submit(submission("video"));
        let next = world.submit_all(vec![after(&[&first]); count]);
        done(world, &first);
        assert_eq!(world.reader().unresolved(), Ok(vec![]), "{count} followers");
        let next: Vec<&Arc<Job>> = next.iter().map(|accepted| &accepted.job).collect();
        assert!(held(world, &next).iter().all(|held| !held), "{count} followers");
    }
}

fn the_gone_do_not_end_the_telling(world: &mut World) {
    let first = world.submit(submission("video"));
    let next = world.submit_all(vec![after(&[&first]); 2 * limits::RESOLVED_AT_ONCE]);
    let gone = [0, limits::RESOLVED_AT_ONCE - 1].map(|at| next[at].job.id);
    for id in gone {
        world.job(Command::Cancel { id });
    }
    let (_, lease) = world.lease(&first);
    // What is erased in the very batch is linked until the commit.
    let mut batch: Vec<Command> = gone.map(|id| Command::Delete { id }).into();
    batch.push(Command::Complete { lease, result: None });
    let mut follow_ups = world.apply(batch).follow_ups;
    while !follow_ups.is_empty() {
        follow_ups = world.apply(follow_ups).follow_ups;
    }
    let left: Vec<&Arc<Job>> = next.iter().map(|it| &it.job).filter(|job| !gone.contains(&job.id)).collect();
    assert!(held(world, &left).iter().all(|held| !held), "some were not told");
    assert_eq!(world.reader().unresolved(), Ok(vec![]));
}

fn the_last_of_many_keeps_it(world: &mut World) {
    let first = world.submit(submission("video"));
    let next = world
        .submit_all(vec![Submission { on_failure: OnFailure::Wait, ..after(&[&first]) }; limits::RESOLVED_AT_ONCE + 1]);
    fail(world, &first, false);
    for accepted in &next[..limits::RESOLVED_AT_ONCE] {
        world.job(Command::Cancel { id: accepted.job.id });
    }
    world.refused(Command::Delete { id: first.id }, &Refusal::Followed);
    world.job(Command::Cancel { id: next[limits::RESOLVED_AT_ONCE].job.id });
    world.one(Command::Delete { id: first.id }).expect("nobody waits for it");
}

/// Those that are to be cancelled are more than one commit takes, though no job has many.
fn a_crash_before_all_are_cancelled(world: &mut World) {
    let firsts: Vec<Arc<Job>> = (0..8).map(|_| world.submit(submission("video"))).collect();
    let next: Vec<Arc<Job>> = firsts
        .iter()
        .flat_map(|first| world.submit_all(vec![after(&[first]); 100]))
        .map(|accepted| accepted.job)
        .collect();
    let fails = firsts.iter().map(|first| {
        let (_, lease) = world.lease(first);
        Command::Fail { lease, error: failure("no"), retryable: false, retry_after: None, cancelled: false }
    });
    let fails = fails.collect();
    assert!(!world.apply(fails).follow_ups.is_empty(), "so many at once stall everybody else");
    world.reopen();
    let unresolved = world.reader().unresolved().expect("they can be read");
    let mut follow_ups: Vec<Command> =
        unresolved.into_iter().map(|number| Command::Resolve { number, run: None, told: 0 }).collect();
    while !follow_ups.is_empty() {
        follow_ups = world.apply(follow_ups).follow_ups;
    }
    let left: Vec<Status> =
        next.iter().map(|job| world.known(job).status).filter(|it| *it != Status::Cancelled).collect();
    assert_eq!(left, []);
    assert_eq!(world.reader().unresolved(), Ok(vec![]));
}

fn then_is_accepted_once(world: &mut World) {
    let third = Submission { on_failure: OnFailure::Wait, ..submission("mail") };
    let second = Submission {
        on_failure: OnFailure::Wait,
        ordering_key: Some("k".into()),
        then: vec![third],
        ..submission("audio")
    };
    let patch = ackd_domain::QueuePatch { max_attempts: Some(Some(7)), ..Default::default() };
    let queue = super::samples::name("audio");
    world.one(Command::Configure { queue, patch: Box::new(patch) }).expect("a queue is configured");
    let first = Submission { then: vec![second.clone(), second], ..submission("video") }.keyed("key".into());
    let head = world.head();
    let job = world.submit(first.clone());
    let made: Vec<Arc<Job>> = world.changes.iter().filter(|it| it.position > head).map(|it| it.job.clone()).collect();
    let shape: Vec<_> = made.iter().map(|job| (job.spec.queue.as_str(), job.held, job.spec.max_attempts)).collect();
    let (after, both) = (Held { after: true, behind: false }, Held { after: true, behind: true });
    let expected = [
        ("video", Held::default(), 20),
        ("audio", after, 7),
        ("mail", after, 20),
        ("audio", both, 7),
        ("mail", after, 20),
    ];
    assert_eq!(shape, expected);
    let again = world.submit_all(vec![first]);
    assert!(again[0].is_replayed() && again.len() == 1);
    world.audit();
    world.reopen();
    // It is tried again until it is done, however it ends before.
    fail(world, &job, false);
    assert_eq!(world.known(&made[1]).held, after);
    world.job(Command::Retry { id: job.id });
    done(world, &job);
    assert_eq!(held(world, &[&made[1], &made[2], &made[3]]), [false, true, true]);
    done(world, &made[1]);
    assert_eq!(held(world, &[&made[2], &made[3], &made[4]]), [false, false, true]);
}
