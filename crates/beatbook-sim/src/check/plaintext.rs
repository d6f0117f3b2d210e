//! Nothing of what was written can be read on a device's disk: the unique texts of entries are looked for in every
//! file as a thief would find it, after a crash and at the end.

use std::collections::BTreeSet;

use super::invariants::PLAINTEXT;
use super::{Check, Trace, broken};
use crate::fact::{DeviceIndex, Fact, Site, What};
use crate::observe::{Violation, WorldView};

/// Looks at a few disks; each look reads all of it.
#[derive(Debug, Default)]
pub(super) struct Plaintext {
    looked_at: BTreeSet<DeviceIndex>,
}

impl Check for Plaintext {
    fn fact(&mut self, fact: &Fact, trace: &mut Trace, world: &dyn WorldView) -> Result<(), Violation> {
        match &fact.what {
            What::Crashed {
                site: Site::Device(device),
                ..
            } if self.looked_at.insert(*device) => look(*device, trace, world),
            _ => Ok(()),
        }
    }

    fn quiet(&mut self, trace: &mut Trace, world: &dyn WorldView) -> Result<(), Violation> {
        (0..world.devices()).try_for_each(|device| look(DeviceIndex(device), trace, world))
    }
}

fn look(device: DeviceIndex, trace: &mut Trace, world: &dyn WorldView) -> Result<(), Violation> {
    let tokens = trace
        .acknowledged()
        .values()
        .map(|acknowledged| acknowledged.token.as_bytes());
    // Every text begins alike: its first bytes find all of them in one pass.
    let Some(canary) = tokens
        .reduce(common_start)
        .filter(|canary| canary.len() >= CANARY_BYTES_MIN)
    else {
        return Ok(());
    };
    let canary = canary.to_vec();
    trace.ask(PLAINTEXT, 1);
    for (name, bytes) in world.disk_bytes(device) {
        if bytes.windows(canary.len()).any(|window| window == canary) {
            return broken(
                PLAINTEXT,
                format!("{device}: {name} shows what was written, in the clear"),
            );
        }
    }
    Ok(())
}

fn common_start<'a>(one: &'a [u8], two: &'a [u8]) -> &'a [u8] {
    let same = one.iter().zip(two).take_while(|(one, two)| one == two).count();
    one.get(..same).unwrap_or_default()
}

/// Fewer bytes than these would turn up by chance.
const CANARY_BYTES_MIN: usize = 6;

#[cfg(test)]
mod tests;
