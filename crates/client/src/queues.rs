//! Queues and their settings.

use ackd_api::{DeadList, Purged, QueueDocument, QueueList, QueuePatch, QueueSettings, RedriveRequest, Redriven};
use http::Method;

use crate::address::Path;
use crate::transport::Call;
use crate::{Client, Error};

impl Client {
    /// The first page of queues that have jobs or settings, or the one after `page_token`.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn queues(&self, page_token: Option<&str>) -> Result<QueueList, Error> {
        let path = Path::new("/v1/queues").query_option("page_token", page_token);
        self.transport.send(Call::get(path)).await?.json()
    }

    /// A queue: its settings, its counts, and whether it is paused.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn queue(&self, name: &str) -> Result<QueueDocument, Error> {
        self.transport.send(Call::get(queue_path(name))).await?.json()
    }

    /// Replaces a queue's settings; what is `None` goes back to the server's default.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn put_queue(&self, name: &str, settings: &QueueSettings) -> Result<QueueDocument, Error> {
        self.transport.send(Call::new(Method::PUT, queue_path(name)).json(settings)?).await?.json()
    }

    /// Changes some of a queue's settings.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn patch_queue(&self, name: &str, patch: &QueuePatch) -> Result<QueueDocument, Error> {
        let body = serde_json::to_vec(patch).map_err(|error| Error::BadRequest(error.to_string()))?;
        let call = Call::new(Method::PATCH, queue_path(name)).body("application/merge-patch+json", body)?;
        self.transport.send(call).await?.json()
    }

    /// Stops granting leases of a queue; what runs goes on.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn pause_queue(&self, name: &str) -> Result<(), Error> {
        self.transport.send(Call::post(queue_path(name).segment("pause"))).await.map(drop)
    }

    /// Has a queue take no new jobs and work off those that it has, until it is resumed.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn drain_queue(&self, name: &str) -> Result<(), Error> {
        self.transport.send(Call::post(queue_path(name).segment("drain"))).await.map(drop)
    }

    /// Grants leases of a queue again, and has it take new jobs.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn resume_queue(&self, name: &str) -> Result<(), Error> {
        self.transport.send(Call::post(queue_path(name).segment("resume"))).await.map(drop)
    }

    /// Cancels all jobs of a queue that wait. Where that takes long it goes on as the job that the answer names.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn purge_queue(&self, name: &str) -> Result<Purged, Error> {
        let path = queue_path(name).segment("purge").query("confirm", name);
        self.transport.send(Call::post(path)).await?.json()
    }

    /// Of what the jobs of a queue failed or expired.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn dead(&self, queue: &str) -> Result<DeadList<'static>, Error> {
        self.transport.send(Call::get(queue_path(queue).segment("dead"))).await?.json()
    }

    /// Runs jobs of a queue again that failed or expired; with `dry_run` they are only counted.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn redrive(
        &self,
        queue: &str,
        request: &RedriveRequest,
        dry_run: bool,
    ) -> Result<Redriven<'static>, Error> {
        let path = queue_path(queue).segment("redrive").query_option("dry_run", dry_run.then_some("true"));
        self.transport.send(Call::post(path).json(request)?).await?.json()
    }
}

fn queue_path(name: &str) -> Path {
    Path::new("/v1/queues").segment(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Server;
    use ackd_api::Patch;

    #[tokio::test(start_paused = true)]
    async fn queues_are_read_and_set() {
        let (mut server, client) = Server::memory();
        let calls = tokio::spawn(async move {
            assert_eq!(client.queues(None).await.unwrap().queues.len(), 1);
            assert_eq!(client.queue("q").await.unwrap().counts.init, 3);
            client.put_queue("q", &QueueSettings { concurrency: Some(2), ..QueueSettings::default() }).await.unwrap();
            client.patch_queue("q", &QueuePatch { timeout: Patch::Null, ..QueuePatch::default() }).await.unwrap();
            client.pause_queue("q").await.unwrap();
            client.resume_queue("q").await.unwrap();
            client.drain_queue("q").await.unwrap();
            assert_eq!(client.purge_queue("q").await.unwrap().purged, 3);
            assert_eq!(client.dead("q").await.unwrap().causes[0].cause, "no");
            let request = RedriveRequest { cause: Some("no".into()), ..RedriveRequest::default() };
            assert_eq!(client.redrive("q", &request, true).await.unwrap().redriven, 2);
        });
        let queue = r#"{"name":"q","settings":{},"counts":{"INIT":3},"paused":false}"#;
        server.expect("GET /v1/queues").await.answer(200, &format!(r#"{{"queues":[{queue}],"next_page_token":null}}"#));
        server.expect("GET /v1/queues/q").await.answer(200, queue);
        let put = server.expect("PUT /v1/queues/q").await;
        assert_eq!(put.json()["concurrency"], 2);
        put.answer(200, queue);
        let patch = server.expect("PATCH /v1/queues/q").await;
        assert_eq!(patch.header("content-type"), Some("application/merge-patch+json"));
        assert_eq!(patch.text(), r#"{"timeout":null}"#);
        patch.answer(200, queue);
        server.expect("POST /v1/queues/q/pause").await.answer(200, queue);
        server.expect("POST /v1/queues/q/resume").await.answer(204, "");
        server.expect("POST /v1/queues/q/drain").await.answer(200, queue);
        server.expect("POST /v1/queues/q/purge?confirm=q").await.answer(200, r#"{"purged":3,"job":"a"}"#);
        let dead = r#"{"causes":[{"cause":"no","count":2,"examples":["a"]}]}"#;
        server.expect("GET /v1/queues/q/dead").await.answer(200, dead);
        let redrive = server.expect("POST /v1/queues/q/redrive?dry_run=true").await;
        assert_eq!(redrive.json()["cause"], "no");
        redrive.answer(202, r#"{"redriven":2,"job":null}"#);
        calls.await.unwrap();
    }
}
