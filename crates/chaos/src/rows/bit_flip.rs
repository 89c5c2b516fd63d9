//! Bits that turn in the database while the server is stopped. Whatever is damaged is reported, and never served: an answer
//! is right, or says that it cannot be given.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::address::Signpost;
use crate::chance::Chance;
use crate::disk::Disk;
use crate::document::snapshot;
use crate::error::{Doing, Done, broken};
use crate::figures::Figures;
use crate::http::{Answer, Http, JSON};
use crate::plan::Plan;
use crate::server::{Launch, Server, Started};
use crate::workload::{QUEUE, Shape};
use crate::world::{Load, World};

/// The database.
const FILE: &str = "ackd.db";

/// How many records of the clients there are before the server is stopped.
const RECORDS: usize = 1_500;

/// How many servers are tried at once: most of their time they walk over their rows, with pauses.
const AT_ONCE: u64 = 6;

/// How long that walk takes, with some to spare: 2000 rows a second.
const WALK: Duration = Duration::from_millis(2_500);

pub(super) async fn run(plan: &Plan) -> Done<Figures> {
    let mut world = World::new(plan, "bit-flip", Disk::machine(&plan.dir)?).await?;
    world.start().await?;
    world.configure().await?;
    let shape = Shape { keyed: 1000, ordered: 0, after: 0, ..Shape::default() };
    world.load(&Load { shape, ..Load::default() });
    world.history.grow(RECORDS).await;
    world.quiet().await?;
    // So that what waits for its time is due.
    sleep(Duration::from_secs(1)).await;
    let mut truth = Truth::default();
    for id in world.ids() {
        truth.jobs.push((id.clone(), said(&world.http().get(&format!("/v1/jobs/{id}")).await.ok(), &id)));
        truth.timelines.push(timeline(&mut world.http(), &id).await);
    }
    let wrong = truth.jobs.iter().chain(&truth.timelines).find(|(_, said)| !matches!(said, Said::So(_)));
    if let Some((id, said)) = wrong {
        return broken(format!("before anything is damaged, {id} is answered {said:?}"));
    }
    world.stop().await?;
    let (whole, until) = (world.disk.data(), plan.until());
    let truth = Arc::new(truth);
    let mut flips = JoinSet::new();
    let mut next = 0;
    loop {
        while Instant::now() < until && (flips.len() as u64) < AT_ONCE {
            next += 1;
            let folder = world.disk.beside(&format!("flip-{next}"));
            let chance = Chance::of(plan.seed, next);
            flips.spawn(flip(plan.launch.clone(), whole.clone(), folder, chance, Arc::clone(&truth)));
        }
        match flips.join_next().await {
            Some(Ok(found)) => world.figures.count(found?),
            Some(Err(error)) => return broken(error.to_string()),
            None => break,
        }
    }
    world.judge(Ok(()))
}

/// What the server said before anything was damaged.
#[derive(Debug, Default)]
struct Truth {
    jobs: Vec<(String, Said)>,
    timelines: Vec<(String, Said)>,
}

/// What the server says.
#[derive(Debug, Clone, PartialEq)]
enum Said {
    /// This, but for what depends on the time.
    So(Value),
    /// That it cannot be given.
    Damaged,
    /// Something else.
    Other(String),
}

/// Turns one bit, starts the server, has it say all it can, and says what came of it.
async fn flip(
    launch: Launch,
    whole: PathBuf,
    folder: PathBuf,
    mut chance: Chance,
    truth: Arc<Truth>,
) -> Done<&'static str> {
    let data = folder.join("data");
    fs::create_dir_all(&data).doing("a copy")?;
    copy(&whole, &data)?;
    let (at, bit) = turn(&data.join(FILE), &mut chance)?;
    let here = format!("byte {at}, bit {bit}");
    let found = match Server::start(&launch, &data, &folder.join("log")).await? {
        Started::Ended(_, said) if says_so(&said) => Ok("found at the start"),
        Started::Ended(_, said) => broken(format!("{here}: the server does not start, and says only {said}")),
        Started::Up(server) => {
            let signpost = Signpost::new();
            signpost.point(Some(server.at));
            let found = look(Http::new(signpost.address()), &truth, &here).await;
            server.kill().await?;
            found
        }
    };
    fs::remove_dir_all(&folder).doing("a copy")?;
    found
}

/// Whether a server that does not start names the reason.
fn says_so(said: &str) -> bool {
    ["damaged", "not one of ackd's", "written by a newer one"].iter().any(|reason| said.contains(reason))
}

/// Reads and does all there is to read and do.
async fn look(mut http: Http, truth: &Truth, here: &str) -> Done<&'static str> {
    let mut damaged = false;
    for ((id, was), (_, told)) in truth.jobs.iter().zip(&truth.timelines) {
        let is = said(&http.get(&format!("/v1/jobs/{id}")).await.ok(), id);
        let tells = timeline(&mut http, id).await.1;
        for (was, is) in [(was, is), (told, tells)] {
            match is {
                Said::Damaged => damaged = true,
                is if is == *was => {}
                is => return broken(format!("{here}: {id} was {was:?}, and is {is:?}")),
            }
        }
    }
    let listed = listed(&mut http, here).await?;
    let missing = |ids: &BTreeSet<String>, of: &dyn Fn(&Value) -> bool| {
        let jobs = truth.jobs.iter().filter(|(_, said)| matches!(said, Said::So(job) if of(job)));
        jobs.filter(|(id, _)| !ids.contains(id)).count()
    };
    let hidden = listed.as_ref().map_or(0, |ids| missing(ids, &|_| true));
    damaged |= listed.is_none();
    let leased = leased(&mut http, truth, here).await?;
    let waiting = missing(&leased, &|job| job["status"] == "INIT");
    let reported = reported(&mut http, damaged || hidden + waiting > 0, here).await?;
    if hidden + waiting > 0 && !reported {
        return broken(format!("{here}: {hidden} jobs are in no list, and {waiting} wait and are never had"));
    }
    Ok(if reported { "found and reported" } else { "without a consequence" })
}

/// Every job that is listed; none where the list says that it is damaged.
async fn listed(http: &mut Http, here: &str) -> Done<Option<BTreeSet<String>>> {
    let (mut ids, mut token) = (BTreeSet::new(), String::new());
    loop {
        let answer = http.get(&format!("/v1/jobs?queue={QUEUE}&page_size=1000{token}")).await;
        let page = match said(&answer.ok(), "") {
            Said::So(page) => page,
            Said::Damaged => return Ok(None),
            Said::Other(other) => return broken(format!("{here}: the list of jobs is {other}")),
        };
        let jobs = page["jobs"].as_array().map_or(&[][..], Vec::as_slice);
        ids.extend(jobs.iter().filter_map(|job| job["id"].as_str().map(str::to_owned)));
        match page["next_page_token"].as_str() {
            Some(next) => token = format!("&page_token={next}"),
            None => return Ok(Some(ids)),
        }
    }
}

/// Every job that a worker gets, each with its payload.
async fn leased(http: &mut Http, truth: &Truth, here: &str) -> Done<BTreeSet<String>> {
    let mut ids = BTreeSet::new();
    let ask = json!({"queues": [QUEUE], "max": 1000, "wait": "300ms"}).to_string();
    loop {
        let answer = http.post("/v1/leases", JSON, &ask).await.ok();
        let document = match &answer {
            Some(answer) if answer.status == 204 => return Ok(ids),
            answer => match said(answer, "") {
                Said::So(document) => document,
                Said::Damaged => return Ok(ids),
                Said::Other(other) => return broken(format!("{here}: who asks for jobs is answered {other}")),
            },
        };
        for job in document["leases"].as_array().into_iter().flatten().map(|lease| &lease["job"]) {
            let id = job["id"].as_str().unwrap_or_default();
            let was = truth.jobs.iter().find(|(known, _)| known == id).map(|(_, said)| said);
            if !matches!(was, Some(Said::So(was)) if was["payload"] == job["payload"] && was["status"] == "INIT") {
                return broken(format!("{here}: a worker gets {job}, which was {was:?}"));
            }
            ids.insert(id.to_owned());
        }
    }
}

/// Whether the server says by its health that something is damaged. What was refused as damaged, or is not to be had, it must.
async fn reported(http: &mut Http, must: bool, here: &str) -> Done<bool> {
    let patience = Instant::now() + if must { 2 * WALK } else { WALK };
    loop {
        match http.get("/readyz").await {
            Ok(answer) if answer.status == 503 && answer.text().contains("damaged") => return Ok(true),
            Ok(answer) if answer.status == 200 => {}
            other => return broken(format!("{here}: /readyz of a damaged server is {other:?}")),
        }
        if Instant::now() > patience {
            return Ok(false);
        }
        sleep(Duration::from_millis(50)).await;
    }
}

async fn timeline(http: &mut Http, id: &str) -> (String, Said) {
    (id.to_owned(), said(&http.get(&format!("/v1/jobs/{id}/timeline")).await.ok(), ""))
}

/// What an answer says; `id` where it must be of this job.
fn said(answer: &Option<Answer>, id: &str) -> Said {
    let Some(answer) = answer else { return Said::Other("nothing".to_owned()) };
    let mut document = answer.json();
    match answer.status {
        200 if id.is_empty() || snapshot(&document).is_some_and(|job| job.job == id) => {
            // Why it waits is computed when it is read, and the position is that of the feed.
            for passing in ["waiting", "position"] {
                if let Some(field) = document.get_mut(passing) {
                    field.take();
                }
            }
            Said::So(document)
        }
        500 if document["code"] == "damaged" => Said::Damaged,
        // Where what is damaged would have to be written, nothing is any more.
        503 if document["code"] == "store-failed" && answer.text().contains("damage") => Said::Damaged,
        _ => Said::Other(answer.text()),
    }
}

/// Turns a bit of the file: where, and which.
fn turn(file: &Path, chance: &mut Chance) -> Done<(usize, u64)> {
    let mut bytes = fs::read(file).doing("the database")?;
    let at = usize::try_from(chance.below(bytes.len() as u64)).unwrap_or(0);
    let bit = chance.below(8);
    bytes[at] ^= 1 << bit;
    fs::write(file, bytes).doing("the database")?;
    Ok((at, bit))
}

fn copy(from: &Path, to: &Path) -> Done {
    for entry in fs::read_dir(from).doing("the data folder")? {
        let entry = entry.doing("the data folder")?;
        let to = to.join(entry.file_name());
        if entry.file_type().doing("the data folder")?.is_dir() {
            fs::create_dir(&to).doing("a copy")?;
            copy(&entry.path(), &to)?;
        } else {
            fs::copy(entry.path(), to).doing("a copy")?;
        }
    }
    Ok(())
}
