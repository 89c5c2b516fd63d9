mod bounds;
mod crash;
mod damage;
mod faulty_disk;
mod model;
mod recovery;
mod retire;
mod trouble;
mod world;

/// Spreads small numbers over all hashes, each on one of its own (the finalizer of splitmix64).
pub(super) fn spread(key: u64) -> u64 {
    let key = (key ^ key >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let key = (key ^ key >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    key ^ key >> 31
}
