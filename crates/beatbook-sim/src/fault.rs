//! The kinds of fault: what the simulator can do to a world, and what it cannot yet, with the reason.

/// One kind of fault. A plan carries a few of them, chosen by its seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FaultKind {
    /// Two connections of a device at once; what was sent on one arrives after the other's.
    Reorder,
    /// The link carries little: frames of a run take seconds.
    BandwidthCap,
    /// One bit of a closed store's file flips.
    BitFlip,
    /// Packets are lost in bursts: the link stalls and recovers.
    BurstLoss,
    /// The session's task is dropped while operations are under way.
    CancelledSession,
    /// A clock that stands still for hours.
    ClockFrozen,
    /// A clock that jumps back.
    ClockJumpBack,
    /// A clock that jumps forward.
    ClockJumpForward,
    /// A clock that starts again at 1970.
    ClockReset,
    /// A clock that is wrong by a constant, up to ten years.
    ClockSkew,
    /// Round trips up to 600 ms, with jitter.
    Delay,
    /// A device's store is put back from a copy of some days ago, its anchor is not.
    DeviceRestored,
    /// The disk is full until it is freed.
    DiskFull,
    /// A store and its anchor are put back, so that only the server can see that entry numbers are used twice.
    DotReuse,
    /// Frames of a connection are carried again by another one.
    Duplication,
    /// The process dies at the boundary of an operation.
    KillAtOp,
    /// The process dies while a store is opened.
    KillInRecovery,
    /// The process dies inside a write.
    KillInWrite,
    /// What was written and not synced is lost when power goes.
    LoseUnsynced,
    /// The connection breaks when a receipt is on its way.
    LostAck,
    /// A sync that says Ok and does nothing. Only where the fault-atlas rule is off.
    LyingSync,
    /// A file is gone.
    MissingFile,
    /// Timers stop while the device sleeps.
    MonotonicStops,
    /// A write lands in another place of its file.
    MisdirectedWrite,
    /// Network address translation forgets the path: the link stalls until it is dialled again.
    Rebind,
    /// An entry as large as the format allows.
    OversizedBatch,
    /// Nothing passes in either direction for a while.
    PartitionBoth,
    /// Nothing passes in one direction for a while.
    PartitionOneWay,
    /// Beats and postings change while sessions are open.
    PostingChanged,
    /// An entry that the server's rules do not take.
    PoisonRecord,
    /// An officer enrols anew with a new key while the old notebook lies about.
    ReenrolNewKey,
    /// Unsynced writes reach the disk in another order.
    ReorderUnsynced,
    /// An enrolment is revoked while its session is open.
    Revoked,
    /// An officer's role changes while sessions are open.
    RoleChanged,
    /// One identity in two places at once.
    SameIdentityTwice,
    /// The server is restored from a backup, and says so by a new epoch.
    ServerRestored,
    /// The server's disk is rolled back under it, and nothing says so.
    ServerRolledBack,
    /// A disk that answers after half a minute.
    StalledDisk,
    /// The connection is reset without a word.
    StatelessReset,
    /// A device's folder and anchor are copied, and both copies run.
    StoreCloned,
    /// The stream is reset in the middle of a frame.
    StreamReset,
    /// The device sleeps from seconds to two weeks.
    Suspend,
    /// Links are cut and mended one by one in random order.
    SwizzleClog,
    /// A sync fails once.
    SyncErrorOnce,
    /// The last unsynced write is torn.
    TornWrite,
    /// A file is cut short.
    TruncatedFile,
    /// No packet of QUIC passes for hours.
    UdpBlocked,
    /// Packets are lost evenly.
    UniformLoss,
    /// A newer client writes families, fields and codes that this build does not know.
    UnknownContent,
}

impl FaultKind {
    /// Every kind, by subject.
    pub const ALL: [Self; 49] = [
        Self::KillAtOp,
        Self::KillInWrite,
        Self::KillInRecovery,
        Self::Suspend,
        Self::CancelledSession,
        Self::LoseUnsynced,
        Self::TornWrite,
        Self::ReorderUnsynced,
        Self::LyingSync,
        Self::SyncErrorOnce,
        Self::DiskFull,
        Self::BitFlip,
        Self::MisdirectedWrite,
        Self::TruncatedFile,
        Self::MissingFile,
        Self::StalledDisk,
        Self::DeviceRestored,
        Self::ServerRestored,
        Self::ServerRolledBack,
        Self::StoreCloned,
        Self::UniformLoss,
        Self::BurstLoss,
        Self::Reorder,
        Self::Duplication,
        Self::Delay,
        Self::PartitionBoth,
        Self::PartitionOneWay,
        Self::SwizzleClog,
        Self::BandwidthCap,
        Self::Rebind,
        Self::StatelessReset,
        Self::StreamReset,
        Self::UdpBlocked,
        Self::ClockSkew,
        Self::ClockJumpForward,
        Self::ClockJumpBack,
        Self::ClockFrozen,
        Self::ClockReset,
        Self::MonotonicStops,
        Self::SameIdentityTwice,
        Self::ReenrolNewKey,
        Self::Revoked,
        Self::PostingChanged,
        Self::RoleChanged,
        Self::DotReuse,
        Self::UnknownContent,
        Self::LostAck,
        Self::OversizedBatch,
        Self::PoisonRecord,
    ];

    /// The subject that it belongs to.
    pub fn subject(self) -> Subject {
        let place = Self::ALL.iter().position(|kind| *kind == self).unwrap_or(0);
        match place {
            0..5 => Subject::Process,
            5..20 => Subject::Storage,
            20..33 => Subject::Network,
            33..39 => Subject::Time,
            39..45 => Subject::Identity,
            45 => Subject::Version,
            _ => Subject::Delivery,
        }
    }

    /// Its name on a command line and in a summary.
    pub fn name(self) -> &'static str {
        match self {
            Self::BandwidthCap => "bandwidth-cap",
            Self::BitFlip => "bit-flip",
            Self::BurstLoss => "burst-loss",
            Self::CancelledSession => "cancelled-session",
            Self::ClockFrozen => "clock-frozen",
            Self::ClockJumpBack => "clock-jump-back",
            Self::ClockJumpForward => "clock-jump-forward",
            Self::ClockReset => "clock-reset",
            Self::ClockSkew => "clock-skew",
            Self::Delay => "delay",
            Self::DeviceRestored => "device-restored",
            Self::DiskFull => "disk-full",
            Self::DotReuse => "dot-reuse",
            Self::Duplication => "duplication",
            Self::KillAtOp => "kill-at-op",
            Self::KillInRecovery => "kill-in-recovery",
            Self::KillInWrite => "kill-in-write",
            Self::LoseUnsynced => "lose-unsynced",
            Self::LostAck => "lost-ack",
            Self::LyingSync => "lying-sync",
            Self::MisdirectedWrite => "misdirected-write",
            Self::MissingFile => "missing-file",
            Self::MonotonicStops => "monotonic-stops",
            Self::OversizedBatch => "oversized-batch",
            Self::PartitionBoth => "partition-both",
            Self::PartitionOneWay => "partition-one-way",
            Self::PoisonRecord => "poison-record",
            Self::PostingChanged => "posting-changed",
            Self::Rebind => "rebind",
            Self::ReenrolNewKey => "reenrol-new-key",
            Self::Reorder => "reorder",
            Self::ReorderUnsynced => "reorder-unsynced",
            Self::Revoked => "revoked",
            Self::RoleChanged => "role-changed",
            Self::SameIdentityTwice => "same-identity-twice",
            Self::ServerRestored => "server-restored",
            Self::ServerRolledBack => "server-rolled-back",
            Self::StalledDisk => "stalled-disk",
            Self::StatelessReset => "stateless-reset",
            Self::StoreCloned => "store-cloned",
            Self::StreamReset => "stream-reset",
            Self::Suspend => "suspend",
            Self::SwizzleClog => "swizzle-clog",
            Self::SyncErrorOnce => "sync-error-once",
            Self::TornWrite => "torn-write",
            Self::TruncatedFile => "truncated-file",
            Self::UdpBlocked => "udp-blocked",
            Self::UniformLoss => "uniform-loss",
            Self::UnknownContent => "unknown-content",
        }
    }

    /// The kind of a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// What it does, in one sentence.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::BandwidthCap => "the link carries 30 kbit/s, so that one run takes seconds",
            Self::BitFlip => "one bit of a closed store's file flips",
            Self::BurstLoss => "packets are lost in bursts: the link stalls and recovers",
            Self::CancelledSession => "the session's task is dropped while operations are under way",
            Self::ClockFrozen => "a clock stands still for hours",
            Self::ClockJumpBack => "a clock jumps back by minutes to a day",
            Self::ClockJumpForward => "a clock jumps forward by minutes to a year",
            Self::ClockReset => "a clock starts again at 1970",
            Self::ClockSkew => "a clock is wrong by a constant, up to ten years",
            Self::Delay => "round trips up to 600 ms, with jitter",
            Self::DeviceRestored => "a device's store is put back from an earlier copy; its anchor is not",
            Self::DiskFull => "the disk takes no more until it is freed",
            Self::DotReuse => {
                "store and anchor go back together: only the server can see entry numbers used twice"
            }
            Self::Duplication => "frames of a broken connection are sent again on the next",
            Self::KillAtOp => "the process dies between two operations of its disk",
            Self::KillInRecovery => "the process dies while its store is opened",
            Self::KillInWrite => "the process dies inside a write",
            Self::LoseUnsynced => "power goes: what was not synced is lost, each sector by chance",
            Self::LostAck => "the connection breaks while a receipt is on its way",
            Self::LyingSync => "a sync says Ok and does nothing (fault-atlas rule off only)",
            Self::MisdirectedWrite => "a write lands in another place of its file",
            Self::MissingFile => "a file of a closed store is gone",
            Self::MonotonicStops => "timers stop while the device sleeps",
            Self::OversizedBatch => "entries as large as the format allows",
            Self::PartitionBoth => "nothing passes in either direction",
            Self::PartitionOneWay => "nothing passes in one direction",
            Self::PoisonRecord => "an entry that the server's rules do not take",
            Self::PostingChanged => "a posting begins or ends while sessions are open",
            Self::Rebind => "the path is forgotten: the link stalls until it is dialled again",
            Self::ReenrolNewKey => "an officer enrols anew with a new key",
            Self::Reorder => "two connections of one device: what is sent first arrives last",
            Self::ReorderUnsynced => "unsynced writes reach the disk in another order",
            Self::Revoked => "an enrolment is revoked while its session is open",
            Self::RoleChanged => "an officer's role changes while sessions are open",
            Self::SameIdentityTwice => "one identity in two places, in session at once",
            Self::ServerRestored => "the server is restored from a backup and mints an epoch",
            Self::ServerRolledBack => "the server's disk is rolled back and nothing says so",
            Self::StalledDisk => "a disk answers after half a minute",
            Self::StatelessReset => "the connection is gone without a word",
            Self::StoreCloned => "folder and anchor are copied, and both copies run",
            Self::StreamReset => "the stream ends in the middle of a frame",
            Self::Suspend => "the device sleeps, from a millisecond to two weeks",
            Self::SwizzleClog => "links are cut and mended one by one in random order",
            Self::SyncErrorOnce => "a sync fails once",
            Self::TornWrite => "the last unsynced write is torn",
            Self::TruncatedFile => "a file of a closed store is cut short",
            Self::UdpBlocked => "no packet passes for hours, and every dial fails",
            Self::UniformLoss => "packets are lost evenly: the link is slow",
            Self::UnknownContent => "a newer client writes families, fields and codes unknown here",
        }
    }
}

/// What a fault is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// Processes die, sleep and are cancelled.
    Process,
    /// Disks and stores.
    Storage,
    /// Links.
    Network,
    /// Clocks and timers.
    Time,
    /// Who is who, and who may what.
    Identity,
    /// Old and new builds together.
    Version,
    /// What arrives how often and in what shape.
    Delivery,
}

/// A fault that does not apply to what is built, and why.
#[derive(Clone, Copy, Debug)]
pub struct NotYet {
    /// The subject.
    pub subject: Subject,
    /// The fault.
    pub name: &'static str,
    /// Why it is not simulated.
    pub reason: &'static str,
}

/// The faults of the design that are not simulated.
pub const NOT_YET: &[NotYet] = &[
    NotYet {
        subject: Subject::Process,
        name: "out of memory at an allocation",
        reason: "a failed allocation ends a Rust process: the simulator shows it as kill-at-op and kill-in-write",
    },
    NotYet {
        subject: Subject::Storage,
        name: "misdirected read",
        reason: "a file is read once, when a store is opened: it shows as bit-flip and misdirected-write do",
    },
    NotYet {
        subject: Subject::Time,
        name: "certificate validity crossed mid-session",
        reason: "certificates end with the transport, which is not in this world: see the tests of the transport",
    },
    NotYet {
        subject: Subject::Identity,
        name: "certificate rotated mid-sync",
        reason: "certificates are not renewed yet: an officer enrols anew (reenrol-new-key)",
    },
    NotYet {
        subject: Subject::Version,
        name: "earlier client, earlier server, downgrade, migration",
        reason: "there is one protocol and one store format so far",
    },
    NotYet {
        subject: Subject::Version,
        name: "servers of several builds",
        reason: "one server for a force",
    },
    NotYet {
        subject: Subject::Delivery,
        name: "partial batch applied",
        reason: "a commit is one journal frame: kill-in-write and stream-reset try to split it",
    },
    NotYet {
        subject: Subject::Delivery,
        name: "stale session ticket, 0-RTT replay",
        reason: "0-RTT is switched off on both sides",
    },
    NotYet {
        subject: Subject::Delivery,
        name: "one batch to two servers, commit outcome unknown",
        reason: "one server for a force",
    },
];

#[cfg(test)]
mod tests;
