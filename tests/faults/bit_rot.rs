//! Property: what rots on a disk is found by the command that meets it, and comes back from the copy that is whole; what
//! no copy on the machine holds comes back from the other side of the sync.
//! Method: flip a bit in the journal of a closed store, or lose its index, or both; run the command that repairs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use beatbook_tests::{Canaries, Device, Force, assert_each_once, files_under};
use serde_json::Value;

/// Flips a bit at this share of the longest segment of a journal.
fn flip_journal(store: &Path, tenths: usize) {
    let segments = files_under(store)
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "seg"));
    let longest = segments
        .max_by_key(|path| fs::metadata(path).expect("it is there").len())
        .expect("a store has a journal");
    let mut bytes = fs::read(&longest).expect("it can be read");
    let at = bytes.len() * tenths / 10;
    bytes[at] ^= 4;
    fs::write(&longest, bytes).expect("it can be written");
}

fn lose_index(store: &Path) {
    for entry in fs::read_dir(store).expect("the store is there").flatten() {
        if entry.file_name().to_string_lossy().starts_with("index-") {
            fs::remove_dir_all(entry.path()).expect("it can be removed");
        }
    }
}

fn repaired(device: &Device) -> Value {
    device.run(&["repair", "--json"]).done().object()
}

fn sources(report: &Value) -> Vec<&str> {
    let mended = report["mended"].as_array().expect("a list");
    mended
        .iter()
        .filter_map(|mended| mended["source"].as_str())
        .collect()
}

#[test]
fn a_rotten_journal_on_a_device_comes_back_from_the_index() {
    let mut canaries = Canaries::new();
    let force = Force::staffed();
    let phone = force.enrol("phone", "9123");
    let desk = force.enrol("desk", "214");
    let words = canaries.words(5);
    for word in &words[..3] {
        phone.note(word);
    }
    phone.sync();
    phone.note(&words[3]);
    flip_journal(phone.store(), 6);
    phone
        .run(&["list"])
        .exits(1)
        .complains(".seg is damaged")
        .complains("beatbook repair --store");
    let report = repaired(&phone);
    assert_eq!(sources(&report), ["index"], "{report}");
    assert_eq!(report["lost"], serde_json::json!([]), "{report}");
    let kept = report["mended"][0]["set_aside"].as_str().expect("it is kept");
    assert!(Path::new(kept).exists());
    assert_each_once(&phone.list(), &words[..4]);
    phone.note(&words[4]);
    phone.sync();
    assert_each_once(&desk.pull(), &words);
    assert!(sources(&repaired(&phone)).is_empty(), "nothing is left to repair");
    force.admin(&["check"]).done();
}

#[test]
fn what_both_copies_on_a_device_lost_comes_back_from_the_server() {
    let mut canaries = Canaries::new();
    let force = Force::staffed();
    let phone = force.enrol("phone", "9123");
    let desk = force.enrol("desk", "214");
    let (sent, new) = (canaries.words(8), canaries.word());
    for word in &sent {
        phone.note(word);
    }
    let last = phone.reference(&sent[7]);
    phone.sync();
    lose_index(phone.store());
    flip_journal(phone.store(), 5);
    phone
        .run(&["status"])
        .exits(1)
        .complains("beatbook repair --store");
    let report = repaired(&phone);
    assert_eq!(report["new_book"], true, "{report}");
    assert_eq!(report["lost"][0]["source"], "server", "{report}");
    let here = phone.list();
    assert!(
        here.len() < sent.len(),
        "the damage took nothing: it proves nothing"
    );

    let reference = phone.note(&new);
    assert_ne!(reference, last, "a number is issued once");
    phone.sync();
    phone.sync();
    assert_each_once(&phone.list(), sent.iter().chain([&new]));
    assert_each_once(&desk.pull(), sent.iter().chain([&new]));
    assert_eq!(phone.count("pending"), 0);
    assert!(desk.conflicts().is_empty());
    force.admin(&["check"]).done();
}

/// Stops the server, damages its store, and asks for a repair.
fn repair_server(force: &mut Force, damage: impl FnOnce(&Path), more: &[&str]) -> Value {
    force.stop();
    damage(&force.data().join("store"));
    force.admin(&["status"]).exits(1).complains("beatbookd repair");
    force
        .admin(&[&["repair", "--json"], more].concat())
        .done()
        .object()
}

#[test]
fn a_rotten_journal_of_a_server_comes_back_from_the_index() {
    let mut canaries = Canaries::new();
    let mut force = Force::staffed();
    let phone = force.enrol("phone", "9123");
    let desk = force.enrol("desk", "214");
    let words = canaries.words(4);
    for word in &words[..3] {
        phone.note(word);
    }
    phone.sync();
    let report = repair_server(&mut force, |store| flip_journal(store, 5), &[]);
    assert_eq!(sources(&report), ["index"], "{report}");
    assert_eq!(report["epoch"], Value::Null, "{report}");
    force.serve();
    phone.note(&words[3]);
    phone.sync();
    assert_each_once(&desk.pull(), &words);
    force.admin(&["check"]).done();
}

#[test]
fn what_both_copies_of_a_server_lost_comes_back_from_the_devices() {
    let mut canaries = Canaries::new();
    let mut force = Force::staffed();
    let phone = force.enrol("phone", "9123");
    let colleague = force.enrol("colleague", "8841");
    let desk = force.enrol("desk", "214");
    let words = canaries.words(6);
    for word in &words {
        phone.note(word);
        phone.sync();
    }
    colleague.sync();
    let damage = |store: &Path| {
        lose_index(store);
        flip_journal(store, 8);
    };
    let report = repair_server(&mut force, damage, &[]);
    assert_eq!(report["lost"][0]["source"], "devices", "{report}");
    assert!(report["epoch"].is_string(), "{report}");
    force.serve();
    for device in [&phone, &colleague, &phone] {
        device.sync();
    }
    assert_eq!(phone.count("pending"), 0);
    assert_each_once(&desk.pull(), &words);
    assert_each_once(&colleague.list(), &words);
    force.admin(&["check"]).done();
}

#[test]
fn what_both_copies_of_a_server_lost_comes_back_from_its_backup() {
    let mut canaries = Canaries::new();
    let mut force = Force::staffed();
    let phone = force.enrol("phone", "9123");
    let desk = force.enrol("desk", "214");
    let words = canaries.words(6);
    let backup = force.path("backup").to_str().expect("plain names").to_owned();
    for word in &words[..4] {
        phone.note(word);
    }
    phone.sync();
    force.admin(&["backup", &backup]).done();
    phone.note(&words[4]);
    phone.sync();
    let damage = |store: &Path| {
        lose_index(store);
        flip_journal(store, 3);
    };
    let report = repair_server(&mut force, damage, &["--backup", &backup]);
    assert!(sources(&report).contains(&"backup"), "{report}");
    assert_eq!(report["lost"], serde_json::json!([]), "{report}");
    force.serve();
    phone.note(&words[5]);
    phone.sync();
    assert_eq!(phone.count("pending"), 0);
    assert_each_once(&desk.pull(), &words);
    force.admin(&["check"]).done();
}

#[test]
fn a_campaign_of_single_damages_finds_each_and_repairs_it() {
    let ended = Command::new(PathBuf::from(env!("CARGO_BIN_EXE_beatbook-crash")))
        .args(["flips", "--flips", "240", "--seed", "20"])
        .output()
        .expect("the campaign runs");
    let said = String::from_utf8_lossy(&ended.stdout);
    assert!(ended.status.success(), "{said}");
    assert!(said.ends_with("0 silent, 0 failed\n"), "{said}");
}
