//! Following a job, or a part of the change feed, by server-sent events.

use ackd_api::{EventName, Faults, event::Reset};
use ackd_domain::{JobId, Position};
use ackd_engine::{Engine, Event, Events, Feed, FeedItem, FeedStart, Interest, ReadError, Record};

use crate::answer;
use crate::call::{Call, Outcome};
use crate::headers;
use crate::list;
use crate::shown::{self, Shown};
use crate::stream::{self, Source, Told};
use crate::token;
use crate::visible;

/// The most jobs that one feed names.
const JOBS: usize = 100;

/// The most events that are told before the client is given them.
const AT_ONCE: usize = 64;

/// `GET /v1/jobs/{id}/events`.
pub(crate) async fn of_job(mut call: Call) -> Outcome {
    call.no_body().await?;
    let id = call.job_id()?;
    let after = after(&call)?.map(|from| match from {
        FeedStart::After(position) => position,
        FeedStart::Now | FeedStart::Earliest => Position::START,
    });
    match visible::events(call.engine(), id, after).await? {
        None => Ok(answer::no_content()),
        Some(events) => {
            let source = OfJob { engine: call.engine().clone(), events, begun: None };
            Ok(stream::answer(&call, source))
        }
    }
}

/// `GET /v1/events`.
pub(crate) async fn of_feed(mut call: Call) -> Outcome {
    call.no_body().await?;
    let mut faults = Faults::new();
    let filter = list::narrowing(&call.query, &mut faults);
    let ids: Vec<JobId> = list::several(&call.query, "job", JOBS, &mut faults, str::parse);
    faults.into_result()?;
    let filter = list::of_clients(filter)?;
    let from = after(&call)?.unwrap_or(FeedStart::Now);
    for id in &ids {
        visible::job(call.engine(), *id).await?;
    }
    let interest = Interest::new(filter, ids.iter().map(|id| id.number()).collect());
    let feed = Box::new(call.engine().feed(interest.clone(), from, None).await?);
    let source = OfFeed { engine: call.engine().clone(), feed, interest, ids, begins_anew: false, shown: Vec::new() };
    Ok(stream::answer(&call, source))
}

/// After which position the client would have events. A browser that comes back says it in the header; the address
/// that it was given first still says where it began.
fn after(call: &Call) -> Result<Option<FeedStart>, ackd_api::Problem> {
    const WHAT: &str = "is no position that this server gave out";
    if let Some(text) = headers::last_event_id(call.headers())? {
        let position = token::read_position(text).ok_or_else(|| headers::bad(&headers::LAST_EVENT_ID, WHAT))?;
        return Ok(Some(FeedStart::After(position)));
    }
    call.query.read("after", |text| match text {
        "earliest" => Ok(FeedStart::Earliest),
        text => token::read_position(text).map(FeedStart::After).ok_or_else(|| WHAT.to_owned()),
    })
}

/// That what was asked for is no longer kept, and that what follows is as of `position`.
fn reset(position: Position) -> Result<Told, ReadError> {
    let text = token::position(position);
    let data = shown::line(&Reset { position: text.as_str().into() })?;
    Ok(Told { position: None, name: EventName::Reset, data })
}

/// The events of one job, to the end of its run.
struct OfJob {
    engine: Engine,
    events: Box<Events>,
    /// An event whose result is being read.
    begun: Option<Event>,
}

impl Source for OfJob {
    async fn next(&mut self, told: &mut Vec<Told>) -> Result<bool, ReadError> {
        if self.begun.is_none() {
            self.begun = self.events.next().await?;
        }
        let Some(event) = &self.begun else { return Ok(false) };
        let Shown { is_reset, position, name, document } = shown::event(&self.engine, event).await?;
        self.begun = None;
        if is_reset {
            told.push(reset(position)?);
        }
        told.push(Told { position: Some(position), name, data: document });
        Ok(true)
    }

    fn position(&mut self) -> Position {
        self.events.position()
    }

    fn start(&mut self) -> Option<Position> {
        None
    }

    fn is_endless(&self) -> bool {
        false
    }
}

/// The events of a part of the feed, for as long as the client likes.
struct OfFeed {
    engine: Engine,
    feed: Box<Feed>,
    interest: Interest,
    /// The jobs that it names.
    ids: Vec<JobId>,
    /// What its jobs are is to be shown, for some of what happened to them is not kept.
    begins_anew: bool,
    /// The jobs that were shown as they are, and as of which position.
    shown: Vec<(JobId, Position)>,
}

impl OfFeed {
    fn tell(&mut self, item: FeedItem, told: &mut Vec<Told>) -> Result<(), ReadError> {
        match item {
            FeedItem::Entry(entry) => {
                let change = &entry.change;
                if !self.shown.iter().any(|(id, at)| *id == change.job.id && change.position <= *at) {
                    let data = shown::entry(&self.engine, &entry)?;
                    let name = shown::name(change.kind);
                    told.push(Told { position: Some(change.position), name, data });
                }
            }
            // Where it names its jobs they are shown as they are.
            FeedItem::Reset(_) if !self.ids.is_empty() => self.begins_anew = true,
            FeedItem::Reset(position) => told.push(Told { position: Some(position), ..reset(position)? }),
            FeedItem::CaughtUp | FeedItem::Lagging => {}
        }
        Ok(())
    }

    /// The jobs that it names, as they are. It goes on from the feed's end: what came before is in them.
    async fn current(&mut self) -> Result<Vec<Told>, ReadError> {
        let feed = self.engine.feed(self.interest.clone(), FeedStart::Now, None).await?;
        *self.feed = feed;
        let position = self.feed.position();
        let mut told = vec![reset(position)?];
        self.shown.clear();
        for id in &self.ids {
            let Some(Record { job, result, .. }) = self.engine.record(*id).await? else { continue };
            self.shown.push((*id, job.changed));
            let data = shown::job(&job, result.as_ref(), self.engine.explain(&job).await)?;
            told.push(Told { position: None, name: EventName::Status, data });
        }
        // Only who has got all of them goes on from here.
        if let Some(last) = told.last_mut() {
            last.position = Some(position);
        }
        Ok(told)
    }
}

impl Source for OfFeed {
    async fn next(&mut self, told: &mut Vec<Told>) -> Result<bool, ReadError> {
        if self.begins_anew {
            told.extend(self.current().await?);
            self.begins_anew = false;
            return Ok(true);
        }
        let Some(item) = self.feed.next().await? else { return Ok(false) };
        self.tell(item, told)?;
        while told.len() < AT_ONCE
            && let Some(item) = self.feed.try_next()
        {
            self.tell(item, told)?;
        }
        Ok(true)
    }

    fn position(&mut self) -> Position {
        self.feed.position()
    }

    fn start(&mut self) -> Option<Position> {
        Some(self.feed.position())
    }

    fn is_endless(&self) -> bool {
        true
    }
}
