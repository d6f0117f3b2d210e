//! Faults of disks: full, failing, lying, slow, and files that are harmed while a store is closed.

use std::path::PathBuf;

use super::device::STORE;
use super::{Event, Mend, World, site};
use crate::disk::{Loss, SimDisk};
use crate::fact::Site;
use crate::fault::FaultKind;

impl World<'_> {
    pub(super) fn inject_damage(&mut self, kind: FaultKind) -> bool {
        let Some(place) = self.somewhere() else {
            return false;
        };
        match kind {
            FaultKind::DiskFull => {
                self.disk_of(place).set_full(true);
                self.mend_disk_later(kind, place, 40 * 60_000);
            }
            FaultKind::SyncErrorOnce => {
                self.disk_of(place).fail_syncs(1);
                self.fault(kind, place, "the next sync".to_owned());
            }
            FaultKind::StalledDisk => {
                match place {
                    Site::Device(device) => self.devices[device.0].disk_ms = 30_000,
                    Site::Server => self.server.disk_ms = 30_000,
                }
                self.mend_disk_later(kind, place, 10 * 60_000);
            }
            FaultKind::LyingSync => {
                // What it lies about may be lost at any power cut: that has to be allowed, and to be noticed.
                if self.plan.atlas || !self.may_lose(place) {
                    return false;
                }
                self.disk_of(place).set_lying(true);
                self.harm(place);
                self.mend_disk_later(kind, place, 60 * 60_000);
            }
            FaultKind::MisdirectedWrite => {
                if !self.may_lose(place) {
                    return false;
                }
                self.harm(place);
                self.disk_of(place).misdirect_next();
                self.fault(kind, place, "the next write of some size".to_owned());
            }
            _ => return self.harm_a_file(kind, place),
        }
        true
    }

    /// A file of a store is harmed while nobody has it open.
    fn harm_a_file(&mut self, kind: FaultKind, place: Site) -> bool {
        if !self.may_lose(place) {
            return false;
        }
        let delay = self.random.between(1_000, 60_000) as i64;
        self.harm(place);
        match place {
            Site::Device(device) => self.kill_device(device.0, None, delay),
            Site::Server => self.kill_server(None, delay),
        }
        let disk = self.disk_of(place);
        let files: Vec<(PathBuf, usize)> = disk
            .lengths()
            .into_iter()
            .filter(|(path, length)| path.starts_with(STORE) && !path.ends_with("lock") && *length > 0)
            .collect();
        let Some((path, length)) = self.random.choose(&files).cloned() else {
            return false;
        };
        let place_in_file = self.random.below(length as u64);
        let bit = self.random.below(8);
        let disk = self.disk_of(place);
        let detail = match kind {
            FaultKind::BitFlip => {
                disk.flip(&path, place_in_file * 8 + bit);
                format!("bit {bit} of byte {place_in_file} of {}", path.display())
            }
            FaultKind::TruncatedFile => {
                disk.cut_file(&path, place_in_file as usize);
                format!("{} cut to {place_in_file} of {length} bytes", path.display())
            }
            _ => {
                disk.lose_file(&path);
                format!("{} is gone", path.display())
            }
        };
        self.fault(kind, place, detail);
        true
    }

    /// True if a place may lose all that it holds: there is a copy of everything acknowledged elsewhere.
    fn may_lose(&mut self, place: Site) -> bool {
        // A server is put back from a backup, so one has to be there.
        if place == Site::Server && self.server.backups.is_empty() {
            return false;
        }
        let kept = match place {
            Site::Server => self
                .server
                .backups
                .last()
                .map(|backup| backup.contents.clone())
                .unwrap_or_default(),
            Site::Device(_) => std::collections::BTreeSet::new(),
        };
        self.may_be_reduced_to(place, &kept)
    }

    fn harm(&mut self, place: Site) {
        match place {
            Site::Device(device) => self.devices[device.0].harmed = true,
            Site::Server => self.server.harmed = true,
        }
    }

    fn disk_of(&self, place: Site) -> &SimDisk {
        match place {
            Site::Device(device) => &self.devices[device.0].disk,
            Site::Server => &self.server.disk,
        }
    }

    fn mend_disk_later(&mut self, kind: FaultKind, place: Site, most_ms: u64) {
        let length = self.random.between(1_000, most_ms) as i64;
        self.fault(kind, place, format!("for {} s", length / 1_000));
        self.after(
            length,
            Event::Mend {
                mend: Mend::Disk(place),
            },
        );
    }

    pub(super) fn mend_disk(&mut self, place: Site) {
        let disk = self.disk_of(place).clone();
        disk.set_full(false);
        disk.set_lying(false);
        match place {
            Site::Device(device) => self.devices[device.0].disk_ms = 2,
            Site::Server => self.server.disk_ms = 2,
        }
        // A disk that lied shows it when power goes.
        if !self.plan.atlas && self.has(FaultKind::LyingSync) && !self.healing {
            match place {
                Site::Device(device) if self.devices[device.0].is_up() && self.devices[device.0].harmed => {
                    self.kill_device(device.0, Some(Loss::All), 5_000);
                }
                Site::Server if self.server.is_up() && self.server.harmed => {
                    self.kill_server(Some(Loss::All), 5_000);
                }
                _ => {}
            }
        }
    }

    /// Every disk takes bytes, answers quickly and tells the truth.
    pub(super) fn mend_all_disks(&mut self) {
        for index in 0..self.devices.len() {
            self.mend_disk(site(index));
        }
        self.mend_disk(Site::Server);
    }
}
