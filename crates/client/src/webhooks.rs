//! Webhooks: where the ends of jobs are told.

use ackd_api::{WebhookDocument, WebhookList, WebhookRequest};
use http::Method;

use crate::address::Path;
use crate::transport::Call;
use crate::{Client, Error};

impl Client {
    /// Has a webhook, new or as it is to be from now on. Its secret is in the answer if it was made by this very call, and
    /// never again.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn put_webhook(
        &self,
        name: &str,
        webhook: &WebhookRequest<'_>,
    ) -> Result<WebhookDocument<'static>, Error> {
        self.transport.send(Call::new(Method::PUT, webhook_path(name)).json(webhook)?).await?.json()
    }

    /// A webhook, without its secret.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn webhook(&self, name: &str) -> Result<WebhookDocument<'static>, Error> {
        self.transport.send(Call::get(webhook_path(name))).await?.json()
    }

    /// The first page of webhooks, by name, or the one after `page_token`.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn webhooks(&self, page_token: Option<&str>) -> Result<WebhookList<'static>, Error> {
        let path = Path::new("/v1/webhooks").query_option("page_token", page_token);
        self.transport.send(Call::get(path)).await?.json()
    }

    /// Has a webhook no longer.
    ///
    /// # Errors
    /// See [`Error`]; a `not-found` where there is none.
    pub async fn delete_webhook(&self, name: &str) -> Result<(), Error> {
        self.transport.send(Call::new(Method::DELETE, webhook_path(name))).await.map(drop)
    }
}

fn webhook_path(name: &str) -> Path {
    Path::new("/v1/webhooks").segment(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Server;

    #[tokio::test(start_paused = true)]
    async fn webhooks_are_put_read_and_deleted() {
        let (mut server, client) = Server::memory();
        let calls = tokio::spawn(async move {
            let request = WebhookRequest { url: "http://x".into(), ..WebhookRequest::default() };
            let made = client.put_webhook("a/b", &request).await.unwrap();
            assert_eq!(made.secret.as_ref().map(ackd_api::Secret::expose), Some("whsec_x"));
            assert!(!format!("{made:?}").contains("whsec_x"));
            assert_eq!(client.webhook("a").await.unwrap().secret, None);
            assert_eq!(client.webhooks(Some("0")).await.unwrap().webhooks.len(), 1);
            client.delete_webhook("a").await.unwrap();
        });
        let document = |rest: &str| {
            format!(
                r#"{{"name":"a","url":"http://x","queues":[],"events":["job.done"],"format":"standard","created_at":"2026-11-20T10:00:00.000Z","disabled":null,"failing_since":null{rest}}}"#
            )
        };
        let put = server.expect("PUT /v1/webhooks/a%2Fb").await;
        assert_eq!(put.text(), r#"{"url":"http://x"}"#);
        put.answer(201, &document(r#","secret":"whsec_x""#));
        server.expect("GET /v1/webhooks/a").await.answer(200, &document(""));
        let list = format!(r#"{{"webhooks":[{}],"next_page_token":null}}"#, document(""));
        server.expect("GET /v1/webhooks?page_token=0").await.answer(200, &list);
        server.expect("DELETE /v1/webhooks/a").await.answer(204, "");
        calls.await.unwrap();
    }
}
