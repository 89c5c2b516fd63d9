//! The bytes of one socket: messages from what was read, and what is to be written, bounded.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use ackd_websocket::{Decoder, Incoming, Side, Violation};
use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// With so many bytes to be written nothing more is asked for that would add to them: what a client does not read
/// waits in the ledger and not here. One answer or event may come on top.
pub(crate) const WAITING: usize = 64 << 10;

/// What is read at once.
const AT_ONCE: usize = 8 << 10;

/// What a buffer keeps of its memory while it is empty: a socket that says nothing is to cost next to nothing.
const KEPT: usize = 1 << 10;

/// What happened on the line.
#[derive(Debug)]
pub(crate) enum Rung {
    /// A message, or a control frame.
    Incoming(Incoming),
    /// Some of a message, which is not complete.
    Part,
    /// The client took some of what was to be written.
    Wrote,
    /// The client broke the protocol.
    Violation(Violation),
    /// The client sends no more, or the connection is gone.
    Gone,
}

/// See the module.
pub(crate) struct Line<S> {
    stream: S,
    decoder: Decoder,
    /// What was read and not made messages of.
    unread: Bytes,
    out: Vec<u8>,
    /// How much of `out` is written.
    written: usize,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Line<S> {
    /// The line over `stream`, of which `unread` was read already.
    pub(crate) fn new(stream: S, unread: Bytes, message: usize) -> Line<S> {
        Line { stream, decoder: Decoder::new(Side::Server, message), unread, out: Vec::new(), written: 0 }
    }

    /// What is to be written; frames are added to it.
    pub(crate) fn out(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }

    /// How many bytes wait to be written.
    pub(crate) fn waiting(&self) -> usize {
        self.out.len() - self.written
    }

    /// Whether more may be asked for that is to be written.
    pub(crate) fn has_room(&self) -> bool {
        self.waiting() < WAITING
    }

    /// The bytes of the message that is under way, if one is.
    pub(crate) fn held(&self) -> Option<usize> {
        self.decoder.is_amid().then(|| self.decoder.held())
    }

    /// Writes what is to be written, and reads where that is allowed, until something happens.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, listen: bool) -> Poll<Rung> {
        match self.write(cx) {
            Poll::Ready(Ok(true)) => return Poll::Ready(Rung::Wrote),
            Poll::Ready(Err(_)) => return Poll::Ready(Rung::Gone),
            Poll::Ready(Ok(false)) | Poll::Pending => {}
        }
        if !listen {
            return Poll::Pending;
        }
        if !self.unread.is_empty() {
            let mut rest = &self.unread[..];
            let read = self.decoder.read(&mut rest);
            self.unread = if rest.is_empty() { Bytes::new() } else { self.unread.slice_ref(rest) };
            if let Some(rung) = rung(read) {
                return Poll::Ready(rung);
            }
        }
        // On the stack, and only while it is read: nobody who waits holds it.
        let mut buffer = [0; AT_ONCE];
        let mut buffer = ReadBuf::new(&mut buffer);
        match ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer)) {
            Ok(()) if !buffer.filled().is_empty() => {}
            _ => return Poll::Ready(Rung::Gone),
        }
        let mut rest = buffer.filled();
        let read = self.decoder.read(&mut rest);
        if !rest.is_empty() {
            self.unread = Bytes::copy_from_slice(rest);
        }
        Poll::Ready(rung(read).unwrap_or(Rung::Part))
    }

    /// Says whether the client took anything.
    fn write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        if self.written == self.out.len() {
            return Poll::Ready(Ok(false));
        }
        let taken = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.out[self.written..]))?;
        if taken == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        self.written += taken;
        if self.written == self.out.len() {
            self.written = 0;
            self.out.clear();
            self.out.shrink_to(KEPT);
        } else if self.written >= WAITING {
            // What is written need not be held while the client takes the rest in its own time.
            self.out.drain(..self.written);
            self.written = 0;
        }
        Poll::Ready(Ok(true))
    }

    /// The connection itself, once nothing more is to be said on it.
    pub(crate) fn into_stream(self) -> S {
        self.stream
    }
}

fn rung(read: Result<Option<Incoming>, Violation>) -> Option<Rung> {
    match read {
        Ok(incoming) => incoming.map(Rung::Incoming),
        Err(violation) => Some(Rung::Violation(violation)),
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use ackd_websocket::frame;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    async fn next<S: AsyncRead + AsyncWrite + Unpin>(line: &mut Line<S>) -> Rung {
        poll_fn(|cx| line.poll(cx, true)).await
    }

    #[tokio::test]
    async fn messages_come_one_by_one_and_nothing_is_held_afterwards() {
        let (mut client, server) = duplex(1 << 20);
        let mut bytes = Vec::new();
        for text in ["one", "two", &"x".repeat(20_000)] {
            frame::text(&mut bytes, Some([1, 2, 3, 4]), text.as_bytes());
        }
        let first = bytes.split_off(5);
        let mut line = Line::new(server, bytes.into(), 100_000);
        client.write_all(&first).await.unwrap();
        for length in [3, 3, 20_000] {
            let text = loop {
                match next(&mut line).await {
                    Rung::Incoming(Incoming::Text(text)) => break text,
                    Rung::Part => assert!(line.held().is_some()),
                    other => panic!("{other:?}"),
                }
            };
            assert_eq!(text.len(), length);
        }
        assert!(line.held().is_none() && line.unread.is_empty());
        drop(client);
        assert!(matches!(next(&mut line).await, Rung::Gone));
    }

    #[tokio::test]
    async fn what_is_not_taken_waits_and_what_is_taken_is_let_go() {
        let (mut client, server) = duplex(1000);
        let mut line = Line::new(server, Bytes::new(), 100);
        line.out().extend_from_slice(&[7; WAITING]);
        assert!(!line.has_room());
        assert!(matches!(next(&mut line).await, Rung::Wrote));
        assert!(line.has_room() && line.waiting() == WAITING - 1000);
        let pending = poll_fn(|cx| Poll::Ready(line.poll(cx, false).is_pending())).await;
        assert!(pending);
        let mut taken = vec![0; WAITING];
        let reading = tokio::spawn(async move {
            client.read_exact(&mut taken).await.unwrap();
            client
        });
        while line.waiting() > 0 {
            assert!(matches!(next(&mut line).await, Rung::Wrote));
        }
        reading.await.unwrap();
        assert!(line.out.capacity() <= KEPT);
    }
}
