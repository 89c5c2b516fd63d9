use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::wire::find;

/// A receiver of webhooks on a thread of its own: it verifies every signature, answers 204, and 500 to some first attempts.
/// Posts to `/hangs` are never answered.
pub(crate) struct Receiver {
    addr: String,
    seen: Arc<Mutex<Seen>>,
}

/// What has come.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// The ids of what was answered 204, with the path.
    taken: HashSet<(Vec<u8>, Vec<u8>)>,
    /// How many attempts were answered 500, by id and path.
    turned_away: HashMap<(Vec<u8>, Vec<u8>), u32>,
    /// Posts to `/hangs`.
    pub(crate) hanging: usize,
    /// First attempts that were answered.
    pub(crate) first: usize,
    /// When the first and the latest of them came.
    pub(crate) span: Option<(Instant, Instant)>,
    /// Posts whose signature is not right, or that came again after they were taken.
    pub(crate) wrong: usize,
}

impl Seen {
    pub(crate) fn taken(&self) -> usize {
        self.taken.len()
    }

    pub(crate) fn turned_away(&self) -> usize {
        self.turned_away.len()
    }
}

impl Receiver {
    /// Starts one that turns away the first attempt of one in `one_in` deliveries.
    pub(crate) fn start(secret: &str, one_in: usize) -> io::Result<Receiver> {
        let secret = STANDARD.decode(secret.trim_start_matches("whsec_")).map_err(io::Error::other)?;
        let key = Arc::new(hmac::Key::new(hmac::HMAC_SHA256, &secret));
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let (addr, seen) = (listener.local_addr()?.to_string(), Arc::<Mutex<Seen>>::default());
        let shared = Arc::clone(&seen);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        // It ends with the process: a run is over when its figures are taken.
        std::thread::spawn(move || {
            runtime.block_on(async {
                let Ok(listener) = TcpListener::from_std(listener) else { return };
                while let Ok((stream, _)) = listener.accept().await {
                    let (key, seen) = (Arc::clone(&key), Arc::clone(&shared));
                    tokio::spawn(async move { serve(stream, &key, &seen, one_in).await });
                }
            });
        });
        Ok(Receiver { addr, seen })
    }

    pub(crate) fn addr(&self) -> &str {
        &self.addr
    }

    pub(crate) fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn serve(mut stream: TcpStream, key: &hmac::Key, seen: &Mutex<Seen>, one_in: usize) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = Vec::with_capacity(8 << 10);
    loop {
        let (start, length) = loop {
            if let Some(end) = find(&buffer, b"\r\n\r\n") {
                let length = header(&buffer[..end], b"content-length").and_then(number).unwrap_or(0);
                if buffer.len() >= end + 4 + length {
                    break (end + 4, length);
                }
            }
            if stream.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
        };
        let (head, body) = buffer.split_at(start);
        let body = &body[..length];
        let path = head.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
        if path == b"/hangs" {
            seen.lock().unwrap_or_else(PoisonError::into_inner).hanging += 1;
            // Whoever sent it gives up some time.
            return stream.read_buf(&mut buffer).await.map(drop);
        }
        let id = header(head, b"webhook-id").unwrap_or_default();
        let right = verified(key, head, id, body);
        let status = judge(seen, (id.to_vec(), path.to_vec()), right, one_in);
        buffer.drain(..start + length);
        stream.write_all(status).await?;
    }
}

fn verified(key: &hmac::Key, head: &[u8], id: &[u8], body: &[u8]) -> bool {
    let timestamp = header(head, b"webhook-timestamp").unwrap_or_default();
    let signature = header(head, b"webhook-signature").and_then(|text| text.strip_prefix(b"v1,"));
    let Some(signature) = signature.and_then(|text| STANDARD.decode(text).ok()) else { return false };
    let signed = [id, b".", timestamp, b".", body].concat();
    hmac::verify(key, &signed, &signature).is_ok()
}

fn judge(seen: &Mutex<Seen>, delivery: (Vec<u8>, Vec<u8>), right: bool, one_in: usize) -> &'static [u8] {
    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    if !right {
        seen.wrong += 1;
        return b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";
    }
    if let Some(attempts) = seen.turned_away.get_mut(&delivery) {
        *attempts += 1;
    } else {
        let now = Instant::now();
        seen.first += 1;
        seen.span = Some((seen.span.map_or(now, |(first, _)| first), now));
        if seen.first.is_multiple_of(one_in) {
            seen.turned_away.insert(delivery, 1);
            return b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n";
        }
    }
    seen.wrong += usize::from(!seen.taken.insert(delivery));
    b"HTTP/1.1 204 No Content\r\n\r\n"
}

/// The value of a header; names are in lower case, as everybody sends them to whom this listens.
fn header<'a>(head: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let line = head.split(|byte| *byte == b'\n').find(|line| {
        line.len() > name.len() && line[name.len()] == b':' && line[..name.len()].eq_ignore_ascii_case(name)
    })?;
    Some(line[name.len() + 1..].trim_ascii())
}

fn number(text: &[u8]) -> Option<usize> {
    std::str::from_utf8(text).ok()?.parse().ok()
}
