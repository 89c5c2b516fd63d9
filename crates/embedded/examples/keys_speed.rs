//! Measures the index of idempotency keys: `cargo run --release -p ackd-embedded --example keys_speed [keys]`.
//!
//! Inserts random hashes (10 million unless told), each after a lookup that must miss, as the writer
//! of the ledger would; then looks up misses and hits, and opens the index again.

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use ackd_embedded::keys::{KeyHasher, KeyIndex, KeyIndexError, Options};

fn main() -> Result<(), Box<dyn Error>> {
    let keys: u64 = std::env::args().nth(1).map_or(Ok(10_000_000), |keys| keys.parse())?;
    let folder = tempfile::tempdir()?;
    let hasher = KeyHasher::new([7; 16]);
    let mut numbers = Vec::new();

    let mut index = KeyIndex::open(folder.path(), &hasher, 0..0, Options::default())?;
    let (start, mut lap) = (Instant::now(), Instant::now());
    let (mut slowest, mut found) = (0.0_f64, 0);
    for number in 0..keys {
        let began = number.is_multiple_of(64).then(Instant::now);
        index.candidates(hash(number), &mut numbers)?;
        found += numbers.len();
        index.insert(hash(number), number);
        if let Some(began) = began {
            slowest = slowest.max(began.elapsed().as_secs_f64());
        }
        if (number + 1).is_multiple_of(1_000_000) {
            let rate = 1.0 / lap.elapsed().as_secs_f64();
            println!("{:>4} M keys: {rate:.2} M pairs/s, {}", (number + 1) / 1_000_000, memory()?);
            lap = Instant::now();
        }
    }
    let rate = keys as f64 / start.elapsed().as_secs_f64() / 1e6;
    println!("all: {rate:.2} M pairs/s, slowest sampled pair {:.2} ms, {found} found", slowest * 1e3);

    look_up(&mut index, "misses, maybe while merging", keys..keys + 2_000_000)?;
    settle(&mut index, folder.path())?;
    look_up(&mut index, "misses, at rest", keys..keys + 2_000_000)?;
    look_up(&mut index, "hits, at rest", 0..keys.min(1_000_000))?;
    println!("at rest: {}, {} on disk", memory()?, disk(folder.path())?);
    if let Some(trouble) = index.trouble() {
        println!("trouble: {trouble}");
    }
    drop(index);

    let start = Instant::now();
    let mut index = KeyIndex::open(folder.path(), &hasher, 0..keys, Options::default())?;
    println!("open: {:.2} ms, {} of {keys} covered", start.elapsed().as_secs_f64() * 1e3, index.covered());
    let start = Instant::now();
    index.candidates(hash(keys), &mut numbers)?;
    println!("first lookup after it: {:.3} ms", start.elapsed().as_secs_f64() * 1e3);
    Ok(())
}

fn look_up(index: &mut KeyIndex, what: &str, keys: std::ops::Range<u64>) -> Result<(), KeyIndexError> {
    let (mut numbers, mut found) = (Vec::new(), 0);
    let (start, count) = (Instant::now(), keys.end - keys.start);
    for key in keys {
        index.candidates(hash(key), &mut numbers)?;
        found += numbers.len();
    }
    let nanos = start.elapsed().as_secs_f64() * 1e9 / count as f64;
    println!("{what}: {nanos:.0} ns a lookup, {found} found in {count}");
    Ok(())
}

/// Returns when the background thread has made no change to the files for a while, during which
/// lookups let it give back what they used.
fn settle(index: &mut KeyIndex, folder: &Path) -> Result<(), Box<dyn Error>> {
    let (mut seen, mut since) = (disk(folder)?, Instant::now());
    while since.elapsed().as_millis() < 300 {
        index.candidates(0, &mut Vec::new())?;
        std::thread::yield_now();
        let now = disk(folder)?;
        if now != seen {
            (seen, since) = (now, Instant::now());
        }
    }
    Ok(())
}

/// The files of the index.
fn disk(folder: &Path) -> Result<String, Box<dyn Error>> {
    let (mut files, mut bytes) = (0, 0);
    for file in std::fs::read_dir(folder)? {
        files += 1;
        bytes += file?.metadata().map_or(0, |metadata| metadata.len());
    }
    Ok(format!("{files} files of {:.1} MB", bytes as f64 / 1e6))
}

/// What the process takes now and took at most.
fn memory() -> Result<String, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let lines = status.lines().filter(|line| line.starts_with("VmRSS") || line.starts_with("VmHWM"));
    Ok(lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>().join(", "))
}

/// Spreads numbers over all hashes (the finalizer of splitmix64).
fn hash(key: u64) -> u64 {
    let key = (key ^ key >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let key = (key ^ key >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    key ^ key >> 31
}
