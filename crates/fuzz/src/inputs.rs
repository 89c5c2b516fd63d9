use std::fmt;
use std::path::{Path, PathBuf};

use crate::words;

/// The most bytes of an input that is made.
const MOST: usize = 4096;

/// Numbers at which something often ends.
const EDGES: [&str; 10] =
    ["0", "-1", "1", "127", "128", "255", "65536", "4294967296", "9223372036854775808", "18446744073709551616"];

/// What a target is given.
#[derive(Clone, PartialEq, Eq)]
pub struct Input(pub Vec<u8>);

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b\"{}\"", self.0.escape_ascii())
    }
}

/// The corpus and the words of a target.
#[derive(Debug)]
pub struct Inputs {
    corpus: Vec<(PathBuf, Vec<u8>)>,
    words: Vec<Vec<u8>>,
}

impl Inputs {
    /// Those of the target with this name.
    ///
    /// # Panics
    /// Where it has none, or they cannot be read.
    #[must_use]
    pub fn of(target: &str) -> Inputs {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let folder = root.join("corpus").join(target);
        let listed = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let read = |entry: std::io::Result<std::fs::DirEntry>| {
            let path = entry?.path();
            std::fs::read(&path).map(|bytes| (path, bytes))
        };
        let read: std::io::Result<Vec<_>> = listed.map(read).collect();
        let mut corpus = read.unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        assert!(!corpus.is_empty(), "{} is empty", folder.display());
        // The same script makes the same input wherever it is run.
        corpus.sort();
        Inputs { corpus, words: words::read(&root.join(format!("words/{target}.dict"))) }
    }

    /// The inputs of the corpus, and where each stands.
    pub fn corpus(&self) -> impl Iterator<Item = (&Path, &[u8])> {
        self.corpus.iter().map(|(path, bytes)| (path.as_path(), bytes.as_slice()))
    }

    /// An input of the corpus, changed as `script` says: words and numbers put in, parts left out, repeated, or exchanged for
    /// those of others.
    #[must_use]
    pub fn made_by(&self, script: &[u8]) -> Input {
        let mut script = Script(script);
        let mut input = self.seed(&mut script).to_vec();
        while !script.0.is_empty() {
            self.change(&mut input, &mut script);
            input.truncate(MOST);
        }
        Input(input)
    }

    fn seed(&self, script: &mut Script<'_>) -> &[u8] {
        let at = script.below(self.corpus.len());
        self.corpus.get(at).map_or(&[], |(_, bytes)| bytes)
    }

    fn change(&self, input: &mut Vec<u8>, script: &mut Script<'_>) {
        let kind = script.below(9);
        let start = script.below(input.len() + 1);
        let end = start + script.below((input.len() - start).min(64) + 1);
        match kind {
            0 | 1 if !self.words.is_empty() => {
                let word = &self.words[script.below(self.words.len())];
                // In the place of something, or between two.
                let end = if kind == 0 { end } else { start };
                input.splice(start..end, word.iter().copied());
            }
            2 => {
                input.drain(start..end);
            }
            3 => {
                let part = input[start..end].to_vec();
                let part = part.repeat(1 + script.below(4));
                input.splice(start..start, part);
            }
            4 => {
                let byte = script.byte();
                input.insert(start, byte);
            }
            5 => {
                if let Some(byte) = input.get_mut(start) {
                    *byte ^= 1 << script.below(8);
                }
            }
            6 => {
                // A number gives way to another.
                let digits = input[start..].iter().position(u8::is_ascii_digit).map_or(start, |at| start + at);
                let end = digits + input[digits..].iter().take_while(|byte| byte.is_ascii_digit()).count();
                input.splice(digits..end, EDGES[script.below(EDGES.len())].bytes());
            }
            7 => {
                let other = self.seed(script);
                input.splice(start.., other[script.below(other.len() + 1)..].iter().copied());
            }
            _ => {
                let char =
                    char::from_u32(u32::from(script.byte()) << 5 | u32::from(script.byte())).unwrap_or('\u{fffd}');
                input.splice(start..start, char.to_string().bytes());
            }
        }
    }
}

/// Choices, one after another. Where there are none left each is the first.
struct Script<'a>(&'a [u8]);

impl Script<'_> {
    fn byte(&mut self) -> u8 {
        let Some((byte, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *byte
    }

    /// A number below `most`, or 0.
    fn below(&mut self, most: usize) -> usize {
        let choice =
            if most > 256 { usize::from(self.byte()) << 8 | usize::from(self.byte()) } else { self.byte().into() };
        choice % most.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs() -> Inputs {
        let corpus = vec![("a".into(), b"one 22".to_vec()), ("b".into(), b"two".to_vec())];
        Inputs { corpus, words: vec![b"<w>".to_vec()] }
    }

    #[test]
    fn a_script_changes_what_stands_in_the_corpus() {
        for (script, made) in [
            (&[][..], "one 22"),
            (&[1], "two"),
            // A word for the first three bytes, and before them.
            (&[0, 0, 0, 3, 0], "<w> 22"),
            (&[0, 1, 0, 3, 0], "<w>one 22"),
            (&[0, 2, 1, 2], "o 22"),
            (&[0, 3, 0, 3, 1], "oneoneone 22"),
            (&[0, 4, 3, 0, b'!'], "one! 22"),
            (&[0, 5, 0, 0, 5], "One 22"),
            (&[0, 6, 0, 0, 5], "one 255"),
            (&[0, 7, 4, 0, 1, 1], "one wo"),
            (&[0, 8, 0, 0, 7, 9], "éone 22"),
        ] {
            assert_eq!(inputs().made_by(script), Input(made.into()), "{script:?}");
        }
    }

    #[test]
    fn any_script_makes_an_input_of_bounded_size() {
        for byte in 0..=255 {
            assert!(inputs().made_by(&[byte; 4096]).0.len() <= MOST);
        }
        let full = Inputs { corpus: vec![("a".into(), vec![b'x'; MOST])], ..inputs() };
        let made = full.made_by(&[0, 1, 0, 0, 0, 0]);
        assert!(made.0.starts_with(b"<w>x") && made.0.len() == MOST);
    }

    #[test]
    fn an_input_is_shown_as_it_is_written_in_a_test() {
        assert_eq!(format!("{:?}", Input(b"a\"\n\xff".to_vec())), r#"b"a\"\n\xff""#);
    }
}
