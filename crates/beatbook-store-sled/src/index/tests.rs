//! Tests of the index: its rows, and the folders that sled leaves behind.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use beatbook_core::store::{Read, Table, WriteSet};

use super::*;
use crate::disk::{Disk, RealDisk};
use crate::engine::{Engine, SledEngine};
use crate::error::OpenError;
use crate::seal::StoreKey;

/// Repeats an opening for as long as sled's threads still hold the folder that the test itself had opened.
pub(crate) fn until_released<T>(mut open: impl FnMut() -> Result<T, OpenError>) -> Result<T, OpenError> {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        match open() {
            Err(OpenError::Io { .. }) if Instant::now() < deadline => std::thread::yield_now(),
            other => return other,
        }
    }
}

fn open(path: &Path, seals: Seals, cache_bytes: u64) -> Result<Index, OpenError> {
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    Ok(Index {
        rows: SledEngine.open(&disk, path, cache_bytes)?,
        seals,
    })
}

/// Puts a row where it does not belong.
fn insert(index: &Index, row: Vec<u8>, sealed: &[u8]) {
    let mut batch = RowBatch::default();
    batch.insert(row, sealed.to_vec());
    index.rows.apply(batch).expect("insert");
}

fn seals() -> Seals {
    Seals::new(&StoreKey::of([3; 32]))
}

fn writes(pairs: &[(&[u8], Option<usize>)]) -> WriteSet {
    let mut set = WriteSet::default();
    for (key, length) in pairs {
        set.set(
            Table::Heads,
            key.to_vec(),
            length.map(|length| vec![key.len() as u8; length]),
        );
    }
    set
}

fn write(index: &Index, salt: u8, set: &WriteSet, totals: &mut Totals) {
    let plan = index.plan(&[salt; 24], set, totals).expect("plan");
    index.apply(plan, u64::from(salt)).expect("apply");
}

#[test]
fn totals_follow_every_write_and_replaying_gives_the_same_rows() {
    let folder = tempfile::tempdir().expect("folder");
    let index = open(&folder.path().join("index"), seals(), 1 << 20).expect("open");
    let mut totals = Totals::default();
    let first = writes(&[(b"a", Some(70_000)), (b"bb", Some(3)), (b"", Some(0))]);
    let second = writes(&[(b"a", Some(20)), (b"bb", None), (b"ccc", Some(PART_BYTES + 1))]);
    write(&index, 1, &first, &mut totals);
    assert_eq!(index.count().expect("count"), totals);
    write(&index, 2, &second, &mut totals);
    assert_eq!(index.count().expect("count"), totals);
    // What opening does after a kill: the index is ahead, and everything is replayed.
    write(&index, 1, &first, &mut Totals::default());
    write(&index, 2, &second, &mut Totals::default());
    assert_eq!(index.count().expect("count"), totals);
    assert_eq!(index.applied().expect("applied"), 2);
    assert_eq!(index.open_all().expect("open"), 3);
    assert_eq!(
        index
            .get(Table::Heads, b"ccc")
            .expect("get")
            .map(|value| value.len()),
        Some(PART_BYTES + 1)
    );
}

#[test]
fn no_row_is_longer_than_sled_keeps_in_its_log() {
    let salt = [0; 24];
    for length in [0, 1, PART_BYTES, PART_BYTES + 1, VALUE_BYTES_MAX] {
        let rows = seals()
            .rows(&salt, (1, &[9; KEY_BYTES_MAX]), &vec![0; length])
            .expect("rows");
        assert!(
            rows.iter().all(|(_, sealed)| sealed.len() <= 16 * 1024),
            "{length}"
        );
        assert_eq!(rows.len(), length.div_ceil(PART_BYTES).max(1));
    }
}

#[test]
fn a_row_moved_to_another_key_table_or_part_does_not_open() {
    let folder = tempfile::tempdir().expect("folder");
    let index = open(&folder.path().join("index"), seals(), 1 << 20).expect("open");
    write(
        &index,
        1,
        &writes(&[(b"aa", Some(40_000)), (b"bb", Some(40_000))]),
        &mut Totals::default(),
    );
    let row = |row: Vec<u8>| (row.clone(), index.raw(&row).expect("get").expect("a row"));
    let heads = Table::Heads as u8;
    let (first, sealed) = row(row_key(heads, b"aa"));
    let (second, part) = row(part_key(heads, b"aa", 1));
    for moved in [
        row_key(heads, b"bb"),
        row_key(heads, b"cc"),
        row_key(Table::Feeds as u8, b"aa"),
    ] {
        insert(&index, moved.clone(), &sealed);
        let table = Table::ALL[usize::from(moved[0])];
        assert!(index.get(table, &moved[1..]).is_err());
    }
    insert(&index, part_key(heads, b"aa", 2), &part);
    assert!(index.get(Table::Heads, b"aa").is_err());
    // A part of an earlier value under the same key.
    write(
        &index,
        2,
        &writes(&[(b"aa", Some(40_000))]),
        &mut Totals::default(),
    );
    assert!(index.get(Table::Heads, b"aa").is_ok());
    insert(&index, second, &part);
    assert!(index.get(Table::Heads, b"aa").is_err());
    insert(&index, first, &sealed);
}

#[test]
fn a_snapshot_cut_off_by_a_kill_does_not_keep_the_index_from_opening() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("index");
    let index = open(&path, seals(), 1 << 20).expect("open");
    let mut totals = Totals::default();
    write(&index, 1, &writes(&[(b"a", Some(30))]), &mut totals);
    index.flush().expect("flush");
    drop(index);
    std::fs::write(path.join("snap.00000000FFFF.generating"), b"half").expect("write");
    let index = open(&path, seals(), 1 << 20).expect("open");
    assert_eq!(index.count().expect("count"), totals);
    drop(index);
    std::fs::write(path.join("snap.0000000000FF"), b"not a snapshot").expect("write");
    let index = open(&path, seals(), 1 << 20).expect("open");
    assert_eq!(index.count().expect("count"), totals);
}
