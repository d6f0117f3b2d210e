//! The fields of a shift.

use super::{FieldSpec, Form, Kind, group, line};
use crate::field;
use crate::vocabulary::{BeatBasis, DutyStateWord};

pub(super) const FIELDS: &[FieldSpec] = &[
    FieldSpec::new(
        field::ROSTERED,
        "rostered",
        Kind::Group(group::INTERVAL),
        "The rostered hours; the actual ones are in `occurred`.",
    ),
    FieldSpec::new(field::TEAM, "team", line(64), "Team."),
    FieldSpec::new(field::CALL_SIGN, "call_sign", line(32), "Call-sign."),
    FieldSpec::new(
        field::BRIEFING_REF,
        "briefing_ref",
        Kind::Record,
        "The note of the briefing.",
    ),
    FieldSpec::new(field::DEVICES, "devices", line(64), "Devices carried.").set_of(),
    FieldSpec::new(
        field::DUTY_STATES,
        "duty_states",
        Kind::Group(DUTY_STATE),
        "Changes of duty state; each lasts until the next, and a gap reads UNKNOWN.",
    )
    .appended(),
];

const DUTY_STATE: &[FieldSpec] = &[
    FieldSpec::new(
        field::DUTY_STATE,
        "state",
        Kind::Code(DutyStateWord::VOCABULARY),
        "What the officer is doing.",
    )
    .always(),
    FieldSpec::new(field::FROM, "from", Kind::Instant, "Since when.").always(),
    FieldSpec::new(
        field::TO,
        "to",
        Kind::Instant,
        "Until when, if it does not last until the next.",
    ),
    FieldSpec::new(
        field::BEAT_BASIS,
        "beat_basis",
        Kind::Code(BeatBasis::VOCABULARY),
        "How it is known whether it was on the own beat.",
    ),
    FieldSpec::new(
        field::STATE_BEAT,
        "beat",
        Kind::Word(Form::Beat),
        "On which beat, if another.",
    ),
];
