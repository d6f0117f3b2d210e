//! Summary lines: what they tell, what they mask, and that a conflict shows.

use beatbook_proto::{Code, Instant};

use super::*;
use crate::build::{Contact, Location, Note, Setting};
use crate::vocabulary::NoteKind;

const AT: Instant = Instant {
    utc_ms: 1_793_970_000_000,
    offset_min: 0,
};

fn note(body: &str) -> MergedFields {
    let mut setting = Setting::at("52/C02", AT);
    setting.location = Some(Location::named("Seafront"));
    let mut fields = MergedFields::new();
    fields.apply(&Note::new(setting, NoteKind::Scene, body).ops().unwrap());
    fields
}

#[test]
fn a_note_reads_in_one_line() {
    let fields = note("Cordon in place.\nSecond line.");
    assert_eq!(
        summary("NOTE", &fields, Sensitivity::Personal),
        "SCENE at Seafront: Cordon in place...."
    );
    assert_eq!(summary("NOTE", &fields, Sensitivity::Ordinary), "SCENE [masked]");
    let long = "x".repeat(100);
    assert!(
        summary("NOTE", &note(&long), Sensitivity::Personal)
            .chars()
            .count()
            < 90
    );
}

#[test]
fn a_conflict_shows_both_values() {
    let mut fields = note("first");
    let mut body = fields.field(field::BODY).unwrap().clone();
    body.register
        .push(Value::Text(beatbook_proto::Text::new("second").unwrap()));
    fields.insert(field::BODY, body);
    assert_eq!(
        summary("NOTE", &fields, Sensitivity::Personal),
        "[CONFLICT on 1] SCENE at Seafront: first | second"
    );
}

#[test]
fn other_families_and_unknown_ones_have_a_line() {
    let mut contact = Contact::at(Setting::at("52/C02", AT));
    contact.summary = Some("Worried about parking".into());
    let mut fields = MergedFields::new();
    fields.apply(&contact.ops().unwrap());
    assert_eq!(
        summary("CONTACT", &fields, Sensitivity::Personal),
        "INFORM STREET INDIVIDUAL Worried about parking"
    );
    assert_eq!(
        summary("HOVERCRAFT", &MergedFields::new(), Sensitivity::Sensitive),
        "0 fields"
    );
}

#[test]
fn sensitive_members_are_masked_inside_a_group() {
    let spec = schema::CONTACT.named("persons").unwrap();
    let person = Value::Group(
        vec![
            (
                field::GIVEN_NAME,
                Value::Text(beatbook_proto::Text::new("Ann").unwrap()),
            ),
            (field::IC_CODE, Value::Code(Code::new("IC1").unwrap())),
        ]
        .into(),
    );
    let text = value_text(&person, Some(spec), Sensitivity::Personal);
    assert_eq!(text, "given_name Ann; ic_code [masked]");
    assert_eq!(degrees(-5_000_000), "-0.5000000");
}
