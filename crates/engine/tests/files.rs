//! Files that nobody needs go, whatever of the others does not.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use ackd_domain::{Command, FileId, Name};
use ackd_engine::{Engine, FileKeeper, Files};
use ackd_memory::MemoryFiles;
use ackd_ports::SystemClock;

/// Files that nobody needs, in the order in which they are found.
async fn unneeded(files: &Files, engine: &Engine, count: usize) -> Vec<FileId> {
    let mut ids = Vec::new();
    for at in 0..count {
        let receiving = files.receive("text/plain".into());
        let received = receiving.finish().await.unwrap();
        ids.push(received.file().id);
        let name = Name::new(&format!("f{at}")).unwrap();
        let put = Command::PutFile {
            name: name.clone(),
            file: received.file().clone(),
            expires_in: Duration::from_hours(1),
            replace: false,
        };
        received.commit(put).await.unwrap().remove(0).unwrap();
        engine.run(vec![Command::DeleteFile { name }]).await.unwrap().remove(0).unwrap();
    }
    ids
}

/// Lets the keeper go on until these are the files that are left, in the store and in the ledger.
async fn until_left(store: &MemoryFiles, files: &Files, all: &[FileId], left: &[FileId]) {
    let waited = async {
        loop {
            let mut known = Vec::new();
            for id in all {
                known.extend(files.file(*id).await.unwrap().map(|file| file.id));
            }
            if store.ids() == left && known == left {
                return;
            }
            // The clock is paused.
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_hours(1), waited).await;
    assert!(waited.is_ok(), "{:?} are left, and not {left:?}", store.ids());
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_deleted_does_not_keep_the_others() {
    let (engine, _) = common::engine(Arc::new(SystemClock::start()));
    let store = MemoryFiles::default();
    let files = Files::new(engine.clone(), Arc::new(store.clone()), 1);
    // More cannot be deleted than are tried at once; of the others the first is among them, and the last behind all.
    let ids = unneeded(&files, &engine, 300).await;
    let (kept, gone): (Vec<_>, Vec<_>) = ids.iter().partition(|id| !matches!(id.bits() & 0xffff, 50 | 250..));
    kept.iter().for_each(|id| store.stick(*id, true));
    assert!(kept.len() > 200 && gone.len() > 40);
    let keeper = FileKeeper::start(files.clone());
    until_left(&store, &files, &ids, &kept).await;
    // They are tried again.
    let stuck = kept[kept.len() - 1];
    kept.iter().filter(|id| **id != stuck).for_each(|id| store.stick(*id, false));
    until_left(&store, &files, &ids, &[stuck]).await;
    keeper.stop().await;
    engine.stop();
}

#[tokio::test(start_paused = true)]
async fn a_store_that_does_not_list_what_it_has_deletes_it() {
    let (engine, _) = common::engine(Arc::new(SystemClock::start()));
    let store = MemoryFiles::default();
    let files = Files::new(engine.clone(), Arc::new(store.clone()), 1);
    store.hide();
    let ids = unneeded(&files, &engine, 3).await;
    let keeper = FileKeeper::start(files.clone());
    until_left(&store, &files, &ids, &[]).await;
    keeper.stop().await;
    engine.stop();
}
