//! What a server turns to quarantine, and what it must let pass.

use super::*;
use crate::build::{Breadcrumb, Strike, strike_ops};
use crate::field;

fn received(family: &str, kind: RevisionKind, ops: &[Op]) -> Result<(), Malformed> {
    check_received(&Received {
        family,
        kind,
        reason: Some("because"),
        ops,
    })
}

fn founding() -> Vec<Op> {
    Note::new(setting(), NoteKind::Scene, "x").ops().unwrap()
}

#[test]
fn what_it_does_not_know_passes() {
    let mut ops = founding();
    assert_eq!(received("NOTE", RevisionKind::CREATE, &ops), Ok(()));
    ops.push(set(FieldId(59_999), Value::Bool(true)));
    ops.push(set(field::NOTE_KIND, code("HOVERCRAFT_CHASE")));
    ops.push(set(field::INCIDENT_REF, text(&"x".repeat(400))));
    ops.push(set(
        field::LOCATION,
        Value::Group(vec![(FieldId(59_998), Value::Int(1))].into()),
    ));
    assert_eq!(received("NOTE", RevisionKind::CREATE, &ops), Ok(()));
    assert_eq!(
        received(
            "HOVERCRAFT",
            RevisionKind::CREATE,
            &[set(field::BODY, Value::Bool(true))]
        ),
        Ok(())
    );
    assert_eq!(received("NOTE", RevisionKind(200), &[]), Ok(()));
}

#[test]
fn the_scope_has_to_be_decided() {
    let without = |id| {
        founding()
            .into_iter()
            .filter(|(op, _)| *op != id)
            .collect::<Vec<_>>()
    };
    let create = RevisionKind::CREATE;
    assert_eq!(
        received("NOTE", create, &without(field::BEAT)),
        Err(Malformed::Missing("beat"))
    );
    assert_eq!(
        received("NOTE", create, &without(field::MARKING)),
        Err(Malformed::Missing("marking"))
    );
    for family in ["NOTE", "HOVERCRAFT"] {
        let amend = |op: Op| received(family, RevisionKind::AMEND, &[op]);
        assert_eq!(amend(set(field::BEAT, code("C02"))), Err(Malformed::Beat));
        assert_eq!(amend((field::BEAT, FieldOp::Clear)), Err(Malformed::Beat));
        assert_eq!(amend(set(field::BEAT, code("52/C03"))), Ok(()));
        assert_eq!(
            amend(set(field::MARKING, code("SECRET"))),
            Err(Malformed::Marking)
        );
        assert_eq!(amend(set(field::MARKING, code("OFFICIAL"))), Ok(()));
    }
}

#[test]
fn another_kind_or_operation_is_malformed() {
    let amend = |op: Op| received("NOTE", RevisionKind::AMEND, &[op]);
    assert_eq!(
        amend(set(field::BODY, Value::Bool(true))),
        Err(Malformed::WrongKind(field::BODY))
    );
    assert_eq!(
        amend(set(field::SPEECH, text("x"))),
        Err(Malformed::Operation(field::SPEECH))
    );
    assert_eq!(
        amend((field::SPEECH, FieldOp::Clear)),
        Err(Malformed::Operation(field::SPEECH))
    );
    let inner = Value::Group(vec![(field::POINT, text("here"))].into());
    assert_eq!(
        amend(set(field::LOCATION, inner)),
        Err(Malformed::WrongKind(field::LOCATION))
    );
}

#[test]
fn the_law_needs_its_reasons_and_initials() {
    let strike = Strike::of_words("abc", "b", "wrong", "JS", at(1)).unwrap();
    let ops = strike_ops(std::slice::from_ref(&strike)).unwrap();
    assert_eq!(received("NOTE", RevisionKind::STRIKE, &ops), Ok(()));
    let bare = strike_ops(&[Strike {
        initials: String::new(),
        ..strike
    }])
    .unwrap();
    assert_eq!(
        received("NOTE", RevisionKind::STRIKE, &bare),
        Err(Malformed::Strike)
    );
    let without_reason = Received {
        family: "HOVERCRAFT",
        kind: RevisionKind::AMEND,
        reason: Some(" "),
        ops: &[],
    };
    assert_eq!(check_received(&without_reason), Err(Malformed::NoReason));
}

#[test]
fn tracks_read_and_stay_as_they_are() {
    let breadcrumb = Breadcrumb {
        setting: setting(),
        points: vec![beatbook_proto::track::TrackPoint {
            utc_ms: at(0).utc_ms,
            point: beatbook_proto::Point {
                lat_e7: 512_000_000,
                lon_e7: -34_000_000,
            },
            accuracy_dm: 50,
            speed_cm_s: 0,
        }],
        offset_min: 0,
        segment: None,
        duty_state: None,
    };
    let ops = breadcrumb.ops().unwrap();
    assert_eq!(received("BREADCRUMB", RevisionKind::CREATE, &ops), Ok(()));
    assert_eq!(
        received("BREADCRUMB", RevisionKind::AMEND, &ops),
        Err(Malformed::BreadcrumbChanged)
    );
    let mut bad = ops;
    bad.push(set(field::TRACK, Value::Track(vec![0xff].into())));
    assert_eq!(
        received("BREADCRUMB", RevisionKind::CREATE, &bad),
        Err(Malformed::Track)
    );
}
