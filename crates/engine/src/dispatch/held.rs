use std::collections::BTreeMap;

use ackd_domain::Body;

/// The payloads of jobs that are held back, by number, so that they need not be read again when they are let go.
#[derive(Debug, Default)]
pub(super) struct Held {
    payloads: BTreeMap<u64, Body>,
    bytes: usize,
}

impl Held {
    /// Keeps a payload, and at most `most` bytes of all. The oldest go first: who is held longest is held for a reason.
    pub(super) fn keep(&mut self, number: u64, payload: Body, most: usize) {
        self.take(number);
        self.bytes += payload.bytes.len();
        self.payloads.insert(number, payload);
        while self.bytes > most {
            let Some((_, oldest)) = self.payloads.pop_first() else { return };
            self.bytes -= oldest.bytes.len();
        }
    }

    /// The payload of this job, which is not kept any longer.
    pub(super) fn take(&mut self, number: u64) -> Option<Body> {
        let payload = self.payloads.remove(&number)?;
        self.bytes -= payload.bytes.len();
        Some(payload)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_make_room() {
        let body = |bytes: &'static [u8]| Body { content_type: "".into(), bytes: bytes.into() };
        let mut held = Held::default();
        held.keep(1, body(b"1234"), 8);
        held.keep(2, body(b"1234"), 8);
        held.keep(2, body(b"5678"), 8);
        assert_eq!(held.take(2).unwrap().bytes, b"5678"[..]);
        held.keep(3, body(b"12345"), 8);
        assert!(held.take(1).is_none());
        assert!(held.take(3).is_some());
        held.keep(4, body(b"123456789"), 8);
        assert!(held.take(4).is_none());
        assert_eq!(held.bytes, 0);
    }
}
