use std::path::Path;

/// Reads a dictionary as libFuzzer and AFL have it: a word a line, in quotes, with `\\`, `\"` and `\xAB` for what does not
/// stand there as it is. Lines that begin with `#` are comments.
///
/// # Panics
/// Where there is no such file, or a line is no word.
pub(crate) fn read(path: &Path) -> Vec<Vec<u8>> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| word(line).unwrap_or_else(|| panic!("{}: {line} is no word", path.display()))).collect()
}

fn word(line: &str) -> Option<Vec<u8>> {
    let mut rest = line.strip_prefix('"')?.strip_suffix('"')?.as_bytes();
    let mut word = Vec::new();
    while let Some((byte, after)) = rest.split_first() {
        rest = match (byte, after) {
            (b'\\', [escaped @ (b'\\' | b'"'), after @ ..]) => {
                word.push(*escaped);
                after
            }
            (b'\\', [b'x', high, low, after @ ..]) => {
                word.push(u8::from_str_radix(std::str::from_utf8(&[*high, *low]).ok()?, 16).ok()?);
                after
            }
            (b'\\' | b'"', _) => return None,
            (byte, after) => {
                word.push(*byte);
                after
            }
        };
    }
    (!word.is_empty()).then_some(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_as_fuzzers_read_them() {
        assert_eq!(word(r#""a b""#).as_deref(), Some(&b"a b"[..]));
        assert_eq!(word(r#""\"\\\x00\xfF""#).as_deref(), Some(&b"\"\\\x00\xff"[..]));
        for bad in ["", "a", "\"", "\"\"", r#""a"b""#, r#""\n""#, r#""\x0""#, r#""\xzz""#] {
            assert_eq!(word(bad), None, "{bad}");
        }
    }
}
