//! The law of the notebook and the rules of the fields, each with a case that passes and one that fails.

mod builders;
mod fields;
mod law;
mod received;

use beatbook_proto::{Code, FieldId, FieldOp, Instant, RevisionKind, Stamp, Text, Value};

use super::*;
use crate::build::{Contact, Note, Op, Setting};
use crate::merged::MergedFields;
use crate::vocabulary::{NoteKind, Role};

fn at(minutes: i64) -> Instant {
    Instant {
        utc_ms: 1_793_970_000_000 + minutes * 60_000,
        offset_min: 0,
    }
}

fn stamp(minutes: i64) -> Stamp {
    Stamp {
        utc_ms: at(minutes).utc_ms,
        offset_min: 0,
        source: beatbook_proto::ClockSource::NETWORK,
        uncertainty_ms: 200,
    }
}

fn setting() -> Setting {
    Setting::at("52/C02", at(0))
}

fn note(body: &str) -> MergedFields {
    let mut fields = MergedFields::new();
    fields.apply(&Note::new(setting(), NoteKind::Scene, body).ops().unwrap());
    fields
}

fn contact() -> MergedFields {
    let mut fields = MergedFields::new();
    fields.apply(&Contact::at(setting()).ops().unwrap());
    fields
}

/// A founding revision, recorded a minute after it happened.
fn create(family: &str, ops: &[Op]) -> Result<Vec<Flag>, WriteError> {
    check_write(&Write {
        family,
        kind: RevisionKind::CREATE,
        reason: None,
        ops,
        before: &MergedFields::new(),
        recorded_at: stamp(1),
        role: &Role::Pcso,
    })
}

/// A later revision by a PCSO, with a reason.
fn write(
    family: &str,
    before: &MergedFields,
    kind: RevisionKind,
    ops: &[Op],
) -> Result<Vec<Flag>, WriteError> {
    write_as(&Role::Pcso, family, before, kind, ops)
}

fn write_as(
    role: &Role,
    family: &str,
    before: &MergedFields,
    kind: RevisionKind,
    ops: &[Op],
) -> Result<Vec<Flag>, WriteError> {
    check_write(&Write {
        family,
        kind,
        reason: Some("because"),
        ops,
        before,
        recorded_at: stamp(1),
        role,
    })
}

fn text(text: &str) -> Value {
    Value::Text(Text::new(text).unwrap())
}

fn code(word: &str) -> Value {
    Value::Code(Code::new(word).unwrap())
}

fn set(id: FieldId, value: Value) -> Op {
    (id, FieldOp::Set(value))
}

/// The record with two values on a field.
fn with_siblings(mut fields: MergedFields, id: FieldId, values: [Value; 2]) -> MergedFields {
    let merged = crate::merged::MergedField {
        register: values.to_vec(),
        ..Default::default()
    };
    fields.insert(id, merged);
    fields
}
