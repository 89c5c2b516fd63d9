//! A folder keeps files as every store must, and what a killed process left does not stay.

use std::fs;
use std::future::poll_fn;
use std::path::Path;

use ackd_conformance as conformance;
use ackd_domain::FileId;
use ackd_files::Store;
use ackd_ports::{FileStore, FileStoreError};

#[tokio::test]
async fn a_folder_is_a_store_of_files() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path().join("a/b");
    let open = || -> Box<dyn FileStore> { Box::new(Store::in_folder(&folder).unwrap()) };
    conformance::files::exercise(&*open(), open).await;
}

/// Not [`FileStoreError::Failed`], after which it would be read again and again.
#[tokio::test]
async fn a_file_that_was_cut_ends_early() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::in_folder(directory.path()).unwrap();
    let id = FileId::new(7);
    let mut upload = store.create(id, "text/plain");
    upload.write("miaow".into()).await.unwrap();
    upload.finish().await.unwrap();
    for (left, range, end) in
        [("mia", 0..5, "mia"), ("mia", 1..5, "ia"), ("mia", 4..5, ""), ("", 0..5, ""), ("", 1..5, "")]
    {
        fs::write(directory.path().join(id.to_string()), left).unwrap();
        let mut download = store.read(id, range.clone()).await.unwrap();
        let mut came = Vec::new();
        while let Some(bytes) = poll_fn(|cx| download.poll_next(cx)).await {
            came.extend_from_slice(&bytes.unwrap());
        }
        assert_eq!(came, end.as_bytes(), "{range:?} of {left:?}");
    }
}

#[tokio::test]
async fn a_file_is_not_missing_where_the_folder_is() {
    let directory = tempfile::tempdir().unwrap();
    let (folder, away) = (directory.path().join("files"), directory.path().join("away"));
    let store = Store::in_folder(&folder).unwrap();
    let id = FileId::new(7);
    assert!(matches!(store.read(id, 0..5).await.err(), Some(FileStoreError::Missing(lost)) if lost == id));
    fs::rename(&folder, &away).unwrap();
    assert!(matches!(store.read(id, 0..5).await.err(), Some(FileStoreError::Failed(_))));
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder can be read");
    entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

#[tokio::test]
async fn what_a_killed_process_left_of_an_upload_is_deleted_at_the_start() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::in_folder(directory.path()).unwrap();
    let mut upload = store.create(FileId::new(7), "text/plain");
    upload.write(vec![0; 2 << 20].into()).await.unwrap();
    // It is never dropped, as it is not when the process is killed.
    std::mem::forget(upload);
    fs::write(directory.path().join("notes#1"), "somebody else's").unwrap();
    assert_eq!(names(directory.path()).len(), 2);
    Store::in_folder(directory.path()).unwrap();
    assert_eq!(names(directory.path()), ["notes#1"]);
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    let error = Store::in_folder(&file.join("folder")).unwrap_err().to_string();
    assert!(error.contains("file/folder"), "{error}");
}
