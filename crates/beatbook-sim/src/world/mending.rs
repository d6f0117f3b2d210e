//! Stores that a fault has harmed: what they held before, repairing one, and saying so where one opens with less.

use std::collections::BTreeSet;

use beatbook_store_sled::{AnchorState, OpenReport, Store};

use super::acted::{Content, contents};
use super::device::STORE;
use super::{Event, World, site};
use crate::fact::{Site, What};
use crate::mark::Mark;

/// What a harmed store held when its process last ended.
pub(super) struct Held {
    at_ms: i64,
    sequence: u64,
    /// Of what officers were told is kept.
    entries: BTreeSet<Content>,
}

impl World<'_> {
    /// Before the process of a harmed store ends: what officers were told is kept, and it holds.
    pub(super) fn note_held(&mut self, place: Site) {
        let (harmed, store) = match place {
            Site::Device(device) => {
                let device = &self.devices[device.0];
                (device.harmed, device.store.as_ref())
            }
            Site::Server => (self.server.harmed, self.server.store.as_ref()),
        };
        let Some(store) = store.filter(|_| harmed) else {
            return;
        };
        let mut entries = store.read(contents);
        entries.retain(|content| self.acknowledged.contains_key(content));
        let held = Some(Held {
            at_ms: self.now_ms,
            sequence: store.sequence(),
            entries,
        });
        match place {
            Site::Device(device) => self.devices[device.0].held = held,
            Site::Server => self.server.held = held,
        }
    }

    /// A harmed store is open. Where a file lost its end it may look as after a power cut, and hold less than before: its
    /// anchor, or its peers, show that, as they do for a store that was put back.
    pub(super) fn tell_fallen_back(&mut self, place: Site, report: &OpenReport) {
        let (before, store) = match place {
            Site::Device(device) => {
                let device = &mut self.devices[device.0];
                (device.held.take(), device.store.as_ref())
            }
            Site::Server => (self.server.held.take(), self.server.store.as_ref()),
        };
        let (Some(before), Some(store)) = (before, store) else {
            return;
        };
        // Seals and receipts are gone with their frames too; and a store that had stopped did not say what it held.
        let shorter = report.lost || report.cut_bytes > 0 || report.sequence < before.sequence;
        let now = store.read(contents);
        if !shorter && before.entries.is_subset(&now) {
            return;
        }
        self.reach(Mark::FellBack);
        if let Site::Device(device) = place {
            self.devices[device.0].open = None;
        }
        let noticed = matches!(report.anchor, AnchorState::Mismatch { .. } | AnchorState::Missing);
        self.tell(What::Restored {
            site: place,
            copied_at_ms: before.at_ms,
            unnoticed: place == Site::Server || !(report.lost || noticed),
        });
    }

    /// Repairs a store that does not open, as `beatbook repair` does; false where nothing whole is left of it.
    pub(super) fn repair_device(&mut self, index: usize) -> bool {
        let device = &mut self.devices[index];
        let repaired = Store::repair(STORE, &device.unlock(), &device.options(), None);
        let Ok(report) = repaired else { return false };
        // A disk that still lies may lose what was mended.
        device.harmed = device.disk.is_lying();
        let lost = report.opened.lost;
        if !lost {
            // What it says it holds it has to hold.
            device.held = None;
        }
        let life = device.life;
        self.reach(Mark::Repaired);
        self.tell(What::Repaired {
            site: site(index),
            mended: report.mended.len(),
            lost,
        });
        if self.healing {
            self.boot_device(index, life);
        } else {
            let delay = self.devices[index].random.between(1_000, 10 * 60_000) as i64;
            self.after(
                delay,
                Event::Boot {
                    site: site(index),
                    life,
                },
            );
        }
        true
    }
}
