//! PostgreSQL by way of its own `psql`.

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Instant;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::Command;
use tokio::time::sleep;

use super::Written;
use super::server::PATIENCE;
use crate::error::{Doing, Done, broken};
use crate::workload::AGAIN;

pub(super) async fn prepare(at: SocketAddr) -> Done {
    let started = Instant::now();
    loop {
        // While it recovers it refuses.
        let made = ask(at, "CREATE TABLE IF NOT EXISTS chaos (number bigint PRIMARY KEY, value text)").await;
        match made {
            Ok(_) => return Ok(()),
            Err(error) if started.elapsed() > PATIENCE => {
                return broken(format!("PostgreSQL does not come back: {error}"));
            }
            Err(_) => sleep(AGAIN).await,
        }
    }
}

/// Writes one number after the other, a transaction each, until the server is gone.
pub(super) async fn write(at: SocketAddr, written: &Written) -> io::Result<()> {
    let mut child = psql(at).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let (Some(mut stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(io::ErrorKind::BrokenPipe.into());
    };
    let (mut stdout, mut line) = (BufReader::new(stdout), String::new());
    loop {
        let number = written.next();
        let value = "x".repeat(100);
        let insert = format!("INSERT INTO chaos VALUES ({number}, '{value}') RETURNING number;\n");
        stdin.write_all(insert.as_bytes()).await?;
        line.clear();
        if stdout.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        if line.trim().parse() == Ok(number) {
            written.acknowledged(number);
        }
    }
}

pub(super) async fn present(at: SocketAddr) -> Done<BTreeSet<u64>> {
    let text = ask(at, "SELECT number FROM chaos").await.doing("PostgreSQL")?;
    Ok(text.lines().filter_map(|line| line.parse().ok()).collect())
}

async fn ask(at: SocketAddr, sql: &str) -> io::Result<String> {
    let output = psql(at).args(["-c", sql]).stdin(Stdio::null()).output().await?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned()))
}

fn psql(at: SocketAddr) -> Command {
    let mut command = Command::new("psql");
    command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-U", "chaos", "-d", "postgres"]);
    command.args(["-p", &at.port().to_string()]).kill_on_drop(true);
    command
}
