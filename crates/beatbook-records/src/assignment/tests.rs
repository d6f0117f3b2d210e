//! Assignments from text: what they mean, what they refuse, and that no text makes them panic.

use proptest::prelude::*;

use super::*;
use crate::merged::{as_bool, as_text, member_code, member_int, member_text};
use crate::schema::{self, CONTACT, FAMILIES, NOTE, STOP};

fn one(family: &FamilySpec, text: &str) -> Result<FieldOp, AssignmentError> {
    assign(family, &MergedFields::new(), &[text]).map(|mut ops| ops.remove(0).1)
}

#[test]
fn a_plain_field_is_set_by_its_kind() {
    let set = |family, text| match one(family, text) {
        Ok(FieldOp::Set(value)) => value,
        other => panic!("{other:?}"),
    };
    assert_eq!(as_text(&set(&NOTE, "body=a = b")), Some("a = b"));
    assert_eq!(
        set(&NOTE, "note_kind=scene"),
        Value::Code(beatbook_proto::Code::new("SCENE").unwrap())
    );
    assert_eq!(as_bool(&set(&CONTACT, "reach_estimated=Yes")), Some(true));
    assert_eq!(one(&CONTACT, "reach=40"), Ok(FieldOp::Max(40)));
    assert_eq!(one(&STOP, "contacts_made+=2"), Ok(FieldOp::Increment(2)));
    assert_eq!(one(&STOP, "contacts_made-=1"), Ok(FieldOp::Increment(-1)));
    assert_eq!(one(&NOTE, "description_seen="), Ok(FieldOp::Clear));
    assert!(
        matches!(one(&NOTE, "exhibits+=js/1"), Ok(FieldOp::Add(value)) if as_text(&value) == Some("JS/1"))
    );
}

#[test]
fn members_of_one_group_become_one_value() {
    let ops = assign(
        &NOTE,
        &MergedFields::new(),
        &[
            "location.point=51.4545,-2.5879",
            "location.place_name=Temple Meads",
            "persons.given_name=Ann",
            "persons.subject_categories=witness,victim",
        ],
    )
    .unwrap();
    assert_eq!(ops.len(), 2);
    let FieldOp::Set(location) = &ops[0].1 else {
        panic!()
    };
    assert_eq!(member_text(location, field::PLACE_NAME), Some("Temple Meads"));
    assert_eq!(
        member_code(location, field::FIX_SOURCE).unwrap().as_str(),
        "MANUAL"
    );
    assert!(member_text(location, field::OS_GRID).unwrap().starts_with("ST 5"));
    let FieldOp::Append(person) = &ops[1].1 else {
        panic!()
    };
    assert!(matches!(person.member(field::SUBJECT_CATEGORIES), Some(Value::List(list)) if list.len() == 2));
}

#[test]
fn a_member_is_changed_within_the_group_as_it_was_read() {
    let mut before = MergedFields::new();
    before.apply(
        &assign(
            &NOTE,
            &before,
            &[
                "location.point=51.4545,-2.5879",
                "location.accuracy_dm=90",
                "location.place_name=A",
            ],
        )
        .unwrap(),
    );
    let renamed = assign(&NOTE, &before, &["location.place_name=B"]).unwrap();
    let FieldOp::Set(location) = &renamed[0].1 else {
        panic!()
    };
    assert_eq!(member_int(location, field::ACCURACY_DM), Some(90));
    assert_eq!(member_text(location, field::PLACE_NAME), Some("B"));
    let moved = assign(&NOTE, &before, &["location.point=51.5,-2.6"]).unwrap();
    let FieldOp::Set(location) = &moved[0].1 else {
        panic!()
    };
    assert_eq!(member_int(location, field::ACCURACY_DM), None);
    assert_eq!(member_text(location, field::PLACE_NAME), Some("A"));
}

#[test]
fn a_group_leaves_a_set_by_its_number() {
    let mut before = MergedFields::new();
    let add = [
        "vulnerability.flag=child",
        "vulnerability.basis=observed",
        "vulnerability.date=2026-11-07",
    ];
    before.apply(&assign(&CONTACT, &before, &add).unwrap());
    let ops = assign(&CONTACT, &before, &["vulnerability-=1"]).unwrap();
    before.apply(&ops);
    assert!(before.set(field::VULNERABILITY).is_empty());
    assert!(matches!(
        assign(&CONTACT, &before, &["vulnerability-=1"]),
        Err(AssignmentError::NoElement { .. })
    ));
}

#[test]
fn what_cannot_be_read_says_why() {
    type Expected = fn(&AssignmentError) -> bool;
    let kinds: &[(&str, Expected)] = &[
        ("body", |error| matches!(error, AssignmentError::NoEquals)),
        ("nobody=x", |error| {
            matches!(error, AssignmentError::UnknownField { .. })
        }),
        ("location=here", |error| {
            matches!(error, AssignmentError::Group { .. })
        }),
        ("location.colour=red", |error| {
            matches!(error, AssignmentError::Member { .. })
        }),
        ("body.x=red", |error| {
            matches!(error, AssignmentError::Member { .. })
        }),
        ("occurred.from=yesterday", |error| {
            matches!(error, AssignmentError::Time { .. })
        }),
        ("location.point=91,0", |error| {
            matches!(error, AssignmentError::Value { .. })
        }),
        ("body+=x", |error| {
            matches!(error, AssignmentError::Operator { .. })
        }),
        ("speech-=x", |error| {
            matches!(error, AssignmentError::Operator { .. })
        }),
        ("location.place_name+=x", |error| {
            matches!(error, AssignmentError::Operator { .. })
        }),
        ("note_kind=\u{e9}", |error| {
            matches!(error, AssignmentError::Build(_))
        }),
    ];
    for (text, expected) in kinds {
        let error = one(&NOTE, text).unwrap_err();
        assert!(expected(&error), "{text}: {error:?}");
        assert!(!error.to_string().contains("yesterday"));
    }
    assert!(matches!(
        one(&schema::BREADCRUMB, "track=1"),
        Err(AssignmentError::NotFromText { .. })
    ));
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,60}") {
        for family in FAMILIES {
            let _ = assign(family, &MergedFields::new(), &[text.as_str()]);
        }
    }

    #[test]
    fn no_value_of_any_field_makes_it_panic(value in "\\PC{0,40}", pick in 0_usize..1_000, operator in 0_usize..3) {
        for family in FAMILIES {
            let specs: Vec<_> = family.all_fields().collect();
            let spec = specs[pick % specs.len()];
            let operator = ["=", "+=", "-="][operator];
            let _ = assign(family, &MergedFields::new(), &[format!("{}{operator}{value}", spec.name)]);
            for member in spec.members() {
                let _ = assign(family, &MergedFields::new(), &[format!("{}.{}{operator}{value}", spec.name, member.name)]);
            }
        }
    }
}
