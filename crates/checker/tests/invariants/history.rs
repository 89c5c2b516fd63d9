//! Histories written down tersely: times pass by a thousand microseconds a record, and requests are numbered by themselves.

use ackd_checker::{Checker, Event, Invariant, Line, Record, Report, Snapshot, Status, Verb};

/// The digest of the payload of job `job`, as [`History::job`] submits it.
pub(crate) fn payload(job: u64) -> u64 {
    1000 + job
}

/// A line with this payload and nothing else.
pub(crate) fn line(payload: u64) -> Line<u64> {
    Line::new(1, payload)
}

/// A job in its first run and attempt.
pub(crate) fn told(job: u64, status: Status, version: u64) -> Snapshot<u64> {
    Snapshot { job, status, version, run: 1, attempt: 1, payload: None, result: None }
}

/// A job that is done with this result.
pub(crate) fn done(job: u64, version: u64, result: u64) -> Snapshot<u64> {
    Snapshot { result: Some(result), ..told(job, Status::Done, version) }
}

/// How long the leases hold.
pub(crate) const HOLDS: u64 = 30_000;

#[derive(Default, Clone)]
pub(crate) struct History {
    pub(crate) records: Vec<Record<u64>>,
    at: u64,
    request: u64,
}

impl std::fmt::Debug for History {
    /// A record a line, however it is to be written.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.records.iter().try_for_each(|record| writeln!(f, "{record:?}"))
    }
}

impl History {
    pub(crate) fn new() -> History {
        History::default()
    }

    /// When the next record is made.
    pub(crate) fn now(&self) -> u64 {
        self.at
    }

    pub(crate) fn add(&mut self, is: Event<u64>) -> &mut History {
        self.records.push(Record { at: self.at, is });
        self.pass(1_000)
    }

    pub(crate) fn pass(&mut self, micros: u64) -> &mut History {
        self.at += micros;
        self
    }

    /// The number of a new request.
    pub(crate) fn request(&mut self) -> u64 {
        self.request += 1;
        self.request
    }

    pub(crate) fn submit(&mut self, lines: &[Line<u64>]) -> u64 {
        let request = self.request();
        self.add(Event::Submit { request, by: 1, lines: lines.to_vec() });
        request
    }

    pub(crate) fn accepted(&mut self, lines: &[Line<u64>], jobs: &[u64]) -> &mut History {
        let request = self.submit(lines);
        self.add(Event::Accepted { request, jobs: jobs.to_vec() })
    }

    /// A job was submitted and acknowledged.
    pub(crate) fn job(&mut self, job: u64) -> &mut History {
        self.accepted(&[line(payload(job))], &[job])
    }

    pub(crate) fn unknown(&mut self, lines: &[Line<u64>]) -> &mut History {
        let request = self.submit(lines);
        self.add(Event::Unknown { request })
    }

    pub(crate) fn grant(&mut self, lease: u64, job: Snapshot<u64>) -> &mut History {
        let since = self.now();
        let job = Snapshot { status: Status::Processing, payload: Some(payload(job.job)), ..job };
        self.add(Event::Granted { worker: 2, lease, since, holds: HOLDS, job })
    }

    pub(crate) fn granted(&mut self, lease: u64, job: u64, version: u64, attempt: u32) -> &mut History {
        self.grant(lease, Snapshot { attempt, ..told(job, Status::Processing, version) })
    }

    pub(crate) fn settle(&mut self, lease: u64, verb: Verb, result: Option<u64>) -> u64 {
        let request = self.request();
        self.add(Event::Settle { request, lease, verb, result });
        request
    }

    pub(crate) fn settled(&mut self, request: u64, status: Status, version: u64) -> &mut History {
        self.add(Event::Settled { request, status, version })
    }

    pub(crate) fn completed(&mut self, lease: u64, result: u64, version: u64) -> &mut History {
        let request = self.settle(lease, Verb::Complete, Some(result));
        self.settled(request, Status::Done, version)
    }

    pub(crate) fn failed(&mut self, lease: u64, status: Status, version: u64) -> &mut History {
        let request = self.settle(lease, Verb::Fail, None);
        self.settled(request, status, version)
    }

    pub(crate) fn read(&mut self, job: Snapshot<u64>) -> &mut History {
        let since = self.now();
        self.pass(1).add(Event::Read { by: 1, since, job })
    }

    pub(crate) fn missing(&mut self, job: u64) -> &mut History {
        let since = self.now();
        self.pass(1).add(Event::Missing { by: 1, since, job })
    }

    pub(crate) fn follows(&mut self, subscriber: u64, after: u64) -> &mut History {
        self.add(Event::Follows { subscriber, after })
    }

    pub(crate) fn seen(&mut self, subscriber: u64, position: u64, job: Snapshot<u64>) -> &mut History {
        self.add(Event::Seen { subscriber, position, job })
    }

    pub(crate) fn caught_up(&mut self, subscriber: u64) -> &mut History {
        let since = self.now();
        self.pass(1).add(Event::CaughtUp { subscriber, since })
    }

    /// The job was leased and is done with the result 7: its lease is 10 times its id.
    pub(crate) fn worked(&mut self, job: u64) -> &mut History {
        self.granted(job * 10, job, 2, 1).completed(job * 10, 7, 3)
    }

    /// The next run of a job is asked for and granted.
    pub(crate) fn retried(&mut self, job: u64) -> &mut History {
        let request = self.request();
        self.add(Event::Retry { request, job }).add(Event::Done { request })
    }

    pub(crate) fn end(&mut self) -> &mut History {
        self.add(Event::End)
    }

    pub(crate) fn check(&self) -> Report {
        let mut checker = Checker::new();
        for record in &self.records {
            checker.take(record).unwrap();
        }
        checker.finish()
    }

    /// Nothing is violated.
    #[track_caller]
    pub(crate) fn holds(&self) {
        let report = self.check();
        assert_eq!(report.violations, [], "of {self:?}");
    }

    /// This is violated, and perhaps something else with it.
    #[track_caller]
    pub(crate) fn finds(&self, invariant: Invariant) {
        let report = self.check();
        assert!(report.violations.iter().any(|it| it.invariant == invariant), "{:?}", report.violations);
    }

    /// This is not violated, whatever else is.
    #[track_caller]
    pub(crate) fn keeps(&self, invariant: Invariant) {
        let report = self.check();
        assert!(report.violations.iter().all(|it| it.invariant != invariant), "{:?}", report.violations);
    }

    /// Something is violated: this and nothing else, and the records that prove it are there.
    #[track_caller]
    pub(crate) fn breaks(&self, invariant: Invariant) {
        let report = self.check();
        let found: Vec<Invariant> = report.violations.iter().map(|it| it.invariant).collect();
        assert!(!found.is_empty(), "nothing is found in {self:?}");
        assert!(found.iter().all(|it| *it == invariant), "{:?}", report.violations);
        let places = report.violations.iter().flat_map(|it| &it.records);
        assert!(report.violations.iter().all(|it| !it.records.is_empty()));
        assert!(places.clone().all(|place| *place < report.records), "{:?}", places.collect::<Vec<_>>());
    }
}
