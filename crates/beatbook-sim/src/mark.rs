//! Marks: points that a run has to reach over many seeds. One that is never reached is a hole in the simulator.

/// A point worth reaching.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mark {
    /// An amendment was refused because two versions stood.
    AmendRefusedOnConflict,
    /// A store was opened and its anchor did not match.
    AnchorMismatch,
    /// Versions merged by themselves.
    AutoMerged,
    /// A conflict was settled by a person while offline.
    ConflictResolvedOffline,
    /// A conflict was shown on a device.
    ConflictShown,
    /// A damaged file was noticed.
    DamageNoticed,
    /// A write was refused because the disk was full, and went through later.
    DiskFullThenWritten,
    /// An entry was held apart because its dot was taken.
    DotTaken,
    /// What was already held came again.
    DuplicateRun,
    /// Both ends of a session learnt of a cut at different times.
    EndHeardLate,
    /// The server noticed by itself that it had gone back.
    EpochMintedByItself,
    /// A fault had cut a store, and it opened with less than it had held.
    FellBack,
    /// A device heard that the server knows another history of its book.
    ForkNoticed,
    /// Several sessions shared one commit.
    GroupCommit,
    /// An index was made anew from the journal.
    IndexRebuilt,
    /// A process died while it opened its store.
    KilledInRecovery,
    /// A lease was raised.
    LeaseRaised,
    /// A session stayed open and was fed as things happened.
    LiveFed,
    /// A device in session heard a revocation.
    NotAdmitted,
    /// Others' entries were offered back to a server that lacked them.
    Offered,
    /// A record left a device.
    Purged,
    /// An entry was quarantined.
    Quarantined,
    /// A receipt was made and never arrived.
    ReceiptLost,
    /// Entries were re-issued in another book.
    Reissued,
    /// A damaged store was repaired.
    Repaired,
    /// What a torn tail left was cut, and the rest replayed.
    ReplayedAfterTornTail,
    /// An own book was sent again from an earlier entry.
    Rewound,
    /// A server stored a run and died before it could say so.
    ServerDiedAfterCommit,
    /// A backup was made, and entries were marked as secured.
    Secured,
    /// A session ended in the middle of a frame.
    SessionCutMidFrame,
    /// A session was told to come back because what it may read had changed.
    SessionToldToReturn,
    /// Two sessions of one enrolment were open at once.
    TwoSessionsOfOne,
    /// What a newer client wrote came back whole.
    UnknownContentKept,
    /// An entry waited for its predecessor.
    Waiting,
    /// A device wrote while its session was open, and the session sent it.
    WroteWhileLive,
}

impl Mark {
    /// Every mark.
    pub const ALL: [Self; 35] = [
        Self::AmendRefusedOnConflict,
        Self::AnchorMismatch,
        Self::AutoMerged,
        Self::ConflictResolvedOffline,
        Self::ConflictShown,
        Self::DamageNoticed,
        Self::DiskFullThenWritten,
        Self::DotTaken,
        Self::DuplicateRun,
        Self::EndHeardLate,
        Self::EpochMintedByItself,
        Self::FellBack,
        Self::ForkNoticed,
        Self::GroupCommit,
        Self::IndexRebuilt,
        Self::KilledInRecovery,
        Self::LeaseRaised,
        Self::LiveFed,
        Self::NotAdmitted,
        Self::Offered,
        Self::Purged,
        Self::Quarantined,
        Self::ReceiptLost,
        Self::Reissued,
        Self::Repaired,
        Self::ReplayedAfterTornTail,
        Self::Rewound,
        Self::ServerDiedAfterCommit,
        Self::Secured,
        Self::SessionCutMidFrame,
        Self::SessionToldToReturn,
        Self::TwoSessionsOfOne,
        Self::UnknownContentKept,
        Self::Waiting,
        Self::WroteWhileLive,
    ];
}

/// How often each mark was reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks(std::collections::BTreeMap<Mark, u64>);

impl Marks {
    /// Notes that a point was reached.
    pub fn reach(&mut self, mark: Mark) {
        *self.0.entry(mark).or_default() += 1;
    }

    /// Takes over what another world reached.
    pub fn add(&mut self, other: &Self) {
        for (mark, times) in &other.0 {
            *self.0.entry(*mark).or_default() += times;
        }
    }

    /// How often a mark was reached.
    pub fn times(&self, mark: Mark) -> u64 {
        self.0.get(&mark).copied().unwrap_or(0)
    }

    /// The marks that were never reached.
    pub fn missed(&self) -> Vec<Mark> {
        Mark::ALL
            .into_iter()
            .filter(|mark| self.times(*mark) == 0)
            .collect()
    }
}
