use ackd_domain::{Command, LapseReason, QueuePatch, Start, Status, Submission};

use ackd_ports::Lane;

use super::Case;
use super::samples::{HOUR, SECOND, START, failure, name, submission};
use super::world::World;

pub(super) const CASES: &[Case] = &[
    ("jobs wait in the lane of their queue, type, priority and group", jobs_wait_in_lanes),
    ("no group's jobs stand in the page of another", groups_are_paged_apart),
    ("a lane is in the order of due time and number", a_lane_is_in_order),
    ("only what waits is in a lane", only_what_waits),
    ("a retried job goes to its new place", a_retried_job_moves),
    ("a lane goes on while its jobs are leased", a_lane_goes_on),
];

fn jobs_wait_in_lanes(world: &mut World) {
    for n in 0..162u8 {
        let kind = [None, Some("clip".into()), Some("".into())][usize::from(n % 3)].clone();
        let priority = [None, Some(0), Some(9)][usize::from(n / 3 % 3)];
        let queue = ["video", "audio", "ackd.own"][usize::from(n / 9 % 3)];
        let group = [None, Some("clip".into()), Some("größe".into())][usize::from(n / 27 % 3)].clone();
        world.submit(Submission { kind, priority, group, ..submission(queue) });
    }
    assert_eq!(world.reader().lanes().map(|lanes| lanes.len()), Ok(81));
    world.audit();
    // A paused queue holds its jobs back; they wait there all the same.
    world.one(Command::Configure { queue: name("video"), patch: Box::new(QueuePatch::pause(true)) }).expect("a pause");
    assert_eq!(world.reader().lanes().map(|lanes| lanes.len()), Ok(81));
}

fn groups_are_paged_apart(world: &mut World) {
    let of = |group: Option<&str>| Submission { group: group.map(Into::into), ..submission("video") };
    world.submit_all(vec![of(Some("many")); 50]);
    let few = world.submit(of(Some("few")));
    let none = world.submit(of(None));
    for job in [few, none] {
        let ready = world.reader().eligible(&Lane::of(&job), None, 10).expect("a lane can be read");
        assert!(ready.iter().map(|ready| ready.job.id).eq([job.id]), "a lane holds another's jobs: {ready:?}");
    }
    world.reopen();
    world.audit();
}

fn a_lane_is_in_order(world: &mut World) {
    let delays = [30, 10, 20, 0, 10, 3600, 0, 0, 20, 10];
    let starts = delays.map(|seconds| Start::After(seconds * SECOND));
    let submit = |start| Submission { start, ..submission("video") };
    let jobs: Vec<_> = world.submit_all(starts.map(submit).to_vec()).into_iter().map(|accepted| accepted.job).collect();
    let lane = Lane::of(&jobs[0]);
    let ready = world.reader().eligible(&lane, None, 100).expect("a lane can be read");
    let order: Vec<usize> =
        ready.iter().filter_map(|ready| jobs.iter().position(|job| job.id == ready.job.id)).collect();
    assert_eq!(order, [3, 6, 7, 1, 4, 9, 2, 8, 0, 5]);
    // After any point, also one at which no job stands.
    let after = Some((START.after(10 * SECOND), jobs[4].id.number()));
    let rest = world.reader().eligible(&lane, after, 2).expect("a lane can be read");
    assert!(rest.iter().map(|ready| ready.job.id).eq([jobs[9].id, jobs[2].id]), "after {after:?} comes {rest:?}");
    let after = Some((START.after(15 * SECOND), 0));
    let rest = world.reader().eligible(&lane, after, 1).expect("a lane can be read");
    assert!(rest.iter().map(|ready| ready.job.id).eq([jobs[2].id]), "after {after:?} comes {rest:?}");
    let after = Some((START.after(HOUR), u64::MAX));
    assert_eq!(world.reader().eligible(&lane, after, 1), Ok(vec![]));
}

fn only_what_waits(world: &mut World) {
    let brief = Submission { expires_in: Some(SECOND), ..submission("video") };
    let expired = world.submit(brief).id.number();
    world.submit(submission("video"));
    world.leased(submission("video"));
    let (_, lease) = world.leased(submission("video"));
    world.job(Command::Complete { lease, result: None });
    let id = world.submit(submission("video")).id;
    world.job(Command::Cancel { id });
    world.pass(SECOND);
    world.job(Command::Expire { number: expired });
    world.audit();
    let waiting = world.jobs.values().filter(|job| job.status == Status::Init).count();
    assert_eq!(waiting, 1);
    // The last one gone, its lane is gone.
    let id = world.jobs.values().find(|job| job.status == Status::Init).map(|job| job.id).expect("one waits");
    world.job(Command::Cancel { id });
    assert_eq!(world.reader().lanes(), Ok(vec![]));
}

fn a_retried_job_moves(world: &mut World) {
    for _ in 0..4 {
        world.submit(submission("video"));
        world.pass(SECOND);
    }
    let jobs: Vec<_> = world.jobs.values().cloned().collect();
    let (_, failed) = world.lease(&jobs[0]);
    let (_, released) = world.lease(&jobs[1]);
    let (_, lapsed) = world.lease(&jobs[2]);
    world.pass(SECOND);
    world.apply(vec![
        Command::Fail {
            lease: failed,
            error: failure("no"),
            retryable: true,
            retry_after: Some(HOUR),
            cancelled: false,
        },
        Command::Release { lease: released, delay: Some(SECOND), checkpoint: None },
        Command::Lapse { lease: lapsed, reason: LapseReason::Silence },
    ]);
    let ready = world.reader().eligible(&Lane::of(&jobs[0]), None, 10).expect("a lane can be read");
    let order: Vec<_> = ready.iter().map(|ready| ready.job.id).collect();
    assert_eq!(order, [jobs[3].id, jobs[2].id, jobs[1].id, jobs[0].id]);
    world.audit();
    let id = jobs[0].id;
    world.job(Command::Cancel { id });
    world.pass(SECOND);
    let job = world.job(Command::Retry { id });
    assert_eq!(job.run_at, world.now);
}

fn a_lane_goes_on(world: &mut World) {
    let jobs: Vec<_> =
        world.submit_all(vec![submission("video"); 30]).into_iter().map(|accepted| accepted.job).collect();
    let lane = Lane::of(&jobs[0]);
    let mut after = None;
    let mut seen = vec![];
    loop {
        let page = world.reader().eligible(&lane, after, 7).expect("a lane can be read");
        let Some(last) = page.last() else { break };
        after = Some((last.job.run_at, last.job.id.number()));
        seen.extend(page.iter().map(|ready| ready.job.id));
        for ready in &page {
            world.lease(&ready.job);
        }
    }
    assert!(seen.iter().copied().eq(jobs.iter().map(|job| job.id)), "a lane skips or repeats jobs: {seen:?}");
}
