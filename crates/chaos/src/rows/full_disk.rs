//! A disk that another program fills, and then has room again; now and then the server is killed and started while it is
//! full.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::disk::Disk;
use crate::error::{Doing, Done, broken};
use crate::figures::Figures;
use crate::http::{Http, JSON};
use crate::plan::Plan;
use crate::workload::{AGAIN, QUEUE, Shape};
use crate::world::{Load, World};

/// The bytes of the disk, and how many of them the server may take before the row ends.
const SIZE: u64 = 256 << 20;
const ENOUGH: u64 = SIZE / 2;

/// How long it may take until submissions are refused, and until they are taken again.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) async fn run(plan: &Plan) -> Done<Figures> {
    let mut world = World::new(plan, "full-disk", Disk::small(&plan.dir, SIZE)?).await?;
    world.start().await?;
    world.configure().await?;
    let shape = Shape { size: 4_000, ..Shape::default() };
    world.load(&Load { shape, ..Load::default() });
    let (until, ballast) = (plan.until(), world.disk.root().join("ballast"));
    while Instant::now() < until && size(&world.disk.data()) < ENOUGH {
        world.pass(400, Duration::from_secs(3)).await;
        fill(&ballast)?;
        refuses(&world, true).await?;
        let ready = world.http().get("/readyz").await;
        if !ready.as_ref().is_ok_and(|answer| answer.status == 503) {
            return broken(format!("/readyz while the disk is full: {ready:?}"));
        }
        // Work goes on on what is set aside.
        world.pass(400, Duration::from_secs(1)).await;
        if world.chance.permille(500) {
            restart(&mut world, &ballast).await?;
        }
        if ballast.exists() {
            fs::remove_file(&ballast).doing("room is made")?;
        }
        refuses(&world, false).await?;
        world.figures.count("times full");
    }
    world.finish().await
}

/// Kills the server and starts it again on the full disk. It may say that it needs room.
async fn restart(world: &mut World, ballast: &Path) -> Done {
    world.kill().await?;
    let launch = world.launch.clone();
    if let Some(said) = world.try_start(&launch).await? {
        if !said.contains("the disk is full") && !said.contains("No space left") {
            return broken(format!("the server does not start on a full disk, and says only {said}"));
        }
        world.figures.count("starts that needed room");
        fs::remove_file(ballast).doing("room is made")?;
        return world.start().await;
    }
    world.figures.count("starts on the full disk");
    Ok(())
}

/// Waits until submissions are refused for want of room, or are not.
async fn refuses(world: &World, full: bool) -> Done {
    let (mut http, started) = (Http::new(world.address()), Instant::now());
    let envelope = format!(r#"{{"queue":"{QUEUE}-probe","payload":"{}","expires_in":"1s"}}"#, "x".repeat(4_000));
    loop {
        match http.post("/v1/jobs", JSON, &envelope).await {
            Ok(answer) if answer.status == 507 && answer.json()["code"] == "storage-full" => {
                if full {
                    return Ok(());
                }
            }
            Ok(answer) if answer.status == 202 => {
                if !full {
                    return Ok(());
                }
            }
            other => return broken(format!("a submission to a full disk is answered {other:?}")),
        }
        if started.elapsed() > PATIENCE {
            let what = if full { "never refuses although the disk is full" } else { "does not take jobs again" };
            return broken(format!("the server {what}"));
        }
        sleep(AGAIN).await;
    }
}

/// Takes all the room there is.
fn fill(ballast: &Path) -> Done {
    let mut file = fs::File::create(ballast).doing("what fills the disk")?;
    for size in [1 << 20, 4 << 10] {
        let block = vec![0; size];
        // That there is no room for more is what is wanted.
        while file.write_all(&block).is_ok() {}
    }
    Ok(())
}

/// The bytes of all files under a folder.
fn size(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => size(&entry.path()),
            Ok(metadata) => metadata.len(),
            // It was deleted meanwhile.
            Err(_) => 0,
        })
        .sum()
}
