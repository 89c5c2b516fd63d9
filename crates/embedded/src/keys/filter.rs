use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::block::Block;
use super::entry::place;
use super::pattern::Pattern;

/// Keys a block is made for: 12.2 bits a key, of which eight are looked at, let about one miss in
/// 200 through.
const KEYS_PER_BLOCK: usize = 42;

/// The blocks that a run of so many entries gets.
pub(super) const fn blocks_for(entries: usize) -> usize {
    entries.div_ceil(KEYS_PER_BLOCK)
}

/// A run's Bloom filter in memory.
pub(super) struct Filter {
    blocks: Box<[Block]>,
    meter: Meter,
}

/// The bytes that the filters in memory take together, those of views that are still being read too.
#[derive(Clone, Default)]
pub(super) struct Meter(Arc<AtomicUsize>);

impl Meter {
    pub(super) fn bytes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Filter {
    pub(super) fn new(blocks: Vec<Block>, meter: &Meter) -> Filter {
        meter.0.fetch_add(blocks.len() * Block::BYTES, Ordering::Relaxed);
        Filter { blocks: blocks.into_boxed_slice(), meter: meter.clone() }
    }

    /// False if the run has no key with this hash.
    #[inline]
    pub(super) fn may_hold(&self, pattern: &Pattern) -> bool {
        self.blocks[place(pattern.hash, self.blocks.len())].holds(pattern)
    }
}

impl Drop for Filter {
    fn drop(&mut self) {
        self.meter.0.fetch_sub(self.blocks.len() * Block::BYTES, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::{Filter, Meter, blocks_for};
    use crate::keys::block::Block;
    use crate::keys::entry::place;
    use crate::keys::pattern::Pattern;
    use crate::keys::tests::spread;

    #[test]
    fn a_filter_knows_its_keys_and_few_others() {
        let keys = 100_000;
        let mut blocks = vec![Block::EMPTY; blocks_for(keys)];
        for hash in (0..keys as u64).map(spread) {
            let at = place(hash, blocks.len());
            blocks[at].set(&Pattern::of(hash));
        }
        let meter = Meter::default();
        let filter = Filter::new(blocks, &meter);
        assert_eq!(meter.bytes(), keys.div_ceil(42) * 64);
        assert!((0..keys as u64).all(|key| filter.may_hold(&Pattern::of(spread(key)))));
        let mistaken = (1 << 32..(1 << 32) + 100_000).filter(|key| filter.may_hold(&Pattern::of(spread(*key)))).count();
        assert!(mistaken < 1_000, "{mistaken} of 100000 misses come through");
        drop(filter);
        assert_eq!(meter.bytes(), 0);
    }
}
