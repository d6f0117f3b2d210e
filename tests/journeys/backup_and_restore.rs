//! Property: a backup made beside a running server restores to a server that holds the same; a damaged one is refused.
//! Method: back up, flip one byte at several places, restore the good one elsewhere and pull from it.

use std::fs;

use beatbook_tests::{Canaries, Force, Seed, assert_each_once};

#[test]
fn a_backup_restores_and_a_flipped_byte_is_refused() {
    let mut canaries = Canaries::new();
    let mut seed = Seed::fresh();
    let mut force = Force::staffed();
    let phone = force.enrol("phone", "9123");
    let desk = force.enrol("desk", "214");
    let words = canaries.words(20);
    for word in &words {
        phone.note(word);
    }
    phone.sync();
    assert!(phone.count("safe") > 0);
    let backup = force.path("force.backup");
    let backup_text = backup.to_str().expect("plain names").to_owned();
    force.admin(&["backup", &backup_text]).done();
    phone.sync();
    assert!(
        phone.count("secured") > 0,
        "a verified backup secures what it covers"
    );
    force.stop();

    let good = fs::read(&backup).expect("the backup is there");
    for round in 0..6 {
        let mut flipped = good.clone();
        let at = usize::try_from(seed.between(0, good.len() as u64)).expect("it fits");
        flipped[at] ^= 1 << seed.between(0, 8);
        let damaged = force.path(&format!("damaged-{round}"));
        fs::write(&damaged, &flipped).expect("written");
        let target = force.path(&format!("refused-{round}"));
        let refused = force.restore(&damaged, &target).exits(1);
        assert!(!refused.stderr.contains("panicked at"), "byte {at}: {refused:?}");
        assert!(!refused.stderr.is_empty(), "byte {at}: it says why: {refused:?}");
        assert!(
            !target.join("beatbookd.toml").exists(),
            "byte {at}: nothing usable is left behind"
        );
    }

    let target = force.path("restored");
    force.restore(&backup, &target).done();
    let there = force.restore(&backup, &target).exits(1);
    assert!(
        !there.stderr.is_empty(),
        "it never writes over what is there: {there:?}"
    );
    force.move_to(target);
    force.serve();
    assert_each_once(&desk.pull(), &words);
    let late = canaries.word();
    phone.note(&late);
    phone.sync();
    assert_each_once(&desk.pull(), words.iter().chain([&late]));
    force.admin(&["check"]).done();
}
