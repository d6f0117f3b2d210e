//! Every entry has one verdict; what is set aside or waits has a cause, and holds back nothing else.

use std::collections::BTreeSet;

use beatbook_core::ledger;
use beatbook_core::store::Read;
use beatbook_proto::{Dot, Standing, Verdict};

use super::invariants::VERDICTS;
use super::{Check, Trace, broken, unreadable};
use crate::fact::{DeviceIndex, kind_word};
use crate::model::{Named, Rev};
use crate::observe::{Violation, WorldView};

/// Looks at every standing once all is quiet.
#[derive(Debug, Default)]
pub(super) struct Verdicts;

impl Check for Verdicts {
    fn quiet(&mut self, trace: &mut Trace, world: &dyn WorldView) -> Result<(), Violation> {
        world.at_server(|read| at_server(read, trace)).unwrap_or(Ok(()))?;
        for device in (0..world.devices()).map(DeviceIndex) {
            if world.is_admitted(world.device(device).enrolment) {
                told(device, world)?;
            }
        }
        Ok(())
    }
}

fn at_server(read: &dyn Read, trace: &mut Trace) -> Result<(), Violation> {
    let mut apart: BTreeSet<Rev> = BTreeSet::new();
    let mut stuck = Vec::new();
    for book in ledger::books(read).map_err(unreadable)? {
        for (dot, stored) in ledger::log(read, book.replica(), 1, usize::MAX).map_err(unreadable)? {
            trace.ask(VERDICTS, 1);
            let mut verdicts = book
                .verdicts
                .iter()
                .filter(|verdict| verdict.counter == dot.counter);
            let carried = verdicts.next().map(|verdict: &Verdict| verdict.standing);
            let expected = (stored.standing != Standing::KEPT).then_some(stored.standing);
            if carried != expected || verdicts.next().is_some() {
                return broken(
                    VERDICTS,
                    format!("{dot} stands in one way, and its book says another"),
                );
            }
            if let (Named::Revision(rev), true) = (trace.learn(dot, &stored.entry), expected.is_some()) {
                apart.insert(rev);
                stuck.push((dot, rev, stored.standing));
            }
        }
    }
    stuck
        .into_iter()
        .try_for_each(|(dot, rev, standing)| has_cause(dot, rev, standing, &apart, trace))
}

/// Poison is set aside; what builds on it waits; nothing else does either.
fn has_cause(
    dot: Dot,
    rev: Rev,
    standing: Standing,
    apart: &BTreeSet<Rev>,
    trace: &Trace,
) -> Result<(), Violation> {
    let Some(acknowledged) = trace.acknowledged().get(&rev) else {
        return Ok(());
    };
    let waits_for = |needed: &Rev| apart.contains(needed) || trace.destroyed().contains(needed);
    let behind = trace.is_unclear(rev) || trace.model.read(rev).into_iter().flatten().any(waits_for);
    let behind = behind || earlier_of_book(rev, apart, trace);
    match standing {
        Standing::WAITING if !behind => broken(
            VERDICTS,
            format!("{dot} waits, and all that its author had read is here"),
        ),
        Standing::QUARANTINED_MALFORMED | Standing::QUARANTINED_NOT_PERMITTED
            if !acknowledged.poison && !behind =>
        {
            let header = &trace.model.revision(rev).header;
            let (family, verb) = (&header.family, kind_word(header.kind));
            broken(
                VERDICTS,
                format!("{dot} ({family:?}, {verb}) is set aside, and nothing is wrong with it"),
            )
        }
        _ => Ok(()),
    }
}

/// True if an earlier entry of the same book on the same record is set aside or destroyed.
fn earlier_of_book(rev: Rev, apart: &BTreeSet<Rev>, trace: &Trace) -> bool {
    let later = trace.model.revision(rev);
    let gone = apart.iter().chain(trace.destroyed());
    gone.copied().any(|other| {
        let earlier = trace.model.revision(other);
        earlier.dot.replica == later.dot.replica
            && earlier.dot.counter < later.dot.counter
            && earlier.record() == later.record()
    })
}

/// What a device says of its open books is what the server says of them.
fn told(device: DeviceIndex, world: &dyn WorldView) -> Result<(), Violation> {
    let own = world.on_device(device, ledger::own_books);
    for book in own.transpose().map_err(unreadable)?.unwrap_or_default() {
        let there = world.at_server(|read| ledger::book(read, book.replica()));
        let Some(there) = there.transpose().map_err(unreadable)?.flatten() else {
            continue;
        };
        if !book.closed && book.verdicts != there.verdicts {
            return broken(
                VERDICTS,
                format!(
                    "{device} was told other verdicts of {} than stand",
                    book.replica()
                ),
            );
        }
        if !book.closed && book.receipted != there.held {
            return broken(
                VERDICTS,
                format!(
                    "{device} shows {} safe up to {}, the server holds {}",
                    book.replica(),
                    book.receipted,
                    there.held
                ),
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
