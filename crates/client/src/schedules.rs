//! Schedules: jobs that are made at certain times.

use ackd_api::{ScheduleDocument, ScheduleList, ScheduleRequest};
use http::Method;

use crate::address::Path;
use crate::transport::Call;
use crate::{Client, Error};

impl Client {
    /// Has a schedule, new or as it is to be from now on. [`crate::Submission::envelope`] gives the job.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn put_schedule(
        &self,
        name: &str,
        schedule: &ScheduleRequest<'_>,
    ) -> Result<ScheduleDocument<'static>, Error> {
        self.transport.send(Call::new(Method::PUT, schedule_path(name)).json(schedule)?).await?.json()
    }

    /// A schedule.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn schedule(&self, name: &str) -> Result<ScheduleDocument<'static>, Error> {
        self.transport.send(Call::get(schedule_path(name))).await?.json()
    }

    /// The first page of schedules, by name, or the one after `page_token`; without the payloads of their jobs.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn schedules(&self, page_token: Option<&str>) -> Result<ScheduleList<'static>, Error> {
        let path = Path::new("/v1/schedules").query_option("page_token", page_token);
        self.transport.send(Call::get(path)).await?.json()
    }

    /// Has a schedule no longer. The jobs that it made stay.
    ///
    /// # Errors
    /// See [`Error`]; a `not-found` where there is none.
    pub async fn delete_schedule(&self, name: &str) -> Result<(), Error> {
        self.transport.send(Call::new(Method::DELETE, schedule_path(name))).await.map(drop)
    }
}

fn schedule_path(name: &str) -> Path {
    Path::new("/v1/schedules").segment(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Submission;
    use crate::testing::Server;

    #[tokio::test(start_paused = true)]
    async fn schedules_are_put_read_and_deleted() {
        let (mut server, client) = Server::memory();
        let calls = tokio::spawn(async move {
            let job = Submission::new("q").payload(&[1]).unwrap();
            let job = job.envelope().unwrap();
            let request = ScheduleRequest { cron: "@daily".into(), job, ..ScheduleRequest::default() };
            let made = client.put_schedule("a/b", &request).await.unwrap();
            assert_eq!((made.job.get(), made.last_job.as_deref()), (r#"{"queue":"q","payload":[1]}"#, None));
            assert!(client.schedule("a").await.unwrap().next_run_at.is_some());
            assert_eq!(client.schedules(Some("0")).await.unwrap().schedules.len(), 1);
            client.delete_schedule("a").await.unwrap();
        });
        let document = r#"{"name":"a","cron":"@daily","timezone":"UTC","missed":"one","paused":false,"job":{"queue":"q","payload":[1]},"created_at":"2026-11-20T10:00:00.000Z","next_run_at":"2026-11-21T00:00:00.000Z","last_run_at":null,"last_job":null}"#;
        let put = server.expect("PUT /v1/schedules/a%2Fb").await;
        assert_eq!(put.text(), r#"{"cron":"@daily","job":{"queue":"q","payload":[1]}}"#);
        put.answer(201, document);
        server.expect("GET /v1/schedules/a").await.answer(200, document);
        let list = format!(r#"{{"schedules":[{document}],"next_page_token":null}}"#);
        server.expect("GET /v1/schedules?page_token=0").await.answer(200, &list);
        server.expect("DELETE /v1/schedules/a").await.answer(204, "");
        calls.await.unwrap();
    }
}
