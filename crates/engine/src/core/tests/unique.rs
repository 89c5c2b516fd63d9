//! A waiting job that takes another payload and another time, while the dispatcher holds it in memory.

use ackd_domain::{Unique, UniquePolicy};

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn unique(policy: UniquePolicy, text: &'static str, delay: Duration) -> Submission {
    Submission {
        payload: Body { content_type: JSON.into(), bytes: Bytes::from_static(text.as_bytes()) },
        start: Start::After(delay),
        unique: Some(Unique { key: "k".into(), policy }),
        ..submission()
    }
}

/// What the workers got.
fn payloads(world: &World, leased: &[Assigned]) -> Vec<String> {
    let text = |it: &Assigned| {
        let stored = || world.reader.payloads(&[it.job.id.number()]).unwrap().remove(0).unwrap();
        let payload = it.payload.clone().unwrap_or_else(stored);
        String::from_utf8(payload.bytes.to_vec()).unwrap()
    };
    leased.iter().map(text).collect()
}

#[test]
fn a_replaced_job_goes_at_its_new_time_with_its_new_payload() {
    let mut world = World::new(WindowLimits::default());
    let (_, mut waiter) = world.park(ask(1));
    world.submit(unique(UniquePolicy::Keep, "1", 10 * SECOND));
    world.submit(unique(UniquePolicy::Replace, "2", 5 * SECOND));
    assert_eq!(world.core.dispatcher.in_memory(), 1, "it stands there twice");
    world.pass(4999 * Duration::from_millis(1));
    assert!(waiter.try_recv().is_err());
    world.pass(Duration::from_millis(1));
    let leased = waiter.try_recv().unwrap().unwrap();
    assert_eq!(payloads(&world, &leased), ["2"]);
    assert!(leased[0].payload.is_some(), "it was at hand");
    assert_eq!(world.core.dispatcher.in_memory(), 0);
}

#[test]
fn a_debounced_job_is_put_off_again_and_again() {
    let mut world = World::new(SMALL);
    let (_, mut waiter) = world.park(ask(1));
    for _ in 0..50 {
        world.submit(unique(UniquePolicy::Debounce, "1", 5 * SECOND));
        assert_eq!(world.core.dispatcher.in_memory(), 1);
        world.pass(4 * SECOND);
    }
    assert!(waiter.try_recv().is_err());
    world.pass(SECOND);
    assert_eq!(waiter.try_recv().unwrap().unwrap().len(), 1);
}

/// A worker comes in the very batch that replaces the job: it gets what is stored, or has to wait for it.
#[test]
fn a_worker_never_gets_a_payload_that_was_replaced() {
    for (delay, gets) in [(Duration::ZERO, true), (SECOND, false)] {
        for ask_first in [true, false] {
            let mut world = World::new(WindowLimits::default());
            world.submit(unique(UniquePolicy::Keep, "1", Duration::ZERO));
            let (reply, mut submitted) = oneshot::channel();
            let (asker, mut waiter) = oneshot::channel();
            let submit = Input::Run(vec![Command::Submit(vec![unique(UniquePolicy::Replace, "2", delay)])], reply);
            let ask = Input::Ask(AskId(99), ask(1), asker);
            world.turn(if ask_first { vec![ask, submit] } else { vec![submit, ask] });
            assert!(submitted.try_recv().unwrap().is_ok());
            if !gets {
                assert!(waiter.try_recv().is_err());
                world.pass(SECOND);
            }
            let leased = waiter.try_recv().unwrap().unwrap();
            assert_eq!(payloads(&world, &leased), ["2"], "{delay:?} {ask_first}");
        }
    }
}

/// A part of the backlog was read before the job in it was replaced.
#[test]
fn a_page_that_is_older_than_the_replacement_hands_no_old_payload_out() {
    let mut world = World::new(SMALL);
    (0..30).for_each(|_| drop(world.submit(submission())));
    world.submit(unique(UniquePolicy::Keep, "1", Duration::ZERO));
    let (reply, mut first) = oneshot::channel();
    world.core.turn(vec![Input::Ask(AskId(98), ask(25), reply)], world.moment());
    assert!(first.try_recv().is_ok());
    // It is read, and replaced before the page arrives.
    let page: Vec<Input> = world
        .core
        .take_reads()
        .into_iter()
        .map(|request| {
            let read = crate::pager::read(&*world.reader, &request);
            Input::Read(request, read)
        })
        .collect();
    world.submit(unique(UniquePolicy::Replace, "2", SECOND));
    world.turn(page);
    let mut leased: Vec<Assigned> = (0..8).flat_map(|_| world.lease(ask(10))).collect();
    world.pass(SECOND);
    leased.extend((0..3).flat_map(|_| world.lease(ask(10))));
    let got = payloads(&world, &leased);
    assert_eq!(got.iter().filter(|it| *it != "{}").collect::<Vec<_>>(), ["2"]);
}
