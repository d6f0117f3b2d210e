//! Property: a device whose store is an older copy never issues a number twice: it opens a new book, gets back what was
//! receipted, and issues again what the copy alone still holds.
//! Method: the store's folder is copied while closed, written to, and put back; its anchor, outside it, stays.

use std::fs;

use beatbook_tests::{Canaries, Device, Force, assert_each_once, copy_folder};

/// Puts the copy in the place of the store.
fn put_back(device: &Device, copy: &std::path::Path) {
    fs::remove_dir_all(device.store()).expect("the store is closed");
    copy_folder(copy, device.store());
}

#[test]
fn what_only_the_copy_holds_is_issued_again() {
    let mut canaries = Canaries::new();
    let force = Force::staffed();
    let phone = force.enrol("phone", "9123");
    let desk = force.enrol("desk", "214");
    let [safe, unsent, gone, new] = [(); 4].map(|()| canaries.word());
    phone.note(&safe);
    phone.sync();
    phone.note(&unsent);
    let copy = force.path("copy");
    copy_folder(phone.store(), &copy);
    // This number was given to an officer: the copy must not give it to another entry.
    let taken = phone.note(&gone);
    put_back(&phone, &copy);

    let reference = phone.note(&new);
    assert_ne!(reference, taken, "a number is issued once");
    assert_each_once(&phone.list(), [&safe, &unsent, &new]);
    phone.sync();
    assert_eq!(phone.count("pending"), 0);
    assert_ne!(phone.reference(&new), taken, "nor by the label of the book");
    for device in [&phone, &desk] {
        assert_each_once(&device.pull(), [&safe, &unsent, &new]);
    }
    force.admin(&["check"]).done();
}

#[test]
fn what_was_receipted_after_the_copy_comes_back() {
    let mut canaries = Canaries::new();
    let force = Force::staffed();
    let phone = force.enrol("phone", "9123");
    let desk = force.enrol("desk", "214");
    let [safe, sent, later, new] = [(); 4].map(|()| canaries.word());
    phone.note(&safe);
    phone.sync();
    phone.note(&sent);
    let copy = force.path("copy");
    copy_folder(phone.store(), &copy);
    let taken = phone.note(&later);
    phone.sync();
    assert_eq!(phone.count("pending"), 0);
    let taken_then = phone.reference(&later);
    put_back(&phone, &copy);

    let reference = phone.note(&new);
    assert!(
        ![&taken, &taken_then].contains(&&reference),
        "a number is issued once"
    );
    phone.sync();
    phone.sync();
    assert_eq!(phone.count("pending"), 0);
    for device in [&phone, &desk] {
        assert_each_once(&device.pull(), [&safe, &sent, &later, &new]);
        assert!(
            device.conflicts().is_empty(),
            "nothing of that waits for a person"
        );
    }
    assert_eq!(
        phone.reference(&later),
        taken_then,
        "it comes back under its own number"
    );
    assert_each_once(&phone.list(), [&safe, &sent, &later, &new]);
    force.admin(&["check"]).done();
}

#[test]
fn a_copy_with_its_anchor_shows_itself_at_the_server() {
    let mut canaries = Canaries::new();
    let force = Force::staffed();
    let phone = force.enrol("phone", "9123");
    let desk = force.enrol("desk", "214");
    let [safe, sent, new] = [(); 3].map(|()| canaries.word());
    phone.note(&safe);
    phone.sync();
    let copy = force.path("copy");
    copy_folder(phone.folder(), &copy);
    let taken = phone.note(&sent);
    phone.sync();
    fs::remove_dir_all(phone.folder()).expect("the store is closed");
    copy_folder(&copy, phone.folder());

    // Nothing on this device can tell: the same number is given again.
    assert_eq!(phone.note(&new), taken);
    for _ in 0..SESSIONS_TO_SETTLE {
        phone.sync();
    }
    assert_eq!(phone.count("pending"), 0);
    for device in [&phone, &desk] {
        assert_each_once(&device.pull(), [&safe, &sent, &new]);
    }
    assert_eq!(
        desk.reference(&sent),
        format!("52/9123/{taken}"),
        "the first that was accepted keeps its number"
    );
    assert_ne!(
        phone.reference(&new),
        phone.reference(&sent),
        "the other has another one"
    );
    force.admin(&["check"]).done();
}

#[test]
fn two_copies_of_one_store_that_both_go_on_lose_nothing() {
    let mut canaries = Canaries::new();
    let force = Force::staffed();
    let phone = force.enrol("phone", "9123");
    let desk = force.enrol("desk", "214");
    let first = canaries.word();
    phone.note(&first);
    phone.sync();
    let twin = force.device("twin");
    copy_folder(phone.folder(), twin.folder());
    let mut words = vec![first];
    for device in [&phone, &twin, &phone, &twin] {
        words.push(canaries.word());
        device.note(&words[words.len() - 1]);
        device.sync();
    }
    for device in [&phone, &twin, &phone, &twin] {
        device.sync();
    }
    assert_each_once(&desk.pull(), &words);
    for device in [&phone, &twin] {
        assert_eq!(device.count("pending"), 0);
        assert_each_once(&device.pull(), &words);
    }
    force.admin(&["check"]).done();
}

/// To find out, to open a new book, and to issue again.
const SESSIONS_TO_SETTLE: usize = 3;
