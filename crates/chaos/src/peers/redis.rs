//! The protocol of Redis, as far as it is needed here (RESP, version 2).

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::time::Instant;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::sleep;

use super::Written;
use super::server::PATIENCE;
use crate::error::{Doing, Done, broken};
use crate::workload::AGAIN;

/// How many keys are asked for at once.
const AT_ONCE: usize = 500;

pub(super) async fn prepare(at: SocketAddr) -> Done {
    let started = Instant::now();
    loop {
        // While it loads what it has it answers otherwise.
        if ask(at, "PING").await.is_ok_and(|line| line == "+PONG") {
            return Ok(());
        }
        if started.elapsed() > PATIENCE {
            return broken("Redis does not come back");
        }
        sleep(AGAIN).await;
    }
}

/// Writes one number after the other until the server is gone.
pub(super) async fn write(at: SocketAddr, written: &Written) -> io::Result<()> {
    let mut stream = connect(at).await?;
    loop {
        let number = written.next();
        let value = "x".repeat(100);
        stream.get_mut().write_all(format!("SET {number} {value}\r\n").as_bytes()).await?;
        if line(&mut stream).await? == "+OK" {
            written.acknowledged(number);
        }
    }
}

pub(super) async fn present(at: SocketAddr, of: &BTreeSet<u64>) -> Done<BTreeSet<u64>> {
    let numbers: Vec<u64> = of.iter().copied().collect();
    let mut present = BTreeSet::new();
    let mut stream = connect(at).await.doing("Redis")?;
    for part in numbers.chunks(AT_ONCE) {
        let names: Vec<String> = part.iter().map(u64::to_string).collect();
        stream.get_mut().write_all(format!("MGET {}\r\n", names.join(" ")).as_bytes()).await.doing("Redis")?;
        line(&mut stream).await.doing("Redis")?;
        for number in part {
            let length = line(&mut stream).await.doing("Redis")?;
            let Some(length) = length.strip_prefix('$').and_then(|text| text.parse::<usize>().ok()) else { continue };
            let mut value = vec![0; length + 2];
            stream.read_exact(&mut value).await.doing("Redis")?;
            present.insert(*number);
        }
    }
    Ok(present)
}

async fn ask(at: SocketAddr, command: &str) -> io::Result<String> {
    let mut stream = connect(at).await?;
    stream.get_mut().write_all(format!("{command}\r\n").as_bytes()).await?;
    line(&mut stream).await
}

async fn connect(at: SocketAddr) -> io::Result<BufReader<TcpStream>> {
    let stream = TcpStream::connect(at).await?;
    stream.set_nodelay(true)?;
    Ok(BufReader::new(stream))
}

async fn line(stream: &mut BufReader<TcpStream>) -> io::Result<String> {
    let mut line = String::new();
    match stream.read_line(&mut line).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(line.trim_end().to_owned()),
    }
}
