//! Reading frames and making messages of them (RFC 6455, sections 5.2 to 5.5).

use crate::frame::{self, CONTROL_BYTES, opcode};
use crate::{Close, CloseCode};

/// The most frames of one message: one that is sent in pieces of 1 KiB is far below it.
const FRAGMENTS: u32 = 16_384;

/// The most that is set aside for a message before its bytes have come.
const AHEAD: usize = 16 << 10;

/// Who reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// A server: what it reads is masked.
    Server,
    /// A client: what it reads is not.
    Client,
}

/// Something that has arrived in full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incoming {
    /// A message.
    Text(String),
    /// To be answered by a pong with the same content.
    Ping(Vec<u8>),
    /// The answer to a ping.
    Pong,
    /// The other side sends nothing more, and why, if it says so.
    Close(Option<Close>),
}

/// What the other side did wrong; the connection is to be closed with [`Violation::code`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// A frame that RFC 6455 does not allow there.
    #[error("{0}")]
    Protocol(&'static str),
    /// A message of bytes.
    #[error("binary messages are not read here; send text")]
    Binary,
    /// Text, or a reason, that is no UTF-8.
    #[error("a text is not UTF-8")]
    NotUtf8,
    /// A message that is too large.
    #[error("a message has more than the {0} bytes that are taken")]
    TooBig(usize),
    /// A message in too many pieces.
    #[error("a message has more than {FRAGMENTS} fragments")]
    Fragments,
}

impl Violation {
    /// The code to close with.
    #[must_use]
    pub const fn code(self) -> CloseCode {
        match self {
            Violation::Protocol(_) => CloseCode::PROTOCOL_ERROR,
            Violation::Binary => CloseCode::UNSUPPORTED,
            Violation::NotUtf8 => CloseCode::NOT_UTF8,
            Violation::TooBig(_) => CloseCode::TOO_BIG,
            Violation::Fragments => CloseCode::POLICY,
        }
    }
}

/// Makes messages of what is read, piece by piece.
#[derive(Debug)]
pub struct Decoder {
    side: Side,
    /// The most bytes of a message.
    limit: usize,
    /// The beginning of a frame's head that is not complete.
    head: Head,
    /// The frame whose payload is being read.
    frame: Option<Frame>,
    /// The message whose fragments are being read.
    message: Option<Message>,
    /// The control frame that is being read, which may stand between fragments.
    control: Vec<u8>,
}

/// The bytes of a frame's head: at most 2, 8 of a length, and 4 of a mask.
#[derive(Debug, Default)]
struct Head {
    bytes: [u8; 14],
    length: usize,
}

#[derive(Debug, Clone, Copy)]
struct Frame {
    opcode: u8,
    is_final: bool,
    mask: Option<[u8; 4]>,
    length: u64,
    /// How much of its payload was read.
    read: u64,
}

#[derive(Debug, Default)]
struct Message {
    bytes: Vec<u8>,
    fragments: u32,
}

impl Decoder {
    /// A decoder of messages of at most `limit` bytes.
    #[must_use]
    pub fn new(side: Side, limit: usize) -> Decoder {
        Decoder { side, limit, head: Head::default(), frame: None, message: None, control: Vec::new() }
    }

    /// Takes from `input` until something has arrived in full; `None` once all of it is taken.
    ///
    /// # Errors
    /// [`Violation`]; nothing can be read after it.
    pub fn read(&mut self, input: &mut &[u8]) -> Result<Option<Incoming>, Violation> {
        loop {
            let mut frame = match self.frame {
                Some(frame) => frame,
                None => match self.head(input)? {
                    Some(frame) => frame,
                    None => return Ok(None),
                },
            };
            self.payload(&mut frame, input);
            if frame.read < frame.length {
                self.frame = Some(frame);
                return Ok(None);
            }
            self.frame = None;
            if let Some(incoming) = self.complete(frame)? {
                return Ok(Some(incoming));
            }
        }
    }

    /// The bytes of the message of which a part was read; 0 where there is none.
    #[must_use]
    pub fn held(&self) -> usize {
        self.message.as_ref().map_or(0, |message| message.bytes.len())
    }

    /// Whether a frame, or a message, has begun and is not complete.
    #[must_use]
    pub fn is_amid(&self) -> bool {
        self.head.length > 0 || self.frame.is_some() || self.message.is_some()
    }

    /// Reads a frame's head, and sees to it that such a frame may stand here.
    fn head(&mut self, input: &mut &[u8]) -> Result<Option<Frame>, Violation> {
        loop {
            let needed = match self.head.length {
                0 | 1 => 2,
                _ => head_length(self.head.bytes[1]),
            };
            if self.head.length >= 2 && self.head.length == needed {
                break;
            }
            let Some((byte, rest)) = input.split_first() else { return Ok(None) };
            self.head.bytes[self.head.length] = *byte;
            self.head.length += 1;
            *input = rest;
            if self.head.length == 2 {
                self.allowed(self.head.bytes[0], self.head.bytes[1])?;
            }
        }
        let frame = parsed(&self.head.bytes, self.head.length)?;
        self.head.length = 0;
        if frame.opcode < opcode::CLOSE {
            let message = self.message.get_or_insert_default();
            message.fragments += 1;
            if message.fragments > FRAGMENTS {
                return Err(Violation::Fragments);
            }
            // Before any of it is read, and so that the sum cannot overflow.
            let room = self.limit - message.bytes.len();
            let Some(length) = usize::try_from(frame.length).ok().filter(|length| *length <= room) else {
                return Err(Violation::TooBig(self.limit));
            };
            message.bytes.reserve(length.min(AHEAD));
        }
        Ok(Some(frame))
    }

    /// Whether a frame that begins so may stand here.
    fn allowed(&self, first: u8, second: u8) -> Result<(), Violation> {
        let broken = |rule: &'static str| Err(Violation::Protocol(rule));
        if first & 0x70 != 0 {
            return broken("a reserved bit is set, and no extension was agreed on");
        }
        match (self.side, second & 0x80 != 0) {
            (Side::Server, false) => return broken("a frame of a client is not masked"),
            (Side::Client, true) => return broken("a frame of a server is masked"),
            _ => {}
        }
        match first & 0x0f {
            opcode::CONTINUATION if self.message.is_none() => broken("a message goes on that did not begin"),
            opcode::CONTINUATION => Ok(()),
            opcode::TEXT | opcode::BINARY if self.message.is_some() => {
                broken("a message begins before the one before it has ended")
            }
            opcode::TEXT => Ok(()),
            opcode::BINARY => Err(Violation::Binary),
            opcode::CLOSE | opcode::PING | opcode::PONG => {
                if first & 0x80 == 0 {
                    return broken("a control frame is fragmented");
                }
                if usize::from(second & 0x7f) > CONTROL_BYTES {
                    return broken("a control frame has more than 125 bytes");
                }
                Ok(())
            }
            _ => broken("a frame is of a kind that is reserved"),
        }
    }

    /// Takes what there is of a frame's payload.
    fn payload(&mut self, frame: &mut Frame, input: &mut &[u8]) {
        let left = usize::try_from(frame.length - frame.read).unwrap_or(usize::MAX);
        let (taken, rest) = input.split_at(left.min(input.len()));
        *input = rest;
        let into = if frame.opcode < opcode::CLOSE {
            &mut self.message.get_or_insert_default().bytes
        } else {
            &mut self.control
        };
        let start = into.len();
        into.extend_from_slice(taken);
        if let Some(mask) = frame.mask {
            #[allow(clippy::cast_possible_truncation, reason = "only its last two bits count")]
            frame::apply_mask(&mut into[start..], mask, frame.read as usize & 3);
        }
        frame.read += taken.len() as u64;
    }

    /// What a frame that was read in full comes to.
    fn complete(&mut self, frame: Frame) -> Result<Option<Incoming>, Violation> {
        match frame.opcode {
            opcode::PING => Ok(Some(Incoming::Ping(std::mem::take(&mut self.control)))),
            opcode::PONG => {
                self.control = Vec::new();
                Ok(Some(Incoming::Pong))
            }
            opcode::CLOSE => closed(&std::mem::take(&mut self.control)).map(|close| Some(Incoming::Close(close))),
            _ if !frame.is_final => Ok(None),
            _ => {
                let message = self.message.take().unwrap_or_default();
                let text = String::from_utf8(message.bytes).map_err(|_| Violation::NotUtf8)?;
                Ok(Some(Incoming::Text(text)))
            }
        }
    }
}

/// The bytes of a frame's head whose second byte is this one.
const fn head_length(second: u8) -> usize {
    let length = match second & 0x7f {
        126 => 4,
        127 => 10,
        _ => 2,
    };
    if second & 0x80 == 0 { length } else { length + 4 }
}

/// The frame with this head, which is complete.
fn parsed(bytes: &[u8; 14], length: usize) -> Result<Frame, Violation> {
    let [first, second, a, b, c, d, e, f, g, h, ..] = *bytes;
    let (payload, least) = match second & 0x7f {
        126 => (u64::from(u16::from_be_bytes([a, b])), 126),
        127 => (u64::from_be_bytes([a, b, c, d, e, f, g, h]), 1 << 16),
        short => (u64::from(short), 0),
    };
    if payload < least || payload >> 63 != 0 {
        return Err(Violation::Protocol("a length is not in its shortest form"));
    }
    let is_masked = second & 0x80 != 0;
    let mask = bytes[..length].last_chunk::<4>().filter(|_| is_masked).copied();
    Ok(Frame { opcode: first & 0x0f, is_final: first & 0x80 != 0, mask, length: payload, read: 0 })
}

/// What a close frame says.
fn closed(payload: &[u8]) -> Result<Option<Close>, Violation> {
    match payload {
        [] => Ok(None),
        [high, low, reason @ ..] => {
            let code = CloseCode(u16::from_be_bytes([*high, *low]));
            if !code.may_be_sent() {
                return Err(Violation::Protocol("a close frame has a code that none may have"));
            }
            let reason = std::str::from_utf8(reason).map_err(|_| Violation::NotUtf8)?;
            Ok(Some(Close { code, reason: reason.to_owned() }))
        }
        [_] => Err(Violation::Protocol("a close frame has half a code")),
    }
}

#[cfg(test)]
mod tests;
