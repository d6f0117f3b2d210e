//! What a server takes in: everything but what is malformed. Unknown fields, words and families pass.

use beatbook_proto::{FieldId, FieldOp, RevisionKind, Value};

use super::rule::track_span;
use crate::field;
use crate::merged::{MergedFields, as_code, member_text};
use crate::redact::redacted;
use crate::schema::{self, CHUNK_MS_MAX, FieldSpec, Form, Merge, POINTS_MAX};
use crate::vocabulary::Marking;

/// A revision as it arrived.
#[derive(Clone, Copy)]
pub struct Received<'a> {
    /// The family of the record.
    pub family: &'a str,
    /// What the revision does.
    pub kind: RevisionKind,
    /// Why, if it says so.
    pub reason: Option<&'a str>,
    /// What it does to which fields.
    pub ops: &'a [(FieldId, FieldOp)],
}

/// Why a revision goes to quarantine: kept whole and shown to a supervisor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// The beat decides the scope, and this is none.
    #[error("the beat is malformed")]
    Beat,
    /// A breadcrumb is never changed.
    #[error("a breadcrumb was changed")]
    BreadcrumbChanged,
    /// Nothing above OFFICIAL_SENSITIVE is accepted.
    #[error("the marking is not accepted")]
    Marking,
    /// A founding revision without a field that decides the scope.
    #[error("a record was founded without {0}")]
    Missing(&'static str),
    /// The kind of revision needs a reason.
    #[error("the reason is missing")]
    NoReason,
    /// A field was written by an operation that is not its own.
    #[error("field {} was written by the wrong operation", .0.0)]
    Operation(FieldId),
    /// A strike without initials or reason.
    #[error("a strike lacks reason or initials")]
    Strike,
    /// A track that does not read, or is too long.
    #[error("a track does not read or is too long")]
    Track,
    /// A field holds a value of another kind.
    #[error("field {} holds another kind of value", .0.0)]
    WrongKind(FieldId),
}

/// Checks a revision that a peer sent.
///
/// # Errors
/// Why it goes to quarantine. What this build does not know is never a reason.
pub fn check_received(received: &Received<'_>) -> Result<(), Malformed> {
    if received.kind.needs_reason() && received.reason.is_none_or(|reason| reason.trim().is_empty()) {
        return Err(Malformed::NoReason);
    }
    for (id, op) in received.ops {
        check_scope_field(*id, op)?;
    }
    let Some(family) = schema::family(received.family) else {
        return Ok(());
    };
    let founding = received.kind == RevisionKind::CREATE;
    if family.name == "BREADCRUMB" && changes(received.kind) {
        return Err(Malformed::BreadcrumbChanged);
    }
    for (id, op) in received.ops {
        if let Some(spec) = family.field(*id) {
            check_known(spec, op)?;
        }
    }
    let sets = |wanted: FieldId| {
        received
            .ops
            .iter()
            .any(|(id, op)| *id == wanted && matches!(op, FieldOp::Set(_)))
    };
    match founding {
        true if !sets(field::BEAT) => Err(Malformed::Missing("beat")),
        true if !sets(field::MARKING) => Err(Malformed::Missing("marking")),
        _ => Ok(()),
    }
}

/// Whether operations lower the marking of a record; the server asks this of everyone but supervisors.
pub fn lowers_marking(before: &MergedFields, ops: &[(FieldId, FieldOp)]) -> bool {
    super::kind::lowers_marking(before, ops)
}

fn changes(kind: RevisionKind) -> bool {
    matches!(
        kind,
        RevisionKind::AMEND
            | RevisionKind::STRIKE
            | RevisionKind::STATE
            | RevisionKind::SUPPLEMENT
            | RevisionKind::VOID
    )
}

/// Beat and marking decide who may pull a record, whatever its family.
fn check_scope_field(id: FieldId, op: &FieldOp) -> Result<(), Malformed> {
    let code = match op {
        FieldOp::Set(value) => as_code(value),
        _ => None,
    };
    match id {
        field::BEAT if code.is_none_or(|code| Form::Beat.check(code.as_str()).is_err()) => {
            Err(Malformed::Beat)
        }
        field::MARKING if code.is_none_or(|code| !Marking::VOCABULARY.knows(code.as_str())) => {
            Err(Malformed::Marking)
        }
        _ => Ok(()),
    }
}

fn check_known(spec: &FieldSpec, op: &FieldOp) -> Result<(), Malformed> {
    let fits = match op {
        FieldOp::Set(_) => spec.merge == Merge::Set,
        FieldOp::Add(_) | FieldOp::Remove(_) => spec.merge == Merge::AddRemove,
        FieldOp::Append(_) => spec.merge == Merge::Append,
        FieldOp::Increment(_) => spec.merge == Merge::Increment,
        FieldOp::Max(_) => spec.merge == Merge::Max,
        FieldOp::Clear => spec.merge != Merge::Append,
    };
    if !fits {
        return Err(Malformed::Operation(spec.id));
    }
    let (FieldOp::Set(value) | FieldOp::Add(value) | FieldOp::Append(value)) = op else {
        return Ok(());
    };
    if !holds_deep(spec.kind, value) {
        return Err(Malformed::WrongKind(spec.id));
    }
    match value {
        Value::Track(bytes) if spec.id == field::TRACK => match track_span(bytes) {
            Some((points, span_ms)) if points <= POINTS_MAX && span_ms <= CHUNK_MS_MAX => Ok(()),
            _ => Err(Malformed::Track),
        },
        strike if spec.id == field::STRIKES => {
            let said = |id| member_text(strike, id).is_some_and(|text| !text.trim().is_empty());
            let whole = said(field::REASON) && said(field::INITIALS);
            whole.then_some(()).ok_or(Malformed::Strike)
        }
        _ => Ok(()),
    }
}

/// Whether a value and all the members that this build knows are of their kinds; unknown members pass.
fn holds_deep(kind: schema::Kind, value: &Value) -> bool {
    let members = kind.members();
    kind.holds(value)
        && match value {
            Value::Group(given) => given.iter().all(|(id, value)| {
                members
                    .iter()
                    .find(|spec| spec.id == *id)
                    .is_none_or(|spec| holds_deep(spec.kind, value))
            }),
            Value::List(items) => match kind {
                schema::Kind::List(element) => items.iter().all(|item| holds_deep(*element, item)),
                _ => true,
            },
            _ => true,
        }
}

redacted!(Received<'_>);
