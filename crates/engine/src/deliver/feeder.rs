use std::sync::Arc;
use std::time::Duration;

use ackd_domain::{Advance, Command, Name, NewDelivery, Position, Refusal};
use ackd_ports::ReadError;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use super::{Renderer, make};
use crate::engine::{Engine, Unavailable};
use crate::feed::{Feed, FeedItem, FeedStart};
use crate::interest::Interest;

/// The most deliveries of one commit, but for those of a single change.
const DELIVERIES: usize = 512;

/// The most bytes of one commit, but for those of a single change.
const BYTES: usize = 4 << 20;

/// The most changes that are kept for the feeder while it commits.
const WAITING: usize = 4096;

/// How often the position is written down where nothing is to be delivered. After a crash the changes since are read
/// again, and nothing was made of them.
const STRIDE: Duration = Duration::from_secs(5);

/// How long the feeder rests when the store does not take something or cannot be read.
const REST: Duration = Duration::from_secs(1);

/// Makes a delivery for each end and target.
pub(super) struct Feeder {
    engine: Engine,
    renderer: Arc<dyn Renderer>,
    stopped: watch::Receiver<bool>,
}

/// Why the feeder does not go on as it was.
enum Interrupted {
    /// The server stops.
    Stopped,
    /// Its position is another than it thought.
    Astray,
    /// The feed cannot be read.
    Unread(ReadError),
}

impl Feeder {
    pub(super) fn new(engine: Engine, renderer: Arc<dyn Renderer>, stopped: watch::Receiver<bool>) -> Feeder {
        Feeder { engine, renderer, stopped }
    }

    pub(super) async fn run(mut self) {
        loop {
            match self.follow().await {
                Interrupted::Stopped => return,
                Interrupted::Astray => {
                    tracing::warn!("the position of the deliveries had changed; they go on from there")
                }
                Interrupted::Unread(error) => {
                    tracing::error!(%error, "the feed of the deliveries cannot be read; it is tried again");
                    if self.rest().await.is_err() {
                        return;
                    }
                }
            }
        }
    }

    async fn follow(&mut self) -> Interrupted {
        let (mut feed, mut at) = match self.begin().await {
            Ok(begun) => begun,
            Err(error) => return Interrupted::Unread(error),
        };
        let mut stride = tokio::time::interval(STRIDE);
        stride.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let item = tokio::select! {
                biased;
                // The sender of the signal lives as long as the deliverer: that it is gone means the same.
                _ = self.stopped.wait_for(|stopped| *stopped) => None,
                item = feed.next() => match item {
                    Ok(Some(item)) => Some(Some(item)),
                    Ok(None) => None,
                    Err(error) => return Interrupted::Unread(error),
                },
                _ = stride.tick() => Some(None),
            };
            let deliveries = item.as_ref().map(|item| self.collect(item.clone(), &mut feed)).unwrap_or_default();
            let to = feed.position();
            if let Err(interrupted) = self.commit(&mut at, to, deliveries).await {
                return interrupted;
            }
            if item.is_none() {
                return Interrupted::Stopped;
            }
        }
    }

    /// The feed from where the feeder was. A store that no feeder has seen is read from its beginning: what ended before
    /// its first step is to be told too.
    async fn begin(&self) -> Result<(Feed, Option<Position>), ReadError> {
        let at = self.engine.position_of(Name::webhooks().clone()).await?;
        let endpoints = Arc::clone(self.engine.endpoints_seen());
        let interest = Interest::rule(move |change| make::concerns(change, &endpoints));
        let from = at.map_or(FeedStart::Earliest, FeedStart::After);
        Ok((self.engine.feed(interest, from, Some(WAITING)).await?, at))
    }

    /// The deliveries of this item and of those that can be had without waiting.
    fn collect(&self, first: Option<FeedItem>, feed: &mut Feed) -> Vec<NewDelivery> {
        let (mut made, mut bytes) = (Vec::new(), 0);
        let mut next = first;
        while let Some(item) = next {
            match item {
                FeedItem::Entry(entry) => {
                    let new = make::deliveries(&entry.change, self.engine.endpoints_seen(), &*self.renderer);
                    bytes += new.iter().map(|it| it.body.bytes.len()).sum::<usize>();
                    made.extend(new);
                }
                FeedItem::Reset(earliest) => tracing::error!(
                    earliest = earliest.0,
                    "changes are no longer kept that webhooks were not told of; deliveries go on with the earliest"
                ),
                FeedItem::CaughtUp | FeedItem::Lagging => {}
            }
            if made.len() >= DELIVERIES || bytes >= BYTES {
                break;
            }
            next = feed.try_next();
        }
        made
    }

    /// Writes the deliveries down together with the position up to which all are made.
    async fn commit(
        &mut self,
        at: &mut Option<Position>,
        to: Position,
        deliveries: Vec<NewDelivery>,
    ) -> Result<(), Interrupted> {
        if deliveries.is_empty() && at.is_some_and(|at| at >= to) {
            return Ok(());
        }
        let advance = Advance { consumer: Name::webhooks().clone(), from: *at, to };
        let command = Command::Deliver { advance: Some(advance), deliveries };
        loop {
            match self.engine.run(vec![command.clone()]).await {
                Ok(mut answers) => match answers.pop() {
                    Some(Ok(_)) => {
                        *at = Some(to);
                        return Ok(());
                    }
                    Some(Err(Refusal::Overtaken(_))) => return Err(Interrupted::Astray),
                    other => {
                        let refusal = other.and_then(Result::err).map(|refusal| refusal.to_string());
                        return Err(Interrupted::Unread(ReadError::Failed(refusal.unwrap_or_default())));
                    }
                },
                Err(Unavailable::Overloaded | Unavailable::Full) => self.rest().await?,
                Err(Unavailable::Stopping | Unavailable::Failed(_)) => return Err(Interrupted::Stopped),
            }
        }
    }

    async fn rest(&mut self) -> Result<(), Interrupted> {
        match tokio::time::timeout(REST, self.stopped.wait_for(|stopped| *stopped)).await {
            Ok(_) => Err(Interrupted::Stopped),
            Err(_) => Ok(()),
        }
    }
}
