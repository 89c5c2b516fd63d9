//! The server's allocator, and how soon it gives back what is free.
//!
//! Much is allocated on one thread and freed on another, for which the system's allocator takes locks: a tenth of the
//! processor time of a job (docs/performance.md).

use std::ffi::{c_int, c_long};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// `mi_option_purge_delay` of mimalloc.h. The crate that binds it names no constant for it; the test holds it against the
/// value that the option begins with.
const PURGE_DELAY: c_int = 15;

/// Milliseconds that free memory is kept for whoever wants it next. mimalloc's own second makes the server some 5 MiB larger under
/// load; with this nothing of the rate is lost, and at 0 five to ten per cent are.
const KEPT_MILLIS: c_long = 100;

/// Sets how soon free memory is given back to the system, unless the environment says otherwise (`MIMALLOC_PURGE_DELAY`,
/// milliseconds). To be called first thing in `main`.
#[allow(unsafe_code, reason = "the options of mimalloc have no safe form")]
pub fn give_back_early() {
    // SAFETY: `PURGE_DELAY` is one of mimalloc's options, so that the write is within its table of them. It is not synchronised
    // with threads that read the option, and there are none yet; a number torn in two would be another delay and nothing worse.
    unsafe { libmimalloc_sys::mi_option_set_default(PURGE_DELAY, KEPT_MILLIS) }
}

#[cfg(test)]
#[allow(unsafe_code, reason = "the options of mimalloc have no safe form")]
mod tests {
    use super::*;

    #[test]
    fn the_option_is_the_delay_of_the_purge() {
        if std::env::var_os("MIMALLOC_PURGE_DELAY").is_some() {
            return;
        }
        // SAFETY: reads a number of mimalloc's table of options.
        let delay = || unsafe { libmimalloc_sys::mi_option_get(PURGE_DELAY) };
        assert_eq!(delay(), 1000, "what mimalloc begins with: has the option another number now?");
        give_back_early();
        assert_eq!(delay(), KEPT_MILLIS);
    }
}
