//! Tests of the journal alone: torn tails at every byte, kills around a new segment, and releasing.

use std::fs;

use beatbook_core::store::{Table, WriteSet};

use super::*;
use crate::disk::RealDisk;
use crate::seal::StoreKey;

fn keys() -> Keys {
    Keys::new(&StoreKey::of([4; 32]))
}

fn state() -> State {
    State {
        base_segment: 1,
        base_sequence: 0,
        index: 1,
        ..State::default()
    }
}

fn open(dir: &Path, state: &State) -> Result<(Journal, Recovered), OpenError> {
    Journal::open(std::sync::Arc::new(RealDisk), dir, keys(), state, 700)
}

fn commit(number: u8) -> Entry {
    let mut writes = WriteSet::default();
    writes.set(Table::Entries, vec![number], Some(vec![number; 100]));
    Entry::Commit(Commit {
        salt: [number; 24],
        totals: vec![0],
        writes,
    })
}

fn numbers(recovered: &Recovered) -> Vec<u8> {
    recovered
        .replay
        .iter()
        .map(|(_, commit)| commit.salt[0])
        .collect()
}

#[test]
fn a_tail_torn_at_any_byte_is_cut_and_nothing_before_it() {
    let folder = tempfile::tempdir().expect("folder");
    let dir = folder.path();
    Journal::create(&RealDisk, dir, 1, 0).expect("create");
    let (mut journal, _) = open(dir, &state()).expect("open");
    journal.append(&[commit(1)]).expect("append");
    let path = segment_path(dir, 1);
    let before = fs::read(&path).expect("read").len();
    journal.append(&[commit(2)]).expect("append");
    let whole = fs::read(&path).expect("read");
    for keep in before..=whole.len() {
        fs::write(&path, &whole[..keep]).expect("write");
        let (_, recovered) = open(dir, &state()).expect("open");
        let expected: &[u8] = if keep == whole.len() { &[1, 2] } else { &[1] };
        assert_eq!(numbers(&recovered), expected, "{keep} bytes");
        let left = fs::read(&path).expect("read").len();
        assert_eq!(left, if keep == whole.len() { keep } else { before });
    }
    // Sectors of the torn frame may be written out of order, or hold nothing.
    for hole in before..whole.len() - 1 {
        let mut torn = whole.clone();
        torn[hole..whole.len() - 1].fill(0);
        if torn == whole {
            continue;
        }
        fs::write(&path, &torn).expect("write");
        let (_, recovered) = open(dir, &state()).expect("open");
        assert_eq!(numbers(&recovered), [1], "hole from {hole}");
    }
}

#[test]
fn every_flipped_bit_before_the_last_frame_is_found() {
    let folder = tempfile::tempdir().expect("folder");
    let dir = folder.path();
    Journal::create(&RealDisk, dir, 1, 0).expect("create");
    let (mut journal, _) = open(dir, &state()).expect("open");
    journal.append(&[commit(1)]).expect("append");
    let path = segment_path(dir, 1);
    let before = fs::read(&path).expect("read").len();
    journal.append(&[commit(2)]).expect("append");
    let whole = fs::read(&path).expect("read");
    for at in 0..before {
        for bit in 0..8 {
            let mut flipped = whole.clone();
            flipped[at] ^= 1 << bit;
            fs::write(&path, &flipped).expect("write");
            assert!(
                matches!(open(dir, &state()), Err(OpenError::Damaged { .. })),
                "byte {at} bit {bit}"
            );
            assert_eq!(
                fs::read(&path).expect("read"),
                flipped,
                "a damaged journal is left as it is"
            );
        }
    }
}

#[test]
fn a_kill_around_a_new_segment_loses_nothing() {
    let folder = tempfile::tempdir().expect("folder");
    let dir = folder.path();
    Journal::create(&RealDisk, dir, 1, 0).expect("create");
    let (mut journal, _) = open(dir, &state()).expect("open");
    let mut number = 0;
    while journal.length < journal.segment_bytes {
        number += 1;
        journal.append(&[commit(number)]).expect("append");
    }
    let expected: Vec<u8> = (1..=number).collect();
    let first = segment_path(dir, 1);
    let full = fs::read(&first).expect("read");
    journal.rotate().expect("rotate");
    let footed = fs::read(&first).expect("read");
    let second = fs::read(segment_path(dir, 2)).expect("read");
    // Killed with the next segment made and the footer not, or not wholly, written.
    for keep in full.len()..=footed.len() {
        fs::write(&first, &footed[..keep]).expect("write");
        fs::write(segment_path(dir, 2), &second).expect("write");
        let (mut journal, recovered) = open(dir, &state()).expect("open");
        assert_eq!(numbers(&recovered), expected, "{keep} bytes");
        assert_eq!(journal.number(), if keep == footed.len() { 2 } else { 1 });
        journal.append(&[commit(99)]).expect("append");
        let (_, recovered) = open(dir, &state()).expect("open");
        assert_eq!(numbers(&recovered).last(), Some(&99));
        assert_eq!(numbers(&recovered).len(), expected.len() + 1);
    }
    // A footer without the segment that it promises is a lost segment.
    fs::write(&first, &footed).expect("write");
    fs::remove_file(segment_path(dir, 2)).expect("remove");
    assert!(matches!(open(dir, &state()), Err(OpenError::Damaged { .. })));
}

#[test]
fn recovery_begins_at_the_last_checkpoint_however_many_segments_back() {
    let folder = tempfile::tempdir().expect("folder");
    let dir = folder.path();
    Journal::create(&RealDisk, dir, 1, 0).expect("create");
    let (mut journal, _) = open(dir, &state()).expect("open");
    journal.append(&[commit(1)]).expect("append");
    let opening = Opening {
        id: [5; 16],
        anchored: true,
    };
    journal
        .append(&[Entry::Checkpoint(opening, Box::default())])
        .expect("append");
    for number in 2..30 {
        journal.append(&[commit(number)]).expect("append");
    }
    assert!(journal.number() > 3);
    let (_, recovered) = open(dir, &state()).expect("open");
    assert_eq!(numbers(&recovered), (2..30).collect::<Vec<_>>());
    assert_eq!(recovered.opening, Some(opening));
}

#[test]
fn a_segment_from_another_journal_is_refused() {
    let folder = tempfile::tempdir().expect("folder");
    let [ours, theirs] = ["ours", "theirs"].map(|name| folder.path().join(name));
    for dir in [&ours, &theirs] {
        Journal::create(&RealDisk, dir, 1, 0).expect("create");
        let (mut journal, _) = open(dir, &state()).expect("open");
        for number in 0..20 {
            journal.append(&[commit(number)]).expect("append");
        }
    }
    let last = fs::read_dir(&ours).expect("list").count();
    assert!(last > 2);
    for number in 1..=last {
        let path = segment_path(&ours, number as u32);
        let kept = fs::read(&path).expect("read");
        fs::copy(segment_path(&theirs, number as u32), &path).expect("copy");
        let everything = open(&ours, &state()).and_then(|(journal, _)| {
            let keys = keys();
            let source = Source {
                disk: &RealDisk,
                dir: &ours,
                keys: &keys,
            };
            source.each(&state(), (0, journal.sequence()), &mut |_, _| Ok(()))
        });
        assert!(everything.is_err(), "segment {number}");
        fs::write(&path, kept).expect("write");
    }
}
