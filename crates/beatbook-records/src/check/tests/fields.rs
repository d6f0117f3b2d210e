//! The rules of single fields and of records as a whole, and the flags that reject nothing.

use beatbook_proto::Point;
use beatbook_proto::track::{self, TrackPoint};

use super::*;
use crate::build::{
    Breadcrumb, Concern, Day, Interval, IntoValue, Location, PersonRef, SafeContact, Segment, Stop,
    Vulnerability,
};
use crate::field;
use crate::vocabulary::{
    ContactKind, DutyStateWord, FixSource, FlagBasis, IdentityLevel, LocationType, PatrolMode, StopKind,
    SubjectCategory, Topic, VulnerabilityFlag,
};

fn rule(result: Result<Vec<Flag>, WriteError>) -> Option<Rule> {
    match result {
        Err(WriteError::Rule { rule, .. }) => Some(rule),
        Ok(_) => None,
        Err(other) => panic!("{other:?}"),
    }
}

fn problem(result: Result<Vec<Flag>, WriteError>) -> Problem {
    match result {
        Err(WriteError::Field { problem, .. }) => problem,
        other => panic!("{other:?}"),
    }
}

fn amended(id: FieldId, value: Value) -> Result<Vec<Flag>, WriteError> {
    write("NOTE", &note("x"), RevisionKind::AMEND, &[set(id, value)])
}

#[test]
fn a_record_is_founded_with_what_it_needs() {
    let ops = Note::new(setting(), NoteKind::Scene, "x").ops().unwrap();
    assert_eq!(create("NOTE", &ops), Ok(Vec::new()));
    for (id, name) in [
        (field::BEAT, "beat"),
        (field::MARKING, "marking"),
        (field::OCCURRED, "occurred"),
        (field::NOTE_KIND, "note_kind"),
    ] {
        let kept: Vec<Op> = ops.iter().filter(|(op, _)| *op != id).cloned().collect();
        assert_eq!(create("NOTE", &kept), Err(WriteError::Missing { field: name }));
    }
    assert!(matches!(
        create("HOVERCRAFT", &ops),
        Err(WriteError::UnknownFamily { .. })
    ));
    assert!(matches!(
        create("SHIFT", &ops),
        Err(WriteError::UnknownField { .. })
    ));
}

#[test]
fn a_draft_may_be_empty() {
    let ops = Note::new(setting(), NoteKind::Scene, "").ops().unwrap();
    assert_eq!(create("NOTE", &ops), Ok(Vec::new()));
}

#[test]
fn a_value_is_of_its_field_s_kind_and_operation() {
    assert!(matches!(
        problem(amended(field::BODY, Value::Bool(true))),
        Problem::WrongKind { .. }
    ));
    assert!(matches!(
        problem(amended(field::SPEECH, text("x"))),
        Problem::Operation { .. }
    ));
    assert!(matches!(
        problem(amended(field::NOTE_KIND, code("HOVERCRAFT"))),
        Problem::UnknownWord { .. }
    ));
    assert!(amended(field::NOTE_KIND, code("X_52_HOVERCRAFT")).is_ok());
    assert!(matches!(
        problem(amended(field::MARKING, code("SECRET"))),
        Problem::UnknownWord { .. }
    ));
    assert!(matches!(
        problem(amended(field::BEAT, code("C02"))),
        Problem::Form(_)
    ));
    assert!(matches!(
        problem(amended(field::BODY, text("bell\u{7}"))),
        Problem::Form(_)
    ));
    assert!(matches!(
        problem(amended(field::INCIDENT_REF, text(&"x".repeat(33)))),
        Problem::TooLong { .. }
    ));
    assert!(amended(field::INCIDENT_REF, text(&"x".repeat(32))).is_ok());
    assert!(matches!(
        problem(amended(field::INCIDENT_REF, text(""))),
        Problem::Empty
    ));
    assert!(matches!(
        problem(amended(field::LOCATION, Value::Group(Vec::new().into()))),
        Problem::Empty
    ));
}

#[test]
fn a_group_is_whole_and_holds_only_its_members() {
    let group = |members: Vec<(FieldId, Value)>| Value::Group(members.into());
    let made = (field::MADE_AT_THE_TIME, Value::Bool(false));
    let missing = problem(amended(field::CONTEMPORANEOUS, group(vec![made.clone()])));
    assert_eq!(missing, Problem::MissingMember { member: "reason" });
    let reason = (field::REASON, text("driving"));
    assert!(amended(field::CONTEMPORANEOUS, group(vec![made.clone(), reason.clone()])).is_ok());
    assert_eq!(
        problem(amended(
            field::CONTEMPORANEOUS,
            group(vec![made.clone(), made.clone()])
        )),
        Problem::Repeated
    );
    let foreign = group(vec![made, (field::BODY, text("x"))]);
    assert_eq!(
        problem(amended(field::CONTEMPORANEOUS, foreign)),
        Problem::UnknownMember
    );
    assert_eq!(
        problem(amended(
            field::OCCURRED,
            group(vec![(field::TO, Value::Instant(at(1)))])
        )),
        Problem::MissingMember { member: "from" }
    );
}

#[test]
fn an_interval_does_not_end_before_it_begins() {
    let interval = |to| {
        Interval::between(at(0), at(to))
            .into_value(field::OCCURRED)
            .unwrap()
    };
    assert!(amended(field::OCCURRED, interval(0)).is_ok());
    assert_eq!(
        problem(amended(field::OCCURRED, interval(-1))),
        Problem::EndsBeforeStart
    );
}

#[test]
fn an_estimated_age_is_in_order() {
    let person = |age| {
        let mut person = PersonRef::named("Ann", "Example", SubjectCategory::Witness);
        person.age = Some(age);
        let op = FieldOp::Append(person.into_value(field::PERSONS).unwrap());
        write("NOTE", &note("x"), RevisionKind::AMEND, &[(field::PERSONS, op)])
    };
    assert!(person((20, 30)).is_ok());
    assert_eq!(problem(person((30, 20))), Problem::MinOverMax);
    assert!(matches!(problem(person((30, 131))), Problem::OutOfRange { .. }));
}

#[test]
fn a_position_is_on_the_globe() {
    let location =
        |lat_e7, lon_e7| Value::Group(vec![(field::POINT, Value::Point(Point { lat_e7, lon_e7 }))].into());
    assert!(amended(field::LOCATION, location(514_000_000, -26_000_000)).is_ok());
    assert_eq!(
        problem(amended(field::LOCATION, location(900_000_001, 0))),
        Problem::NoPosition
    );
    assert_eq!(
        problem(amended(field::LOCATION, location(i32::MIN, i32::MIN))),
        Problem::NoPosition
    );
}

#[test]
fn an_anonymous_contact_names_nobody() {
    let mut contact = Contact::at(setting());
    contact.identity_level = Some(IdentityLevel::Anonymous);
    contact.persons.push(PersonRef {
        description: Some("tall".into()),
        ..PersonRef::default()
    });
    assert_eq!(rule(create("CONTACT", &contact.ops().unwrap())), None);
    for person in [
        PersonRef {
            given_name: Some("Ann".into()),
            ..PersonRef::default()
        },
        PersonRef {
            phone: Some("01632 960123".into()),
            ..PersonRef::default()
        },
        PersonRef {
            email: Some("a@b.example".into()),
            ..PersonRef::default()
        },
        PersonRef {
            address: Some("1 High Street".into()),
            ..PersonRef::default()
        },
    ] {
        let named = Contact {
            persons: vec![person],
            ..contact.clone()
        };
        assert_eq!(
            rule(create("CONTACT", &named.ops().unwrap())),
            Some(Rule::Anonymous)
        );
    }
    let point = Point {
        lat_e7: 514_000_000,
        lon_e7: -26_000_000,
    };
    let fix = Location::fix(point, 50, FixSource::Gnss);
    let home = Location {
        location_type: Some(LocationType::Dwelling),
        ..fix.clone()
    };
    let address = Location {
        address_text: Some("1 High Street".into()),
        ..Location::default()
    };
    for (location, broken) in [
        (fix, None),
        (home, Some(Rule::Anonymous)),
        (address.clone(), Some(Rule::Anonymous)),
    ] {
        let mut placed = contact.clone();
        placed.setting.location = Some(location);
        assert_eq!(rule(create("CONTACT", &placed.ops().unwrap())), broken);
    }
    contact.concerns.push(Concern {
        topic: Topic::Noise,
        asb_qualifier: None,
        own_words: None,
        location: Some(address),
        source: None,
        priority_id: None,
    });
    assert_eq!(
        rule(create("CONTACT", &contact.ops().unwrap())),
        Some(Rule::Anonymous)
    );
}

#[test]
fn safe_contact_is_recorded_where_it_must_be() {
    let mut abused = Contact::at(setting());
    abused.vulnerability.push(Vulnerability {
        flag: VulnerabilityFlag::DomesticAbuse,
        basis: FlagBasis::Disclosed,
        date: Day(20_000),
        why: None,
        person_id: None,
    });
    let mut protected = Contact::at(setting());
    protected.identity_protected = Some(true);
    for mut contact in [abused, protected] {
        assert_eq!(
            rule(create("CONTACT", &contact.ops().unwrap())),
            Some(Rule::SafeContact)
        );
        contact.safe_contact = Some(SafeContact {
            safe_to_call: false,
            times: None,
            who_may_answer: None,
            leave_message: false,
        });
        assert_eq!(rule(create("CONTACT", &contact.ops().unwrap())), None);
    }
}

#[test]
fn a_group_or_broadcast_says_how_many() {
    for kind in [ContactKind::Group, ContactKind::Broadcast] {
        let mut contact = Contact {
            kind,
            ..Contact::at(setting())
        };
        assert_eq!(
            rule(create("CONTACT", &contact.ops().unwrap())),
            Some(Rule::Reach)
        );
        contact.reach = Some(120);
        assert_eq!(rule(create("CONTACT", &contact.ops().unwrap())), None);
    }
}

#[test]
fn what_was_wrong_before_does_not_stop_another_change() {
    let mut before = contact();
    before.apply(&[set(field::CONTACT_KIND, code("GROUP"))]);
    let ops = [set(field::CONTACT_SUMMARY, text("parking"))];
    assert!(write("CONTACT", &before, RevisionKind::AMEND, &ops).is_ok());
}

#[test]
fn a_segment_serves_three_priorities_at_most() {
    let mut segment = Segment::new(setting(), PatrolMode::Foot);
    segment.priority_ids = ["a", "b", "c"].map(str::to_owned).to_vec();
    assert_eq!(rule(create("PATROL_SEGMENT", &segment.ops().unwrap())), None);
    segment.priority_ids.push("d".into());
    assert_eq!(
        rule(create("PATROL_SEGMENT", &segment.ops().unwrap())),
        Some(Rule::ThreePriorities)
    );
}

#[test]
fn a_counter_does_not_fall_below_zero() {
    let mut before = MergedFields::new();
    before.apply(
        &Stop {
            contacts_made: 2,
            ..Stop::new(setting(), StopKind::School)
        }
        .ops()
        .unwrap(),
    );
    let count = |by| {
        write(
            "STOP",
            &before,
            RevisionKind::STATE,
            &[(field::CONTACTS_MADE, FieldOp::Increment(by))],
        )
    };
    assert_eq!(rule(count(-2)), None);
    assert_eq!(rule(count(-3)), Some(Rule::Negative));
    assert!(count(i64::MIN).is_err());
}

fn fixes(count: i64, every_ms: i64) -> Vec<TrackPoint> {
    (0..count)
        .map(|number| TrackPoint {
            utc_ms: at(0).utc_ms + number * every_ms,
            point: Point {
                lat_e7: 512_000_000,
                lon_e7: -34_000_000,
            },
            accuracy_dm: 50,
            speed_cm_s: 120,
        })
        .collect()
}

#[test]
fn a_breadcrumb_is_short_and_outside_breaks() {
    let chunk = |points, duty_state| {
        let breadcrumb = Breadcrumb {
            setting: setting(),
            points,
            offset_min: 0,
            segment: None,
            duty_state: Some(duty_state),
        };
        rule(create("BREADCRUMB", &breadcrumb.ops().unwrap()))
    };
    assert_eq!(chunk(fixes(64, 4_000), DutyStateWord::VisiblePatrol), None);
    assert_eq!(
        chunk(fixes(65, 1_000), DutyStateWord::VisiblePatrol),
        Some(Rule::TrackTooLong)
    );
    assert_eq!(
        chunk(fixes(21, 15_001), DutyStateWord::VisiblePatrol),
        Some(Rule::TrackTooLong)
    );
    assert_eq!(chunk(Vec::new(), DutyStateWord::VisiblePatrol), Some(Rule::Track));
    assert_eq!(
        chunk(fixes(2, 1_000), DutyStateWord::Refreshment),
        Some(Rule::Break)
    );
}

#[test]
fn a_breadcrumb_is_never_changed() {
    let bytes = track::encode(&fixes(2, 1_000)).unwrap();
    let result = write(
        "BREADCRUMB",
        &contact(),
        RevisionKind::AMEND,
        &[set(field::TRACK, Value::Track(bytes))],
    );
    assert!(matches!(result, Err(WriteError::NotThisWay { .. })));
}

#[test]
fn flags_reject_nothing() {
    let flags = |change: &dyn Fn(&mut Note)| {
        let mut note = Note::new(setting(), NoteKind::Scene, "x");
        change(&mut note);
        create("NOTE", &note.ops().unwrap()).unwrap()
    };
    let place = |lat_e7, accuracy_dm| {
        Some(Location::fix(
            Point {
                lat_e7,
                lon_e7: -26_000_000,
            },
            accuracy_dm,
            FixSource::Gnss,
        ))
    };
    assert_eq!(flags(&|_| {}), []);
    assert_eq!(
        flags(&|note| note.setting.occurred = Some(Interval::since(at(6)))),
        []
    );
    assert_eq!(
        flags(&|note| note.setting.occurred = Some(Interval::since(at(7)))),
        [Flag::ClockSuspect]
    );
    assert_eq!(
        flags(&|note| note.setting.occurred = Some(Interval::since(at(-60)))),
        [Flag::DelayReasonMissing]
    );
    assert_eq!(
        flags(&|note| note.setting.occurred = Some(Interval::between(at(-90), at(-59)))),
        []
    );
    let late = flags(&|note| {
        note.setting.occurred = Some(Interval::since(at(-90)));
        note.setting.delay_reason = Some("no light".into());
    });
    assert_eq!(late, []);
    assert_eq!(
        flags(&|note| note.setting.location = place(488_000_000, 1_000)),
        [Flag::OutsideUk]
    );
    assert_eq!(
        flags(&|note| note.setting.location = place(514_000_000, 1_001)),
        [Flag::Approximate]
    );
    let unborn = PersonRef {
        dob: Some(Day(i32::MAX)),
        ..PersonRef::default()
    };
    assert_eq!(
        flags(&|note| note.persons.push(unborn.clone())),
        [Flag::DobInFuture]
    );
}

#[test]
fn vulnerability_asks_for_the_higher_marking() {
    let mut contact = Contact::at(setting());
    contact.vulnerability.push(Vulnerability {
        flag: VulnerabilityFlag::OlderAlone,
        basis: FlagBasis::Observed,
        date: Day(20_000),
        why: None,
        person_id: None,
    });
    assert_eq!(create("CONTACT", &contact.ops().unwrap()), Ok(Vec::new()));
    contact.setting.marking = Some(crate::vocabulary::Marking::Official);
    assert_eq!(
        create("CONTACT", &contact.ops().unwrap()),
        Ok(vec![Flag::MarkingAdvised])
    );
}

#[test]
fn no_message_repeats_what_was_written() {
    let secret = "Ann Example of High Street";
    let ops = [set(
        field::INCIDENT_REF,
        text(&format!("{secret}{}", "x".repeat(40))),
    )];
    let error = write("NOTE", &note(secret), RevisionKind::AMEND, &ops).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("Ann"));
}
