//! Random histories of a server that keeps its promises, and what becomes of them when one record is bent.

use ackd_checker::{Event, Invariant, Line, Snapshot, Status, Verb};
use proptest::prelude::*;

use crate::history::{HOLDS, History, line, payload, told};

/// A server that keeps its promises, and its clients.
#[derive(Default)]
struct Model {
    history: History,
    jobs: Vec<Job>,
    /// Every change, in order; the position of the first is 1.
    feed: Vec<Snapshot<u64>>,
    /// How much of the feed each subscriber has seen.
    seen: [usize; 2],
    leases: u64,
}

struct Job {
    now: Snapshot<u64>,
    lease: Option<Live>,
    /// Leases that are over.
    stale: Vec<u64>,
}

#[derive(Clone, Copy)]
struct Live {
    lease: u64,
    until: u64,
    /// Its worker got it.
    told: bool,
}

/// One thing that happens, to the job `which` where it is to one; `how` decides what is open.
#[derive(Debug, Clone, Copy)]
struct Step {
    what: u8,
    which: usize,
    how: u8,
}

impl Model {
    fn new() -> Model {
        let mut model = Model::default();
        model.history.follows(0, 0).follows(1, 0);
        model
    }

    fn change(&mut self, at: usize, change: impl FnOnce(&mut Snapshot<u64>)) -> Snapshot<u64> {
        let job = &mut self.jobs[at];
        change(&mut job.now);
        job.now.version += 1;
        self.feed.push(Snapshot { payload: None, ..job.now });
        job.now
    }

    fn make(&mut self) {
        let id = self.jobs.len() as u64;
        let now = Snapshot { payload: Some(payload(id)), ..told(id, Status::Init, 0) };
        self.jobs.push(Job { now, lease: None, stale: Vec::new() });
        self.change(self.jobs.len() - 1, |_| {});
    }

    fn step(&mut self, step: Step) {
        let at = step.which % self.jobs.len().max(1);
        match step.what {
            0 => self.submit(step.how),
            1..=3 if !self.jobs.is_empty() => self.lease(at, step.how),
            4 | 5 if !self.jobs.is_empty() => self.settle(at, step.how),
            6 if !self.jobs.is_empty() => self.settle_late(at),
            7 if !self.jobs.is_empty() => self.ask(at, step.how),
            8 if !self.jobs.is_empty() => drop(self.history.read(self.jobs[at].now)),
            9 => self.tell(usize::from(step.how % 2), usize::from(step.how / 2)),
            10 => self.pass(u64::from(step.how) * 1_000),
            11 => {
                self.history.add(Event::Crashed).add(Event::Restarted);
                let until = self.history.now() + HOLDS;
                self.jobs.iter_mut().flat_map(|job| &mut job.lease).for_each(|lease| lease.until = until);
                let subscriber = usize::from(step.how % 2);
                self.history.follows(subscriber as u64, self.seen[subscriber] as u64);
            }
            _ => {}
        }
    }

    fn submit(&mut self, how: u8) {
        let id = self.jobs.len() as u64;
        let key = how.is_multiple_of(3).then_some(id);
        let new = Line { key, callback: true, ..line(payload(id)) };
        let lost = how.is_multiple_of(4);
        self.make();
        if lost {
            self.history.unknown(std::slice::from_ref(&new));
        }
        if !lost || key.is_some() {
            self.history.accepted(&[new], &[id]);
        }
    }

    fn lease(&mut self, at: usize, how: u8) {
        if let Some(live) = self.jobs[at].lease {
            if live.told {
                let since = self.history.now();
                self.jobs[at].lease = Some(Live { until: since + HOLDS, ..live });
                self.history.add(Event::Beat { lease: live.lease, since, holds: HOLDS });
            }
            return;
        }
        if self.jobs[at].now.status != Status::Init {
            return;
        }
        self.leases += 1;
        let (lease, since, told) = (10_000 + self.leases, self.history.now(), !how.is_multiple_of(8));
        let job = self.change(at, |job| {
            job.status = Status::Processing;
            job.attempt += u32::from(job.version > 1);
        });
        self.jobs[at].lease = Some(Live { lease, until: since + HOLDS, told });
        if told {
            self.history.add(Event::Granted { worker: 90, lease, since, holds: HOLDS, job });
        }
    }

    fn settle(&mut self, at: usize, how: u8) {
        let Some(live) = self.jobs[at].lease.filter(|lease| lease.told) else { return };
        let result = how.is_multiple_of(2).then_some(20_000 + live.lease);
        let verb = if result.is_some() { Verb::Complete } else { Verb::Fail };
        let request = self.history.settle(live.lease, verb, result);
        self.over(at);
        let job = self.change(at, |job| {
            job.result = result;
            let fails = if how % 4 == 1 { Status::Failed } else { Status::Init };
            job.status = if result.is_some() { Status::Done } else { fails };
        });
        if how % 8 < 2 {
            self.history.add(Event::Unknown { request });
        } else {
            self.history.settled(request, job.status, job.version);
        }
    }

    fn over(&mut self, at: usize) {
        let job = &mut self.jobs[at];
        job.stale.extend(job.lease.take().filter(|lease| lease.told).map(|lease| lease.lease));
    }

    /// A worker whose lease is over does not know.
    fn settle_late(&mut self, at: usize) {
        let job = &self.jobs[at];
        let Some(lease) = job.stale.first().copied().filter(|_| job.lease.is_some_and(|lease| lease.told)) else {
            return;
        };
        let request = self.history.settle(lease, Verb::Complete, Some(20_000 + lease));
        self.history.add(Event::Refused { request });
    }

    fn ask(&mut self, at: usize, how: u8) {
        let (job, status) = (self.jobs[at].now.job, self.jobs[at].now.status);
        let request = self.history.request();
        match status {
            Status::Init => {
                self.history.add(Event::Cancel { request, job });
                self.change(at, |job| job.status = Status::Cancelled);
            }
            Status::Failed | Status::Cancelled if how.is_multiple_of(2) => {
                self.history.add(Event::Retry { request, job });
                self.change(at, |job| (job.status, job.run, job.attempt) = (Status::Init, job.run + 1, 1));
            }
            _ => return,
        }
        self.history.add(Event::Done { request });
    }

    fn tell(&mut self, subscriber: usize, most: usize) {
        for at in (self.seen[subscriber]..self.feed.len()).take(most) {
            self.history.seen(subscriber as u64, at as u64 + 1, self.feed[at]);
            self.seen[subscriber] = at + 1;
        }
    }

    fn pass(&mut self, micros: u64) {
        self.history.pass(micros);
        for at in 0..self.jobs.len() {
            if self.jobs[at].lease.is_some_and(|lease| lease.until <= self.history.now()) {
                self.over(at);
                self.change(at, |job| job.status = Status::Init);
            }
        }
    }

    /// Faults stop, and everything comes to its end.
    fn end(mut self) -> History {
        self.history.add(Event::FaultsStop { bound: 10_000_000 });
        self.pass(HOLDS);
        for at in 0..self.jobs.len() {
            // A first lease may not be told of.
            while !self.jobs[at].now.status.is_terminal() {
                self.lease(at, 1);
                self.settle(at, 8);
            }
        }
        for at in 0..self.jobs.len() {
            self.history.read(self.jobs[at].now);
        }
        for at in 0..self.feed.len() {
            let job = self.feed[at];
            if job.status.is_terminal() {
                self.history.add(Event::Delivered { delivery: at as u64, job, answer: 204 });
            }
        }
        for subscriber in 0..2 {
            self.tell(subscriber, usize::MAX);
            self.history.caught_up(subscriber as u64);
        }
        self.history.end();
        self.history
    }
}

fn histories() -> impl Strategy<Value = History> {
    let step = (0..12u8, any::<usize>(), any::<u8>()).prop_map(|(what, which, how)| Step { what, which, how });
    proptest::collection::vec(step, 20..150).prop_map(|steps| {
        let mut model = Model::new();
        (0..3).for_each(|how| model.step(Step { what: 0, which: 0, how: how * 3 + 1 }));
        steps.into_iter().for_each(|step| model.step(step));
        model.end()
    })
}

/// Bends one of the records of which `bend` says that it can; whether there was one.
fn bend(history: &mut History, which: usize, bend: impl Fn(&Event<u64>) -> Option<Event<u64>>) -> bool {
    let bent: Vec<_> = history.records.iter().enumerate().filter_map(|(at, it)| Some((at, bend(&it.is)?))).collect();
    let Some((at, event)) = bent.get(which % bent.len().max(1)).cloned() else { return false };
    history.records[at].is = event;
    true
}

/// The jobs that were acknowledged. Of others nobody knows that they are there before they are told of.
fn acknowledged(history: &History) -> Vec<u64> {
    let accepted = history.records.iter().filter_map(|it| match &it.is {
        Event::Accepted { jobs, .. } => Some(jobs[0]),
        _ => None,
    });
    accepted.collect()
}

fn finds(history: &History, invariant: Invariant) -> Result<(), TestCaseError> {
    let found = history.check().violations;
    prop_assert!(found.iter().any(|it| it.invariant == invariant), "{found:?}");
    Ok(())
}

/// Of four histories three have no record that a bend can take: by the usual bound on them a test would fail of bad luck.
fn config() -> ProptestConfig {
    ProptestConfig { max_global_rejects: 1 << 20, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_server_that_keeps_its_promises_is_believed(history in histories()) {
        prop_assert_eq!(history.check().violations, []);
    }

    #[test]
    fn a_read_that_misses_its_job_is_found(mut history in histories(), which: usize) {
        let jobs = acknowledged(&history);
        prop_assume!(bend(&mut history, which, |is| match is {
            Event::Read { by, since, job } if jobs.contains(&job.job) => Some(Event::Missing { by: *by, since: *since, job: job.job }),
            _ => None,
        }));
        finds(&history, Invariant::Acknowledged)?;
    }

    #[test]
    fn an_end_that_changes_is_found(mut history in histories(), which: usize) {
        prop_assume!(bend(&mut history, which, |is| match is {
            Event::Read { by, since, job } if job.status.is_terminal() => {
                let job = Snapshot { status: Status::Expired, ..*job };
                Some(Event::Read { by: *by, since: *since, job })
            }
            _ => None,
        }));
        finds(&history, Invariant::OneEnd)?;
    }

    #[test]
    fn a_stale_lease_that_settles_is_found(mut history in histories(), which: usize) {
        let settles = history.records.iter().filter_map(|it| match it.is {
            Event::Settle { request, .. } => Some(request),
            _ => None,
        });
        let settles: Vec<u64> = settles.collect();
        prop_assume!(bend(&mut history, which, |is| match is {
            Event::Refused { request } if settles.contains(request) => {
                Some(Event::Settled { request: *request, status: Status::Done, version: 1_000 })
            }
            _ => None,
        }));
        finds(&history, Invariant::LatestLease)?;
    }

    #[test]
    fn a_token_that_repeats_is_found(mut history in histories(), which: usize) {
        let first = history.records.iter().find_map(|it| match it.is {
            Event::Granted { lease, .. } => Some(lease),
            _ => None,
        });
        prop_assume!(first.is_some());
        prop_assume!(bend(&mut history, which, |is| match is {
            Event::Granted { worker, lease, since, holds, job } if Some(*lease) != first => {
                Some(Event::Granted { worker: *worker, lease: first?, since: *since, holds: *holds, job: *job })
            }
            _ => None,
        }));
        finds(&history, Invariant::LatestLease)?;
    }

    #[test]
    fn a_result_from_nowhere_is_found(mut history in histories(), which: usize) {
        prop_assume!(bend(&mut history, which, |is| match is {
            Event::Seen { subscriber, position, job } if job.status == Status::Done => {
                let job = Snapshot { result: Some(3), ..*job };
                Some(Event::Seen { subscriber: *subscriber, position: *position, job })
            }
            _ => None,
        }));
        finds(&history, Invariant::Offered)?;
    }

    #[test]
    fn a_second_job_of_a_key_is_found(mut history in histories(), which: usize) {
        let submits: Vec<_> = history.records.iter().filter_map(|it| match &it.is {
            Event::Submit { request, lines, .. } if lines[0].key.is_some() => Some(*request),
            _ => None,
        }).collect();
        let again = |is: &Event<u64>| match is {
            Event::Accepted { request, jobs } if submits.contains(request) => Some(jobs.clone()),
            _ => None,
        };
        let keyed: Vec<_> = history.records.iter().filter_map(|it| again(&it.is)).collect();
        prop_assume!(!keyed.is_empty());
        let job = keyed[which % keyed.len()][0];
        // The end of the history comes last.
        history.records.pop();
        history.accepted(&[Line { key: Some(job), ..line(payload(job)) }], &[5_000]).end();
        finds(&history, Invariant::OneKey)?;
    }

    #[test]
    fn an_event_that_is_left_out_is_found(mut history in histories(), which: usize) {
        let resumed = |it: u64, from: u64| history.records.iter().any(|record| match record.is {
            Event::Follows { subscriber, after } => (subscriber, after) == (it, from),
            _ => false,
        });
        // Who resumes behind what it has not seen leaves it out of its own accord.
        let seen = history.records.iter().enumerate().filter_map(|(at, record)| match record.is {
            Event::Seen { subscriber, position, .. } if !resumed(subscriber, position) => Some(at),
            _ => None,
        });
        let seen: Vec<usize> = seen.collect();
        prop_assume!(!seen.is_empty());
        history.records.remove(seen[which % seen.len()]);
        finds(&history, Invariant::InOrder)?;
    }

    #[test]
    fn an_event_that_is_repeated_is_found(mut history in histories(), which: usize) {
        let seen: Vec<usize> = (0..history.records.len())
            .filter(|at| matches!(history.records[*at].is, Event::Seen { .. }))
            .collect();
        let at = seen[which % seen.len()];
        history.records.insert(at, history.records[at].clone());
        finds(&history, Invariant::InOrder)?;
    }

    #[test]
    fn a_webhook_that_fails_for_ever_is_found(mut history in histories(), which: usize) {
        prop_assume!(bend(&mut history, which, |is| match is {
            Event::Delivered { delivery, job, .. } => {
                Some(Event::Delivered { delivery: *delivery, job: *job, answer: 503 })
            }
            _ => None,
        }));
        let jobs = acknowledged(&history);
        let bent = history.records.iter().find_map(|it| match it.is {
            Event::Delivered { job, answer: 503, .. } => Some(job.job),
            _ => None,
        });
        prop_assume!(bent.is_some_and(|job| jobs.contains(&job)));
        finds(&history, Invariant::Webhooks)?;
    }

    #[test]
    fn another_payload_is_found(mut history in histories(), which: usize) {
        let jobs = acknowledged(&history);
        prop_assume!(bend(&mut history, which, |is| match is {
            Event::Read { by, since, job } if jobs.contains(&job.job) => {
                let job = Snapshot { payload: Some(payload(4_000)), ..*job };
                Some(Event::Read { by: *by, since: *since, job })
            }
            _ => None,
        }));
        finds(&history, Invariant::Damage)?;
    }

    #[test]
    fn a_job_from_nowhere_is_found(mut history in histories(), which: usize) {
        prop_assume!(bend(&mut history, which, |is| match is {
            Event::Read { by, since, job } => {
                let job = Snapshot { job: 6_000, payload: Some(payload(6_000)), ..*job };
                Some(Event::Read { by: *by, since: *since, job })
            }
            _ => None,
        }));
        finds(&history, Invariant::NoPhantoms)?;
    }

    #[test]
    fn a_job_that_does_not_end_is_found(mut history in histories(), which: usize) {
        let ids = acknowledged(&history);
        let job = ids[which % ids.len()];
        let ends = |it: &Snapshot<u64>| it.job == job && it.status.is_terminal();
        history.records.retain(|it| match &it.is {
            Event::Read { job, .. } | Event::Seen { job, .. } | Event::Delivered { job, .. } => !ends(job),
            // Which lease is whose does not matter: without a settlement that is known, none is known.
            Event::Settle { .. } | Event::Settled { .. } => false,
            Event::Unknown { .. } | Event::Refused { .. } | Event::Done { .. } => false,
            Event::Cancel { .. } => false,
            _ => true,
        });
        finds(&history, Invariant::Acknowledged)?;
        finds(&history, Invariant::Drains)?;
    }
}
