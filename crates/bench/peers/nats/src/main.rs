//! NATS JetStream: a stream of files with work-queue retention and a durable pull consumer; callers share one connection, the worker pulls
//! up to 100 messages at once and acknowledges each, and the server says that it took note. Results come by an inbox.

use std::process::ExitCode;
use std::rc::Rc;

use ackd_bench_driver::{Caller, Done, Fault, Peer, Scenario, payload};
use async_nats::jetstream::consumer::{PullConsumer, pull};
use async_nats::jetstream::{self, AckKind, Context, stream};
use async_nats::{Client, HeaderMap, Subscriber};
use futures_util::{StreamExt, TryStreamExt};
use tokio::sync::OnceCell;

const STREAM: &str = "bench";
const CONSUMER: &str = "workers";
/// The header that says where the result is wanted.
const ANSWER: &str = "Answer-To";

fn main() -> ExitCode {
    ackd_bench_driver::main::<Nats>()
}

struct Nats;

/// The one connection that all share.
async fn connection(scenario: &Scenario) -> Result<Client, Fault> {
    static SHARED: OnceCell<Client> = OnceCell::const_new();
    Ok(SHARED.get_or_try_init(|| async_nats::connect(&scenario.url)).await?.clone())
}

impl Peer for Nats {
    type Caller = Publisher;
    const VERSION: &'static str = "async-nats 0.51.0";

    async fn prepare(scenario: &Scenario) -> Result<(), Fault> {
        let settings = stream::Config {
            name: STREAM.to_owned(),
            subjects: vec![STREAM.to_owned()],
            retention: stream::RetentionPolicy::WorkQueue,
            storage: stream::StorageType::File,
            ..stream::Config::default()
        };
        let stream = jetstream::new(connection(scenario).await?).create_stream(settings).await?;
        let settings = pull::Config {
            durable_name: Some(CONSUMER.to_owned()),
            // As many as a worker may hold; the default of 1000 is what a slow one is held at.
            max_ack_pending: 10_000,
            ..pull::Config::default()
        };
        stream.create_consumer(settings).await?;
        Ok(())
    }

    async fn caller(scenario: &Scenario) -> Result<Publisher, Fault> {
        let client = connection(scenario).await?;
        Ok(Publisher { jetstream: jetstream::new(client.clone()), client, payload: payload(), answers: None })
    }

    async fn work(scenario: Rc<Scenario>, done: Rc<Done>) -> Result<(), Fault> {
        let client = connection(&scenario).await?;
        let stream = jetstream::new(client.clone()).get_stream(STREAM).await?;
        let consumer: PullConsumer = stream.get_consumer(CONSUMER).await.map_err(|error| error.to_string())?;
        let mut messages = consumer.stream().max_messages_per_batch(scenario.ack * 10).messages().await?;
        while let Some(message) = messages.try_next().await? {
            if let Some(answer) = message.headers.as_ref().and_then(|headers| headers.get(ANSWER)) {
                client.publish(answer.to_string(), "done".into()).await?;
            }
            message.ack_with(AckKind::Ack).await.map_err(|error| error.to_string())?;
            done.add(1);
        }
        Err("no more messages come".into())
    }
}

struct Publisher {
    jetstream: Context,
    client: Client,
    payload: String,
    answers: Option<(String, Subscriber)>,
}

impl Caller for Publisher {
    async fn submit(&mut self, jobs: usize) -> Result<(), Fault> {
        let mut acknowledgements = Vec::with_capacity(jobs);
        for _ in 0..jobs {
            acknowledgements.push(self.jetstream.publish(STREAM, self.payload.clone().into()).await?);
        }
        for acknowledgement in acknowledgements {
            acknowledgement.await?;
        }
        Ok(())
    }

    async fn ask(&mut self) -> Result<(), Fault> {
        if self.answers.is_none() {
            let inbox = self.client.new_inbox();
            let answers = self.client.subscribe(inbox.clone()).await?;
            self.answers = Some((inbox, answers));
        }
        let (inbox, answers) = self.answers.as_mut().ok_or("it listens")?;
        let mut headers = HeaderMap::new();
        headers.insert(ANSWER, inbox.as_str());
        self.jetstream.publish_with_headers(STREAM, headers, self.payload.clone().into()).await?.await?;
        answers.next().await.ok_or("no more answers come")?;
        Ok(())
    }
}
