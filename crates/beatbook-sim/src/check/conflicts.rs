//! A plain change never settles a conflict: it is refused where its author saw two versions.

use beatbook_proto::RevisionKind;

use super::invariants::CONFLICTS;
use super::{Check, Trace, broken};
use crate::fact::{Fact, What};
use crate::model::Named;
use crate::observe::{Violation, WorldView};

/// Asks the model what the author of every change had before him.
#[derive(Debug, Default)]
pub(super) struct Conflicts;

impl Check for Conflicts {
    fn fact(&mut self, fact: &Fact, trace: &mut Trace, _world: &dyn WorldView) -> Result<(), Violation> {
        let What::Wrote(wrote) = &fact.what else {
            return Ok(());
        };
        let Some(Named::Revision(rev)) = trace.model.find(wrote.dot, &wrote.entry) else {
            return Ok(());
        };
        if wrote.record == wrote.dot || trace.is_unclear(rev) {
            return Ok(());
        }
        trace.ask(CONFLICTS, 1);
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

#[cfg(test)]
mod tests;
