//! What is sent piece by piece: a body of any size in bounded memory.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::{Notify, mpsc};

/// The bytes of one piece.
const PIECE: usize = 64 << 10;

/// The pieces that are read before they can be sent.
const AHEAD: usize = 4;

/// A body that is read as it is sent, in less than 1 MiB of memory. A source that gives nothing for as long as the
/// client's timeout ends the call, and nothing of it is kept.
#[derive(Debug)]
pub struct Upload {
    pieces: mpsc::Receiver<Piece>,
    content_type: Option<String>,
    length: Option<u64>,
}

#[derive(Debug)]
enum Piece {
    Bytes(Bytes),
    Failed(io::Error),
    /// Said, and not concluded: a source that vanished has not come to its end.
    End,
}

impl Upload {
    /// What a reader gives, to its end. A thread reads it, which ends with the upload or with what it waits for.
    pub fn read(mut source: impl Read + Send + 'static) -> Upload {
        let (sender, pieces) = mpsc::channel(AHEAD);
        std::thread::spawn(move || {
            let mut buffer = vec![0; PIECE];
            loop {
                let read = source.read(&mut buffer);
                let (piece, is_over) = piece(read, &buffer);
                if piece.is_some_and(|piece| sender.blocking_send(piece).is_err()) || is_over {
                    return;
                }
            }
        });
        Upload { pieces, content_type: None, length: None }
    }

    /// What an asynchronous reader gives, to its end. A task of the runtime reads it.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn stream(mut source: impl AsyncRead + Send + Unpin + 'static) -> Upload {
        let (sender, pieces) = mpsc::channel(AHEAD);
        tokio::spawn(async move {
            let mut buffer = vec![0; PIECE];
            loop {
                let read = tokio::select! {
                    read = source.read(&mut buffer) => read,
                    () = sender.closed() => return,
                };
                let (piece, is_over) = piece(read, &buffer);
                if let Some(piece) = piece
                    && sender.send(piece).await.is_err()
                {
                    return;
                }
                if is_over {
                    return;
                }
            }
        });
        Upload { pieces, content_type: None, length: None }
    }

    /// The first `length` bytes of a file, wherever its cursor stands.
    pub fn file(file: Arc<File>, length: u64) -> Upload {
        Upload::read(FromStart { file, at: 0 }).length(length)
    }

    /// The media type; without one the server takes it for `application/octet-stream`.
    #[must_use]
    pub fn content_type(mut self, content_type: impl Into<String>) -> Upload {
        self.content_type = Some(content_type.into());
        self
    }

    /// How many bytes there are, so that the server can refuse too many before they are sent. A source that has fewer
    /// is an error; of one that has more, the first are sent.
    #[must_use]
    pub fn length(mut self, bytes: u64) -> Upload {
        self.length = Some(bytes);
        self
    }

    /// The body to send, its type, and where it says why it broke off. It notifies `moved` of each piece.
    pub(crate) fn into_parts(self, moved: Arc<Notify>) -> (Sending, Option<String>, Fault) {
        let fault = Fault::default();
        let body = Sending { pieces: self.pieces, left: self.length, is_over: false, moved, fault: fault.clone() };
        (body, self.content_type, fault)
    }
}

/// What was read, as a piece, and whether it is the last.
fn piece(read: io::Result<usize>, buffer: &[u8]) -> (Option<Piece>, bool) {
    match read {
        Ok(0) => (Some(Piece::End), true),
        Ok(count) => (Some(Piece::Bytes(Bytes::copy_from_slice(&buffer[..count]))), false),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => (None, false),
        Err(error) => (Some(Piece::Failed(error)), true),
    }
}

/// Reads a file with a cursor of its own.
struct FromStart {
    file: Arc<File>,
    at: u64,
}

impl Read for FromStart {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(buffer, self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}

/// Why a body broke off.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fault(Arc<Mutex<Option<io::Error>>>);

impl Fault {
    pub(crate) fn take(&self) -> Option<io::Error> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn set(&self, error: io::Error) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }
}

/// The body of a request.
#[derive(Debug)]
pub(crate) struct Sending {
    pieces: mpsc::Receiver<Piece>,
    /// What is left to send, where that is known.
    left: Option<u64>,
    is_over: bool,
    moved: Arc<Notify>,
    fault: Fault,
}

impl Body for Sending {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.is_end_stream() {
            return Poll::Ready(None);
        }
        let piece = ready!(self.pieces.poll_recv(cx));
        self.moved.notify_one();
        let error = match piece {
            Some(Piece::Bytes(mut bytes)) => {
                if let Some(left) = &mut self.left {
                    bytes.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
                    *left -= bytes.len() as u64;
                }
                return Poll::Ready(Some(Ok(Frame::data(bytes))));
            }
            Some(Piece::End) if self.left.is_none() => {
                self.is_over = true;
                return Poll::Ready(None);
            }
            Some(Piece::Failed(error)) => error,
            Some(Piece::End) | None => io::ErrorKind::UnexpectedEof.into(),
        };
        // hyper wraps its copy in errors of its own.
        let told = io::Error::from(error.kind());
        self.fault.set(error);
        Poll::Ready(Some(Err(told)))
    }

    fn is_end_stream(&self) -> bool {
        self.is_over || self.left == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
