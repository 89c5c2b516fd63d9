//! Webhooks of ten endpoints, one of which hangs.

use std::io;
use std::time::{Duration, Instant};

use super::receiver::Receiver;
use crate::jobs::{expect, submit_many, work_batch};
use crate::report::{Line, median};
use crate::server::{Kind, Server};
use crate::wire::{Wire, fields, request};
use crate::{Bench, jobs, load};

/// Endpoints that answer, beside the one that does not.
const ENDPOINTS: usize = 9;
/// One in so many deliveries is turned away once.
const TURNED_AWAY: usize = 1000;
/// Jobs of one submission.
const JOBS: usize = 500;
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

pub(crate) fn run(bench: &Bench) -> io::Result<()> {
    let (mut rates, mut costs) = (Vec::new(), Vec::new());
    for _ in 0..bench.runs {
        let data = tempfile::tempdir_in(&bench.dir)?;
        let server = Server::start_with(Kind::Ackd, data.path(), &["--webhook-allow", "127.0.0.0/8"])?;
        let receiver = Receiver::start(SECRET, TURNED_AWAY)?;
        let before = server.cpu()?;
        rates.push(load::on_one_thread(measure(&server, &receiver, bench.time))?);
        let took = server.cpu()?.saturating_sub(before).as_secs_f64();
        costs.push(took * 1e6 / receiver.seen().first as f64);
    }
    Line {
        what: format!(
            "delivery: webhooks to {ENDPOINTS} endpoints that answer and one that hangs; each signature verified, one in \
             {TURNED_AWAY} turned away once and made again"
        ),
        unit: "deliveries/s",
        figures: rates,
        bound: None,
        target: "8 000 deliveries/s".to_owned(),
    }
    .print();
    println!("  {:.1} µs of the server's processors a delivery, its share of the jobs included\n", median(costs));
    Ok(())
}

async fn measure(server: &Server, receiver: &Receiver, time: Duration) -> io::Result<f64> {
    let mut wire = Wire::connect(server.addr()).await?;
    for at in 0..=ENDPOINTS {
        let path = if at < ENDPOINTS { format!("hook{at}") } else { "hangs".to_owned() };
        let body = format!(r#"{{"url":"http://{}/{path}","secret":"{SECRET}"}}"#, receiver.addr());
        let put = request("PUT", &format!("/v1/webhooks/{path}"), "application/json", body.as_bytes());
        expect(&wire.send(&put).await?, &[200, 201])?;
    }
    // Twice what would be told in the time at the target's rate.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few seconds")]
    let jobs = ((16_000.0 * time.as_secs_f64()) as usize / ENDPOINTS).max(JOBS) / JOBS * JOBS;
    let mut last = String::new();
    for _ in 0..jobs / JOBS {
        let answer = wire.send(&submit_many("video", JOBS, || None)).await?;
        expect(&answer, &[202, 200])?;
        last = fields(answer.body, "id").last().unwrap_or_default().to_owned();
    }
    let (lease, mut done) = (jobs::lease("video", JOBS, "0s"), 0);
    while done < jobs {
        done += usize::try_from(work_batch(&mut wire, &lease).await?).map_err(io::Error::other)?;
    }
    let wanted = jobs * ENDPOINTS;
    let mut patience = Instant::now() + Duration::from_secs(60);
    let mut seen_before = 0;
    loop {
        let (taken, wrong) = {
            let seen = receiver.seen();
            (seen.taken(), seen.wrong)
        };
        if wrong > 0 {
            return Err(io::Error::other(format!("{wrong} posts were wrongly signed or came twice")));
        }
        if taken == wanted {
            break;
        }
        if taken > seen_before {
            seen_before = taken;
            patience = Instant::now() + Duration::from_secs(60);
        }
        if Instant::now() > patience {
            return Err(io::Error::other(format!("{taken} of {wanted} deliveries have come, and no more come")));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    logged(&mut wire, &last).await?;
    let seen = receiver.seen();
    let (first, latest) = seen.span.ok_or(io::ErrorKind::UnexpectedEof)?;
    if seen.turned_away() != wanted / TURNED_AWAY || seen.hanging == 0 {
        return Err(io::Error::other("nothing was turned away, or nothing hangs"));
    }
    Ok(seen.first as f64 / latest.duration_since(first).as_secs_f64())
}

/// Fails unless the server has logged all deliveries of the job with this id.
async fn logged(wire: &mut Wire, id: &str) -> io::Result<()> {
    let get = request("GET", &format!("/v1/jobs/{id}/deliveries"), "application/json", b"");
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let answer = wire.send(&get).await?;
        expect(&answer, &[200])?;
        let done = fields(answer.body, "status").filter(|status| *status == "DONE").count();
        if done == ENDPOINTS {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(io::Error::other(format!("{done} of {ENDPOINTS} deliveries are logged as done")));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
