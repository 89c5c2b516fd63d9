/// The bounds of a [`KeyIndex`](super::KeyIndex).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Keys that a table in memory holds before it is sealed and written; 0 counts as 1. A table takes
    /// 16 × 4/3 bytes a key, 5.6 MB by default. A restart reads the rows of the keys in tables again.
    pub memory_entries: usize,
    /// Sealed tables that may wait to be written before [`insert`](super::KeyIndex::insert) waits in
    /// its turn; 0 counts as 1.
    pub sealed_tables: usize,
    /// Job numbers that a table may span before it is sealed although it is not full; 0 counts as 1.
    /// Where few jobs carry keys, this bounds the rows that a restart reads again.
    pub table_span: u64,
    /// Bytes that Bloom filters may take in memory. A key needs 1.53 bytes, so the default of 24 MiB
    /// is enough for 16 million keys; the filters of older runs stay on disk, where a lookup reads
    /// one page of each.
    pub filter_bytes: usize,
}

impl Default for Options {
    fn default() -> Options {
        Options { memory_entries: 256 << 10, sealed_tables: 2, table_span: 1 << 20, filter_bytes: 24 << 20 }
    }
}
