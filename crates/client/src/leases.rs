//! Leasing jobs and settling leases, for those who write a worker of their own. [`crate::Worker`] does all of it.

use std::time::Duration;

use ackd_api::{
    Complete, Fail, Heartbeat, HeartbeatAnswer, LeaseRequest, Leases, Release, Released, SettleAnswer, SettleLine,
    Settled,
};
use bytes::Bytes;
use http::StatusCode;

use crate::address::Path;
use crate::transport::{Call, NDJSON};
use crate::{Client, Error};

/// A lease that was granted.
pub type GrantedLease = ackd_api::Lease<'static>;

impl Client {
    /// Asks for jobs. Empty if there were none within the request's `wait`.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn lease(&self, request: &LeaseRequest<'_>) -> Result<Vec<GrantedLease>, Error> {
        let hold = request.wait.map_or(Duration::ZERO, ackd_api::Duration::get).min(ackd_api::limits::WAIT);
        let answer = self.transport.send(Call::post(Path::new("/v1/leases")).json(request)?.hold(hold)).await?;
        if answer.status == StatusCode::NO_CONTENT {
            return Ok(Vec::new());
        }
        answer.json::<Leases<'static>>().map(|leases| leases.leases)
    }

    /// Tells the server that a lease's job is still worked on.
    ///
    /// # Errors
    /// See [`Error`]; [`ackd_api::Code::LeaseLost`] if it is not this worker's any more.
    pub async fn heartbeat(&self, lease: &str, heartbeat: &Heartbeat<'_>) -> Result<HeartbeatAnswer, Error> {
        self.transport.send(Call::post(lease_path(lease, "heartbeat")).json(heartbeat)?).await?.json()
    }

    /// Ends a lease: the job is done.
    ///
    /// # Errors
    /// See [`Error`]; [`ackd_api::Code::LeaseLost`] if it is not this worker's any more.
    pub async fn complete(&self, lease: &str, complete: &Complete<'_>) -> Result<Settled<'static>, Error> {
        self.transport.send(Call::post(lease_path(lease, "complete")).json(complete)?).await?.json()
    }

    /// Ends a lease: the job is done, with a result of any type.
    ///
    /// # Errors
    /// See [`Error`]; [`ackd_api::Code::LeaseLost`] if it is not this worker's any more.
    pub async fn complete_bytes(
        &self,
        lease: &str,
        content_type: &str,
        result: impl Into<Bytes>,
    ) -> Result<Settled<'static>, Error> {
        self.transport.send(Call::post(lease_path(lease, "result")).body(content_type, result)?).await?.json()
    }

    /// Ends a lease: the attempt failed.
    ///
    /// # Errors
    /// See [`Error`]; [`ackd_api::Code::LeaseLost`] if it is not this worker's any more.
    pub async fn fail(&self, lease: &str, fail: &Fail<'_>) -> Result<Settled<'static>, Error> {
        self.transport.send(Call::post(lease_path(lease, "fail")).json(fail)?).await?.json()
    }

    /// Ends a lease: the job goes back, and the attempt does not count.
    ///
    /// # Errors
    /// See [`Error`]; [`ackd_api::Code::LeaseLost`] if it is not this worker's any more.
    pub async fn release(&self, lease: &str, release: &Release<'_>) -> Result<Settled<'static>, Error> {
        self.transport.send(Call::post(lease_path(lease, "release")).json(release)?).await?.json()
    }

    /// Settles many leases, or keeps them alive, in one request. The answers are in the lines' order.
    ///
    /// # Errors
    /// See [`Error`]; what is wrong with one lease stands in its answer.
    pub async fn settle(&self, lines: &[SettleLine<'_>]) -> Result<Vec<SettleAnswer<'static>>, Error> {
        let mut body = Vec::new();
        for line in lines {
            serde_json::to_writer(&mut body, line).map_err(|error| Error::BadRequest(error.to_string()))?;
            body.push(b'\n');
        }
        self.settle_lines(body.into(), lines.len()).await
    }

    /// The same with lines that are written already.
    pub(crate) async fn settle_lines(&self, body: Bytes, count: usize) -> Result<Vec<SettleAnswer<'static>>, Error> {
        if count == 0 {
            return Ok(Vec::new());
        }
        let call = Call::post(Path::new("/v1/leases/settle")).body(NDJSON, body)?;
        let answer = self.transport.send(call).await?;
        let lines = answer.lines()?;
        if lines.len() == count {
            return Ok(lines);
        }
        let detail = format!("{} lines for {count} leases", lines.len());
        Err(Error::BadAnswer { status: answer.status.as_u16(), detail })
    }

    /// Gives back all leases of a worker, by its name; the attempts do not count. A rolling deploy's last act.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn release_worker(&self, worker: &str) -> Result<Released, Error> {
        self.transport.send(Call::post(Path::new("/v1/workers").segment(worker).segment("release"))).await?.json()
    }
}

pub(crate) fn lease_path(lease: &str, verb: &str) -> Path {
    Path::new("/v1/leases").segment(lease).segment(verb)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Server, job};
    use ackd_api::{Secret, SettleVerb, Status};

    #[tokio::test(start_paused = true)]
    async fn leases_are_asked_for_and_settled() {
        let (mut server, client) = Server::memory();
        let calls = tokio::spawn(async move {
            let request = LeaseRequest { queues: vec!["q".into()], max: Some(2), ..LeaseRequest::default() };
            assert!(client.lease(&request).await.unwrap().is_empty());
            let leases = client.lease(&request).await.unwrap();
            assert_eq!((leases[0].lease.expose(), leases[0].job.id.as_ref()), ("t/1", "a"));
            assert!(client.heartbeat("t/1", &Heartbeat::default()).await.unwrap().cancel_requested);
            assert_eq!(client.complete("t", &Complete::default()).await.unwrap().status, Status::Done);
            client.complete_bytes("t", "text/plain", "hi").await.unwrap();
            client.fail("t", &Fail { retryable: Some(false), ..Fail::default() }).await.unwrap();
            client.release("t", &Release::default()).await.unwrap();
            let line = SettleLine { lease: Secret::new("t"), verb: SettleVerb::Complete(Complete::default()) };
            assert_eq!(client.settle(&[line.clone(), line]).await.unwrap()[1].status, 409);
            assert!(client.settle(&[]).await.unwrap().is_empty());
            assert_eq!(client.release_worker("w").await.unwrap().released, 3);
        });
        let request = server.expect("POST /v1/leases").await;
        assert_eq!(request.text(), r#"{"queues":["q"],"max":2}"#);
        request.answer(204, "");
        let lease = format!(
            r#"{{"leases":[{{"lease":"t/1","deadline":"2026-11-20T10:00:30.000Z","expires_in":"30s","job":{}}}]}}"#,
            job("a", "PROCESSING", 2)
        );
        server.expect("POST /v1/leases").await.answer(200, &lease);
        let beat = r#"{"deadline":"2026-11-20T10:00:30.000Z","expires_in":"30s","cancel_requested":true}"#;
        server.expect("POST /v1/leases/t%2F1/heartbeat").await.answer(200, beat);
        let settled = r#"{"id":"a","status":"DONE","version":3}"#;
        server.expect("POST /v1/leases/t/complete").await.answer(200, settled);
        let result = server.expect("POST /v1/leases/t/result").await;
        assert_eq!((result.header("content-type"), result.text()), (Some("text/plain"), "hi"));
        result.answer(200, settled);
        let fail = server.expect("POST /v1/leases/t/fail").await;
        assert_eq!(fail.text(), r#"{"retryable":false}"#);
        fail.answer(200, settled);
        server.expect("POST /v1/leases/t/release").await.answer(200, settled);
        let settle = server.expect("POST /v1/leases/settle").await;
        assert_eq!(settle.text(), "{\"lease\":\"t\",\"complete\":{}}\n{\"lease\":\"t\",\"complete\":{}}\n");
        settle.answer(200, "{\"lease\":\"t\",\"status\":200}\n{\"lease\":\"t\",\"status\":409}\n");
        server.expect("POST /v1/workers/w/release").await.answer(200, r#"{"released":3}"#);
        calls.await.unwrap();
    }
}
