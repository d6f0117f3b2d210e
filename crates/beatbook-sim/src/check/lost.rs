//! No acknowledged entry is lost: once all is quiet the server holds everything that faults left anywhere.

use super::invariants::LOST;
use super::{Check, Trace, broken, unreadable};
use crate::fact::{DeviceIndex, Site};
use crate::observe::{Violation, WorldView};

/// Counts what was acknowledged against what is there.
#[derive(Debug, Default)]
pub(super) struct Lost;

impl Check for Lost {
    fn quiet(&mut self, trace: &mut Trace, world: &dyn WorldView) -> Result<(), Violation> {
        let Some(scan) = world.at_server(|read| trace.scan(read)) else {
            return broken(LOST, "all is quiet, and the server is down");
        };
        let scan = scan.map_err(unreadable)?;
        trace.ask(LOST, trace.acknowledged().len() as u64);
        let missing = trace
            .acknowledged()
            .iter()
            .filter(|(rev, _)| !scan.revisions.contains(rev) && !trace.destroyed().contains(rev));
        for (rev, acknowledged) in missing {
            // What only devices hold that may not sync any more is not lost.
            let waits = |device: DeviceIndex| {
                let enrolled = world.device(device);
                !world.is_admitted(enrolled.enrolment) && !enrolled.given_up
            };
            let apart = (0..world.devices())
                .map(DeviceIndex)
                .any(|device| waits(device) && trace.holds(Site::Device(device), *rev));
            if !apart {
                let (dot, device, event) = (acknowledged.dot, acknowledged.device, acknowledged.event);
                return broken(
                    LOST,
                    format!("{dot}, written on {device} at event {event}, is not at the server"),
                );
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
