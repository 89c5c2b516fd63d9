//! Makes everything under the real server fail, and checks what its clients see.
//!
//! A [`Row`] is a kind of fault: a file in `rows/`. It has a `World`: a server under test (a binary over a data folder, `server.rs`)
//! on a disk (`disk.rs`), and clients over HTTP (`workload/`) that write down what they asked, were answered and saw. When
//! nothing fails any more everything must drain; then `ackd-checker` decides about the history. A seed repeats what a row
//! decides; when the answers come, between which the faults fall, is the machine's to say.
//!
//! A further store or broker under the server is a further [`Launch`]; a further fault a further file in `rows/`.

mod address;
mod chance;
mod disk;
mod document;
mod error;
mod fake_clock;
mod figures;
mod history;
mod http;
mod peers;
mod plan;
mod power;
mod proxy;
mod rows;
mod server;
mod verdict;
mod workload;
mod world;

pub use error::{ChaosError, Done};
pub use figures::Figures;
pub use peers::{Case, Loss, Peer};
pub use plan::Plan;
pub use rows::Row;
pub use server::Launch;
