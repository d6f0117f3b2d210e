//! What a device shows never goes backwards, and nobody shows a change without what it was made on.

use std::collections::{BTreeMap, BTreeSet};

use beatbook_core::store::Read;

use super::invariants::{BACKWARDS, CAUSES};
use super::{Check, Trace, broken, unreadable};
use crate::fact::{DeviceIndex, Fact, Site, What};
use crate::model::{Named, Rev};
use crate::observe::{Violation, WorldView};

/// Remembers what each device showed of each record.
#[derive(Debug, Default)]
pub(super) struct Shown {
    /// By the founding revision, which keeps its identity where the record is renamed.
    seen: BTreeMap<(DeviceIndex, Rev), BTreeSet<Rev>>,
}

impl Check for Shown {
    fn fact(&mut self, fact: &Fact, trace: &mut Trace, world: &dyn WorldView) -> Result<(), Violation> {
        match &fact.what {
            What::Wrote(wrote) => match trace.model.find(wrote.dot, &wrote.entry) {
                Some(Named::Revision(rev)) => self.look(wrote.device, [rev], trace, world),
                _ => Ok(()),
            },
            What::FeedKept { device, dots, .. } => {
                let found = world.on_device(*device, |read| trace.revisions_of(read, dots));
                let found = found.transpose().map_err(unreadable)?.unwrap_or_default();
                let roots: BTreeSet<Rev> = found.iter().filter_map(|rev| trace.root(*rev)).collect();
                self.look(*device, roots, trace, world)
            }
            What::Reopened {
                site: Site::Device(device),
                ..
            } => self.look_at_all(*device, trace, world),
            What::Purged { device, .. }
            | What::Restored {
                site: Site::Device(device),
                ..
            } => {
                // What left, or was put back, begins anew.
                self.seen.retain(|(seen, _), _| seen != device);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn quiet(&mut self, trace: &mut Trace, world: &dyn WorldView) -> Result<(), Violation> {
        for device in (0..world.devices()).map(DeviceIndex) {
            self.look_at_all(device, trace, world)?;
        }
        Ok(())
    }
}

impl Shown {
    fn look_at_all(
        &mut self,
        device: DeviceIndex,
        trace: &mut Trace,
        world: &dyn WorldView,
    ) -> Result<(), Violation> {
        let of_device = self.seen.range((device, Rev::FIRST)..);
        let founders = of_device.map_while(|((of, founder), _)| (*of == device).then_some(*founder));
        let founders: Vec<Rev> = founders.collect();
        self.look(device, founders, trace, world)
    }

    fn look(
        &mut self,
        device: DeviceIndex,
        of: impl IntoIterator<Item = Rev>,
        trace: &mut Trace,
        world: &dyn WorldView,
    ) -> Result<(), Violation> {
        let judged = world.on_device(device, |read| {
            for rev in of {
                let Some((name, shown)) = trace.shown(read, rev).map_err(unreadable)? else {
                    continue;
                };
                let Some(founder) = trace.revision_at(read, name).map_err(unreadable)? else {
                    continue;
                };
                trace.ask(BACKWARDS, 1);
                let seen = self.seen.entry((device, founder)).or_default();
                let gone: Vec<Rev> = seen.difference(&shown).copied().collect();
                let gave_way = gave_way(read, &gone, trace)?;
                let stays = |gone: &&Rev| {
                    let built = trace.model.read(**gone).into_iter().flatten();
                    !gave_way.contains(*gone) && !built.into_iter().any(|read| gave_way.contains(read))
                };
                if let Some(gone) = gone.iter().find(stays) {
                    let gone = trace.model.revision(*gone).dot;
                    return broken(
                        BACKWARDS,
                        format!("{device} showed {gone} of {name} and does not any more"),
                    );
                }
                for rev in shown.difference(seen) {
                    trace.ask(CAUSES, 1);
                    let read = trace.model.read(*rev).into_iter().flatten();
                    if let Some(missing) = read.into_iter().find(|read| !shown.contains(read)) {
                        let (rev, missing) =
                            (trace.model.revision(*rev).dot, trace.model.revision(*missing).dot);
                        return broken(
                            CAUSES,
                            format!("{device} shows {rev} without {missing}, which it was made on"),
                        );
                    }
                }
                *seen = shown;
            }
            Ok(())
        });
        judged.unwrap_or(Ok(()))
    }
}

/// Of revisions that are shown no more, those whose number names another entry: where a copy runs that nothing tells
/// from the original, and the server has forgotten what that had sent, the present log keeps the number. The reader gives
/// way and hands in what it held; it comes back under another number, and what was written on it waits for that.
fn gave_way(read: &dyn Read, gone: &[Rev], trace: &mut Trace) -> Result<BTreeSet<Rev>, Violation> {
    let mut gave_way = BTreeSet::new();
    for rev in gone {
        for name in trace.model.names(*rev).to_vec() {
            let named = trace.revision_at(read, name).map_err(unreadable)?;
            if named.is_some_and(|named| named != *rev) {
                gave_way.insert(*rev);
            }
        }
    }
    Ok(gave_way)
}

#[cfg(test)]
mod tests;
