use std::collections::BTreeMap;
use std::sync::Arc;

use ackd_domain::{BulkAction, BulkCourse, Command, Failure, Job, JobId, Name, Position, Status, Submission};

use ackd_ports::{DeadCause, EXPIRED, cause};

use super::Case;
use super::samples::{SECOND, failure, json, name, submission};
use super::world::World;

pub(super) const CASES: &[Case] = &[
    ("the dead are known by their causes", the_dead_are_known_by_their_causes),
    ("a redrive takes each that died before it once", a_redrive_takes_each_once),
    ("a part of a bulk job counts its own steps", a_part_counts_its_own_steps),
];

impl World {
    /// Compares what is told of the dead with what must be dead.
    pub(super) fn audit_dead(&self) {
        let mut queues: BTreeMap<Name, BTreeMap<Arc<str>, Vec<&Job>>> =
            BTreeMap::from([(name("unknown"), BTreeMap::new())]);
        for job in self.jobs.values() {
            let causes = queues.entry(job.spec.queue.clone()).or_default();
            if let Some(cause) = cause(job) {
                causes.entry(cause).or_default().push(job);
            }
        }
        for (queue, causes) in queues {
            let mut told = self.reader().dead_causes(&queue, 1000, 2).expect("the dead can be read");
            assert!(told.is_sorted_by(|a, b| a.count >= b.count), "the causes that most have do not stand first");
            told.sort_by(|a, b| a.cause.cmp(&b.cause));
            let examples = |jobs: &[&Job]| -> Vec<JobId> { jobs.iter().rev().take(2).map(|job| job.id).collect() };
            let expected: Vec<DeadCause> = causes
                .iter()
                .map(|(cause, jobs)| DeadCause {
                    cause: Arc::clone(cause),
                    count: jobs.len() as u64,
                    examples: examples(jobs),
                })
                .collect();
            assert_eq!(told, expected, "the causes of {queue} differ from a recount");
            let all: usize = causes.values().map(Vec::len).sum();
            assert_eq!(self.reader().dead_count(&queue, None), Ok(all as u64));
            assert_eq!(self.reader().dead_count(&queue, Some("no such cause")), Ok(0));
            let of = |job: &&Job| job.id.number();
            let mut every: Vec<u64> = causes.values().flatten().map(of).collect();
            every.sort_unstable();
            self.check_dead(&queue, None, &every);
            for (cause, jobs) in &causes {
                let numbers: Vec<u64> = jobs.iter().map(of).collect();
                assert_eq!(self.reader().dead_count(&queue, Some(cause)), Ok(numbers.len() as u64));
                self.check_dead(&queue, Some(cause), &numbers);
            }
        }
    }

    fn check_dead(&self, queue: &Name, cause: Option<&str>, expected: &[u64]) {
        let (mut found, mut after) = (Vec::new(), 0);
        loop {
            let page = self.reader().dead(queue, cause, after, 7).expect("the dead can be read");
            let Some(last) = page.last() else { break };
            assert!(page.len() <= 7 && page[0] > after, "a page of the dead repeats some");
            after = *last;
            found.extend(page);
        }
        assert_eq!(found, expected, "the dead of {queue} are not those that died");
    }

    /// Fails a job of `queue` for good.
    fn died(&mut self, queue: &str, error: Failure) -> Arc<Job> {
        let (_, lease) = self.leased(submission(queue));
        self.job(Command::Fail { lease, error, retryable: false, retry_after: None, cancelled: false })
    }
}

fn the_dead_are_known_by_their_causes(world: &mut World) {
    let typed = |kind: &str| Failure { problem: format!(r#"{{"type":"{kind}","title":"no"}}"#).into() };
    let first = world.died("video", typed("https://x.example/quota"));
    world.died("video", typed("https://x.example/quota"));
    world.died("video", typed("about:blank"));
    world.died("video", failure(&"long ".repeat(100)));
    world.died("audio", failure("no"));
    world.died("ackd.own", failure("no"));
    let soon = world.submit(Submission { expires_in: Some(SECOND), ..submission("video") });
    let (waiting, _) = world.leased(submission("video"));
    world.pass(SECOND);
    world.job(Command::Expire { number: soon.id.number() });
    let count = |world: &World, cause| world.reader().dead_count(&name("video"), cause);
    assert_eq!(count(world, Some("https://x.example/quota")), Ok(2));
    assert_eq!(count(world, Some("no")), Ok(1));
    assert_eq!(count(world, Some(EXPIRED)), Ok(1));
    assert_eq!(count(world, None), Ok(5));
    assert_eq!(world.reader().dead_count(&name("ackd.own"), None), Ok(0), "the server's own jobs are told of");
    assert_eq!(world.reader().dead_causes(&name("video"), 1, 1).map(|causes| causes.len()), Ok(1));
    world.audit();
    // One runs again, one is erased, and one dies of something else at last.
    world.job(Command::Retry { id: soon.id });
    assert!(world.one(Command::Delete { id: first.id }).is_ok());
    assert_eq!(count(world, Some(EXPIRED)), Ok(0));
    world.audit();
    world.reopen();
    let (_, lease) = world.lease(&soon);
    world.job(Command::Fail { lease, error: failure("no"), retryable: false, retry_after: None, cancelled: false });
    assert_eq!((count(world, Some("no")), count(world, None)), (Ok(2), Ok(4)));
    assert_eq!(world.known(&waiting).status, Status::Processing);
}

fn a_redrive_takes_each_once(world: &mut World) {
    let (bulk, lease) = world.leased(Submission::new(Name::bulk().clone(), json("{}")));
    let jobs: Vec<Arc<Job>> = (0..5).map(|_| world.died("video", failure("no"))).collect();
    let until = world.head();
    let step = |job: &Job, until| Command::BulkStep {
        number: job.id.number(),
        action: BulkAction::Redrive,
        until,
        bulk: lease,
    };
    let course = |next| BulkCourse { until, next, matched: 6, changed: 0, refused: 0, percent: 50.0 };
    let mut commands: Vec<Command> = jobs.iter().map(|job| step(job, until)).collect();
    // The same once more in the same commit, as well as in the next.
    commands.push(step(&jobs[0], until));
    commands.push(Command::BulkPart { bulk: lease, course: course(Some(7)) });
    let applied = world.apply(commands);
    let came: Vec<bool> = applied.answers.iter().map(Result::is_ok).collect();
    assert_eq!(came, [true, true, true, true, true, false, true]);
    let noted = world.known(&bulk);
    assert!(noted.checkpoint.as_deref().is_some_and(|text| text.contains(r#""changed":5,"refused":1"#)), "{noted:?}");
    assert_eq!(world.reader().dead_count(&name("video"), None), Ok(0));
    let (_, worker) = world.lease(&jobs[0]);
    world.job(Command::Fail {
        lease: worker,
        error: failure("no"),
        retryable: false,
        retry_after: None,
        cancelled: false,
    });
    world.refused(step(&jobs[0], until), &ackd_domain::Refusal::ChangedSince);
    world.reopen();
    world.refused(step(&jobs[0], until), &ackd_domain::Refusal::ChangedSince);
    let head = world.head();
    world.job(step(&jobs[0], head));
    let ended = world.job(Command::BulkPart { bulk: lease, course: course(None) });
    assert_eq!(ended.status, Status::Done);
    world.refused(step(&jobs[1], Position(u64::MAX)), &ackd_domain::Refusal::LeaseLost);
}

fn a_part_counts_its_own_steps(world: &mut World) {
    let (one, first) = world.leased(Submission::new(Name::bulk().clone(), json("{}")));
    let (other, second) = world.leased(Submission::new(Name::bulk().clone(), json("{}")));
    let jobs: Vec<Arc<Job>> = (0..3).map(|_| world.submit(submission("video"))).collect();
    let cancel = |job: &Job, bulk| Command::BulkStep {
        number: job.id.number(),
        action: BulkAction::Cancel,
        until: Position::START,
        bulk,
    };
    let course = BulkCourse { until: Position(1), next: Some(1), matched: 0, changed: 0, refused: 0, percent: 0.0 };
    world.apply(vec![
        cancel(&jobs[0], first),
        cancel(&jobs[1], first),
        Command::BulkPart { bulk: first, course },
        cancel(&jobs[1], second),
        cancel(&jobs[2], second),
        Command::BulkPart { bulk: second, course },
    ]);
    let noted = |world: &World, job| world.known(job).checkpoint.clone().unwrap_or_default();
    assert!(noted(world, &one).contains(r#""changed":2,"refused":0"#));
    assert!(noted(world, &other).contains(r#""changed":1,"refused":1"#));
    // What a batch counted that was not written down is forgotten with it.
    world.apply(vec![cancel(&jobs[0], first)]);
    world.apply(vec![Command::BulkPart { bulk: first, course }]);
    assert!(noted(world, &one).contains(r#""changed":0,"refused":0"#));
}
