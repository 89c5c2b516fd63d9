use super::pattern::Pattern;

/// One block of a Bloom filter, as large as a cache line and never across two.
#[derive(Clone, Copy)]
#[repr(align(64))]
pub(super) struct Block([u64; 8]);

impl Block {
    pub(super) const BYTES: usize = 64;
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

    pub(super) fn to_bytes(self) -> [u8; Block::BYTES] {
        let mut bytes = [0; Block::BYTES];
        for (word, into) in self.0.iter().zip(bytes.as_chunks_mut::<8>().0) {
            *into = word.to_le_bytes();
        }
        bytes
    }

    pub(super) fn from_bytes(bytes: &[u8; Block::BYTES]) -> Block {
        let mut words = [0; 8];
        for (word, from) in words.iter_mut().zip(bytes.as_chunks::<8>().0) {
            *word = u64::from_le_bytes(*from);
        }
        Block(words)
    }
}

#[cfg(test)]
mod tests {
    use super::Block;
    use crate::keys::pattern::Pattern;

    #[test]
    fn a_block_holds_what_was_set_and_survives_its_bytes() {
        let mut block = Block::EMPTY;
        assert!(!block.holds(&Pattern::of(5)));
        block.set(&Pattern::of(5));
        block.set(&Pattern::of(u64::MAX));
        let block = Block::from_bytes(&block.to_bytes());
        assert!(block.holds(&Pattern::of(5)));
        assert!(block.holds(&Pattern::of(u64::MAX)));
        assert!(!block.holds(&Pattern::of(6)));
    }
}
