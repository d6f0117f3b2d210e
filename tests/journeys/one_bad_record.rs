//! Property: one bad record never blocks the queue: it gets its own verdict, and the rest go through.
//! Method: 500 entries in one go, one of them with a field of the wrong kind, as no client of ours would write it.

use beatbook_tests::{Canaries, Force, Ledger, assert_each_once, assert_none};

use beatbook_proto::{FieldOp, Value};
use beatbook_records::field;

#[test]
fn four_hundred_and_ninety_nine_go_through() {
    let mut canaries = Canaries::new();
    let force = Force::staffed();
    let phone = force.enrol("phone", "9123");
    let desk = force.enrol("desk", "214");
    let words = canaries.words(499);
    let bad = canaries.word();
    {
        let ledger = Ledger::open(&phone);
        for (place, word) in words.iter().enumerate() {
            if place == 250 {
                let mut draft = ledger.note(&bad);
                for (id, op) in &mut draft.ops {
                    if *id == field::NOTE_KIND {
                        *op = FieldOp::Set(Value::Int(7));
                    }
                }
                ledger.write(draft);
            }
            ledger.write(ledger.note(word));
        }
    }
    let synced = phone.run(&["sync"]);
    assert_eq!(
        synced.code,
        Some(3),
        "done, but something waits for a person: {synced:?}"
    );
    let log = desk.pull();
    assert_each_once(&log, &words);
    assert_none(&log, [&bad]);

    let status = phone.run(&["status", "--json"]).exits(3).object();
    assert_eq!(status["quarantined"], 1, "the officer sees it: {status}");
    assert_eq!(status["pending"], 0, "the queue is drained: {status}");
    let quarantine = force.admin(&["quarantine", "list", "--json"]).done().objects();
    assert_eq!(quarantine.len(), 1, "an administrator sees it: {quarantine:?}");
    assert_each_once(&phone.list(), words.iter().chain([&bad]));

    // The book goes on.
    let after = canaries.word();
    phone.note(&after);
    phone.sync();
    assert_each_once(&desk.pull(), [&after]);
}
