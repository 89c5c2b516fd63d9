//! A subscription at work: where its events come from, and how they are shown.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use ackd_api::socket::{Label, ServerFrame};
use ackd_api::{Code, EventName, Problem};
use ackd_domain::Position;
use ackd_engine::{Events, Feed, FeedItem, FeedStart, Interest, ReadError};

use super::session::Told;
use super::wanted::{Wanted, What};
use crate::app::{Shared, Subscribed};
use crate::problem::Rejection;
use crate::shown;
use crate::token;
use crate::visible;

/// After how long without an event a filter that few jobs match says where it is: so that a client which comes back
/// does not come with a position that is no longer kept.
const REMIND_AFTER: Duration = Duration::from_secs(300);

/// See the module.
pub(crate) struct Follower {
    shared: Arc<Shared>,
    sid: Label,
    source: Source,
    /// What comes before the source is asked again.
    ready: VecDeque<Told>,
    /// It has not said yet that it told everything that had happened.
    behind: bool,
    /// Its share of what all sockets may subscribe to.
    _share: Subscribed,
}

enum Source {
    Job(Box<Events>),
    Feed(Box<Feed>),
}

impl Follower {
    /// Opens a subscription. What it tells first says whether it could be; there is no follower if nothing follows.
    pub(crate) async fn open(shared: Arc<Shared>, wanted: Wanted) -> (Option<Box<Follower>>, Told) {
        match Follower::begin(shared, wanted).await {
            Ok(Some((follower, told))) => (Some(follower), told),
            Ok(None) => (None, Told::Over),
            Err(rejection) => (None, Told::Failed(rejection.problem)),
        }
    }

    async fn begin(shared: Arc<Shared>, wanted: Wanted) -> Result<Option<(Box<Follower>, Told)>, Rejection> {
        let share = shared.subscribe()?;
        let engine = &shared.engine;
        let (source, told) = match wanted.what {
            What::Job(id) => match visible::events(engine, id, wanted.after).await? {
                Some(events) => (Source::Job(events), Told::Open),
                None => return Ok(None),
            },
            What::Filter(filter) => {
                let from = match wanted.after {
                    None => FeedStart::Now,
                    Some(Position::START) => FeedStart::Earliest,
                    Some(position) => FeedStart::After(position),
                };
                let mut feed = Box::new(engine.feed(Interest::new(*filter, Vec::new()), from, None).await?);
                // Where it begins now there is nothing before, and its position is worth knowing.
                let told = if from == FeedStart::Now { caught_up(feed.position()) } else { Told::Open };
                (Source::Feed(feed), told)
            }
        };
        let behind = matches!(told, Told::Open);
        let follower = Follower {
            shared: Arc::clone(&shared),
            sid: wanted.sid,
            source,
            ready: VecDeque::new(),
            behind,
            _share: share,
        };
        Ok(Some((Box::new(follower), told)))
    }

    /// The next thing to tell.
    pub(crate) async fn next(&mut self) -> Told {
        loop {
            if let Some(told) = self.ready.pop_front() {
                return told;
            }
            let read = match &mut self.source {
                Source::Job(events) if self.behind && events.is_live() => {
                    self.behind = false;
                    self.ready.push_back(caught_up(events.position()));
                    continue;
                }
                Source::Job(_) => self.of_job().await,
                Source::Feed(_) => self.of_feed().await,
            };
            if let Err(error) = read {
                return Told::Failed(Rejection::from(error).problem);
            }
        }
    }

    async fn of_job(&mut self) -> Result<(), ReadError> {
        let Source::Job(events) = &mut self.source else { return Ok(()) };
        let Some(event) = events.next().await? else {
            self.ready.push_back(if events.is_over() { Told::Over } else { Told::Stopping });
            return Ok(());
        };
        let (is_last, lagged) = (events.is_over(), events.take_lagged());
        let shown = shown::event(&self.shared.engine, &event).await?;
        if lagged {
            self.behind = true;
            self.ready.push_back(Told::Lagging);
        }
        if shown.is_reset {
            self.behind = true;
            self.ready.push_back(Told::Reset(token::position(shown.position).to_string()));
        }
        let frame = frame(&self.sid, shown.position, shown.name, &shown.document);
        self.ready.push_back(Told::Event { frame, is_last });
        Ok(())
    }

    async fn of_feed(&mut self) -> Result<(), ReadError> {
        let Source::Feed(feed) = &mut self.source else { return Ok(()) };
        let before = feed.position();
        let item = match tokio::time::timeout(REMIND_AFTER, feed.next()).await {
            Ok(item) => item?,
            Err(_) => {
                let now = feed.position();
                // While it reads what happened before it says nothing of the kind.
                if !self.behind && now > before {
                    self.ready.push_back(caught_up(now));
                }
                return Ok(());
            }
        };
        self.ready.push_back(match item {
            None => Told::Stopping,
            Some(FeedItem::CaughtUp) => {
                self.behind = false;
                caught_up(feed.position())
            }
            Some(FeedItem::Lagging) => {
                self.behind = true;
                Told::Lagging
            }
            Some(FeedItem::Reset(position)) => Told::Reset(token::position(position).to_string()),
            Some(FeedItem::Entry(entry)) => {
                let change = &entry.change;
                let document = shown::entry(&self.shared.engine, &entry)?;
                let frame = frame(&self.sid, change.position, shown::name(change.kind), &document);
                Told::Event { frame, is_last: false }
            }
        });
        Ok(())
    }
}

fn caught_up(position: Position) -> Told {
    Told::CaughtUp(token::position(position).to_string())
}

/// The frame of an event: the document, which all who follow share, behind a head of its own.
fn frame(sid: &Label, position: Position, name: EventName, document: &[u8]) -> Vec<u8> {
    let position = token::position(position);
    let head = ServerFrame::event(sid.clone(), position.as_str(), name);
    let mut frame = Vec::with_capacity(document.len() + 256);
    // Writing to memory does not fail, and there is nothing in it that could not be written.
    let _ = serde_json::to_writer(&mut frame, &head);
    frame.pop();
    frame.extend_from_slice(b",\"job\":");
    frame.extend_from_slice(document);
    frame.push(b'}');
    frame
}

/// The server has as many subscriptions as it takes.
pub(crate) fn too_many(most: usize) -> Problem {
    Problem::new(
        Code::Overloaded,
        format!("the server has as many subscriptions as it takes ({most}); subscribe again later"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_document() {
        let frame = frame(&Label::from("a\"b"), Position(7), EventName::Status, br#"{"id":"x","version":3}"#);
        let frame: serde_json::Value = serde_json::from_slice(&frame).unwrap();
        let position = token::position(Position(7)).to_string();
        let job = serde_json::json!({"id": "x", "version": 3});
        let expected = serde_json::json!({"op": "event", "sid": "a\"b", "id": position, "event": "status", "job": job});
        assert_eq!(frame, expected);
    }
}
