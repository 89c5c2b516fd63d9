//! The load generator and the bounds behind cargo xtask bench.

fn main() {}
