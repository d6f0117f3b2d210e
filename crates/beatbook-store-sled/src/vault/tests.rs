//! Tests of the vault: two copies, one key.

use std::fs;

use super::*;
use crate::disk::RealDisk;
use crate::random::SystemRandom;

const COST: PinCost = PinCost {
    memory_kib: 8,
    passes: 1,
    lanes: 1,
};

fn system() -> Arc<dyn Random> {
    Arc::new(SystemRandom)
}

#[test]
fn either_copy_opens_and_mends_the_other() {
    let folder = tempfile::tempdir().expect("folder");
    let (dir, secret) = (folder.path(), folder.path().join("secret"));
    ensure_secret(&RealDisk, &SystemRandom, &secret).expect("secret");
    let key = StoreKey::draw(&system()).expect("key");
    let pin = Unlock::pin("2580");
    let vault = Vault::wrap(&key, [1; 16], &pin, COST, &secret, &RealDisk).expect("wrap");
    vault.write(&RealDisk, dir).expect("write");
    let whole = fs::read(dir.join("vault")).expect("read");
    for name in COPIES {
        for at in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[at] ^= 0x10;
            fs::write(dir.join(name), flipped).expect("write");
            let found = Vault::read(&RealDisk, dir)
                .expect("read")
                .open(&pin, &secret, &RealDisk, &system());
            assert_eq!(*found.expect("open").bytes, *key.bytes, "{name} byte {at}");
            assert_eq!(
                fs::read(dir.join(name)).expect("read"),
                whole,
                "{name} byte {at} was not mended"
            );
        }
    }
    for name in COPIES {
        fs::write(dir.join(name), b"BEATVLT1 and no more").expect("write");
    }
    assert!(matches!(
        Vault::read(&RealDisk, dir),
        Err(OpenError::Damaged { .. })
    ));
}

#[test]
fn the_secret_of_another_device_does_not_open() {
    let folder = tempfile::tempdir().expect("folder");
    let [ours, theirs] = ["ours", "theirs"].map(|name| folder.path().join(name));
    ensure_secret(&RealDisk, &SystemRandom, &ours).expect("secret");
    ensure_secret(&RealDisk, &SystemRandom, &theirs).expect("secret");
    let key = StoreKey::draw(&system()).expect("key");
    let pin = Unlock::pin("2580");
    let vault = Vault::wrap(&key, [1; 16], &pin, COST, &ours, &RealDisk).expect("wrap");
    assert!(matches!(
        vault.open(&pin, &theirs, &RealDisk, &system()),
        Err(OpenError::WrongPin)
    ));
    let kept = fs::read(&ours).expect("read");
    ensure_secret(&RealDisk, &SystemRandom, &ours).expect("secret");
    assert_eq!(fs::read(&ours).expect("read"), kept, "a secret is never replaced");
    let mut damaged = kept.clone();
    damaged[12] ^= 1;
    fs::write(&ours, &damaged).expect("write");
    assert!(vault.open(&pin, &ours, &RealDisk, &system()).is_ok());
    assert_eq!(mend_secret(&RealDisk, &ours).expect("mend").len(), 1);
    assert_eq!(fs::read(&ours).expect("read"), kept, "made again from the copy");
    assert!(mend_secret(&RealDisk, &ours).expect("mend").is_empty());
    for copy in secret_copies(&ours) {
        fs::write(copy, &damaged).expect("write");
    }
    assert!(mend_secret(&RealDisk, &ours).expect("mend").is_empty());
    assert!(matches!(
        vault.open(&pin, &ours, &RealDisk, &system()),
        Err(OpenError::DeviceSecret { .. })
    ));
}

#[test]
fn a_cost_out_of_range_is_refused_before_memory_is_asked_for() {
    let folder = tempfile::tempdir().expect("folder");
    let secret = folder.path().join("secret");
    ensure_secret(&RealDisk, &SystemRandom, &secret).expect("secret");
    let key = StoreKey::draw(&system()).expect("key");
    let cost = PinCost {
        memory_kib: u32::MAX,
        ..COST
    };
    let refused = Vault::wrap(&key, [1; 16], &Unlock::pin("2580"), cost, &secret, &RealDisk);
    assert!(matches!(refused, Err(OpenError::PinCost)));
}

#[test]
fn debug_of_an_unlock_shows_no_secret() {
    assert_eq!(
        format!("{:?} {:?}", Unlock::pin("2580"), Unlock::keystore([5; 32])),
        "Pin(..) Keystore(..)"
    );
}
