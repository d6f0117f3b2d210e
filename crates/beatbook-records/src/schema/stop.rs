//! The fields of a stop.

use super::{FieldSpec, Kind, int, line, text};
use crate::field;
use crate::vocabulary::{StopKind, StopResult};

pub(super) const FIELDS: &[FieldSpec] = &[
    FieldSpec::new(
        field::STOP_KIND,
        "stop_kind",
        Kind::Code(StopKind::VOCABULARY),
        "What it was for.",
    )
    .always(),
    FieldSpec::new(
        field::STOP_RESULT,
        "result",
        Kind::Code(StopResult::VOCABULARY),
        "What came of it.",
    ),
    FieldSpec::new(
        field::CONTACTS_MADE,
        "contacts_made",
        int(0, 10_000, "contacts"),
        "Contacts made there; every tap counts.",
    )
    .counted(),
    FieldSpec::new(field::FOLLOW_UP, "follow_up", text(1_000), "What is to follow.").personal(),
    FieldSpec::new(field::TASK, "task", Kind::Record, "The task that it belongs to."),
    FieldSpec::new(field::STOP_HOTSPOT_ID, "hotspot_id", line(32), "The hotspot."),
    FieldSpec::new(
        field::STOP_SEGMENT,
        "segment",
        Kind::Record,
        "The patrol segment that it belongs to.",
    ),
];
