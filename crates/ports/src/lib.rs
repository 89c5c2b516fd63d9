//! The traits ackd's engine needs, an in-memory ledger, and the conformance suites of every adapter.
