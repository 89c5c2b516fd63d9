use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::{Name, Timestamp};

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

/// A file that stands in the store and that the ledger knows nothing of yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFile {
    /// Where the store keeps it.
    pub id: FileId,
    /// The media type (RFC 9110, section 8.3.1), as the client named it.
    pub content_type: Arc<str>,
    /// The length in bytes.
    pub size: u64,
    /// The CRC-32C of its bytes.
    pub sum: u32,
    /// XXH3-128 of its bytes: what tells whether a request is the same again.
    pub digest: u128,
}

impl NewFile {
    /// What [`NewFile::digest`] is of these bytes.
    #[must_use]
    pub fn digest_of(bytes: &[u8]) -> u128 {
        xxhash_rust::xxh3::xxh3_128(bytes)
    }
}

/// A file in the store, and who needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Where the store keeps it.
    pub id: FileId,
    /// Under which name clients find it. A payload or a result that came without one has none, nor has a file whose name
    /// was given to another.
    pub name: Option<Name>,
    /// The media type.
    pub content_type: Arc<str>,
    /// The length in bytes.
    pub size: u64,
    /// The CRC-32C of its bytes.
    pub sum: u32,
    /// When the ledger took note of it.
    pub created_at: Timestamp,
    /// When it goes, unless a job refers to it then.
    pub expires_at: Timestamp,
    /// How many jobs have it for their payload or their result.
    pub references: u64,
    /// Its bytes are being deleted; nobody can refer to it any more.
    pub condemned: bool,
}

impl File {
    /// Whether nobody needs it any more.
    #[must_use]
    pub fn is_unused(&self, now: Timestamp) -> bool {
        self.references == 0 && self.expires_at <= now
    }
}

/// The file that is to be a job's payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PayloadFile {
    /// The one with this name when the job is accepted. A name that is given to another file later changes nothing.
    Named(Name),
    /// One that came with the request.
    New(NewFile),
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
