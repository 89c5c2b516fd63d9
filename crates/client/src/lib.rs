//! The Rust client of ackd.
//!
//! [`Client`] submits jobs, waits for them and follows them; [`Worker`] does them.
//!
//! ```no_run
//! use ackd_client::{Client, Context, Job, JobError, Submission, Worker};
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::connect("http://127.0.0.1:8202")?;
//! let job = client.submit(Submission::new("squares").payload(&7)?).await?;
//!
//! let worker = Worker::new(client.clone()).handle("squares", |job: Job<u64>, _: Context| async move {
//!     job.payload.checked_mul(job.payload).ok_or_else(|| JobError::permanent("too large to square"))
//! });
//! tokio::spawn(worker.run(async { tokio::signal::ctrl_c().await.unwrap_or_default() }));
//!
//! let square: u64 = client.result(&job.id).await?;
//! # Ok(())
//! # }
//! ```

mod address;
mod backoff;
mod cancel;
mod client;
mod deliveries;
mod download;
mod error;
mod files;
mod filter;
mod follow;
mod jobs;
mod leases;
mod queues;
mod schedules;
mod socket;
mod sse;
mod submission;
#[cfg(test)]
mod testing;
mod transport;
mod upload;
mod webhooks;
mod worker;

pub use address::{DEFAULT_URL, UrlError};
pub use cancel::Cancellation;
pub use client::{Client, ClientBuilder};
pub use download::Download;
pub use error::{Error, ResultError};
pub use filter::{EventFilter, JobFilter};
pub use follow::{Event, Follow};
pub use jobs::{Accepted, Body, Submitted};
pub use leases::GrantedLease;
pub use socket::{Socket, Subscription};
pub use submission::{Submission, SubmissionError};
pub use upload::Upload;
pub use worker::{CheckpointError, Context, Job, JobError, Reply, Worker, WorkerError};

/// The JSON of the API, for what this crate hands over as it is.
pub use ackd_api as api;

/// A job as the server shows it.
pub type Document = ackd_api::JobDocument<'static>;
