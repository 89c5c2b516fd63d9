//! The frames of a client's socket.

use std::time::Duration;

use ackd_api::socket::PROTOCOL;
use ackd_websocket::{Close, Decoder, Incoming, Side, frame, handshake};
use http::StatusCode;
use http::header::{self, HeaderValue};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::time::Instant;

use crate::address::Path;
use crate::backoff::random;
use crate::transport::Call;
use crate::{Client, Error};

/// The server asks for a sign of life whenever it hears nothing for 20 s: one of which nothing is heard for so long is
/// gone.
const SILENCE: Duration = Duration::from_secs(45);

/// How long saying goodbye may take.
const PARTING: Duration = Duration::from_secs(1);

/// The largest message that is read, 16 MiB: an event with the largest result that stands inline is far below it.
const MESSAGE: usize = 16 << 20;

/// With so many bytes to be sent nothing more is taken up that would add to them.
const WAITING: usize = 1 << 20;

/// An open socket.
#[derive(Debug)]
pub(super) struct Wire {
    reader: ReadHalf<TokioIo<Upgraded>>,
    writer: WriteHalf<TokioIo<Upgraded>>,
    decoder: Decoder,
    unread: Vec<u8>,
    /// What is to be sent. It is sent while the server is heard: if each side waited for the other to read first, both
    /// would wait for ever.
    out: Vec<u8>,
    /// When the server was heard last.
    heard: Instant,
}

/// What the server said.
#[derive(Debug)]
pub(super) enum Heard {
    Text(String),
    Closed(Option<Close>),
}

impl Wire {
    pub(super) async fn connect(client: &Client) -> Result<Wire, Error> {
        let mut nonce = [0; 16];
        nonce[..8].copy_from_slice(&random().to_ne_bytes());
        nonce[8..].copy_from_slice(&random().to_ne_bytes());
        let key = handshake::key(nonce);
        let call = Call::get(Path::new("/v1/ws"))
            .header(header::CONNECTION, "Upgrade")?
            .header(header::UPGRADE, "websocket")?
            .header(header::SEC_WEBSOCKET_VERSION, handshake::VERSION)?
            .header(header::SEC_WEBSOCKET_KEY, &key)?
            .header(header::SEC_WEBSOCKET_PROTOCOL, PROTOCOL)?;
        let response = client.transport.upgrade(call).await?;
        let accept = response.headers().get(header::SEC_WEBSOCKET_ACCEPT).map(HeaderValue::as_bytes);
        if response.status() != StatusCode::SWITCHING_PROTOCOLS || accept != Some(handshake::accept(&key).as_bytes()) {
            let detail = "not a WebSocket".to_owned();
            return Err(Error::BadAnswer { status: response.status().as_u16(), detail });
        }
        let upgraded = hyper::upgrade::on(response).await.map_err(|error| Error::Unreachable(error.into()))?;
        let (reader, writer) = tokio::io::split(TokioIo::new(upgraded));
        let decoder = Decoder::new(Side::Client, MESSAGE);
        Ok(Wire { reader, writer, decoder, unread: Vec::new(), out: Vec::new(), heard: Instant::now() })
    }

    /// Whether more may be said.
    pub(super) fn has_room(&self) -> bool {
        self.out.len() < WAITING
    }

    /// Says something, which is sent while [`Wire::hear`] waits.
    pub(super) fn say(&mut self, text: &str) {
        frame::text(&mut self.out, mask(), text.as_bytes());
    }

    /// Says goodbye. What comes of it is of no interest.
    pub(super) async fn close(mut self) {
        frame::close(&mut self.out, mask(), None);
        let _ = tokio::time::timeout(PARTING, self.writer.write_all(&self.out)).await;
    }

    /// What the server says next. May be cancelled and called again.
    pub(super) async fn hear(&mut self) -> Result<Heard, Error> {
        loop {
            let mut rest = &self.unread[..];
            let read = self.decoder.read(&mut rest);
            let taken = self.unread.len() - rest.len();
            self.unread.drain(..taken);
            match read.map_err(|violation| Error::BadAnswer { status: 101, detail: violation.to_string() })? {
                Some(Incoming::Text(text)) => return Ok(Heard::Text(text)),
                Some(Incoming::Close(why)) => return Ok(Heard::Closed(why)),
                Some(Incoming::Pong) => {}
                Some(Incoming::Ping(payload)) => frame::pong(&mut self.out, mask(), &payload),
                None => self.wait().await?,
            }
        }
    }

    /// Reads more, and sends what is to be sent meanwhile.
    async fn wait(&mut self) -> Result<(), Error> {
        let broke = |error: std::io::Error| Error::Unreachable(error.into());
        let mut buffer = [0; 8192];
        tokio::select! {
            read = self.reader.read(&mut buffer) => match read.map_err(broke)? {
                0 => Err(Error::Unreachable("the socket broke off".into())),
                read => {
                    self.heard = Instant::now();
                    self.unread.extend_from_slice(&buffer[..read]);
                    Ok(())
                }
            },
            written = self.writer.write(&self.out), if !self.out.is_empty() => match written.map_err(broke)? {
                0 => Err(Error::Unreachable("the socket broke off".into())),
                written => {
                    self.out.drain(..written);
                    Ok(())
                }
            },
            () = tokio::time::sleep_until(self.heard + SILENCE) => Err(Error::Timeout(SILENCE)),
        }
    }
}

/// What a client sends is masked so that no proxy on the way takes it for something else (RFC 6455, section 10.3).
fn mask() -> frame::Mask {
    let [a, b, c, d, ..] = random().to_ne_bytes();
    Some([a, b, c, d])
}
