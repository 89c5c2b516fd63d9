//! ackd's embedded ledger and change feed on SQLite.

mod checkpoint;
mod checksum;
mod error;
mod fault;
mod feed;
mod integer;
pub mod keys;
mod lane;
mod ledger;
mod meta;
mod options;
mod paged;
mod pool;
mod queues;
mod reader;
mod rows;
mod schema;
mod scrub;
mod shared;
mod store;
#[cfg(test)]
mod tests;
mod trouble;

pub use error::OpenError;
pub use ledger::EmbeddedLedger;
pub use options::Options;
pub use reader::EmbeddedReader;
pub use store::EmbeddedStore;
