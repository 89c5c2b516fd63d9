use std::sync::Arc;

use ackd_domain::{Body, Command, Failure, Progress, Submission, Timestamp, limits};

use super::Case;
use super::samples::{SECOND, body, filled, json, name, submission};
use super::world::World;

pub(super) const CASES: &[Case] = &[
    ("payloads and results are kept byte for byte", bodies_are_kept),
    ("fields are kept at their limits", fields_at_their_limits),
    ("texts are kept character for character", texts_are_kept),
];

/// Bodies of every size and kind, each told from the others.
fn bodies() -> Vec<Body> {
    let noise = |size: usize| (0..size).map(|n| (n * 31 + n / 251).to_le_bytes()[0]).collect::<Vec<u8>>();
    let mut bodies = vec![
        body("application/json", ""),
        body("application/octet-stream", vec![0]),
        body("text/plain; charset=utf-8", "ÄÖÜ 𝄞"),
        body("application/octet-stream", (0..=255).collect::<Vec<u8>>()),
        body("application/octet-stream", vec![0; 100]),
        json("{\"a\" : 1.0e2,\r\n\t\"a\": \"\\u0000\"}"),
        body(&filled("application/x-", limits::CONTENT_TYPE_BYTES), "x"),
    ];
    // Around what an adapter may take for small, for a page, or for large.
    for size in [1000, 4095, 4096, 4097, 65_535, 65_536, 65_537, 1 << 20] {
        bodies.push(body("video/mp4", noise(size)));
    }
    bodies
}

fn bodies_are_kept(world: &mut World) {
    let bodies = bodies();
    for (payload, result) in bodies.iter().zip(bodies.iter().rev()) {
        let (_, lease) = world.leased(Submission { payload: payload.clone(), ..submission("video") });
        let job = world.job(Command::Complete { lease, result: Some(result.clone()) });
        assert_eq!((&job.spec.payload, &job.result), (&payload.info(), &Some(result.info())));
        let number = job.id.number();
        assert_eq!(
            world.reader().payloads(&[number]),
            Ok(vec![Some(payload.clone())]),
            "a payload of {}",
            payload.bytes.len()
        );
        assert_eq!(world.reader().result(number), Ok(Some(result.clone())), "a result of {}", result.bytes.len());
    }
    let known: Vec<(u64, Option<Body>)> = world.results.clone().into_iter().chain([(u64::MAX >> 20, None)]).collect();
    let numbers: Vec<u64> = known.iter().map(|(number, _)| *number).collect();
    for most in [0, 999, 1000, 65_536, u64::MAX] {
        let fits = |result: &Body| result.bytes.len() as u64 <= most;
        let expected: Vec<Option<Body>> = known.iter().map(|(_, result)| result.clone().filter(fits)).collect();
        assert_eq!(world.reader().results(&numbers, most), Ok(expected), "of at most {most} bytes");
    }
    // All at once, and those that wait.
    world.submit_all(bodies.iter().map(|body| Submission { payload: body.clone(), ..submission("audio") }).collect());
}

fn fields_at_their_limits(world: &mut World) {
    // Texts of characters of four bytes each, so that bytes are what is counted.
    let long = |bytes| filled("𝄞", bytes);
    let queue = "q".repeat(ackd_domain::Name::MAX_LEN);
    let submission = Submission {
        kind: Some(long(limits::TYPE_BYTES)),
        priority: Some(limits::PRIORITY),
        max_attempts: Some(limits::ATTEMPTS),
        timeout: Some(limits::DURATION),
        expires_in: Some(limits::DURATION),
        result_retention: Some(limits::DURATION),
        tags: (0..limits::TAGS).map(|n| filled(&format!("{n}"), limits::TAG_BYTES)).collect(),
        traceparent: Some(filled("00-", limits::TRACEPARENT_BYTES)),
        ..Submission::new(name(&queue), json("1"))
    };
    let job = world.submit(submission.keyed(long(limits::KEY_BYTES)));
    let number = job.id.number();
    let worker = filled("w", ackd_domain::Name::MAX_LEN);
    let job = world.job(Command::Lease { number, worker: Some(worker), ttl: Some(limits::LEASE_TTL_MAX) });
    let lease = job.lease.as_ref().map(|lease| lease.token(number)).expect("a leased job has a lease");
    let progress =
        Progress { percent: Some(f64::MIN_POSITIVE), message: Some(long(limits::MESSAGE_BYTES)), at: Timestamp::MAX };
    let checkpoint = Some(long(limits::CHECKPOINT_BYTES));
    world
        .one(Command::Heartbeat { lease, ttl: Some(SECOND), progress: Some(progress), checkpoint })
        .expect("a long message and checkpoint are taken");
    world.audit();
    let error = Failure { problem: long(limits::FAILURE_BYTES) };
    let fail = Command::Fail { lease, error, retryable: true, retry_after: Some(limits::DURATION), cancelled: false };
    let failed = world.job(fail);
    assert_eq!(failed.run_at, world.now.after(limits::DURATION));
    world.audit();
    world.reopen();
}

fn texts_are_kept(world: &mut World) {
    // What a store might cut, fold, trim or take for something else.
    let texts =
        ["", " ", "a\0b", "\0", "NULL", "'; --", "%_", "\u{feff}x", "e\u{301}", "é", "\u{10ffff}", "\r\n", "01"];
    for text in texts {
        let text: Arc<str> = text.into();
        let submission = Submission {
            kind: Some(Arc::clone(&text)),
            tags: vec![Arc::clone(&text), "\0".into()],
            traceparent: Some(Arc::clone(&text)),
            ..submission("video")
        };
        let job = world.submit(submission);
        let worker = Some(Arc::clone(&text));
        let number = job.id.number();
        let job = world.job(Command::Lease { number, worker, ttl: None });
        let lease = job.lease.as_ref().map(|lease| lease.token(number)).expect("a leased job has a lease");
        let progress = Progress { percent: None, message: Some(Arc::clone(&text)), at: Timestamp::MAX };
        let checkpoint = Some(Arc::clone(&text));
        world
            .one(Command::Heartbeat { lease, ttl: None, progress: Some(progress), checkpoint })
            .expect("a heartbeat is taken");
        world.audit();
        let error = Failure { problem: Arc::clone(&text) };
        world.job(Command::Fail { lease, error, retryable: true, retry_after: None, cancelled: false });
        let filter =
            ackd_ports::Filter { kinds: vec![Arc::clone(&text)], tags: vec![text], ..ackd_ports::Filter::default() };
        world.check_list(&filter, 10);
    }
}
