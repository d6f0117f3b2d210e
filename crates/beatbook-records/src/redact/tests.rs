//! No text of a record shows in any debug output.

use beatbook_proto::{Instant, RevisionKind, Stamp};

use crate::build::{
    Concern, Contact, Location, Note, PersonRef, Promise, Remark, Segment, Setting, Shift, Speech, Stop,
    Strike,
};
use crate::merged::MergedFields;
use crate::vocabulary::{NoteKind, PatrolMode, Role, StopKind, SubjectCategory, Topic};
use crate::{Received, Write, view};

const SECRET: &str = "Ann Example";

const AT: Instant = Instant {
    utc_ms: 0,
    offset_min: 0,
};

fn setting() -> Setting {
    let mut setting = Setting::at("52/C02", AT);
    setting.location = Some(Location::named(SECRET));
    setting.delay_reason = Some(SECRET.into());
    setting
}

fn tells_nothing(outputs: &[String]) {
    for output in outputs {
        assert!(!output.contains("Ann"), "{output}");
        assert!(!output.is_empty());
    }
}

#[test]
fn builders_tell_nothing() {
    let (at, setting) = (AT, setting());
    let person = PersonRef::named(SECRET, SECRET, SubjectCategory::Witness);
    let speech = Speech {
        speaker_label: SECRET.into(),
        words: SECRET.into(),
        at: None,
    };
    let remark = Remark {
        words: SECRET.into(),
        at,
        by: None,
        initials: None,
    };
    let concern = Concern {
        topic: Topic::Noise,
        asb_qualifier: None,
        own_words: Some(SECRET.into()),
        location: None,
        source: None,
        priority_id: None,
    };
    let mut contact = Contact::at(setting.clone());
    contact.summary = Some(SECRET.into());
    let shift = Shift {
        setting: setting.clone(),
        team: Some(SECRET.into()),
        ..Shift::default()
    };
    tells_nothing(&[
        format!("{setting:?}{person:?}{speech:?}{remark:?}{concern:?}{contact:?}{shift:?}"),
        format!(
            "{:?}{:?}",
            Promise::new(SECRET, at),
            Strike::of_words(SECRET, "Ann", SECRET, "JS", at)
        ),
        format!("{:?}", Segment::new(setting.clone(), PatrolMode::Foot)),
        format!("{:?}", Stop::new(setting, StopKind::Shop)),
    ]);
}

#[test]
fn checks_and_views_tell_nothing() {
    let mut note = Note::new(setting(), NoteKind::Scene, SECRET);
    note.persons
        .push(PersonRef::named(SECRET, SECRET, SubjectCategory::Witness));
    let ops = note.ops().unwrap();
    let mut fields = MergedFields::new();
    fields.apply(&ops);
    let write = Write {
        family: "NOTE",
        kind: RevisionKind::AMEND,
        reason: Some(SECRET),
        ops: &ops,
        before: &fields,
        recorded_at: Stamp {
            utc_ms: 0,
            offset_min: 0,
            source: beatbook_proto::ClockSource::DEVICE,
            uncertainty_ms: 0,
        },
        role: &Role::Pcso,
    };
    let received = Received {
        family: "NOTE",
        kind: RevisionKind::AMEND,
        reason: Some(SECRET),
        ops: &ops,
    };
    let view = view::NoteView::new(&fields);
    tells_nothing(&[
        format!("{note:?}{write:?}{received:?}{ops:?}{fields:?}"),
        format!("{view:?}{:?}{:?}{:?}", view.body(), view.speech(), view.persons()),
    ]);
}
