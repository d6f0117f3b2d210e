//! What a kill leaves, what a power cut leaves, and what a full or failing disk does.

use super::*;

fn disk() -> SimDisk {
    SimDisk::new(Random::new(3, "disk"))
}

fn write(disk: &SimDisk, path: &str, bytes: &[u8], sync: bool) {
    let mut file = disk.open(Path::new(path)).unwrap();
    file.append(bytes).unwrap();
    if sync {
        file.sync().unwrap();
    }
}

fn read(disk: &SimDisk, path: &str) -> Option<Vec<u8>> {
    disk.read(Path::new(path)).ok()
}

fn made() -> SimDisk {
    let disk = disk();
    disk.create_dir(Path::new("/a/b")).unwrap();
    write(&disk, "/a/b/file", b"durable", true);
    disk.sync_dir(Path::new("/a/b")).unwrap();
    disk.sync_dir(Path::new("/a")).unwrap();
    disk.sync_dir(Path::new("/")).unwrap();
    disk
}

#[test]
fn a_kill_leaves_what_was_written() {
    let disk = made();
    write(&disk, "/a/b/file", b" and loose", false);
    disk.kill();
    assert_eq!(read(&disk, "/a/b/file").unwrap(), b"durable and loose");
}

#[test]
fn power_takes_what_was_not_synced() {
    for loss in [Loss::All, Loss::Torn, Loss::Sectors] {
        let disk = made();
        write(&disk, "/a/b/file", &[7; 2_000], false);
        disk.cut_power(loss);
        let left = read(&disk, "/a/b/file").unwrap();
        assert!(left.starts_with(b"durable"), "{loss:?}");
        assert!(left.len() <= 2_007);
        assert!(loss != Loss::All || left.len() == 7);
    }
}

#[test]
fn a_name_is_durable_once_its_folder_is() {
    let disk = made();
    write(&disk, "/a/b/new", b"synced", true);
    disk.cut_power(Loss::All);
    assert_eq!(read(&disk, "/a/b/new"), None);
    write(&disk, "/a/b/new", b"synced", true);
    disk.sync_dir(Path::new("/a/b")).unwrap();
    disk.rename(Path::new("/a/b/new"), Path::new("/a/b/file"))
        .unwrap();
    disk.cut_power(Loss::All);
    assert_eq!(read(&disk, "/a/b/file").unwrap(), b"durable");
    assert_eq!(read(&disk, "/a/b/new").unwrap(), b"synced");
}

#[test]
fn a_folder_is_renamed_with_all_that_is_in_it() {
    let disk = made();
    disk.rename(Path::new("/a/b"), Path::new("/a/c")).unwrap();
    disk.sync_dir(Path::new("/a")).unwrap();
    disk.cut_power(Loss::All);
    assert_eq!(read(&disk, "/a/c/file").unwrap(), b"durable");
    assert!(!disk.exists(Path::new("/a/b")));
}

#[test]
fn the_dead_write_nothing_and_their_handles_stay_dead() {
    let disk = made();
    let mut file = disk.open(Path::new("/a/b/file")).unwrap();
    disk.die_after(0, true);
    assert!(file.append(&[1; 100]).is_err() && disk.is_dead());
    assert!(disk.open(Path::new("/a/b/other")).is_err());
    disk.kill();
    assert!(file.append(b"late").is_err());
    let left = read(&disk, "/a/b/file").unwrap();
    assert!(left.starts_with(b"durable") && left.len() < 107);
}

#[test]
fn a_full_disk_takes_a_part_and_says_so() {
    let disk = made();
    disk.set_full(true);
    let mut file = disk.open(Path::new("/a/b/file")).unwrap();
    let error = file.append(&[1; 100]).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    disk.set_full(false);
    file.truncate(7).unwrap();
    file.append(b"!").unwrap();
    assert_eq!(read(&disk, "/a/b/file").unwrap(), b"durable!");
}

#[test]
fn after_a_failed_sync_the_next_one_promises_nothing() {
    let mut lost = 0;
    for seed in 0..20 {
        let disk = SimDisk::new(Random::new(seed, "disk"));
        let mut file = disk.open(Path::new("/file")).unwrap();
        disk.sync_dir(Path::new("/")).unwrap();
        file.append(b"gone").unwrap();
        disk.fail_syncs(1);
        assert!(file.sync().is_err());
        assert!(file.sync().is_ok());
        disk.cut_power(Loss::All);
        lost += u32::from(read(&disk, "/file").unwrap() != b"gone");
    }
    assert!((5..20).contains(&lost), "{lost}");
}

#[test]
fn a_lock_is_held_by_one_and_dies_with_its_process() {
    let disk = made();
    let lock = disk.lock(Path::new("/a/lock")).unwrap();
    assert!(matches!(
        disk.lock(Path::new("/a/lock")),
        Err(LockError::Held { .. })
    ));
    disk.kill();
    let again = disk.lock(Path::new("/a/lock")).unwrap();
    drop(lock);
    assert!(matches!(
        disk.lock(Path::new("/a/lock")),
        Err(LockError::Held { .. })
    ));
    drop(again);
    assert!(disk.lock(Path::new("/a/lock")).is_ok());
}

#[test]
fn a_folder_is_put_back_and_the_rest_stays() {
    let disk = made();
    write(&disk, "/anchor", b"old", true);
    let image = disk.image();
    write(&disk, "/a/b/file", b" later", true);
    write(&disk, "/anchor", b" new", true);
    disk.put_back(&image, Some(Path::new("/a")));
    assert_eq!(read(&disk, "/a/b/file").unwrap(), b"durable");
    assert_eq!(read(&disk, "/anchor").unwrap(), b"old new");
    disk.put_back(&image, None);
    assert_eq!(read(&disk, "/anchor").unwrap(), b"old");
}
