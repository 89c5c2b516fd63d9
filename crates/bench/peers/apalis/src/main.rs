//! apalis on PostgreSQL: tasks are pushed on connections of a pool; one worker, woken by LISTEN and asking every 100 ms besides, fetches 100 at
//! once. Results come by `wait_for`, which asks every half second.

use std::process::ExitCode;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ackd_bench_driver::{Caller, Done, Fault, Peer, Scenario, payload};
use apalis::prelude::*;
use apalis_postgres::{Config, PgPool, PgTaskId, PostgresStorage, queries::push_tasks};
use futures_util::StreamExt;
use sqlx::postgres::PgPoolOptions;
use tokio::sync::OnceCell;

const QUEUE: &str = "bench";
/// How many tasks are fetched, and worked, at once.
const AT_ONCE: usize = 100;
/// Connections of each process.
const CONNECTIONS: u32 = 25;

type Job = serde_json::Value;

fn main() -> ExitCode {
    ackd_bench_driver::main::<Apalis>()
}

struct Apalis;

/// The one pool that all share.
async fn pool(scenario: &Scenario) -> Result<PgPool, Fault> {
    static SHARED: OnceCell<PgPool> = OnceCell::const_new();
    let connect = || PgPoolOptions::new().max_connections(CONNECTIONS).connect(&scenario.url);
    Ok(SHARED.get_or_try_init(connect).await?.clone())
}

fn storage(pool: &PgPool) -> PostgresStorage<Job> {
    PostgresStorage::new(pool).with_config(Config::default().queue(QUEUE).batch_size(AT_ONCE))
}

/// How many jobs were worked. The worker takes note of each a moment later, and tells nobody when: of a hundred thousand, the last hundred
/// are counted a few milliseconds early.
static WORKED: AtomicU64 = AtomicU64::new(0);

async fn work(_: Job) -> Result<(), BoxDynError> {
    WORKED.fetch_add(1, Ordering::Relaxed);
    Ok(())
}

impl Peer for Apalis {
    type Caller = Producer;
    const VERSION: &'static str = "apalis 1.0.0, apalis-postgres 1.0.0";

    async fn prepare(scenario: &Scenario) -> Result<(), Fault> {
        PostgresStorage::setup(&pool(scenario).await?).await?;
        Ok(())
    }

    async fn caller(scenario: &Scenario) -> Result<Producer, Fault> {
        Ok(Producer { pool: pool(scenario).await?, payload: payload().into_bytes() })
    }

    async fn work(scenario: Rc<Scenario>, done: Rc<Done>) -> Result<(), Fault> {
        let backend = storage(&pool(&scenario).await?).with_pubsub().poll_with_interval(Duration::from_millis(100));
        let worker = WorkerBuilder::new("worker").backend(backend).concurrency(AT_ONCE).build(work);
        let count = async {
            let mut counted = 0;
            loop {
                tokio::time::sleep(Duration::from_millis(2)).await;
                let worked = WORKED.load(Ordering::Relaxed);
                done.add(worked - counted);
                counted = worked;
            }
        };
        tokio::select! {
            ended = worker.run() => Ok(ended?),
            () = count => Ok(()),
        }
    }
}

struct Producer {
    pool: PgPool,
    payload: Vec<u8>,
}

impl Producer {
    async fn push(&self, jobs: usize, id: Option<PgTaskId>) -> Result<(), Fault> {
        let mut connection = self.pool.acquire().await?;
        let task = || {
            let task = TaskBuilder::new(self.payload.clone());
            match &id {
                Some(id) => task.task_id(id.clone()).build(),
                None => task.build(),
            }
        };
        Ok(push_tasks(&mut *connection, QUEUE, (0..jobs).map(|_| task()).collect()).await?)
    }
}

impl Caller for Producer {
    async fn submit(&mut self, jobs: usize) -> Result<(), Fault> {
        self.push(jobs, None).await
    }

    async fn ask(&mut self) -> Result<(), Fault> {
        let id: PgTaskId = ulid::Ulid::generate().into();
        self.push(1, Some(id.clone())).await?;
        let mut results = WaitForCompletion::<()>::wait_for(&mut storage(&self.pool), [id]);
        results.next().await.ok_or("no result came")??;
        Ok(())
    }
}
