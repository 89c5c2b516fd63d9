//! The end of what a command said.

/// The bytes that are kept. With all its escapes it fits into a job's error.
const BYTES: usize = 8 << 10;

/// Keeps the last lines, up to a limit.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    bytes: Vec<u8>,
    is_cut: bool,
}

impl Tail {
    /// Adds a line.
    pub(crate) fn line(&mut self, line: &[u8]) {
        self.bytes.extend_from_slice(line);
        self.bytes.push(b'\n');
        // Only now and then, so that a command that says much costs little.
        if self.bytes.len() > 2 * BYTES {
            self.cut();
        }
    }

    fn cut(&mut self) {
        if self.bytes.len() > BYTES {
            self.bytes.drain(..self.bytes.len() - BYTES);
            self.is_cut = true;
        }
    }

    /// The lines as text, the first of them whole, if there is more than one.
    pub(crate) fn text(mut self) -> String {
        self.cut();
        let mut bytes = &self.bytes[..];
        let end = bytes.len().saturating_sub(1);
        if self.is_cut
            && let Some(at) = bytes[..end].iter().position(|byte| *byte == b'\n')
        {
            bytes = &bytes[at + 1..];
        } else if self.is_cut {
            // The rest of a character that was cut in two.
            let rest = bytes.iter().take_while(|byte| **byte & 0xc0 == 0x80).count();
            bytes = &bytes[rest..];
        }
        String::from_utf8_lossy(bytes).trim_end().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_kept_whole() {
        let mut tail = Tail::default();
        assert_eq!(Tail::default().text(), "");
        tail.line(b"a");
        tail.line(b"b \xff");
        assert_eq!(tail.text(), "a\nb \u{fffd}");

        let mut tail = Tail::default();
        for number in 0..100_000 {
            tail.line(format!("line {number:06}").as_bytes());
            assert!(tail.bytes.len() <= 2 * BYTES);
        }
        let text = tail.text();
        assert!(text.len() <= BYTES && text.len() > BYTES - 20, "{}", text.len());
        assert!(text.starts_with("line 0") && text.ends_with("line 099999"), "{text}");
    }

    #[test]
    fn of_one_line_that_is_too_long_the_end_is_kept() {
        let mut tail = Tail::default();
        tail.line("é".repeat(BYTES).as_bytes());
        let text = tail.text();
        assert!(text.starts_with("éé") && text.ends_with("éé") && text.len() <= BYTES, "{}", text.len());
    }
}
