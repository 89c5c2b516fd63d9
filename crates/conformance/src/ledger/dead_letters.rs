use std::sync::Arc;

use ackd_domain::{Body, Command, DeadLetter, Job, QueuePatch, Refusal, Status, Submission, limits};

use ackd_ports::LedgerError;

use super::Case;
use super::files::{references, with_file};
use super::queues::configure;
use super::samples::{HOUR, SECOND, body, failure, filled, name, submission};
use super::world::World;

pub(super) const CASES: &[Case] = &[
    ("what dies is made anew in the dead-letter queue, in the same commit", what_dies_is_made_anew),
    ("a dead letter has the payload byte for byte", a_dead_letter_has_the_payload),
    ("a dead letter of what its own batch made has its payload", a_payload_of_the_batch_is_copied),
    ("many dead letters are made at once", many_are_made_at_once),
    ("a file goes with the last dead letter that has it", a_file_goes_with_its_last_dead_letter),
    ("a commit that fails makes no dead letter", a_failed_commit_makes_none),
    ("a ring of dead-letter queues is refused", a_ring_is_refused),
];

fn lead(world: &mut World, queue: &str, dead_letter: &str) {
    let patch = QueuePatch { dead_letter: Some(Some(name(dead_letter))), ..QueuePatch::default() };
    configure(world, queue, patch);
}

fn fail_for_good(lease: ackd_domain::LeaseToken) -> Command {
    Command::Fail { lease, error: failure("no"), retryable: false, retry_after: None, cancelled: false }
}

fn stored(world: &World, job: &Job) -> Option<Body> {
    world.reader().payloads(&[job.id.number()]).expect("a payload can be read").remove(0)
}

/// What was made of the dead job.
fn made_of(world: &World, dead: &Job) -> Arc<Job> {
    let mut made = world.jobs.values().filter(|job| job.spec.dead_letter_of.is_some_and(|it| it.of == dead.id));
    let first = made.next().cloned().expect("a dead letter is made");
    assert_eq!(made.next(), None, "two dead letters are made of one job");
    first
}

fn what_dies_is_made_anew(world: &mut World) {
    lead(world, "video", "graveyard");
    lead(world, "graveyard", "crypt");
    let asked = Submission {
        kind: Some("clip".into()),
        priority: Some(8),
        group: Some("a".into()),
        tags: vec!["x".into(), filled("t", 255)],
        ..submission("video")
    };
    let (_, lease) = world.leased(asked);
    let dead = world.job(fail_for_good(lease));
    assert_eq!((dead.status, &dead.spec.queue), (Status::Failed, &name("video")));
    let made = made_of(world, &dead);
    assert_eq!(made.spec.dead_letter_of, Some(DeadLetter { of: dead.id, hops: 1 }));
    assert_eq!((&made.spec.queue, &made.spec.tags), (&name("graveyard"), &dead.spec.tags));
    world.audit();
    world.reopen();
    // It is worked like any other, and goes on where it dies too.
    let (_, lease) = world.lease(&made);
    let dead = world.job(fail_for_good(lease));
    assert_eq!(made_of(world, &dead).spec.dead_letter_of.map(|it| it.hops), Some(2));
}

fn a_dead_letter_has_the_payload(world: &mut World) {
    lead(world, "video", "graveyard");
    for payload in [body("", ""), body("application/json", "{ }"), body("image/x", [0, 255, 7].repeat(50_000))] {
        let (_, lease) = world.leased(Submission { payload, ..submission("video") });
        let dead = world.job(fail_for_good(lease));
        let made = made_of(world, &dead);
        assert_eq!(stored(world, &made), world.payloads.get(&dead.id.number()).cloned());
        // Each has its own.
        assert!(world.one(Command::Delete { id: dead.id }).is_ok());
        assert_eq!(stored(world, &made), world.payloads.get(&made.id.number()).cloned());
    }
}

fn a_payload_of_the_batch_is_copied(world: &mut World) {
    lead(world, "video", "graveyard");
    let soon = world.submit(submission("video"));
    let number = soon.id.number() + 1;
    // It ends in the very commit that makes it.
    let asked = Submission { expires_in: Some(std::time::Duration::ZERO), ..submission("video") };
    let applied = world.apply(vec![Command::Submit(vec![asked]), Command::Expire { number }]);
    assert!(applied.answers.iter().all(Result::is_ok), "{:?}", applied.answers);
    let dead = Arc::clone(&world.jobs[&number]);
    let made = made_of(world, &dead);
    assert_eq!(stored(world, &made), world.payloads.get(&number).cloned());
}

fn many_are_made_at_once(world: &mut World) {
    lead(world, "video", "graveyard");
    let asked = |n: u64| {
        let payload = body("text/plain", format!("payload {n}"));
        Submission { payload, expires_in: Some(SECOND), ..submission("video") }
    };
    let accepted = world.submit_all((0..500).map(asked).collect());
    world.pass(SECOND);
    let numbers: Vec<u64> = accepted.iter().map(|accepted| accepted.job.id.number()).collect();
    world.apply(numbers.iter().map(|number| Command::Expire { number: *number }).collect());
    let made = world.jobs.values().filter(|job| job.spec.queue == name("graveyard"));
    assert_eq!(made.count(), 500);
}

fn a_file_goes_with_its_last_dead_letter(world: &mut World) {
    lead(world, "video", "graveyard");
    let (_, lease) = world.leased(with_file(3));
    let dead = world.job(fail_for_good(lease));
    let made = made_of(world, &dead);
    assert_eq!((made.spec.payload_file, references(world, 3)), (dead.spec.payload_file, Some(2)));
    assert!(world.one(Command::Delete { id: dead.id }).is_ok());
    assert_eq!(references(world, 3), Some(1));
    world.job(Command::Cancel { id: made.id });
    assert!(world.one(Command::Delete { id: made.id }).is_ok());
    assert_eq!(references(world, 3), Some(0));
}

fn a_failed_commit_makes_none(world: &mut World) {
    lead(world, "video", "graveyard");
    let (job, lease) = world.leased(submission("video"));
    let full = LedgerError::Full("no room".to_owned());
    if world.fixture.fail_next(full) {
        let failed = world.try_apply(vec![fail_for_good(lease)], &mut ackd_ports::Idle);
        assert!(failed.is_err(), "the commit was to fail");
        assert_eq!(world.known(&job).status, Status::Processing);
        world.audit();
    }
    let dead = world.job(fail_for_good(lease));
    made_of(world, &dead);
    world.pass(HOUR);
}

fn a_ring_is_refused(world: &mut World) {
    let to = |queue: &str, dead_letter: &str| {
        let patch = QueuePatch { dead_letter: Some(Some(name(dead_letter))), ..QueuePatch::default() };
        Command::Configure { queue: name(queue), patch: Box::new(patch) }
    };
    world.refused(to("a", "a"), &Refusal::DeadLetterRing(vec![name("a"), name("a")]));
    // Also within one batch.
    let applied = world.apply(vec![to("a", "b"), to("b", "c"), to("c", "a")]);
    let ring = ["c", "a", "b", "c"].map(name).to_vec();
    assert_eq!(applied.answers[2], Err(Refusal::DeadLetterRing(ring)));
    world.reopen();
    let last = usize::from(limits::DEAD_LETTER_HOPS);
    for queue in (0..last).rev() {
        lead(world, &format!("q{queue}"), &format!("q{}", queue + 1));
    }
    world.refused(to("more", "q0"), &Refusal::DeadLettersTooFar);
}
