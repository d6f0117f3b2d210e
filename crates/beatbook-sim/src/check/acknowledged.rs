//! What was acknowledged to the officer is on the device after any crash and restart.

use beatbook_core::ledger;

use super::invariants::ACKNOWLEDGED;
use super::{Check, Trace, broken, unreadable};
use crate::fact::{DeviceIndex, Fact, Site, What};
use crate::model::{Named, Rev};
use crate::observe::{Violation, WorldView};

/// Looks at a device whenever it is back.
#[derive(Debug, Default)]
pub(super) struct OnDevice;

impl Check for OnDevice {
    fn fact(&mut self, fact: &Fact, trace: &mut Trace, world: &dyn WorldView) -> Result<(), Violation> {
        match &fact.what {
            What::Reopened {
                site: Site::Device(device),
                ..
            } => all_there(*device, trace, world),
            _ => Ok(()),
        }
    }

    fn quiet(&mut self, trace: &mut Trace, world: &dyn WorldView) -> Result<(), Violation> {
        for device in (0..world.devices()).map(DeviceIndex) {
            all_there(device, trace, world)?;
        }
        Ok(())
    }
}

fn all_there(device: DeviceIndex, trace: &mut Trace, world: &dyn WorldView) -> Result<(), Violation> {
    let site = Site::Device(device);
    if trace.is_put_back(site) {
        return Ok(());
    }
    // What others wrote may leave the device; what its own officer wrote does not.
    let mine = |of: DeviceIndex| world.device(of).officer == world.device(device).officer;
    let expected: Vec<Rev> = trace
        .acknowledged()
        .iter()
        .filter(|(rev, acknowledged)| mine(acknowledged.device) && trace.holds(site, **rev))
        .map(|(rev, _)| *rev)
        .collect();
    let judged = world.on_device(device, |read| {
        let mut scanned = None;
        for rev in &expected {
            let mut found = false;
            for dot in trace.model.names(*rev) {
                let stored = ledger::entry(read, *dot).map_err(unreadable)?;
                let named = stored.and_then(|stored| trace.model.find(*dot, &stored.entry));
                found |= named == Some(Named::Revision(*rev));
            }
            // It may go on in an envelope that nobody was told of yet.
            if !found && scanned.is_none() {
                scanned = Some(trace.scan(read).map_err(unreadable)?);
            }
            let envelopes = scanned.iter().any(|scan| scan.revisions.contains(rev));
            if !found && !envelopes {
                let dot = trace.model.revision(*rev).dot;
                return broken(
                    ACKNOWLEDGED,
                    format!("{dot} was acknowledged, and is not on {device}"),
                );
            }
        }
        Ok(())
    });
    let asked = judged.is_some();
    trace.ask(ACKNOWLEDGED, if asked { expected.len() as u64 } else { 0 });
    judged.unwrap_or(Ok(()))
}

#[cfg(test)]
mod tests;
