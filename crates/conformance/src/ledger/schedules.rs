use std::sync::Arc;
use std::time::Duration;

use ackd_domain::{
    Answer, CallbackRequest, Command, Firing, Missed, Position, QueuePatch, Refusal, Schedule, ScheduleRequest, Secret,
    Submission, Timestamp, Unique, UniquePolicy, WebhookEvent, WebhookEvents, WebhookFormat, limits,
};

use ackd_ports::LedgerError;

use super::Case;
use super::samples::{HOUR, SECOND, START, body, filled, name, submission, sure_backoff};
use super::world::World;

pub(super) const CASES: &[Case] = &[
    ("a schedule keeps every field", a_schedule_keeps_every_field),
    ("a schedule fires once for each time", a_schedule_fires_once),
    ("jobs and the next time are written together", jobs_and_next_time),
    ("a schedule that is deleted is gone", a_schedule_is_deleted),
    ("there are only so many schedules", schedules_are_limited),
];

fn request() -> ScheduleRequest {
    ScheduleRequest {
        cron: "0 * * * *".into(),
        timezone: "UTC".into(),
        missed: Missed::One,
        paused: false,
        job: submission("video"),
    }
}

/// So many hours after the start.
fn hour(n: u32) -> Timestamp {
    START.after(HOUR * n)
}

fn command(schedule: &str, request: ScheduleRequest) -> Command {
    Command::PutSchedule { name: name(schedule), request: Box::new(request), next: Some(hour(1)) }
}

fn put(world: &mut World, schedule: &str, request: ScheduleRequest) -> (Arc<Schedule>, bool) {
    match world.one(command(schedule, request)) {
        Ok(Answer::Schedule { schedule, created }) => (schedule, created),
        other => panic!("there is no schedule: {other:?}"),
    }
}

/// The firing of so many times, up to the one before `next`.
fn firing(schedule: &Schedule, jobs: usize, next: Timestamp) -> Command {
    Command::Fire(Box::new(Firing {
        name: schedule.name.clone(),
        revision: schedule.revision,
        at: schedule.next_run_at.expect("it has a next time"),
        jobs: vec![schedule.job.clone(); jobs],
        latest: schedule.next_run_at.filter(|_| jobs > 0),
        next: Some(next),
    }))
}

fn fire(world: &mut World, command: Command) -> Arc<Schedule> {
    match world.one(command) {
        Ok(Answer::Fired { schedule, .. }) => schedule,
        other => panic!("nothing was fired: {other:?}"),
    }
}

fn a_schedule_keeps_every_field(world: &mut World) {
    let job = Submission {
        kind: Some("größe".into()),
        payload: body("application/json", vec![b' '; limits::SCHEDULE_PAYLOAD_BYTES]),
        expires_in: Some(Duration::from_millis(1)),
        priority: Some(9),
        group: Some(filled("ä", limits::GROUP_BYTES)),
        max_attempts: Some(limits::ATTEMPTS),
        timeout: Some(SECOND),
        backoff: Some(sure_backoff(SECOND)),
        result_retention: Some(HOUR),
        tags: vec!["a".into(), "b,c".into()],
        traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into()),
        callback: Some(Box::new(CallbackRequest {
            url: filled("https://example.com/größe?", limits::URL_BYTES),
            events: WebhookEvents::of([WebhookEvent::Cancelled]),
            format: WebhookFormat::CloudEvents,
            secret: Some(Secret::new("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD")),
        })),
        ordering_key: Some(filled("ö", limits::ORDERING_KEY_BYTES)),
        unique: Some(Unique { key: filled("ü", limits::UNIQUE_KEY_BYTES), policy: UniquePolicy::Debounce }),
        ..submission("video")
    };
    let full = ScheduleRequest {
        cron: filled("0,", limits::CRON_BYTES),
        timezone: filled("A/", limits::TIMEZONE_BYTES),
        missed: Missed::All,
        paused: false,
        job,
    };
    let (schedule, created) = put(world, "full", full.clone());
    assert_eq!((created, schedule.created_at, schedule.next_run_at), (true, world.now, Some(hour(1))));
    let bare = Submission { payload: body("", ""), ..submission("audio") };
    let plain = ScheduleRequest { missed: Missed::Skip, paused: true, job: bare, ..request() };
    assert_eq!(put(world, "plain", plain).0.next_run_at, None);
    assert_eq!(world.head(), Position::START, "a schedule is no change of a job");
    world.audit();
    world.reopen();
    world.pass(SECOND);
    let (again, created) = put(world, "full", full);
    assert_eq!((created, again.revision, again.created_at), (false, schedule.revision + 1, schedule.created_at));
    // What it makes has all of it.
    let fired = fire(world, firing(&again, 1, hour(2)));
    assert_eq!((fired.last_run_at, fired.next_run_at), (Some(hour(1)), Some(hour(2))));
    let made = world.jobs.values().last().expect("a job was made");
    assert_eq!((made.spec.group.as_ref(), made.spec.tags.len()), (again.job.group.as_ref(), 2));
    assert_eq!(fired.last_job, Some(made.id));
    world.audit();
    world.reopen();
}

fn a_schedule_fires_once(world: &mut World) {
    let (schedule, _) = put(world, "a", request());
    world.reopen();
    world.now = hour(1);
    let fired = fire(world, firing(&schedule, 1, hour(2)));
    // Another one who means to, or the same one after a crash.
    world.refused(firing(&schedule, 1, hour(2)), &Refusal::ScheduleMoved);
    world.reopen();
    world.refused(firing(&schedule, 1, hour(2)), &Refusal::ScheduleMoved);
    assert_eq!(world.jobs.len(), 1);
    // Within one batch, too; and what was put anew in it fires as what it is now.
    world.now = hour(2);
    let twice = vec![firing(&fired, 2, hour(3)), firing(&fired, 2, hour(3))];
    let applied = world.apply(twice);
    assert!(applied.answers[0].is_ok());
    assert_eq!((&applied.answers[1], world.jobs.len()), (&Err(Refusal::ScheduleMoved), 3));
    let Ok(Answer::Fired { schedule, .. }) = &applied.answers[0] else { panic!("nothing was fired") };
    let applied = world.apply(vec![command("a", request()), firing(schedule, 1, hour(4))]);
    assert_eq!(applied.answers[1], Err(Refusal::ScheduleMoved));
    // A time may pass without a job.
    let (schedule, _) = put(world, "a", request());
    let skipped = fire(world, firing(&schedule, 0, hour(9)));
    assert_eq!((skipped.last_run_at, skipped.last_job), (schedule.last_run_at, schedule.last_job));
    world.audit();
    world.reopen();
}

fn jobs_and_next_time(world: &mut World) {
    let lasting = QueuePatch { max_attempts: Some(Some(3)), ..QueuePatch::default() };
    world.one(Command::Configure { queue: name("video"), patch: Box::new(lasting) }).expect("it can be configured");
    let (schedule, _) = put(world, "a", request());
    world.now = hour(3);
    if world.fixture.fail_next(LedgerError::Full("no room".into())) {
        let failed = world.try_apply(vec![firing(&schedule, 3, hour(4))], &mut ackd_ports::Idle);
        assert!(matches!(failed, Err(LedgerError::Full(_))), "a full store answers with {failed:?}");
        world.audit();
        world.reopen();
    }
    fire(world, firing(&schedule, 3, hour(4)));
    assert_eq!(world.jobs.len(), 3, "what failed left something, or what followed did not");
    assert!(world.jobs.values().all(|job| job.spec.max_attempts == 3 && job.run_at == hour(3)));
    let job = Arc::clone(world.jobs.values().next().expect("there are three"));
    world.lease(&job);
    world.audit();
    world.reopen();
}

fn a_schedule_is_deleted(world: &mut World) {
    let (schedule, _) = put(world, "a", request());
    put(world, "b", request());
    world.refused(Command::DeleteSchedule { name: name("c") }, &Refusal::NotFound);
    assert_eq!(world.one(Command::DeleteSchedule { name: name("a") }), Ok(Answer::NoSchedule(name("a"))));
    world.refused(Command::DeleteSchedule { name: name("a") }, &Refusal::NotFound);
    world.refused(firing(&schedule, 1, hour(2)), &Refusal::NotFound);
    world.audit();
    world.reopen();
    // Within one batch, too. One of the same name is another.
    let delete = || Command::DeleteSchedule { name: name("b") };
    let applied = world.apply(vec![delete(), delete(), command("b", request()), delete()]);
    let answered: Vec<bool> = applied.answers.iter().map(Result::is_ok).collect();
    assert_eq!(answered, [true, false, true, true]);
    world.audit();
}

fn schedules_are_limited(world: &mut World) {
    let put = |n: usize| command(&format!("s{n}"), request());
    let applied = world.apply((0..=limits::SCHEDULES).map(put).collect());
    let refused: Vec<_> = applied.answers.iter().filter(|answer| answer.is_err()).collect();
    assert_eq!(refused, [&Err(Refusal::TooManySchedules)]);
    world.reopen();
    world.refused(put(limits::SCHEDULES), &Refusal::TooManySchedules);
    assert!(world.one(put(3)).is_ok(), "a known schedule is no further one");
    world.one(Command::DeleteSchedule { name: name("s7") }).expect("it is there");
    assert!(world.one(put(limits::SCHEDULES)).is_ok());
}
