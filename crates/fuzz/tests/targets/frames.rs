//! WebSocket frames as a server reads them, cut anywhere; and as another implementation reads them.

use std::io::{self, Read, Write};

use ackd_websocket::{Close, CloseCode, Decoder, Incoming, Side, Violation, frame};
use tungstenite::protocol::{Role, WebSocket, WebSocketConfig};
use tungstenite::{Error, Message};

/// The most bytes of a message.
const LIMIT: usize = 300;

pub(crate) fn check(input: &[u8]) {
    let Some((cut, bytes)) = input.split_first() else { return };
    let whole = read(bytes, bytes.len().max(1));
    // Where the bytes are cut changes nothing.
    assert_eq!(whole, read(bytes, usize::from(*cut % 64) + 1));
    is_as_others_read(&whole, bytes);
    is_read_back(bytes, *cut);
}

/// All that arrived, and what ended it; whether something had begun that was not complete.
#[derive(Debug, PartialEq)]
struct Heard {
    messages: Vec<Incoming>,
    violation: Option<Violation>,
    is_amid: bool,
}

fn read(bytes: &[u8], piece: usize) -> Heard {
    let mut decoder = Decoder::new(Side::Server, LIMIT);
    let mut messages = Vec::new();
    for mut piece in bytes.chunks(piece) {
        loop {
            match decoder.read(&mut piece) {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(violation) => {
                    assert!(violation.code().may_be_sent());
                    return Heard { messages, violation: Some(violation), is_amid: false };
                }
            }
            assert!(decoder.held() <= LIMIT);
        }
        assert!(piece.is_empty() && decoder.held() <= LIMIT);
    }
    Heard { messages, violation: None, is_amid: decoder.is_amid() }
}

/// Bytes to read, after which nothing comes; what is written goes nowhere.
struct Wire<'a>(&'a [u8]);

impl Read for Wire<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.0.is_empty() { Err(io::ErrorKind::WouldBlock.into()) } else { self.0.read(into) }
    }
}

impl Write for Wire<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// tungstenite hears the same messages, and objects where we do, as far as it is as strict.
fn is_as_others_read(ours: &Heard, bytes: &[u8]) {
    let config = WebSocketConfig::default().max_message_size(Some(LIMIT)).max_frame_size(Some(LIMIT));
    let mut theirs = WebSocket::from_raw_socket(Wire(bytes), Role::Server, Some(config));
    for message in &ours.messages {
        match (message, theirs.read()) {
            (Incoming::Text(text), Ok(Message::Text(their))) => assert_eq!(text, their.as_str()),
            (Incoming::Ping(ping), Ok(Message::Ping(their))) => assert_eq!(*ping, their),
            (Incoming::Pong, Ok(Message::Pong(_))) => {}
            // What follows a close they do not read.
            (Incoming::Close(close), Ok(Message::Close(their))) => {
                // IANA has registered it since.
                if close.as_ref().is_some_and(|close| close.code == CloseCode(1014)) {
                    return;
                }
                let of = |code: u16, reason: &str| Close { code: CloseCode(code), reason: reason.to_owned() };
                return assert_eq!(*close, their.map(|their| of(their.code.into(), &their.reason)));
            }
            // They object to what is no UTF-8 as soon as a part has come, and we once the message is complete.
            (_, Err(Error::Utf8(_))) => {
                let is_text = ours.is_amid || ours.violation.is_some();
                return assert!(is_text, "they object to a text that we have taken: {ours:?}");
            }
            (message, their) => panic!("we heard {message:?}, and they {their:?}"),
        }
    }
    match (ours.violation, theirs.read()) {
        (None, Err(Error::Io(error))) if error.kind() == io::ErrorKind::WouldBlock => {}
        (None, Err(Error::Utf8(_))) if ours.is_amid => {}
        // A frame that is announced is refused by both, and by them where its head alone has come.
        (None, Err(Error::Capacity(_))) if ours.is_amid => {}
        // Bytes are a message to them; a length may have any form; and a close with a wrong code, or too long, is one to them.
        (Some(Violation::Binary | Violation::Fragments | Violation::TooBig(_)), _) => {}
        (Some(Violation::Protocol(rule)), _)
            if ["shortest form", "close frame", "125 bytes"].iter().any(|lax| rule.contains(lax)) => {}
        (Some(_), Err(Error::Protocol(_) | Error::Utf8(_) | Error::Capacity(_))) => {}
        // They wait for the payload of a frame whose head we refuse.
        (Some(_), Err(Error::Io(error))) if error.kind() == io::ErrorKind::WouldBlock => {}
        (ours, their) => panic!("we end with {ours:?}, and they with {their:?}"),
    }
}

/// What we write is read as it was meant, by us and by them.
fn is_read_back(bytes: &[u8], cut: u8) {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(LIMIT / 3)]).into_owned();
    let close = Close { code: CloseCode(u16::from(cut) * 20), reason: text.clone() };
    for (side, mask) in [(Side::Server, Some([cut, 1, 2, 3])), (Side::Client, None)] {
        let mut out = Vec::new();
        frame::text(&mut out, mask, text.as_bytes());
        frame::pong(&mut out, mask, bytes);
        frame::close(&mut out, mask, Some(&close));
        let mut decoder = Decoder::new(side, LIMIT);
        let mut input = out.as_slice();
        assert_eq!(decoder.read(&mut input), Ok(Some(Incoming::Text(text.clone()))));
        assert_eq!(decoder.read(&mut input), Ok(Some(Incoming::Pong)));
        let Ok(Some(Incoming::Close(read))) = decoder.read(&mut input) else { panic!("no close is read") };
        assert_eq!(read.is_some(), close.code.may_be_sent());
        assert!(read.is_none_or(|read| read.code == close.code && close.reason.starts_with(&read.reason)));
        assert_eq!((decoder.read(&mut input), input), (Ok(None), &[][..]));
    }
}
