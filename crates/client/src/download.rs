//! What is received piece by piece.

use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::io::{AsyncWrite, AsyncWriteExt};

use crate::Error;

/// A file, a payload or a result on its way, of any size and in bounded memory. The server ends one that is not read
/// for half a minute.
#[derive(Debug)]
pub struct Download {
    response: Response<Incoming>,
    timeout: Duration,
}

impl Download {
    pub(crate) fn new(response: Response<Incoming>, timeout: Duration) -> Download {
        Download { response, timeout }
    }

    /// The media type (RFC 9110, section 8.3.1).
    #[must_use]
    pub fn content_type(&self) -> &str {
        self.header(CONTENT_TYPE).unwrap_or("application/octet-stream")
    }

    /// How many bytes there are in all, where the server says so.
    #[must_use]
    pub fn size(&self) -> Option<u64> {
        self.header(CONTENT_LENGTH).and_then(|text| text.parse().ok())
    }

    fn header(&self, name: HeaderName) -> Option<&str> {
        self.response.headers().get(name).and_then(|value| value.to_str().ok())
    }

    /// The next bytes, or `None` once all have come.
    ///
    /// # Errors
    /// It broke off, or nothing came for as long as the client's timeout: what came until then is not all of it.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            let frame = tokio::time::timeout(self.timeout, self.response.body_mut().frame()).await;
            match frame.map_err(|_| Error::Timeout(self.timeout))? {
                None => return Ok(None),
                Some(Err(error)) => return Err(Error::Unreachable(error.into())),
                Some(Ok(frame)) => {
                    // Trailers are nothing to us.
                    if let Ok(bytes) = frame.into_data() {
                        return Ok(Some(bytes));
                    }
                }
            }
        }
    }

    /// Writes all of it, and gives the number of bytes.
    ///
    /// # Errors
    /// As [`Download::next`]; [`Error::Local`] where it cannot be written.
    pub async fn write_to(mut self, into: &mut (impl AsyncWrite + Unpin)) -> Result<u64, Error> {
        let mut size = 0;
        while let Some(bytes) = self.next().await? {
            into.write_all(&bytes).await.map_err(Error::Local)?;
            size += bytes.len() as u64;
        }
        into.flush().await.map_err(Error::Local)?;
        Ok(size)
    }
}
