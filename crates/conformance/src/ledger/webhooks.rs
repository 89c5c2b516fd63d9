use std::sync::Arc;

use ackd_domain::{
    Advance, Answer, Callback, Command, Delivery, DisabledReason, Endpoint, EndpointRequest, Job, Name, NewDelivery,
    Position, PostOutcome, Refusal, Secret, Status, Target, WebhookEvent, WebhookEvents, WebhookFormat, limits,
};

use ackd_ports::LedgerError;

use super::Case;
use super::samples::{HOUR, SECOND, body, failure, filled, json, name, submission};
use super::world::World;

pub(super) const CASES: &[Case] = &[
    ("an endpoint keeps every field", an_endpoint_keeps_every_field),
    ("a secret that was replaced signs on for a day", a_former_secret_signs_on),
    ("an endpoint is disabled and enabled again", an_endpoint_is_disabled),
    ("an endpoint that is deleted is gone", an_endpoint_is_deleted),
    ("there are only so many endpoints", endpoints_are_limited),
    ("deliveries and the position are written together", deliveries_and_position),
    ("the deliveries of a job are found", deliveries_are_found),
    ("a delivery is tried by its schedule", a_delivery_is_tried_by_its_schedule),
];

fn request() -> EndpointRequest {
    EndpointRequest {
        url: "https://example.com/hook".into(),
        queues: Vec::new(),
        events: WebhookEvents::ALL,
        format: WebhookFormat::Standard,
        secret: None,
    }
}

fn signed(secret: &str) -> EndpointRequest {
    EndpointRequest { secret: Some(Secret::new(secret)), ..request() }
}

fn put(world: &mut World, endpoint: &str, request: EndpointRequest) -> (Arc<Endpoint>, bool, bool) {
    match world.one(Command::PutEndpoint { name: name(endpoint), request: Box::new(request) }) {
        Ok(Answer::Endpoint { endpoint, created, made_secret }) => (endpoint, created, made_secret),
        other => panic!("there is no endpoint: {other:?}"),
    }
}

fn note(world: &mut World, endpoint: &Endpoint, outcome: PostOutcome) -> Arc<Endpoint> {
    let command = Command::NotePost { name: endpoint.name.clone(), revision: endpoint.revision, outcome };
    match world.one(command) {
        Ok(Answer::Endpoint { endpoint, .. }) => endpoint,
        other => panic!("a post is not noted: {other:?}"),
    }
}

fn an_endpoint_keeps_every_field(world: &mut World) {
    let full = EndpointRequest {
        url: filled("https://example.com/größe?", limits::URL_BYTES),
        queues: (0..limits::ENDPOINT_QUEUES).map(|n| name(&format!("queue-{n}"))).collect(),
        events: WebhookEvents::of([WebhookEvent::Cancelled]),
        format: WebhookFormat::CloudEvents,
        secret: Some(Secret::new("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD")),
    };
    let (endpoint, created, made) = put(world, "full", full.clone());
    assert_eq!((created, made, endpoint.created_at), (true, false, world.now));
    let (plain, created, made) = put(world, "plain", request());
    assert!(created && made && plain.secret.expose().starts_with("whsec_"), "no secret was made");
    world.reopen();
    world.pass(SECOND);
    let (again, created, made) = put(world, "plain", EndpointRequest { secret: None, ..full });
    assert_eq!((created, made), (false, false));
    assert_eq!((&again.secret, again.created_at), (&plain.secret, plain.created_at), "a secret was made anew");
    assert_eq!((again.revision, again.former.len()), (plain.revision + 1, 0));
    assert_eq!(world.head(), Position::START, "an endpoint is no change of a job");
    world.audit();
    world.reopen();
}

fn a_former_secret_signs_on(world: &mut World) {
    let secrets = |endpoint: &Endpoint, world: &World| -> Vec<String> {
        endpoint.secrets(world.now).map(|secret| secret.expose().to_owned()).collect()
    };
    put(world, "a", signed("whsec_1"));
    let (endpoint, ..) = put(world, "a", signed("whsec_2"));
    assert_eq!(secrets(&endpoint, world), ["whsec_2", "whsec_1"]);
    world.reopen();
    world.pass(23 * HOUR);
    assert_eq!(secrets(&endpoint, world), ["whsec_2", "whsec_1"]);
    let (endpoint, ..) = put(world, "a", signed("whsec_3"));
    assert_eq!(secrets(&endpoint, world), ["whsec_3", "whsec_2", "whsec_1"]);
    world.pass(HOUR);
    assert_eq!(secrets(&endpoint, world), ["whsec_3", "whsec_2"]);
    let (endpoint, ..) = put(world, "a", signed("whsec_2"));
    assert_eq!(secrets(&endpoint, world), ["whsec_2", "whsec_3"], "one that is taken up again is no former one");
    for n in 4..20 {
        put(world, "a", signed(&format!("whsec_{n}")));
    }
    let (endpoint, ..) = put(world, "a", signed("whsec_20"));
    assert_eq!(endpoint.former.len(), Endpoint::MAX_FORMER);
}

fn an_endpoint_is_disabled(world: &mut World) {
    let (endpoint, ..) = put(world, "a", request());
    assert_eq!(note(world, &endpoint, PostOutcome::Taken), endpoint);
    let failing = note(world, &endpoint, PostOutcome::Failed);
    assert_eq!(failing.failing_since, Some(world.now));
    world.pass(Endpoint::PATIENCE - SECOND);
    world.reopen();
    assert_eq!(note(world, &endpoint, PostOutcome::Failed), failing);
    assert_eq!(note(world, &endpoint, PostOutcome::Taken), endpoint, "one success makes up for all failures");
    let failing = note(world, &endpoint, PostOutcome::Failed);
    world.pass(Endpoint::PATIENCE);
    let disabled = note(world, &endpoint, PostOutcome::Failed);
    assert_eq!(disabled.disabled.map(|it| (it.at, it.reason)), Some((world.now, DisabledReason::Failing)));
    assert_eq!(disabled.failing_since, failing.failing_since);
    world.reopen();
    assert_eq!(note(world, &endpoint, PostOutcome::Taken), disabled, "what was sent before enables nothing");
    let (enabled, ..) = put(world, "a", request());
    assert_eq!((enabled.disabled, enabled.failing_since), (None, None));
    assert_eq!(note(world, &endpoint, PostOutcome::Gone), enabled, "a post to what it was says nothing of what it is");
    let gone = note(world, &enabled, PostOutcome::Gone);
    assert_eq!(gone.disabled.map(|it| it.reason), Some(DisabledReason::Gone));
    world.reopen();
}

fn an_endpoint_is_deleted(world: &mut World) {
    let (endpoint, ..) = put(world, "a", request());
    put(world, "b", request());
    world.refused(Command::DeleteEndpoint { name: name("c") }, &Refusal::NotFound);
    assert_eq!(world.one(Command::DeleteEndpoint { name: name("a") }), Ok(Answer::NoEndpoint(name("a"))));
    world.refused(Command::DeleteEndpoint { name: name("a") }, &Refusal::NotFound);
    let late = Command::NotePost { name: name("a"), revision: endpoint.revision, outcome: PostOutcome::Failed };
    world.refused(late, &Refusal::NotFound);
    world.audit();
    world.reopen();
    // Within one batch, too.
    let delete = || Command::DeleteEndpoint { name: name("b") };
    let again = Command::PutEndpoint { name: name("b"), request: Box::new(request()) };
    let applied = world.apply(vec![delete(), delete(), again, delete()]);
    let answered: Vec<bool> = applied.answers.iter().map(Result::is_ok).collect();
    assert_eq!(answered, [true, false, true, true]);
    world.audit();
}

fn endpoints_are_limited(world: &mut World) {
    let put = |n: usize| Command::PutEndpoint { name: name(&format!("e{n}")), request: Box::new(request()) };
    let applied = world.apply((0..=limits::ENDPOINTS).map(put).collect());
    let refused: Vec<_> = applied.answers.iter().filter(|answer| answer.is_err()).collect();
    assert_eq!(refused, [&Err(Refusal::TooManyEndpoints)]);
    world.reopen();
    world.refused(put(limits::ENDPOINTS), &Refusal::TooManyEndpoints);
    assert!(world.one(put(3)).is_ok(), "a known endpoint is no further one");
    world.one(Command::DeleteEndpoint { name: name("e7") }).expect("it is there");
    assert!(world.one(put(limits::ENDPOINTS)).is_ok());
}

fn consumer() -> Name {
    Name::webhooks().clone()
}

fn advance(from: Option<Position>, to: Position) -> Option<Advance> {
    Some(Advance { consumer: consumer(), from, to })
}

fn delivery(job: &Job, target: Target) -> NewDelivery {
    let webhook_id = Delivery::webhook_id(job.id, job.version, &target);
    let delivery = Delivery { source: job.id, webhook_id, event: WebhookEvent::Done, target };
    NewDelivery { delivery, body: json(r#"{"type":"job.done"}"#) }
}

fn endpoint(text: &str) -> Target {
    Target::Endpoint(name(text))
}

fn deliveries_and_position(world: &mut World) {
    let job = world.submit(submission("video"));
    let first = world.head();
    let deliver = |from, to, many: usize| Command::Deliver {
        advance: advance(from, to),
        deliveries: (0..many).map(|n| delivery(&job, endpoint(&format!("e{n}")))).collect(),
    };
    world.refused(deliver(Some(first), first, 1), &Refusal::Overtaken(None));
    world.one(deliver(None, first, 0)).expect("the first step");
    assert_eq!(world.head(), first, "a position is no change of a job");
    world.reopen();
    // A second consumer, or the same one after a crash, makes nothing.
    world.refused(deliver(None, first, 1), &Refusal::Overtaken(Some(first)));
    let other = Advance { consumer: name("ackd.other"), from: None, to: Position(1) };
    world.one(Command::Deliver { advance: Some(other), deliveries: vec![] }).expect("another consumer");
    let second = first.next();
    let applied = world.apply(vec![deliver(Some(first), second, 2), deliver(Some(first), second, 2)]);
    assert!(applied.answers[0].is_ok());
    assert_eq!(applied.answers[1], Err(Refusal::Overtaken(Some(second))));
    assert_eq!(applied.changes.len(), 2);
    for change in applied.changes.iter() {
        let spec = &change.job.spec;
        assert_eq!((&spec.queue, spec.max_attempts), (Name::webhooks(), limits::DELIVERY_ATTEMPTS));
        assert_eq!(spec.group.as_deref(), spec.delivery.as_ref().map(|delivery| delivery.target.shown()));
    }
    if world.fixture.fail_next(LedgerError::Full("no room".into())) {
        let failed = world.try_apply(vec![deliver(Some(second), second.next(), 1)], &mut ackd_ports::Idle);
        assert!(matches!(failed, Err(LedgerError::Full(_))), "a full store answers with {failed:?}");
        world.audit();
    }
    world.one(deliver(Some(second), second.next(), 1)).expect("what failed left nothing");
    world.reopen();
    assert_eq!(world.reader().position_of(&name("ackd.other")), Ok(Some(Position(1))));
}

fn deliveries_are_found(world: &mut World) {
    let jobs = [world.submit(submission("video")), world.submit(submission("video"))];
    let callback = Arc::new(Callback {
        url: filled("https://example.com/größe?", limits::URL_BYTES),
        events: WebhookEvents::of([WebhookEvent::Done]),
        format: WebhookFormat::CloudEvents,
        secret: Secret::new("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"),
    });
    for n in 0..5 {
        let mut made = vec![delivery(&jobs[n % 2], endpoint(&format!("e{n}")))];
        made.push(NewDelivery {
            body: body("application/cloudevents+json", "{}"),
            ..delivery(&jobs[0], Target::Callback(Arc::clone(&callback)))
        });
        world.one(Command::Deliver { advance: None, deliveries: made }).expect("deliveries without a change");
    }
    world.audit();
    world.reopen();
    // What becomes of them is seen.
    let found = world.reader().deliveries(jobs[0].id.number(), None, 100).expect("deliveries can be read");
    assert_eq!(found.len(), 8);
    let (_, lease) = world.lease(&found[3]);
    world.job(Command::Complete { lease, result: Some(json(r#"{"status_code":204}"#)) });
    world.audit();
}

fn a_delivery_is_tried_by_its_schedule(world: &mut World) {
    let job = world.submit(submission("video"));
    let made = vec![delivery(&job, endpoint("e"))];
    let Ok(Answer::Accepted(accepted)) = world.one(Command::Deliver { advance: None, deliveries: made }) else {
        panic!("no delivery was made")
    };
    let mut delivery = Arc::clone(&accepted[0].job);
    for (tried, pause) in Delivery::PAUSES.into_iter().enumerate() {
        let (_, lease) = world.lease(&delivery);
        let (error, retry_after) = (failure("the receiver answered 500"), None);
        delivery = world.job(Command::Fail { lease, error, retryable: true, retry_after, cancelled: false });
        assert_eq!(delivery.status, Status::Init, "after attempt {tried}");
        let wait = delivery.run_at.since(world.now);
        assert!((pause * 4 / 5..=pause).contains(&wait), "after attempt {tried}: {wait:?}");
        world.pass(wait);
    }
    let (_, lease) = world.lease(&delivery);
    let error = failure("the receiver answered 500");
    let failed = world.job(Command::Fail { lease, error, retryable: true, retry_after: None, cancelled: false });
    assert_eq!((failed.status, failed.attempt), (Status::Failed, limits::DELIVERY_ATTEMPTS));
    world.audit();
    world.reopen();
}
