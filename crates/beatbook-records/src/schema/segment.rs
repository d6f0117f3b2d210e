//! The fields of a patrol segment.

use super::{FieldSpec, Form, Kind, formed, line, text};
use crate::field;
use crate::vocabulary::{Companion, PatrolMode};

pub(super) const FIELDS: &[FieldSpec] = &[
    FieldSpec::new(
        field::MODE,
        "mode",
        Kind::Code(PatrolMode::VOCABULARY),
        "How the patrol moves.",
    )
    .always(),
    FieldSpec::new(
        field::PRIORITY_IDS,
        "priority_ids",
        line(64),
        "Local priorities that it serves; three at most.",
    )
    .set_of(),
    FieldSpec::new(
        field::HOTSPOT_ID,
        "hotspot_id",
        line(32),
        "The hotspot that it serves.",
    ),
    FieldSpec::new(
        field::TASKING_REF,
        "tasking_ref",
        line(32),
        "The tasking that it serves.",
    ),
    FieldSpec::new(
        field::JOINT_WITH,
        "joint_with",
        Kind::Group(JOINT_WITH),
        "Who went along.",
    )
    .set_of(),
    FieldSpec::new(field::VISIBLE, "visible", Kind::Bool, "Could the public see it?"),
    FieldSpec::new(field::UNIFORM, "uniform", Kind::Bool, "In uniform?"),
    FieldSpec::new(field::SUMMARY, "summary", text(5_000), "What came of it.").personal(),
];

const JOINT_WITH: &[FieldSpec] = &[
    FieldSpec::new(
        field::COMPANION,
        "companion",
        Kind::Code(Companion::VOCABULARY),
        "In which capacity.",
    )
    .always(),
    FieldSpec::new(field::COLLAR, "collar", formed(Form::Collar), "Collar number."),
    FieldSpec::new(
        field::NAME,
        "name",
        line(100),
        "Name, of someone without a collar number.",
    )
    .personal(),
];
