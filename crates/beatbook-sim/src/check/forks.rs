//! What went back in time is told, and nothing else is taken for it: new books after a restore, a new epoch after the
//! server's, and neither without a cause.

use std::collections::{BTreeMap, BTreeSet};

use beatbook_core::server;
use beatbook_proto::{Cursor, EpochId, Hash, OfficerId, Scope};

use super::invariants::FORKS;
use super::{Check, Trace, broken, unreadable};
use crate::fact::{Compared, DeviceIndex, Fact, OpenedWhy, Site, What};
use crate::fault::{FaultKind, Subject};
use crate::observe::{Violation, WorldView};

/// Follows every going back to its telling.
#[derive(Debug, Default)]
pub(super) struct Forks {
    /// Devices that have a cause to open new books.
    causes: BTreeSet<DeviceIndex>,
    /// Devices that went back, and have to open new books before they write on.
    owing: BTreeSet<DeviceIndex>,
    /// True once any copy of a store runs beside, or was put before, another.
    copies: bool,
    server_owes_epoch: bool,
    epoch: Option<EpochId>,
    /// How far each device has read in the present epoch.
    read_to: BTreeMap<(DeviceIndex, Scope), (EpochId, u64, Hash)>,
}

impl Check for Forks {
    fn fact(&mut self, fact: &Fact, trace: &mut Trace, world: &dyn WorldView) -> Result<(), Violation> {
        match &fact.what {
            What::Copied { from, to } => {
                self.causes.extend([*from, *to]);
                self.copies = true;
            }
            What::Restored {
                site: site @ Site::Device(device),
                unnoticed,
                copied_at_ms,
            } => {
                self.causes.insert(*device);
                self.copies = true;
                self.read_to.retain(|(of, _), _| of != device);
                // Going back within one opening shows at the server alone.
                if !unnoticed && trace.was_opened_since(*site, *copied_at_ms) {
                    self.owing.insert(*device);
                }
            }
            What::Restored {
                site: Site::Server,
                unnoticed,
                ..
            } => {
                self.copies = true;
                self.server_owes_epoch |= !unnoticed;
            }
            What::FaultInjected {
                kind,
                site: Site::Device(device),
                ..
            } if kind.subject() == Subject::Storage || *kind == FaultKind::KillInRecovery => {
                self.causes.insert(*device);
            }
            What::BooksOpened { device, why, .. } => return self.opened(*device, *why, trace),
            What::Greeted { device, books } => {
                trace.ask(FORKS, books.len() as u64);
                return books.iter().try_for_each(|book| parted(*device, book));
            }
            What::Forked { device, .. } => {
                trace.ask(FORKS, 1);
                self.owing.remove(device);
                if !self.copies {
                    return broken(
                        FORKS,
                        format!("{device} was told of another history, and there is none"),
                    );
                }
            }
            What::Wrote(wrote) if self.owing.contains(&wrote.device) => {
                return broken(
                    FORKS,
                    format!("{} was put back, and wrote on in its old book", wrote.device),
                );
            }
            What::EpochMinted { epoch, by_itself } => return self.minted(*epoch, *by_itself, trace, world),
            What::RegisterChanged { .. } => self.read_to.clear(),
            What::RunAccepted { .. } if self.server_owes_epoch => {
                return broken(FORKS, "the server was restored, and goes on in its old epoch");
            }
            What::FeedKept { device, cursor, .. } => return self.read(*device, cursor),
            What::GivenUp { device } => self.read_to.retain(|(of, _), _| of != device),
            _ => {}
        }
        Ok(())
    }

    /// A cursor that a device kept leads to the very place of the log that the server has there, or the epoch has changed.
    fn quiet(&mut self, trace: &mut Trace, world: &dyn WorldView) -> Result<(), Violation> {
        let epochs = world.at_server(server::epochs);
        self.epoch = epochs
            .transpose()
            .map_err(unreadable)?
            .flatten()
            .map(|epochs| epochs.current);
        for ((device, scope), (epoch, position, hash)) in &self.read_to {
            let enrolled = world.device(*device);
            let admitted = world.is_admitted(enrolled.enrolment) && !enrolled.given_up;
            if !admitted || Some(*epoch) != self.epoch || !world.granted(enrolled.officer).contains(scope) {
                continue;
            }
            trace.ask(FORKS, 1);
            let there = world.at_server(|read| hash_at(read, scope, enrolled.officer, *position));
            let there = there.transpose().map_err(unreadable)?.flatten();
            if there != Some(*hash) {
                return broken(
                    FORKS,
                    format!(
                        "{device} read {scope} to {position}, the server has another log there, and the epoch is the same"
                    ),
                );
            }
        }
        Ok(())
    }
}

impl Forks {
    fn opened(&mut self, device: DeviceIndex, why: OpenedWhy, trace: &mut Trace) -> Result<(), Violation> {
        trace.ask(FORKS, 1);
        self.owing.remove(&device);
        let caused = match why {
            OpenedWhy::FirstUse => true,
            // Told of as a fork just before.
            OpenedWhy::TakenAtServer => self.copies,
            OpenedWhy::AnchorMismatch | OpenedWhy::BeyondLease | OpenedWhy::Repaired => {
                self.causes.remove(&device)
            }
        };
        if caused {
            Ok(())
        } else {
            broken(
                FORKS,
                format!("{device} opened new books ({why}), and it never went back"),
            )
        }
    }

    fn minted(
        &mut self,
        epoch: EpochId,
        by_itself: bool,
        trace: &mut Trace,
        world: &dyn WorldView,
    ) -> Result<(), Violation> {
        trace.ask(FORKS, 1);
        self.server_owes_epoch = false;
        self.read_to.clear();
        let there = world.at_server(server::epochs).transpose().map_err(unreadable)?;
        let current = there.flatten().map(|epochs| epochs.current);
        // What it notices in the middle of a session it says in its own time.
        if !by_itself && current.is_some_and(|current| current != epoch) {
            return broken(
                FORKS,
                "a new epoch was ordered, and the server goes on in its old one",
            );
        }
        Ok(())
    }

    fn read(&mut self, device: DeviceIndex, cursor: &Cursor) -> Result<(), Violation> {
        let place = (cursor.epoch, cursor.position, cursor.hash);
        let before = self.read_to.insert((device, cursor.scope.clone()), place);
        if let Some((epoch, position, _)) = before
            && epoch == cursor.epoch
            && position > cursor.position
        {
            let said = format!(
                "{device} had read {} to {position}, reads it again to {}, and the epoch is the same",
                cursor.scope, cursor.position
            );
            return broken(FORKS, said);
        }
        Ok(())
    }
}

/// A server that holds more of a book than its device, or another seal at the same end, says so at the greeting: else
/// the device writes on under dots that are taken.
fn parted(device: DeviceIndex, book: &Compared) -> Result<(), Violation> {
    let (counter, seal) = book.claimed;
    let claim = &book.answered.claim;
    let parts = claim.counter > counter || (claim.counter == counter && counter > 0 && claim.seal != seal);
    if parts && !book.answered.forked {
        return broken(
            FORKS,
            format!(
                "{device} claims {}/{counter}, the server holds another history of it up to {} and does not say so",
                claim.replica, claim.counter
            ),
        );
    }
    Ok(())
}

/// The feed hash at a position, by walking the feed's rows.
fn hash_at(
    read: &dyn beatbook_core::store::Read,
    scope: &Scope,
    officer: OfficerId,
    position: u64,
) -> Result<Option<Hash>, beatbook_core::store::StoreError> {
    super::feeds::steps(read, scope, officer).map(|steps| {
        let taken = usize::try_from(position).ok()?;
        let steps = steps.get(..taken)?;
        Some(steps.iter().fold(Hash::default(), |hash, step| step.after(&hash)))
    })
}

#[cfg(test)]
mod tests;
