use super::page::PAGE;
use super::pattern::Pattern;

/// One block of a Bloom filter, as large as a cache line and never across two.
///
/// Its last four bytes are a CRC-32C of the rest, of the block's place and of the run: so a lookup that
/// has to read the filter from disk reads these 64 bytes and no more, and still notices damage.
#[derive(Clone, Copy)]
#[repr(align(64))]
pub(super) struct Block([u64; 8]);

/// Where the checksum stands.
const CHECKSUM: usize = Block::BYTES - 4;

impl Block {
    pub(super) const BYTES: usize = 64;
    /// Blocks in a page of a file.
    pub(super) const PER_PAGE: usize = PAGE / Block::BYTES;
    pub(super) const EMPTY: Block = Block([0; 8]);

    pub(super) fn set(&mut self, pattern: &Pattern) {
        for (word, bit) in self.0.iter_mut().zip(pattern.bits) {
            *word |= bit;
        }
    }

    /// False if nothing with this pattern was ever set. Without branches, so that the processor can
    /// fetch the blocks of several runs at once.
    #[inline]
    pub(super) fn holds(&self, pattern: &Pattern) -> bool {
        self.0.iter().zip(pattern.bits).fold(0, |missing, (word, bit)| missing | (bit & !word)) == 0
    }

    /// The bytes of the block in the place `at` of the run whose checksums begin with `run`.
    pub(super) fn to_bytes(self, run: u32, at: usize) -> [u8; Block::BYTES] {
        let mut bytes = [0; Block::BYTES];
        for (word, into) in self.0.iter().zip(bytes.as_chunks_mut::<8>().0) {
            *into = word.to_le_bytes();
        }
        let checksum = checksum(&bytes, run, at);
        bytes[CHECKSUM..].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// None if the bytes are damaged or those of another place.
    pub(super) fn from_bytes(bytes: &[u8; Block::BYTES], run: u32, at: usize) -> Option<Block> {
        if bytes[CHECKSUM..] != checksum(bytes, run, at).to_le_bytes() {
            return None;
        }
        let mut words = [0; 8];
        for (word, from) in words.iter_mut().zip(bytes.as_chunks::<8>().0) {
            *word = u64::from_le_bytes(*from);
        }
        Some(Block(words))
    }
}

fn checksum(bytes: &[u8; Block::BYTES], run: u32, at: usize) -> u32 {
    let place = crc32c::crc32c_append(run, &(at as u64).to_le_bytes());
    crc32c::crc32c_append(place, &bytes[..CHECKSUM])
}

#[cfg(test)]
mod tests {
    use super::Block;
    use crate::keys::pattern::Pattern;
    use crate::keys::tests::spread;

    #[test]
    fn a_block_holds_what_was_set_and_survives_its_bytes() {
        let mut block = Block::EMPTY;
        assert!(!block.holds(&Pattern::of(5)));
        block.set(&Pattern::of(5));
        block.set(&Pattern::of(u64::MAX));
        let block = Block::from_bytes(&block.to_bytes(7, 8), 7, 8).unwrap();
        assert!(block.holds(&Pattern::of(5)));
        assert!(block.holds(&Pattern::of(u64::MAX)));
        assert!(!block.holds(&Pattern::of(6)));
    }

    #[test]
    fn any_flipped_bit_another_place_and_zeros_are_noticed() {
        let mut block = Block::EMPTY;
        (0..1_000).for_each(|key| block.set(&Pattern::of(spread(key))));
        let mut bytes = block.to_bytes(7, 8);
        assert!(Block::from_bytes(&bytes, 7, 9).is_none());
        assert!(Block::from_bytes(&bytes, 8, 8).is_none());
        assert!(Block::from_bytes(&[0; Block::BYTES], 7, 8).is_none());
        for bit in 0..Block::BYTES * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(Block::from_bytes(&bytes, 7, 8).is_none(), "bit {bit}");
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        assert!(Block::from_bytes(&bytes, 7, 8).unwrap().holds(&Pattern::of(spread(1))), "checksum and bits are apart");
    }
}
