//! A scan that finds nothing is worth something only if it finds what is there.

use super::*;

#[test]
fn finds_what_was_planted() {
    let mut canaries = Canaries::new();
    let words = canaries.words(3);
    let folder = tempfile::tempdir().expect("a folder");
    let deep = folder.path().join("a/b");
    fs::create_dir_all(&deep).expect("a folder");
    fs::write(deep.join("plain"), format!("xx{} {}", words[0], words[1])).expect("written");
    let wide: Vec<u8> = words[2].encode_utf16().flat_map(u16::to_le_bytes).collect();
    fs::write(deep.join("wide"), wide).expect("written");
    fs::write(deep.join("clean"), "nothing of that kind").expect("written");
    let mut found = canaries.files_with_hits(&[folder.path()]);
    found.sort();
    assert_eq!(found, vec![(deep.join("plain"), 2), (deep.join("wide"), 1)]);
}

#[test]
fn words_differ() {
    let words = Canaries::new().words(2_000);
    let different: std::collections::BTreeSet<_> = words.iter().collect();
    assert_eq!(different.len(), words.len());
}
