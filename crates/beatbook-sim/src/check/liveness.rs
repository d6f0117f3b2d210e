//! After faults stop a full sync takes a bounded time and a bounded number of sessions, and leaves nothing pending.

use beatbook_core::ledger;

use super::invariants::{CONVERGES, LIVENESS};
use super::{Check, Trace, broken, unreadable};
use crate::fact::{DeviceIndex, Fact, What};
use crate::observe::{Violation, WorldView};

/// Measures healing.
#[derive(Debug, Default)]
pub(super) struct Liveness {
    sessions: u64,
}

impl Check for Liveness {
    fn fact(&mut self, fact: &Fact, trace: &mut Trace, world: &dyn WorldView) -> Result<(), Violation> {
        match &fact.what {
            What::HealingBegan => self.sessions = 0,
            What::SessionBegan { .. } => self.sessions += 1,
            What::Quiet { took_ms, .. } => {
                trace.ask(LIVENESS, 1);
                if *took_ms > HEALING_MS_MAX {
                    return broken(LIVENESS, format!("healing took {} s", took_ms / 1_000));
                }
                let most = SESSIONS_MAX * world.devices() as u64;
                if self.sessions > most {
                    return broken(
                        CONVERGES,
                        format!("healing took {} sessions, at most {most} are due", self.sessions),
                    );
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn quiet(&mut self, trace: &mut Trace, world: &dyn WorldView) -> Result<(), Violation> {
        for device in (0..world.devices()).map(DeviceIndex) {
            if !world.is_admitted(world.device(device).enrolment) {
                continue;
            }
            let Some(status) = world.on_device(device, ledger::status) else {
                continue;
            };
            let status = status.map_err(unreadable)?;
            trace.ask(CONVERGES, 1);
            if status.pending > 0 {
                return broken(
                    CONVERGES,
                    format!(
                        "all is quiet, and {} entries of {device} were never receipted",
                        status.pending
                    ),
                );
            }
        }
        Ok(())
    }
}

/// Longest healing, simulated.
const HEALING_MS_MAX: i64 = 10 * 60_000;
/// Most sessions of healing for each device: a fork costs one to notice, one to bring over, and those in answer to it.
const SESSIONS_MAX: u64 = 24;

#[cfg(test)]
mod tests;
