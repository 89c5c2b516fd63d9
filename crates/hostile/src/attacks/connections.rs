//! Very many connections that are over as soon as they are made.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use tokio::io::AsyncWriteExt;
use tokio::task::JoinSet;

use super::opened::Opened;
use crate::attack::Tally;

/// So many at a time.
const AT_ONCE: usize = 200;

/// What is sent before a connection is closed: nothing, half a request, or one whose answer nobody waits for.
const SENT: [&[u8]; 3] = [b"", b"GET /healthz HTTP/1.1\r\nhos", b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n"];

pub(super) async fn run(count: usize, addr: SocketAddr, tally: &Arc<Tally>) {
    tally.is_ready();
    let next = Rc::new(Cell::new(0));
    let mut workers = JoinSet::new();
    for _ in 0..AT_ONCE {
        let (next, tally) = (Rc::clone(&next), Arc::clone(tally));
        workers.spawn_local(async move {
            while next.get() < count {
                let at = next.replace(next.get() + 1);
                // One that is refused is one of them too.
                let _ = one(SENT[at % SENT.len()], addr, &tally).await;
            }
        });
    }
    while workers.join_next().await.is_some() {}
    tally.is_done();
}

async fn one(sent: &[u8], addr: SocketAddr, tally: &Arc<Tally>) -> io::Result<()> {
    let mut opened = Opened::connect(addr, tally).await?;
    opened.stream.write_all(sent).await
}
