use std::sync::Arc;

use ackd_api::Problem;
use ackd_api::socket::{Label, Subscribe};
use ackd_domain::{JobId, Name, Position, Status};
use ackd_engine::Filter;

use crate::call::reserved;
use crate::token;

/// What a subscription is to tell.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) sid: Label,
    pub(crate) what: What,
    /// After which position it begins.
    pub(crate) after: Option<Position>,
}

/// Whom a subscription is about.
#[derive(Debug)]
pub(crate) enum What {
    /// One job.
    Job(JobId),
    /// All jobs that a filter names.
    Filter(Box<Filter>),
}

impl Wanted {
    /// What `frame` asks for.
    ///
    /// # Errors
    /// A problem that points at the field which cannot be meant.
    pub(crate) fn read(frame: &Subscribe<'_>) -> Result<Wanted, Problem> {
        let after = match frame.after.as_deref() {
            None => None,
            Some("earliest") => Some(Position::START),
            Some(text) => match token::read_position(text) {
                Some(position) => Some(position),
                None => return Err(Problem::at("/after", "is no position that this server gave out")),
            },
        };
        let what = match &frame.job {
            Some(id) => What::Job(id.parse().map_err(|error| Problem::at("/job", format!("{error}")))?),
            None => What::Filter(Box::new(filter(frame)?)),
        };
        Ok(Wanted { sid: frame.sid.clone(), what, after })
    }
}

fn filter(frame: &Subscribe<'_>) -> Result<Filter, Problem> {
    let queues = frame.queue.iter().map(|queue| Name::new(queue));
    let queues: Vec<Name> =
        queues.collect::<Result<_, _>>().map_err(|error| Problem::at("/queue", error.to_string()))?;
    if queues.iter().any(Name::is_reserved) {
        return Err(reserved("/queue"));
    }
    let status = |text: &str| Status::ALL.into_iter().find(|status| status.as_str() == text);
    Ok(Filter {
        queues,
        statuses: frame.status.iter().filter_map(|text| status(text)).collect(),
        kinds: frame.kind.iter().map(|kind| Arc::from(&**kind)).collect(),
        tags: frame.tag.iter().map(|tag| Arc::from(&**tag)).collect(),
        ..Filter::default()
    })
}
