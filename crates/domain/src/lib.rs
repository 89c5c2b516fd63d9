//! Values and pure decisions of ackd: job, lifecycle, retry, lease, change. No I/O.
