//! Tests of the store as a whole: one module for each promise.

mod copies;
mod damage;
mod faults;
mod model;
mod power;
#[cfg(unix)]
mod privacy;
mod repair;
mod solo;

use std::fs;

use beatbook_core::store::{MemoryStore, Pairs, Read, StoreError, Table, WriteSet};
use tempfile::TempDir;

use super::*;
use crate::anchor::AnchorState;

const KEY: [u8; 32] = [7; 32];

/// Options without an anchor, small enough that segments turn over.
fn plain() -> Options {
    Options {
        anchor: AnchorPlace::Nowhere,
        segment_bytes: 4096,
        ..with_pin()
    }
}

fn with_pin() -> Options {
    Options {
        pin_cost: PinCost {
            memory_kib: 8,
            passes: 1,
            lanes: 1,
        },
        ..Options::default()
    }
}

fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path().join("store");
    (folder, dir)
}

fn create(dir: &Path, options: Options) -> Store {
    Store::create(dir, &Unlock::keystore(KEY), options)
        .expect("create")
        .0
}

fn open(dir: &Path, options: Options) -> (Store, OpenReport) {
    Store::open(dir, &Unlock::keystore(KEY), options).expect("open")
}

fn apply(store: &Store, writes: WriteSet) -> Result<(), StoreError> {
    let job = move |transaction: &mut Transaction<'_>| {
        transaction.absorb(writes);
        Ok(())
    };
    store.commit(job).map(Durable::into_inner)
}

fn put(store: &Store, key: &str, value: &[u8]) -> Result<(), StoreError> {
    let mut writes = WriteSet::default();
    writes.set(Table::Entries, key.into(), Some(value.to_vec()));
    apply(store, writes)
}

fn value(store: &Store, key: &str) -> Option<Vec<u8>> {
    store
        .read(|read| read.get(Table::Entries, key.as_bytes()))
        .expect("read")
}

/// Everything in every table; the end of the range is above every key that the tests use.
fn everything(read: &dyn Read) -> Result<Vec<Pairs>, StoreError> {
    Table::ALL
        .iter()
        .map(|table| read.scan(*table, &[], &[0xff; 40], usize::MAX))
        .collect()
}

/// What a kill at this moment leaves: the files as they are.
fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("make a folder");
    for entry in fs::read_dir(from).expect("list").flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_dir(&entry.path(), &target);
        } else {
            match fs::copy(entry.path(), target) {
                // sled gives its snapshots other names whenever it likes.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                copied => drop(copied.expect("copy")),
            }
        }
    }
}

/// A model with something in every table, a long value among it, and the writes that make it.
fn sample() -> (MemoryStore, Vec<WriteSet>) {
    let mut model = MemoryStore::default();
    let mut groups = Vec::new();
    for number in 0..24_u8 {
        let mut writes = WriteSet::default();
        for table in Table::ALL {
            let long = number == 5 && table == Table::Entries;
            let length = if long {
                40_000
            } else {
                20 + usize::from(number) * 9
            };
            let key = vec![number / 2, table as u8];
            writes.set(table, key, Some(vec![number ^ table as u8; length]));
        }
        writes.set(Table::Heads, vec![number / 2, Table::Heads as u8], None);
        model.apply(&writes);
        groups.push(writes);
    }
    (model, groups)
}

#[test]
fn what_was_committed_is_there_after_close_and_after_drop() {
    let (_folder, dir) = folder();
    let pin = Unlock::pin("2580");
    let (store, report) = Store::create(&dir, &pin, with_pin()).expect("create");
    assert_eq!(report.anchor, AnchorState::Fresh);
    put(&store, "a", b"one").expect("put");
    store.close().expect("close");
    let (store, report) = Store::open(&dir, &pin, with_pin()).expect("open");
    assert_eq!(
        (report.anchor, report.rebuilt, report.replayed),
        (AnchorState::Matches, None, 0)
    );
    assert_eq!(value(&store, "a").as_deref(), Some(b"one".as_slice()));
    put(&store, "b", &[7; 100_000]).expect("put");
    drop(store);
    let (store, _) = Store::open(&dir, &pin, with_pin()).expect("open");
    assert_eq!(value(&store, "b"), Some(vec![7; 100_000]));
    assert_eq!(store.verify().expect("verify").values, 2);
}

#[test]
fn a_second_holder_is_refused_with_the_process_id_of_the_first() {
    let (_folder, dir) = folder();
    let store = create(&dir, plain());
    match Store::open(&dir, &Unlock::keystore(KEY), plain()) {
        Err(OpenError::Locked { pid }) => assert_eq!(pid, std::process::id()),
        other => panic!("opened twice: {other:?}"),
    }
    put(&store, "a", b"still writable").expect("put");
    store.close().expect("close");
    open(&dir, plain());
}

#[test]
fn a_wrong_pin_or_key_changes_nothing_and_the_right_one_still_opens() {
    let (_folder, dir) = folder();
    drop(Store::create(&dir, &Unlock::pin("2580"), with_pin()).expect("create"));
    let refused = |unlock| Store::open(&dir, &unlock, with_pin()).expect_err("opened");
    assert!(matches!(refused(Unlock::pin("2581")), OpenError::WrongPin));
    assert!(matches!(
        refused(Unlock::keystore(KEY)),
        OpenError::WrongKind { .. }
    ));
    let secrets = [".secret", ".secret.copy"].map(|suffix| beside(&dir, suffix));
    let kept = [".kept", ".kept.copy"].map(|suffix| beside(&dir, suffix));
    for (secret, kept) in secrets.iter().zip(&kept) {
        fs::rename(secret, kept).expect("rename");
    }
    assert!(matches!(
        refused(Unlock::pin("2580")),
        OpenError::DeviceSecret { .. }
    ));
    for (secret, kept) in secrets.iter().zip(&kept) {
        fs::rename(kept, secret).expect("rename");
    }
    let (store, report) = Store::open(&dir, &Unlock::pin("2580"), with_pin()).expect("open");
    assert_eq!(report.anchor, AnchorState::Matches);
    assert!(matches!(
        store.change_pin(&Unlock::pin("0000"), &Unlock::pin("1")),
        Err(OpenError::WrongPin)
    ));
    store
        .change_pin(&Unlock::pin("2580"), &Unlock::pin("1470"))
        .expect("change");
    store.close().expect("close");
    assert!(matches!(refused(Unlock::pin("2580")), OpenError::WrongPin));
    drop(Store::open(&dir, &Unlock::pin("1470"), with_pin()).expect("open"));
}

#[test]
fn a_job_that_fails_or_panics_loses_its_own_writes_only() {
    let (_folder, dir) = folder();
    let store = create(&dir, plain());
    put(&store, "kept", b"1").expect("put");
    let failed = store.commit(|transaction| {
        transaction.put(Table::Entries, "failed", "x");
        Err::<(), _>(StoreError::DiskFull)
    });
    assert_eq!(failed, Err(StoreError::DiskFull));
    let panicked = store.commit(|transaction| {
        transaction.put(Table::Entries, "panicked", "x");
        let counts: Vec<u8> = transaction.get(Table::Entries, b"absent")?.unwrap_or_default();
        Ok::<_, StoreError>(counts[0])
    });
    assert!(matches!(panicked, Err(StoreError::Io { .. })));
    let too_long = put(&store, "long", &vec![0; crate::VALUE_BYTES_MAX + 1]);
    assert!(matches!(too_long, Err(StoreError::Io { .. })));
    put(&store, "most", &vec![1; crate::VALUE_BYTES_MAX]).expect("put");
    for key in ["failed", "panicked", "long"] {
        assert_eq!(value(&store, key), None, "{key}");
    }
    assert_eq!(
        value(&store, "most").map(|value| value.len()),
        Some(crate::VALUE_BYTES_MAX)
    );
}

#[test]
fn a_later_job_of_a_group_reads_what_an_earlier_one_wrote_and_none_is_lost() {
    let (_folder, dir) = folder();
    let store = create(&dir, plain());
    let (sender, receiver) = channel();
    for _ in 0..200 {
        let sender = sender.clone();
        let job = |transaction: &mut Transaction<'_>| {
            let count = transaction
                .get(Table::Meta, b"count")?
                .map_or(0, |bytes| bytes.len());
            transaction.put(Table::Meta, "count", vec![0; count + 1]);
            Ok::<_, StoreError>(count)
        };
        store.commit_then(job, move |result| sender.send(result).expect("the test waits"));
    }
    for expected in 0..200 {
        assert_eq!(
            receiver.recv().expect("an answer").map(Durable::into_inner),
            Ok(expected)
        );
    }
    store.close().expect("close");
    let (store, _) = open(&dir, plain());
    let count = store
        .read(|read| read.get(Table::Meta, b"count"))
        .expect("read")
        .expect("a count");
    assert_eq!(count.len(), 200);
}

#[test]
fn a_transaction_that_only_reads_writes_no_frame() {
    let (_folder, dir) = folder();
    let store = create(&dir, plain());
    put(&store, "a", b"1").expect("put");
    let before = store.sequence();
    let read = store
        .commit(|transaction| transaction.get(Table::Entries, b"a"))
        .expect("read");
    assert_eq!(
        (read.into_inner(), store.sequence()),
        (Some(b"1".to_vec()), before)
    );
}

#[test]
fn a_closed_store_refuses_its_other_clones() {
    let (_folder, dir) = folder();
    let store = create(&dir, plain());
    let other = store.clone();
    store.close().expect("close");
    assert!(matches!(put(&other, "a", b"1"), Err(StoreError::Latched { .. })));
    let read = other.read(|read| read.get(Table::Entries, b"a"));
    assert!(matches!(read, Err(StoreError::Latched { .. })));
    drop(open(&dir, plain()));
}

#[test]
fn another_format_and_a_folder_in_use_are_refused() {
    let (_folder, dir) = folder();
    assert!(!Store::exists(&dir));
    create(&dir, plain()).close().expect("close");
    assert!(Store::exists(&dir));
    let again = Store::create(&dir, &Unlock::keystore(KEY), plain());
    assert!(matches!(again, Err(OpenError::AlreadyExists { .. })));
    fs::write(dir.join("format"), "beatbook store 3\n").expect("write");
    let newer = Store::open(&dir, &Unlock::keystore(KEY), plain());
    assert!(matches!(
        newer,
        Err(OpenError::NewerFormat { found: 3, known: 2 })
    ));
    fs::write(dir.join("format"), "beatbook store 1\n").expect("write");
    let older = Store::open(&dir, &Unlock::keystore(KEY), plain());
    assert!(matches!(
        older,
        Err(OpenError::OlderFormat { found: 1, known: 2 })
    ));
    let none = Store::open(dir.join("journal"), &Unlock::keystore(KEY), plain());
    assert!(matches!(none, Err(OpenError::NotAStore { .. })));
}

#[test]
fn no_word_of_a_value_is_in_any_file() {
    let (_folder, dir) = folder();
    let store = create(&dir, plain());
    let canary = "canary-of-a-note-01632-960123";
    for number in 0..200 {
        put(
            &store,
            &format!("{number}"),
            canary.repeat(1 + number % 7).as_bytes(),
        )
        .expect("put");
    }
    let mut backup = Vec::new();
    store.backup(&mut backup, &mut |_| {}).expect("backup");
    fs::write(dir.join("backup"), backup).expect("write");
    store.close().expect("close");
    let mut files = 0;
    for path in damage::files(&dir) {
        let bytes = fs::read(&path).expect("read");
        assert!(
            !bytes.windows(12).any(|window| window == &canary.as_bytes()[..12]),
            "{}",
            path.display()
        );
        files += 1;
    }
    assert!(files > 5);
}
