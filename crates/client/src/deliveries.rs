//! What webhooks were sent of a job's end.

use ackd_api::{DeliveryDocument, DeliveryList};

use crate::address::Path;
use crate::transport::Call;
use crate::{Client, Error};

impl Client {
    /// The first page of the deliveries that tell of a job, newest first, or the one after `page_token`.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn deliveries(&self, job: &str, page_token: Option<&str>) -> Result<DeliveryList<'static>, Error> {
        let path = Path::new("/v1/jobs").segment(job).segment("deliveries").query_option("page_token", page_token);
        self.transport.send(Call::get(path)).await?.json()
    }

    /// Makes a delivery that has ended once more. Gives the one that will be made: the same, or a new one where the
    /// receiver had it already.
    ///
    /// # Errors
    /// See [`Error`]; a `not-finished` while it is still under way.
    pub async fn replay_delivery(&self, id: &str) -> Result<DeliveryDocument<'static>, Error> {
        let path = Path::new("/v1/deliveries").segment(id).segment("replay");
        self.transport.send(Call::post(path)).await?.json()
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::Server;

    #[tokio::test(start_paused = true)]
    async fn deliveries_are_read_and_replayed() {
        let (mut server, client) = Server::memory();
        let calls = tokio::spawn(async move {
            let page = client.deliveries("j", None).await.unwrap();
            assert_eq!(page.next_page_token.as_deref(), Some("t"));
            assert_eq!(client.deliveries("j", Some("t")).await.unwrap().deliveries[0].target, "crm");
            assert_eq!(client.replay_delivery("d").await.unwrap().id, "d");
        });
        let delivery = r#"{"id":"d","target":"crm","event":"job.done","status":"INIT","attempts":[],"next_attempt_at":null,"created_at":"2026-11-20T10:00:00.000Z"}"#;
        let page = |token: &str| format!(r#"{{"deliveries":[{delivery}],"next_page_token":{token}}}"#);
        server.expect("GET /v1/jobs/j/deliveries").await.answer(200, &page("\"t\""));
        server.expect("GET /v1/jobs/j/deliveries?page_token=t").await.answer(200, &page("null"));
        server.expect("POST /v1/deliveries/d/replay").await.answer(202, delivery);
        calls.await.unwrap();
    }
}
