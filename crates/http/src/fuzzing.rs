//! What fuzzers reach of what reads a request: each function is one reader, as the server calls it. With the feature
//! `fuzzing` only; a server is built without.

use std::borrow::Cow;
use std::ops::Range;

use ackd_api::bulk::is_filter;
use ackd_api::cloud_event::CloudEvent;
use ackd_api::{Duration, Envelope, Problem};
use ackd_domain::{LeaseToken, Position, Submission, Timestamp};
use ackd_engine::Search;
use http::{HeaderMap, HeaderValue, Version};

use crate::accept::{self, Form};
use crate::browser::{Hosts, Origin, Origins};
use crate::query::{Query, Values};
use crate::range::Wanted;
use crate::submission::{Terms, payload_apart};
use crate::targets::{Outbounds, Targets};
use crate::{cloud_event, headers, list, range, token};

/// What an envelope asks for at `now`, each payload having at most `payload` bytes.
///
/// # Errors
/// The problem that a client is answered with.
pub fn submission(
    envelope: &Envelope<'_>,
    outbounds: Outbounds,
    payload: usize,
    now: Timestamp,
) -> Result<Submission, Problem> {
    let terms = Terms { targets: &Targets::new(outbounds), payload, wall: &|| now };
    crate::submission::submission(envelope, payload_apart(envelope.payload, payload)?, &terms)
}

/// How long `Prefer` would have the answer held back.
///
/// # Errors
/// The problem that a client is answered with.
pub fn prefer_wait(headers: &HeaderMap) -> Result<Option<Duration>, Problem> {
    headers::prefer_wait(headers)
}

/// What `Preference-Applied` says of a wait.
#[must_use]
pub fn wait_applied(wait: Duration) -> HeaderValue {
    headers::wait_applied(wait)
}

/// The key of `Idempotency-Key`.
///
/// # Errors
/// The problem that a client is answered with.
pub fn idempotency_key(headers: &HeaderMap) -> Result<Option<Cow<'_, str>>, Problem> {
    headers::idempotency_key(headers)
}

/// Whether `If-None-Match` names `version`; `None` where it is not given.
///
/// # Errors
/// The problem that a client is answered with.
pub fn none_match(headers: &HeaderMap, version: u64) -> Result<Option<bool>, Problem> {
    headers::none_match(headers, version)
}

/// The text of `Last-Event-ID`.
///
/// # Errors
/// The problem that a client is answered with.
pub fn last_event_id(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    headers::last_event_id(headers)
}

/// What `Content-Type` says of a body that is kept as it is.
///
/// # Errors
/// The problem that a client is answered with.
pub fn content_type(headers: &HeaderMap) -> Result<&str, Problem> {
    headers::content_type(headers)
}

/// Whether `Content-Type` names a form, which any web page may send.
///
/// # Errors
/// The problem that a client is answered with.
pub fn is_form(headers: &HeaderMap) -> Result<bool, Problem> {
    Ok(headers::media(headers)? == headers::Media::Form)
}

/// Whether `Accept` prefers a job as a CloudEvent.
#[must_use]
pub fn prefers_event(headers: &HeaderMap) -> bool {
    accept::form(headers) == Form::CloudEvent
}

/// The bytes that `Range` asks for of a file of `size` bytes with this entity tag, where it asks for a part: none where the
/// file has none of them.
#[must_use]
pub fn part(headers: &HeaderMap, size: u64, etag: &str) -> Option<Range<u64>> {
    match range::wanted(headers, size, etag) {
        Wanted::Whole => None,
        Wanted::Part(part) => Some(part),
        Wanted::Nothing => Some(0..0),
    }
}

/// Whether a request may come from where it does and ask for whom it does, where the server answers for these hosts and lets
/// pages of these origins call. The origin that its answer names, if any.
///
/// # Errors
/// The problem that a client is answered with.
pub fn admit(hosts: &[&str], origins: &[&str], headers: &HeaderMap) -> Result<Option<HeaderValue>, Problem> {
    let (mut known_hosts, mut known_origins) = (Hosts::default(), Origins::default());
    for host in hosts {
        known_hosts.add(host);
    }
    origins.iter().filter_map(|origin| Origin::parse(origin)).for_each(|origin| known_origins.add(origin));
    let host = known_hosts.admit(None, Version::HTTP_11, headers).map_err(|rejection| rejection.problem)?;
    known_origins.admit(host, headers).map_err(|rejection| rejection.problem)
}

/// The decoded parameters of a query that has only those that `known` holds.
///
/// # Errors
/// The problem that a client is answered with.
pub fn query(text: &str, known: impl Fn(&str) -> bool) -> Result<Vec<(String, String)>, Problem> {
    let query = Query::parse(Some(text), |name| known(name).then_some(Values::One))?;
    Ok(query.pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect())
}

/// What the query of a list of jobs asks for.
///
/// # Errors
/// The problem that a client is answered with.
pub fn search(text: &str) -> Result<Search, Problem> {
    list::search(&Query::parse(Some(text), |name| is_filter(name).then_some(Values::One))?)
}

/// The event that a request is by its headers.
///
/// # Errors
/// The problem that a client is answered with.
pub fn event(headers: &HeaderMap) -> Result<CloudEvent<'_>, Problem> {
    cloud_event::by_headers(headers)
}

/// The value of an event's attribute in a header.
#[must_use]
pub fn attribute(value: &HeaderValue) -> Option<Cow<'_, str>> {
    cloud_event::decoded(value)
}

/// A position as the API writes it.
#[must_use]
pub fn position(position: Position) -> String {
    token::position(position).to_string()
}

/// The position that is written so.
#[must_use]
pub fn read_position(text: &str) -> Option<Position> {
    token::read_position(text)
}

/// The lease's token that is written so.
#[must_use]
pub fn read_lease(text: &str) -> Option<LeaseToken> {
    token::read_lease(text)
}

/// The token of a page of the list of `filter`, below the job with this number.
#[must_use]
pub fn page(before: u64, filter: &str) -> String {
    token::page(before, filter).to_string()
}

/// The number that a token of `filter`'s list names.
#[must_use]
pub fn read_page(text: &str, filter: &str) -> Option<u64> {
    token::read_page(text, filter)
}
