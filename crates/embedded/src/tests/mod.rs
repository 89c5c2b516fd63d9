//! Tests of the store as a whole, over real files.

mod conformance;
