//! JSON and CSV: stable names, nothing hidden but what is masked.

use beatbook_proto::{FieldId, FieldOp, Instant, Text};

use super::*;
use crate::build::{Contact, Location, Note, PersonRef, SafeContact, Setting, Stop};
use crate::field;
use crate::vocabulary::{FixSource, IcCode, NoteKind, StopKind, SubjectCategory};

fn setting() -> Setting {
    let at = Instant {
        utc_ms: 1_793_970_000_000,
        offset_min: 0,
    };
    let mut setting = Setting::at("52/C02", at);
    let point = Point {
        lat_e7: 512_000_000,
        lon_e7: -34_000_000,
    };
    setting.location = Some(Location::fix(point, 80, FixSource::Gnss));
    setting
}

fn note(body: &str) -> MergedFields {
    let mut note = Note::new(setting(), NoteKind::Scene, body);
    let mut person = PersonRef::named("Ann", "Example", SubjectCategory::Witness);
    person.ic_code = Some(IcCode::Ic1);
    note.persons.push(person);
    let mut fields = MergedFields::new();
    fields.apply(&note.ops().unwrap());
    fields
}

fn with_sibling(mut fields: MergedFields, id: FieldId, value: Value) -> MergedFields {
    let mut merged = fields.field(id).unwrap().clone();
    merged.register.push(value);
    fields.insert(id, merged);
    fields
}

#[test]
fn json_has_names_times_and_positions() {
    let object = json("NOTE", &note("x"), Sensitivity::Sensitive);
    assert_eq!(object["note_kind"], "SCENE");
    assert_eq!(object["occurred"]["from"], "2026-11-06T13:00:00+00:00");
    assert_eq!(object["location"]["point"]["lat"], 51.2);
    assert_eq!(object["location"]["point"]["lon"], -3.4);
    assert_eq!(object["persons"][0]["given_name"], "Ann");
    assert_eq!(object["persons"][0]["ic_code"], "IC1");
    assert_eq!(object["persons"][0]["subject_categories"][0], "WITNESS");
}

#[test]
fn json_masks_by_class() {
    let personal = json("NOTE", &note("x"), Sensitivity::Personal);
    assert_eq!(personal["persons"][0]["ic_code"], MASK);
    let ordinary = json("NOTE", &note("secret words"), Sensitivity::Ordinary);
    assert_eq!(ordinary["body"], MASK);
    assert!(!ordinary.to_string().contains("secret words"));
    assert!(!ordinary.to_string().contains("Ann"));
}

#[test]
fn json_shows_every_sibling() {
    let other = Value::Text(Text::new("second").unwrap());
    let object = json(
        "NOTE",
        &with_sibling(note("first"), field::BODY, other),
        Sensitivity::Personal,
    );
    assert_eq!(object["body"]["siblings"], json!(["first", "second"]));
}

#[test]
fn json_keeps_what_it_does_not_know() {
    let mut fields = note("x");
    fields.apply(&[
        (FieldId(59_999), FieldOp::Increment(3)),
        (field::BODY, FieldOp::Append(Value::Bool(true))),
    ]);
    let object = json("NOTE", &fields, Sensitivity::Sensitive);
    assert_eq!(object["field_59999"]["counter"], 3);
    assert_eq!(object["body"], json!({ "siblings": ["x"], "list": [true] }));
    assert_eq!(json("NOTE", &fields, Sensitivity::Personal)["field_59999"], MASK);
}

#[test]
fn csv_rows_fit_their_headers() {
    for family in crate::schema::FAMILIES {
        for up_to in [
            Sensitivity::Ordinary,
            Sensitivity::Personal,
            Sensitivity::Sensitive,
        ] {
            let headers = csv_headers(family, up_to);
            assert_eq!(headers.len(), csv_row(family, &note("x"), up_to).len());
            let unique: std::collections::BTreeSet<_> = headers.iter().collect();
            assert_eq!(unique.len(), headers.len());
        }
    }
}

#[test]
fn csv_flattens_groups_and_leaves_out_classes_above() {
    let family = crate::schema::family("NOTE").unwrap();
    let cell = |fields: &MergedFields, name: &str, up_to| {
        let place = csv_headers(family, up_to)
            .iter()
            .position(|header| header == name)?;
        csv_row(family, fields, up_to).get(place).cloned()
    };
    assert_eq!(
        cell(&note("x"), "location.accuracy_dm", Sensitivity::Personal).as_deref(),
        Some("80")
    );
    assert_eq!(cell(&note("x"), "body", Sensitivity::Ordinary), None);
    let conflict = with_sibling(
        note("x"),
        field::LOCATION,
        Value::Group(vec![(field::ACCURACY_DM, Value::Int(90))].into()),
    );
    assert_eq!(
        cell(&conflict, "location.accuracy_dm", Sensitivity::Personal).as_deref(),
        Some("{\"siblings\":[80,90]}")
    );
    for formula in ["=1+1", "+44", "-1", "@x", "\n=1", "\0=1", "\u{ff1d}1"] {
        let guarded = cell(&note(formula), "body", Sensitivity::Personal).unwrap();
        assert_eq!(guarded, format!("'{formula}"));
    }
}

#[test]
fn a_sensitive_group_has_no_column_by_default() {
    let mut contact = Contact::at(setting());
    contact.safe_contact = Some(SafeContact {
        safe_to_call: true,
        times: Some("after six".into()),
        who_may_answer: None,
        leave_message: false,
    });
    let mut fields = MergedFields::new();
    fields.apply(&contact.ops().unwrap());
    let family = crate::schema::family("CONTACT").unwrap();
    let row = csv_row(family, &fields, Sensitivity::Personal).join(",");
    assert!(!row.contains("after six"));
    assert!(
        csv_row(family, &fields, Sensitivity::Sensitive)
            .join(",")
            .contains("after six")
    );
}

#[test]
fn counters_are_numbers() {
    let mut stop = Stop::new(setting(), StopKind::School);
    stop.contacts_made = 3;
    let mut fields = MergedFields::new();
    fields.apply(&stop.ops().unwrap());
    assert_eq!(json("STOP", &fields, Sensitivity::Ordinary)["contacts_made"], 3);
}
