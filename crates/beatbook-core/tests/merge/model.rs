//! The merge as the design says it, one rule after another and with no regard to cost: which writes stand, by looking at
//! the whole set of revisions each time. Shares no code with the core.

use std::collections::{BTreeMap, BTreeSet};

use beatbook_proto::{Dot, FieldId, FieldOp, Revision, RevisionKind, Value};

/// A write that stands: the revision, the place of the operation in it, and what it wrote.
pub type Standing = (Dot, u16, FieldOp);

/// What the model says of a record.
#[derive(Debug, PartialEq, Eq)]
pub struct Merged {
    /// The writes that stand, by field.
    pub fields: BTreeMap<FieldId, BTreeSet<Standing>>,
    /// The changes that no later change has read.
    pub tips: BTreeSet<Dot>,
}

/// Merges a set of revisions of one record.
pub fn merge(revisions: &[Revision]) -> Merged {
    let mut fields: BTreeMap<FieldId, BTreeSet<Standing>> = BTreeMap::new();
    for revision in revisions {
        for (place, (field, op)) in (0..).zip(revision.body.ops.iter()) {
            let write = (revision.dot, place, op.clone());
            let writes = !matches!(op, FieldOp::Remove(_) | FieldOp::Clear);
            if writes && !is_superseded(revisions, *field, &write) {
                fields.entry(*field).or_default().insert(write);
            }
        }
    }
    let tips = revisions
        .iter()
        .filter(|one| is_change(one) && !is_passed(revisions, one));
    Merged {
        tips: tips.map(|revision| revision.dot).collect(),
        fields,
    }
}

/// The different values of a register.
pub fn siblings(merged: &Merged, field: FieldId) -> BTreeSet<&Value> {
    let writes = merged.fields.get(&field).into_iter().flatten();
    writes
        .filter_map(|(_, _, op)| match op {
            FieldOp::Set(value) => Some(value),
            _ => None,
        })
        .collect()
}

/// What the author of a revision had read.
pub fn as_read(revisions: &[Revision], reader: &Revision) -> Vec<Revision> {
    let read = revisions.iter().filter(|other| has_read(reader, other.dot));
    read.cloned().collect()
}

/// True if some operation of a later reading, or a later one of the same revision, takes the write away.
fn is_superseded(revisions: &[Revision], field: FieldId, write: &Standing) -> bool {
    let (dot, place, op) = write;
    revisions.iter().any(|later| {
        let same = later.dot == *dot;
        (same || has_read(later, *dot))
            && (0..).zip(later.body.ops.iter()).any(|(at, (on, by))| {
                let after = !same || at > *place;
                let register = matches!(op, FieldOp::Set(_));
                let settles = !register || same || may_settle(revisions, later, field);
                *on == field && after && takes_away(by, op) && settles
            })
    })
}

fn takes_away(by: &FieldOp, op: &FieldOp) -> bool {
    match (by, op) {
        (FieldOp::Set(_), FieldOp::Set(_)) | (FieldOp::Clear, _) => true,
        (FieldOp::Add(one) | FieldOp::Remove(one), FieldOp::Add(other)) => one == other,
        _ => false,
    }
}

/// Invariant 11: where the author had read several values, only a resolution takes any away.
fn may_settle(revisions: &[Revision], by: &Revision, field: FieldId) -> bool {
    let read = merge(&as_read(revisions, by));
    by.header.kind == RevisionKind::RESOLVE || siblings(&read, field).len() < 2
}

fn is_passed(revisions: &[Revision], tip: &Revision) -> bool {
    revisions.iter().any(|later| {
        let settles =
            || later.header.kind == RevisionKind::RESOLVE || merge(&as_read(revisions, later)).tips.len() < 2;
        is_change(later) && has_read(later, tip.dot) && settles()
    })
}

fn has_read(reader: &Revision, dot: Dot) -> bool {
    reader.header.context.counter(dot.replica) >= dot.counter
}

fn is_change(revision: &Revision) -> bool {
    let beside = [
        RevisionKind::SIGN,
        RevisionKind::SUPPLEMENT,
        RevisionKind::ANNOTATE,
    ];
    !beside.contains(&revision.header.kind)
}
