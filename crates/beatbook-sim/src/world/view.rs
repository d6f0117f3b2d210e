//! What observers may see of a world.

use beatbook_core::store::Read;
use beatbook_proto::{EnrolmentId, OfficerId, PublicKey, Scope};

use super::World;
use crate::fact::DeviceIndex;
use crate::observe::{Enrolled, WorldView};
use crate::plan::Plan;

impl WorldView for World<'_> {
    fn plan(&self) -> &Plan {
        &self.plan
    }

    fn now_ms(&self) -> i64 {
        self.now_ms
    }

    fn event(&self) -> u64 {
        self.event
    }

    fn devices(&self) -> usize {
        self.devices.len()
    }

    fn device(&self, device: DeviceIndex) -> &Enrolled {
        &self.devices[device.0].enrolled
    }

    fn read_device(&self, device: DeviceIndex, read: &mut dyn FnMut(&dyn Read)) -> bool {
        let store = self
            .devices
            .get(device.0)
            .and_then(|device| device.store.as_ref());
        store.map(|store| store.read(|state| read(state))).is_some()
    }

    fn read_server(&self, read: &mut dyn FnMut(&dyn Read)) -> bool {
        let store = self.server.store.as_ref();
        store.map(|store| store.read(|state| read(state))).is_some()
    }

    fn granted(&self, officer: OfficerId) -> Vec<Scope> {
        self.truth.granted(officer)
    }

    fn is_admitted(&self, enrolment: EnrolmentId) -> bool {
        self.truth.is_admitted(enrolment)
    }

    fn server_key(&self) -> &PublicKey {
        &self.server.public
    }

    fn tag_key(&self) -> &[u8; 32] {
        &self.server.tag_key
    }

    fn disk_digest(&self) -> u64 {
        let disks = self.devices.iter().map(|device| &device.disk);
        disks
            .chain(std::iter::once(&self.server.disk))
            .fold(0, |digest, disk| digest.rotate_left(7) ^ disk.digest())
    }

    fn disk_bytes(&self, device: DeviceIndex) -> Vec<(String, Vec<u8>)> {
        let files = self.devices[device.0].disk.files();
        files
            .into_iter()
            .map(|(path, bytes)| (path.display().to_string(), bytes))
            .collect()
    }
}
