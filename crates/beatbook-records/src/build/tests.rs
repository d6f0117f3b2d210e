//! What builders make is what the checks accept.

use beatbook_proto::{Instant, Point, Value};

use super::*;
use crate::field;
use crate::merged::{MergedFields, as_text, member_text};
use crate::vocabulary::{FixSource, NoteKind, SdeCode};

const NOW: Instant = Instant {
    utc_ms: 1_793_970_300_000,
    offset_min: 0,
};

fn merged(ops: &[Op]) -> MergedFields {
    let mut fields = MergedFields::new();
    fields.apply(ops);
    fields
}

#[test]
fn text_is_normalised_on_the_way_in() {
    let mut note = Note::new(
        Setting::at("52/C02", NOW),
        NoteKind::Visit,
        "Caf\u{65}\u{301}\r\nclosed\n\n \n",
    );
    note.vehicles.push(Vehicle {
        vrm: Some("ab12 cde".into()),
        ..Vehicle::default()
    });
    let fields = merged(&note.ops().unwrap());
    assert_eq!(fields.text(field::BODY), Some("Caf\u{e9}\nclosed"));
    assert_eq!(
        member_text(&fields.list(field::VEHICLES)[0], field::VRM),
        Some("AB12CDE")
    );
}

#[test]
fn a_position_brings_its_grid_reference() {
    let point = Point {
        lat_e7: 514_545_000,
        lon_e7: -25_879_000,
    };
    let mut setting = Setting::at("52/C02", NOW);
    setting.location = Some(Location::fix(point, 80, FixSource::Gnss));
    let fields = merged(&Note::new(setting, NoteKind::Scene, "x").ops().unwrap());
    let location = fields.one(field::LOCATION).unwrap();
    let grid = member_text(location, field::OS_GRID).unwrap();
    assert!(grid.starts_with("ST 5"), "{grid}");
    assert_eq!(location.member(field::POINT), Some(&Value::Point(point)));
}

#[test]
fn an_older_ethnicity_code_is_mapped_and_kept() {
    let import = import_sde("o1").unwrap();
    assert_eq!(import.code, SdeCode::A4);
    let fields = merged(&import.ops().unwrap());
    assert_eq!(fields.one(field::SDE_ORIGINAL).and_then(as_text), Some("O1"));
    assert_eq!(import_sde("W1").unwrap().original, None);
    assert_eq!(import_sde("Z9"), None);
}

#[test]
fn a_strike_finds_its_words_by_code_points() {
    let strike = Strike::of_words("Caf\u{e9} at No 7, twice", "No 7", "wrong number", "JS", NOW).unwrap();
    assert_eq!((strike.start, strike.end), (8, 12));
    assert!(Strike::of_words("abc", "x", "r", "JS", NOW).is_none());
    assert!(Strike::of_words("abc", "", "r", "JS", NOW).is_none());
}

#[test]
fn what_cannot_be_a_value_is_named() {
    let long = "x".repeat(20_001);
    let error = Note::new(Setting::at("52/C02", NOW), NoteKind::Visit, long)
        .ops()
        .unwrap_err();
    assert_eq!(error, BuildError::TooLong { field: "body".into() });
    let error = Note::new(Setting::at("not a beat", NOW), NoteKind::Visit, "x")
        .ops()
        .unwrap_err();
    assert_eq!(error, BuildError::NotACode { field: "beat".into() });
}
