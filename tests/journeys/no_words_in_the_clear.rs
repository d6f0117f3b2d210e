//! Property: no word of a record is in any file of a device or a server, in a log at its loudest, or in a backup.
//! Method: a thousand canary words in every kind of place, and a search of every byte that was left anywhere.

use beatbook_tests::{Canaries, Force, assert_each_once, wait_true};

#[test]
fn a_thousand_words_and_no_trace() {
    let mut canaries = Canaries::new();
    let mut force = Force::staffed_logging("trace");
    let phone = force.enrol("phone", "9123").logging("trace");
    let desk = force.enrol("desk", "214").logging("trace");
    let mut watching = phone.watch();
    let words = canaries.words(1_000);
    // Ten words an entry, in several fields: titles and short lines leak as well as bodies.
    for ten in words.chunks(10) {
        let body = ten[..8].join(" ");
        let (seen, person) = (format!("description_seen={}", ten[8]), format!("Ada {}", ten[9]));
        phone
            .run(&[
                "note", &body, "--beat", "C02", "--set", &seen, "--person", &person,
            ])
            .done();
    }
    phone.wait_safe();
    let found = phone.run(&["search", &words[3], "--json"]).done();
    assert_each_once(&found.objects(), [&words[3]]);
    let log = desk.run(&["pull", "--format", "jsonl"]);
    assert_each_once(&log.clone().objects_of_listing(), &words);

    // Quarantine, errors and refusals must be as silent.
    let odd = format!("no_such_field={}", words[0]);
    let refused = phone.run(&["note", "text", "--beat", "C02", "--set", &odd]);
    assert_ne!(refused.code, Some(0));
    let backup = force.path("force.backup");
    force
        .admin(&["backup", backup.to_str().expect("plain names")])
        .done();

    let everything = force.path("");
    let hits = canaries.files_with_hits(&[everything.as_path()]);
    assert!(hits.is_empty(), "while all is open: {hits:?}");
    watching.interrupt();
    watching.wait_ended();
    wait_true("the trace of the device", || !watching.stderr().is_empty());
    force.stop();
    let hits = canaries.files_with_hits(&[everything.as_path()]);
    assert!(hits.is_empty(), "after all was closed: {hits:?}");

    for (whose, log) in [
        ("server", force.logs()),
        ("phone", watching.stderr() + &watching.stdout()),
        ("desk", log.stderr),
        ("refusal", refused.stderr),
    ] {
        assert!(
            whose == "refusal" || log.len() > 1_000,
            "{whose} logged nothing: {log}"
        );
        assert_eq!(
            canaries.hits(log.as_bytes()),
            0,
            "words in what the {whose} logged"
        );
    }
}
