//! Stores that go back in time: restored, cloned, rolled back, with work in flight.
//!
//! The fault-atlas rule is kept here: a store is put back only where every acknowledged entry has a copy left.

use std::collections::BTreeSet;
use std::path::Path;

use super::acted::{Content, contents};
use super::device::{Copied, STORE};
use super::{Event, World, site};
use crate::disk::Image;
use crate::fact::{Site, What};
use crate::fault::FaultKind;

impl World<'_> {
    pub(super) fn inject_rewind(&mut self, kind: FaultKind) -> bool {
        match kind {
            FaultKind::DeviceRestored => self.put_device_back(false),
            FaultKind::DotReuse => self.put_device_back(true),
            FaultKind::StoreCloned => self.clone_device(kind, true),
            FaultKind::SameIdentityTwice => self.clone_device(kind, false),
            FaultKind::ServerRestored => self.restore_server(),
            _ => self.roll_server_back(),
        }
    }

    /// A copy of a device is taken, and of the server's disk.
    pub(super) fn copy(&mut self, index: usize) {
        if self.healing {
            return;
        }
        let again = self.devices[index].random.around(400) as i64 * 60_000;
        self.after(again, Event::Copy { device: index });
        let at_ms = self.now_ms;
        let device = &mut self.devices[index];
        if device.harmed || device.copies.len() >= COPIES_MAX {
            return;
        }
        let Some(store) = &device.store else { return };
        let contents = store.read(contents);
        let image = device.disk.image();
        device.copies.push(Copied {
            at_ms,
            image,
            contents,
        });
    }

    /// A device's store is put back; its anchor only where nothing is to show it.
    fn put_device_back(&mut self, with_anchor: bool) -> bool {
        let Some(index) = self.some_device() else {
            return false;
        };
        let copies: Vec<usize> = (0..self.devices[index].copies.len()).collect();
        let Some(chosen) = self.random.choose(&copies).copied() else {
            return false;
        };
        let kept: BTreeSet<Content> = self.devices[index].copies[chosen].contents.clone();
        if !self.may_be_reduced_to(site(index), &kept) {
            return false;
        }
        let copy = &self.devices[index].copies[chosen];
        let (image, copied_at_ms) = (copy.image.clone(), copy.at_ms);
        self.put_device_back_to(index, (&image, copied_at_ms), with_anchor);
        self.devices[index]
            .copies
            .retain(|copy| copy.at_ms <= copied_at_ms);
        true
    }

    /// Puts a device back to a copy of it, which was taken at a time.
    pub(super) fn put_device_back_to(
        &mut self,
        index: usize,
        (image, copied_at_ms): (&Image, i64),
        with_anchor: bool,
    ) {
        let kind = match with_anchor {
            true => FaultKind::DotReuse,
            false => FaultKind::DeviceRestored,
        };
        let delay = self.random.between(1_000, 5 * 60_000) as i64;
        self.fault(
            kind,
            site(index),
            format!("a copy {} min old", (self.now_ms - copied_at_ms) / 60_000),
        );
        self.kill_device(index, None, delay);
        let device = &mut self.devices[index];
        let folder = (!with_anchor).then(|| Path::new(STORE));
        device.disk.put_back(image, folder);
        device.open = None;
        self.tell(What::Restored {
            site: site(index),
            copied_at_ms,
            unnoticed: with_anchor,
        });
    }

    /// Another machine runs with a copy of this one.
    fn clone_device(&mut self, kind: FaultKind, with_anchor: bool) -> bool {
        if !self.may_have_another() {
            return false;
        }
        let Some(index) = self.some_device() else {
            return false;
        };
        self.fault(kind, site(index), "another machine has its books".to_owned());
        self.copy_device(index, with_anchor);
        true
    }

    /// The server is put back from one of its backups, and says so.
    fn restore_server(&mut self) -> bool {
        let backups: Vec<usize> = (0..self.server.backups.len()).collect();
        let Some(chosen) = self.random.choose(&backups).copied() else {
            return false;
        };
        let kept = self.server.backups[chosen].contents.clone();
        if !self.server.is_up() || !self.may_be_reduced_to(Site::Server, &kept) {
            return false;
        }
        let copied_at_ms = self.server.backups[chosen].at_ms;
        let age = (self.now_ms - copied_at_ms) / 60_000;
        self.fault(
            FaultKind::ServerRestored,
            Site::Server,
            format!("a backup {age} min old"),
        );
        self.put_server_back(chosen);
        true
    }

    pub(super) fn put_server_back(&mut self, chosen: usize) {
        // The old machine is gone: whatever its boot was to be.
        self.kill_server(None, 0);
        self.server.life += 1;
        let copied_at_ms = self.server.backups[chosen].at_ms;
        self.tell(What::Restored {
            site: Site::Server,
            copied_at_ms,
            unnoticed: false,
        });
        self.put_backup_in_place(chosen);
    }

    /// The server's store does not open: the newest backup is all there is.
    pub(super) fn restore_server_from_backup(&mut self) {
        match self.server.backups.len().checked_sub(1) {
            Some(newest) => self.put_server_back(newest),
            None => self.broken(
                super::device::OPENS,
                "a server was harmed that had no backup".to_owned(),
            ),
        }
    }

    /// The server's disk is rolled back under it, and nothing says so.
    fn roll_server_back(&mut self) -> bool {
        let at_ms = self.now_ms;
        let Some(store) = &self.server.store else {
            return false;
        };
        if self.server.harmed {
            return false;
        }
        // The first time an image is taken; then there is one to go back to.
        if self.server.images.is_empty() || self.random.percent(30) {
            let held = store.read(contents);
            let image = self.server.disk.image();
            self.server.images.push((at_ms, image, held, self.truth.clone()));
            return false;
        }
        let images: Vec<usize> = (0..self.server.images.len()).collect();
        let Some(chosen) = self.random.choose(&images).copied() else {
            return false;
        };
        self.put_image_in_place(chosen)
    }

    /// Rolls the server back to an image of its disk; false where an acknowledged entry has no other copy.
    pub(super) fn put_image_in_place(&mut self, chosen: usize) -> bool {
        let kept = self.server.images[chosen].2.clone();
        if !self.may_be_reduced_to(Site::Server, &kept) {
            return false;
        }
        let copied_at_ms = self.server.images[chosen].0;
        let age = (self.now_ms - copied_at_ms) / 60_000;
        self.fault(
            FaultKind::ServerRolledBack,
            Site::Server,
            format!("a disk {age} min old"),
        );
        let delay = self.random.between(1_000, 60_000) as i64;
        self.kill_server(None, delay);
        let image = self.server.images[chosen].1.clone();
        self.server.disk.put_back(&image, None);
        self.server.backups.retain(|backup| backup.at_ms <= copied_at_ms);
        self.tell(What::Restored {
            site: Site::Server,
            copied_at_ms,
            unnoticed: true,
        });
        true
    }
}

const COPIES_MAX: usize = 6;
