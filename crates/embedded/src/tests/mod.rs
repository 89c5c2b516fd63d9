//! Tests of the store as a whole, over real files.

mod conformance;
mod damage;
mod opening;
mod paging;
mod purging;
mod room;
mod sample;
