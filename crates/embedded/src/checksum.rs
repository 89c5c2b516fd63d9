/// Gathers the bytes of a row, each field told apart from the next, and takes their CRC-32C.
///
/// One is kept and used for row after row, so that a checksum allocates nothing.
#[derive(Debug, Default)]
pub(crate) struct Checksum(Vec<u8>);

impl Checksum {
    /// Starts anew, with the row `key` of the table `table`, so that a row that turns up elsewhere
    /// than it was written does not pass.
    pub(crate) fn row(&mut self, table: u8, key: i64) -> &mut Checksum {
        self.0.clear();
        self.0.push(table);
        self.int(key)
    }

    pub(crate) fn int(&mut self, value: i64) -> &mut Checksum {
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    pub(crate) fn maybe(&mut self, value: Option<i64>) -> &mut Checksum {
        match value {
            Some(value) => {
                self.0.push(1);
                self.int(value)
            }
            None => {
                self.0.push(0);
                self
            }
        }
    }

    pub(crate) fn bytes(&mut self, value: Option<&[u8]>) -> &mut Checksum {
        match value {
            Some(value) => {
                self.0.push(1);
                self.0.extend_from_slice(&(value.len() as u64).to_le_bytes());
                self.0.extend_from_slice(value);
            }
            None => self.0.push(0),
        }
        self
    }

    pub(crate) fn text(&mut self, value: Option<&str>) -> &mut Checksum {
        self.bytes(value.map(str::as_bytes))
    }

    pub(crate) fn value(&self) -> i64 {
        signed(crc32c::crc32c(&self.0))
    }

    /// The sum of the row so far and of `body`, which is not copied.
    pub(crate) fn with_body(&self, body: &[u8]) -> i64 {
        signed(crc32c::crc32c_append(crc32c::crc32c(&self.0), body))
    }
}

/// As an integer that SQLite stores in four bytes.
fn signed(sum: u32) -> i64 {
    sum.cast_signed().into()
}
