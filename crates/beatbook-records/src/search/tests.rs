//! A record is found by every text in it, and by its people, beat and time.

use beatbook_proto::{FieldOp, Text};

use super::*;
use crate::build::{Note, PersonRef, Setting, Speech};
use crate::vocabulary::{NoteKind, SubjectCategory};

#[test]
fn everything_written_is_found() {
    let at = Instant {
        utc_ms: 1_793_970_000_000,
        offset_min: 0,
    };
    let mut note = Note::new(
        Setting::at("52/C02", at),
        NoteKind::Conversation,
        "By the bandstand",
    );
    note.persons
        .push(PersonRef::named("Ann", "Example", SubjectCategory::Witness));
    note.speech.push(Speech {
        speaker_label: "Male 1".into(),
        words: "Not me".into(),
        at: None,
    });
    note.witnesses_present.push("B Example".into());
    let mut fields = MergedFields::new();
    fields.apply(&note.ops().unwrap());
    fields.apply(&[(
        FieldId(59_999),
        FieldOp::Set(Value::Text(Text::new("from a newer peer").unwrap())),
    )]);
    let texts: Vec<_> = searchable_text(&fields).collect();
    for text in [
        "By the bandstand",
        "Ann",
        "Example",
        "Not me",
        "from a newer peer",
    ] {
        assert!(texts.contains(&text), "{text}");
    }
    let people: Vec<_> = people(&fields).collect();
    for name in ["Ann", "Example", "Male 1", "B Example"] {
        assert!(people.contains(&name), "{name}");
    }
    assert!(!people.contains(&"By the bandstand"));
    assert_eq!(beats(&fields).collect::<Vec<_>>(), ["52/C02"]);
    assert_eq!(occurred(&fields), Some((at, at)));
}
