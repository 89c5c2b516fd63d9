//! `ackd list`: jobs, newest first.

use ackd_client::api::Time;
use ackd_client::{Document, JobFilter};
use clap::Args;

use crate::cli::Session;
use crate::commands::listing::Listing;
use crate::commands::narrowing::{Field, Narrowing, field};
use crate::console::Colour;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::table::Cell;
use crate::words;

/// The most jobs that are asked for at once.
const PAGE: usize = 100;

/// The arguments of `ackd list`.
#[derive(Debug, Args)]
#[command(after_help = "Several values of an option, separated by commas, are alternatives.\n\n\
                  Example: ackd list --queue video --status init,processing")]
pub(crate) struct ListArgs {
    #[command(flatten)]
    of: Narrowing,

    /// Only the job with this idempotency key
    #[arg(long)]
    key: Option<String>,

    /// Only jobs with this field in their JSON payload, as order.items.0.sku=abc; may be given again
    #[arg(long, value_name = "PATH=VALUE", value_parser = field)]
    payload: Vec<Field>,

    /// Only jobs that were accepted after this time
    #[arg(long, value_name = "TIME")]
    after: Option<Time>,

    /// Only jobs that were accepted before this time
    #[arg(long, value_name = "TIME")]
    before: Option<Time>,

    /// At most so many jobs
    #[arg(long, short = 'n', value_name = "N", default_value_t = 50)]
    limit: usize,
}

/// Prints the jobs, page by page.
pub(crate) async fn run(args: ListArgs, session: &Session) -> Result<Exit, Failure> {
    let Narrowing { queue: queues, status: statuses, kind: kinds, tag: tags } = args.of;
    let mut filter = JobFilter {
        queues,
        statuses,
        kinds,
        tags,
        idempotency_key: args.key,
        created_after: args.after,
        created_before: args.before,
        payload: args.payload,
        ..JobFilter::default()
    };
    let mut left = args.limit;
    let heads = ["ID", "QUEUE", "TYPE", "STATUS", "ATTEMPT", "CREATED", "NOTE"];
    let mut listing = Listing::new(session.console, heads);
    while left > 0 {
        filter.page_size = u32::try_from(left.min(PAGE)).ok();
        let page = session.client.list(&filter).await?;
        for job in page.jobs.iter().take(left) {
            listing.add(job, || row(job))?;
        }
        left = left.saturating_sub(page.jobs.len());
        // A page may be short, or empty, while more follow.
        match page.next_page_token {
            Some(token) => filter.page_token = Some(token.into_owned()),
            None => break,
        }
    }
    Ok(listing.finish("there are no such jobs")?)
}

fn row(job: &Document) -> [Cell; 7] {
    [
        Cell::new(&job.id),
        Cell::new(&job.queue),
        Cell::new(job.kind.as_deref().unwrap_or_default()),
        Cell::painted(job.status.as_str(), Colour::of(job.status)),
        Cell::new(if job.attempt > 0 { job.attempt.to_string() } else { String::new() }),
        Cell::new(job.created_at.to_string()),
        Cell::new(words::note(job)),
    ]
}
