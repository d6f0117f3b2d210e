//! Tests of the model of a disk: what a cut keeps is what the rules of the module say.

use std::path::{Path, PathBuf};

use beatbook_tests::Seed;

use super::{Disk, Flaw, Keeps};
use crate::recording::Event;

fn disk(events: &[Event]) -> Disk {
    let empty = tempfile::tempdir().expect("a folder");
    let mut disk = Disk::of(empty.path(), Flaw::None).expect("an empty disk");
    for event in events {
        disk.apply(event).expect("it can happen");
    }
    disk
}

/// What is left, as names with contents.
fn left(disk: &Disk, keeps: Keeps) -> Vec<(String, Vec<u8>)> {
    let folder = tempfile::tempdir().expect("a folder");
    let image = folder.path().join("image");
    disk.cut(None, keeps, &mut Seed::of(5), &image)
        .expect("it can be cut");
    let mut files: Vec<_> = std::fs::read_dir(&image)
        .expect("an image")
        .flatten()
        .map(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            (name, std::fs::read(entry.path()).expect("a file"))
        })
        .collect();
    files.sort();
    files
}

fn open(fd: i32, path: &str, created: bool) -> Event {
    Event::Open {
        fd,
        path: PathBuf::from(path),
        created,
        folder: path.is_empty(),
        emptied: false,
    }
}

fn write(fd: i32, bytes: &[u8]) -> Event {
    Event::Write {
        fd,
        offset: 0,
        bytes: bytes.to_vec(),
    }
}

fn sync(fd: i32) -> Event {
    Event::Sync { fd, failed: false }
}

fn rename(from: &str, to: &str) -> Event {
    Event::Rename {
        from: Path::new(from).to_path_buf(),
        to: Path::new(to).to_path_buf(),
    }
}

#[test]
fn a_name_lasts_only_once_its_folder_was_synced() {
    let mut events = vec![open(3, "a", true), write(3, b"one"), sync(3)];
    assert_eq!(left(&disk(&events), Keeps::Nothing), []);
    events.extend([open(4, "", false), sync(4)]);
    assert_eq!(
        left(&disk(&events), Keeps::Nothing),
        [("a".to_owned(), b"one".to_vec())]
    );
}

#[test]
fn bytes_last_only_once_their_file_was_synced() {
    let events = [
        open(3, "a", true),
        open(4, "", false),
        sync(4),
        write(3, b"one"),
        sync(3),
        write(3, b"TWO"),
    ];
    let told = |bytes: &[u8]| vec![("a".to_owned(), bytes.to_vec())];
    assert_eq!(left(&disk(&events), Keeps::Nothing), told(b"one"));
    assert_eq!(left(&disk(&events), Keeps::Everything), told(b"TWO"));
}

#[test]
fn a_rename_that_was_not_synced_leaves_the_old_file_whole() {
    let events = [
        open(3, "a", true),
        write(3, b"old"),
        sync(3),
        open(4, "", false),
        sync(4),
        open(5, "a.tmp", true),
        write(5, b"new"),
        sync(5),
        rename("a.tmp", "a"),
    ];
    assert_eq!(
        left(&disk(&events), Keeps::Nothing),
        [("a".to_owned(), b"old".to_vec())]
    );
    let mut synced = events.to_vec();
    synced.push(sync(4));
    assert_eq!(
        left(&disk(&synced), Keeps::Nothing),
        [("a".to_owned(), b"new".to_vec())]
    );
}

#[test]
fn what_a_failed_sync_dropped_no_later_sync_brings_back() {
    let events = [
        open(3, "a", true),
        open(4, "", false),
        sync(4),
        write(3, b"one"),
        Event::Sync { fd: 3, failed: true },
        sync(3),
    ];
    let disk = disk(&events);
    for keeps in [Keeps::Nothing, Keeps::Everything, Keeps::Sectors(1000)] {
        assert_eq!(left(&disk, keeps), [("a".to_owned(), Vec::new())], "{keeps:?}");
    }
}

#[test]
fn sectors_that_were_not_synced_are_kept_one_by_one() {
    let events = [
        open(3, "a", true),
        open(4, "", false),
        sync(4),
        write(3, &[7; 64 << 10]),
    ];
    let kept = left(&disk(&events), Keeps::Sectors(500));
    let (_, bytes) = kept.first().expect("the name is durable");
    let whole = bytes
        .chunks(512)
        .filter(|sector| sector.iter().all(|byte| *byte == 7));
    let (whole, all) = (whole.count(), bytes.chunks(512).count());
    assert!((1..all).contains(&whole), "{whole} of {all} sectors");
}
