//! The fields that every record carries.

use super::{FieldSpec, Form, Kind, group, line, text};
use crate::field;
use crate::vocabulary::{Lifecycle, Marking, Purpose, Regime};

pub(super) const FIELDS: &[FieldSpec] = &[
    FieldSpec::new(
        field::BEAT,
        "beat",
        Kind::Word(Form::Beat),
        "Force and neighbourhood; decides who may pull the record.",
    )
    .always(),
    FieldSpec::new(
        field::MARKING,
        "marking",
        Kind::Code(Marking::VOCABULARY),
        "May be raised by anyone; lowering needs a supervisor.",
    )
    .always()
    .law("Government Security Classifications 2024"),
    FieldSpec::new(
        field::OCCURRED,
        "occurred",
        Kind::Group(group::INTERVAL),
        "When it happened; for a shift, book-on and book-off; for a stop, time in and out.",
    )
    .always(),
    FieldSpec::new(
        field::DELAY_REASON,
        "delay_reason",
        line(500),
        "Why it was recorded more than an hour after it happened.",
    )
    .law("as soon as practicable: CPIA 1996 code"),
    FieldSpec::new(
        field::AUTHOR,
        "author",
        Kind::Group(group::AUTHOR),
        "Who wrote it; the opening of the book names the officer in any case.",
    ),
    FieldSpec::new(
        field::REGIME,
        "regime",
        Kind::Code(Regime::VOCABULARY),
        "Which law governs it.",
    )
    .law("DPA 2018 Part 3"),
    FieldSpec::new(
        field::PURPOSE,
        "purpose",
        Kind::Code(Purpose::VOCABULARY),
        "What it is for.",
    ),
    FieldSpec::new(
        field::RETENTION,
        "retention",
        Kind::Group(group::RETENTION),
        "How long it is kept.",
    )
    .law("Police Information and Records Management Code of Practice"),
    FieldSpec::new(
        field::HOLDS,
        "holds",
        Kind::Group(group::HOLD),
        "Why it may not be erased yet.",
    )
    .set_of()
    .law("DPA 2018 s.47"),
    FieldSpec::new(
        field::LOCATION,
        "location",
        Kind::Group(group::LOCATION),
        "Where.",
    )
    .personal(),
    FieldSpec::new(field::LINKS, "links", Kind::Group(group::LINK), "Other records.").set_of(),
    FieldSpec::new(
        field::INCIDENT_REF,
        "incident_ref",
        line(32),
        "Incident reference.",
    ),
    FieldSpec::new(field::CRIME_REF, "crime_ref", line(32), "Crime reference."),
    FieldSpec::new(field::OPERATION, "operation", line(32), "Name of an operation."),
    FieldSpec::new(
        field::LIFECYCLE,
        "lifecycle",
        Kind::Code(Lifecycle::VOCABULARY),
        "Where it stands; absent, it is signed if it holds a signature and a draft if not.",
    ),
    FieldSpec::new(
        field::SIGNATURES,
        "signatures",
        Kind::Group(group::SIGNATURE),
        "Who signed it as it was read.",
    )
    .appended(),
    FieldSpec::new(
        field::REMARKS,
        "remarks",
        Kind::Group(group::REMARK),
        "Remarks of others beside the record.",
    )
    .appended()
    .personal(),
    FieldSpec::new(
        field::SUPPLEMENTS,
        "supplements",
        Kind::Group(group::REMARK),
        "What came to mind later, at its own time.",
    )
    .appended()
    .personal()
    .law("no writing between lines"),
    FieldSpec::new(
        field::STRIKES,
        "strikes",
        Kind::Group(group::STRIKE),
        "Text struck through, with reason and initials; it stays readable.",
    )
    .appended()
    .law("no erasures"),
    FieldSpec::new(
        field::HANDLING,
        "handling",
        text(500),
        "Handling instruction that goes with the marking.",
    ),
];
