//! Newline-delimited JSON: one document a line.

/// The lines of `body` that are not blank, each with its number, counted from 1 over all lines.
///
/// A line ends with LF or CR LF; the last one may end with the body.
pub fn lines(body: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let mut rest = Some(body);
    let split = std::iter::from_fn(move || {
        let bytes = rest?;
        let line = match memchr::memchr(b'\n', bytes) {
            Some(end) => {
                rest = Some(&bytes[end + 1..]);
                &bytes[..end]
            }
            None => {
                rest = None;
                bytes
            }
        };
        Some(line)
    });
    (1..).zip(split).filter(|(_, line)| !line.trim_ascii().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blank_lines_count_and_are_skipped() {
        let found: Vec<_> = lines(b"1\r\n\n 2\n\t\n3").collect();
        assert_eq!(found, [(1, &b"1\r"[..]), (3, b" 2"), (5, b"3")]);
        assert_eq!(lines(b"").count(), 0);
        assert_eq!(lines(b"1\n").count(), 1);
    }
}
