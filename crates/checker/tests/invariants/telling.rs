//! (6) and (7): what subscribers, consumer groups and webhooks are told.

use ackd_checker::Invariant::{InOrder, Webhooks};
use ackd_checker::{After, Event, Line, Snapshot, Status};

use crate::history::{History, done, line, payload, told};

fn first(job: u64) -> Snapshot<u64> {
    told(job, Status::Init, 1)
}

fn second(job: u64) -> Snapshot<u64> {
    told(job, Status::Processing, 2)
}

/// Jobs 1 and 2, and a subscriber 3 from the beginning.
fn followed() -> History {
    let mut history = History::new();
    history.job(1).job(2).follows(3, 0);
    history
}

#[test]
fn a_subscriber_sees_each_change_once_in_order() {
    followed().seen(3, 1, first(1)).seen(3, 3, told(1, Status::Init, 3)).breaks(InOrder);
    followed().seen(3, 2, second(1)).breaks(InOrder);
    followed().seen(3, 1, first(1)).seen(3, 1, first(1)).breaks(InOrder);
    followed().seen(3, 2, first(2)).seen(3, 1, first(1)).breaks(InOrder);
    followed().seen(3, 1, first(1)).seen(3, 5, first(1)).breaks(InOrder);
    History::new().job(1).seen(3, 1, first(1)).breaks(InOrder);
    followed().seen(3, 1, first(1)).seen(3, 2, first(2)).seen(3, 4, second(1)).holds();
}

#[test]
fn a_subscriber_resumes_without_a_gap() {
    let resumed = |after: u64| {
        let mut history = followed();
        history.seen(3, 1, first(1)).seen(3, 2, second(1)).follows(3, after);
        history
    };
    resumed(2).seen(3, 4, told(1, Status::Processing, 4)).breaks(InOrder);
    resumed(2).seen(3, 2, second(1)).breaks(InOrder);
    resumed(2).seen(3, 3, told(1, Status::Processing, 3)).holds();
    // It sees again what it asked for again.
    resumed(1).seen(3, 2, second(1)).seen(3, 3, told(1, Status::Processing, 3)).holds();
    // It left something out of its own accord, or was told that it misses something.
    resumed(7).seen(3, 8, told(1, Status::Processing, 5)).holds();
    resumed(2).add(Event::Reset { subscriber: 3 }).seen(3, 9, told(1, Status::Processing, 6)).holds();
}

#[test]
fn all_see_the_same_feed() {
    followed().follows(4, 0).seen(3, 1, first(1)).seen(4, 2, first(1)).breaks(InOrder);
    followed().follows(4, 0).seen(3, 1, first(1)).seen(3, 5, second(1)).seen(4, 6, first(1)).breaks(InOrder);
    followed()
        .follows(4, 0)
        .seen(3, 1, first(1))
        .seen(3, 5, second(1))
        .seen(4, 1, first(1))
        .seen(4, 5, second(1))
        .holds();
}

#[test]
fn who_caught_up_has_seen_everything() {
    followed().seen(3, 1, first(1)).granted(10, 1, 2, 1).caught_up(3).breaks(InOrder);
    followed().follows(4, 0).seen(4, 1, first(1)).caught_up(3).breaks(InOrder);
    followed().seen(3, 1, first(1)).caught_up(3).granted(10, 1, 2, 1).holds();
    followed().seen(3, 1, first(1)).granted(10, 1, 2, 1).seen(3, 2, second(1)).caught_up(3).holds();
    // From later on.
    History::new().job(1).follows(3, 8).granted(10, 1, 2, 1).caught_up(3).holds();
}

#[test]
fn the_jobs_of_an_ordering_key_run_in_line() {
    let ordered = |[one, other]: [u64; 2]| {
        let mut history = History::new();
        let of = |job: u64, order: u64| Line { order: Some(order), ..line(payload(job)) };
        history.accepted(&[of(1, one), of(2, other)], &[1, 2]).follows(3, 0);
        history.seen(3, 1, first(1)).seen(3, 2, first(2));
        history
    };
    let cancelled = |job, version| told(job, Status::Cancelled, version);
    ordered([5, 5]).seen(3, 3, second(1)).seen(3, 4, second(2)).seen(3, 5, cancelled(1, 3)).breaks(InOrder);
    ordered([5, 5]).seen(3, 3, second(2)).seen(3, 4, cancelled(2, 3)).seen(3, 5, cancelled(1, 2)).breaks(InOrder);
    ordered([5, 6]).seen(3, 3, second(1)).seen(3, 4, second(2)).seen(3, 5, cancelled(1, 3)).holds();
    ordered([5, 5]).seen(3, 3, second(1)).seen(3, 4, cancelled(1, 3)).seen(3, 5, second(2)).holds();
    // The first fails and is retried while the second runs.
    let retried = |order: [u64; 2], is_early: bool| {
        let again = |status, version| Snapshot { run: 2, ..told(1, status, version) };
        let mut history = ordered(order);
        history.seen(3, 3, second(1)).seen(3, 4, told(1, Status::Failed, 3)).seen(3, 5, second(2)).retried(1);
        history.seen(3, 6, again(Status::Init, 4));
        if is_early {
            history.seen(3, 7, again(Status::Processing, 5)).seen(3, 8, cancelled(2, 3));
        } else {
            history.seen(3, 7, cancelled(2, 3)).seen(3, 8, again(Status::Processing, 5));
        }
        history.seen(3, 9, again(Status::Cancelled, 6)).end();
        history
    };
    retried([5, 5], true).finds(InOrder);
    retried([5, 6], true).keeps(InOrder);
    retried([5, 5], false).keeps(InOrder);
}

#[test]
fn a_job_comes_after_those_that_it_names() {
    let pair = |after, anyway| {
        let mut history = History::new();
        let second = Line { after: vec![after], anyway, ..line(payload(2)) };
        match after {
            After::Job(_) => history.job(1).accepted(&[second], &[2]),
            After::Line(_) => history.accepted(&[line(payload(1)), second], &[1, 2]),
        };
        history.follows(3, 0).seen(3, 1, first(1)).seen(3, 2, first(2));
        history
    };
    let ended = |status| told(1, status, 3);
    let one = |after| pair(after, false);
    for after in [After::Job(1), After::Line(0)] {
        one(after).seen(3, 3, second(1)).seen(3, 4, ended(Status::Done)).seen(3, 5, second(2)).keeps(InOrder);
        one(after).seen(3, 3, second(1)).seen(3, 4, second(2)).seen(3, 5, ended(Status::Done)).finds(InOrder);
        one(after).seen(3, 3, second(1)).seen(3, 4, ended(Status::Failed)).seen(3, 5, second(2)).end().finds(InOrder);
        let mut anyway = pair(after, true);
        anyway.seen(3, 3, second(1)).seen(3, 4, ended(Status::Failed)).seen(3, 5, second(2)).keeps(InOrder);
        // What was told later of a history that breaks off, nobody knows.
        one(after).seen(3, 3, second(2)).keeps(InOrder);
    }
}

#[test]
fn a_group_sees_each_partition_without_a_gap() {
    let fetched = |offset, record| Event::Fetched { group: 1, partition: 2, offset, record };
    let assigned = |offset| Event::Assigned { group: 1, partition: 2, offset };
    let history = || {
        let mut history = History::new();
        for offset in 0..3 {
            history.add(Event::Appended { partition: 2, offset, record: 100 + offset });
        }
        history.add(assigned(0)).add(fetched(0, 100));
        history
    };
    history().add(fetched(2, 102)).breaks(InOrder);
    history().add(fetched(0, 100)).breaks(InOrder);
    history().add(fetched(1, 109)).breaks(InOrder);
    // The offset was committed before the record was told.
    history().add(assigned(2)).add(fetched(2, 102)).breaks(InOrder);
    history().add(fetched(1, 101)).end().breaks(InOrder);
    History::new().add(fetched(0, 100)).breaks(InOrder);
    history().add(fetched(1, 101)).add(fetched(2, 102)).end().holds();
    // After a crash it sees some again.
    history().add(fetched(1, 101)).add(assigned(1)).add(fetched(1, 101)).add(fetched(2, 102)).end().holds();
}

#[test]
fn every_webhook_has_a_2xx_or_a_dead_letter() {
    let called = || {
        let mut history = History::new();
        history.accepted(&[Line { callback: true, ..line(payload(1)) }], &[1]).worked(1);
        history
    };
    let delivered = |job, answer| Event::Delivered { delivery: 9, job, answer };
    called().end().breaks(Webhooks);
    called().add(delivered(done(1, 3, 7), 500)).end().breaks(Webhooks);
    called()
        .add(delivered(done(1, 3, 7), 200))
        .retried(1)
        .grant(11, Snapshot { run: 2, ..told(1, Status::Processing, 5) })
        .holds();
    let mut again = called();
    again.add(delivered(done(1, 3, 7), 200)).retried(1);
    again.read(Snapshot { run: 2, ..told(1, Status::Cancelled, 5) }).end().breaks(Webhooks);
    called().add(delivered(told(1, Status::Init, 1), 200)).finds(Webhooks);
    called().add(delivered(done(1, 3, 7), 500)).add(delivered(done(1, 3, 7), 204)).end().holds();
    called().add(Event::DeadDelivery { job: 1, run: 1 }).end().holds();
    // Its end is not known yet, or nobody is to be told of it.
    called().holds();
    History::new().job(1).worked(1).end().holds();
}
