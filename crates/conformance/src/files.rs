//! What every store of files must do.

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::ops::Range;
use std::task::Poll;

use ackd_domain::FileId;
use bytes::Bytes;

use ackd_ports::{FileStore, FileStoreError};

/// What a store may buffer of an upload: files are tried around multiples of it too.
const PART: usize = 1 << 20;

/// Exercises `files`, which nobody else uses meanwhile and which may hold other files. `open` opens the same store anew, as a
/// restart does, beside the first.
///
/// # Panics
/// Where it does not do what [`FileStore`] says.
pub async fn exercise(files: &dyn FileStore, open: impl Fn() -> Box<dyn FileStore>) {
    what_is_written_can_be_read(files).await;
    a_range_is_what_it_says(files).await;
    an_upload_is_seen_only_when_it_is_finished(files).await;
    an_upload_that_breaks_off_leaves_nothing(files).await;
    what_is_deleted_is_gone(files).await;
    what_is_finished_is_there_after_a_restart(files, &open).await;
}

async fn what_is_written_can_be_read(files: &dyn FileStore) {
    for (at, size) in [0, 1, PART - 1, PART, PART + 1, 9 * PART + 7].into_iter().enumerate() {
        let (id, bytes) = (FileId::new(100 + at as u128), pattern(size));
        write(files, id, &bytes, 100_000).await;
        assert!(read(files, id, 0..size as u64).await.as_ref() == Ok(&bytes), "a file of {size} bytes");
        files.delete(id).await.unwrap_or_else(|error| panic!("{error}"));
    }
    let (id, bytes) = (FileId::new(u128::MAX), pattern(10_000));
    write(files, id, &bytes, 1).await;
    assert!(read(files, id, 0..10_000).await == Ok(bytes), "a file written a byte at a time");
    assert!(ids(files).await.contains(&id), "a file is told of");
    files.delete(id).await.unwrap_or_else(|error| panic!("{error}"));
}

async fn a_range_is_what_it_says(files: &dyn FileStore) {
    let (id, bytes) = (FileId::new(200), pattern(2 * PART + 3));
    write(files, id, &bytes, PART).await;
    let all = bytes.len() as u64;
    for range in [0..1, all - 1..all, 0..all, 5..5, all..all, PART as u64 - 1..PART as u64 + 2, 1..all - 1] {
        let part = &bytes[at(range.start)..at(range.end)];
        assert!(read(files, id, range.clone()).await.as_deref() == Ok(part), "the bytes {range:?}");
    }
    files.delete(id).await.unwrap_or_else(|error| panic!("{error}"));
}

async fn an_upload_is_seen_only_when_it_is_finished(files: &dyn FileStore) {
    let (id, bytes) = (FileId::new(300), pattern(3 * PART));
    let mut upload = files.create(id, "image/png");
    for part in bytes.chunks(PART) {
        upload.write(Bytes::copy_from_slice(part)).await.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(read(files, id, 0..1).await, Err(FileStoreError::Missing(id)), "a part of an upload is read");
        assert!(!ids(files).await.contains(&id), "an upload is told of before it is finished");
    }
    upload.finish().await.unwrap_or_else(|error| panic!("{error}"));
    assert!(read(files, id, 0..bytes.len() as u64).await == Ok(bytes));
    files.delete(id).await.unwrap_or_else(|error| panic!("{error}"));
}

async fn an_upload_that_breaks_off_leaves_nothing(files: &dyn FileStore) {
    for (at, parts) in [0, 1, 3].into_iter().enumerate() {
        let id = FileId::new(400 + at as u128);
        let mut upload = files.create(id, "text/plain");
        for _ in 0..parts {
            upload.write(pattern(PART)).await.unwrap_or_else(|error| panic!("{error}"));
        }
        drop(upload);
        assert_eq!(read(files, id, 0..1).await, Err(FileStoreError::Missing(id)), "what broke off is read");
        assert!(!ids(files).await.contains(&id), "what broke off is told of");
    }
}

async fn what_is_deleted_is_gone(files: &dyn FileStore) {
    let (one, other) = (FileId::new(500), FileId::new(501));
    for id in [one, other] {
        write(files, id, &pattern(10), 10).await;
    }
    // The second time there is nothing to delete, which is as well.
    for _ in 0..2 {
        files.delete(one).await.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(read(files, one, 0..1).await, Err(FileStoreError::Missing(one)), "what is deleted is read");
    }
    let left = ids(files).await;
    assert!(!left.contains(&one) && left.contains(&other), "deleting a file deletes it, and no other");
    files.delete(other).await.unwrap_or_else(|error| panic!("{error}"));
}

async fn what_is_finished_is_there_after_a_restart(files: &dyn FileStore, open: &impl Fn() -> Box<dyn FileStore>) {
    let (id, bytes) = (FileId::new(600), pattern(PART + 1));
    write(files, id, &bytes, PART).await;
    let again = open();
    assert!(read(&*again, id, 0..bytes.len() as u64).await == Ok(bytes), "a file is there after a restart");
    assert!(ids(&*again).await.contains(&id), "a file is told of after a restart");
    again.delete(id).await.unwrap_or_else(|error| panic!("{error}"));
}

async fn write(files: &dyn FileStore, id: FileId, bytes: &Bytes, chunk: usize) {
    let mut upload = files.create(id, "application/octet-stream");
    for part in bytes.chunks(chunk) {
        upload.write(Bytes::copy_from_slice(part)).await.unwrap_or_else(|error| panic!("{error}"));
    }
    upload.finish().await.unwrap_or_else(|error| panic!("{error}"));
}

async fn read(files: &dyn FileStore, id: FileId, range: Range<u64>) -> Result<Bytes, FileStoreError> {
    let mut download = files.read(id, range).await?;
    let mut bytes = Vec::new();
    loop {
        match poll_fn(|cx| download.poll_next(cx)).await {
            Some(Ok(next)) => {
                assert!(!next.is_empty(), "a download gives bytes, or ends");
                bytes.extend_from_slice(&next);
            }
            Some(Err(error)) => return Err(error),
            None => break,
        }
    }
    let ended = poll_fn(|cx| Poll::Ready(matches!(download.poll_next(cx), Poll::Ready(None)))).await;
    assert!(ended, "a download that has ended goes on");
    Ok(bytes.into())
}

async fn ids(files: &dyn FileStore) -> BTreeSet<FileId> {
    let (mut listing, mut ids) = (files.list(), BTreeSet::new());
    loop {
        let page = listing.next_page().await.unwrap_or_else(|error| panic!("{error}"));
        if page.is_empty() {
            return ids;
        }
        assert!(page.len() <= 1000, "a page is bounded");
        ids.extend(page);
    }
}

/// Bytes of which no two parts are alike.
fn pattern(size: usize) -> Bytes {
    (0..size).map(|at| (at ^ (at >> 8) ^ (at >> 16)).to_le_bytes()[0]).collect()
}

fn at(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}
