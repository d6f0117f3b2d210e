//! A dot names the same bytes for ever: at the server from its first acceptance on, at every reader, and at its author,
//! who gives no dot twice.

use std::collections::{BTreeMap, BTreeSet};

use beatbook_core::ledger;
use beatbook_proto::{Dot, EnrolmentId, Entry};

use super::invariants::NAMES;
use super::{Check, Trace, broken, unreadable};
use crate::fact::{DeviceIndex, Fact, Site, What};
use crate::observe::{Violation, WorldView};

/// Watches what dots name.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// What the server accepted, in its present life.
    accepted: BTreeMap<Dot, Entry>,
    /// Enrolments of which a copy runs that nothing outside the server can tell from the original.
    copied: BTreeSet<EnrolmentId>,
    server_put_back: bool,
}

impl Check for Names {
    fn fact(&mut self, fact: &Fact, trace: &mut Trace, world: &dyn WorldView) -> Result<(), Violation> {
        match &fact.what {
            What::Copied { from, .. } => {
                self.copied.insert(world.device(*from).enrolment);
            }
            What::Restored {
                site: site @ Site::Device(device),
                unnoticed,
                copied_at_ms,
            } if *unnoticed || !trace.was_opened_since(*site, *copied_at_ms) => {
                self.copied.insert(world.device(*device).enrolment);
            }
            What::Restored {
                site: Site::Server, ..
            } => self.server_put_back = true,
            What::EpochMinted { .. }
            | What::Reopened {
                site: Site::Server, ..
            } if self.server_put_back => self.forget(world),
            What::Wrote(wrote) => {
                trace.ask(NAMES, 1);
                let twice = trace.model.entries_under(wrote.dot) > 1;
                if twice && !self.copied.contains(&world.device(wrote.device).enrolment) {
                    return broken(
                        NAMES,
                        format!("{} was given twice by {}", wrote.dot, wrote.device),
                    );
                }
            }
            What::RunAccepted { replica, run, .. } => {
                let dots = (run.0..=run.1).map(|counter| Dot {
                    replica: *replica,
                    counter,
                });
                self.accepted(&dots.collect::<Vec<_>>(), trace, world)?;
            }
            What::FeedSent { dots, .. } => self.accepted(dots, trace, world)?,
            What::FeedKept { device, dots, .. } => self.kept(*device, dots, trace, world)?,
            _ => {}
        }
        Ok(())
    }

    fn quiet(&mut self, trace: &mut Trace, world: &dyn WorldView) -> Result<(), Violation> {
        for device in (0..world.devices()).map(DeviceIndex) {
            // Whom the server tells nothing any more cannot have heard that a copy of its store was first.
            if !world.is_admitted(world.device(device).enrolment) {
                continue;
            }
            let Some(scan) = world.on_device(device, |read| trace.scan(read)) else {
                continue;
            };
            let scan = scan.map_err(unreadable)?;
            for (dot, named) in &scan.dots {
                let there = world.at_server(|read| ledger::entry(read, *dot));
                let Some(there) = there.transpose().map_err(unreadable)?.flatten() else {
                    continue;
                };
                trace.ask(NAMES, 1);
                if trace.learn(*dot, &there.entry) != *named {
                    return broken(
                        NAMES,
                        format!("{dot} names another entry on {device} than at the server"),
                    );
                }
            }
        }
        Ok(())
    }
}

impl Names {
    /// What the server holds is what it accepted before, byte for byte.
    fn accepted(&mut self, dots: &[Dot], trace: &mut Trace, world: &dyn WorldView) -> Result<(), Violation> {
        let accepted = &mut self.accepted;
        let judged = world.at_server(|read| {
            for dot in dots {
                let Some(stored) = ledger::entry(read, *dot).map_err(unreadable)? else {
                    continue;
                };
                trace.ask(NAMES, 1);
                trace.learn(*dot, &stored.entry);
                match accepted.get(dot) {
                    Some(first) if *first != stored.entry => {
                        return broken(
                            NAMES,
                            format!("{dot} was accepted by the server with other bytes"),
                        );
                    }
                    Some(_) => {}
                    None => {
                        accepted.insert(*dot, stored.entry);
                    }
                }
            }
            Ok(())
        });
        judged.unwrap_or(Ok(()))
    }

    /// What a reader keeps of a feed is what the server accepted. Its own books it may have to give way in first.
    fn kept(
        &self,
        device: DeviceIndex,
        dots: &[Dot],
        trace: &mut Trace,
        world: &dyn WorldView,
    ) -> Result<(), Violation> {
        let enrolled = world.device(device);
        let judged = world.on_device(device, |read| {
            for dot in dots {
                let (Some(first), Some(here)) = (
                    self.accepted.get(dot),
                    ledger::entry(read, *dot).map_err(unreadable)?,
                ) else {
                    continue;
                };
                let own = ledger::book(read, dot.replica).map_err(unreadable)?;
                if own.is_some_and(|book| book.opening.enrolment == enrolled.enrolment) {
                    continue;
                }
                trace.ask(NAMES, 1);
                if *first != here.entry {
                    return broken(
                        NAMES,
                        format!("{device} keeps other bytes under {dot} than it was sent"),
                    );
                }
            }
            Ok(())
        });
        judged.unwrap_or(Ok(()))
    }

    /// The server went back: what it does not hold any more it has not accepted in this life.
    fn forget(&mut self, world: &dyn WorldView) {
        self.server_put_back = false;
        let accepted = &mut self.accepted;
        world.at_server(|read| {
            accepted.retain(|dot, _| ledger::entry(read, *dot).ok().flatten().is_some());
        });
    }
}

#[cfg(test)]
mod tests;
