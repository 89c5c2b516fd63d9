//! The payload, as the command gets it.

use ackd_client::{Body, Client, Context, Job, JobError};
use bytes::Bytes;
use tokio::io::AsyncWriteExt;
use tokio::net::unix::pipe;

use super::spool::Spool;

/// How often a download that breaks off is begun anew.
const TRIES: u32 = 3;

/// How much is read from a file at once: as much as a pipe holds by default.
const CHUNK: usize = 64 << 10;

/// All of the payload. A command that reads slowly does not hold up the server, and none ever takes a part for the whole.
#[derive(Debug)]
pub(super) enum Input {
    /// It came with the job.
    Here(Bytes),
    /// It was downloaded.
    Spooled(Spool),
}

impl Input {
    /// Takes the payload from the job, or from the server if it is not there; gives up when the job has to stop.
    pub(super) async fn of(job: &mut Job<Option<Body>>, context: &Context) -> Result<Input, JobError> {
        if let Some(body) = job.payload.take() {
            return Ok(Input::Here(body.bytes));
        }
        let downloaded = tokio::select! {
            downloaded = download(context.client(), &job.id) => downloaded?,
            _ = context.cancelled() => return Err(JobError::cancelled()),
        };
        Ok(Input::Spooled(downloaded))
    }

    /// Writes it, as far as the command reads it, and closes the pipe.
    ///
    /// # Errors
    /// The disk where it was kept is broken.
    pub(super) async fn feed(&self, mut stdin: pipe::Sender) -> std::io::Result<()> {
        // A command that does not want it all closes its end: that is its own affair.
        match self {
            Input::Here(bytes) => {
                let _ = stdin.write_all(bytes).await;
            }
            Input::Spooled(spool) => {
                let mut at = 0;
                while at < spool.size() {
                    let bytes = spool.read(at, CHUNK)?;
                    if bytes.is_empty() {
                        return Err(std::io::ErrorKind::UnexpectedEof.into());
                    }
                    at += bytes.len() as u64;
                    if stdin.write_all(&bytes).await.is_err() {
                        break;
                    }
                }
            }
        }
        Ok(())
    }
}

/// Downloads the payload. A restart of the server meanwhile must not cost the job an attempt.
async fn download(client: &Client, id: &str) -> Result<Spool, JobError> {
    let mut tries = 1;
    loop {
        // The first answer is waited for as long as the worker waits for the server.
        let received = async {
            let mut download = client.persistent_payload_stream(id).await?;
            let mut spool = Spool::default();
            while let Some(bytes) = download.next().await? {
                spool.write(&bytes).map_err(ackd_client::Error::Local)?;
            }
            Ok::<Spool, ackd_client::Error>(spool)
        };
        match received.await {
            Ok(spool) => return Ok(spool),
            Err(error) if error.is_transient() && tries < TRIES => tries += 1,
            Err(error) => return Err(JobError::retryable(format!("the payload did not arrive\n{error}"))),
        }
    }
}
