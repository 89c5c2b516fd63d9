//! The network between some workers and the server stalls, swallows answers and breaks, for longer than their leases last.
//! Others have a network of their own, and get what the former held.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::disk::Disk;
use crate::error::Done;
use crate::figures::Figures;
use crate::plan::Plan;
use crate::proxy::{Network, Proxy};
use crate::world::{Load, World};

/// How many workers are behind the network that fails.
const WORKERS: u64 = 6;

/// How long a worker behind it waits for an answer: less than the network may stall.
const PATIENCE: Duration = Duration::from_secs(8);

pub(super) async fn run(plan: &Plan) -> Done<Figures> {
    let mut world = World::new(plan, "partition", Disk::machine(&plan.dir)?).await?;
    world.start().await?;
    world.configure().await?;
    let proxy = Proxy::start(world.address()).await?;
    for _ in 0..WORKERS {
        let mut worker = world.worker(30, proxy.address());
        worker.http.patience = PATIENCE;
        world.work(worker);
    }
    world.load(&Load { workers: 2, ..Load::default() });
    let until = plan.until();
    while Instant::now() < until {
        let (network, name) = match world.chance.below(3) {
            0 => (Network::Stalls, "stalls"),
            1 => (Network::Swallows, "times deaf"),
            _ => (Network::Cut, "cuts"),
        };
        proxy.set(network);
        let lasts = world.chance.millis(3_500);
        sleep(lasts).await;
        proxy.set(Network::Passes);
        let lasts = world.chance.millis(700);
        sleep(lasts).await;
        world.figures.count(name);
    }
    world.figures.add("answers swallowed", proxy.swallowed());
    world.finish().await
}
