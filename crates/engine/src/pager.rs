//! Reads the ledger for the core, on a thread of its own, so that no read of a backlog delays a commit.

use std::sync::Arc;
use std::sync::mpsc::Receiver;

use ackd_domain::Timestamp;
use ackd_ports::{LedgerReader, ReadError};

use crate::core::{Input, Pages};
use crate::dispatch::PageRequest;

/// Something to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PagerRequest {
    /// A part of a lane's backlog.
    Backlog(PageRequest),
    /// The lanes that have waiting jobs.
    Lanes,
    /// Jobs that have expired by this time, at most so many.
    Expired(Timestamp, usize),
    /// Ended jobs that were kept as long as they are to be by this time, at most so many.
    Outlived(Timestamp, usize),
    /// How far the feed's changes are old.
    OldChanges {
        /// They were made before this time.
        old: Timestamp,
        /// They were made before this earlier time.
        ancient: Timestamp,
        /// At most so many are looked at.
        limit: usize,
    },
}

/// Reads what `requests` bring until their sender is gone, and hands each to `deliver`.
pub(crate) fn run(reader: &Arc<dyn LedgerReader>, requests: &Receiver<PagerRequest>, deliver: impl Fn(Input)) {
    while let Ok(request) = requests.recv() {
        let read = read(&**reader, &request);
        deliver(Input::Read(request, read));
    }
}

/// Reads what `request` names.
pub(crate) fn read(reader: &dyn LedgerReader, request: &PagerRequest) -> Result<Pages, ReadError> {
    match request {
        PagerRequest::Backlog(page) => reader.eligible(&page.lane, page.after, page.limit).map(Pages::Backlog),
        PagerRequest::Lanes => reader.lanes().map(Pages::Lanes),
        PagerRequest::Expired(now, limit) => reader.expired(*now, *limit).map(Pages::Expired),
        PagerRequest::Outlived(now, limit) => reader.outlived(*now, *limit).map(Pages::Outlived),
        PagerRequest::OldChanges { old, ancient, limit } => {
            reader.changes_before(*old, *ancient, *limit).map(Pages::OldChanges)
        }
    }
}
