//! Writing frames (RFC 6455, section 5.2). Every message is one frame.

use crate::Close;

/// What a frame is (RFC 6455, section 5.2, `opcode`).
pub(crate) mod opcode {
    pub(crate) const CONTINUATION: u8 = 0;
    pub(crate) const TEXT: u8 = 1;
    pub(crate) const BINARY: u8 = 2;
    pub(crate) const CLOSE: u8 = 8;
    pub(crate) const PING: u8 = 9;
    pub(crate) const PONG: u8 = 10;
}

/// The most bytes that a control frame carries (RFC 6455, section 5.5).
pub const CONTROL_BYTES: usize = 125;

/// The most bytes of a close frame's reason.
const REASON_BYTES: usize = CONTROL_BYTES - 2;

const FINAL: u8 = 0x80;
const MASKED: u8 = 0x80;

/// The key that hides what a client sends from proxies on the way: four random bytes, others for each frame. A server
/// masks nothing (RFC 6455, section 5.1).
pub type Mask = Option<[u8; 4]>;

/// Appends a message of text to `out`.
pub fn text(out: &mut Vec<u8>, mask: Mask, text: &[u8]) {
    write(out, opcode::TEXT, mask, text);
}

/// Appends a ping.
pub fn ping(out: &mut Vec<u8>, mask: Mask) {
    write(out, opcode::PING, mask, &[]);
}

/// Appends the answer to a ping, which repeats what stood in it: at most [`CONTROL_BYTES`].
pub fn pong(out: &mut Vec<u8>, mask: Mask, payload: &[u8]) {
    write(out, opcode::PONG, mask, &payload[..payload.len().min(CONTROL_BYTES)]);
}

/// Appends the last frame that this side sends. A code that may not be sent is left out, and a reason is cut off.
pub fn close(out: &mut Vec<u8>, mask: Mask, close: Option<&Close>) {
    let mut payload = Vec::new();
    if let Some(close) = close.filter(|close| close.code.may_be_sent()) {
        let mut end = close.reason.len().min(REASON_BYTES);
        while !close.reason.is_char_boundary(end) {
            end -= 1;
        }
        payload.extend_from_slice(&close.code.0.to_be_bytes());
        payload.extend_from_slice(&close.reason.as_bytes()[..end]);
    }
    write(out, opcode::CLOSE, mask, &payload);
}

/// Covers or uncovers `bytes`, which begin `at` bytes into their frame's payload (RFC 6455, section 5.3).
pub(crate) fn apply_mask(bytes: &mut [u8], mask: [u8; 4], at: usize) {
    // Turned so that the first byte meets its part of the key; then whole words at once.
    let turned: [u8; 4] = std::array::from_fn(|index| mask[(at + index) & 3]);
    let mut words = bytes.chunks_exact_mut(4);
    for word in &mut words {
        word.iter_mut().zip(turned).for_each(|(byte, key)| *byte ^= key);
    }
    words.into_remainder().iter_mut().zip(turned).for_each(|(byte, key)| *byte ^= key);
}

fn write(out: &mut Vec<u8>, opcode: u8, mask: Mask, payload: &[u8]) {
    let masked = if mask.is_some() { MASKED } else { 0 };
    out.reserve(payload.len() + 14);
    out.push(FINAL | opcode);
    // The shortest form that holds the length is the only one that is allowed.
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(length @ 0..=125), _) => out.push(masked | length),
        (_, Ok(length)) => {
            out.push(masked | 126);
            out.extend_from_slice(&length.to_be_bytes());
        }
        _ => {
            out.push(masked | 127);
            out.extend_from_slice(&(payload.len() as u64).to_be_bytes());
        }
    }
    if let Some(mask) = mask {
        out.extend_from_slice(&mask);
    }
    let start = out.len();
    out.extend_from_slice(payload);
    if let Some(mask) = mask {
        apply_mask(&mut out[start..], mask, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CloseCode;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut out = Vec::new();
        write(&mut out);
        out
    }

    #[test]
    fn frames_are_those_of_the_rfc_s_examples() {
        // RFC 6455, section 5.7.
        assert_eq!(written(|out| text(out, None, b"Hello")), b"\x81\x05Hello");
        let masked = written(|out| text(out, Some([0x37, 0xfa, 0x21, 0x3d]), b"Hello"));
        assert_eq!(masked, [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58]);
        assert_eq!(written(|out| ping(out, None)), [0x89, 0]);
        assert_eq!(written(|out| pong(out, None, b"Hello")), b"\x8a\x05Hello");
    }

    #[test]
    fn a_length_has_its_shortest_form() {
        for (length, head) in [
            (125, &[0x81, 125][..]),
            (126, &[0x81, 126, 0, 126]),
            (65_535, &[0x81, 126, 255, 255]),
            (65_536, &[0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ] {
            let frame = written(|out| text(out, None, &vec![b'x'; length]));
            assert!(frame.starts_with(head) && frame.len() == head.len() + length, "{length}");
        }
    }

    #[test]
    fn a_close_says_what_fits() {
        let close = |code: u16, reason: &str| {
            written(|out| close(out, None, Some(&Close { code: CloseCode(code), reason: reason.to_owned() })))
        };
        assert_eq!(close(1001, "bye"), b"\x88\x05\x03\xe9bye");
        assert_eq!(close(1006, "never sent"), [0x88, 0]);
        let long = close(1008, &"é".repeat(62));
        assert_eq!((long.len(), std::str::from_utf8(&long[4..]).map(str::len)), (2 + 2 + 122, Ok(122)));
        assert_eq!(close(1008, &"x".repeat(124)).len(), 2 + 125);
    }
}
