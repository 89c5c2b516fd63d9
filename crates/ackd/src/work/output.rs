//! What a command writes to stdout: the result.

use std::fs::File;
use std::io::{self, BufReader, Seek};

use ackd_client::api::raw;
use ackd_client::{Body, Reply};
use ackd_domain::limits::{BODY_BYTES, FILE_BYTES};
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use tokio::task::block_in_place;

use super::spool::Spool;

/// Why a result is none.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OutputError {
    /// More than a result may have.
    #[error("the result is larger than the {0} bytes a job can have")]
    TooLarge(u64),
    /// The disk did not take it.
    #[error("the result cannot be kept until it is handed in: {0}")]
    Local(#[from] io::Error),
}

/// Collects the result: a small one in memory, and a larger one in a file. What a server takes at most, it tells when it
/// is told the result.
#[derive(Debug)]
pub(crate) struct Output {
    spool: Spool,
    most: u64,
    text: Text,
}

impl Output {
    /// A result of at most so many bytes, and never more than any server takes.
    pub(crate) fn new(most: u64) -> Output {
        Output { spool: Spool::default(), most: most.min(FILE_BYTES), text: Text::default() }
    }

    /// Adds some bytes.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Result<(), OutputError> {
        if self.spool.size() + bytes.len() as u64 > self.most {
            return Err(OutputError::TooLarge(self.most));
        }
        self.text.feed(bytes);
        Ok(self.spool.write(bytes)?)
    }

    /// The result as what it looks like: JSON, else text, else bytes. One that is larger than any document is not read
    /// again to find out whether it is JSON.
    pub(crate) fn into_reply(self) -> Result<Reply, OutputError> {
        let body = |content_type: &str, bytes: Vec<u8>| {
            Ok(Reply::Body(Body { content_type: content_type.into(), bytes: bytes.into() }))
        };
        let bytes = match self.spool {
            Spool::Memory(bytes) => bytes,
            Spool::File { file, size } => {
                let mut file = file.try_clone()?;
                let content_type = match self.text.is_text() {
                    true if size <= BODY_BYTES as u64 && block_in_place(|| is_json(&mut file))? => JSON,
                    true => TEXT,
                    false => BYTES,
                };
                return Ok(Reply::File { content_type: content_type.into(), file });
            }
        };
        let text = match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => return body(BYTES, error.into_bytes()),
        };
        if text.is_empty() {
            // Nothing at all is no text, but no result.
            return Ok(Reply::Nothing);
        }
        match serde_json::from_str::<&RawValue>(&text) {
            Ok(json) if raw::check(json).is_ok() => body(JSON, json.get().as_bytes().to_vec()),
            _ => body(TEXT, text.into_bytes()),
        }
    }
}

/// Whether a file holds one JSON value.
fn is_json(file: &mut File) -> io::Result<bool> {
    file.rewind()?;
    match serde_json::from_reader::<_, IgnoredAny>(BufReader::new(file)) {
        Ok(_) => Ok(true),
        Err(error) if error.is_io() => Err(error.into()),
        Err(_) => Ok(false),
    }
}

const JSON: &str = "application/json";

const TEXT: &str = "text/plain; charset=utf-8";

const BYTES: &str = "application/octet-stream";

/// Whether bytes that come piece by piece are UTF-8.
#[derive(Debug, Default)]
struct Text {
    /// The begin of a character whose rest is to come.
    begun: Vec<u8>,
    is_none: bool,
}

impl Text {
    fn feed(&mut self, bytes: &[u8]) {
        if self.is_none {
            return;
        }
        let joined;
        let bytes = if self.begun.is_empty() {
            bytes
        } else {
            joined = [&self.begun, bytes].concat();
            &joined
        };
        let rest = match std::str::from_utf8(bytes) {
            Ok(_) => &[][..],
            Err(error) if error.error_len().is_some() => {
                self.is_none = true;
                return;
            }
            Err(error) => &bytes[error.valid_up_to()..],
        };
        self.begun = rest.to_vec();
    }

    fn is_text(&self) -> bool {
        !self.is_none && self.begun.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::super::spool::IN_MEMORY;
    use super::*;

    fn sniff(bytes: &[u8]) -> (String, Vec<u8>) {
        let mut output = Output::new(u64::MAX);
        output.feed(bytes).unwrap();
        match output.into_reply().unwrap() {
            Reply::Nothing => (String::new(), Vec::new()),
            Reply::Body(body) => (body.content_type, body.bytes.to_vec()),
            Reply::File { content_type, .. } => panic!("a file of {content_type}"),
        }
    }

    #[test]
    fn a_result_is_what_it_looks_like() {
        let deep = "[".repeat(101) + &"]".repeat(101);
        for (bytes, content_type, kept) in [
            (&b""[..], "", &b""[..]),
            (b"{\"a\": 1}\n", "application/json", b"{\"a\": 1}"),
            (b" 42 ", "application/json", b"42"),
            (b"null", "application/json", b"null"),
            (b"hello\n", "text/plain; charset=utf-8", b"hello\n"),
            (b"\n", "text/plain; charset=utf-8", b"\n"),
            (b"{\"a\":1}{\"b\":2}", "text/plain; charset=utf-8", b"{\"a\":1}{\"b\":2}"),
            (deep.as_bytes(), "text/plain; charset=utf-8", deep.as_bytes()),
            (b"\x89PNG\xff", "application/octet-stream", b"\x89PNG\xff"),
        ] {
            assert_eq!(sniff(bytes), (content_type.to_owned(), kept.to_vec()), "{bytes:?}");
        }
    }

    #[test]
    fn a_large_result_is_a_file_and_its_text_may_be_cut_anywhere() {
        let kind = |end: &[&[u8]]| {
            let mut output = Output::new(u64::MAX);
            output.feed(&vec![b'x'; IN_MEMORY]).unwrap();
            end.iter().for_each(|bytes| output.feed(bytes).unwrap());
            match output.into_reply().unwrap() {
                Reply::File { content_type, file } => (content_type, file.metadata().unwrap().len() - IN_MEMORY as u64),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(kind(&[b"\xe2", b"\x82", b"\xac!"]), (TEXT.to_owned(), 4));
        assert_eq!(kind(&[b"\xe2", b"\x82"]), (BYTES.to_owned(), 2));
        assert_eq!(kind(&[b"\xe2", b"x"]), (BYTES.to_owned(), 2));
    }

    #[test]
    fn a_large_result_may_be_json() {
        let kind = |end: &[u8]| {
            let mut output = Output::new(u64::MAX);
            output.feed(&[b"\"", &vec![b'x'; IN_MEMORY][..], end].concat()).unwrap();
            match output.into_reply().unwrap() {
                Reply::File { content_type, .. } => content_type,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!((kind(b"\" \n").as_str(), kind(b"").as_str(), kind(b"\"1").as_str()), (JSON, TEXT, TEXT));
    }

    #[test]
    fn what_is_too_large_is_not_kept() {
        let mut output = Output::new(10);
        output.feed(b"0123456789").unwrap();
        assert!(matches!(output.feed(b"x"), Err(OutputError::TooLarge(10))));
    }
}
