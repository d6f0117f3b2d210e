//! Views read what builders wrote, show every sibling, and choose the safer of two readings.

use beatbook_proto::{Code, Instant, Value};

use super::*;
use crate::build::{Contact, IntoValue, Note, Setting, Vehicle};
use crate::merged::MergedField;
use crate::vocabulary::RiskGrade;

const AT: Instant = Instant {
    utc_ms: 1_793_970_000_000,
    offset_min: 0,
};

fn note() -> MergedFields {
    let mut note = Note::new(Setting::at("52/C02", AT), NoteKind::Scene, "Cordon in place.");
    note.vehicles.push(Vehicle {
        vrm: Some("AB12CDE".into()),
        ..Vehicle::default()
    });
    let mut fields = MergedFields::new();
    fields.apply(&note.ops().unwrap());
    fields
}

/// Puts several values in one register.
fn conflict(fields: &mut MergedFields, id: FieldId, values: &[&dyn IntoValue]) {
    let register = values.iter().map(|value| value.into_value(id).unwrap()).collect();
    fields.insert(
        id,
        MergedField {
            register,
            ..MergedField::default()
        },
    );
}

#[test]
fn a_view_reads_what_the_builder_wrote() {
    let fields = note();
    let view = NoteView::new(&fields);
    assert_eq!(view.note_kind().one(), Some(&NoteKind::Scene));
    assert_eq!(view.body().one().map(String::as_str), Some("Cordon in place."));
    assert_eq!(view.vehicles().all()[0].vrm.as_deref(), Some("AB12CDE"));
    let record = RecordView::new(&fields);
    assert_eq!(record.occurred().one(), Some(&Interval::since(AT)));
    assert_eq!(record.lifecycle(), Lifecycle::Draft);
}

#[test]
fn siblings_are_all_shown_and_none_is_chosen() {
    let mut fields = note();
    conflict(&mut fields, field::BODY, &[&"one".to_owned(), &"two".to_owned()]);
    let body = NoteView::new(&fields).body();
    assert!(body.is_conflict());
    assert_eq!((body.one(), body.all().len()), (None, 2));
}

#[test]
fn what_does_not_read_is_counted() {
    let mut fields = note();
    conflict(&mut fields, field::BODY, &[&"one".to_owned(), &true]);
    let body = NoteView::new(&fields).body();
    assert_eq!((body.one(), body.unread(), body.is_conflict()), (None, 1, true));
    let mut vehicles = fields.field(field::VEHICLES).unwrap().clone();
    vehicles.list.push(Value::Bool(true));
    fields.insert(field::VEHICLES, vehicles);
    assert_eq!(NoteView::new(&fields).vehicles().unread(), 1);
}

#[test]
fn an_unknown_word_reads_as_itself() {
    let mut fields = note();
    let code = Code::new("HOVERCRAFT_CHASE").unwrap();
    conflict(
        &mut fields,
        field::NOTE_KIND,
        &[&NoteKind::Unlisted(code.clone())],
    );
    let kind = NoteView::new(&fields).note_kind();
    assert_eq!(kind.one().map(NoteKind::word), Some("HOVERCRAFT_CHASE"));
}

#[test]
fn the_safer_of_two_readings_holds() {
    let consent = |standing| Consent {
        standing,
        at: AT,
        wording_version: "3".into(),
    };
    let referral = |risk_grade| Referral {
        form: crate::vocabulary::ReferralForm::Brag,
        subject: "A Example".into(),
        adult_or_child: crate::vocabulary::ReferralSubject::Adult,
        consent_to_share: crate::vocabulary::ReferralConsent::Yes,
        consent_reason: None,
        capacity_concern: None,
        risk_grade,
        immediate_danger: false,
        summary: None,
        voice: None,
        referred_to: Vec::new(),
        submitted_at: None,
        deadline: AT,
    };
    let mut fields = MergedFields::new();
    fields.apply(&Contact::at(Setting::at("52/C02", AT)).ops().unwrap());
    let (given, withdrawn) = (
        consent(ConsentStanding::Given),
        consent(ConsentStanding::Withdrawn),
    );
    conflict(&mut fields, field::CONSENT_PHONE, &[&withdrawn, &given]);
    conflict(
        &mut fields,
        field::REFERRAL,
        &[&referral(RiskGrade::Green), &referral(RiskGrade::Red)],
    );
    conflict(&mut fields, field::IDENTITY_PROTECTED, &[&false, &true]);
    conflict(
        &mut fields,
        field::MARKING,
        &[&Marking::Official, &Marking::OfficialSensitive],
    );
    let view = ContactView::new(&fields);
    assert_eq!(view.safer_consent(ConsentChannel::Phone), Some(withdrawn));
    assert_eq!(
        view.safer_referral().map(|referral| referral.risk_grade),
        Some(RiskGrade::Red)
    );
    assert!(view.identity_protected());
    assert_eq!(
        RecordView::new(&fields).effective_marking(),
        Marking::OfficialSensitive
    );
}

#[test]
fn tallies_of_one_topic_are_summed() {
    let mut contact = Contact::at(Setting::at("52/C02", AT));
    for count in [4, 2] {
        contact.tally.push(Tally {
            topic: Topic::RoadSafety,
            count,
        });
    }
    let mut fields = MergedFields::new();
    fields.apply(&contact.ops().unwrap());
    assert_eq!(ContactView::new(&fields).tally_of(&Topic::RoadSafety), 6);
    assert_eq!(ContactView::new(&fields).tally_of(&Topic::Noise), 0);
}
