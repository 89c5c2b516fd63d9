//! The traits that ackd's engine needs of the world, one noun a file.
//!
//! The calls of these traits block, but for [`Outbound`] and [`FileStore`], whose thousands wait at once. Whoever calls them owns a thread for it or knows them to be short;
//! an adapter whose store is remote runs its own I/O underneath. So a simulation can drive the engine
//! without a runtime, and the hot path pays for no hand-off between threads.

mod clock;
mod dead;
mod entropy;
mod feed;
mod files;
mod ledger;
mod outbound;
mod reader;

pub use clock::{Clock, SystemClock};
pub use dead::{CAUSE_BYTES, DeadCause, EXPIRED, cause, cut_cause};
pub use entropy::{Entropy, SeededEntropy, SystemEntropy};
pub use feed::{ChangeFeed, FeedError};
pub use files::{FileDownload, FileListing, FileStore, FileStoreError, FileUpload, Filing};
pub use ledger::{Applied, Idle, Ledger, LedgerError, Reactor, Rows, decide_batch};
pub use outbound::{
    BodyEnd, Host, KeyError, KeyMaterial, Opening, Outbound, OutboundError, Phase, Post, PostBody, PostSource,
    PostStream, Posted, Reply, Signed, SigningKey, TargetUrl, UrlError, Wanted,
};
pub use reader::{Counts, Filter, Lane, LedgerReader, OldChanges, Outlived, Page, ReadError, Ready, Timeline};
