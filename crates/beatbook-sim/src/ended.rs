//! How a world ended, and the figures of it.

use std::collections::BTreeMap;

use crate::fault::FaultKind;
use crate::mark::Marks;
use crate::observe::Violation;

/// What `world::run(&Plan, &mut [&mut dyn Observer]) -> Ended` hands back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// The first invariant that did not hold; the world stopped there.
    pub violation: Option<Violation>,
    /// Events that happened.
    pub events: u64,
    /// Simulated time, milliseconds.
    pub simulated_ms: u64,
    /// Device-days worked.
    pub device_days: u64,
    /// Entries acknowledged to officers.
    pub written: u64,
    /// Entries receipted, as devices keep it at the end.
    pub receipted: u64,
    /// Sessions begun.
    pub sessions: u64,
    /// Faults injected, by kind.
    pub faults: BTreeMap<FaultKind, u64>,
    /// Points reached.
    pub marks: Marks,
}

impl Ended {
    /// Takes over the figures of another world; its violation is looked at alone.
    pub fn add(&mut self, other: &Self) {
        self.events += other.events;
        self.simulated_ms += other.simulated_ms;
        self.device_days += other.device_days;
        self.written += other.written;
        self.receipted += other.receipted;
        self.sessions += other.sessions;
        for (kind, times) in &other.faults {
            *self.faults.entry(*kind).or_default() += times;
        }
        self.marks.add(&other.marks);
    }
}
