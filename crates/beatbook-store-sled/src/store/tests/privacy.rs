//! Nobody but the owner of a store looks into its folders and reads its files.

use std::os::unix::fs::PermissionsExt;

use super::*;

// Invariant: every folder of a store is its owner's alone, and so is every file that does not lie in sled's own folder.
#[test]
fn folders_and_files_are_the_owners_alone() {
    let (folder, dir) = folder();
    let pin = || Unlock::pin("271828");
    let (store, _) = Store::create(&dir, &pin(), with_pin()).expect("create");
    put(&store, "key", b"value").expect("put");
    store.close().expect("close");
    // Opened without its index, so that one is made anew; the old one lies aside.
    let index = fs::read_dir(&dir)
        .expect("list")
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.to_string_lossy().contains("index-"))
        .expect("an index");
    fs::write(index.join("db"), b"damaged").expect("damage");
    let (store, _) = Store::open(&dir, &pin(), with_pin()).expect("open");
    drop(store);

    let mut seen = Vec::new();
    look(folder.path(), &mut seen);
    for name in [
        "lock",
        "vault",
        "store.anchor",
        "store.secret",
        "store.secret.copy",
        "journal",
        "aside",
    ] {
        assert!(
            seen.iter().any(|path| path.ends_with(name)),
            "{name} is not among {seen:?}"
        );
    }
}

/// Demands of everything under a folder that it is the owner's alone. What sled makes in its folder cannot be reached
/// by anybody else.
fn look(dir: &Path, seen: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("list").flatten() {
        let path = entry.path();
        let mode = entry.metadata().expect("metadata").permissions().mode() & 0o777;
        let is_dir = path.is_dir();
        assert_eq!(mode, if is_dir { 0o700 } else { 0o600 }, "{}", path.display());
        let is_index = path
            .file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with("index-"));
        if is_dir && !is_index {
            look(&path, seen);
        }
        seen.push(path);
    }
}
