//! Planted bugs: defects that the simulator has to find, so that its word on the rest is worth something.
//!
//! Each stands at the place where the real mistake would be made. They are compiled in by `--cfg planted_bugs` alone, and
//! then chosen by `plant`, one at a time for a thread, as a simulated world runs in one; in any other build [`is_planted`] is a constant `false`.
//! Holds the list and the choice, not the defects.

#[cfg(planted_bugs)]
extern crate std;

macro_rules! bugs {
    ($($(#[doc = $doc:literal])+ $name:ident = $word:literal,)+) => {
        /// A defect that can be planted.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Bug {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Bug {
            /// Every one, in order of name.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The name that a command line knows it by.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)+
                }
            }

            /// What is wrong where it is planted.
            pub fn what(self) -> &'static str {
                match self {
                    $(Self::$name => concat!($($doc,)+).trim_ascii(),)+
                }
            }
        }
    };
}

bugs! {
    /// A reference to a re-issued entry is not translated to its new name.
    AliasIgnored = "alias-ignored",
    /// A plain amendment is let through where its author saw two versions, and settles them.
    AmendSettlesConflict = "amend-settles-conflict",
    /// A store that is an older copy of itself is taken for the newest.
    AnchorNotCompared = "anchor-not-compared",
    /// The wait before the next try doubles without an end.
    BackoffNeverEnds = "backoff-never-ends",
    /// The device is told that it has read everything before it has.
    CaughtUpTooEarly = "caught-up-too-early",
    /// A checkpoint says that the index is durable without making it so.
    CheckpointBeforeFlush = "checkpoint-before-flush",
    /// What was written by a clock before 2000 counts as older than anything.
    ClockDecides = "clock-decides",
    /// A cursor moves past entries of which some were left out.
    CursorBeforeEntries = "cursor-before-entries",
    /// A record that left the beat stays on the device.
    DepartedNotPurged = "departed-not-purged",
    /// Names in a folder are not made durable.
    DirectoryNotSynced = "directory-not-synced",
    /// A restored or copied store writes on in its old book.
    DotReusedAfterRestore = "dot-reused-after-restore",
    /// An entry that is held already is taken in once more.
    DuplicateAppliedTwice = "duplicate-applied-twice",
    /// A server restored from a backup goes on in its old epoch.
    EpochNotMinted = "epoch-not-minted",
    /// Some positions of a feed are never given out.
    FeedSkipsLateCommit = "feed-skips-late-commit",
    /// Another history of a book goes unnoticed at the greeting.
    ForkNotNoticed = "fork-not-noticed",
    /// The next run is sent from before the last one that went out.
    FrameOrderLost = "frame-order-lost",
    /// A write is acknowledged, or receipted, before it is durable.
    FsyncSkipped = "fsync-skipped",
    /// An fsync that failed counts as done.
    FsyncErrorIgnored = "fsync-error-ignored",
    /// Every job of a group is told that it is stored, whether the group was or not.
    GroupAcknowledgesFailure = "group-acknowledges-failure",
    /// A store that failed a durable write goes on.
    LatchForgotten = "latch-forgotten",
    /// Entry numbers are used without raising their lease in the anchor.
    LeaseNotRaised = "lease-not-raised",
    /// The content of what is written also goes to a file in the clear.
    PlaintextAtRest = "plaintext-at-rest",
    /// An entry under a taken dot is dropped instead of being set aside.
    QuarantineDropped = "quarantine-dropped",
    /// A run that is held already gets no receipt a second time.
    ReceiptNotResent = "receipt-not-resent",
    /// A re-issued entry loses what its author had read.
    ReissueDropsContext = "reissue-drops-context",
    /// The oldest entry that the server never saw is not re-issued.
    ReissueSkipsOne = "reissue-skips-one",
    /// A concurrent removal takes an added member away.
    RemoveWins = "remove-wins",
    /// The last commit in the journal is not replayed at open.
    ReplaySkipped = "replay-skipped",
    /// A revoked enrolment is still admitted.
    RevocationIgnored = "revocation-ignored",
    /// Books are not sent again to a server that went back in time.
    RewindForgotten = "rewind-forgotten",
    /// A server that was rolled back does not see it from the cursors of its readers.
    RollbackNotNoticed = "rollback-not-noticed",
    /// A posting that has ended still grants its beats.
    ScopeOutlivesPosting = "scope-outlives-posting",
    /// A record that moves is not taken out of the feed that it left.
    ScopeLeakOnMove = "scope-leak-on-move",
    /// A later value replaces a concurrent one.
    SiblingDropped = "sibling-dropped",
    /// A change made from an old reading counts as made from what stands now.
    StaleTokenCovers = "stale-token-covers",
    /// Concurrent changes of different fields are not seen as two versions.
    TipsForgotten = "tips-forgotten",
    /// A torn tail of the journal is left in place and written on behind.
    TornTailNotCut = "torn-tail-not-cut",
    /// Rows that the index has lost are not missed.
    TotalsNotChecked = "totals-not-checked",
    /// A verdict is not changed when what was waited for has come.
    VerdictNotReleased = "verdict-not-released",
    /// What an entry waits for is not noted, so its coming releases nothing.
    WaitingForgotten = "waiting-forgotten",
}

/// True where the defect is compiled in and chosen.
#[cfg(not(planted_bugs))]
#[inline]
pub const fn is_planted(_bug: Bug) -> bool {
    false
}

/// True where the defect is compiled in and chosen.
#[cfg(planted_bugs)]
#[inline]
pub fn is_planted(bug: Bug) -> bool {
    CHOSEN.get() == Some(bug)
}

/// Chooses the defect of this thread, or none.
#[cfg(planted_bugs)]
pub fn plant(bug: Option<Bug>) {
    CHOSEN.set(bug);
}

#[cfg(planted_bugs)]
std::thread_local! {
    static CHOSEN: core::cell::Cell<Option<Bug>> = const { core::cell::Cell::new(None) };
}
