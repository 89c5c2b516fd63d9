//! (1), (2), (4), (5), (8), (9) and (10): what becomes of jobs.

use ackd_checker::Invariant::{Acknowledged, Damage, Drains, NoPhantoms, Offered, OneEnd, OneKey};
use ackd_checker::{Event, Line, Snapshot, Status, Verb};

use crate::history::{HOLDS, History, done, line, payload, told};

fn history() -> History {
    History::new()
}

fn keyed(payload: u64, key: u64) -> Line<u64> {
    Line { key: Some(key), ..line(payload) }
}

#[test]
fn an_acknowledged_job_is_there() {
    history().job(1).missing(1).breaks(Acknowledged);
    history().job(1).read(told(1, Status::Init, 1)).missing(1).breaks(Acknowledged);
    // Nobody acknowledged it; but somebody saw it.
    history().unknown(&[line(payload(1))]).granted(10, 1, 2, 1).missing(1).breaks(Acknowledged);
    history().missing(1).job(1).holds();
    // The read was on its way when the job was acknowledged.
    let mut crossing = history();
    let request = crossing.submit(&[line(payload(1))]);
    let since = crossing.now();
    crossing.add(Event::Accepted { request, jobs: vec![1] }).add(Event::Missing { by: 1, since, job: 1 }).holds();
}

#[test]
fn a_job_that_may_be_gone_may_be_missed() {
    let mut deleted = history();
    deleted.job(1).worked(1).add(Event::Delete { request: 99, job: 1 }).add(Event::Unknown { request: 99 });
    deleted.missing(1).end().holds();
    let kept = Line { kept: Some(10_000), ..line(payload(1)) };
    history().accepted(std::slice::from_ref(&kept), &[1]).worked(1).missing(1).breaks(Acknowledged);
    history().accepted(&[kept], &[1]).worked(1).pass(10_000).missing(1).end().holds();
}

#[test]
fn what_was_told_stays_true() {
    let processing = told(1, Status::Processing, 2);
    history().job(1).granted(10, 1, 2, 1).read(told(1, Status::Init, 1)).breaks(Acknowledged);
    history()
        .job(1)
        .follows(3, 0)
        .seen(3, 1, told(1, Status::Init, 1))
        .seen(3, 2, processing)
        .read(told(1, Status::Init, 1))
        .breaks(Acknowledged);
    // One version, two states: the lease that was told before was lost, and another attempt is there instead.
    history().job(1).read(processing).read(Snapshot { attempt: 2, ..processing }).breaks(Acknowledged);
    history().job(1).read(processing).read(told(1, Status::Cancelled, 2)).breaks(Acknowledged);
    history().job(1).read(processing).read(processing).holds();
    let mut late = history();
    late.job(1);
    let since = late.now();
    // The read was answered late.
    late.granted(10, 1, 2, 1).add(Event::Read { by: 1, since, job: told(1, Status::Init, 1) }).holds();
}

#[test]
fn an_acknowledged_job_ends_at_last() {
    history().job(1).granted(10, 1, 2, 1).end().breaks(Acknowledged);
    history().accepted(&[line(payload(1)), line(payload(2))], &[1, 2]).worked(1).end().breaks(Acknowledged);
    history().accepted(&[line(payload(1)), line(payload(2))], &[1]).worked(1).breaks(Acknowledged);
    history().job(1).worked(1).end().holds();
    // The history goes on; it is not known yet.
    history().job(1).holds();
    // Nobody was told of it.
    history().unknown(&[line(payload(1))]).end().holds();
}

#[test]
fn a_run_ends_once() {
    let base = || {
        let mut base = history();
        base.job(1).worked(1);
        base
    };
    base().read(done(1, 3, 7)).read(done(1, 4, 7)).breaks(OneEnd);
    base().read(told(1, Status::Expired, 4)).breaks(OneEnd);
    base().read(done(1, 3, 7)).read(told(1, Status::Init, 4)).breaks(OneEnd);
    base().read(Snapshot { run: 2, ..told(1, Status::Init, 4) }).breaks(OneEnd);
    base().read(done(1, 3, 7)).read(done(1, 3, 7)).read(told(1, Status::Done, 3)).holds();
    base().read(done(1, 3, 7)).retried(1).read(Snapshot { run: 2, ..told(1, Status::Init, 4) }).holds();
    // Told late, of before the end.
    let mut late = base();
    late.read(done(1, 3, 7)).follows(3, 0).seen(3, 1, told(1, Status::Init, 1)).holds();
}

#[test]
fn a_result_was_offered() {
    history().job(1).granted(10, 1, 2, 1).read(done(1, 3, 7)).breaks(Offered);
    history().job(1).read(told(1, Status::Done, 2)).breaks(Offered);
    history().job(1).worked(1).read(Snapshot { result: Some(8), ..done(1, 3, 7) }).breaks(Offered);
    let mut lost = history();
    let request = lost.job(1).granted(10, 1, 2, 1).settle(10, Verb::Complete, Some(7));
    lost.add(Event::Unknown { request }).read(done(1, 3, 7)).holds();
}

#[test]
fn a_key_makes_one_job() {
    let one = &[keyed(payload(1), 5)];
    history().accepted(one, &[1]).accepted(one, &[2]).breaks(OneKey);
    history().accepted(&[keyed(payload(1), 5), keyed(payload(1), 5)], &[1, 2]).breaks(OneKey);
    history().accepted(one, &[1]).accepted(&[keyed(payload(2), 5)], &[1]).finds(OneKey);
    // The first answer was lost, and the job that it made is there beside the second's.
    let twice = Snapshot { payload: Some(payload(2)), ..told(1, Status::Init, 1) };
    history().unknown(&[keyed(payload(2), 5)]).accepted(&[keyed(payload(2), 5)], &[2]).read(twice).finds(OneKey);
    history().unknown(one).accepted(one, &[1]).accepted(one, &[1]).holds();
    history().accepted(one, &[1]).accepted(&[keyed(payload(2), 6)], &[2]).holds();
    let mut refused = history();
    let request = refused.accepted(one, &[1]).submit(&[keyed(payload(2), 5)]);
    refused.add(Event::Refused { request }).holds();
    // Erased, and its key with it.
    let mut erased = history();
    erased.accepted(one, &[1]).worked(1).add(Event::Delete { request: 99, job: 1 }).add(Event::Done { request: 99 });
    erased.accepted(&[keyed(payload(2), 5)], &[2]).holds();
}

#[test]
fn nobody_sees_a_job_that_was_not_asked_for() {
    history().read(Snapshot { payload: Some(4), ..told(1, Status::Init, 1) }).breaks(NoPhantoms);
    history().follows(3, 0).seen(3, 1, told(1, Status::Init, 1)).breaks(NoPhantoms);
    // A payload that was submitted once makes two jobs.
    let again = Snapshot { payload: Some(payload(1)), ..told(2, Status::Init, 1) };
    history().job(1).read(again).breaks(NoPhantoms);
    let mut refused = history();
    let request = refused.submit(&[line(payload(1))]);
    refused.add(Event::Refused { request }).granted(10, 1, 2, 1).breaks(NoPhantoms);
    history().unknown(&[line(payload(1))]).granted(10, 1, 2, 1).holds();
    history()
        .unknown(&[line(payload(2))])
        .job(2)
        .read(Snapshot { payload: Some(payload(2)), ..told(3, Status::Init, 1) })
        .holds();
    history().follows(3, 0).unknown(&[line(payload(1))]).seen(3, 1, told(1, Status::Init, 1)).holds();
    history().add(Event::MayMake { payload: payload(1) }).granted(10, 1, 2, 1).holds();
    // Seen before the answer came.
    let mut early = history();
    let request = early.submit(&[line(payload(1))]);
    early.granted(10, 1, 2, 1).add(Event::Accepted { request, jobs: vec![1] }).holds();
}

#[test]
fn nobody_sees_another_tenants_job() {
    let tenants = |worker: u64| {
        let mut tenants = history();
        tenants.add(Event::Belongs { who: 1, tenant: 50 }).add(Event::Belongs { who: 2, tenant: worker });
        tenants
    };
    tenants(51).job(1).granted(10, 1, 2, 1).breaks(NoPhantoms);
    tenants(51).unknown(&[line(payload(1))]).granted(10, 1, 2, 1).breaks(NoPhantoms);
    tenants(50).job(1).granted(10, 1, 2, 1).holds();
    tenants(51).job(1).follows(3, 0).seen(3, 1, told(1, Status::Init, 1)).holds();
}

#[test]
fn damage_is_reported_and_never_served() {
    let other = Snapshot { payload: Some(payload(2)), ..told(1, Status::Init, 1) };
    history().job(1).job(2).read(other).breaks(Damage);
    history().job(1).add(Event::Damaged).worked(1).end().breaks(Damage);
    history().add(Event::Damaged).add(Event::Reported).add(Event::Damaged).end().breaks(Damage);
    history().job(1).worked(1).add(Event::Damaged).add(Event::Reported).end().holds();
    history().add(Event::Damaged).holds();
}

#[test]
fn everything_drains_when_faults_stop() {
    let calm = |job: u64| {
        let mut calm = history();
        calm.job(job).add(Event::FaultsBegin).add(Event::FaultsStop { bound: 50_000 });
        calm
    };
    // (1) finds the same where it never ends.
    let never = calm(1).end().check().violations;
    assert!(never.iter().any(|it| it.invariant == Drains), "{never:?}");
    calm(1).pass(50_000).worked(1).end().breaks(Drains);
    calm(1).pass(40_000).worked(1).end().holds();
    calm(1).worked(1).retried(1).read(Snapshot { run: 2, ..told(1, Status::Init, 4) }).end().breaks(Drains);
    // Accepted later, it has the bound for itself.
    calm(1).worked(1).pass(60_000).job(2).pass(40_000).worked(2).end().holds();
    // Faults go on.
    let mut faults = calm(1);
    faults.add(Event::FaultsBegin).pass(60_000).worked(1).end().holds();
}

#[test]
fn no_job_is_processing_without_a_live_lease() {
    let calm = || {
        let mut calm = history();
        calm.job(1).granted(10, 1, 2, 1).add(Event::FaultsStop { bound: 1_000 });
        calm
    };
    calm().pass(HOLDS).read(told(1, Status::Processing, 2)).breaks(Drains);
    let mut nobodys = history();
    nobodys
        .job(1)
        .add(Event::FaultsStop { bound: 1_000 })
        .pass(2_000)
        .read(told(1, Status::Processing, 2))
        .breaks(Drains);
    calm().pass(HOLDS / 2).read(told(1, Status::Processing, 2)).holds();
    let mut beating = calm();
    let since = beating.pass(HOLDS / 2).now();
    beating
        .add(Event::Beat { lease: 10, since, holds: HOLDS })
        .pass(HOLDS / 2)
        .read(told(1, Status::Processing, 2))
        .holds();
}
