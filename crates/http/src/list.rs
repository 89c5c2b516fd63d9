//! Lists of jobs, newest first, page by page.

use std::fmt::Display;
use std::sync::Arc;

use ackd_api::time::QueryTimeError;
use ackd_api::{Faults, JobList, Problem, Time, bulk, limits};
use ackd_domain::{Name, Status, Timestamp};
use ackd_engine::{Field, Filter, Page, Search};

use crate::answer;
use crate::call::{Call, Outcome, reserved};
use crate::document::{self, Texts};
use crate::query::{self, Query};
use crate::token;

/// The jobs of a page where the client names no number, and the most that it may name.
const PAGE: usize = 100;
pub(crate) const PAGE_MOST: usize = 1000;

/// The most values of one filter.
const VALUES: usize = 100;

/// `GET /v1/jobs`.
pub(crate) async fn jobs(mut call: Call) -> Outcome {
    call.no_body().await?;
    let search = search(&call.query)?;
    let size = page_size(&call.query)?;
    // What was understood, so that the order of parameters does not matter.
    let shape = format!("{search:?}");
    let before =
        call.query.read("page_token", |text| token::read_page(text, &shape).ok_or_else(|| OTHER_LIST.to_owned()))?;
    // First this and then the list: who watches from here on sees all that the list did not.
    let position = call.engine().head().await?;
    let Page { jobs, next } = call.engine().list(search, before, size).await?;
    let mut shown = Vec::with_capacity(jobs.len());
    for job in &jobs {
        shown.push((job, Texts::of(job), call.engine().explain(job).await));
    }
    let list = JobList {
        jobs: shown
            .iter()
            .map(|(job, texts, waiting)| document::document(job, texts, None, None, waiting.as_ref()))
            .collect(),
        position: token::position(position).to_string().into(),
        next_page_token: next.map(|before| token::page(before, &shape).to_string().into()),
    };
    answer::passing(&list)
}

pub(crate) const OTHER_LIST: &str = "is no token that this list gave out; the filters must be those of the page before";

/// How many entries a page is to have.
pub(crate) fn page_size(query: &Query) -> Result<usize, Problem> {
    let size = query.read("page_size", |text| match text.parse() {
        Ok(size) if (1..=PAGE_MOST).contains(&size) => Ok(size),
        _ => Err(format!("must be 1 to {PAGE_MOST}")),
    })?;
    Ok(size.unwrap_or(PAGE))
}

pub(crate) fn search(query: &Query) -> Result<Search, Problem> {
    let mut faults = Faults::new();
    let filter = Filter {
        // A key may hold commas.
        key: single(query, "idempotency_key", &mut faults, |text| label(text, limits::KEY_BYTES)),
        flow: single(query, "flow", &mut faults, |text| text.parse().map_err(|_| "is the id of no flow")),
        created_after: single(query, "created_after", &mut faults, since),
        created_before: single(query, "created_before", &mut faults, since),
        ..narrowing(query, &mut faults)
    };
    let fields = fields(query, &mut faults);
    faults.into_result()?;
    Ok(Search { filter: of_clients(filter)?, fields })
}

/// What is to stand in payloads, in the order of the paths.
fn fields(query: &Query, faults: &mut Faults) -> Vec<Field> {
    let mut fields = Vec::new();
    let named =
        query.pairs().filter_map(|(name, text)| Some((name.strip_prefix(bulk::PAYLOAD)?.to_owned(), name, text)));
    for (at, (path, name, text)) in named.enumerate() {
        match Field::new(&path, &text) {
            _ if at == Search::FIELDS => {
                faults.add(&query::pointer(&name), format_args!("is one field more than the {at} that are allowed"));
                break;
            }
            Ok(field) => fields.push(field),
            Err(error) => faults.add(&query::pointer(&name), error),
        }
    }
    fields.sort_unstable();
    fields
}

/// What lists and feeds can both be narrowed by.
pub(crate) fn narrowing(query: &Query, faults: &mut Faults) -> Filter {
    Filter {
        queues: several(query, "queue", VALUES, faults, Name::new),
        statuses: several(query, "status", VALUES, faults, |text| {
            let known = Status::ALL.into_iter().find(|status| status.as_str() == text);
            known.ok_or("must be of INIT, PROCESSING, DONE, FAILED, CANCELLED and EXPIRED")
        }),
        kinds: several(query, "type", VALUES, faults, |text| label(text, limits::TYPE_BYTES)),
        tags: several(query, "tag", VALUES, faults, |text| label(text, limits::TAG_BYTES)),
        ..Filter::default()
    }
}

/// The filter, if it names none of the server's own queues.
pub(crate) fn of_clients(filter: Filter) -> Result<Filter, Problem> {
    if filter.queues.iter().any(Name::is_reserved) {
        return Err(reserved("/queue"));
    }
    Ok(filter)
}

/// The values of a parameter, at most `most`.
pub(crate) fn several<T, E: Display>(
    query: &Query,
    name: &str,
    most: usize,
    faults: &mut Faults,
    read: impl Fn(&str) -> Result<T, E>,
) -> Vec<T> {
    let values: Vec<&str> = query.list(name).take(most + 1).collect();
    if values.len() > most {
        faults.add(&query::pointer(name), format_args!("has more than {most} values"));
        return Vec::new();
    }
    let read = |text: &&str| read(text).map_err(|error| faults.add(&query::pointer(name), error)).ok();
    values.iter().filter_map(read).collect()
}

fn single<T, E: Display>(
    query: &Query,
    name: &str,
    faults: &mut Faults,
    read: impl Fn(&str) -> Result<T, E>,
) -> Option<T> {
    read(query.get(name)?).map_err(|error| faults.add(&query::pointer(name), error)).ok()
}

fn label(text: &str, most: usize) -> Result<Arc<str>, String> {
    match text.len() {
        size if size == 0 || size > most => Err(format!("has a value of {size} bytes; 1 to {most} are allowed")),
        _ => Ok(Arc::from(text)),
    }
}

fn since(text: &str) -> Result<Timestamp, QueryTimeError> {
    Time::parse_query(text).map(|time| Timestamp::from_millis(time.0))
}
