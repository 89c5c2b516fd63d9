//! The stores of ackd's files: a folder, or, with the feature `s3`, a bucket of Amazon S3 or of what speaks as it does.
//!
//! What they have in common is the crate [`object_store`], which nobody else sees: [`Store`] is an
//! [`ackd_ports::FileStore`].

mod download;
mod error;
mod folder;
mod listing;
#[cfg(feature = "s3")]
mod s3;
mod store;
mod upload;

pub use error::OpenError;
#[cfg(feature = "s3")]
pub use s3::S3Address;
pub use store::Store;
