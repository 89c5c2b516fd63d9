//! Why a request is refused: the one place where the engine's words become the API's.

use ackd_api::{Code, Fault, Problem};
use ackd_domain::{Place, Refusal};
use ackd_engine::{FileStoreError, FilesError, ReadError, Unavailable};
use http::header::{self, HeaderName, HeaderValue};
use http::{Response, StatusCode};

use crate::outlet::Outlet;

/// After how many seconds to come again, where nothing better is known.
const COME_AGAIN: u64 = 1;

/// An answer that is an error: a problem, and what its headers say.
#[derive(Debug)]
pub(crate) struct Rejection {
    pub(crate) problem: Problem,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// What follows on this connection cannot be told from the rest of this request.
    close: bool,
}

impl Rejection {
    pub(crate) fn new(code: Code, detail: impl Into<String>) -> Rejection {
        Rejection::from(Problem::new(code, detail))
    }

    /// After so many seconds it is worth another try.
    pub(crate) fn retry_after(self, seconds: u64) -> Rejection {
        self.with(header::RETRY_AFTER, HeaderValue::from(seconds))
    }

    pub(crate) fn with(mut self, name: HeaderName, value: HeaderValue) -> Rejection {
        self.headers.push((name, value));
        self
    }

    /// The connection ends with this answer.
    pub(crate) fn closing(mut self) -> Rejection {
        self.close = true;
        self
    }

    /// The answer, for a server with this public URL.
    pub(crate) fn into_response(self, public_url: Option<&str>) -> Response<Outlet> {
        let problem = match public_url {
            Some(url) => self.problem.with_base(url),
            None => self.problem,
        };
        // A problem is texts and numbers; there is nothing in it that could fail to be written.
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        let mut response = Response::new(Outlet::whole(body.into()));
        *response.status_mut() = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(ackd_api::problem::MEDIA_TYPE));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        for (name, value) in self.headers {
            headers.insert(name, value);
        }
        if self.close {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

impl From<Problem> for Rejection {
    fn from(problem: Problem) -> Rejection {
        let busy = matches!(problem.status, 429 | 503);
        let rejection = Rejection { problem, headers: Vec::new(), close: false };
        if busy { rejection.retry_after(COME_AGAIN) } else { rejection }
    }
}

impl From<Unavailable> for Rejection {
    fn from(unavailable: Unavailable) -> Rejection {
        let (code, detail) = match unavailable {
            Unavailable::Overloaded => {
                (Code::Overloaded, "too many requests wait already; send this one again later".to_owned())
            }
            Unavailable::Stopping => {
                (Code::Draining, "the server is stopping; send this request again to the one that follows".to_owned())
            }
            Unavailable::Full => (
                Code::StorageFull,
                "the disk has no room for this; nothing was accepted. Send it again once there is room".to_owned(),
            ),
            Unavailable::Failed(detail) => (
                Code::StoreFailed,
                format!("the store has failed and accepts nothing until the server is started again: {detail}"),
            ),
        };
        Rejection::new(code, detail)
    }
}

impl From<ReadError> for Rejection {
    fn from(error: ReadError) -> Rejection {
        match error {
            ReadError::Damaged(what) => damaged(&what).into(),
            ReadError::Failed(_) => Rejection::new(Code::StoreFailed, error.to_string()),
        }
    }
}

impl From<FilesError> for Rejection {
    fn from(error: FilesError) -> Rejection {
        match error {
            FilesError::Store(FileStoreError::Full(why)) => Rejection::new(
                Code::StorageFull,
                format!("there is no room for this file, and nothing was kept: {why}"),
            ),
            FilesError::Store(error) => Rejection::new(Code::StoreFailed, error.to_string()),
            FilesError::Ledger(error) => error.into(),
            FilesError::Damaged(id) => damaged(&format!("file {id}")).into(),
        }
    }
}

impl From<Refusal> for Rejection {
    fn from(refusal: Refusal) -> Rejection {
        problem_of(refusal).into()
    }
}

impl From<serde_json::Error> for Rejection {
    fn from(error: serde_json::Error) -> Rejection {
        Rejection::new(Code::Internal, format!("the answer could not be written: {error}"))
    }
}

/// Where a queue's settings name its dead-letter queue.
pub(crate) const DEAD_LETTER: &str = "/dead_letter";

/// What a refused command comes to, alone or as a line of many.
pub(crate) fn problem_of(refusal: Refusal) -> Problem {
    match refusal {
        Refusal::NotFound => no_such_job(),
        Refusal::LeaseLost => lease_lost(),
        Refusal::AlreadyFinished(status) => Problem::new(
            Code::AlreadyFinished,
            format!("the job has ended as {status}, and nothing that was asked for changes that"),
        ),
        Refusal::NotFinished(status) => {
            Problem::new(Code::NotFinished, format!("the job is {status}; it must have ended first"))
        }
        Refusal::NotUnique(id) => Problem::new(
            Code::NotUnique,
            format!(
                "job {id} of the queue has the same unique key and has not ended; of such jobs only one may be unfinished"
            ),
        ),
        Refusal::Followed => Problem::new(
            Code::NotFinished,
            "jobs that come `after` it wait for it still: cancel them first, or retry this one",
        ),
        Refusal::KeyMismatch(lines) => key_mismatch(lines.first().and_then(|(_, job)| *job)),
        Refusal::NoPredecessor(_) | Refusal::NoFile(_) => of_one(refusal),
        Refusal::Damaged(what) => damaged(&what),
        Refusal::Draining(queue) => Problem::new(
            Code::Draining,
            format!("queue {queue} is being drained and takes no new jobs; send this one again once it is resumed"),
        ),
        Refusal::DeadLetterRing(way) => {
            let way: Vec<&str> = way.iter().map(ackd_domain::Name::as_str).collect();
            Problem::at(
                DEAD_LETTER,
                format!("the dead letters of a queue must not come back to it: {}", way.join(" -> ")),
            )
        }
        Refusal::DeadLettersTooFar => Problem::at(
            DEAD_LETTER,
            format!(
                "the queue has a `dead_letter` itself, and so on: dead letters go through at most {} queues",
                ackd_domain::limits::DEAD_LETTER_HOPS
            ),
        ),
        Refusal::TooManyEndpoints | Refusal::TooManySchedules => {
            Problem::new(Code::InvalidRequest, format!("{refusal}; delete one that is not needed any more"))
        }
        Refusal::FileExists => Problem::new(
            Code::PreconditionFailed,
            "there is a file of this name already; leave out `If-None-Match: *` to replace it, or choose another name",
        ),
        // These are between the ledger and the engine's own parts; no client can ask for what they refuse.
        Refusal::NotWaiting
        | Refusal::HeldBack
        | Refusal::NotExpired
        | Refusal::ChangedSince
        | Refusal::Kept
        | Refusal::FileNeeded
        | Refusal::Overtaken(_)
        | Refusal::ScheduleMoved => Problem::new(Code::Internal, refusal.to_string()),
    }
}

/// The idempotency key belongs to another request: the one that made `job`, or an earlier line of the same batch.
pub(crate) fn key_mismatch(job: Option<ackd_domain::JobId>) -> Problem {
    let owner = match job {
        Some(id) => format!("to the request that made job {id}"),
        None => "to an earlier line of this batch".to_owned(),
    };
    Problem::new(
        Code::IdempotencyMismatch,
        format!("the idempotency key belongs {owner}, which differs from this one; a new request needs a new key"),
    )
}

/// What a refused submission of several comes to: the problem of each line at fault, counted from 0, with pointers into
/// that line. What is no matter of single lines is given back.
pub(crate) fn by_line(refusal: Refusal) -> Result<Vec<(usize, Problem)>, Refusal> {
    let of_each: Vec<(Place, &str, Problem)> = match refusal {
        Refusal::KeyMismatch(mismatches) => {
            let each = mismatches.into_iter();
            each.map(|(line, job)| (line.into(), "/idempotency_key", key_mismatch(job))).collect()
        }
        Refusal::NoPredecessor(missing) => {
            let detail = |id| format!("there is no job {id}, or no longer, to come after");
            let each = missing.into_iter();
            each.map(|(place, id)| (place, "/after", Problem::new(Code::InvalidRequest, detail(id)))).collect()
        }
        Refusal::NoFile(missing) => {
            let each = missing.into_iter();
            each.map(|(place, name)| (place, "/payload_file", Problem::new(Code::InvalidRequest, no_file(&name))))
                .collect()
        }
        other => return Err(other),
    };
    let mut lines: Vec<(usize, Problem)> = Vec::new();
    for (Place { line, then }, field, problem) in of_each {
        let mut pointer: String = then.iter().map(|at| format!("/then/{at}")).collect();
        pointer.push_str(field);
        let detail = problem.detail.clone();
        match lines.last_mut() {
            Some((last, whole)) if *last == line => {
                if whole.errors.len() < ackd_api::Faults::MAX {
                    whole.errors.push(Fault { pointer, detail });
                }
            }
            _ => lines.push((line, problem.with_error(pointer, detail))),
        }
    }
    Ok(lines)
}

/// What a refused submission of one job comes to, with pointers to its fields.
pub(crate) fn of_one(refusal: Refusal) -> Problem {
    match by_line(refusal) {
        Ok(lines) => {
            let first = lines.into_iter().next().map(|(_, problem)| problem);
            first.unwrap_or_else(|| Problem::new(Code::Internal, "the job was refused, and the reason lost"))
        }
        Err(refusal) => problem_of(refusal),
    }
}

fn no_file(name: &ackd_domain::Name) -> String {
    format!("there is no file `{name}`, or no longer; upload it first, with `PUT /v1/files/{name}`")
}

pub(crate) fn no_such_file() -> Problem {
    Problem::new(Code::NotFound, "there is no file of this name, or no longer")
}

pub(crate) fn no_such_job() -> Problem {
    Problem::new(Code::NotFound, "there is no job with this id, or no longer")
}

pub(crate) fn lease_lost() -> Problem {
    Problem::new(
        Code::LeaseLost,
        "the lease lapsed, was superseded or settled by another verb, or never existed; nothing changed. Stop working on \
         this job and lease the next one",
    )
}

fn damaged(what: &str) -> Problem {
    Problem::new(Code::Damaged, format!("what is stored of {what} does not match its checksum, and is not shown"))
}

/// A field that later versions know.
pub(crate) const NOT_YET: &str = "is not supported yet";

#[cfg(test)]
mod tests {
    use super::*;
    use ackd_domain::Status;

    #[test]
    fn what_the_engine_says_is_a_problem_of_the_api() {
        let unavailable = |unavailable: Unavailable| Rejection::from(unavailable);
        let read = |error: ReadError| Rejection::from(error);
        let refused = |refusal: Refusal| Rejection::from(refusal);
        for (rejection, status, code) in [
            (unavailable(Unavailable::Overloaded), 503, "overloaded"),
            (unavailable(Unavailable::Stopping), 503, "draining"),
            (unavailable(Unavailable::Full), 507, "storage-full"),
            (unavailable(Unavailable::Failed("fsync".into())), 503, "store-failed"),
            (read(ReadError::Damaged("job 7".into())), 500, "damaged"),
            (read(ReadError::Failed("gone".into())), 503, "store-failed"),
            (refused(Refusal::NotFound), 404, "not-found"),
            (refused(Refusal::LeaseLost), 409, "lease-lost"),
            (refused(Refusal::AlreadyFinished(Status::Done)), 409, "already-finished"),
            (refused(Refusal::NotFinished(Status::Init)), 409, "not-finished"),
            (refused(Refusal::KeyMismatch(vec![(0, None)])), 422, "idempotency-mismatch"),
            (refused(Refusal::Damaged("job 7".into())), 500, "damaged"),
            (refused(Refusal::HeldBack), 500, "internal"),
        ] {
            assert_eq!((rejection.problem.status, &*rejection.problem.code), (status, code));
            let response = rejection.into_response(Some("https://ackd.example"));
            assert_eq!(response.status(), status);
            assert_eq!(response.headers().contains_key(header::RETRY_AFTER), status == 503, "{code}");
        }
    }
}
