//! The Rust client of ackd: Client and Worker.
