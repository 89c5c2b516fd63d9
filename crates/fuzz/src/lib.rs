//! Inputs for the targets in `tests/targets`, one for each parser of bytes that others send.
//!
//! A target is a function of bytes that panics where a promise is broken. It has a folder of small inputs in `corpus`, which
//! people can read, and a file of `words`, what its parser knows. `cargo test` gives it the corpus and what [`Inputs::made_by`]
//! makes of both; under libFuzzer (`cargo xtask chaos fuzz`) the same inputs are where it begins, and what they cover of the
//! code decides which others are kept.

mod inputs;
mod words;

pub use inputs::{Input, Inputs};
