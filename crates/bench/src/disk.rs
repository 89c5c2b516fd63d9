//! What the disk can do: the bound of everything that waits for it.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::report::Quantiles;

/// How long `fdatasync` takes after overwriting 4 KiB of a file whose blocks are written already. Between two of them
/// the machine stands idle for `pause`: a processor and a disk that have to be woken take longer.
pub(crate) fn fdatasync(dir: &Path, for_so_long: Duration, pause: Duration) -> io::Result<Quantiles> {
    const BLOCKS: u64 = 256;
    let path = dir.join("fdatasync");
    let file = OpenOptions::new().create(true).truncate(true).write(true).open(&path)?;
    for block in 0..BLOCKS {
        file.write_all_at(&[1; 4096], block * 4096)?;
    }
    file.sync_all()?;
    let mut took = Vec::new();
    let started = Instant::now();
    let mut block = 0;
    while started.elapsed() < for_so_long {
        block = (block + 1) % BLOCKS;
        if !pause.is_zero() {
            std::thread::sleep(pause);
        }
        let before = Instant::now();
        file.write_all_at(&[2; 4096], block * 4096)?;
        file.sync_data()?;
        took.push(before.elapsed());
    }
    std::fs::remove_file(path)?;
    Ok(Quantiles::of(took))
}
