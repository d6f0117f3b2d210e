//! What is written: the operations of amendments and resolutions, texts and tracks. Not who writes it, nor when.

use beatbook_core::merge::Head;
use beatbook_proto::track::TrackPoint;
use beatbook_proto::{FieldId, FieldOp, Point, Text, Value};
use beatbook_records::build::{Contact, Note, Op, Segment, Stop};
use beatbook_records::field;

use crate::random::Random;
use crate::world::device::code;

/// What an amendment does: mostly to the text, sometimes to a set or by clearing.
pub(super) fn amendment(
    random: &mut Random,
    text_field: Option<FieldId>,
    word: &str,
    shared: bool,
) -> Option<Vec<Op>> {
    let place = FieldOp::Set(Value::Text(text(&format!("OP {word}"))));
    // Few words, so that two people take and put the same one.
    let chosen = random.below(2) as usize;
    let tag = Value::Code(code(TAGS[chosen]));
    if shared && random.percent(60) {
        // One tag gives way to the other, and somebody else does the opposite.
        let other = Value::Code(code(TAGS[1 - chosen]));
        return Some(vec![
            (UNKNOWN_SET, FieldOp::Add(tag)),
            (UNKNOWN_SET, FieldOp::Remove(other)),
        ]);
    }
    Some(match (random.below(14), text_field) {
        (10..=11, _) => vec![(UNKNOWN_SET, FieldOp::Add(tag))],
        (12..=13, _) => vec![(UNKNOWN_SET, FieldOp::Remove(tag))],
        (0..=5, Some(field)) => vec![(field, FieldOp::Set(Value::Text(text(&prose(word, 120)))))],
        (6, Some(field)) => vec![(field, FieldOp::Clear)],
        (7..=8, _) => vec![(field::OPERATION, place)],
        _ => vec![(field::OPERATION, FieldOp::Clear)],
    })
}

/// Chooses the first of every two values that stand side by side.
pub(in crate::world) fn settling(head: &Head) -> Vec<Op> {
    let choose = |(id, state): (&FieldId, &beatbook_core::merge::Field)| {
        let first = state.has_siblings().then(|| state.register().next()).flatten()?;
        Some((*id, FieldOp::Set(first.1.clone())))
    };
    head.fields.iter().filter_map(choose).collect()
}

pub(super) fn text_field(family: &str) -> Option<FieldId> {
    match family {
        Note::FAMILY => Some(field::BODY),
        Contact::FAMILY => Some(field::CONTACT_SUMMARY),
        Stop::FAMILY => Some(field::FOLLOW_UP),
        Segment::FAMILY => Some(field::SUMMARY),
        _ => None,
    }
}

pub(super) fn text_of(head: &Head, field: FieldId) -> Option<String> {
    let (_, value) = head.field(field)?.register().next()?;
    match value {
        Value::Text(text) => Some(text.as_str().to_owned()),
        _ => None,
    }
}

pub(super) fn text(words: &str) -> Text {
    Text::new(words).unwrap_or_default()
}

/// Words of about a length that begin with the word of their own.
pub(super) fn prose(word: &str, length: usize) -> String {
    let mut prose = word.to_owned();
    while prose.len() < length {
        prose.push_str(" seen on foot in the high street");
    }
    prose
}

pub(super) fn track(random: &mut Random, at_ms: i64) -> Vec<TrackPoint> {
    (0..random.between(5, 30) as i64)
        .map(|step| TrackPoint {
            utc_ms: at_ms + step * 10_000,
            point: Point {
                lat_e7: 511_000_000 + random.below(20_000) as i32,
                lon_e7: -35_000_000 + random.below(20_000) as i32,
            },
            accuracy_dm: 50,
            speed_cm_s: 0,
        })
        .collect()
}

/// What is put into sets and taken out of them.
const TAGS: [&str; 2] = ["YOUTH", "NIGHT"];
/// A set of a newer build, which everyone merges as such.
const UNKNOWN_SET: FieldId = FieldId(61_000);
