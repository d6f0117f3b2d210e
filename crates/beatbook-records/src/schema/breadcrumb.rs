//! The fields of a breadcrumb chunk.

use super::{FieldSpec, Kind};
use crate::field;
use crate::vocabulary::DutyStateWord;

/// Most points of one chunk.
pub const POINTS_MAX: usize = 64;
/// Longest chunk, in milliseconds.
pub const CHUNK_MS_MAX: i64 = 5 * 60 * 1_000;

pub(super) const FIELDS: &[FieldSpec] = &[
    FieldSpec::new(
        field::TRACK,
        "track",
        Kind::Track,
        "Positions with time, accuracy and speed: up to 5 minutes or 64 points; never changed.",
    )
    .always()
    .personal(),
    FieldSpec::new(
        field::SEGMENT,
        "segment",
        Kind::Record,
        "The patrol segment that it belongs to.",
    ),
    FieldSpec::new(
        field::TRACK_DUTY_STATE,
        "duty_state",
        Kind::Code(DutyStateWord::VOCABULARY),
        "The duty state in which it was recorded; never a break.",
    ),
];
