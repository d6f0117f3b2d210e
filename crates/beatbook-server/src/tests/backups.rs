//! Backups: what they cover, that they restore, and that a changed one is refused.

use std::fs;

use super::*;
use crate::{BackupFailed, RestoreFailed, restore};

// Invariant: a server that is killed while it backs up leaves nothing that could be taken for a backup.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_has_the_name_of_a_backup_before_it_is_proved() {
    let force = Running::start().await;
    let file = force.folder.path().join("monday");
    let part = force.folder.path().join("monday.part");
    // What a kill in the middle of an earlier one left.
    fs::write(&part, b"half a backup").unwrap();
    let to = file.clone();
    let looks = force
        .with_store(move |store| {
            let mut looks = 0;
            let mut look = |_| {
                looks += 1;
                assert!(!to.exists(), "it is not whole yet");
                let busy = store.backup(&to, &mut |_| {});
                assert!(
                    matches!(busy, Err(BackupFailed::Io { .. })),
                    "one at a time: {busy:?}"
                );
            };
            store.backup(&to, &mut look).unwrap();
            looks
        })
        .await;
    assert!(looks > 0, "it was looked at while it was made");
    assert!(file.exists() && !part.exists());
    force.server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_beside_sessions_secures_what_it_covers_and_restores_in_a_new_life() {
    let force = Running::start().await;
    let mut phone = force.enrol("9123").await;
    let first = phone.note("Before the backup.");
    phone.sync().await;
    assert_eq!(phone.status().secured, 0);
    let file = force.folder.path().join("monday");
    let to = file.clone();
    let summary = force
        .with_store(move |store| {
            let summary = store.backup(&to, &mut |_| {}).unwrap();
            store
                .write_recovery_key(&to.with_file_name(store.recovery_file()))
                .unwrap();
            let again = store.backup(&to, &mut |_| {});
            assert!(
                matches!(again, Err(BackupFailed::Io { .. })),
                "it never writes over a backup"
            );
            summary
        })
        .await;
    phone.sync().await;
    let status = phone.status();
    assert_eq!(
        (status.secured, summary.entries),
        (status.safe, status.safe),
        "{status:?}"
    );
    // Words of a record are in no byte of it.
    let bytes = fs::read(&file).unwrap();
    assert!(!bytes.windows(6).any(|window| window == b"Before"));

    let second = phone.note("After the backup.");
    phone.sync().await;
    let old_epoch = force.with_store(|store| store.status().unwrap().epoch).await;
    force.server.stop().await.unwrap();

    let data = force.folder.path().join("restored");
    let target = data.clone();
    let restored = blocking(move || restore(&file, &target, None).unwrap()).await;
    assert_eq!((restored.entries, restored.officers), (summary.entries, 3));
    assert_ne!(restored.epoch, old_epoch);
    let store = blocking(move || ServerStore::open(data).unwrap()).await;
    let server = Server::start(store, ServeOptions::loopback()).await.unwrap();
    let force = Running {
        folder: force.folder,
        server,
    };
    // The same keys: the device is known, and sends again what the backup had not seen.
    phone.address = force.address();
    phone.sync().await;
    assert_eq!(phone.status().pending, 0);
    let mut desk = force.enrol("214").await;
    desk.sync().await;
    assert!(desk.holds(first.record) && desk.holds(second.record));
    assert_eq!(force.with_store(|store| store.check().unwrap().faults).await, []);
    force.server.stop().await.unwrap();
}

#[test]
fn a_backup_that_was_changed_or_cut_or_lacks_its_key_is_refused() {
    let (folder, store) = force();
    let file = folder.path().join("backup");
    store.backup(&file, &mut |_| {}).unwrap();
    let target = folder.path().join("restored");
    let refused = restore(&file, &target, None);
    assert!(matches!(refused, Err(RestoreFailed::NoKey { .. })));
    let key = folder.path().join(store.recovery_file());
    store.write_recovery_key(&key).unwrap();
    let good = fs::read(&file).unwrap();
    let damaged = folder.path().join("damaged");
    // Each byte of the head and of the sealed keys, then some of the store's own part.
    let places = (0..60).chain((60..good.len()).step_by(good.len() / 40));
    for at in places {
        let mut bytes = good.clone();
        bytes[at] ^= 1 << (at % 8);
        fs::write(&damaged, &bytes).unwrap();
        assert!(restore(&damaged, &target, Some(&key)).is_err(), "byte {at}");
        assert!(!target.exists(), "byte {at}");
    }
    for length in [0, 1, 24, 100, good.len() / 2, good.len() - 1] {
        fs::write(&damaged, &good[..length]).unwrap();
        assert!(restore(&damaged, &target, Some(&key)).is_err(), "{length} bytes");
    }
    let other = folder.path().join("other.key");
    fs::write(&other, "00".repeat(32)).unwrap();
    assert!(matches!(
        restore(&file, &target, Some(&other)),
        Err(RestoreFailed::Damaged)
    ));
    assert!(!target.exists());
    restore(&file, &target, None).unwrap();
    assert!(matches!(
        restore(&file, &target, None),
        Err(RestoreFailed::Folder(_))
    ));
    store.close().unwrap();
}
