//! Submitting jobs, and what can be asked and done about them.

use std::time::Duration;

use ackd_api::{CallbackSecret, Code, JobList, Problem, SubmitLine, Timeline};
use bytes::Bytes;
use http::header::{HeaderName, IF_NONE_MATCH};
use http::{Method, StatusCode};
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use crate::address::Path;
use crate::transport::{Answer, Call, NDJSON};
use crate::{Client, Document, Error, JobFilter, ResultError, Submission};

/// The longest that a server holds an answer back.
const HOLD: Duration = ackd_api::limits::WAIT;

/// A question that may be held and is answered at once without news is not asked again before this time is over:
/// whoever answers so, a proxy say, holds nothing back.
const PACE: Duration = Duration::from_secs(1);

const PREFER: HeaderName = HeaderName::from_static("prefer");

/// A job that was submitted, as it is now.
#[derive(Debug, Clone)]
pub struct Submitted {
    /// The job.
    pub job: Document,
    /// Whether the idempotency key was known, so that this is the job of an earlier submission.
    pub replayed: bool,
    /// Whether a job with the same unique key was there, so that this is that one.
    pub kept: bool,
    /// Whether a job with the same unique key was there, waited, and took payload and time of this submission.
    pub replaced: bool,
}

impl std::ops::Deref for Submitted {
    type Target = Document;

    fn deref(&self) -> &Document {
        &self.job
    }
}

/// A job of a batch that was submitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The job's id.
    pub id: String,
    /// Whether the idempotency key was known, so that this is the job of an earlier submission.
    pub replayed: bool,
    /// Whether a job with the same unique key was there, so that this is that one.
    pub kept: bool,
    /// Whether a job with the same unique key was there, waited, and took payload and time of this submission.
    pub replaced: bool,
    /// The callback, where the server made a secret for it. It is shown nowhere else.
    pub callback: Option<CallbackSecret<'static>>,
}

/// The bytes of a payload or a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    /// The media type (RFC 9110, section 8.3.1).
    pub content_type: String,
    /// The bytes, as they came.
    pub bytes: Bytes,
}

impl Client {
    /// Submits a job. Once this returns it is durable.
    ///
    /// It is sent once. To repeat it safely after an error that leaves its effect open, give it an
    /// [`Submission::idempotency_key`].
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn submit(&self, submission: Submission) -> Result<Submitted, Error> {
        self.submit_holding(&submission, Duration::ZERO).await
    }

    /// Submits a job and waits for its end, in one exchange where it ends within the server's longest wait.
    ///
    /// # Errors
    /// See [`Error`]; once the job is accepted, those of [`Client::wait`].
    pub async fn submit_and_wait(&self, submission: Submission) -> Result<Document, Error> {
        let submitted = self.submit_holding(&submission, HOLD).await?;
        if submitted.status.is_terminal() { Ok(submitted.job) } else { self.wait(&submitted.job.id).await }
    }

    async fn submit_holding(&self, submission: &Submission, hold: Duration) -> Result<Submitted, Error> {
        let sent = submission.to_sent()?;
        let mut call = Call::post(sent.path).body(&sent.content_type, sent.body)?;
        if !hold.is_zero() {
            call = call.header(PREFER, &format!("wait={}", hold.as_secs()))?.hold(hold);
        }
        let answer = self.transport.send(call).await?;
        let (replayed, kept) = (answer.says("idempotent-replayed"), answer.says("unique-kept"));
        let replaced = answer.says("unique-replaced");
        Ok(Submitted { job: answer.json()?, replayed, kept, replaced })
    }

    /// Submits a batch, all or none of it, of at most 10 000 jobs and 16 MiB. The answers are in the batch's order.
    ///
    /// # Errors
    /// See [`Error`]; a job that is refused refuses all, and the problem's `errors` begin with its place, from 1.
    pub async fn submit_many(&self, batch: impl IntoIterator<Item = Submission>) -> Result<Vec<Accepted>, Error> {
        let lines = self.submit_lines(Path::new("/v1/jobs"), batch).await?;
        lines
            .into_iter()
            .map(|line| accepted(line).map_err(|problem| Error::Refused { problem, retry_after: None }))
            .collect()
    }

    /// Submits a batch of which the good jobs are taken, of at most 10 000 jobs and 16 MiB. The answers are in the
    /// batch's order: a job, or why it was refused.
    ///
    /// # Errors
    /// See [`Error`]: none of the batch was taken, as far as is known.
    pub async fn submit_partial(
        &self,
        batch: impl IntoIterator<Item = Submission>,
    ) -> Result<Vec<Result<Accepted, Problem>>, Error> {
        let lines = self.submit_lines(Path::new("/v1/jobs").query("partial", "true"), batch).await?;
        Ok(lines.into_iter().map(accepted).collect())
    }

    async fn submit_lines(
        &self,
        path: Path,
        batch: impl IntoIterator<Item = Submission>,
    ) -> Result<Vec<SubmitLine<'static>>, Error> {
        let (mut body, mut count) = (Vec::new(), 0);
        for submission in batch {
            submission.write(&mut body)?;
            body.push(b'\n');
            count += 1;
        }
        if count == 0 {
            return Ok(Vec::new());
        }
        let answer = self.transport.send(Call::post(path).body(NDJSON, body)?).await?;
        let lines = answer.lines()?;
        if lines.len() != count {
            let detail = format!("{} lines for a batch of {count}", lines.len());
            return Err(Error::BadAnswer { status: answer.status.as_u16(), detail });
        }
        Ok(lines)
    }

    /// A job as it is now, with its payload where that is small.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn get(&self, id: &str) -> Result<Document, Error> {
        self.transport.send(Call::get(job_path(id))).await?.json()
    }

    /// A job as soon as its version differs from `known`, or `None` if it did not within `hold`, which the server
    /// clamps to 55 s.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn get_changed(&self, id: &str, known: u64, hold: Duration) -> Result<Option<Document>, Error> {
        let path = job_path(id).query("wait", &ackd_api::Duration::new(hold).to_string());
        let call = Call::get(path).header(IF_NONE_MATCH, &format!("W/\"{known}\""))?.hold(hold.min(HOLD));
        let answer = self.transport.send(call).await?;
        if answer.status == StatusCode::NOT_MODIFIED { Ok(None) } else { answer.json().map(Some) }
    }

    /// A job once it has ended, however long that takes. It goes on through restarts of the server, until that has been
    /// away for the client's patience.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn wait(&self, id: &str) -> Result<Document, Error> {
        let mut persistence = self.persistence();
        loop {
            let next = Instant::now() + PACE;
            // Without a known version the server holds its answer until the job has ended, and not only changed.
            let call = Call::get(job_path(id).query("wait", &hold_text())).hold(HOLD);
            match self.transport.send(call).await {
                Ok(answer) => {
                    persistence.succeeded();
                    let job: Document = answer.json()?;
                    if job.status.is_terminal() {
                        return Ok(job);
                    }
                    tokio::time::sleep_until(next).await;
                }
                Err(error) => persistence.failed(error).await?,
            }
        }
    }

    /// The result of a job once it is done, however long that takes. It goes on through restarts of the server, until
    /// that has been away for the client's patience. Where there is none it is read as `null`.
    ///
    /// # Errors
    /// See [`ResultError`].
    pub async fn result<T: DeserializeOwned>(&self, id: &str) -> Result<T, ResultError> {
        let body = self.result_bytes(id).await?;
        let json = if body.bytes.is_empty() { b"null" } else { &body.bytes[..] };
        serde_json::from_slice(json).map_err(ResultError::Unreadable)
    }

    /// The same as bytes of any type.
    ///
    /// # Errors
    /// See [`ResultError`].
    pub async fn result_bytes(&self, id: &str) -> Result<Body, ResultError> {
        let mut persistence = self.persistence();
        loop {
            let next = Instant::now() + PACE;
            let call = Call::get(job_path(id).segment("result").query("wait", &hold_text())).hold(HOLD);
            match self.transport.send(call).await {
                Ok(answer) => return Ok(body(answer)),
                Err(error) if error.is(Code::NotFinished) => {
                    persistence.succeeded();
                    tokio::time::sleep_until(next).await;
                }
                Err(error) => persistence.failed(error).await?,
            }
        }
    }

    /// The bytes of a job's payload.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn payload_bytes(&self, id: &str) -> Result<Body, Error> {
        self.transport.send(Call::get(job_path(id).segment("payload"))).await.map(body)
    }

    /// Every change of a job.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn timeline(&self, id: &str) -> Result<Timeline<'static>, Error> {
        self.transport.send(Call::get(job_path(id).segment("timeline"))).await?.json()
    }

    /// A page of jobs, newest first; a page may be short or empty although its token says that more follow.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn list(&self, filter: &JobFilter) -> Result<JobList<'static>, Error> {
        self.transport.send(Call::get(filter.path())).await?.json()
    }

    /// Has something done to all jobs that match, as a job that reports progress.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn bulk(&self, request: &ackd_api::BulkRequest) -> Result<Document, Error> {
        let path = Path::new("/v1/jobs/bulk");
        self.transport.send(Call::post(path).json(request)?).await?.json()
    }

    /// Cancels a job. If a worker has it, the job goes on until the worker was told and has settled it, and
    /// `cancel_requested_at` says so; [`Client::wait`] tells how it ended.
    ///
    /// # Errors
    /// See [`Error`]; [`Code::AlreadyFinished`] if it ended otherwise.
    pub async fn cancel(&self, id: &str) -> Result<Document, Error> {
        self.transport.send(Call::post(job_path(id).segment("cancel"))).await?.json()
    }

    /// Opens the next run of a job that ended other than as `DONE`.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn retry(&self, id: &str) -> Result<Document, Error> {
        self.transport.send(Call::post(job_path(id).segment("retry"))).await?.json()
    }

    /// Erases a job that has ended.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn delete(&self, id: &str) -> Result<(), Error> {
        self.transport.send(Call::new(Method::DELETE, job_path(id))).await.map(drop)
    }
}

pub(crate) fn job_path(id: &str) -> Path {
    Path::new("/v1/jobs").segment(id)
}

fn hold_text() -> String {
    ackd_api::Duration::new(HOLD).to_string()
}

fn body(answer: Answer) -> Body {
    Body { content_type: answer.content_type().to_owned(), bytes: answer.body }
}

fn accepted(line: SubmitLine<'static>) -> Result<Accepted, Problem> {
    let SubmitLine { replayed, kept, replaced, .. } = line;
    let callback = line.callback.clone();
    Ok(Accepted { id: line.into_result()?, replayed, kept, replaced, callback })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Server, job};

    #[tokio::test(start_paused = true)]
    async fn a_job_is_submitted() {
        let (mut server, client) = Server::memory();
        let submitting = tokio::spawn({
            let client = client.clone();
            async move { client.submit(Submission::new("q").payload(&[1, 2]).unwrap()).await }
        });
        let request = server.expect("POST /v1/jobs").await;
        assert_eq!(request.header("content-type"), Some("application/json"));
        assert_eq!(request.header("prefer"), None);
        assert_eq!(request.text(), r#"{"queue":"q","payload":[1,2]}"#);
        request.answer_with(202, &[("Idempotent-Replayed", "true")], &job("a", "INIT", 1));
        let submitted = submitting.await.unwrap().unwrap();
        assert_eq!((submitted.id.as_ref(), submitted.replayed, submitted.kept), ("a", true, false));

        let submitting =
            tokio::spawn(async move { client.submit(Submission::new("q").payload_bytes("text/plain", "hi")).await });
        let request = server.expect("POST /v1/queues/q/jobs").await;
        assert_eq!((request.header("content-type"), request.text()), (Some("text/plain"), "hi"));
        request.answer_with(202, &[("Unique-Kept", "true")], &job("a", "INIT", 1));
        let submitted = submitting.await.unwrap().unwrap();
        assert!(submitted.kept && !submitted.replaced);
    }

    #[tokio::test(start_paused = true)]
    async fn submitting_and_waiting_is_one_exchange_if_the_job_is_quick() {
        let (mut server, client) = Server::memory();
        let running = tokio::spawn({
            let client = client.clone();
            async move { client.submit_and_wait(Submission::new("q")).await.unwrap().version }
        });
        let request = server.expect("POST /v1/jobs").await;
        assert_eq!(request.header("prefer"), Some("wait=55"));
        request.answer(200, &job("a", "DONE", 3));
        assert_eq!(running.await.unwrap(), 3);

        let running = tokio::spawn(async move { client.submit_and_wait(Submission::new("q")).await.unwrap().version });
        server.expect("POST /v1/jobs").await.answer(202, &job("a", "PROCESSING", 2));
        server.expect("GET /v1/jobs/a?wait=55s").await.answer(200, &job("a", "DONE", 3));
        assert_eq!(running.await.unwrap(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_batch_is_lines() {
        let (mut server, client) = Server::memory();
        assert_eq!(client.submit_many([]).await.unwrap(), []);
        let batch = || [Submission::new("q"), Submission::new("r")];

        let submitting = tokio::spawn({
            let client = client.clone();
            async move { client.submit_many(batch()).await.unwrap() }
        });
        let request = server.expect("POST /v1/jobs").await;
        assert_eq!(request.header("content-type"), Some("application/x-ndjson"));
        assert_eq!(request.text(), "{\"queue\":\"q\"}\n{\"queue\":\"r\"}\n");
        request.answer(202, "{\"status\":202,\"id\":\"a\"}\n{\"status\":202,\"id\":\"b\",\"kept\":true}\n");
        let accepted = submitting.await.unwrap();
        assert_eq!(
            accepted[0],
            Accepted { id: "a".into(), replayed: false, kept: false, replaced: false, callback: None }
        );
        assert!(accepted[1].kept);

        let submitting = tokio::spawn({
            let client = client.clone();
            async move { client.submit_partial(batch()).await.unwrap() }
        });
        let refused = "{\"status\":202,\"id\":\"a\"}\n{\"status\":400,\"problem\":{\"code\":\"invalid-request\"}}\n";
        server.expect("POST /v1/jobs?partial=true").await.answer(207, refused);
        let lines = submitting.await.unwrap();
        assert!(lines[0].is_ok() && lines[1].as_ref().is_err_and(|problem| problem.is(Code::InvalidRequest)));

        let submitting = tokio::spawn(async move { client.submit_many(batch()).await.unwrap_err() });
        server.next().await.answer(202, "{\"status\":202,\"id\":\"a\"}\n");
        assert!(matches!(submitting.await.unwrap(), Error::BadAnswer { .. }));
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_goes_on_until_the_end_through_a_restart() {
        let (mut server, client) = Server::memory();
        let waiting = tokio::spawn(async move { client.wait("a").await });
        let line = "GET /v1/jobs/a?wait=55s";
        server.expect(line).await.answer(200, &job("a", "PROCESSING", 2));
        server.expect(line).await.hang_up();
        server.expect(line).await.refuse(Code::Draining);
        server.expect(line).await.hang_up();
        server.expect(line).await.answer(200, &job("a", "FAILED", 3));
        assert_eq!(waiting.await.unwrap().unwrap().version, 3);
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_hold_the_answer_is_not_asked_without_end() {
        let (mut server, client) = Server::memory();
        let start = Instant::now();
        let waiting = tokio::spawn(async move { client.wait("a").await });
        for _ in 0..10 {
            server.next().await.answer(200, &job("a", "INIT", 1));
        }
        server.next().await.answer(200, &job("a", "DONE", 2));
        waiting.await.unwrap().unwrap();
        assert_eq!(start.elapsed().as_secs(), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_ends_with_patience_or_a_refusal() {
        let (server, client) = Server::with(Client::builder().patience(Duration::from_secs(10)));
        drop(server);
        let start = Instant::now();
        assert!(matches!(client.wait("a").await, Err(Error::Unreachable(_))));
        assert!(start.elapsed() >= Duration::from_secs(10) && start.elapsed() < Duration::from_secs(14));

        let (mut server, client) = Server::memory();
        let waiting = tokio::spawn(async move { client.wait("a").await });
        server.next().await.refuse(Code::NotFound);
        assert!(waiting.await.unwrap().unwrap_err().is(Code::NotFound));
        assert!(server.is_quiet());
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_is_told_by_its_version() {
        let (mut server, client) = Server::memory();
        let asking = tokio::spawn(async move {
            let changed = client.get_changed("a", 7, Duration::from_secs(30)).await.unwrap().unwrap();
            (
                changed.version,
                client.get_changed("a", changed.version, Duration::from_secs(90)).await.unwrap().is_none(),
            )
        });
        let request = server.expect("GET /v1/jobs/a?wait=30s").await;
        assert_eq!(request.header("if-none-match"), Some("W/\"7\""));
        request.answer(200, &job("a", "PROCESSING", 8));
        server.expect("GET /v1/jobs/a?wait=1m30s").await.answer(304, "");
        assert_eq!(asking.await.unwrap(), (8, true));
    }

    #[tokio::test(start_paused = true)]
    async fn a_result_is_waited_for_and_typed() {
        let (mut server, client) = Server::memory();
        let line = "GET /v1/jobs/a/result?wait=55s";
        let result = tokio::spawn({
            let client = client.clone();
            async move { client.result::<Vec<u8>>("a").await.unwrap() }
        });
        server.expect(line).await.refuse(Code::NotFinished);
        server.expect(line).await.hang_up();
        server.expect(line).await.answer(200, "[1,2]");
        assert_eq!(result.await.unwrap(), [1, 2]);

        for (code, is_expected) in [
            (Code::JobFailed, (|error| matches!(error, ResultError::Failed(_))) as fn(ResultError) -> bool),
            (Code::JobCancelled, |error| matches!(error, ResultError::Cancelled(_))),
            (Code::Expired, |error| matches!(error, ResultError::Expired(_))),
        ] {
            let result = tokio::spawn({
                let client = client.clone();
                async move { client.result::<u8>("a").await.unwrap_err() }
            });
            server.expect(line).await.refuse(code);
            assert!(is_expected(result.await.unwrap()), "{code}");
        }

        let result = tokio::spawn({
            let client = client.clone();
            async move { (client.result::<()>("a").await.is_ok(), client.result::<u8>("a").await) }
        });
        server.expect(line).await.answer(200, "");
        server.expect(line).await.answer(200, "\"x\"");
        let (nothing, text) = result.await.unwrap();
        assert!(nothing && matches!(text, Err(ResultError::Unreadable(_))));
    }

    #[tokio::test(start_paused = true)]
    async fn jobs_are_listed_cancelled_retried_and_erased() {
        let (mut server, client) = Server::memory();
        let calls = tokio::spawn(async move {
            let list = client.list(&JobFilter { page_size: Some(1), ..JobFilter::default() }).await.unwrap();
            assert_eq!((list.jobs.len(), list.next_page_token.as_deref(), &*list.position), (1, Some("n"), "p"));
            assert!(client.timeline("a").await.unwrap().truncated);
            assert_eq!(client.cancel("a").await.unwrap().version, 2);
            assert_eq!(client.retry("a").await.unwrap().version, 3);
            assert_eq!(client.payload_bytes("a").await.unwrap().bytes, "[1]");
            client.delete("a").await.unwrap();
        });
        let list = format!(r#"{{"jobs":[{}],"next_page_token":"n","position":"p"}}"#, job("a", "INIT", 1));
        server.expect("GET /v1/jobs?page_size=1").await.answer(200, &list);
        server.expect("GET /v1/jobs/a/timeline").await.answer(200, r#"{"entries":[],"truncated":true}"#);
        server.expect("POST /v1/jobs/a/cancel").await.answer(202, &job("a", "PROCESSING", 2));
        server.expect("POST /v1/jobs/a/retry").await.answer(200, &job("a", "INIT", 3));
        server.expect("GET /v1/jobs/a/payload").await.answer(200, "[1]");
        server.expect("DELETE /v1/jobs/a").await.answer(204, "");
        calls.await.unwrap();
    }
}
