use std::time::Duration;

use ackd_domain::limits::BODY_BYTES;

/// How much a client may ask of the server, and how long it may take. What the API itself limits stands in
/// [`ackd_api::limits`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// The largest payload or result in bytes, at most [`BODY_BYTES`].
    pub payload: usize,
    /// A raw payload or result of more bytes than this becomes a file, at most [`Limits::payload`].
    pub claim_check: usize,
    /// The largest file in bytes, at most [`ackd_domain::limits::FILE_BYTES`].
    pub file: u64,
    /// The bytes of request bodies that are being received at once, over all connections.
    pub bodies: usize,
    /// The most connections.
    pub connections: usize,
    /// The most connections of one address, or of one IPv6 network of 64 bits; `usize::MAX`: as many as there are.
    pub connections_per_address: usize,
    /// The most bytes of a request's line and headers.
    pub head: usize,
    /// The most fields of a request's head.
    pub fields: usize,
    /// How long a request's head may take from its first byte to its last.
    pub head_time: Duration,
    /// How long a connection may stand idle between two requests; at most twice that.
    pub idle_time: Duration,
    /// How long a body may make no progress, and how much longer than its share at [`Limits::body_rate`] it may take.
    pub body_time: Duration,
    /// The fewest bytes per second of a body, on the whole.
    pub body_rate: u32,
    /// How long a client may take nothing of an answer.
    pub write_time: Duration,
    /// How long a stream of events that has no end goes on, and up to a fifth of it more; then the client comes back.
    pub stream_time: Duration,
    /// The most subscriptions of all WebSockets together; one socket has at most 10 000.
    pub subscriptions: usize,
    /// How long requests may go on after the server was told to stop.
    pub drain_time: Duration,
}

impl Limits {
    /// What a body may have beyond the payload in it: the other fields of an envelope.
    pub(crate) const ENVELOPE: usize = 128 << 10;

    /// The most bytes of a body of JSON that carries a payload or a result.
    pub(crate) fn json(&self) -> usize {
        self.payload.min(BODY_BYTES) + Limits::ENVELOPE
    }
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            payload: 1 << 20,
            claim_check: 1 << 20,
            file: 16 << 30,
            bodies: 256 << 20,
            connections: 16_384,
            connections_per_address: usize::MAX,
            head: 64 << 10,
            fields: 100,
            head_time: Duration::from_secs(10),
            idle_time: Duration::from_secs(75),
            body_time: Duration::from_secs(30),
            body_rate: 1024,
            write_time: Duration::from_secs(30),
            stream_time: Duration::from_secs(3600),
            subscriptions: 1_000_000,
            drain_time: Duration::from_secs(10),
        }
    }
}
