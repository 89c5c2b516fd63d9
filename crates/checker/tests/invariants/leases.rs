//! (3): who may settle.

use ackd_checker::Invariant::LatestLease;
use ackd_checker::{Event, Snapshot, Status, Verb};

use crate::history::{HOLDS, History, done, told};

/// Job 1, its lease 10 of attempt 1 run out and 11 of attempt 2 granted.
fn leased_twice() -> History {
    let mut history = History::new();
    history.job(1).granted(10, 1, 2, 1).pass(HOLDS).granted(11, 1, 4, 2);
    history
}

#[test]
fn only_the_latest_lease_settles() {
    leased_twice().completed(10, 7, 5).breaks(LatestLease);
    leased_twice().failed(10, Status::Init, 5).breaks(LatestLease);
    leased_twice().completed(11, 7, 5).read(Snapshot { attempt: 2, ..done(1, 5, 7) }).holds();
    // Settled before the next was granted, the answer told later than that.
    let mut late = History::new();
    let request = late.job(1).granted(10, 1, 2, 1).settle(10, Verb::Fail, None);
    late.granted(11, 1, 4, 2).settled(request, Status::Init, 3).holds();
    let mut late = History::new();
    let request = late.job(1).granted(10, 1, 2, 1).settle(10, Verb::Fail, None);
    late.settled(request, Status::Init, 5).granted(11, 1, 4, 2).breaks(LatestLease);
    // The same verb again.
    let mut again = History::new();
    again.job(1).worked(1).completed(10, 7, 3).holds();
}

#[test]
fn a_result_is_of_the_last_attempt() {
    let offered = || {
        let mut history = leased_twice();
        let request = history.settle(10, Verb::Complete, Some(7));
        history.add(Event::Unknown { request });
        history
    };
    offered().read(Snapshot { attempt: 2, ..done(1, 5, 7) }).breaks(LatestLease);
    // As if the earlier attempt were the last; but a later lease is known.
    offered().read(done(1, 5, 7)).breaks(LatestLease);
    let mut both = offered();
    let request = both.settle(11, Verb::Complete, Some(7));
    both.add(Event::Unknown { request }).read(Snapshot { attempt: 2, ..done(1, 5, 7) }).holds();
    // Nobody was told of the second lease; the attempt shows that there was one.
    let mut untold = History::new();
    let request = untold.job(1).granted(10, 1, 2, 1).pass(HOLDS).settle(10, Verb::Complete, Some(7));
    untold.add(Event::Unknown { request }).read(Snapshot { attempt: 2, ..done(1, 5, 7) }).breaks(LatestLease);
}

#[test]
fn no_lease_is_granted_twice() {
    let mut twice = History::new();
    twice.job(1).granted(10, 1, 2, 1).pass(HOLDS).granted(10, 1, 4, 2).breaks(LatestLease);
    let mut jobs = History::new();
    jobs.job(1).job(2).granted(10, 1, 2, 1).granted(10, 2, 2, 1).breaks(LatestLease);
    let mut same = History::new();
    same.job(1).granted(10, 1, 2, 1).granted(10, 1, 2, 1).holds();
}

#[test]
fn what_nobody_was_granted_settles_nothing() {
    let mut history = History::new();
    let request = history.job(1).settle(77, Verb::Complete, Some(7));
    history.settled(request, Status::Done, 3).breaks(LatestLease);
    let mut refused = History::new();
    let request = refused.job(1).settle(77, Verb::Complete, Some(7));
    refused.add(Event::Refused { request }).holds();
}

#[test]
fn a_live_lease_is_not_taken_away() {
    let leased = || {
        let mut history = History::new();
        history.job(1).granted(10, 1, 2, 1);
        history
    };
    leased().granted(11, 1, 4, 2).breaks(LatestLease);
    leased().read(told(1, Status::Init, 3)).breaks(LatestLease);
    leased().read(told(1, Status::Failed, 3)).breaks(LatestLease);
    leased().pass(HOLDS - 1_002).read(told(1, Status::Init, 3)).breaks(LatestLease);
    leased().pass(HOLDS - 1_000).read(told(1, Status::Init, 3)).holds();
    let beaten = || {
        let mut beaten = leased();
        let since = beaten.pass(HOLDS / 2).now();
        beaten.add(Event::Beat { lease: 10, since, holds: HOLDS });
        beaten
    };
    beaten().pass(HOLDS / 2).granted(11, 1, 4, 2).breaks(LatestLease);
    beaten().pass(HOLDS).granted(11, 1, 4, 2).holds();
    // Its worker gave it up, or the job ended otherwise.
    leased().failed(10, Status::Init, 3).granted(11, 1, 4, 2).holds();
    let mut unknown = leased();
    let request = unknown.settle(10, Verb::Release, None);
    unknown.add(Event::Unknown { request }).granted(11, 1, 4, 1).holds();
    leased().read(told(1, Status::Expired, 3)).holds();
    leased().read(told(1, Status::Cancelled, 3)).holds();
    leased().read(told(1, Status::Processing, 3)).holds();
    leased().retried(1).grant(11, Snapshot { run: 2, ..told(1, Status::Processing, 5) }).holds();
}
