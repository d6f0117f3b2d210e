//! Checks: what a device may write, and what a server takes in.
//!
//! [`check_write`] is strict and speaks to the writer: it names the field, what is wrong and what to do.
//! [`check_received`] is lenient: only what is malformed is turned to quarantine. Flags never reject.

mod flag;
mod kind;
mod received;
mod rule;
mod value;

use beatbook_proto::{FieldId, FieldOp, RevisionKind, Stamp};

pub use flag::{Flag, flags};
pub(crate) use kind::lifecycle;
pub use received::{Malformed, Received, check_received, lowers_marking};
pub use rule::Rule;
pub(crate) use rule::{strike_range, struck_field};
pub use value::Problem;

use crate::merged::MergedFields;
use crate::redact::redacted;
use crate::schema::{self, FamilySpec, FieldSpec, Merge};
use crate::vocabulary::Role;

/// A revision that a device is about to write.
#[derive(Clone, Copy)]
pub struct Write<'a> {
    /// The family of the record.
    pub family: &'a str,
    /// What the revision does.
    pub kind: RevisionKind,
    /// Why, where the notebook's law asks for it.
    pub reason: Option<&'a str>,
    /// What it does to which fields.
    pub ops: &'a [(FieldId, FieldOp)],
    /// The record as its author had read it; empty for a new record.
    pub before: &'a MergedFields,
    /// When the device records it.
    pub recorded_at: Stamp,
    /// The writer's role; decides who may lower a marking, check and restrict.
    pub role: &'a Role,
}

/// Why a revision is not written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The record has siblings on a field, and this is not a resolution.
    #[error("two versions of {field} exist: resolve first")]
    Conflict {
        /// The field.
        field: String,
    },
    /// A value or an operation does not fit its field.
    #[error("{field} {problem}")]
    Field {
        /// The field, with members after dots.
        field: String,
        /// What is wrong and what to do.
        problem: Problem,
    },
    /// A field has to be there.
    #[error("{field} is missing: give it")]
    Missing {
        /// The field.
        field: &'static str,
    },
    /// The kind of revision needs a reason.
    #[error("a reason is needed: say why")]
    NoReason,
    /// The kind of revision has nothing to say without an operation.
    #[error("nothing to write: name at least one field")]
    Nothing,
    /// The field is not written by this kind of revision.
    #[error("{field} is not written this way: {instead}")]
    NotThisWay {
        /// The field.
        field: String,
        /// How it is written.
        instead: &'static str,
    },
    /// A rule about the record as a whole does not hold.
    #[error("{field} {rule}")]
    Rule {
        /// The field that it shows on.
        field: &'static str,
        /// The rule.
        rule: Rule,
    },
    /// The family is not one that this build writes.
    #[error("records of family {family} are not written here: update this program")]
    UnknownFamily {
        /// The family.
        family: String,
    },
    /// The field is not one of the family.
    #[error("field {id} does not belong to {family}: see the list of fields")]
    UnknownField {
        /// The number of the field.
        id: u16,
        /// The family.
        family: &'static str,
    },
    /// This kind of revision is not written by way of fields.
    #[error("revisions of kind {kind} are not written this way")]
    UnknownKind {
        /// The number of the kind.
        kind: u8,
    },
}

/// Checks a revision that a device is about to write; returns what is worth a remark.
///
/// # Errors
/// The first thing that is wrong, with the field and what to do. What was wrong before, in another
/// field, does not stop a change.
pub fn check_write(write: &Write<'_>) -> Result<Vec<Flag>, WriteError> {
    let family = schema::family(write.family).ok_or_else(|| WriteError::UnknownFamily {
        family: write.family.to_owned(),
    })?;
    for (id, op) in write.ops {
        let spec = family.field(*id).ok_or(WriteError::UnknownField {
            id: id.0,
            family: family.name,
        })?;
        check_op(spec, op)?;
    }
    kind::check(write, family)?;
    let mut after = write.before.clone();
    after.apply(write.ops);
    check_required(write, family, &after)?;
    check_rules(write, family, &after)?;
    Ok(flag::flags(family, &after, write.recorded_at))
}

/// Checks that an operation fits its field, and its value the kind of the field.
fn check_op(spec: &FieldSpec, op: &FieldOp) -> Result<(), WriteError> {
    let fits = match op {
        FieldOp::Set(_) => spec.merge == Merge::Set,
        FieldOp::Add(_) | FieldOp::Remove(_) => spec.merge == Merge::AddRemove,
        FieldOp::Append(_) => spec.merge == Merge::Append,
        FieldOp::Increment(_) => spec.merge == Merge::Increment,
        FieldOp::Max(_) => spec.merge == Merge::Max,
        // What was appended is evidence: it is struck or supplemented, never cleared.
        FieldOp::Clear => spec.merge != Merge::Append && spec.required != schema::Required::Always,
    };
    let field = || spec.name.to_owned();
    if !fits {
        return Err(WriteError::Field {
            field: field(),
            problem: Problem::Operation { merge: spec.merge },
        });
    }
    match op {
        FieldOp::Set(value) | FieldOp::Add(value) | FieldOp::Append(value) => {
            value::check(spec.kind, value, spec.name)
        }
        FieldOp::Increment(by) => value::check_int(spec.kind, by.saturating_abs(), spec.name),
        FieldOp::Max(at_least) => value::check_int(spec.kind, *at_least, spec.name),
        // A removal has to be able to name whatever a peer added.
        FieldOp::Remove(_) | FieldOp::Clear => Ok(()),
    }
}

fn check_required(write: &Write<'_>, family: &FamilySpec, after: &MergedFields) -> Result<(), WriteError> {
    let signing = write.kind == RevisionKind::SIGN;
    let missing = family.all_fields().find(|spec| {
        let taken_away = is_signed(write) && write.before.field(spec.id).is_some();
        let needed = match spec.required {
            schema::Required::Always => signing || write.kind == RevisionKind::CREATE,
            schema::Required::AtSign => signing || taken_away,
            schema::Required::Optional => false,
        };
        needed && after.field(spec.id).is_none()
    });
    match missing {
        Some(spec) => Err(WriteError::Missing { field: spec.name }),
        None => Ok(()),
    }
}

/// Checks the rules about the record as a whole: what the write breaks, and at signing whatever is broken.
fn check_rules(write: &Write<'_>, family: &FamilySpec, after: &MergedFields) -> Result<(), WriteError> {
    let signing = write.kind == RevisionKind::SIGN;
    // What was signed stays fit to be signed.
    let whole = signing || is_signed(write);
    if signing && after.conflicts().next().is_some() {
        return Err(WriteError::Rule {
            field: "the record",
            rule: Rule::Siblings,
        });
    }
    let old = if signing {
        Vec::new()
    } else {
        rule::broken(family, write.before, whole)
    };
    let broken = rule::broken(family, after, whole)
        .into_iter()
        .find(|broken| !old.contains(broken));
    match broken {
        Some((field, rule)) => Err(WriteError::Rule { field, rule }),
        None => Ok(()),
    }
}

fn is_signed(write: &Write<'_>) -> bool {
    !write.before.list(crate::field::SIGNATURES).is_empty()
}

redacted!(Write<'_>);

#[cfg(test)]
mod tests;
