//! Property: what is written while the server is away arrives by itself once it is there, each entry once.
//! Method: a shift of every family with the server stopped; then `sync --watch` runs while the server starts.

use beatbook_tests::{Canaries, Force, assert_each_once, records_with};

use serde_json::Value;

#[test]
fn a_shift_without_coverage_arrives_without_being_asked() {
    let mut canaries = Canaries::new();
    let mut force = Force::staffed();
    let phone = force.enrol("phone", "9123");
    let desk = force.enrol("desk", "214");
    force.stop();

    let words = write_a_shift(&phone, &mut canaries);
    assert_each_once(&phone.list(), &words);
    assert!(
        phone.count("pending") >= words.len() as u64,
        "nothing can be safe yet"
    );

    let mut watching = phone.watch();
    assert!(phone.count("pending") > 0, "no server, no receipt");
    force.serve();
    phone.wait_safe();

    let log = desk.pull();
    assert_each_once(&log, &words);
    let crumbs = log
        .iter()
        .filter(|record| record.get("family").and_then(Value::as_str) == Some("BREADCRUMB"));
    assert_eq!(crumbs.count(), 1, "the positions arrive as well");
    for word in &words {
        assert!(
            !records_with(&phone.list(), word).is_empty(),
            "the phone keeps what it wrote"
        );
    }
    watching.interrupt();
    assert!(watching.wait_ended().success(), "Ctrl-C is an ordinary end");
}

/// Writes one record of each family that holds a word, and positions; returns the words.
fn write_a_shift(phone: &beatbook_tests::Device, canaries: &mut Canaries) -> Vec<String> {
    let words = canaries.words(6);
    let [sign, note, signed, concern, summary, follow_up] = words.as_slice() else {
        unreachable!("six were asked for");
    };
    let set = |field: &str, word: &str| format!("{field}={word}");
    phone
        .run(&[
            "patrol",
            "start",
            "--beat",
            "C02",
            "--call-sign",
            sign,
            "--state",
            "VISIBLE_PATROL",
        ])
        .done();
    phone.note(&format!("Shutter forced at number 14, {note}, owner told"));
    let reference = phone.note(&format!("Bicycle leaning at the school gate {signed}"));
    phone.run(&["sign", &reference]).done();
    phone
        .run(&[
            "contact",
            "--strand",
            "CONSULT",
            "--method",
            "DOORSTEP",
            "--beat",
            "C02",
            "--set",
            &set("operation", concern),
        ])
        .done();
    phone
        .run(&[
            "patrol",
            "fix",
            "51.4637,-2.5890,8",
            "51.4639,-2.5893,6",
            "--beat",
            "C02",
        ])
        .done();
    phone
        .run(&[
            "patrol",
            "stop",
            "--beat",
            "C02",
            "--kind",
            "SHOP",
            "--set",
            &set("follow_up", follow_up),
        ])
        .done();
    phone
        .run(&[
            "patrol",
            "segment",
            "--mode",
            "FOOT",
            "--beat",
            "C02",
            "--summary",
            summary,
        ])
        .done();
    phone.run(&["patrol", "state", "REFRESHMENT"]).done();
    phone.run(&["patrol", "end"]).done();
    words
}
