//! Reading a stream of server-sent events (WHATWG HTML, section 9.2.6, "Interpreting an event stream").

use std::collections::VecDeque;
use std::time::Duration;

/// The most bytes of one line, and of one event's data, 4 MiB: a job's document with an inline result is far smaller.
const MAX_BYTES: usize = 4 << 20;

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    /// The `event:` field, `message` where there was none.
    pub(crate) event: String,
    /// The `data:` lines, joined by LF.
    pub(crate) data: String,
    /// The last event id as of this event; empty before the first.
    pub(crate) id: String,
}

/// A line, or an event's data, is over the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an event of more than {MAX_BYTES} bytes")]
pub(crate) struct TooLong;

/// Puts bytes, however they are split, together into events.
#[derive(Debug, Default)]
pub(crate) struct Parser {
    line: Vec<u8>,
    /// Whether the stream's first line has been read: only that one may begin with a byte order mark.
    is_past_first: bool,
    /// Whether the last byte was a CR, so that an LF now belongs to the same line end.
    is_after_cr: bool,
    event: String,
    data: String,
    /// The id that the next dispatch makes the last one.
    id: String,
    last_id: String,
    retry: Option<Duration>,
    frames: VecDeque<Frame>,
}

impl Parser {
    /// A parser for a stream that resumes after `last_id`: a stream that ends before its first id leaves that in force.
    pub(crate) fn resuming(last_id: String) -> Parser {
        Parser { id: last_id.clone(), last_id, ..Parser::default() }
    }

    /// Takes some bytes of the stream.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Result<(), TooLong> {
        let mut rest = bytes;
        while let Some(first) = rest.first() {
            if std::mem::take(&mut self.is_after_cr) && *first == b'\n' {
                rest = &rest[1..];
                continue;
            }
            let end = rest.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
            let part = &rest[..end.unwrap_or(rest.len())];
            if self.line.len() + part.len() > MAX_BYTES {
                return Err(TooLong);
            }
            self.line.extend_from_slice(part);
            let Some(end) = end else { return Ok(()) };
            self.is_after_cr = rest[end] == b'\r';
            rest = &rest[end + 1..];
            let line = std::mem::take(&mut self.line);
            self.end_line(&line)?;
            self.line = line;
            self.line.clear();
        }
        Ok(())
    }

    /// The next event that is complete.
    pub(crate) fn next(&mut self) -> Option<Frame> {
        self.frames.pop_front()
    }

    /// Whether there is an event that is complete.
    pub(crate) fn has_next(&self) -> bool {
        !self.frames.is_empty()
    }

    /// The last event id: where to resume. Comments with an id move it too, without an event.
    pub(crate) fn last_id(&self) -> &str {
        &self.last_id
    }

    /// How long to wait before connecting again, once the server has said so.
    pub(crate) fn retry(&self) -> Option<Duration> {
        self.retry
    }

    fn end_line(&mut self, line: &[u8]) -> Result<(), TooLong> {
        let line = match line.strip_prefix(b"\xef\xbb\xbf") {
            Some(rest) if !self.is_past_first => rest,
            _ => line,
        };
        self.is_past_first = true;
        if line.is_empty() {
            self.dispatch();
            return Ok(());
        }
        let line = String::from_utf8_lossy(line);
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.event),
            "data" => {
                if self.data.len() + value.len() > MAX_BYTES {
                    return Err(TooLong);
                }
                self.data.push_str(value);
                self.data.push('\n');
            }
            "id" if !value.contains('\0') => value.clone_into(&mut self.id),
            "retry" if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) => {
                self.retry = value.parse().ok().map(Duration::from_millis).or(self.retry);
            }
            // A comment has an empty field name; other fields are of the future.
            _ => {}
        }
        Ok(())
    }

    fn dispatch(&mut self) {
        self.last_id.clone_from(&self.id);
        let event = std::mem::take(&mut self.event);
        let mut data = std::mem::take(&mut self.data);
        if data.pop().is_none() {
            return;
        }
        let event = if event.is_empty() { "message".to_owned() } else { event };
        self.frames.push_back(Frame { event, data, id: self.last_id.clone() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(stream: &[u8]) -> Vec<Frame> {
        let mut parser = Parser::default();
        parser.feed(stream).unwrap();
        std::iter::from_fn(|| parser.next()).collect()
    }

    fn frame(event: &str, data: &str, id: &str) -> Frame {
        Frame { event: event.into(), data: data.into(), id: id.into() }
    }

    #[test]
    fn the_specification_s_examples() {
        assert_eq!(frames(b"data: YHOO\ndata: +2\ndata: 10\n\n"), [frame("message", "YHOO\n+2\n10", "")]);
        let stream = b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n";
        let expected = [
            frame("message", "first event", "1"),
            frame("message", "second event", ""),
            frame("message", " third event", ""),
        ];
        assert_eq!(frames(stream), expected);
        // Two events, the second of them a newline; the block that is not ended is discarded.
        assert_eq!(frames(b"data\n\ndata\ndata\n\ndata:"), [frame("message", "", ""), frame("message", "\n", "")]);
        assert_eq!(
            frames(b"data:test\n\ndata: test\n\n"),
            [frame("message", "test", ""), frame("message", "test", "")]
        );
        assert_eq!(
            frames(b"event: add\ndata: 73857293\n\nevent: remove\ndata: 2153\n\n"),
            [frame("add", "73857293", ""), frame("remove", "2153", "")]
        );
    }

    #[test]
    fn lines_end_with_lf_cr_or_both() {
        let expected = [frame("e", "a\nb", "1"), frame("message", "c", "1")];
        for end in ["\n", "\r", "\r\n"] {
            let stream = ["event: e", "id: 1", "data: a", "data: b", "", "data: c", "", ""].join(end);
            assert_eq!(frames(stream.as_bytes()), expected, "{end:?}");
        }
        assert_eq!(frames(b"data: a\r\n\rdata: b\n\r\n"), [frame("message", "a", ""), frame("message", "b", "")]);
    }

    #[test]
    fn a_byte_order_mark_is_skipped_at_the_very_start_only() {
        assert_eq!(frames(b"\xef\xbb\xbfdata: a\n\n"), [frame("message", "a", "")]);
        assert_eq!(frames(b"\xef\xbb\xbf\xef\xbb\xbfdata: a\n\n"), []);
        assert_eq!(frames(b"data: a\n\n\xef\xbb\xbfdata: b\n\n"), [frame("message", "a", "")]);
    }

    #[test]
    fn an_id_with_nul_is_ignored_and_an_empty_one_resets() {
        assert_eq!(
            frames(b"id: 1\ndata: a\n\nid: 2\0\ndata: b\n\n"),
            [frame("message", "a", "1"), frame("message", "b", "1")]
        );
        assert_eq!(
            frames(b"id: 1\ndata: a\n\nid:\ndata: b\n\n"),
            [frame("message", "a", "1"), frame("message", "b", "")]
        );
    }

    #[test]
    fn a_comment_s_id_moves_the_position_without_an_event() {
        let mut parser = Parser::resuming("7".into());
        parser.feed(b": keep-alive\nid: 8\n").unwrap();
        assert_eq!(parser.last_id(), "7");
        parser.feed(b"\n").unwrap();
        assert_eq!((parser.next(), parser.last_id()), (None, "8"));
    }

    #[test]
    fn retry_is_digits_only() {
        let retry = |stream: &[u8]| {
            let mut parser = Parser::default();
            parser.feed(stream).unwrap();
            parser.retry()
        };
        assert_eq!(retry(b"retry: 3000\n"), Some(Duration::from_secs(3)));
        for stream in [&b"retry: 3s\n"[..], b"retry:\n", b"retry: -1\n", b"retry: 99999999999999999999999\n"] {
            assert_eq!(retry(stream), None);
        }
        assert_eq!(retry(b"retry: 1\nretry: x\n"), Some(Duration::from_millis(1)));
    }

    #[test]
    fn what_is_not_known_or_not_utf_8_does_no_harm() {
        assert_eq!(frames(b"dato: x\nDATA: x\ndata : x\ndata: a:b\n\n"), [frame("message", "a:b", "")]);
        assert_eq!(frames(b"data: \xff\n\n"), [frame("message", "\u{fffd}", "")]);
        assert_eq!(frames(b"event: e\n\ndata: a\n\n"), [frame("message", "a", "")]);
    }

    #[test]
    fn a_stream_may_be_split_at_every_byte() {
        let stream = "\u{feff}retry: 5\r\n\r\n: c\nid: 1\r\nevent: é\rdata: ä\r\ndata: b\n\r\n\ndata: c\r\r";
        let whole = frames(stream.as_bytes());
        assert_eq!(whole, [frame("é", "ä\nb", "1"), frame("message", "c", "1")]);
        for first in 0..=stream.len() {
            for second in first..=stream.len() {
                let mut parser = Parser::default();
                for part in
                    [&stream.as_bytes()[..first], &stream.as_bytes()[first..second], &stream.as_bytes()[second..]]
                {
                    parser.feed(part).unwrap();
                }
                let split: Vec<_> = std::iter::from_fn(|| parser.next()).collect();
                assert_eq!(split, whole, "{first} {second}");
                assert_eq!(parser.retry(), Some(Duration::from_millis(5)));
            }
        }
        let mut parser = Parser::default();
        for byte in stream.as_bytes() {
            parser.feed(std::slice::from_ref(byte)).unwrap();
        }
        assert_eq!(std::iter::from_fn(|| parser.next()).collect::<Vec<_>>(), whole);
    }

    #[test]
    fn an_event_has_a_limit() {
        let mut parser = Parser::default();
        assert_eq!(parser.feed(&vec![b'x'; MAX_BYTES]), Ok(()));
        assert_eq!(parser.feed(b"x"), Err(TooLong));
        let mut parser = Parser::default();
        let half = [b"data:", &vec![b'x'; MAX_BYTES / 2][..], b"\n"].concat();
        assert_eq!(parser.feed(&half), Ok(()));
        assert_eq!(parser.feed(&half), Err(TooLong));
    }
}
