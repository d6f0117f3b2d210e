//! Nothing of what was written can be read on a device's disk: the unique texts of entries are looked for in every
//! file as a thief would find it, after a crash and at the end.

use std::collections::{BTreeMap, BTreeSet};

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
    // The texts of one device begin alike: their common start finds all of them.
    let mut canaries: BTreeMap<DeviceIndex, &[u8]> = BTreeMap::new();
    for acknowledged in trace.acknowledged().values() {
        let token = acknowledged.token.as_bytes();
        let canary = canaries.entry(acknowledged.device).or_insert(token);
        *canary = common_start(canary, token);
    }
    canaries.retain(|_, canary| canary.len() >= CANARY_BYTES_MIN);
    // And so do those of all devices: one pass finds where one of them may be.
    let Some(start) = canaries.values().copied().reduce(common_start) else {
        return Ok(());
    };
    for (name, bytes) in world.disk_bytes(device) {
        let shows = |window: &[u8]| canaries.values().any(|canary| window.starts_with(canary));
        if places(&bytes, start).any(|place| bytes.get(place..).is_some_and(shows)) {
            return broken(
                PLAINTEXT,
                format!("{device}: {name} shows what was written, in the clear"),
            );
        }
    }
    trace.ask(PLAINTEXT, 1);
    Ok(())
}

/// Where some bytes are found.
fn places<'a>(bytes: &'a [u8], wanted: &'a [u8]) -> impl Iterator<Item = usize> {
    let first = wanted.first().copied();
    let fits = move |(place, byte): (usize, &u8)| {
        let begins = first.is_none_or(|first| first == *byte) && bytes[place..].starts_with(wanted);
        begins.then_some(place)
    };
    bytes.iter().enumerate().filter_map(fits)
}

fn common_start<'a>(one: &'a [u8], two: &'a [u8]) -> &'a [u8] {
    let same = one.iter().zip(two).take_while(|(one, two)| one == two).count();
    one.get(..same).unwrap_or_default()
}

/// Fewer bytes than these would turn up by chance.
const CANARY_BYTES_MIN: usize = 6;

#[cfg(test)]
mod tests;
