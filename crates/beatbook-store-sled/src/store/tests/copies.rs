//! Backups, restored and copied stores, their anchors, and compaction.

use super::*;
use crate::error::RestoreError;

fn restore(bytes: &[u8], dir: &Path) -> Result<RestoreReport, RestoreError> {
    Store::restore(&mut &bytes[..], dir, &Unlock::keystore(KEY), &plain())
}

fn backup(store: &Store) -> (Vec<u8>, BackupReport) {
    let mut bytes = Vec::new();
    let report = store.backup(&mut bytes, &mut |_| {}).expect("backup");
    assert_eq!(report.bytes, bytes.len() as u64);
    (bytes, report)
}

#[test]
fn a_backup_is_the_store_and_goes_on_from_there() {
    let (folder, dir) = folder();
    let store = create(&dir, plain());
    let (mut model, groups) = sample();
    for writes in groups {
        apply(&store, writes).expect("commit");
    }
    let (bytes, report) = backup(&store);
    assert_eq!(report.sequence, store.sequence());
    put(&store, "after the backup", b"1").expect("put");
    let copy = folder.path().join("copy");
    assert_eq!(restore(&bytes, &copy).expect("restore").sequence, report.sequence);
    let (restored, _) = open(&copy, plain());
    assert_eq!(restored.read(everything), everything(&model));
    let mut writes = WriteSet::default();
    writes.set(Table::Meta, b"more".to_vec(), Some(b"2".to_vec()));
    model.apply(&writes);
    apply(&restored, writes).expect("commit");
    restored.close().expect("close");
    let (restored, _) = open(&copy, plain());
    assert_eq!(restored.read(everything), everything(&model));
    restored.verify().expect("verify");
    assert!(restored.sequence() > report.sequence);
    let taken = restore(&bytes, &copy);
    assert!(matches!(
        taken,
        Err(RestoreError::Open(OpenError::AlreadyExists { .. }))
    ));
}

#[test]
fn commits_during_a_backup_are_whole_in_it_or_not_at_all() {
    let (folder, dir) = folder();
    let store = create(&dir, plain());
    let (_, groups) = sample();
    for writes in groups.iter().cycle().take(60) {
        apply(&store, writes.clone()).expect("commit");
    }
    for number in 0..2000_u32 {
        let mut writes = WriteSet::default();
        writes.set(Table::Feeds, number.to_be_bytes().to_vec(), Some(vec![0; 8]));
        apply(&store, writes).expect("commit");
    }
    let mut bytes = Vec::new();
    let mut round = 0_u8;
    // Each step of the copying is followed by a commit to the front and to the back of what is copied.
    let during = store.backup(&mut bytes, &mut |progress| {
        assert!(progress.rows_total > 2000);
        round += 1;
        let mut writes = WriteSet::default();
        let length = 1 + usize::from(round % 3) * 17_000;
        writes.set(Table::Meta, b"pair".to_vec(), Some(vec![round; length]));
        writes.set(
            Table::Register,
            b"pair".to_vec(),
            Some(vec![round; 40_000 - length]),
        );
        writes.set(Table::Feeds, u32::from(round).to_be_bytes().to_vec(), None);
        apply(&store, writes).expect("commit");
        store.checkpoint().expect("checkpoint");
        store.release(store.sequence()).expect("release");
    });
    assert!(round > 5);
    let model = store.read(everything).expect("read");
    assert_eq!(during.expect("backup").sequence, store.sequence());
    let copy = folder.path().join("copy");
    restore(&bytes, &copy).expect("restore");
    let (restored, _) = open(&copy, plain());
    assert!(restored.read(everything) == Ok(model));
}

#[test]
fn a_changed_or_cut_backup_puts_nothing_in_place() {
    let (folder, dir) = folder();
    let store = create(&dir, plain());
    let (_, groups) = sample();
    for writes in groups.into_iter().take(4) {
        apply(&store, writes).expect("commit");
    }
    let (bytes, _) = backup(&store);
    let copy = folder.path().join("copy");
    let places = (0..bytes.len())
        .step_by(bytes.len() / 48)
        .chain(bytes.len() - 8..bytes.len());
    for at in places {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << (at % 8);
        assert!(restore(&flipped, &copy).is_err(), "flipped at {at}");
        assert!(restore(&bytes[..at], &copy).is_err(), "cut at {at}");
        assert!(!copy.exists(), "something was put in place");
    }
    let mut longer = bytes.clone();
    longer.push(0);
    assert!(matches!(
        restore(&longer, &copy),
        Err(RestoreError::Damaged { .. })
    ));
    let wrong = Store::restore(&mut bytes.as_slice(), &copy, &Unlock::keystore([8; 32]), &plain());
    assert!(matches!(wrong, Err(RestoreError::Open(OpenError::WrongPin))));
    assert!(!copy.exists());
    restore(&bytes, &copy).expect("the backup itself is whole");
}

#[test]
fn compaction_keeps_every_row_and_gives_space_back() {
    let (_folder, dir) = folder();
    let store = create(
        &dir,
        Options {
            anchor: AnchorPlace::Nowhere,
            ..with_pin()
        },
    );
    for round in 0..40_u8 {
        for key in 0..40 {
            put(&store, &format!("{key}"), &vec![round; 4000]).expect("put");
        }
    }
    store.checkpoint().expect("checkpoint");
    let (before, content) = (store.size(), store.read(everything));
    store.compact().expect("compact");
    let after = store.size();
    assert!(after.index_bytes < before.index_bytes, "{before:?} {after:?}");
    assert_eq!((after.live_bytes, after.rows), (before.live_bytes, before.rows));
    assert!(store.read(everything) == content);
    put(&store, "after", b"1").expect("put");
    store.close().expect("close");
    let (store, report) = open(&dir, plain());
    assert_eq!(
        (report.rebuilt, value(&store, "after")),
        (None, Some(b"1".to_vec()))
    );
}

#[test]
fn an_older_copy_or_a_clone_does_not_match_its_anchor_until_it_is_adopted() {
    let (folder, dir) = folder();
    let store = create(&dir, with_pin());
    store.lease([1; 16], 256).expect("lease");
    store.close().expect("close");
    let copy = folder.path().join("copy");
    copy_dir(&dir, &copy);
    let (store, report) = open(&dir, with_pin());
    assert_eq!(
        (report.anchor, store.leased([1; 16])),
        (AnchorState::Matches, Some(256))
    );
    store.lease([1; 16], 100).expect("lease");
    assert_eq!(store.leased([1; 16]), Some(256), "a lease never falls");
    store.close().expect("close");
    // The clone, elsewhere, has no anchor.
    let (clone, report) = open(&copy, with_pin());
    assert_eq!(report.anchor, AnchorState::Missing);
    assert!(clone.lease([1; 16], 512).is_err());
    clone.close().expect("close");
    // Yesterday's copy in the place of the store.
    fs::remove_dir_all(&dir).expect("remove");
    copy_dir(&copy, &dir);
    for _ in 0..2 {
        let (older, report) = open(&dir, with_pin());
        assert!(
            matches!(report.anchor, AnchorState::Mismatch { .. }),
            "{:?}",
            report.anchor
        );
        assert!(older.lease([1; 16], 512).is_err());
        assert_eq!(
            older.leased([1; 16]),
            Some(256),
            "what the anchor knows is still told"
        );
        older.close().expect("close");
    }
    let (older, _) = open(&dir, with_pin());
    older.adopt_anchor().expect("adopt");
    older.lease([2; 16], 256).expect("lease");
    older.close().expect("close");
    let (adopted, report) = open(&dir, with_pin());
    assert_eq!(
        (report.anchor, adopted.leased([2; 16])),
        (AnchorState::Matches, Some(256))
    );
}

#[test]
fn a_restored_device_does_not_match_its_anchor() {
    let (_folder, dir) = folder();
    let store = create(&dir, with_pin());
    put(&store, "a", b"1").expect("put");
    let (bytes, _) = backup(&store);
    store.close().expect("close");
    fs::remove_dir_all(&dir).expect("remove");
    Store::restore(&mut bytes.as_slice(), &dir, &Unlock::keystore(KEY), &with_pin()).expect("restore");
    let (store, report) = open(&dir, with_pin());
    assert!(
        matches!(report.anchor, AnchorState::Mismatch { .. }),
        "{:?}",
        report.anchor
    );
    assert_eq!(value(&store, "a").as_deref(), Some(b"1".as_slice()));
}

#[test]
fn a_kill_between_the_journal_and_the_anchor_is_no_mismatch() {
    let (folder, dir) = folder();
    create(&dir, with_pin()).close().expect("close");
    let anchor = beside(&dir, ".anchor");
    let before = fs::read(&anchor).expect("read");
    let image = folder.path().join("image");
    copy_dir(&dir, &image);
    // Killed after the announcement: the anchor names the next id, the journal the one before.
    let key = crate::vault::Vault::read(&RealDisk, &dir).expect("vault");
    let store_key = key
        .open(
            &Unlock::keystore(KEY),
            &beside(&dir, ".secret"),
            &RealDisk,
            &with_pin().random,
        )
        .expect("key");
    let prior = crate::journal::frame::Opening {
        id: current(&store_key, &before),
        anchored: true,
    };
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let read = || {
        crate::anchor::Anchor::read(
            Arc::clone(&disk),
            anchor.clone(),
            &store_key,
            key.store_id,
            Some(prior),
        )
        .expect("anchor")
    };
    let mut announced = read();
    assert_eq!(announced.state, AnchorState::Matches);
    announced.announce(prior.id, [9; 16]).expect("announce");
    let (store, report) = open(&dir, with_pin());
    assert_eq!(report.anchor, AnchorState::Matches);
    store.close().expect("close");
    // Killed before the confirmation: the journal has the id that the anchor calls the next one.
    let mut announced = read();
    announced.announce([3; 16], prior.id).expect("announce");
    fs::remove_dir_all(&dir).expect("remove");
    copy_dir(&image, &dir);
    let (_, report) = open(&dir, with_pin());
    assert_eq!(report.anchor, AnchorState::Matches);
}

/// The open id that an anchor file calls the current one.
fn current(key: &crate::seal::StoreKey, file: &[u8]) -> [u8; 16] {
    let plain = key
        .sealer(crate::seal::Purpose::Anchor)
        .open(b"anchor v1", file)
        .expect("an anchor");
    plain[16..32].try_into().expect("16 bytes")
}
