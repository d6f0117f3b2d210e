//! Property: what a person had read is the context of a change, not what was there when it was saved.
//! Method: one notebook, a note read twice, amended from the first reading after it was amended from the second;
//! then a plain amendment of the conflict, in the library and from the command line.

use beatbook_tests::{Canaries, Force, PIN, note_of, records_with};

use beatbook_field::{Notebook, Options, Unlock};
use beatbook_proto::{FieldOp, Text, Value};
use beatbook_records::field;

#[test]
fn an_amendment_from_a_stale_reading_stands_beside_the_newer_one() {
    let mut canaries = Canaries::new();
    let force = Force::staffed();
    let phone = force.enrol("phone", "9123");
    let desk = force.enrol("desk", "214");
    let [first, newer, stale, third] = [(); 4].map(|()| canaries.word());
    let ops = |text: &str| {
        vec![(
            field::BODY,
            FieldOp::Set(Value::Text(Text::new(text).expect("short"))),
        )]
    };

    let book = Notebook::open(phone.store(), &Unlock::pin(PIN), Options::default()).expect("it opens");
    let written = book.notes().write(note_of(&first)).expect("a note");
    let seen = book.read(written.record).expect("it is there").token;
    let fresh = book.read(written.record).expect("it is there").token;
    book.amend(&fresh, "wrong house", ops(&newer))
        .expect("the newer one");
    book.amend(&seen, "wrong street", ops(&stale))
        .expect("the stale one is kept as well");
    let read = book.read(written.record).expect("it is there");
    assert!(
        read.record.is_conflict(),
        "neither author had seen the other's words"
    );
    let refused = book
        .amend(&read.token, "a third", ops(&third))
        .expect_err("it would settle a conflict");
    assert!(
        refused.to_string().contains("two versions"),
        "refused for another reason: {refused}"
    );
    book.close().expect("it closes");

    phone.sync();
    assert_eq!(
        records_with(&desk.pull(), &stale).len(),
        1,
        "both versions are pulled"
    );
    for device in [&phone, &desk] {
        assert_eq!(
            records_with(&device.conflicts(), &newer).len(),
            1,
            "shown as a conflict"
        );
        let shown = device.show(&device.reference(&stale));
        for word in [&first, &newer, &stale] {
            assert!(shown.contains(word.as_str()), "\"{word}\" is lost: {shown}");
        }
        let reference = device.reference(&stale);
        let set = format!("body={third}");
        device
            .run(&["amend", &reference, "--set", &set, "--reason", "a third"])
            .exits(1)
            .complains("two versions")
            .complains("resolve");
        assert!(
            !device.show(&reference).contains(&third),
            "a refused change leaves nothing"
        );
    }
}
