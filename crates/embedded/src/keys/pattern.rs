/// What a hash sets in the block of a Bloom filter: one bit in each of eight words, of the last in its
/// lower half, for the upper is the checksum. It is the same in every run, so that a lookup works it
/// out once.
pub(super) struct Pattern {
    pub(super) hash: u64,
    pub(super) bits: [u64; 8],
}

/// Odd multipliers that draw eight bit positions from the lower half of a hash, those of Parquet's
/// filters. The upper half chooses the block, so that the two have nothing to do with each other.
const SALTS: [u32; 8] =
    [0x47b6_137b, 0x4497_4d91, 0x8824_ad5b, 0xa2b7_289d, 0x7054_95c7, 0x2df1_424b, 0x9efc_4947, 0x5c6b_fb31];

impl Pattern {
    #[expect(clippy::cast_possible_truncation, reason = "the lower half")]
    pub(super) fn of(hash: u64) -> Pattern {
        let mut places = SALTS.map(|salt| (hash as u32).wrapping_mul(salt) >> 26);
        places[7] >>= 1;
        Pattern { hash, bits: places.map(|place| 1 << place) }
    }
}
