//! Tests of the keys on the disk: what is read is what was written, or nothing.

use std::fs;

use super::*;

#[test]
fn a_flipped_bit_or_a_missing_file_is_noticed_before_any_key_is_used() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("keys");
    let keys = Keys::create("52", 1_790_000_000).unwrap();
    keys.write(&dir).unwrap();
    assert_eq!(Keys::read(&dir).unwrap().store, keys.store);
    let mut files = 0;
    for entry in fs::read_dir(&dir).unwrap().flatten() {
        let whole = fs::read(entry.path()).unwrap();
        for at in (0..whole.len()).step_by(3) {
            let mut flipped = whole.clone();
            flipped[at] ^= 1 << (at % 8);
            fs::write(entry.path(), flipped).unwrap();
            let read = Keys::read(&dir);
            assert!(
                matches!(read, Err(KeysError::Damaged { .. })),
                "{} byte {at}",
                entry.path().display()
            );
        }
        fs::write(entry.path(), &whole[..whole.len() / 2]).unwrap();
        assert!(Keys::read(&dir).is_err());
        if entry.file_name() != SUMS {
            fs::remove_file(entry.path()).unwrap();
            assert!(matches!(Keys::read(&dir), Err(KeysError::Io { .. })));
        }
        fs::write(entry.path(), whole).unwrap();
        files += 1;
    }
    assert_eq!(files, 8);
    assert_eq!(Keys::read(&dir).unwrap().recovery, keys.recovery);
}
