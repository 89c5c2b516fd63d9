//! Redis Streams: callers share one connection, which sends what all of them ask for as it comes; each of the workers has its own,
//! reads up to 100 entries, and acknowledges and deletes them in one step.

use std::process::ExitCode;
use std::rc::Rc;
use std::sync::OnceLock;

use ackd_bench_driver::{Caller, Done, Fault, Peer, Scenario, payload};
use redis::aio::MultiplexedConnection;
use redis::streams::{StreamReadOptions, StreamReadReply};
use redis::{AsyncCommands, AsyncConnectionConfig, Client, pipe};

const STREAM: &str = "bench";
const GROUP: &str = "workers";
/// Connections that work.
const WORKERS: usize = 4;

fn main() -> ExitCode {
    ackd_bench_driver::main::<RedisStreams>()
}

struct RedisStreams;

/// Blocks for as long as the server does: no time-out of the client's own.
async fn connect(scenario: &Scenario) -> Result<MultiplexedConnection, Fault> {
    let settings = AsyncConnectionConfig::new().set_response_timeout(None);
    Ok(Client::open(scenario.url.as_str())?.get_multiplexed_async_connection_with_config(&settings).await?)
}

impl Peer for RedisStreams {
    type Caller = Producer;
    const VERSION: &'static str = "redis-rs 1.0.2";

    async fn prepare(scenario: &Scenario) -> Result<(), Fault> {
        let _: () = connect(scenario).await?.xgroup_create_mkstream(STREAM, GROUP, "0").await?;
        Ok(())
    }

    async fn caller(scenario: &Scenario) -> Result<Producer, Fault> {
        static SHARED: OnceLock<MultiplexedConnection> = OnceLock::new();
        if SHARED.get().is_none() {
            let _ = SHARED.set(connect(scenario).await?);
        }
        let shared = SHARED.get().ok_or("it is connected")?.clone();
        Ok(Producer { shared, answers: connect(scenario).await?, payload: payload(), asked: 0 })
    }

    async fn work(scenario: Rc<Scenario>, done: Rc<Done>) -> Result<(), Fault> {
        let mut workers = tokio::task::JoinSet::new();
        for nth in 0..WORKERS {
            let (scenario, done) = (Rc::clone(&scenario), Rc::clone(&done));
            workers.spawn_local(async move {
                match consume(&scenario, nth, &done).await {
                    Ok(never) => match never {},
                    Err(fault) => fault.to_string(),
                }
            });
        }
        match workers.join_next().await {
            Some(ended) => Err(ended?.into()),
            None => Ok(()),
        }
    }
}

async fn consume(scenario: &Scenario, nth: usize, done: &Done) -> Result<std::convert::Infallible, Fault> {
    let mut wire = connect(scenario).await?;
    let consumer = format!("worker-{nth}");
    let options = StreamReadOptions::default().group(GROUP, &consumer).count(scenario.ack).block(1000);
    loop {
        let read: Option<StreamReadReply> = wire.xread_options(&[STREAM], &[">"], &options).await?;
        let Some(entries) = read.and_then(|mut read| read.keys.pop()).map(|stream| stream.ids) else { continue };
        let ids: Vec<&str> = entries.iter().map(|entry| entry.id.as_str()).collect();
        let mut step = pipe();
        step.xack(STREAM, GROUP, &ids).ignore().xdel(STREAM, &ids).ignore();
        for entry in &entries {
            if let Some(answer) = entry.get::<String>("answer") {
                step.rpush(answer, "done").ignore();
            }
        }
        let () = step.query_async(&mut wire).await?;
        done.add(ids.len() as u64);
    }
}

struct Producer {
    shared: MultiplexedConnection,
    /// For itself: whoever waits here keeps the others on the connection waiting.
    answers: MultiplexedConnection,
    payload: String,
    asked: u64,
}

impl Caller for Producer {
    async fn submit(&mut self, jobs: usize) -> Result<(), Fault> {
        let mut step = pipe();
        for _ in 0..jobs {
            step.xadd(STREAM, "*", &[("payload", &self.payload)]).ignore();
        }
        Ok(step.query_async(&mut self.shared).await?)
    }

    async fn ask(&mut self) -> Result<(), Fault> {
        self.asked += 1;
        let answer = format!("answer:{}", self.asked);
        let _: String = self.shared.xadd(STREAM, "*", &[("payload", &self.payload), ("answer", &answer)]).await?;
        let _: (String, String) = self.answers.blpop(&answer, 0.0).await?;
        Ok(())
    }
}
