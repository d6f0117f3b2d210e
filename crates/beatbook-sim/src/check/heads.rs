//! Everyone shows the same, and what is shown is what the reference model says.

use std::collections::{BTreeMap, BTreeSet};

use beatbook_core::ledger;
use beatbook_core::merge::{Concurrency, Head, Write};
use beatbook_core::store::{Read, StoreError};
use beatbook_proto::{Dot, FieldId, FieldOp, Scope, Standing};

use super::invariants::{CONVERGES, HEADS, VALUES};
use super::{Check, Trace, broken, unreadable};
use crate::fact::DeviceIndex;
use crate::model::{Merged, Named, Rev};
use crate::observe::{Violation, WorldView};

/// Compares server, devices and model record by record.
#[derive(Debug, Default)]
pub(super) struct Heads;

impl Check for Heads {
    fn quiet(&mut self, trace: &mut Trace, world: &dyn WorldView) -> Result<(), Violation> {
        let there = world.at_server(heads).transpose().map_err(unreadable)?;
        let there = there.unwrap_or_default();
        for head in there.values() {
            world
                .at_server(|read| agrees_with_model(read, head, trace))
                .unwrap_or(Ok(()))?;
        }
        world
            .at_server(|read| all_folded(read, trace))
            .unwrap_or(Ok(()))?;
        for device in (0..world.devices()).map(DeviceIndex) {
            let enrolled = world.device(device);
            if !world.is_admitted(enrolled.enrolment) {
                continue;
            }
            let granted: BTreeSet<Scope> = world.granted(enrolled.officer).into_iter().collect();
            let Some(here) = world.on_device(device, heads) else {
                continue;
            };
            let here = here.map_err(unreadable)?;
            // A notebook goes on showing what its officer wrote and the server set aside, until someone has looked at it.
            let apart = world.at_server(|read| set_aside(read, &here));
            let apart = apart.transpose().map_err(unreadable)?.unwrap_or_default();
            let due = there.iter().filter(|(record, _)| !apart.contains(record));
            agree(device, due, &here, &granted, trace)?;
        }
        Ok(())
    }
}

fn heads(read: &dyn Read) -> Result<BTreeMap<Dot, Head>, StoreError> {
    let heads = ledger::heads(read, None, usize::MAX)?;
    Ok(heads.into_iter().map(|head| (head.record, head)).collect())
}

/// Records of which a device shows something that the server holds and has not merged.
fn set_aside(read: &dyn Read, here: &BTreeMap<Dot, Head>) -> Result<BTreeSet<Dot>, StoreError> {
    let mut apart = BTreeSet::new();
    for (record, head) in here {
        for (_, dot) in &head.revisions {
            if ledger::entry(read, *dot)?.is_some_and(|stored| stored.standing != Standing::KEPT) {
                apart.insert(*record);
            }
        }
    }
    Ok(apart)
}

/// Whoever may read a record shows what the server shows.
fn agree<'a>(
    device: DeviceIndex,
    there: impl Iterator<Item = (&'a Dot, &'a Head)>,
    here: &BTreeMap<Dot, Head>,
    granted: &BTreeSet<Scope>,
    trace: &mut Trace,
) -> Result<(), Violation> {
    for (record, head) in there {
        if !head.scopes.iter().any(|scope| granted.contains(scope)) {
            continue;
        }
        trace.ask(HEADS, 1);
        let Some(shown) = here.get(record) else {
            return broken(
                CONVERGES,
                format!("{device} does not show {record}, which it may read"),
            );
        };
        if shown.vector != head.vector {
            return broken(
                CONVERGES,
                format!("{device} has read {record} less far, or further, than the server"),
            );
        }
        if plain(shown) != plain(head) {
            return broken(HEADS, format!("{device} shows another {record} than the server"));
        }
        if shown.frozen {
            return broken(HEADS, format!("{device} keeps {record} frozen, and may read it"));
        }
    }
    Ok(())
}

/// A head without what each store keeps beside the merged state.
fn plain(head: &Head) -> Head {
    let mut plain = head.clone();
    plain.scopes.clear();
    plain.frozen = false;
    plain
}

/// Every revision that was acknowledged and is kept is part of its record.
fn all_folded(read: &dyn Read, trace: &mut Trace) -> Result<(), Violation> {
    let mut folded = BTreeSet::new();
    for head in ledger::heads(read, None, usize::MAX).map_err(unreadable)? {
        let dots: Vec<Dot> = head.revisions.iter().map(|(_, dot)| *dot).collect();
        folded.extend(trace.revisions_of(read, &dots).map_err(unreadable)?);
    }
    let due: Vec<Rev> = trace.acknowledged().keys().copied().collect();
    for rev in due {
        let mut kept = false;
        for dot in trace.model.names(rev).to_vec() {
            let Some(stored) = ledger::entry(read, dot).map_err(unreadable)? else {
                continue;
            };
            kept |=
                stored.standing == Standing::KEPT && trace.learn(dot, &stored.entry) == Named::Revision(rev);
        }
        trace.ask(VALUES, 1);
        if kept && !folded.contains(&rev) {
            let dot = trace.model.revision(rev).dot;
            return broken(
                VALUES,
                format!("{dot} is kept by the server, and no record shows it"),
            );
        }
    }
    Ok(())
}

fn agrees_with_model(read: &dyn Read, head: &Head, trace: &mut Trace) -> Result<(), Violation> {
    let mut revs = BTreeMap::new();
    let founder = trace.revision_at(read, head.record).map_err(unreadable)?;
    for (lamport, dot) in &head.revisions {
        let Some(rev) = trace.revision_at(read, *dot).map_err(unreadable)? else {
            return broken(
                VALUES,
                format!("{} shows {dot}, which reads as no revision", head.record),
            );
        };
        revs.insert(*dot, rev);
        if is_of_another(rev, founder, trace) {
            let said = format!(
                "{dot} is part of {}, and was written about another record",
                head.record
            );
            return broken(VALUES, said);
        }
        believe(head, *dot, rev, &revs, trace);
        if !trace.is_unclear(rev) && trace.model.lamport(rev) != *lamport {
            return broken(
                VALUES,
                format!("{dot} stands at another place in its record than its author's"),
            );
        }
    }
    let set: BTreeSet<Rev> = revs.values().copied().collect();
    let expected = trace.model.merged(&set);
    trace.ask(VALUES, 1);
    let found = fields_of(head, &revs);
    if found != Some(expected.fields.clone()) {
        return broken(VALUES, differing(head, found.as_ref(), &expected, trace));
    }
    let tips: Option<BTreeSet<Rev>> = head.tips().iter().map(|dot| revs.get(dot).copied()).collect();
    if tips != Some(expected.tips.clone()) {
        return broken(
            VALUES,
            format!(
                "{} stands in {} versions, and {} are due",
                head.record,
                head.tips().len(),
                expected.tips.len()
            ),
        );
    }
    if (head.concurrency() == Concurrency::Conflict) != expected.conflict {
        return broken(
            VALUES,
            format!("{} hides a conflict, or shows one that is none", head.record),
        );
    }
    same_values(head, trace, &revs)
}

/// True for a change that an officer made to an own record and that is shown as part of another one. Who changed another's
/// record meant whatever had its name, which may be another entry in another life of a log.
fn is_of_another(rev: Rev, founder: Option<Rev>, trace: &Trace) -> bool {
    let (Some(root), Some(founder)) = (trace.root(rev), founder) else {
        return false;
    };
    let by = trace.officer_of(trace.model.revision(rev).dot.replica);
    let of = trace.officer_of(trace.model.revision(rev).record().replica);
    root != founder && by.is_some() && by == of
}

/// Of what nobody was told about (a write under way when the process died), the entry's own word on its reading counts.
fn believe(head: &Head, dot: Dot, rev: Rev, before: &BTreeMap<Dot, Rev>, trace: &mut Trace) {
    if trace.model.read(rev).is_some() {
        return;
    }
    let context = trace.model.revision(rev).header.context.clone();
    let read = head.revisions.iter().filter_map(|(_, other)| {
        let rev = *before.get(other).filter(|_| *other != dot)?;
        let named = trace.model.names(rev).iter().any(|name| context.covers(*name));
        named.then_some(rev)
    });
    let read = read.collect();
    trace.model.set_read(rev, read);
}

fn fields_of(head: &Head, revs: &BTreeMap<Dot, Rev>) -> Option<BTreeMap<FieldId, BTreeSet<(Rev, u16)>>> {
    let mut fields = BTreeMap::new();
    for (id, field) in &head.fields {
        let standing: Option<BTreeSet<(Rev, u16)>> = field
            .items()
            .iter()
            .map(|item| Some((*revs.get(&item.dot)?, item.place)))
            .collect();
        fields.insert(*id, standing?);
    }
    Some(fields)
}

/// Names the first field that differs: whose value is missing, and whose is too many.
fn differing(
    head: &Head,
    found: Option<&BTreeMap<FieldId, BTreeSet<(Rev, u16)>>>,
    expected: &Merged,
    trace: &Trace,
) -> String {
    let Some(found) = found else {
        return format!(
            "{} shows a value of a revision that it does not list",
            head.record
        );
    };
    let none = BTreeSet::new();
    for field in found.keys().chain(expected.fields.keys()) {
        let shown = found.get(field).unwrap_or(&none);
        let due = expected.fields.get(field).unwrap_or(&none);
        let name = |write: Option<&(Rev, u16)>| {
            write.map_or("nothing".to_owned(), |(rev, _)| {
                trace.model.revision(*rev).dot.to_string()
            })
        };
        if shown != due {
            let (missing, extra) = (due.difference(shown).next(), shown.difference(due).next());
            return format!(
                "{} field {}: the value of {} is missing, that of {} is not due",
                head.record,
                field.0,
                name(missing),
                name(extra)
            );
        }
    }
    format!("{} differs from the model", head.record)
}

/// What stands is what was written.
fn same_values(head: &Head, trace: &Trace, revs: &BTreeMap<Dot, Rev>) -> Result<(), Violation> {
    for (id, field) in &head.fields {
        for item in field.items() {
            let written = revs
                .get(&item.dot)
                .and_then(|rev| trace.model.op(*rev, item.place));
            let same = match (&item.write, written) {
                (Write::Register(shown), Some(FieldOp::Set(value)))
                | (Write::Member(shown), Some(FieldOp::Add(value)))
                | (Write::Line(shown), Some(FieldOp::Append(value))) => shown == value,
                (Write::Share(shown), Some(FieldOp::Increment(share))) => shown == share,
                (Write::Bound(shown), Some(FieldOp::Max(bound))) => shown == bound,
                _ => false,
            };
            if !same {
                return broken(
                    VALUES,
                    format!(
                        "{} field {} shows what {} did not write",
                        head.record, id.0, item.dot
                    ),
                );
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
