use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::block::Block;
use super::entry::place;
use super::pattern::Pattern;

/// Keys a block is made for: 12.2 of its bits a key, of which eight are looked at, let about one miss
/// in 180 through.
const KEYS_PER_BLOCK: usize = 42;
/// Blocks in a piece of memory. Pieces of one size, unlike whole filters, fit where others have been:
/// an allocator that cannot move them would otherwise keep half as much again.
const CHUNK: usize = 1024;

/// The blocks that a run of so many entries gets.
pub(super) const fn blocks_for(entries: usize) -> usize {
    entries.div_ceil(KEYS_PER_BLOCK)
}

/// A run's Bloom filter in memory.
pub(super) struct Filter {
    /// All of [`CHUNK`] blocks but the last.
    chunks: Vec<Box<[Block]>>,
    blocks: usize,
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
    /// Takes `blocks` blocks from `read`, which is told how many have been read before.
    pub(super) fn load<E>(
        blocks: usize,
        meter: &Meter,
        mut read: impl FnMut(usize) -> Result<Block, E>,
    ) -> Result<Filter, E> {
        let chunks =
            (0..blocks).step_by(CHUNK).map(|start| (start..blocks.min(start + CHUNK)).map(&mut read).collect());
        let chunks = chunks.collect::<Result<_, E>>()?;
        meter.0.fetch_add(blocks * Block::BYTES, Ordering::Relaxed);
        Ok(Filter { chunks, blocks, meter: meter.clone() })
    }

    /// False if the run has no key with this hash.
    #[inline]
    pub(super) fn may_hold(&self, pattern: &Pattern) -> bool {
        let at = place(pattern.hash, self.blocks);
        self.chunks[at / CHUNK][at % CHUNK].holds(pattern)
    }
}

impl Drop for Filter {
    fn drop(&mut self) {
        self.meter.0.fetch_sub(self.blocks * Block::BYTES, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::{CHUNK, Filter, Meter, blocks_for};
    use crate::keys::block::Block;
    use crate::keys::entry::place;
    use crate::keys::pattern::Pattern;
    use crate::keys::tests::spread;

    #[test]
    fn a_filter_knows_its_keys_and_few_others() {
        let keys = 100_000;
        let mut blocks = vec![Block::EMPTY; blocks_for(keys)];
        assert!(blocks.len() > 2 * CHUNK);
        for hash in (0..keys as u64).map(spread) {
            let at = place(hash, blocks.len());
            blocks[at].set(&Pattern::of(hash));
        }
        let meter = Meter::default();
        let filter = Filter::load(blocks.len(), &meter, |at| Ok::<_, ()>(blocks[at])).unwrap();
        assert_eq!(meter.bytes(), keys.div_ceil(42) * 64);
        assert!((0..keys as u64).all(|key| filter.may_hold(&Pattern::of(spread(key)))));
        let mistaken = (1 << 32..(1 << 32) + 100_000).filter(|key| filter.may_hold(&Pattern::of(spread(*key)))).count();
        assert!(mistaken < 800, "{mistaken} of 100000 misses come through");
        drop(filter);
        assert_eq!(meter.bytes(), 0);
    }

    #[test]
    fn what_cannot_be_read_makes_no_filter() {
        let meter = Meter::default();
        let read = |at| if at == CHUNK { Err("damaged") } else { Ok(Block::EMPTY) };
        assert_eq!(Filter::load(CHUNK + 1, &meter, read).err(), Some("damaged"));
        assert_eq!(meter.bytes(), 0);
        assert!(Filter::load(CHUNK, &meter, read).is_ok());
    }
}
