use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use ackd_domain::{Command, Position};
use ackd_ports::{ChangeFeed, LedgerReader};

use super::sample::{small, submission, try_apply, try_open};
use crate::Options;
use crate::checkpoint::{MOST, READERS};

#[test]
fn the_log_stays_short_however_much_is_written_and_read() {
    let directory = tempfile::tempdir().unwrap();
    let checkpoint_at = 64 << 10;
    let options = Options { checkpoint_at, readers: 2, ..small() };
    let mut store = try_open(directory.path(), &options).unwrap();
    let reader = &store.reader.clone();
    let (done, reads) = (&AtomicBool::new(false), &AtomicU64::new(0));
    // Reads that took so long, for want of a processor, that a copy of the log may have given them up.
    let slow = &AtomicU64::new(0);
    let mut longest = 0;
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                let began = Instant::now();
                let changes = reader.changes(Position::START, 10).unwrap();
                slow.fetch_add(u64::from(began.elapsed() >= READERS * 9 / 10), Ordering::Relaxed);
                assert!(changes.iter().zip(1..).all(|(change, position)| change.position == Position(position)));
                reads.fetch_add(1, Ordering::Relaxed);
            }
        });
        for _ in 0..300 {
            let read = reads.load(Ordering::Relaxed);
            // A reader that gets no processor would keep the log for as long as that lasts.
            while reads.load(Ordering::Relaxed) == read {
                thread::yield_now();
            }
            let mut large = submission("video");
            large.payload.bytes = vec![b'7'; 2000].into();
            try_apply(&mut store, vec![Command::Submit(vec![large; 8])]).unwrap();
            let log = directory.path().join("ackd.db-wal").metadata().unwrap().len();
            longest = longest.max(log);
        }
        done.store(true, Ordering::Relaxed);
    });
    // 15 MiB were written. Where no read was slow, a reader may keep a copy from ending once or twice; one that was keeps at
    // most one, after which the log grows by a step, and by what the writer may be ahead.
    let most = 32 + slow.load(Ordering::Relaxed) * (1 + MOST);
    assert!(longest < most * checkpoint_at, "the write-ahead log had {longest} bytes, {slow:?} reads were slow");
    assert_eq!(reader.counts().unwrap()[0].by_status[0], 2400);
    // What was said of a copy that was kept from ending is taken back by the next, when the log has grown again.
    let mut more = 0;
    while !reader.trouble().is_empty() {
        assert!(more < 10_000, "{:?}", reader.trouble());
        try_apply(&mut store, vec![Command::Submit(vec![submission("video"); 8])]).unwrap();
        more += 1;
    }
}
