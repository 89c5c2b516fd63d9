//! Posts webhooks and pushed jobs over HTTP/1.1: webhooks signed as Standard Webhooks 1.0.0 says, all over pooled
//! connections, and to no address of the server's own network.
//!
//! Whoever names a URL may be hostile, and so may be the name server and the receiver behind it. So each connection
//! looks its name up anew, judges the address it is about to connect to, and connects to that very address; nothing
//! else looks the name up again. What a receiver sends back is read against limits of size and time.

mod address;
mod allow;
mod body;
mod cache;
mod connect;
mod connection;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod outbound;
mod own;
mod pool;
mod resolve;
mod retry_after;
mod sign;
mod stream;
mod target;
mod tls;

pub use allow::{Allow, Cidr, CidrError};
pub use outbound::{BODY_BYTES, HEAD_BYTES, HttpOutbound, Options};
pub use own::OwnAddresses;
pub use resolve::{Resolve, Resolved, SystemResolver};
pub use rustls::RootCertStore;
