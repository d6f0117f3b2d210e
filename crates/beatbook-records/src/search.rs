//! What a record is found by: its texts, people, beats and times. For an index in memory only.

use beatbook_proto::{FieldId, Instant, Value};

use crate::field;
use crate::merged::{MergedFields, as_code, as_text, member_instant};
use crate::schema::Form;

/// Every text of a record, of every sibling and element, those of unknown fields included.
pub fn searchable_text(fields: &MergedFields) -> impl Iterator<Item = &str> {
    let mut found = Vec::new();
    for (_, field) in fields.iter() {
        for value in field.values() {
            texts(value, &mut found);
        }
    }
    found.into_iter()
}

/// The names and identifiers of people in a record.
pub fn people(fields: &MergedFields) -> impl Iterator<Item = &str> {
    let mut found = Vec::new();
    for (id, field) in fields.iter() {
        for value in field.values() {
            if id == field::WITNESSES_PRESENT {
                found.extend(as_text(value));
            }
            named(value, &mut found);
        }
    }
    found.into_iter()
}

/// The beats of a record: one, or several while they are in conflict. Malformed ones are left out.
pub fn beats(fields: &MergedFields) -> impl Iterator<Item = &str> {
    fields
        .siblings(field::BEAT)
        .iter()
        .filter_map(as_code)
        .map(|code| code.as_str())
        .filter(|beat| Form::Beat.check(beat).is_ok())
}

/// From when to when a record speaks of, over all siblings.
pub fn occurred(fields: &MergedFields) -> Option<(Instant, Instant)> {
    let mut span: Option<(Instant, Instant)> = None;
    for interval in fields.siblings(field::OCCURRED) {
        let Some(from) = member_instant(interval, field::FROM) else {
            continue;
        };
        let to = member_instant(interval, field::TO).unwrap_or(from);
        let (first, last) = span.unwrap_or((from, to));
        span = Some((first.min(from), last.max(to)));
    }
    span
}

fn texts<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::Text(text) => found.push(text.as_str()),
        Value::Group(members) => members.iter().for_each(|(_, value)| texts(value, found)),
        Value::List(items) => items.iter().for_each(|item| texts(item, found)),
        _ => {}
    }
}

fn named<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::Group(members) => {
            for (id, value) in members.iter() {
                if NAMES.contains(id) {
                    found.extend(as_text(value));
                }
                named(value, found);
            }
        }
        Value::List(items) => items.iter().for_each(|item| named(item, found)),
        _ => {}
    }
}

const NAMES: &[FieldId] = &[
    field::PERSON_ID,
    field::NOMINAL_ID,
    field::GIVEN_NAME,
    field::FAMILY_NAME,
    field::OTHER_NAMES,
    field::ALIAS,
    field::NAME,
    field::SPEAKER_LABEL,
    field::SUBJECT_NAME,
];

#[cfg(test)]
mod tests;
