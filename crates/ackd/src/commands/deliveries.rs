//! `ackd webhook deliveries` and `ackd webhook replay`.

use ackd_client::api::DeliveryDocument;

use crate::cli::Session;
use crate::commands::listing::Listing;
use crate::console::Colour;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::table::Cell;

/// Prints the deliveries that tell of a job, newest first, page by page.
pub(crate) async fn list(job: &str, session: &Session) -> Result<Exit, Failure> {
    let heads = ["ID", "TARGET", "EVENT", "STATUS", "ATTEMPTS", "ANSWER", "NEXT", "NOTE"];
    let mut listing = Listing::new(session.console, heads);
    let mut token = None;
    loop {
        let page = session.client.deliveries(job, token.as_deref()).await?;
        for delivery in &page.deliveries {
            listing.add(delivery, || row(delivery))?;
        }
        token = page.next_page_token;
        if token.is_none() {
            return Ok(listing.finish("nobody was told of this job")?);
        }
    }
}

fn row(delivery: &DeliveryDocument<'_>) -> [Cell; 8] {
    let last = delivery.attempts.last();
    [
        Cell::new(&delivery.id),
        Cell::new(&delivery.target),
        Cell::new(&delivery.event),
        Cell::painted(delivery.status.as_str(), Colour::of(delivery.status)),
        Cell::new(delivery.attempts.len().to_string()),
        Cell::new(last.and_then(|last| last.status_code).map_or_else(String::new, |status| status.to_string())),
        Cell::new(delivery.next_attempt_at.map_or_else(String::new, |at| at.to_string())),
        Cell::new(last.and_then(|last| last.error.as_deref()).unwrap_or_default()),
    ]
}

/// Has the deliveries made once more, each by itself.
pub(crate) async fn replay(ids: &[String], session: &Session) -> Exit {
    let replay = |id: String| async move {
        let delivery = session.client.replay_delivery(&id).await?;
        if session.console.is_json {
            return Ok(session.console.document(&delivery)?);
        }
        Ok(session.console.line(&format!("{} {} {}", delivery.id, delivery.event, delivery.target))?)
    };
    super::each(ids, session, replay).await
}
