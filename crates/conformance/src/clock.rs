//! What every clock must do.

use ackd_domain::Timestamp;

use ackd_ports::Clock;

/// Exercises `clock`.
///
/// # Panics
/// Where it does not do what [`Clock`] says.
pub fn exercise(clock: &dyn Clock) {
    let mut last = clock.monotonic();
    for _ in 0..10_000 {
        let now = clock.monotonic();
        assert!(now >= last, "monotonic time ran backwards, from {last:?} to {now:?}");
        last = now;
    }
    assert!(clock.now() < Timestamp::MAX, "the wall clock is past the last time that can be written");
}
