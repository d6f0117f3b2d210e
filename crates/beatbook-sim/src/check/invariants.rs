//! The list of invariants: those of the design, who asks each, and those that do not apply yet.

/// One invariant.
#[derive(Clone, Copy, Debug)]
pub struct Invariant {
    /// Its name: `sync n` is of the design of synchronisation, `trust n` of that of reliability.
    pub name: &'static str,
    /// What has to hold.
    pub sentence: &'static str,
    /// How it is asked here.
    pub standing: Standing,
}

/// How an invariant stands in the simulator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// A checker of its own, under this name in violations and counts.
    Asked(&'static str),
    /// The same as another one.
    Same(&'static str),
    /// Not applicable yet, and why.
    NotYet(&'static str),
}

pub(super) const RECEIPTED: &str = "sync 1: what was receipted is held by the server after any crash";
pub(super) const ACKNOWLEDGED: &str = "sync 2: what was acknowledged is on the device after any crash";
pub(super) const NAMES: &str = "sync 3: a dot names the same bytes for ever";
pub(super) const HEADS: &str = "sync 4: the same revisions show the same merged state";
pub(super) const VALUES: &str = "sync 5: no value is dropped that no later reader settled";
pub(super) const CONVERGES: &str = "sync 6: after faults stop everyone converges";
pub(super) const ACCESS: &str = "sync 7: nobody receives what is not granted";
pub(super) const DURABLE: &str = "sync 8: nothing is told before it is durable";
pub(super) const VERDICTS: &str = "sync 9: one verdict each, and it holds back nothing else";
pub(super) const REPLAYS: &str = "sync 10: what comes twice changes nothing more";
pub(super) const CONFLICTS: &str = "sync 11: a plain change never settles a conflict";
pub(super) const LOST: &str = "trust 1: no acknowledged entry is lost";
pub(super) const CAUSES: &str = "trust 5: nobody shows a change without what it was made on";
pub(super) const WHOLE: &str = "trust 8: a run is there as a whole or not at all";
pub(super) const BACKWARDS: &str = "trust 9: what a device shows never goes backwards";
pub(super) const REVOKED: &str = "trust 13: nothing is kept from, or served to, who is revoked";
pub(super) const PLAINTEXT: &str = "trust 14: nothing readable on a device's disk";
pub(super) const BOUNDS: &str = "trust 15: memory and disk stay within their caps";
pub(super) const LIVENESS: &str = "trust 16: after faults stop a full sync takes at most ten minutes";
pub(super) const FORKS: &str = "recovery: what went back in time is told, and nothing else is taken for it";
pub(super) const READABLE: &str = "trust 18: a store that is open reads";

/// Every invariant of the design.
pub const INVARIANTS: &[Invariant] = &[
    Invariant {
        name: "sync 1",
        sentence: "A revision that was receipted is held by the server after any crash and restart, with the same bytes.",
        standing: Standing::Asked(RECEIPTED),
    },
    Invariant {
        name: "sync 2",
        sentence: "A revision that was acknowledged to the officer is on the device after any crash and restart.",
        standing: Standing::Asked(ACKNOWLEDGED),
    },
    Invariant {
        name: "sync 3",
        sentence: "Once a server has accepted a dot, it names the same bytes everywhere, for ever.",
        standing: Standing::Asked(NAMES),
    },
    Invariant {
        name: "sync 4",
        sentence: "Two stores that accepted the same revisions of a record show the same merged state, byte for byte.",
        standing: Standing::Asked(HEADS),
    },
    Invariant {
        name: "sync 5",
        sentence: "No value is dropped unless an accepted revision whose author had seen it supersedes it.",
        standing: Standing::Asked(VALUES),
    },
    Invariant {
        name: "sync 6",
        sentence: "After faults stop, every device and the server converge, in a bounded number of sessions.",
        standing: Standing::Asked(CONVERGES),
    },
    Invariant {
        name: "sync 7",
        sentence: "A device never receives a revision of a scope that it is not granted.",
        standing: Standing::Asked(ACCESS),
    },
    Invariant {
        name: "sync 8",
        sentence: "Nothing is told to anyone before the commit that it speaks of is durable.",
        standing: Standing::Asked(DURABLE),
    },
    Invariant {
        name: "sync 9",
        sentence: "Every revision has exactly one current verdict; a bad one holds back nothing but its own record.",
        standing: Standing::Asked(VERDICTS),
    },
    Invariant {
        name: "sync 10",
        sentence: "Applying any run twice, or any two in either order, changes nothing more.",
        standing: Standing::Asked(REPLAYS),
    },
    Invariant {
        name: "sync 11",
        sentence: "An ordinary amend never settles a conflict, and never overwrites what its author had not read.",
        standing: Standing::Asked(CONFLICTS),
    },
    Invariant {
        name: "trust 1",
        sentence: "No acknowledged record is lost: it survives wherever faults left a copy of it.",
        standing: Standing::Asked(LOST),
    },
    Invariant {
        name: "trust 2",
        sentence: "After healing, all authorised replicas show the same.",
        standing: Standing::Same("sync 4"),
    },
    Invariant {
        name: "trust 3",
        sentence: "Of two versions neither of which was read by the other's author, both stay until a person resolves them.",
        standing: Standing::Same("sync 5"),
    },
    Invariant {
        name: "trust 4",
        sentence: "What was erased by law never reappears.",
        standing: Standing::NotYet("nothing erases at the server yet"),
    },
    Invariant {
        name: "trust 5",
        sentence: "No replica shows an edit without the versions that it was made on.",
        standing: Standing::Asked(CAUSES),
    },
    Invariant {
        name: "trust 6",
        sentence: "A dot has one commitment; a second one goes to quarantine and is told.",
        standing: Standing::Same("sync 3"),
    },
    Invariant {
        name: "trust 7",
        sentence: "What is delivered several times counts once.",
        standing: Standing::Same("sync 10"),
    },
    Invariant {
        name: "trust 8",
        sentence: "A run is visible as a whole or not at all.",
        standing: Standing::Asked(WHOLE),
    },
    Invariant {
        name: "trust 9",
        sentence: "What a device shows of a record never goes backwards.",
        standing: Standing::Asked(BACKWARDS),
    },
    Invariant {
        name: "trust 10",
        sentence: "Clocks decide no merge and no order: the model that all is compared with knows none.",
        standing: Standing::Same("sync 5"),
    },
    Invariant {
        name: "trust 11",
        sentence: "Every event has exactly one row of audit.",
        standing: Standing::NotYet("there is no audit log yet"),
    },
    Invariant {
        name: "trust 12",
        sentence: "No byte of a record leaves to who may not read it at that moment, by an oracle of its own.",
        standing: Standing::Same("sync 7"),
    },
    Invariant {
        name: "trust 13",
        sentence: "After a revocation no new run is kept and nothing is served.",
        standing: Standing::Asked(REVOKED),
    },
    Invariant {
        name: "trust 14",
        sentence: "Nothing of what was written can be read on a device's disk.",
        standing: Standing::Asked(PLAINTEXT),
    },
    Invariant {
        name: "trust 15",
        sentence: "Journal, clocks of records, siblings and disk stay within their caps.",
        standing: Standing::Asked(BOUNDS),
    },
    Invariant {
        name: "trust 16",
        sentence: "After healing a full sync takes at most ten simulated minutes; no queue is stuck.",
        standing: Standing::Asked(LIVENESS),
    },
    Invariant {
        name: "trust 17",
        sentence: "What a newer build wrote passes through an older one unchanged.",
        standing: Standing::Same("sync 3"),
    },
    Invariant {
        name: "trust 18",
        sentence: "A damaged store refuses service; one that is open reads, and holds all that it held.",
        standing: Standing::Asked(READABLE),
    },
    Invariant {
        name: "recovery",
        sentence: "What went back in time is told: new books, a new epoch; and nothing else is taken for it.",
        standing: Standing::Asked(FORKS),
    },
];

#[cfg(test)]
mod tests;
