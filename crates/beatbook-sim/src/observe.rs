//! Observers: who is told what happens in a world, and may look into what is durable in it.
//!
//! A checker is an observer; so are the trace hash and the story. Observers change nothing.

use beatbook_core::store::Read;
use beatbook_proto::{EnrolmentId, OfficerId, PublicKey, Scope};

use crate::fact::{DeviceIndex, Fact};
use crate::plan::Plan;

/// Is told what happens. The world stops at the first violation.
pub trait Observer {
    /// Something happened. What is told as durable is: the view shows it.
    fn fact(&mut self, fact: &Fact, world: &dyn WorldView) -> Result<(), Violation>;

    /// An event of the world is over: every fact of it was told. For what is cheap to ask often.
    fn step(&mut self, _world: &dyn WorldView) -> Result<(), Violation> {
        Ok(())
    }

    /// Faults have stopped, every machine is up, everyone has synced until nothing was left to say.
    fn quiet(&mut self, _world: &dyn WorldView) -> Result<(), Violation> {
        Ok(())
    }
}

/// Read access to what is durable in a world, and to what is known of it from outside.
pub trait WorldView {
    /// What the seed decided.
    fn plan(&self) -> &Plan;

    /// True time, milliseconds since 1970; no clock in the world need show it.
    fn now_ms(&self) -> i64;

    /// Number of the event under way.
    fn event(&self) -> u64;

    /// How many devices there are. Grows: copies and new enrolments are devices of their own.
    fn devices(&self) -> usize;

    /// Who a device is.
    fn device(&self, device: DeviceIndex) -> &Enrolled;

    /// Reads what is durable on a device. False, and nothing is read, while its store is not open: it is down, given
    /// up, or has refused to open.
    fn read_device(&self, device: DeviceIndex, read: &mut dyn FnMut(&dyn Read)) -> bool;

    /// Reads what is durable at the server. False, and nothing is read, while it is down.
    fn read_server(&self, read: &mut dyn FnMut(&dyn Read)) -> bool;

    /// The scopes that the register grants an officer at this moment, from the simulator's own account of it.
    fn granted(&self, officer: OfficerId) -> Vec<Scope>;

    /// True if an enrolment may have sessions at this moment, from the simulator's own account of the register.
    fn is_admitted(&self, enrolment: EnrolmentId) -> bool;

    /// The server's receipt key.
    fn server_key(&self) -> &PublicKey;

    /// The key that tags the server's cursors.
    fn tag_key(&self) -> &[u8; 32];

    /// A running digest of every disk operation in the world: which disk, file, place, length and content.
    fn disk_digest(&self) -> u64;

    /// Every byte on a device's disk, as a thief would find it: file names and content. Not for every event.
    fn disk_bytes(&self, device: DeviceIndex) -> Vec<(String, Vec<u8>)>;
}

/// Who a device is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enrolled {
    /// The officer.
    pub officer: OfficerId,
    /// The officer, as an index into [`Plan::officers`].
    pub officer_index: usize,
    /// The enrolment. Copies of a device share it.
    pub enrolment: EnrolmentId,
    /// Its key.
    pub key: PublicKey,
    /// The device that it is a copy of.
    pub copy_of: Option<DeviceIndex>,
    /// Given up: lost, wiped or replaced. It is never up again.
    pub given_up: bool,
}

/// An invariant that does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{invariant}: {what}")]
pub struct Violation {
    /// Which: the checker's name, such as `sync 3: a dot names the same bytes for ever`.
    pub invariant: &'static str,
    /// What was seen.
    pub what: String,
}

impl dyn WorldView + '_ {
    /// Reads one thing from what is durable on a device; `None` while its store is not open.
    pub fn on_device<T>(&self, device: DeviceIndex, read: impl FnOnce(&dyn Read) -> T) -> Option<T> {
        once(read, |wrapped| self.read_device(device, wrapped))
    }

    /// Reads one thing from what is durable at the server; `None` while it is down.
    pub fn at_server<T>(&self, read: impl FnOnce(&dyn Read) -> T) -> Option<T> {
        once(read, |wrapped| self.read_server(wrapped))
    }
}

/// Carries the result of `read` out of a callback that is called once or never.
fn once<T>(
    read: impl FnOnce(&dyn Read) -> T,
    call: impl FnOnce(&mut dyn FnMut(&dyn Read)) -> bool,
) -> Option<T> {
    let (mut read, mut result) = (Some(read), None);
    call(&mut |store: &dyn Read| result = read.take().map(|read| read(store)));
    result
}
