//! RabbitMQ: persistent messages into a quorum queue with publisher confirms, a channel for each caller; the worker acknowledges each
//! by itself, or many at once. Results come by direct reply-to.

use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use ackd_bench_driver::{Caller, Done, Fault, Peer, Scenario, payload};
use futures_util::StreamExt;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, ConfirmSelectOptions,
    QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, Consumer};
use tokio::sync::OnceCell;

const QUEUE: &str = "bench";
/// Where a server sends answers without there being a queue.
const ANSWERS: &str = "amq.rabbitmq.reply-to";
/// Messages on their way to the worker: what RabbitMQ's documentation recommends at most.
const PREFETCH: u16 = 300;
/// How long acknowledgements are gathered at most.
const GATHER: Duration = Duration::from_millis(2);

fn main() -> ExitCode {
    ackd_bench_driver::main::<RabbitMq>()
}

struct RabbitMq;

/// A channel of the one connection that all share.
async fn channel(scenario: &Scenario) -> Result<Channel, Fault> {
    static SHARED: OnceCell<Connection> = OnceCell::const_new();
    let connect = || Connection::connect(&scenario.url, ConnectionProperties::default());
    Ok(SHARED.get_or_try_init(connect).await?.create_channel().await?)
}

impl Peer for RabbitMq {
    type Caller = Publisher;
    const VERSION: &'static str = "lapin 4.12.3";

    async fn prepare(scenario: &Scenario) -> Result<(), Fault> {
        let mut arguments = FieldTable::default();
        arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
        let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        channel(scenario).await?.queue_declare(QUEUE.into(), options, arguments).await?;
        Ok(())
    }

    async fn caller(scenario: &Scenario) -> Result<Publisher, Fault> {
        let channel = channel(scenario).await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        Ok(Publisher { channel, payload: payload(), answers: None })
    }

    async fn work(scenario: Rc<Scenario>, done: Rc<Done>) -> Result<(), Fault> {
        let channel = channel(&scenario).await?;
        channel.basic_qos(PREFETCH, BasicQosOptions::default()).await?;
        let mut messages = channel
            .basic_consume(QUEUE.into(), "worker".into(), BasicConsumeOptions::default(), FieldTable::default())
            .await?;
        let (mut last, mut gathered) = (0, 0);
        loop {
            let message = tokio::select! {
                biased;
                message = messages.next() => Some(message.ok_or("the consumer was cancelled")??),
                () = tokio::time::sleep(GATHER), if gathered > 0 => None,
            };
            let is_all = message.is_none();
            if let Some(message) = message {
                if let Some(answers) = message.properties.reply_to() {
                    channel
                        .basic_publish(
                            "".into(),
                            answers.clone(),
                            BasicPublishOptions::default(),
                            b"done",
                            BasicProperties::default(),
                        )
                        .await?;
                }
                last = message.delivery_tag;
                gathered += 1;
            }
            if is_all || gathered == scenario.ack {
                channel.basic_ack(last, BasicAckOptions { multiple: gathered > 1 }).await?;
                done.add(gathered as u64);
                gathered = 0;
            }
        }
    }
}

struct Publisher {
    channel: Channel,
    payload: String,
    answers: Option<Consumer>,
}

impl Publisher {
    /// Sends one message; what this gives is ready once it is confirmed.
    async fn publish(
        &self,
        properties: BasicProperties,
    ) -> Result<impl Future<Output = lapin::Result<Confirmation>> + use<>, Fault> {
        // 2: persistent.
        let properties = properties.with_delivery_mode(2).with_content_type("application/json".into());
        let options = BasicPublishOptions::default();
        Ok(self.channel.basic_publish("".into(), QUEUE.into(), options, self.payload.as_bytes(), properties).await?)
    }
}

fn confirmed(confirmation: &Confirmation) -> Result<(), Fault> {
    match confirmation {
        Confirmation::Ack(None) => Ok(()),
        other => Err(format!("it was not confirmed: {other:?}").into()),
    }
}

impl Caller for Publisher {
    async fn submit(&mut self, jobs: usize) -> Result<(), Fault> {
        let mut confirms = Vec::with_capacity(jobs);
        for _ in 0..jobs {
            confirms.push(self.publish(BasicProperties::default()).await?);
        }
        for confirm in confirms {
            confirmed(&confirm.await?)?;
        }
        Ok(())
    }

    async fn ask(&mut self) -> Result<(), Fault> {
        if self.answers.is_none() {
            let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
            let consume = self.channel.basic_consume(ANSWERS.into(), "answers".into(), options, FieldTable::default());
            self.answers = Some(consume.await?);
        }
        let confirm = self.publish(BasicProperties::default().with_reply_to(ANSWERS.into())).await?;
        confirmed(&confirm.await?)?;
        let answers = self.answers.as_mut().ok_or("it listens")?;
        answers.next().await.ok_or("no more answers come")??;
        Ok(())
    }
}
