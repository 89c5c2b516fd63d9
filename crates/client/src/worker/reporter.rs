//! Taking what a worker's jobs have to tell to the server: many lines in one request.

use std::sync::Arc;

use ackd_api::{Code, Problem, SettleAnswer};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::backoff::Backoff;
use crate::client::BACKOFF_MAX;
use crate::error::is_transient_status;
use crate::{Client, Error};

/// The most lines of one request.
const LINES: usize = 1000;

/// The bytes of one request after which no further line is added; half of what the server takes at most.
const BYTES: usize = ackd_api::limits::BATCH_BYTES / 2;

/// How many requests are under way at once.
const REQUESTS: usize = 4;

/// The first wait before coming again.
const BACKOFF_BASE: std::time::Duration = std::time::Duration::from_millis(50);

/// Why the server did not take a line.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReportError {
    /// The lease is not held any more, or could not be reported on before its deadline.
    #[error("the lease is lost")]
    Lost,
    /// The server refuses what the line says.
    #[error("{0}")]
    Refused(Problem),
}

/// A line of `POST /v1/leases/settle`.
struct Report {
    line: Vec<u8>,
    deadline: Instant,
    answered: oneshot::Sender<Result<SettleAnswer<'static>, ReportError>>,
}

/// Where to hand lines in. While no request can be sent they gather, and then go together.
#[derive(Clone)]
pub(crate) struct Reporter {
    reports: mpsc::Sender<Report>,
}

impl Reporter {
    /// Starts the task, which ends when all of its reporters are dropped.
    pub(crate) fn start(client: Client, tasks: &mut JoinSet<()>) -> Reporter {
        let (reports, receiver) = mpsc::channel(LINES);
        tasks.spawn(run(client, receiver));
        Reporter { reports }
    }

    /// Tells the server a line, again and again while it cannot be reached, until `deadline`.
    pub(crate) fn report(
        &self,
        line: Vec<u8>,
        deadline: Instant,
    ) -> impl Future<Output = Result<SettleAnswer<'static>, ReportError>> + Send + use<> {
        let reports = self.reports.clone();
        async move {
            let (answered, answer) = oneshot::channel();
            reports.send(Report { line, deadline, answered }).await.map_err(|_| ReportError::Lost)?;
            answer.await.map_err(|_| ReportError::Lost)?
        }
    }
}

async fn run(client: Client, mut reports: mpsc::Receiver<Report>) {
    let slots = Arc::new(Semaphore::new(REQUESTS));
    let mut requests = JoinSet::new();
    let mut gathered = Vec::new();
    loop {
        // First a free slot, then the lines: whatever comes meanwhile goes into the same request.
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return };
        if gathered.is_empty() && reports.recv_many(&mut gathered, LINES).await == 0 {
            break;
        }
        let mut bytes = 0;
        let fitting = gathered.iter().take_while(|report| {
            let fits = bytes < BYTES;
            bytes += report.line.len();
            fits
        });
        let rest = gathered.split_off(fitting.count());
        let batch = std::mem::replace(&mut gathered, rest);
        let client = client.clone();
        requests.spawn(async move {
            deliver(&client, batch).await;
            drop(slot);
        });
        while requests.try_join_next().is_some() {}
    }
    while requests.join_next().await.is_some() {}
}

/// Tells the server a batch, until every line is answered or past its deadline.
async fn deliver(client: &Client, mut batch: Vec<Report>) {
    let mut backoff = Backoff::new(BACKOFF_BASE, BACKOFF_MAX);
    while !batch.is_empty() {
        batch = match send(client, &batch).await {
            Ok(answers) => batch.into_iter().zip(answers).filter_map(|(report, answer)| report.take(answer)).collect(),
            Err(error) if error.is_transient() => batch,
            Err(error) if batch.len() > 1 => {
                // One line may have spoilt it for all; alone each gets what it deserves.
                tracing::warn!(%error, "a batch of reports was refused; sending them one by one");
                for report in batch {
                    Box::pin(deliver(client, vec![report])).await;
                }
                return;
            }
            Err(error) => {
                for report in batch {
                    let problem = error.problem().cloned();
                    let problem = problem.unwrap_or_else(|| Problem::new(Code::Internal, error.to_string()));
                    report.answer(Err(ReportError::Refused(problem)));
                }
                return;
            }
        };
        if batch.is_empty() {
            return;
        }
        tokio::time::sleep(backoff.wait()).await;
        let now = Instant::now();
        let (held, lost): (Vec<_>, Vec<_>) = batch.into_iter().partition(|report| report.deadline > now);
        for report in lost {
            report.answer(Err(ReportError::Lost));
        }
        batch = held;
    }
}

async fn send(client: &Client, batch: &[Report]) -> Result<Vec<SettleAnswer<'static>>, Error> {
    let mut body = Vec::with_capacity(batch.iter().map(|report| report.line.len() + 1).sum());
    for report in batch {
        body.extend_from_slice(&report.line);
        body.push(b'\n');
    }
    // An answer after the last deadline helps nobody.
    let deadline = batch.iter().map(|report| report.deadline).max().unwrap_or_else(Instant::now);
    let sent = client.settle_lines(body.into(), batch.len());
    match tokio::time::timeout_at(deadline, sent).await {
        Ok(answers) => answers,
        Err(_) => Err(Error::Unreachable("no answer before the deadline of the leases".into())),
    }
}

impl Report {
    fn answer(self, answer: Result<SettleAnswer<'static>, ReportError>) {
        // Nobody waits any more if the worker was dropped.
        let _ = self.answered.send(answer);
    }

    /// Takes the server's answer, or gives the report back if it is to be sent again.
    fn take(self, answer: SettleAnswer<'static>) -> Option<Report> {
        match answer.problem {
            Some(problem) if is_transient_status(problem.status) => return Some(self),
            Some(problem) if problem.is(Code::LeaseLost) => self.answer(Err(ReportError::Lost)),
            Some(problem) => self.answer(Err(ReportError::Refused(problem))),
            None => self.answer(Ok(answer)),
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Server;
    use std::time::Duration;

    struct Fixture {
        server: Server,
        reporter: Reporter,
        _tasks: JoinSet<()>,
    }

    fn fixture() -> Fixture {
        let (server, client) = Server::memory();
        let mut tasks = JoinSet::new();
        Fixture { server, reporter: Reporter::start(client, &mut tasks), _tasks: tasks }
    }

    fn report(
        fixture: &Fixture,
        lease: &str,
        seconds: u64,
    ) -> tokio::task::JoinHandle<Result<SettleAnswer<'static>, ReportError>> {
        let line = format!(r#"{{"lease":"{lease}","complete":{{}}}}"#).into_bytes();
        tokio::spawn(fixture.reporter.report(line, Instant::now() + Duration::from_secs(seconds)))
    }

    fn problem(code: Code) -> String {
        serde_json::to_string(&Problem::new(code, "")).unwrap()
    }

    const SETTLE: &str = "POST /v1/leases/settle";

    #[tokio::test(start_paused = true)]
    async fn lines_that_come_together_go_together() {
        let mut fixture = fixture();
        let reports: Vec<_> = (0..3).map(|lease| report(&fixture, &format!("t{lease}"), 30)).collect();
        let request = fixture.server.expect(SETTLE).await;
        assert_eq!(request.lines().len(), 3);
        let lost = problem(Code::LeaseLost);
        let large = problem(Code::TooLarge);
        request.answer(
            200,
            &format!(
                "{{\"lease\":\"t0\",\"status\":200}}\n{{\"lease\":\"t1\",\"status\":409,\"problem\":{lost}}}\n\
                 {{\"lease\":\"t2\",\"status\":413,\"problem\":{large}}}\n"
            ),
        );
        let mut answers = Vec::new();
        for report in reports {
            answers.push(report.await.unwrap());
        }
        assert!(matches!(answers[..], [Ok(_), Err(ReportError::Lost), Err(ReportError::Refused(_))]), "{answers:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_cannot_be_told_is_told_again() {
        let mut fixture = fixture();
        let told = report(&fixture, "t", 30);
        fixture.server.expect(SETTLE).await.hang_up();
        fixture.server.expect(SETTLE).await.refuse(Code::Draining);
        let full = problem(Code::StorageFull);
        fixture
            .server
            .expect(SETTLE)
            .await
            .answer(200, &format!("{{\"lease\":\"t\",\"status\":507,\"problem\":{full}}}\n"));
        fixture.server.expect(SETTLE).await.answer(200, "{\"lease\":\"t\",\"status\":200}\n");
        assert_eq!(told.await.unwrap().unwrap().status, 200);
    }

    #[tokio::test(start_paused = true)]
    async fn after_the_deadline_the_lease_is_lost() {
        let mut fixture = fixture();
        let start = Instant::now();
        let told = report(&fixture, "t", 10);
        let silent = fixture.server.expect(SETTLE).await;
        assert!(matches!(told.await.unwrap(), Err(ReportError::Lost)));
        assert!(start.elapsed() >= Duration::from_secs(10) && start.elapsed() < Duration::from_secs(11));
        silent.given_up().await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_batch_that_is_refused_is_sent_line_by_line() {
        let mut fixture = fixture();
        let good = report(&fixture, "t0", 30);
        let bad = report(&fixture, "t1", 30);
        let request = fixture.server.expect(SETTLE).await;
        assert_eq!(request.lines().len(), 2);
        request.refuse(Code::InvalidRequest);
        fixture.server.expect(SETTLE).await.answer(200, "{\"lease\":\"t0\",\"status\":200}\n");
        fixture.server.expect(SETTLE).await.refuse(Code::InvalidRequest);
        assert!(good.await.unwrap().is_ok());
        assert!(matches!(bad.await.unwrap(), Err(ReportError::Refused(_))));
    }

    #[tokio::test(start_paused = true)]
    async fn while_all_requests_are_under_way_lines_gather() {
        let mut fixture = fixture();
        let mut reports = Vec::new();
        let mut requests = Vec::new();
        for lease in 0..REQUESTS {
            reports.push(report(&fixture, &format!("t{lease}"), 30));
            requests.push(fixture.server.next().await);
        }
        reports.extend((0..10).map(|lease| report(&fixture, &format!("u{lease}"), 30)));
        assert!(fixture.server.stays_quiet(Duration::from_secs(1)).await);
        for (lease, request) in requests.into_iter().enumerate() {
            request.answer(200, &format!("{{\"lease\":\"t{lease}\",\"status\":200}}\n"));
        }
        let request = fixture.server.next().await;
        assert_eq!(request.lines().len(), 10);
        request.answer(200, &"{\"lease\":\"u\",\"status\":200}\n".repeat(10));
        for report in reports {
            report.await.unwrap().unwrap();
        }
    }
}
