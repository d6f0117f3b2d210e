//! A plain change never settles a conflict: it is refused where its author saw two versions. Nor does any change count as
//! made on what its author's screen did not show.

use beatbook_core::ledger;
use beatbook_core::store::{Read, StoreError};
use beatbook_proto::{Dot, RevisionKind};

use super::invariants::CONFLICTS;
use super::{Check, Trace, broken, unreadable};
use crate::fact::{Fact, What, Wrote};
use crate::model::{Named, Rev};
use crate::observe::{Violation, WorldView};

/// Asks the model what the author of every change had before him.
#[derive(Debug, Default)]
pub(super) struct Conflicts;

impl Check for Conflicts {
    fn fact(&mut self, fact: &Fact, trace: &mut Trace, world: &dyn WorldView) -> Result<(), Violation> {
        let What::Wrote(wrote) = &fact.what else {
            return Ok(());
        };
        let Some(Named::Revision(rev)) = trace.model.find(wrote.dot, &wrote.entry) else {
            return Ok(());
        };
        // A write under way when the process died may be there though nobody was told of it: what followed from it is not
        // known from outside.
        let untold = |read: &Rev| trace.is_unclear(*read);
        let unclear = trace.is_unclear(rev) || trace.model.read(rev).into_iter().flatten().any(untold);
        if wrote.record == wrote.dot || unclear {
            return Ok(());
        }
        trace.ask(CONFLICTS, 1);
        let unseen = world.on_device(wrote.device, |read| unread(read, wrote, trace));
        if let Some(dot) = unseen.transpose().map_err(unreadable)?.flatten() {
            return broken(
                CONFLICTS,
                format!(
                    "{} counts as made on {dot}, which its author's screen did not show",
                    wrote.dot
                ),
            );
        }
        let settles = wrote.kind == RevisionKind::RESOLVE;
        if trace.model.is_change(rev) && !settles && trace.model.as_read(rev).conflict {
            return broken(
                CONFLICTS,
                format!(
                    "{} changes {} of which its author saw two versions",
                    wrote.dot, wrote.record
                ),
            );
        }
        Ok(())
    }
}

/// A revision that an entry says its author had read, and that was not on the screen under any of its names.
fn unread(read: &dyn Read, wrote: &Wrote, trace: &mut Trace) -> Result<Option<Dot>, StoreError> {
    let Some(head) = ledger::head(read, ledger::record_name(read, wrote.record)?)? else {
        return Ok(None);
    };
    for (_, dot) in &head.revisions {
        if *dot == wrote.dot || !wrote.context.covers(*dot) || wrote.read.covers(*dot) {
            continue;
        }
        let Some(rev) = trace.revision_at(read, *dot)? else {
            continue;
        };
        if !trace.model.names(rev).iter().any(|name| wrote.read.covers(*name)) {
            return Ok(Some(*dot));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests;
