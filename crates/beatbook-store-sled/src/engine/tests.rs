//! Tests of the model of an engine: it keeps what was flushed, and loses the rest as sled was measured to.

use std::fs;
use std::ops::Bound;

use super::*;
use crate::disk::RealDisk;

fn open(path: &Path) -> Result<Box<dyn Rows>, OpenError> {
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    ModelEngine { buffer_bytes: 600 }.open(&disk, path, 0)
}

fn put(rows: &dyn Rows, number: u8, length: usize) {
    let mut batch = RowBatch::default();
    batch.remove(vec![number]);
    batch.insert(vec![number], vec![number; length]);
    rows.apply(batch).expect("apply");
}

fn keys(rows: &dyn Rows) -> Vec<u8> {
    let mut found = Vec::new();
    rows.visit((Bound::Unbounded, Bound::Unbounded), &mut |row, bytes| {
        assert!(bytes.iter().all(|byte| Some(byte) == row.first()));
        found.extend_from_slice(row);
        Ok(ControlFlow::Continue(()))
    })
    .expect("visit");
    found
}

#[test]
fn what_was_flushed_is_there_and_what_was_not_may_be_lost() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("index");
    let rows = open(&path).expect("open");
    for number in 0..10 {
        put(rows.as_ref(), number, 100);
    }
    rows.flush().expect("flush");
    for number in 10..23 {
        put(rows.as_ref(), number, 100);
    }
    assert_eq!(keys(rows.as_ref()), (0..23).collect::<Vec<_>>());
    drop(rows);
    let rows = open(&path).expect("open");
    let found = keys(rows.as_ref());
    assert!((10..23).contains(&found.len()), "{} rows", found.len());
    assert_eq!(found, (0..found.len() as u8).collect::<Vec<_>>());
    let last = rows.last(&[0], &[5]).expect("last").map(|(row, _)| row);
    assert_eq!(last, Some(vec![4]));
}

#[test]
fn a_flipped_bit_makes_rows_vanish_without_an_error() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("index");
    let rows = open(&path).expect("open");
    for number in 0..20 {
        put(rows.as_ref(), number, 40);
    }
    rows.flush().expect("flush");
    drop(rows);
    let whole = fs::read(path.join("db")).expect("read");
    for at in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[at] ^= 1 << (at % 8);
        fs::write(path.join("db"), flipped).expect("write");
        let rows = open(&path).expect("open");
        assert_eq!(keys(rows.as_ref()).len(), 19, "byte {at}");
    }
}

#[test]
fn a_conf_cut_short_never_opens() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("index");
    drop(open(&path).expect("open"));
    fs::write(path.join("conf"), b"beat").expect("write");
    assert!(matches!(open(&path), Err(OpenError::Index { .. })));
}

#[test]
fn a_log_of_dead_rows_is_written_anew() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("index");
    let rows = open(&path).expect("open");
    for round in 0..400_usize {
        put(rows.as_ref(), 7, 300 + round);
        rows.flush().expect("flush");
    }
    assert!(fs::metadata(path.join("db")).expect("metadata").len() < 66 << 10);
    drop(rows);
    let rows = open(&path).expect("open");
    assert_eq!(rows.get(&[7]).expect("get"), Some(vec![7; 699]));
}
