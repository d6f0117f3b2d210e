//! What each kind of revision may do: the law of the notebook.

use beatbook_proto::{FieldId, FieldOp, RevisionKind};

use super::{Rule, Write, WriteError};
use crate::field;
use crate::merged::{MergedFields, as_code};
use crate::schema::{FamilySpec, name_of};
use crate::vocabulary::{Lifecycle, Marking, Role};

/// Checks the kind of a revision against what it writes and the record that it changes.
pub(super) fn check(write: &Write<'_>, family: &FamilySpec) -> Result<(), WriteError> {
    if write.kind.needs_reason() && write.reason.is_none_or(|reason| reason.trim().is_empty()) {
        return Err(WriteError::NoReason);
    }
    let founding = write.kind == RevisionKind::CREATE;
    if !founding && lifecycle(write.before) == Lifecycle::Void {
        return Err(refused("the record", "it is void; write another entry"));
    }
    if !founding && family.name == "BREADCRUMB" && write.kind != RevisionKind::ANNOTATE {
        return Err(refused(
            "a breadcrumb",
            "positions are never changed; annotate it",
        ));
    }
    for (id, op) in write.ops {
        check_place(write, family, *id, op)?;
    }
    check_presence(write)?;
    check_strikes(write, family)?;
    check_siblings(write)?;
    check_lifecycle(write, family)?;
    if lowers_marking(write.before, write.ops) && !is_supervisor(write.role) {
        return Err(refused(
            "marking",
            "only a supervisor lowers it; raise it, or ask one",
        ));
    }
    Ok(())
}

/// Where a record stands: its lifecycle, or whether it holds a signature.
pub(crate) fn lifecycle(fields: &MergedFields) -> Lifecycle {
    // Of two concurrent states the safer one is shown: the later in the order of the vocabulary restricts more.
    let stated = fields
        .siblings(field::LIFECYCLE)
        .iter()
        .filter_map(as_code)
        .map(Lifecycle::from)
        .max();
    let signed = !fields.list(field::SIGNATURES).is_empty();
    match stated {
        Some(Lifecycle::Draft) | None if signed => Lifecycle::Signed,
        Some(stated) => stated,
        None => Lifecycle::Draft,
    }
}

/// Whether operations turn an OFFICIAL_SENSITIVE record to OFFICIAL.
pub(super) fn lowers_marking(before: &MergedFields, ops: &[(FieldId, FieldOp)]) -> bool {
    let sensitive = Marking::OfficialSensitive.code();
    let was_sensitive = before.any_is(field::MARKING, sensitive.as_str());
    let lowers = |op: &FieldOp| match op {
        FieldOp::Set(value) => as_code(value) != Some(&sensitive),
        FieldOp::Clear => true,
        _ => false,
    };
    was_sensitive && ops.iter().any(|(id, op)| *id == field::MARKING && lowers(op))
}

fn is_supervisor(role: &Role) -> bool {
    matches!(role, Role::Sgt | Role::Insp | Role::Cinsp)
}

/// Checks that each field is written by the kind of revision that is meant for it.
fn check_place(write: &Write<'_>, family: &FamilySpec, id: FieldId, op: &FieldOp) -> Result<(), WriteError> {
    let meant = match id {
        field::SIGNATURES => Some((RevisionKind::SIGN, "sign the record")),
        field::STRIKES => Some((RevisionKind::STRIKE, "strike the text")),
        field::SUPPLEMENTS => Some((RevisionKind::SUPPLEMENT, "supplement the record")),
        field::REMARKS => Some((RevisionKind::ANNOTATE, "annotate the record")),
        _ => None,
    };
    if let Some((kind, instead)) = meant {
        return match kind == write.kind {
            true => Ok(()),
            false => Err(refused(&name_of(id), instead)),
        };
    }
    let adds = matches!(
        op,
        FieldOp::Append(_) | FieldOp::Add(_) | FieldOp::Increment(_) | FieldOp::Max(_)
    );
    let (allowed, instead) = match write.kind {
        RevisionKind::CREATE => (
            id != field::LIFECYCLE || sets_draft(op),
            "a new record is a draft",
        ),
        RevisionKind::AMEND | RevisionKind::RESOLVE => (
            id != field::LIFECYCLE || write.kind == RevisionKind::RESOLVE,
            "sign, submit or void the record",
        ),
        RevisionKind::SUPPLEMENT => (adds, "a supplement only adds; amend the record"),
        RevisionKind::SIGN => (id == field::BODY, "signing changes nothing; amend the record"),
        RevisionKind::STATE => (moves(family, id), "a state does not change it; amend the record"),
        RevisionKind::STRIKE => (false, "a strike changes nothing else; amend the record"),
        RevisionKind::ANNOTATE => (false, "a remark changes nothing else; amend the record"),
        RevisionKind::VOID => (id == field::LIFECYCLE, "voiding changes nothing else"),
        kind => return Err(WriteError::UnknownKind { kind: kind.0 }),
    };
    allowed
        .then_some(())
        .ok_or_else(|| refused(&name_of(id), instead))
}

/// Checks that a revision says what its kind is for.
fn check_presence(write: &Write<'_>) -> Result<(), WriteError> {
    let writes = |wanted: FieldId| write.ops.iter().any(|(id, _)| *id == wanted);
    let present = match write.kind {
        RevisionKind::SIGN => writes(field::SIGNATURES) && body_only_trimmed(write),
        RevisionKind::STRIKE => writes(field::STRIKES),
        RevisionKind::VOID => writes(field::LIFECYCLE),
        // A resolution may leave a value as it stands; its reason and what it settles say enough.
        RevisionKind::RESOLVE => true,
        RevisionKind::AMEND
        | RevisionKind::ANNOTATE
        | RevisionKind::CREATE
        | RevisionKind::STATE
        | RevisionKind::SUPPLEMENT => !write.ops.is_empty(),
        kind => return Err(WriteError::UnknownKind { kind: kind.0 }),
    };
    present.then_some(()).ok_or(WriteError::Nothing)
}

/// A strike strikes something in the text as it was read.
fn check_strikes(write: &Write<'_>, family: &FamilySpec) -> Result<(), WriteError> {
    let empty = write.ops.iter().any(|(id, op)| match op {
        FieldOp::Append(strike) if *id == field::STRIKES => {
            !super::rule::strikes_something(family, write.before, strike)
        }
        _ => false,
    });
    let field = "strikes";
    match empty {
        true => Err(WriteError::Rule {
            field,
            rule: Rule::NothingStruck,
        }),
        false => Ok(()),
    }
}

/// Signing may take blank lines off the end of the body, and nothing more.
fn body_only_trimmed(write: &Write<'_>) -> bool {
    write
        .ops
        .iter()
        .filter(|(id, _)| *id == field::BODY)
        .all(|(_, op)| {
            let FieldOp::Set(value) = op else { return false };
            let before = write
                .before
                .text(field::BODY)
                .map(crate::build::without_blank_end);
            crate::merged::as_text(value) == before
        })
}

/// Only a resolution writes a register that has siblings.
fn check_siblings(write: &Write<'_>) -> Result<(), WriteError> {
    if write.kind == RevisionKind::RESOLVE {
        return Ok(());
    }
    let conflict = write.ops.iter().find(|(id, op)| {
        matches!(op, FieldOp::Set(_) | FieldOp::Clear) && write.before.siblings(*id).len() > 1
    });
    match conflict {
        Some((id, _)) => Err(WriteError::Conflict { field: name_of(*id) }),
        None => Ok(()),
    }
}

/// Checks a move of the lifecycle.
fn check_lifecycle(write: &Write<'_>, family: &FamilySpec) -> Result<(), WriteError> {
    let from = lifecycle(write.before);
    if write.kind == RevisionKind::VOID && from != Lifecycle::Draft {
        return Err(refused(
            "lifecycle",
            "only an unsigned draft is voided; amend or strike it",
        ));
    }
    let moved = write
        .ops
        .iter()
        .filter(|(id, _)| *id == field::LIFECYCLE)
        .filter_map(|(_, op)| match op {
            FieldOp::Set(value) => as_code(value).map(Lifecycle::from),
            _ => None,
        });
    for to in moved {
        let supervisor = is_supervisor(write.role);
        let allowed = match (&from, &to) {
            (_, Lifecycle::Void) => write.kind == RevisionKind::VOID,
            _ if write.kind == RevisionKind::VOID => false,
            _ if write.kind == RevisionKind::CREATE => true,
            // A resolution chooses one of the states that are there.
            (_, to) if write.kind == RevisionKind::RESOLVE => {
                write.before.any_is(field::LIFECYCLE, to.word())
            }
            (Lifecycle::Draft, Lifecycle::Submitted) => !family.notebook_law,
            (Lifecycle::Signed, Lifecycle::Submitted) => true,
            (Lifecycle::Signed | Lifecycle::Submitted, Lifecycle::Checked) => supervisor,
            (_, Lifecycle::Restricted) => supervisor,
            (Lifecycle::Restricted, Lifecycle::Submitted | Lifecycle::Checked) => supervisor,
            _ => false,
        };
        if !allowed {
            return Err(refused(
                "lifecycle",
                "it goes from signed to submitted, then a supervisor checks or restricts it",
            ));
        }
    }
    Ok(())
}

fn sets_draft(op: &FieldOp) -> bool {
    matches!(op, FieldOp::Set(value) if as_code(value) == Some(&Lifecycle::Draft.code()))
}

/// Fields that a state revision moves: what becomes known as things go on, and needs no reason.
fn moves(family: &FamilySpec, id: FieldId) -> bool {
    MOVED_EVERYWHERE.contains(&id) || (!family.notebook_law && MOVED.contains(&id))
}

fn refused(field: &str, instead: &'static str) -> WriteError {
    WriteError::NotThisWay {
        field: field.to_owned(),
        instead,
    }
}

const MOVED_EVERYWHERE: &[FieldId] = &[field::LIFECYCLE, field::HOLDS, field::RETENTION];

const MOVED: &[FieldId] = &[
    field::OCCURRED,
    field::DUTY_STATES,
    field::DEVICES,
    field::STOP_RESULT,
    field::CONTACTS_MADE,
    field::FOLLOW_UP,
    field::TASK,
    field::SUMMARY,
    field::OUTCOME,
    field::PROMISE,
    field::REACH,
    field::TALLY,
    field::REFERRAL,
    field::REFERRAL_REVIEWED,
    field::CONSENT_PHONE,
    field::CONSENT_TEXT_MESSAGE,
    field::CONSENT_EMAIL,
    field::CONSENT_POST,
    field::CONSENT_SOCIAL,
    field::CONSENT_VISIT,
];
