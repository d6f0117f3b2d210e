//! Tests of the store as a whole, against the model in memory.

use std::path::Path;

use beatbook_core::store::{StoreError, Table};

use super::*;

pub(crate) fn small() -> Options {
    Options {
        pin_cost: PinCost {
            memory_kib: 8,
            passes: 1,
            lanes: 1,
        },
        ..Options::default()
    }
}

fn put(store: &Store, key: &str, value: &[u8]) -> Result<(), StoreError> {
    let (key, value) = (key.to_owned(), value.to_vec());
    store
        .commit(move |transaction| {
            transaction.put(Table::Entries, key, value);
            Ok(())
        })
        .map(Durable::into_inner)
}

fn value(store: &Store, key: &str) -> Option<Vec<u8>> {
    store
        .read(|read| read.get(Table::Entries, key.as_bytes()))
        .expect("read")
}

fn open(dir: &Path) -> (Store, OpenReport) {
    Store::open(dir, &Unlock::pin("2580"), small()).expect("open")
}

#[test]
fn what_was_committed_is_there_after_close_and_after_drop() {
    let folder = tempfile::tempdir().expect("folder");
    let dir = folder.path().join("store");
    let (store, report) = Store::create(&dir, &Unlock::pin("2580"), small()).expect("create");
    assert_eq!(report.anchor, crate::AnchorState::Fresh);
    put(&store, "a", b"one").expect("put");
    store.close().expect("close");
    let (store, report) = open(&dir);
    assert_eq!(
        (report.anchor, report.rebuilt.is_none()),
        (crate::AnchorState::Matches, true)
    );
    assert_eq!(value(&store, "a").as_deref(), Some(b"one".as_slice()));
    put(&store, "b", &[7; 100_000]).expect("put");
    drop(store);
    let (store, _) = open(&dir);
    assert_eq!(value(&store, "b"), Some(vec![7; 100_000]));
    assert_eq!(store.verify().expect("verify").values, 2);
}
