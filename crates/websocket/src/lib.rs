//! The WebSocket protocol (RFC 6455) as bytes in and bytes out: no I/O, no clock, no randomness of its own.
//!
//! [`Decoder`] takes what was read and gives messages; [`frame`] writes them; [`handshake`] holds what both sides
//! compute before the first frame. Extensions are not spoken, and every message is text: what ackd says is JSON.
//!
//! A decoder that waits for a message holds no memory beside itself, and one that has part of a message holds that
//! part, so that ten thousand silent sockets cost what ten thousand sockets must.

mod close;
mod decoder;
pub mod frame;
pub mod handshake;

pub use close::{Close, CloseCode};
pub use decoder::{Decoder, Incoming, Side, Violation};
