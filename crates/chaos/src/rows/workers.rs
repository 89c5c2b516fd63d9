//! A thousand workers die together, each with a lease. Half of them have just told that they are done: those jobs stay done.
//! The others are rescued when the leases lapse, and given to those who are left.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::disk::Disk;
use crate::error::{Done, broken};
use crate::figures::Figures;
use crate::http::Http;
use crate::plan::Plan;
use crate::workload::{Face, Held, Shape, Worker};
use crate::world::World;

/// How many workers there are.
const WORKERS: usize = 1_000;

/// How long a worker waits for its job.
const WAIT: Duration = Duration::from_secs(30);

/// How long their leases last: longer than it takes until all have one.
const TTL: Duration = Duration::from_secs(10);

pub(super) async fn run(plan: &Plan) -> Done<Figures> {
    let mut world = World::new(plan, "workers", Disk::machine(&plan.dir)?).await?;
    world.start().await?;
    world.configure().await?;
    world.follow(Face::Events);
    let until = plan.until();
    // Once at least.
    loop {
        die(&mut world).await?;
        if Instant::now() >= until {
            break;
        }
    }
    for _ in 0..4 {
        let worker = world.worker(0, world.address());
        world.work(worker);
    }
    world.finish().await
}

async fn die(world: &mut World) -> Done {
    let mut working = JoinSet::new();
    for at in 0..WORKERS {
        let mut worker = world.worker(0, world.address());
        (worker.most, worker.ttl, worker.http.patience) = (1, TTL, 2 * WAIT);
        working.spawn(async move { hold(worker, at % 2 == 0).await });
    }
    let shape = Shape { batch: 100, ordered: 0, keyed: 1_000, ..Shape::default() };
    let mut submitter = world.submitter(&shape);
    let (enough, started) = (world.acknowledged() + WORKERS, Instant::now());
    while world.acknowledged() < enough {
        submitter.step().await;
        if started.elapsed() > WAIT {
            return broken("jobs are not accepted although nothing fails");
        }
    }
    // They have died once their connections are gone, which is when this has all of them.
    let held: Vec<(Http, Held)> = working.join_all().await.into_iter().flatten().collect();
    if held.len() < WORKERS / 2 {
        return broken(format!("only {} of {} workers got a job and kept it", held.len(), WORKERS / 2));
    }
    world.figures.add("workers died with a lease", held.len() as u64);
    drop(held);
    Ok(())
}

/// Gets a job, and does it or not. Who does not keeps it, and the connection.
async fn hold(mut worker: Worker, works: bool) -> Option<(Http, Held)> {
    let mut leases = Vec::new();
    while leases.is_empty() {
        leases = worker.lease(WAIT).await?;
    }
    if works {
        worker.complete(leases).await;
        return None;
    }
    Some((worker.http, leases.pop()?))
}
