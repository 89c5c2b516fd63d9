use std::fmt;
use std::str::FromStr;

/// The name under which a store keeps a file's bytes: 128 bits, drawn anew for each upload and never given out twice.
///
/// It is made by the server, whatever the client calls the file: so no text of a client's ever becomes a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(u128);

/// The text is no [`FileId`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a file's id is of {digits} digits of 0-9 and a-f", digits = FileId::DIGITS)]
pub struct FileIdError;

impl FileId {
    /// How long its text is.
    pub const DIGITS: usize = 32;

    /// The id of these bits.
    #[must_use]
    pub const fn new(bits: u128) -> FileId {
        FileId(bits)
    }

    /// Its bits.
    #[must_use]
    pub const fn bits(self) -> u128 {
        self.0
    }
}

impl fmt::Display for FileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl FromStr for FileId {
    type Err = FileIdError;

    fn from_str(text: &str) -> Result<FileId, FileIdError> {
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if text.len() != FileId::DIGITS || !text.bytes().all(is_digit) {
            return Err(FileIdError);
        }
        u128::from_str_radix(text, 16).map(FileId).map_err(|_| FileIdError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_an_id_is_of_one_form() {
        for bits in [0, 1, u128::MAX, 0xabc << 64] {
            let text = FileId::new(bits).to_string();
            assert_eq!(text.len(), FileId::DIGITS);
            assert_eq!(text.parse(), Ok(FileId::new(bits)));
        }
        for bad in [
            "",
            "0",
            &"g".repeat(32),
            &"A".repeat(32),
            &"0".repeat(33),
            "+0000000000000000000000000000001",
            "../../../../../../../../etc/pass",
        ] {
            assert_eq!(bad.parse::<FileId>(), Err(FileIdError), "{bad}");
        }
    }
}
