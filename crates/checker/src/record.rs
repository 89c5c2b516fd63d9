use serde::{Deserialize, Serialize};

/// One line of a history: something that a client asked, was answered or saw, or a mark of whoever ran the test.
///
/// A history is in the order of `at`. Ids (`I`) are text in a file and numbers in the checker; those of different kinds
/// are compared with their own kind only. A *digest* stands for bytes: equal digests, equal bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record<I> {
    /// When, in microseconds on a clock that all clients share and that never runs backwards.
    pub at: u64,
    /// What.
    pub is: Event<I>,
}

/// What a client asked, was answered or saw.
///
/// `since`: when the client had asked for what it is told here, on the clock of [`Record::at`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[allow(missing_docs, reason = "each variant says what its fields are")]
pub enum Event<I> {
    /// A client, worker or subscriber is of a tenant. Who is of none may see everything.
    Belongs { who: I, tenant: I },
    /// Jobs that nobody submits may be made with this payload, by a schedule say.
    MayMake { payload: I },
    /// Asks for these jobs, all or none.
    Submit { request: I, by: I, lines: Vec<Line<I>> },
    /// Answers a [`Event::Submit`]: a job for each line, in order.
    Accepted { request: I, jobs: Vec<I> },
    /// Asks to settle a lease. What is completed without a result has the digest of no bytes.
    Settle { request: I, lease: I, verb: Verb, result: Option<I> },
    /// Answers a [`Event::Settle`] that was accepted.
    Settled { request: I, status: Status, version: u64 },
    /// Asks to cancel a job.
    Cancel { request: I, job: I },
    /// Asks for the next run of a job, by a retry or a redrive.
    Retry { request: I, job: I },
    /// Asks to erase a job.
    Delete { request: I, job: I },
    /// Answers a [`Event::Cancel`], [`Event::Retry`] or [`Event::Delete`] that was accepted.
    Done { request: I },
    /// Answers whatever was asked: nothing of it has happened, or will.
    Refused { request: I },
    /// No answer came, or none that says whether it has happened.
    Unknown { request: I },
    /// A worker got a lease, which holds for at least `holds` microseconds from `since` on.
    Granted { worker: I, lease: I, since: u64, holds: u64, job: Snapshot<I> },
    /// A heartbeat that was sent at `since` was accepted: the lease holds for at least `holds` microseconds from then on.
    Beat { lease: I, since: u64, holds: u64 },
    /// A client read a job.
    Read { by: I, since: u64, job: Snapshot<I> },
    /// A client was told that there is no such job.
    Missing { by: I, since: u64, job: I },
    /// A subscriber begins or resumes after this position, and is told every change from there on.
    Follows { subscriber: I, after: u64 },
    /// A subscriber saw a change at this position of the feed.
    Seen { subscriber: I, position: u64, job: Snapshot<I> },
    /// A subscriber was told that what it missed is no longer kept.
    Reset { subscriber: I },
    /// A subscriber was told that it has seen everything that had happened when it asked.
    CaughtUp { subscriber: I, since: u64 },
    /// A webhook's target was told of the end of a job, and answered with this HTTP status.
    Delivered { delivery: I, job: Snapshot<I>, answer: u16 },
    /// The end of the job's run `run` can be seen not to be deliverable.
    DeadDelivery { job: I, run: u32 },
    /// A record was acknowledged at this offset.
    Appended { partition: I, offset: u64, record: I },
    /// A consumer group begins or resumes to read a partition at this offset.
    Assigned { group: I, partition: I, offset: u64 },
    /// A consumer group read a record.
    Fetched { group: I, partition: I, offset: u64, record: I },
    /// The server was killed, or its power cut.
    Crashed,
    /// The server runs again.
    Restarted,
    /// Something is made to fail from here on.
    FaultsBegin,
    /// Nothing is made to fail any more: everything has ended within so many microseconds.
    FaultsStop { bound: u64 },
    /// Stored bytes were changed behind the server's back, not at the end of what it wrote last.
    Damaged,
    /// The server said that it found damage: by refusing to start, by its health or in an answer.
    Reported,
    /// All was read that there is to read: what is not in the history by now never was.
    End,
}

/// A job that is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line<I> {
    /// The queue.
    pub queue: I,
    /// The digest of its payload. No two lines have the same, but for those with the same key, and repetitions of a submission.
    pub payload: I,
    /// The idempotency key.
    #[serde(default = "Option::default", skip_serializing_if = "Option::is_none")]
    pub key: Option<I>,
    /// The group.
    #[serde(default = "Option::default", skip_serializing_if = "Option::is_none")]
    pub group: Option<I>,
    /// The ordering key.
    #[serde(default = "Option::default", skip_serializing_if = "Option::is_none")]
    pub order: Option<I>,
    /// Whether a webhook is to be told of its end.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub callback: bool,
    /// For how many microseconds after its end it is kept at least; for longer than the history where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<u64>,
    /// The jobs that it comes after.
    #[serde(default = "Vec::default", skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<After<I>>,
    /// Whether it runs however those have ended; otherwise they are to be `DONE`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub anyway: bool,
}

/// A job that another comes after.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum After<I> {
    /// The job with this id.
    Job(I),
    /// The one of this line of the same submission, from 0.
    Line(usize),
}

/// A job as somebody was told of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Snapshot<I> {
    /// Its id.
    pub job: I,
    /// Its status.
    pub status: Status,
    /// Its version, which names the change after which it is so.
    pub version: u64,
    /// Its run.
    pub run: u32,
    /// Its attempt.
    pub attempt: u32,
    /// The digest of its payload, where that was told.
    #[serde(default = "Option::default", skip_serializing_if = "Option::is_none")]
    pub payload: Option<I>,
    /// The digest of its result, where that was told.
    #[serde(default = "Option::default", skip_serializing_if = "Option::is_none")]
    pub result: Option<I>,
}

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// It waits.
    Init,
    /// A worker has it.
    Processing,
    /// It is done.
    Done,
    /// It failed for good.
    Failed,
    /// It was cancelled.
    Cancelled,
    /// It was not done in time.
    Expired,
}

impl Status {
    /// Whether the run has ended.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        !matches!(self, Status::Init | Status::Processing)
    }
}

/// How a worker settles a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// The work is done.
    Complete,
    /// The attempt failed.
    Fail,
    /// The worker gives the job back.
    Release,
}

impl<I> Snapshot<I> {
    fn map<J>(self, to: &mut impl FnMut(I) -> J) -> Snapshot<J> {
        Snapshot {
            job: to(self.job),
            status: self.status,
            version: self.version,
            run: self.run,
            attempt: self.attempt,
            payload: self.payload.map(&mut *to),
            result: self.result.map(&mut *to),
        }
    }
}

impl<I> Line<I> {
    /// A line with this and nothing else.
    #[must_use]
    pub fn new(queue: I, payload: I) -> Line<I> {
        Line {
            queue,
            payload,
            key: None,
            group: None,
            order: None,
            callback: false,
            kept: None,
            after: Vec::new(),
            anyway: false,
        }
    }

    fn map<J>(self, to: &mut impl FnMut(I) -> J) -> Line<J> {
        Line {
            queue: to(self.queue),
            payload: to(self.payload),
            key: self.key.map(&mut *to),
            group: self.group.map(&mut *to),
            order: self.order.map(&mut *to),
            callback: self.callback,
            kept: self.kept,
            after: self.after.into_iter().map(|after| after.map(to)).collect(),
            anyway: self.anyway,
        }
    }
}

impl<I> After<I> {
    fn map<J>(self, to: &mut impl FnMut(I) -> J) -> After<J> {
        match self {
            After::Job(job) => After::Job(to(job)),
            After::Line(line) => After::Line(line),
        }
    }
}

impl<I> Record<I> {
    /// The same with other ids.
    pub fn map<J>(self, to: &mut impl FnMut(I) -> J) -> Record<J> {
        Record { at: self.at, is: self.is.map(to) }
    }
}

impl<I> Event<I> {
    fn map<J>(self, to: &mut impl FnMut(I) -> J) -> Event<J> {
        match self {
            Event::Belongs { who, tenant } => Event::Belongs { who: to(who), tenant: to(tenant) },
            Event::MayMake { payload } => Event::MayMake { payload: to(payload) },
            Event::Submit { request, by, lines } => Event::Submit {
                request: to(request),
                by: to(by),
                lines: lines.into_iter().map(|line| line.map(to)).collect(),
            },
            Event::Accepted { request, jobs } => {
                Event::Accepted { request: to(request), jobs: jobs.into_iter().map(&mut *to).collect() }
            }
            Event::Settle { request, lease, verb, result } => {
                Event::Settle { request: to(request), lease: to(lease), verb, result: result.map(to) }
            }
            Event::Settled { request, status, version } => Event::Settled { request: to(request), status, version },
            Event::Cancel { request, job } => Event::Cancel { request: to(request), job: to(job) },
            Event::Retry { request, job } => Event::Retry { request: to(request), job: to(job) },
            Event::Delete { request, job } => Event::Delete { request: to(request), job: to(job) },
            Event::Done { request } => Event::Done { request: to(request) },
            Event::Refused { request } => Event::Refused { request: to(request) },
            Event::Unknown { request } => Event::Unknown { request: to(request) },
            Event::Granted { worker, lease, since, holds, job } => {
                Event::Granted { worker: to(worker), lease: to(lease), since, holds, job: job.map(to) }
            }
            Event::Beat { lease, since, holds } => Event::Beat { lease: to(lease), since, holds },
            Event::Read { by, since, job } => Event::Read { by: to(by), since, job: job.map(to) },
            Event::Missing { by, since, job } => Event::Missing { by: to(by), since, job: to(job) },
            Event::Follows { subscriber, after } => Event::Follows { subscriber: to(subscriber), after },
            Event::Seen { subscriber, position, job } => {
                Event::Seen { subscriber: to(subscriber), position, job: job.map(to) }
            }
            Event::Reset { subscriber } => Event::Reset { subscriber: to(subscriber) },
            Event::CaughtUp { subscriber, since } => Event::CaughtUp { subscriber: to(subscriber), since },
            Event::Delivered { delivery, job, answer } => {
                Event::Delivered { delivery: to(delivery), job: job.map(to), answer }
            }
            Event::DeadDelivery { job, run } => Event::DeadDelivery { job: to(job), run },
            Event::Appended { partition, offset, record } => {
                Event::Appended { partition: to(partition), offset, record: to(record) }
            }
            Event::Assigned { group, partition, offset } => {
                Event::Assigned { group: to(group), partition: to(partition), offset }
            }
            Event::Fetched { group, partition, offset, record } => {
                Event::Fetched { group: to(group), partition: to(partition), offset, record: to(record) }
            }
            Event::Crashed => Event::Crashed,
            Event::Restarted => Event::Restarted,
            Event::FaultsBegin => Event::FaultsBegin,
            Event::FaultsStop { bound } => Event::FaultsStop { bound },
            Event::Damaged => Event::Damaged,
            Event::Reported => Event::Reported,
            Event::End => Event::End,
        }
    }
}
