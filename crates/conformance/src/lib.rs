//! What every adapter must do. One `exercise` per port, which each adapter's tests call.
//!
//! The suites are ordinary code that panics where the port's documentation is not kept, and says how.

pub mod clock;
pub mod entropy;
pub mod files;
pub mod ledger;
pub mod outbound;
