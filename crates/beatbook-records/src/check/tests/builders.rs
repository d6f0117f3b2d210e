//! Property: whatever builders are fed with plain text, what they make is accepted, here and by a server.

use proptest::prelude::*;

use super::*;
use crate::build::{Concern, DutyState, PersonRef, Segment, Shift, Speech, Stop, Tally, Vehicle};
use crate::export;
use crate::field;
use crate::schema::{FAMILIES, Sensitivity};
use crate::vocabulary::{ContactMethod, DutyStateWord, PatrolMode, StopKind, SubjectCategory, Topic};

/// Text as it comes from a keyboard: any letters, line ends of any system, blanks at the end.
fn typed() -> impl Strategy<Value = String> {
    proptest::collection::vec(
        prop_oneof!["\\PC{0,20}", Just("\r\n".to_owned()), Just("\n\n ".to_owned())],
        0..5,
    )
    .prop_map(|parts| parts.concat())
}

fn line() -> impl Strategy<Value = String> {
    "\\PC{1,30}"
}

fn word<T>(words: &'static [crate::vocabulary::Word], read: fn(&Code) -> T) -> impl Strategy<Value = T>
where
    T: std::fmt::Debug,
{
    (0..words.len()).prop_map(move |index| read(&Code::new(words[index].code).unwrap()))
}

fn accepted(family: &str, ops: &[Op]) -> Result<(), TestCaseError> {
    prop_assert!(create(family, ops).is_ok(), "{:?}", create(family, ops));
    let received = check_received(&Received {
        family,
        kind: RevisionKind::CREATE,
        reason: None,
        ops,
    });
    prop_assert_eq!(received, Ok(()));
    let mut fields = MergedFields::new();
    fields.apply(ops);
    let spec = FAMILIES.iter().find(|spec| spec.name == family).unwrap();
    for up_to in [Sensitivity::Ordinary, Sensitivity::Sensitive] {
        prop_assert_eq!(
            export::csv_row(spec, &fields, up_to).len(),
            export::csv_headers(spec, up_to).len()
        );
        prop_assert!(export::json(family, &fields, up_to).is_object());
        crate::show::summary(family, &fields, up_to);
    }
    Ok(())
}

proptest! {
    #[test]
    fn notes(
        kind in word(NoteKind::VOCABULARY.words, |code| NoteKind::from(code)),
        body in typed(),
        seen in proptest::option::of(typed()),
        words in typed(),
        label in line(),
        vrm in "[a-z]{2}[0-9]{2} ?[a-z]{3}",
        category in word(SubjectCategory::VOCABULARY.words, |code| SubjectCategory::from(code)),
    ) {
        let mut note = Note::new(setting(), kind, body);
        note.description_seen = seen;
        note.speech.push(Speech { speaker_label: label.clone(), words, at: None });
        note.vehicles.push(Vehicle { vrm: Some(vrm), ..Vehicle::default() });
        note.persons.push(PersonRef::named(label.clone(), label, category));
        accepted("NOTE", &note.ops().unwrap())?;
    }

    #[test]
    fn contacts(
        method in word(ContactMethod::VOCABULARY.words, |code| ContactMethod::from(code)),
        topic in word(Topic::VOCABULARY.words, |code| Topic::from(code)),
        count in 1_u16..,
        reach in proptest::option::of(any::<u32>()),
        own_words in typed(),
        partner in line(),
    ) {
        let mut contact = Contact { method, reach, ..Contact::at(setting()) };
        contact.tally.push(Tally { topic: topic.clone(), count });
        contact.signposted_to.push(partner);
        contact.concerns.push(Concern {
            topic,
            asb_qualifier: None,
            own_words: Some(own_words),
            location: None,
            source: None,
            priority_id: None,
        });
        accepted("CONTACT", &contact.ops().unwrap())?;
    }

    #[test]
    fn patrols(
        mode in word(PatrolMode::VOCABULARY.words, |code| PatrolMode::from(code)),
        state in word(DutyStateWord::VOCABULARY.words, |code| DutyStateWord::from(code)),
        kind in word(StopKind::VOCABULARY.words, |code| StopKind::from(code)),
        minutes in -500_i64..500,
        made in 0_u16..10_000,
        summary in proptest::option::of(typed()),
    ) {
        let segment = Segment { summary: summary.clone(), ..Segment::new(setting(), mode) };
        accepted("PATROL_SEGMENT", &segment.ops().unwrap())?;
        let shift = Shift {
            setting: setting(),
            duty_states: vec![DutyState::since(state, at(minutes))],
            ..Shift::default()
        };
        let ops = shift.ops().unwrap();
        accepted("SHIFT", &ops)?;
        let mut fields = MergedFields::new();
        fields.apply(&ops);
        let spans = crate::derive::timeline(&fields, Some(at(480)));
        prop_assert!(spans.windows(2).all(|pair| pair[0].to_ms == pair[1].from_ms));
        prop_assert_eq!(spans.iter().map(|span| span.to_ms - span.from_ms).sum::<i64>(), 480 * 60_000);
        let stop = Stop { contacts_made: made, follow_up: summary, ..Stop::new(setting(), kind) };
        accepted("STOP", &stop.ops().unwrap())?;
    }

    #[test]
    fn what_is_written_reads_back(body in typed(), label in line()) {
        let mut note = Note::new(setting(), NoteKind::Conversation, body);
        note.speech.push(Speech { speaker_label: label, words: "x".into(), at: Some(at(2)) });
        let mut fields = MergedFields::new();
        fields.apply(&note.ops().unwrap());
        let speech = crate::view::NoteView::new(&fields).speech();
        prop_assert_eq!(speech.unread(), 0);
        let again = crate::build::IntoValue::into_value(&speech.all()[0], field::SPEECH).unwrap();
        prop_assert_eq!(&again, &fields.list(field::SPEECH)[0]);
    }
}
