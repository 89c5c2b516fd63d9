//! What every source of chance must do.

use std::collections::BTreeSet;

use ackd_ports::Entropy;

/// Exercises `entropy`. No test shows that bits are random; this one shows that none stands still.
///
/// # Panics
/// Where it does not do what [`Entropy`] says.
pub fn exercise(entropy: &mut dyn Entropy) {
    let draws: Vec<u64> = (0..1000).map(|_| entropy.random()).collect();
    let distinct: BTreeSet<u64> = draws.iter().copied().collect();
    assert_eq!(distinct.len(), draws.len(), "1000 draws of 64 bits repeat themselves");
    for bit in 0..64 {
        let ones = draws.iter().filter(|draw| *draw >> bit & 1 == 1).count();
        // 1000 fair coins stay within these bounds but once in 10^23 runs.
        assert!((340..=660).contains(&ones), "bit {bit} is set in {ones} of 1000 draws");
    }
}
