//! Repairing what rotted at rest: all of it comes back from the copy that is whole, and the report says from which.

use super::damage::{closed_sample, files};
use super::faults::{Fault, Plan, faulty};
use super::*;
use crate::error::RepairError;
use crate::journal::segment::HEADER_BYTES;

fn repair(dir: &Path) -> RepairReport {
    Store::repair(dir, &Unlock::keystore(KEY), &plain(), None).expect("repair")
}

fn sources(report: &RepairReport) -> Vec<RepairSource> {
    let mut sources: Vec<RepairSource> = report.mended.iter().map(|mended| mended.source).collect();
    sources.sort();
    sources.dedup();
    sources
}

/// Opens, reads and verifies: the content, or that something was found to be wrong.
fn look(dir: &Path) -> Option<Vec<Pairs>> {
    let (store, report) = Store::open(dir, &Unlock::keystore(KEY), plain()).ok()?;
    let found = store.read(everything).ok()?;
    store.verify().ok()?;
    (report.rebuilt.is_none() && report.mended.is_empty()).then_some(found)
}

/// Damages one file of a closed store in many ways, and has each repaired.
fn check_file(name: &str, damages: &[&dyn Fn(&Path)]) {
    let (folder, dir) = folder();
    let model = closed_sample(&dir);
    for (number, damage) in damages.iter().enumerate() {
        let damaged = folder.path().join("damaged");
        copy_dir(&dir, &damaged);
        damage(&damaged.join(name));
        let what = format!("{name} case {number}");
        if let Some(found) = look(&damaged) {
            assert!(Ok(found) == everything(&model), "{what}: silently different");
        }
        fs::remove_dir_all(&damaged).expect("remove");
        copy_dir(&dir, &damaged);
        damage(&damaged.join(name));
        let report = repair(&damaged);
        assert_eq!(report.lost, [], "{what}");
        let again = repair(&damaged);
        assert_eq!(again.mended, [], "{what}: repaired twice");
        let (store, report) = open(&damaged, plain());
        assert!(!report.lost, "{what}");
        assert!(store.read(everything) == everything(&model), "{what}");
        put(&store, "later", b"1").expect("put");
        store.close().expect("close");
        fs::remove_dir_all(&damaged).expect("remove");
    }
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).expect("read");
    let at = at.min(bytes.len() - 1);
    bytes[at] ^= 0x20;
    fs::write(path, bytes).expect("write");
}

fn cut(path: &Path, keep: usize) {
    let bytes = fs::read(path).expect("read");
    fs::write(path, &bytes[..keep.min(bytes.len())]).expect("write");
}

fn gone(path: &Path) {
    if path.is_dir() {
        fs::remove_dir_all(path).expect("remove");
    } else {
        fs::remove_file(path).expect("remove");
    }
}

#[test]
fn a_damaged_segment_is_brought_back_and_nothing_is_lost() {
    for name in [
        "journal/00000001.seg",
        "journal/00000003.seg",
        "journal/00000005.seg",
    ] {
        check_file(
            name,
            &[
                &|path| flip(path, 20),
                &|path| flip(path, 70),
                &|path| flip(path, 2000),
                &|path| cut(path, 0),
                &|path| cut(path, 300),
                &gone,
            ],
        );
    }
}

#[test]
fn the_end_of_a_closed_journal_is_brought_back() {
    let (_folder, dir) = folder();
    let model = closed_sample(&dir);
    let last = files(&dir.join("journal")).pop().expect("a segment");
    let bytes = fs::read(&last).expect("read");
    for keep in [0, 58, bytes.len() / 2, bytes.len() - 150, bytes.len() - 1] {
        fs::write(&last, &bytes[..keep]).expect("write");
        let refused = Store::open(&dir, &Unlock::keystore(KEY), plain());
        assert!(
            matches!(refused, Err(OpenError::Damaged { .. })),
            "{keep} bytes: {refused:?}"
        );
    }
    let report = repair(&dir);
    assert_eq!(
        (sources(&report), report.lost),
        (vec![RepairSource::Index], vec![])
    );
    let (store, _) = open(&dir, plain());
    assert!(store.read(everything) == everything(&model));
}

#[test]
fn the_small_files_are_made_again() {
    for name in ["format", "state", "vault", "vault.copy"] {
        check_file(
            name,
            &[
                &|path| flip(path, 3),
                &|path| flip(path, 15),
                &|path| cut(path, 5),
                &gone,
            ],
        );
    }
}

#[test]
fn a_damaged_index_is_made_again() {
    check_file(
        "index-0001/db",
        &[&|path| flip(path, 3000), &|path| cut(path, 4000), &gone],
    );
    check_file("index-0001", &[&gone]);
}

#[test]
fn without_its_journal_a_store_is_its_index_and_the_other_way_round() {
    let (_folder, dir) = folder();
    let model = closed_sample(&dir);
    gone(&dir.join("journal"));
    assert!(Store::open(&dir, &Unlock::keystore(KEY), plain()).is_err());
    let report = repair(&dir);
    assert_eq!(
        (sources(&report), report.lost),
        (vec![RepairSource::Index], vec![])
    );
    // The new journal reaches back to the start, although it does not begin there.
    for entry in fs::read_dir(&dir).expect("list").flatten() {
        if entry.file_name().to_string_lossy().starts_with("index-") {
            gone(&entry.path());
        }
    }
    let report = repair(&dir);
    assert_eq!(
        (sources(&report), report.lost),
        (vec![RepairSource::Journal], vec![])
    );
    let (store, _) = open(&dir, plain());
    assert!(store.read(everything) == everything(&model));
    store.verify().expect("verify");
}

#[test]
fn swapped_frames_of_the_journal_are_put_in_order() {
    let (_folder, dir) = folder();
    let options = || Options {
        segment_bytes: 1 << 20,
        ..plain()
    };
    let path = dir.join("journal/00000001.seg");
    let length = || usize::try_from(fs::metadata(&path).expect("metadata").len()).expect("small");
    let store = create(&dir, options());
    let mut ends = vec![length()];
    for number in 0..4_u8 {
        put(&store, &number.to_string(), &[number; 90]).expect("put");
        ends.push(length());
    }
    let before = store.read(everything).expect("read");
    store.close().expect("close");
    let bytes = fs::read(&path).expect("read");
    let frame = |at: usize| &bytes[ends[at]..ends[at + 1]];
    let swapped = [&bytes[..ends[1]], frame(2), frame(1), &bytes[ends[3]..]].concat();
    assert_eq!(swapped.len(), bytes.len());
    fs::write(&path, &swapped).expect("write");
    // Not even the index is needed: each frame proves itself.
    gone(&dir.join("index-0001"));
    let report = repair(&dir);
    assert_eq!(
        (sources(&report), report.lost),
        (vec![RepairSource::Journal], vec![])
    );
    let (store, _) = open(&dir, options());
    assert!(store.read(everything) == Ok(before));
}

#[test]
fn what_no_copy_holds_is_told_until_it_has_been_dealt_with() {
    let (_folder, dir) = folder();
    let anchored = || Options {
        segment_bytes: 4096,
        ..with_pin()
    };
    let store = create(&dir, anchored());
    for number in 0..40_u8 {
        put(&store, &format!("{number:02}"), &[number; 400]).expect("put");
    }
    let end = store.sequence();
    store.close().expect("close");
    gone(&dir.join("index-0001"));
    flip(&dir.join("journal/00000002.seg"), 900);
    let unlock = Unlock::keystore(KEY);
    let report = Store::repair(&dir, &unlock, &anchored(), None).expect("repair");
    assert_eq!(sources(&report), [RepairSource::Journal]);
    let [lost] = report.lost[..] else {
        panic!("lost {:?}", report.lost)
    };
    assert!(lost.after > 3 && lost.upto >= end, "{lost:?}");
    for _ in 0..2 {
        let (store, report) = open(&dir, anchored());
        assert!(report.lost);
        assert!(matches!(report.anchor, AnchorState::Mismatch { .. }));
        assert_eq!(value(&store, "01"), Some(vec![1; 400]));
        assert_eq!(value(&store, "39"), None);
        assert!(store.sequence() > end, "a sequence would be given twice");
        store.close().expect("close");
    }
    let (store, _) = open(&dir, anchored());
    store.adopt_anchor().expect("adopt");
    store.close().expect("close");
    let (_, report) = open(&dir, anchored());
    assert!(!report.lost);
    assert_eq!(report.anchor, AnchorState::Matches);
}

/// A store with small segments whose process died: a checkpoint was the last that it did.
fn unclosed(folder: &Path, dir: &Path) -> (PathBuf, PathBuf) {
    let store = create(dir, small_segments());
    for number in 0..44_u8 {
        put(&store, &format!("{number:02}"), &[number; 400]).expect("put");
        if number == 43 {
            store.checkpoint().expect("checkpoint");
        }
    }
    let image = folder.join("image");
    copy_dir(dir, &image);
    let last = files(&image.join("journal")).pop().expect("a segment");
    (image, last)
}

fn small_segments() -> Options {
    Options {
        segment_bytes: 4096,
        ..plain()
    }
}

// Invariant: what was lost with the end of a journal that was never closed is told, though nothing says how much it was.
#[test]
fn a_lost_end_of_an_unclosed_journal_is_told() {
    let losses: [&dyn Fn(&Path); 4] = [
        &|path| gone(path),
        &|path| cut(path, 0),
        &|path| cut(path, 20),
        &|path| cut(path, HEADER_BYTES),
    ];
    for (number, lose) in losses.iter().enumerate() {
        let (folder, dir) = folder();
        let (image, last) = unclosed(folder.path(), &dir);
        lose(&last);
        let unlock = Unlock::keystore(KEY);
        let report = Store::repair(&image, &unlock, &small_segments(), None).expect("repair");
        assert!(
            !report.lost.is_empty(),
            "case {number}: nothing is said of the end"
        );
        let (_, report) = open(&image, small_segments());
        assert!(report.lost, "case {number}");
    }
}

#[test]
fn behind_a_released_journal_a_backup_brings_the_index_back() {
    let (_folder, dir) = folder();
    let store = create(&dir, plain());
    let (_, groups) = sample();
    let (before, after) = groups.split_at(16);
    for writes in before {
        apply(&store, writes.clone()).expect("commit");
    }
    let mut backup = Vec::new();
    let taken = store.backup(&mut backup, &mut |_| {}).expect("backup");
    for writes in after {
        apply(&store, writes.clone()).expect("commit");
    }
    store.checkpoint().expect("checkpoint");
    store.release(taken.sequence).expect("release");
    let content = store.read(everything).expect("read");
    store.close().expect("close");
    gone(&dir.join("index-0001"));
    let unlock = Unlock::keystore(KEY);
    let refused = Store::repair(&dir, &unlock, &plain(), None);
    assert!(
        matches!(refused, Err(RepairError::NothingWhole { .. })),
        "{refused:?}"
    );
    let report = Store::repair(&dir, &unlock, &plain(), Some(&mut backup.as_slice())).expect("repair");
    assert_eq!(
        (sources(&report), &report.lost),
        (vec![RepairSource::Backup], &vec![])
    );
    let (store, report) = open(&dir, plain());
    assert!(!report.lost);
    assert!(store.read(everything) == Ok(content));
}

#[test]
fn after_a_kill_the_state_is_made_again_and_what_cannot_be_known_is_told() {
    let (folder, dir) = folder();
    let store = create(&dir, plain());
    let (_, groups) = sample();
    for writes in groups {
        apply(&store, writes).expect("commit");
    }
    let content = store.read(everything);
    let image = folder.path().join("image");
    copy_dir(&dir, &image);
    drop(store);
    gone(&image.join("state"));
    let report = repair(&image);
    assert!(report.mended.iter().any(|mended| mended.file.ends_with("state")));
    let (store, report) = open(&image, plain());
    assert!(report.lost, "the journal may have been longer");
    assert!(store.read(everything) == content);
    store.adopt_anchor().expect("adopt");
    store.close().expect("close");
    assert!(!open(&image, plain()).1.lost);
}

#[test]
fn a_repair_that_fails_anywhere_can_be_done_again() {
    let (folder, dir) = folder();
    let model = closed_sample(&dir);
    flip(&dir.join("journal/00000002.seg"), 500);
    let unlock = Unlock::keystore(KEY);
    let (mut at, mut failed) = (1, 0);
    loop {
        let damaged = folder.path().join("damaged");
        copy_dir(&dir, &damaged);
        let plan = Plan::new(Fault::Device, at);
        let options = Options {
            anchor: AnchorPlace::Nowhere,
            ..faulty(&plan)
        };
        match Store::repair(&damaged, &unlock, &options, None) {
            Ok(report) => assert_eq!(report.lost, [], "call {at}"),
            Err(_) => failed += 1,
        }
        let report = repair(&damaged);
        assert_eq!(report.lost, [], "call {at}");
        let (store, _) = open(&damaged, plain());
        assert!(store.read(everything) == everything(&model), "call {at}");
        drop(store);
        fs::remove_dir_all(&damaged).expect("remove");
        if !plan.reached() {
            break;
        }
        at += 1;
    }
    assert!(failed > 30, "only {failed} of {at} calls failed");
}
