//! What a command writes to stderr, line by line: reports for the server, and everything else for people.

use serde_json::value::RawValue;

/// The bytes after which a line is cut into pieces: a report of the largest checkpoint is shorter.
const LINE_BYTES: usize = 128 << 10;

/// What a line means.
#[derive(Debug)]
pub(crate) enum Line<'a> {
    /// `ackd:progress 42 encoding`
    Progress {
        /// 0 to 100; not a number where none is told.
        percent: f64,
        /// What the command does.
        message: String,
    },
    /// `ackd:checkpoint {"at":17}`
    Checkpoint(Box<RawValue>),
    /// It looks like a report, and is none.
    Malformed(&'static str),
    /// A line for people.
    Other(&'a [u8]),
}

impl<'a> Line<'a> {
    /// Reads a line.
    pub(crate) fn read(line: &'a [u8]) -> Line<'a> {
        if let Some(rest) = report(line, b"ackd:progress") {
            let rest = String::from_utf8_lossy(rest);
            let (first, message) = rest.trim().split_once(char::is_whitespace).unwrap_or((rest.trim(), ""));
            return match percent(first) {
                Some(percent) => Line::Progress { percent, message: message.trim().to_owned() },
                None if first.is_empty() => Line::Malformed("it tells no progress; write `ackd:progress 42 encoding`"),
                None => Line::Progress { percent: f64::NAN, message: rest.trim().to_owned() },
            };
        }
        if let Some(rest) = report(line, b"ackd:checkpoint") {
            return match serde_json::from_slice(rest) {
                Ok(json) => Line::Checkpoint(json),
                Err(_) => Line::Malformed("it is no JSON, and no checkpoint; write `ackd:checkpoint {\"at\":17}`"),
            };
        }
        Line::Other(line)
    }
}

/// What follows a report's name.
fn report<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let rest = line.strip_prefix(name)?;
    rest.first().is_none_or(u8::is_ascii_whitespace).then_some(rest)
}

/// A number of per cent, with its sign or without.
fn percent(text: &str) -> Option<f64> {
    let number: f64 = text.strip_suffix('%').unwrap_or(text).parse().ok()?;
    number.is_finite().then_some(number)
}

/// Puts bytes together into lines, however they are split.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    line: Vec<u8>,
    /// Whether the last byte was a CR: an LF after it belongs to the same line end.
    is_after_cr: bool,
}

impl Lines {
    /// Takes some bytes, and calls `each` with every line that they complete. A CR ends a line too, for that is how
    /// programs draw over what they wrote before.
    pub(crate) fn feed(&mut self, bytes: &[u8], mut each: impl FnMut(&[u8])) {
        let mut rest = bytes;
        while !rest.is_empty() {
            if std::mem::take(&mut self.is_after_cr) && rest[0] == b'\n' {
                rest = &rest[1..];
                continue;
            }
            let end = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            let part = end.unwrap_or(rest.len()).min(LINE_BYTES - self.line.len());
            self.line.extend_from_slice(&rest[..part]);
            rest = &rest[part..];
            if end == Some(part) {
                self.is_after_cr = rest[0] == b'\r';
                rest = &rest[1..];
            } else if self.line.len() < LINE_BYTES {
                continue;
            }
            each(&self.line);
            self.line.clear();
        }
    }

    /// The last line, if it was not ended.
    pub(crate) fn finish(&mut self, mut each: impl FnMut(&[u8])) {
        if !self.line.is_empty() {
            each(&self.line);
            self.line.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(chunks: &[&[u8]]) -> Vec<String> {
        let mut lines = Lines::default();
        let mut all = Vec::new();
        let mut each = |line: &[u8]| all.push(String::from_utf8(line.to_vec()).unwrap());
        for chunk in chunks {
            lines.feed(chunk, &mut each);
        }
        lines.finish(&mut each);
        all
    }

    #[test]
    fn lines_are_put_together_however_they_are_split() {
        let whole = b"a\r\nbc\n\nd\re";
        let expected = ["a", "bc", "", "d", "e"];
        assert_eq!(lines(&[whole]), expected);
        for at in 1..whole.len() {
            assert_eq!(lines(&[&whole[..at], &whole[at..]]), expected, "{at}");
        }
        assert!(lines(&[b""]).is_empty());
    }

    #[test]
    fn a_line_without_an_end_is_cut_into_pieces() {
        let long = vec![b'x'; 2 * LINE_BYTES + 1];
        let sizes: Vec<usize> = lines(&[&long, b"\ny\n"]).iter().map(String::len).collect();
        assert_eq!(sizes, [LINE_BYTES, LINE_BYTES, 1, 1]);
    }

    #[test]
    fn reports_are_told_from_other_lines() {
        let read = |line: &str| match Line::read(line.as_bytes()) {
            Line::Progress { percent, message } => format!("progress {percent} {message:?}"),
            Line::Checkpoint(json) => format!("checkpoint {json}"),
            Line::Malformed(_) => "malformed".to_owned(),
            Line::Other(line) => format!("other {}", String::from_utf8_lossy(line)),
        };
        for (line, expected) in [
            ("ackd:progress 42 encoding", "progress 42 \"encoding\""),
            ("ackd:progress 41.5%   two  words ", "progress 41.5 \"two  words\""),
            ("ackd:progress\t7", "progress 7 \"\""),
            ("ackd:progress encoding 720p", "progress NaN \"encoding 720p\""),
            ("ackd:progress nan", "progress NaN \"nan\""),
            ("ackd:progress", "malformed"),
            ("ackd:progress  ", "malformed"),
            ("ackd:progressive", "other ackd:progressive"),
            (" ackd:progress 1", "other  ackd:progress 1"),
            ("ackd:checkpoint {\"at\": 17}", "checkpoint {\"at\": 17}"),
            ("ackd:checkpoint null", "checkpoint null"),
            ("ackd:checkpoint {at:17}", "malformed"),
            ("ackd:checkpoint", "malformed"),
            ("ackd:later 1", "other ackd:later 1"),
            ("", "other "),
        ] {
            assert_eq!(read(line), expected, "{line}");
        }
        assert!(matches!(Line::read(b"\xff"), Line::Other(b"\xff")));
    }
}
