//! Property: with no server at all a notebook keeps the rules of notebooks: nothing erased, nothing overwritten, numbers
//! without gaps.
//! Method: every command that writes, on a device that has never reached a server; then what is shown of it.

use beatbook_tests::{Canaries, Device, Force, PIN, assert_each_once, enrolled_offline, records_with};

use beatbook_field::Unlock;

#[test]
fn nothing_is_erased_and_numbers_have_no_gaps() {
    let mut canaries = Canaries::new();
    let folder = Force::folder_only();
    let device = offline(&folder);
    let [note, wrong, right, struck, later, draft] = [(); 6].map(|()| canaries.word());

    let first = device.note(&format!("{note} at {wrong} and {struck}"));
    assert!(
        first.starts_with("new-") && first.ends_with("/2"),
        "after the opening: {first}"
    );
    let set = format!("description_seen={right}");
    device
        .run(&["amend", &first, "--set", &set, "--reason", "seen from nearer"])
        .done();
    device
        .run(&[
            "strike",
            &first,
            "--text",
            &struck,
            "--reason",
            "wrong street",
            "--initials",
            "SP",
        ])
        .done();
    device.run(&["supplement", &first, &later]).done();
    device.run(&["sign", &first]).done();

    let shown = device.show(&first);
    for word in [&note, &wrong, &right, &struck, &later] {
        assert!(shown.contains(word.as_str()), "\"{word}\" is lost: {shown}");
    }
    assert_each_once(&device.list(), [&note]);
    assert_eq!(
        device.run(&["search", &later, "--json"]).done().objects().len(),
        1
    );

    let begun = device
        .run(&["note", &draft, "--beat", "C02", "--draft"])
        .done()
        .line();
    assert!(begun.ends_with("/7"), "one number for each entry: {begun}");
    device.run(&["void", &begun, "--reason", "begun twice"]).done();
    assert!(
        device.show(&begun).contains(&draft),
        "a void entry stays readable"
    );
    // What is signed is struck or amended, never voided.
    device.run(&["void", &first, "--reason", "no"]).exits(1);
    // A reason is required.
    device
        .run(&["amend", &first, "--set", &set, "--reason", " "])
        .exits(2);
    let next = device.note("after what was refused");
    assert!(next.ends_with("/9"), "a refusal takes no number: {next}");
    device.run(&["check"]).done();
    assert!(records_with(&device.list(), &note).len() == 1);
}

/// A device of a force that nobody can reach.
fn offline(folder: &Force) -> Device {
    let device = folder.device("alone");
    enrolled_offline(device.store(), &Unlock::pin(PIN))
        .close()
        .expect("it closes");
    device
}
