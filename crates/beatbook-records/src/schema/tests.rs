//! The table holds together: ids and names are unique, and stand in their ranges.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

/// Every field and member of every table, with the range that its id has to be in.
fn everything() -> Vec<(&'static FieldSpec, &'static str)> {
    fn walk(
        specs: &'static [FieldSpec],
        place: &'static str,
        found: &mut Vec<(&'static FieldSpec, &'static str)>,
    ) {
        for spec in specs {
            found.push((spec, place));
            walk(spec.members(), place, found);
        }
    }
    let mut found = Vec::new();
    walk(EVERY, "EVERY", &mut found);
    for family in FAMILIES {
        walk(family.fields, family.name, &mut found);
    }
    found
}

#[test]
fn an_id_means_one_name_everywhere() {
    let mut names: BTreeMap<FieldId, &str> = BTreeMap::new();
    for (spec, _) in everything() {
        let before = names.insert(spec.id, spec.name);
        assert!(before.is_none_or(|before| before == spec.name), "{}", spec.id.0);
        assert_eq!(any_field(spec.id).map(|found| found.name), Some(spec.name));
    }
}

#[test]
fn top_level_ids_and_names_are_unique() {
    let mut ids = BTreeSet::new();
    for spec in EVERY
        .iter()
        .chain(FAMILIES.iter().flat_map(|family| family.fields))
    {
        assert!(ids.insert(spec.id), "{} stands twice", spec.name);
        assert!(!spec.doc.is_empty());
    }
    for family in FAMILIES {
        let names: BTreeSet<_> = family.all_fields().map(|spec| spec.name).collect();
        assert_eq!(names.len(), family.all_fields().count(), "{}", family.name);
    }
}

#[test]
fn ids_stand_in_their_ranges() {
    let ranges = [
        ("NOTE", 200..300),
        ("SHIFT", 300..400),
        ("PATROL_SEGMENT", 400..500),
        ("BREADCRUMB", 500..600),
        ("STOP", 600..700),
        ("CONTACT", 700..800),
    ];
    for family in FAMILIES {
        let (_, range) = ranges.iter().find(|(name, _)| *name == family.name).unwrap();
        for spec in family.fields {
            assert!(range.contains(&spec.id.0), "{}", spec.name);
        }
    }
    assert!(EVERY.iter().all(|spec| (1..32).contains(&spec.id.0)));
}

#[test]
fn names_are_snake_case_without_dots() {
    for (spec, _) in everything() {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        assert!(spec.name.bytes().all(plain), "{}", spec.name);
    }
}

#[test]
fn values_stay_within_the_nesting_limit() {
    fn depth(kind: Kind) -> usize {
        1 + match kind {
            Kind::Group(members) => members.iter().map(|spec| depth(spec.kind)).max().unwrap_or(0),
            Kind::List(element) => depth(*element),
            _ => 0,
        }
    }
    for (spec, _) in everything() {
        assert!(
            depth(spec.kind) <= beatbook_proto::limits::NESTING_MAX,
            "{}",
            spec.name
        );
    }
}

#[test]
fn what_the_core_reads_is_where_it_looks() {
    assert_eq!(
        family("NOTE").unwrap().named("beat").unwrap().id,
        beatbook_proto::field::BEAT
    );
    assert_eq!(
        family("CONTACT").unwrap().named("marking").unwrap().id,
        beatbook_proto::field::MARKING
    );
    assert!(family("HOVERCRAFT").is_none());
    assert_eq!(name_of(FieldId(59_999)), "field_59999");
}

#[test]
fn forms_take_what_they_should_and_refuse_the_rest() {
    let cases: &[(Form, &[&str], &[&str])] = &[
        (
            Form::Beat,
            &["52/C02", "52/55.CR3001", "52/00AEGW", "52/c02"],
            &["C02", "5/C02", "52/", "52/A B", "52/ABCDEFGHIJKLMNOPQ"],
        ),
        (
            Form::Collar,
            &["9123", "PC1", "ABCD123456EF"],
            &["", "ABCDE1", "1234567", "A", "12ABC", "pc1"],
        ),
        (
            Form::Email,
            &["a@b.example"],
            &["a", "@b.example", "a@b", "a b@c.example"],
        ),
        (
            Form::Exhibit,
            &["JS/1", "ABC/123"],
            &["JS", "JS/", "JS/0", "js/1"],
        ),
        (Form::Force, &["52"], &["5", "522", "5a"]),
        (Form::Initials, &["J", "JS"], &["", "js", "J.S."]),
        (
            Form::Phone,
            &["01632 960123", "+447700900123", "101"],
            &["", "12", "01632-960123", "+"],
        ),
        (
            Form::Uprn,
            &["1", "100023336956"],
            &["", "0", "01", "1234567890123", "1a"],
        ),
        (Form::Usrn, &["33909869"], &["123456789", "x"]),
        (
            Form::Uuid,
            &["018f3b9e-7a64-7c35-a2f1-5d0e8c7b6a90"],
            &["018F3B9E-7a64-7c35-a2f1-5d0e8c7b6a90", "018f3b9e"],
        ),
        (
            Form::Vrm,
            &["A", "AB12CDE"],
            &["", "AB12 CDE", "ab12cde", "ABCDEFGHI"],
        ),
        (Form::Grid, &["ST 58723 72994"], &["ST 5"]),
        (Form::Line, &["one line"], &["two\nlines", "tab\there"]),
        (
            Form::Free,
            &["two\nlines"],
            &["bell\u{7}", "carriage\r\nreturn", "e\u{301}"],
        ),
    ];
    for (form, good, bad) in cases {
        for text in *good {
            assert_eq!(form.check(text), Ok(()), "{form:?} {text}");
        }
        for text in *bad {
            assert!(form.check(text).is_err(), "{form:?} {text}");
        }
        assert_eq!(form.check(form.example()), Ok(()), "{form:?}");
    }
}
