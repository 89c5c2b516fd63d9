//! Tests of the store as a whole, over real files.

mod blocks;
mod conformance;
mod damage;
mod lanes;
mod opening;
mod paging;
mod purging;
mod room;
mod sample;
mod schedules;
mod wal;
