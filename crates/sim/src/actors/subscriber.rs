use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ackd_checker::Event;
use ackd_domain::Position;
use ackd_engine::{FeedItem, FeedStart, Interest};
use ackd_ports::Filter;
use tokio::time::sleep;

use crate::history::{History, snapshot};
use crate::network::Network;

/// How long a change may be on its way to one who follows, when nothing fails.
const PROMPT: u64 = 5_000_000;

/// Follows the feed from its beginning, and goes on where it was whenever its connection breaks.
pub(crate) struct Subscriber {
    pub(crate) number: u64,
    pub(crate) network: Network,
    pub(crate) history: History,
    /// From when on its connection holds and it takes what it is told.
    pub(crate) calm: Arc<AtomicBool>,
}

impl Subscriber {
    /// Follows until it is dropped.
    pub(crate) async fn run(mut self) {
        let mut at = Position::START;
        loop {
            self.follow(&mut at).await;
            sleep(Duration::from_millis(50) + self.network.chance.millis(500)).await;
        }
    }

    /// Says that it saw everything, as one must have who follows and to whom nothing happened for a while.
    pub(crate) fn caught_up(number: u64, history: &History) {
        let since = history.now().saturating_sub(PROMPT);
        history.add(Event::CaughtUp { subscriber: number, since });
    }

    async fn follow(&mut self, at: &mut Position) {
        self.network.travel().await;
        let Some(up) = self.network.connect() else { return };
        let most = Some(if self.network.chance.permille(500) { 3 } else { 64 });
        let interest = Interest::new(Filter::default(), Vec::new());
        let Ok(mut feed) = up.engine.feed(interest, FeedStart::After(*at), most).await else { return };
        self.history.add(Event::Follows { subscriber: self.number, after: at.0 });
        loop {
            let item = tokio::select! {
                biased;
                () = up.died() => return,
                item = feed.next() => item,
            };
            if up.is_dead() {
                return;
            }
            match item {
                Ok(Some(FeedItem::Entry(entry))) => {
                    let change = &entry.change;
                    *at = change.position;
                    self.history.know(&change.job);
                    let job = snapshot(&change.job, None, change.job.result.as_ref().and(change.body.as_ref()));
                    self.history.add(Event::Seen { subscriber: self.number, position: at.0, job });
                }
                Ok(Some(FeedItem::CaughtUp | FeedItem::Lagging)) => {}
                Ok(Some(FeedItem::Reset(position))) => {
                    *at = position;
                    self.history.add(Event::Reset { subscriber: self.number });
                }
                Ok(None) | Err(_) => return,
            }
            if !self.calm.load(Ordering::Relaxed) {
                if self.network.chance.permille(20) {
                    return;
                }
                if self.network.chance.permille(50) {
                    sleep(self.network.chance.millis(3_000)).await;
                }
            }
        }
    }
}
