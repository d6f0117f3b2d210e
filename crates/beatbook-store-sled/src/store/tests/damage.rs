//! Damage at rest and torn writes: an error or the same content, never a silent difference.

use super::*;
use crate::seal::{Purpose, StoreKey};

/// Every file under a folder.
pub(super) fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).expect("list").flatten() {
        if entry.path().is_dir() {
            found.extend(files(&entry.path()));
        } else {
            found.push(entry.path());
        }
    }
    found.sort();
    found
}

/// A closed store with the sample in it.
pub(super) fn closed_sample(dir: &Path) -> MemoryStore {
    let (model, groups) = sample();
    let store = create(dir, plain());
    for writes in groups {
        apply(&store, writes).expect("commit");
    }
    store.close().expect("close");
    model
}

/// Opens a damaged store: true if it opened, and then it holds what the model holds.
fn opens_whole(dir: &Path, model: &MemoryStore, what: &str) -> bool {
    let Ok((store, _)) = Store::open(dir, &Unlock::keystore(KEY), plain()) else {
        return false;
    };
    let found = store.read(everything);
    assert!(
        found.is_err() || found == everything(model),
        "{what}: opened with other content"
    );
    true
}

#[test]
fn a_flipped_bit_in_any_file_is_an_error_or_changes_nothing() {
    let (folder, dir) = folder();
    let model = closed_sample(&dir);
    let (mut opened, mut refused) = (0, 0);
    for path in files(&dir) {
        let name = path.strip_prefix(&dir).expect("under it").to_path_buf();
        let bytes = fs::read(&path).expect("read");
        let wanted = if name.starts_with("journal") { 4 } else { 40 };
        let step = (bytes.len() / wanted).max(1);
        for (round, at) in (0..bytes.len()).step_by(step).enumerate() {
            let damaged = folder.path().join("damaged");
            copy_dir(&dir, &damaged);
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << (round % 8);
            fs::write(damaged.join(&name), flipped).expect("write");
            let what = format!("{} byte {at}", name.display());
            if opens_whole(&damaged, &model, &what) {
                opened += 1;
            } else {
                refused += 1;
            }
            fs::remove_dir_all(&damaged).expect("remove");
        }
    }
    assert!(opened > 20 && refused > 20, "opened {opened}, refused {refused}");
}

#[test]
fn a_missing_file_is_an_error_or_changes_nothing() {
    let (folder, dir) = folder();
    let model = closed_sample(&dir);
    let (mut opened, mut refused) = (Vec::new(), Vec::new());
    for path in files(&dir) {
        let name = path.strip_prefix(&dir).expect("under it").to_path_buf();
        let damaged = folder.path().join("damaged");
        copy_dir(&dir, &damaged);
        fs::remove_file(damaged.join(&name)).expect("remove");
        let whole = opens_whole(&damaged, &model, &name.display().to_string());
        if whole {
            opened.push(name)
        } else {
            refused.push(name)
        }
        fs::remove_dir_all(&damaged).expect("remove");
    }
    assert!(opened.contains(&PathBuf::from("vault")) && opened.contains(&PathBuf::from("index-0001/db")));
    for name in ["state", "journal/00000003.seg"] {
        assert!(refused.contains(&PathBuf::from(name)), "{name} was not missed");
    }
}

#[test]
fn a_journal_of_a_closed_store_that_was_cut_is_refused() {
    let (folder, dir) = folder();
    let model = closed_sample(&dir);
    let last = files(&dir.join("journal")).pop().expect("a segment");
    let bytes = fs::read(&last).expect("read");
    for keep in (0..bytes.len()).step_by(bytes.len() / 24) {
        let damaged = folder.path().join("damaged");
        copy_dir(&dir, &damaged);
        let path = damaged.join("journal").join(last.file_name().expect("a name"));
        fs::write(path, &bytes[..keep]).expect("write");
        assert!(!opens_whole(&damaged, &model, "cut"), "opened with {keep} bytes");
        fs::remove_dir_all(&damaged).expect("remove");
    }
}

#[test]
fn a_torn_last_frame_is_cut_and_everything_before_it_is_there() {
    let (folder, dir) = folder();
    let options = || Options {
        segment_bytes: 1 << 20,
        ..plain()
    };
    let store = create(&dir, options());
    put(&store, "first", b"1").expect("put");
    // What is on disk before the last write, the index included: sled is written to only after the journal.
    let image = folder.path().join("image");
    copy_dir(&dir, &image);
    let segment = PathBuf::from("journal/00000001.seg");
    let before = fs::read(dir.join(&segment)).expect("read").len();
    put(&store, "last", &[9; 300]).expect("put");
    let after = fs::read(dir.join(&segment)).expect("read");
    let mut cuts: Vec<usize> = (before..=after.len()).step_by(11).collect();
    cuts.extend([before + 1, after.len() - 1, after.len()]);
    for keep in cuts {
        let torn = folder.path().join("torn");
        copy_dir(&image, &torn);
        fs::write(torn.join(&segment), &after[..keep]).expect("write");
        let (store, report) = open(&torn, options());
        assert_eq!(
            value(&store, "first").as_deref(),
            Some(b"1".as_slice()),
            "{keep} bytes"
        );
        let whole = keep == after.len();
        assert_eq!(value(&store, "last").is_some(), whole, "{keep} bytes");
        let torn_bytes = if whole { 0 } else { keep - before };
        assert_eq!(report.cut_bytes, torn_bytes as u64);
        put(&store, "next", b"2").expect("put");
        store.close().expect("close");
        let (store, _) = open(&torn, options());
        assert_eq!(value(&store, "next").as_deref(), Some(b"2".as_slice()));
        store.verify().expect("verify");
        drop(store);
        fs::remove_dir_all(&torn).expect("remove");
    }
}

#[test]
fn damage_in_the_middle_after_a_kill_names_the_file_and_the_offset() {
    let (folder, dir) = folder();
    let options = || Options {
        segment_bytes: 1 << 20,
        ..plain()
    };
    let store = create(&dir, options());
    let mut ends = Vec::new();
    for number in 0..5_u8 {
        ends.push(
            fs::metadata(dir.join("journal/00000001.seg"))
                .expect("metadata")
                .len(),
        );
        put(&store, &number.to_string(), &[number; 100]).expect("put");
    }
    let image = folder.path().join("image");
    copy_dir(&dir, &image);
    let path = image.join("journal/00000001.seg");
    let mut bytes = fs::read(&path).expect("read");
    let at = usize::try_from(ends[2]).expect("small") + 60;
    bytes[at] ^= 4;
    fs::write(&path, bytes).expect("write");
    match Store::open(&image, &Unlock::keystore(KEY), options()) {
        Err(OpenError::Damaged { file, offset, .. }) => assert_eq!((file, offset), (path, ends[2])),
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn rows_that_the_index_lost_without_a_word_are_made_anew() {
    let (_folder, dir) = folder();
    let model = closed_sample(&dir);
    let path = dir.join("index-0001");
    {
        let db = sled::open(&path).expect("open");
        let (row, _) = db.iter().nth(40).expect("a row").expect("a row");
        db.remove(row).expect("remove");
        db.flush().expect("flush");
    }
    let opened = || Store::open(&dir, &Unlock::keystore(KEY), plain());
    let (store, report) = crate::index::tests::until_released(opened).expect("open");
    let rebuilt = report.rebuilt.expect("made anew");
    assert_eq!(rebuilt.lost_before, None);
    assert!(
        rebuilt.set_aside.is_some_and(|path| path.join("db").is_file()),
        "the old index is kept"
    );
    assert_eq!(store.read(everything), everything(&model));
    store.close().expect("close");
    let (store, report) = open(&dir, plain());
    assert_eq!(report.rebuilt, None);
    assert_eq!(store.read(everything), everything(&model));
}

#[test]
fn a_lost_index_behind_a_trimmed_journal_waits_for_repair() {
    let (_folder, dir) = folder();
    let store = create(&dir, plain());
    let (_, groups) = sample();
    for writes in groups.iter().take(20) {
        apply(&store, writes.clone()).expect("commit");
    }
    store.checkpoint().expect("checkpoint");
    let released = store.sequence();
    store.release(released).expect("release");
    assert!(
        !dir.join("journal/00000001.seg").exists(),
        "a released segment is still there"
    );
    put(&store, "later", b"1").expect("put");
    store.close().expect("close");
    fs::remove_dir_all(dir.join("index-0001")).expect("remove");
    let lost_before = match Store::open(&dir, &Unlock::keystore(KEY), plain()) {
        Err(OpenError::NeedsRepair { lost_before, .. }) => lost_before,
        other => panic!("not refused: {other:?}"),
    };
    assert!(lost_before > 0 && lost_before < released);
    let (store, report) = open(
        &dir,
        Options {
            repair: true,
            ..plain()
        },
    );
    assert_eq!(
        report.rebuilt.and_then(|rebuilt| rebuilt.lost_before),
        Some(lost_before)
    );
    assert_eq!(value(&store, "later").as_deref(), Some(b"1".as_slice()));
    store.close().expect("close");
    let (store, report) = open(&dir, plain());
    assert_eq!(report.rebuilt, None);
    store.verify().expect("verify");
}

#[test]
fn nothing_is_removed_that_was_not_released() {
    let (_folder, dir) = folder();
    let model = closed_sample(&dir);
    let segments = files(&dir.join("journal"));
    assert!(segments.len() > 3, "the sample fills segments");
    fs::remove_dir_all(dir.join("index-0001")).expect("remove");
    let (store, report) = open(&dir, plain());
    assert!(
        report
            .rebuilt
            .is_some_and(|rebuilt| rebuilt.lost_before.is_none())
    );
    assert_eq!(store.read(everything), everything(&model));
}

#[test]
fn a_sealed_row_does_not_open_in_another_place() {
    let sealer = StoreKey::of(KEY).sealer(Purpose::Index);
    let sealed = sealer.seal(b"here", b"plain").expect("seal");
    assert_eq!(
        sealer.open(b"here", &sealed).as_deref(),
        Some(b"plain".as_slice())
    );
    assert_eq!(sealer.open(b"there", &sealed), None);
    for at in 0..sealed.len() {
        let mut flipped = sealed.clone();
        flipped[at] ^= 1;
        assert_eq!(sealer.open(b"here", &flipped), None, "byte {at}");
    }
}
