//! Property: what is written while the server is away arrives by itself once it is there, each entry once.
//! Method: a shift of every family with the server stopped; then `sync --watch` runs while the server starts.

use beatbook_tests::{Canaries, Device, Force, assert_each_once, records_with};

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
fn write_a_shift(phone: &Device, canaries: &mut Canaries) -> Vec<String> {
    let words = canaries.words(6);
    let [sign, note, signed, concern, summary, follow_up] = words.as_slice() else {
        unreachable!("six were asked for");
    };
    let on_beat = |verb: &str, more: &[&str]| {
        let mut args: Vec<&str> = verb.split(' ').collect();
        args.extend_from_slice(&["--beat", "C02"]);
        args.extend_from_slice(more);
        phone.run(&args).done();
    };
    let set = |field: &str, word: &str| format!("{field}={word}");
    on_beat(
        "patrol start",
        &["--call-sign", sign, "--state", "VISIBLE_PATROL"],
    );
    phone.note(&format!("Shutter forced at number 14, {note}, owner told"));
    let reference = phone.note(&format!("Bicycle leaning at the school gate {signed}"));
    phone.run(&["sign", &reference]).done();
    let concern = set("operation", concern);
    on_beat(
        "contact",
        &["--strand", "CONSULT", "--method", "DOORSTEP", "--set", &concern],
    );
    on_beat("patrol fix 51.4637,-2.5890,8 51.4639,-2.5893,6", &[]);
    on_beat(
        "patrol stop",
        &["--kind", "SHOP", "--set", &set("follow_up", follow_up)],
    );
    on_beat("patrol segment", &["--mode", "FOOT", "--summary", summary]);
    phone.run(&["patrol", "state", "REFRESHMENT"]).done();
    phone.run(&["patrol", "end"]).done();
    words
}
