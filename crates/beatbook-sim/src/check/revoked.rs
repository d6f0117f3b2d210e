//! Nothing is kept from, or served to, an enrolment that is revoked.

use std::collections::BTreeMap;

use super::invariants::REVOKED;
use super::{Check, Trace, broken};
use crate::fact::{DeviceIndex, Fact, What};
use crate::observe::{Violation, WorldView};

/// Remembers since when an enrolment is not admitted, by the world's own account.
#[derive(Debug, Default)]
pub(super) struct Revoked {
    out_since: BTreeMap<DeviceIndex, i64>,
}

impl Check for Revoked {
    fn fact(&mut self, fact: &Fact, trace: &mut Trace, world: &dyn WorldView) -> Result<(), Violation> {
        let (device, what) = match &fact.what {
            What::RegisterChanged { .. } | What::Restored { .. } => {
                // A register that was put back admits again until it is told anew.
                self.look(fact.at_ms, world);
                return Ok(());
            }
            What::RunAccepted { device, .. } => (*device, "a run of it was kept"),
            What::FeedSent { device, .. } => (*device, "it was sent a feed"),
            _ => return Ok(()),
        };
        trace.ask(REVOKED, 1);
        match self.out_since.get(&device) {
            Some(since) if fact.at_ms > since + GRACE_MS => broken(
                REVOKED,
                format!(
                    "{device} is revoked since {} s, and {what}",
                    (fact.at_ms - since) / 1_000
                ),
            ),
            _ => Ok(()),
        }
    }
}

impl Revoked {
    fn look(&mut self, now_ms: i64, world: &dyn WorldView) {
        for device in (0..world.devices()).map(DeviceIndex) {
            if world.is_admitted(world.device(device).enrolment) {
                self.out_since.remove(&device);
            } else {
                self.out_since.entry(device).or_insert(now_ms);
            }
        }
    }
}

/// How long a revocation may take to reach every session.
const GRACE_MS: i64 = 60_000;

#[cfg(test)]
mod tests;
