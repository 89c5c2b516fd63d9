//! Submitting and following on one WebSocket.

mod driver;
mod wire;

use ackd_api::Status;
use tokio::sync::{mpsc, oneshot};

use crate::{Client, Error, Event, EventFilter, Submission, Submitted};

/// How many events of a subscription may be on their way to whoever takes them.
const WINDOW: u64 = 64;

/// A WebSocket to the server, which comes back by itself where it broke off. It closes once it and its subscriptions are
/// dropped. See [`Client::socket`].
#[derive(Debug, Clone)]
pub struct Socket {
    commands: mpsc::UnboundedSender<Command>,
}

/// The events of a subscription.
#[derive(Debug)]
pub struct Subscription {
    number: u64,
    events: mpsc::UnboundedReceiver<Result<Event, Error>>,
    commands: mpsc::UnboundedSender<Command>,
    /// How many were taken that the server was not told of.
    taken: u64,
}

/// What the task that holds the connection is asked for.
#[derive(Debug)]
enum Command {
    Submit {
        envelope: String,
        answer: oneshot::Sender<Result<Submitted, Error>>,
    },
    Subscribe {
        what: What,
        after: Option<String>,
        began: oneshot::Sender<(u64, mpsc::UnboundedReceiver<Result<Event, Error>>)>,
    },
    Credit {
        number: u64,
        n: u64,
    },
    Unsubscribe {
        number: u64,
    },
}

/// Whom a subscription is about.
#[derive(Debug, Clone)]
enum What {
    Job(String),
    Filter { queues: Vec<String>, statuses: Vec<Status>, kinds: Vec<String>, tags: Vec<String> },
}

impl Client {
    /// Opens a WebSocket, on which any number of jobs and filters can be followed at once; it connects with the first
    /// thing that is asked of it. It needs a tokio runtime, on which a task of its own runs.
    ///
    /// It resumes by itself where it broke off, across restarts of the server, with nothing lost and nothing repeated,
    /// until the server has been away for the client's patience.
    #[must_use]
    pub fn socket(&self) -> Socket {
        let (commands, receiver) = mpsc::unbounded_channel();
        tokio::spawn(driver::run(self.clone(), receiver));
        Socket { commands }
    }
}

impl Socket {
    /// Submits a job. Once this returns it is durable.
    ///
    /// It is sent once: if the connection breaks before the answer, whether it was accepted is not known. To repeat it
    /// safely give it an [`Submission::idempotency_key`].
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn submit(&self, submission: Submission) -> Result<Submitted, Error> {
        let mut envelope = Vec::new();
        submission.write(&mut envelope)?;
        let envelope = String::from_utf8(envelope).map_err(|error| Error::BadRequest(error.to_string()))?;
        let (answer, answered) = oneshot::channel();
        self.commands.send(Command::Submit { envelope, answer }).map_err(|_| gone())?;
        answered.await.unwrap_or_else(|_| Err(gone()))
    }

    /// Follows one job: its state now, then what happens, to the event that ends it.
    ///
    /// # Errors
    /// If the socket was given up.
    pub async fn follow(&self, id: &str) -> Result<Subscription, Error> {
        self.subscribe(What::Job(id.to_owned()), None).await
    }

    /// Follows many jobs: what happens from now, or from the filter's position, on. It never ends by itself.
    ///
    /// # Errors
    /// If the socket was given up, or the filter names jobs: each of these is followed by [`Socket::follow`].
    pub async fn events(&self, filter: &EventFilter) -> Result<Subscription, Error> {
        if !filter.jobs.is_empty() {
            return Err(Error::BadRequest("on a socket each job is followed by itself".to_owned()));
        }
        let EventFilter { queues, statuses, kinds, tags, after, .. } = filter.clone();
        self.subscribe(What::Filter { queues, statuses, kinds, tags }, after).await
    }

    async fn subscribe(&self, what: What, after: Option<String>) -> Result<Subscription, Error> {
        let (began, beginning) = oneshot::channel();
        self.commands.send(Command::Subscribe { what, after, began }).map_err(|_| gone())?;
        let (number, events) = beginning.await.map_err(|_| gone())?;
        Ok(Subscription { number, events, commands: self.commands.clone(), taken: 0 })
    }
}

impl Subscription {
    /// The next event; `None` after the one that ends the job. Nothing is lost if the future is dropped. While events
    /// are not taken no more than a few are sent, and nothing else on the socket waits for that.
    ///
    /// # Errors
    /// See [`Error`]; there is no further event after an error.
    pub async fn next(&mut self) -> Option<Result<Event, Error>> {
        let event = self.events.recv().await?;
        // A reset takes no credit.
        if matches!(&event, Ok(Event::Status { .. } | Event::Progress { .. })) {
            self.taken += 1;
        }
        if self.taken >= WINDOW / 2 {
            let n = std::mem::take(&mut self.taken);
            // Where the task has ended there is nothing to grant.
            let _ = self.commands.send(Command::Credit { number: self.number, n });
        }
        Some(event)
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let _ = self.commands.send(Command::Unsubscribe { number: self.number });
    }
}

/// The socket was given up, for the server was away for too long.
fn gone() -> Error {
    Error::Unreachable("the socket was given up".into())
}

#[cfg(test)]
mod tests;
