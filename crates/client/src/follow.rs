//! Following jobs by server-sent events.

use std::time::Duration;

use ackd_api::{EventName, Reset};
use http::StatusCode;
use http::header::{ACCEPT, HeaderName};
use http_body_util::BodyExt;
use hyper::body::Incoming;

use crate::backoff::Persistence;
use crate::jobs::job_path;
use crate::sse::{Frame, Parser};
use crate::transport::Call;
use crate::{Client, Document, Error, EventFilter};

/// A stream without a byte for so long is dead: the server sends a comment every 15 s.
const SILENCE: Duration = Duration::from_secs(45);

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Something that happened to a job.
#[derive(Debug, Clone)]
pub enum Event {
    /// A transition, or the state at the beginning.
    Status {
        /// The point of the change feed; a later follower can begin after it.
        position: String,
        /// The job as of the transition, without payload and with a small result.
        job: Box<Document>,
    },
    /// Progress. Several may be told as one.
    Progress {
        /// The point of the change feed.
        position: String,
        /// The job as of the progress, without payload.
        job: Box<Document>,
    },
    /// The position that was asked for is no longer kept: events are missing, and the current state follows.
    Reset {
        /// From where the feed goes on.
        position: String,
    },
}

impl Event {
    /// The point of the change feed; a later follower can begin after it.
    #[must_use]
    pub fn position(&self) -> &str {
        match self {
            Event::Status { position, .. } | Event::Progress { position, .. } | Event::Reset { position } => position,
        }
    }

    /// The job as of the event.
    #[must_use]
    pub fn job(&self) -> Option<&Document> {
        match self {
            Event::Status { job, .. } | Event::Progress { job, .. } => Some(job),
            Event::Reset { .. } => None,
        }
    }

    /// Whether a job's run ended with it.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        matches!(self, Event::Status { job, .. } if job.status.is_terminal())
    }
}

/// Events as they happen. See [`Client::follow`] and [`Client::events`].
#[derive(Debug)]
pub struct Follow {
    client: Client,
    path: String,
    /// Whether the stream is about one job and ends with it.
    ends: bool,
    last_id: String,
    persistence: Persistence,
    state: State,
}

#[derive(Debug)]
enum State {
    Closed,
    Open { body: Incoming, parser: Box<Parser> },
    Done,
}

impl Client {
    /// Follows one job: its state now, then what happens, to the event that ends it.
    ///
    /// The stream resumes by itself where it broke off, across restarts of the server, with nothing lost and nothing
    /// repeated, until the server has been away for the client's patience.
    #[must_use]
    pub fn follow(&self, id: &str) -> Follow {
        Follow::new(self, job_path(id).segment("events").into_string(), true)
    }

    /// The same from a position on: what happened after it, then what happens. Without an event if the job has ended at
    /// the position or before.
    #[must_use]
    pub fn follow_after(&self, id: &str, position: &str) -> Follow {
        Follow::new(self, job_path(id).segment("events").query("after", position).into_string(), true)
    }

    /// Follows many jobs: what happens from now, or from the filter's position, on. It never ends by itself, and
    /// resumes as [`Client::follow`] does.
    #[must_use]
    pub fn events(&self, filter: &EventFilter) -> Follow {
        let path = filter.path().query_option("after", filter.after.as_deref());
        Follow::new(self, path.into_string(), false)
    }
}

impl Follow {
    fn new(client: &Client, path: String, ends: bool) -> Follow {
        Follow {
            client: client.clone(),
            path,
            ends,
            last_id: String::new(),
            persistence: client.persistence(),
            state: State::Closed,
        }
    }

    /// The next event; `None` after the one that ends the job. Nothing is lost if the future is dropped.
    ///
    /// # Errors
    /// See [`Error`]; there is no further event after an error.
    pub async fn next(&mut self) -> Option<Result<Event, Error>> {
        loop {
            if let State::Open { parser, .. } = &mut self.state {
                let frame = parser.next();
                parser.last_id().clone_into(&mut self.last_id);
                if let Some(event) = frame.and_then(read) {
                    if event.as_ref().map_or(true, |event| self.ends && event.is_terminal()) {
                        self.state = State::Done;
                    }
                    return Some(event);
                }
            }
            let went_on = match &mut self.state {
                State::Done => return None,
                State::Closed => self.connect().await,
                State::Open { parser, .. } if parser.has_next() => Ok(()),
                State::Open { .. } => self.read_on().await,
            };
            let error = match went_on {
                Ok(()) => continue,
                Err(error) => error,
            };
            self.state = State::Closed;
            if let Err(error) = self.persistence.failed(error).await {
                self.state = State::Done;
                return Some(Err(error));
            }
        }
    }

    /// Opens the stream where it broke off.
    async fn connect(&mut self) -> Result<(), Error> {
        let mut call = Call::get_path(self.path.clone()).header(ACCEPT, "text/event-stream")?;
        if !self.last_id.is_empty() {
            call = call.header(LAST_EVENT_ID, &self.last_id)?;
        }
        let response = self.client.transport.open(call).await?;
        if response.status() == StatusCode::NO_CONTENT {
            self.state = State::Done;
            return Ok(());
        }
        let content_type = response.headers().get(http::header::CONTENT_TYPE).map(http::HeaderValue::as_bytes);
        if !content_type.is_some_and(|content_type| content_type.starts_with(b"text/event-stream")) {
            let detail = "not a stream of events".to_owned();
            return Err(Error::BadAnswer { status: response.status().as_u16(), detail });
        }
        let parser = Box::new(Parser::resuming(self.last_id.clone()));
        self.state = State::Open { body: response.into_body(), parser };
        Ok(())
    }

    /// Takes the next bytes of the stream.
    async fn read_on(&mut self) -> Result<(), Error> {
        let State::Open { body, parser } = &mut self.state else { return Ok(()) };
        let frame = tokio::time::timeout(SILENCE, body.frame()).await.map_err(|_| Error::Timeout(SILENCE))?;
        let frame = match frame {
            // How it broke says nothing to anybody: the server went away, or the network did.
            Some(frame) => frame.map_err(|_| Error::Unreachable("the stream of events broke off".into()))?,
            None => return Err(Error::Unreachable("the stream of events ended".into())),
        };
        if let Some(bytes) = frame.data_ref() {
            let told = parser.feed(bytes);
            told.map_err(|error| Error::BadAnswer { status: 200, detail: error.to_string() })?;
            self.persistence.succeeded();
            if let Some(retry) = parser.retry() {
                self.persistence.set_max(retry);
            }
        }
        Ok(())
    }
}

/// The event of a frame; `None` for those of a newer server.
fn read(frame: Frame) -> Option<Result<Event, Error>> {
    let name = EventName::from_text(&frame.event)?;
    let position = frame.id;
    let event = match name {
        EventName::Status => serde_json::from_str(&frame.data).map(|job| Event::Status { position, job }),
        EventName::Progress => serde_json::from_str(&frame.data).map(|job| Event::Progress { position, job }),
        // Only that it happened counts; what else it says is for later.
        EventName::Reset => Ok(match serde_json::from_str::<Reset<'static>>(&frame.data) {
            Ok(reset) => Event::Reset { position: reset.position.into_owned() },
            Err(_) => Event::Reset { position },
        }),
    };
    Some(event.map_err(|error| Error::BadAnswer { status: 200, detail: format!("a `{}` event: {error}", frame.event) }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Request, Server, job};
    use ackd_api::Code;
    use tokio::sync::mpsc;

    fn sse(request: Request) -> mpsc::Sender<Vec<u8>> {
        request.stream("text/event-stream")
    }

    async fn tell(stream: &mpsc::Sender<Vec<u8>>, event: &str, id: u64, status: &str) {
        let frame = format!("event: {event}\ndata: {}\nid: {id}\n\n", job("a", status, id));
        stream.send(frame.into_bytes()).await.unwrap();
    }

    /// Follows in the background and hands on each event as `name position`.
    fn spawn(mut follow: Follow) -> mpsc::UnboundedReceiver<String> {
        let (sender, receiver) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Some(event) = follow.next().await {
                let text = match event {
                    Ok(Event::Status { position, job }) => format!("{} {position}", job.status),
                    Ok(Event::Progress { position, .. }) => format!("progress {position}"),
                    Ok(Event::Reset { position }) => format!("reset {position}"),
                    Err(error) => format!("error {error}"),
                };
                sender.send(text).unwrap();
            }
        });
        receiver
    }

    #[tokio::test(start_paused = true)]
    async fn a_job_is_followed_to_its_end() {
        let (mut server, client) = Server::memory();
        let mut events = spawn(client.follow("a"));
        let request = server.expect("GET /v1/jobs/a/events").await;
        assert_eq!((request.header("accept"), request.header("last-event-id")), (Some("text/event-stream"), None));
        let stream = sse(request);
        stream.send(b"retry: 3000\n\n".to_vec()).await.unwrap();
        tell(&stream, "status", 1, "INIT").await;
        assert_eq!(events.recv().await.unwrap(), "INIT 1");
        tell(&stream, "later", 2, "INIT").await;
        tell(&stream, "progress", 3, "PROCESSING").await;
        assert_eq!(events.recv().await.unwrap(), "progress 3");
        tell(&stream, "status", 4, "DONE").await;
        assert_eq!(events.recv().await.unwrap(), "DONE 4");
        assert_eq!(events.recv().await, None);
        assert!(server.is_quiet());
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_that_breaks_off_resumes_after_the_last_id() {
        let (mut server, client) = Server::memory();
        let mut events = spawn(client.follow("a"));
        let stream = sse(server.next().await);
        tell(&stream, "status", 1, "INIT").await;
        assert_eq!(events.recv().await.unwrap(), "INIT 1");
        // A comment moves the position on; an event that is not complete does not.
        stream.send(b": keep-alive\nid: 5\n\nid: 6\nevent: status\n".to_vec()).await.unwrap();
        drop(stream);

        server.expect("GET /v1/jobs/a/events").await.hang_up();
        server.expect("GET /v1/jobs/a/events").await.refuse(Code::Draining);
        let request = server.expect("GET /v1/jobs/a/events").await;
        assert_eq!(request.header("last-event-id"), Some("5"));
        let stream = sse(request);
        // The connection breaks before a further id: the position stays.
        drop(stream);
        let request = server.next().await;
        assert_eq!(request.header("last-event-id"), Some("5"));
        let stream = sse(request);
        stream.send(b"event: reset\ndata: {\"position\":\"8\"}\nid: 8\n\n".to_vec()).await.unwrap();
        tell(&stream, "status", 9, "CANCELLED").await;
        assert_eq!(events.recv().await.unwrap(), "reset 8");
        assert_eq!(events.recv().await.unwrap(), "CANCELLED 9");
        assert_eq!(events.recv().await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_stream_is_given_up() {
        let (mut server, client) = Server::memory();
        let mut events = spawn(client.follow_after("a", "7"));
        let start = tokio::time::Instant::now();
        let stream = sse(server.expect("GET /v1/jobs/a/events?after=7").await);
        stream.send(b": here\n\n".to_vec()).await.unwrap();
        let again = server.expect("GET /v1/jobs/a/events?after=7").await;
        assert!(start.elapsed() >= SILENCE && start.elapsed() < SILENCE + Duration::from_secs(1));
        again.answer(204, "");
        assert_eq!(events.recv().await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn the_wait_between_connections_is_the_server_s_at_most() {
        let (mut server, client) = Server::memory();
        let _events = spawn(client.follow("a"));
        let stream = sse(server.next().await);
        stream.send(b"retry: 20\n\n".to_vec()).await.unwrap();
        drop(stream);
        let start = tokio::time::Instant::now();
        for _ in 0..10 {
            server.next().await.hang_up();
        }
        assert!(start.elapsed() <= Duration::from_millis(10 * 21), "{:?}", start.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_or_nonsense_ends_it() {
        let (mut server, client) = Server::memory();
        let mut events = spawn(client.follow("a"));
        server.next().await.refuse(Code::NotFound);
        assert!(events.recv().await.unwrap().starts_with("error There is nothing here"));
        assert_eq!(events.recv().await, None);

        let mut events = spawn(client.follow("a"));
        server.next().await.answer(200, "{}");
        assert!(events.recv().await.unwrap().contains("not a stream of events"));
        assert_eq!(events.recv().await, None);

        let mut events = spawn(client.follow("a"));
        let stream = sse(server.next().await);
        stream.send(b"event: status\ndata: {}\n\n".to_vec()).await.unwrap();
        assert!(events.recv().await.unwrap().contains("a `status` event"));
        assert_eq!(events.recv().await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn patience_ends_with_a_server_that_is_away() {
        let (server, client) = Server::with(Client::builder().patience(Duration::from_secs(10)));
        drop(server);
        let mut follow = client.follow("a");
        assert!(matches!(follow.next().await, Some(Err(Error::Unreachable(_)))));
        assert!(follow.next().await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_feed_goes_on_after_the_end_of_a_job() {
        let (mut server, client) = Server::memory();
        let filter = EventFilter { queues: vec!["q".into()], after: Some("earliest".into()), ..EventFilter::default() };
        let mut events = spawn(client.events(&filter));
        let stream = sse(server.expect("GET /v1/events?queue=q&after=earliest").await);
        tell(&stream, "status", 1, "DONE").await;
        tell(&stream, "status", 2, "INIT").await;
        assert_eq!(events.recv().await.unwrap(), "DONE 1");
        assert_eq!(events.recv().await.unwrap(), "INIT 2");
        drop(stream);
        let request = server.expect("GET /v1/events?queue=q&after=earliest").await;
        assert_eq!(request.header("last-event-id"), Some("2"));
    }

    #[tokio::test(start_paused = true)]
    async fn dropping_a_wait_for_an_event_loses_none() {
        let (mut server, client) = Server::memory();
        let mut follow = client.follow("a");
        let stream = {
            let next = follow.next();
            tokio::pin!(next);
            let request = tokio::select! {
                _ = &mut next => unreachable!(),
                request = server.next() => request,
            };
            let stream = sse(request);
            stream.send(b": hello\n\n".to_vec()).await.unwrap();
            assert!(tokio::time::timeout(Duration::from_secs(1), next).await.is_err());
            stream
        };
        tell(&stream, "status", 1, "INIT").await;
        assert_eq!(follow.next().await.unwrap().unwrap().position(), "1");
        assert!(server.is_quiet());
    }
}
