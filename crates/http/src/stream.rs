//! A stream of server-sent events (WHATWG HTML, section 9.2), written to a connection that was taken over.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use ackd_api::EventName;
use ackd_domain::Position;
use ackd_engine::ReadError;
use bytes::Bytes;
use http::header::{self, HeaderName, HeaderValue};
use http::{Method, Response, Version};
use tokio::time::Instant;

use crate::call::Call;
use crate::outlet::Outlet;
use crate::takeover::{self, Run, Taken};
use crate::token;

/// How often a stream says where it is while nothing happens: more often than proxies lose patience.
const COMMENT_EVERY: Duration = Duration::from_secs(15);

/// The most events that are written at once.
const AT_ONCE: usize = 16;

/// An event.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    /// From where a client goes on that has got it. `None` where it must be told again unless it gets the next one too.
    pub(crate) position: Option<Position>,
    pub(crate) name: EventName,
    /// JSON on one line.
    pub(crate) data: Bytes,
}

/// Where a stream's events come from.
pub(crate) trait Source: Send + 'static {
    /// Waits for the next events and adds them to `told`, a few at most; `false` at the end of the stream. May be
    /// cancelled and called again, nothing being lost.
    fn next(&mut self, told: &mut Vec<Told>) -> impl Future<Output = Result<bool, ReadError>> + Send;

    /// The position from which the stream would go on, which the next comment says.
    fn position(&mut self) -> Position;

    /// The position to say at the very beginning, where there is one before the first event.
    fn start(&mut self) -> Option<Position>;

    /// Whether the stream goes on for ever, so that it has to be ended some time.
    fn is_endless(&self) -> bool;
}

/// The answer to `call` that is a stream of the events of `source`.
pub(crate) fn answer(call: &Call, source: impl Source) -> Response<Outlet> {
    let framing = if call.version() == Version::HTTP_11 { Framing::Chunked } else { Framing::Plain };
    let run: Run = Box::new(move |taken| Box::pin(run(taken, source, framing)));
    let body = if call.method() == Method::HEAD { Outlet::empty() } else { Outlet::takeover(run) };
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, no-transform"));
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    // The connection carries nothing else afterwards.
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    if framing == Framing::Chunked {
        headers.insert(header::TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
    response
}

/// How the end of the body is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    /// RFC 9112, section 7.1.
    Chunked,
    /// By the end of the connection, to a client of HTTP/1.0, as many proxies are.
    Plain,
}

impl Framing {
    /// What stands before a part of the body of so many bytes.
    fn before(self, length: usize) -> String {
        match self {
            Framing::Chunked => format!("{length:x}\r\n"),
            Framing::Plain => String::new(),
        }
    }

    const fn after(self) -> &'static [u8] {
        match self {
            Framing::Chunked => b"\r\n",
            Framing::Plain => b"",
        }
    }

    const fn end(self) -> &'static [u8] {
        match self {
            Framing::Chunked => b"0\r\n\r\n",
            Framing::Plain => b"",
        }
    }
}

/// An event's bytes but for its data: what stands before it.
fn before(framing: Framing, event: &Told) -> String {
    let id = event.position.map(|position| format!("id: {}\n", token::position(position))).unwrap_or_default();
    let head = format!("{id}event: {}\ndata: ", event.name.as_str());
    let mut text = framing.before(head.len() + event.data.len() + 2);
    text.push_str(&head);
    text
}

async fn run(taken: Taken, mut source: impl Source, framing: Framing) {
    let Taken { stream, shared, .. } = taken;
    let patience = shared.limits.write_time;
    // After how many milliseconds a client that lost the stream comes back, and where it would go on.
    let begin = match source.start() {
        Some(position) => format!("retry: 3000\nid: {}\n\n", token::position(position)),
        None => "retry: 3000\n\n".to_owned(),
    };
    let say = async |text: &str| {
        let before = framing.before(text.len());
        let parts = &mut [before.as_bytes(), text.as_bytes(), framing.after()].map(IoSlice::new);
        takeover::write(&stream, parts, patience).await
    };
    if say(&begin).await.is_err() {
        return;
    }
    drop(begin);
    let end = source.is_endless().then(|| Instant::now() + shared.spread.over(shared.limits.stream_time));
    let mut quiet_until = Instant::now() + COMMENT_EVERY;
    let mut told = Vec::new();
    let rings_at = |quiet_until: Instant| end.map_or(quiet_until, |end| end.min(quiet_until));
    // Not set anew with every event, which would cost more than the event: it looks, when it rings, whether there was one.
    let mut alarm = pin!(tokio::time::sleep_until(rings_at(quiet_until)));
    loop {
        let goes_on = tokio::select! {
            biased;
            goes_on = source.next(&mut told) => Some(goes_on),
            () = takeover::gone(&stream) => return,
            () = alarm.as_mut() => None,
        };
        if goes_on.is_none() {
            let now = Instant::now();
            if now < rings_at(quiet_until) {
                alarm.as_mut().reset(rings_at(quiet_until));
                continue;
            }
            alarm.as_mut().reset(rings_at(now + COMMENT_EVERY));
        }
        let written = match goes_on {
            None if end.is_some_and(|end| end <= Instant::now()) => break,
            None => say(&format!(": here\nid: {}\n\n", token::position(source.position()))).await,
            Some(Ok(goes_on)) => {
                let events = std::mem::take(&mut told);
                let written = write(&stream, framing, &events, patience).await;
                if !goes_on && written.is_ok() {
                    break;
                }
                written
            }
            Some(Err(error)) => {
                // Cut off without its end: the client comes back.
                tracing::warn!(%error, "a stream of events ends, for the store cannot be read");
                return;
            }
        };
        if written.is_err() {
            return;
        }
        quiet_until = Instant::now() + COMMENT_EVERY;
    }
    let _ = takeover::write(&stream, &mut [IoSlice::new(framing.end())], patience).await;
}

async fn write(stream: &tokio::net::TcpStream, framing: Framing, told: &[Told], patience: Duration) -> io::Result<()> {
    for events in told.chunks(AT_ONCE) {
        let befores: Vec<String> = events.iter().map(|event| before(framing, event)).collect();
        let mut slices: Vec<IoSlice<'_>> = Vec::with_capacity(events.len() * 4);
        for (before, event) in befores.iter().zip(events) {
            slices.extend([before.as_bytes(), &event.data, b"\n\n", framing.after()].map(IoSlice::new));
        }
        takeover::write(stream, &mut slices, patience).await?;
    }
    Ok(())
}

/// Spreads what begins together over some time, so that it does not end together.
#[derive(Debug, Default)]
pub(crate) struct Spread(AtomicU32);

impl Spread {
    /// `time`, and up to a fifth of it more.
    pub(crate) fn over(&self, time: Duration) -> Duration {
        // Multiples of the golden ratio lie as evenly between whole numbers as any: no two neighbours are close.
        const GOLDEN: u32 = 0x9e37_79b9;
        let share = self.0.fetch_add(GOLDEN, Ordering::Relaxed);
        time + time.mul_f64(0.2 * f64::from(share) / f64::from(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_begins_together_ends_apart() {
        let spread = Spread::default();
        let hour = Duration::from_secs(3600);
        let mut ends: Vec<Duration> = (0..100).map(|_| spread.over(hour)).collect();
        assert!(ends.iter().all(|end| (hour..=hour.mul_f64(1.2)).contains(end)));
        ends.sort_unstable();
        assert!(ends.windows(2).all(|pair| pair[1] - pair[0] > Duration::from_secs(1)));
    }

    #[test]
    fn an_event_is_one_chunk() {
        let event = Told { position: Some(Position(7)), name: EventName::Status, data: "{}".into() };
        let head = format!("id: {}\nevent: status\ndata: ", token::position(Position(7)));
        assert_eq!(before(Framing::Plain, &event), head);
        let length = head.len() + "{}\n\n".len();
        assert_eq!(before(Framing::Chunked, &event), format!("{length:x}\r\n{head}"));
    }
}
