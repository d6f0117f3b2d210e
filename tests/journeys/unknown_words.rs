//! Property: a word that a build does not know, and a force's own word, travel unchanged to everybody.
//! Method: the force's own word from the command line; an unknown word, field and family straight from a ledger.

use beatbook_tests::{Canaries, Force, Ledger, records_with};

use beatbook_proto::{Code, FieldId, FieldOp, Text, Value};
use beatbook_records::field;

#[test]
fn words_of_a_force_and_of_a_newer_peer_round_trip() {
    let mut canaries = Canaries::new();
    let force = Force::staffed();
    let phone = force.enrol("phone", "9123");
    let desk = force.enrol("desk", "214");
    let own = canaries.word();
    phone
        .run(&["note", &own, "--beat", "C02", "--kind", "X_52_RIVER_PATROL"])
        .done();

    let newer = canaries.word();
    {
        let ledger = Ledger::open(&phone);
        let mut draft = ledger.note(&newer);
        for (id, op) in &mut draft.ops {
            if *id == field::NOTE_KIND {
                *op = FieldOp::Set(Value::Code(Code::new("DRONE_SIGHTING_2031").expect("a word")));
            }
        }
        let unknown = Value::Text(Text::new("of a field that comes later").expect("short"));
        draft.ops.push((FieldId(60_000), FieldOp::Set(unknown)));
        ledger.write(draft);
    }
    phone.sync();

    let log = desk.pull();
    for (word, kind) in [(&own, "X_52_RIVER_PATROL"), (&newer, "DRONE_SIGHTING_2031")] {
        let found = records_with(&log, word);
        assert_eq!(found.len(), 1, "{word} is there");
        assert!(
            found[0].to_string().contains(kind),
            "as it was written: {}",
            found[0]
        );
    }
    let shown = desk.show(&desk.reference(&newer));
    assert!(shown.contains("DRONE_SIGHTING_2031"), "{shown}");
    assert!(
        shown.contains("60000"),
        "a field that nobody knows is shown as such: {shown}"
    );

    // An amendment by a build that does not know the field leaves it standing.
    let record = phone.reference(&newer);
    phone
        .run(&[
            "amend",
            &record,
            "--set",
            "handling=by hand",
            "--reason",
            "seen again",
        ])
        .done();
    phone.sync();
    desk.sync();
    let shown = desk.show(&desk.reference(&newer));
    assert!(
        shown.contains("DRONE_SIGHTING_2031") && shown.contains("60000"),
        "{shown}"
    );
}
