//! Facts: what observers are told, each as one readable line of a story.
//!
//! A fact is told when it is true and durable, in the order in which things happen. Debug and Display show record data
//! by length and short hash only.

use beatbook_proto::frame::BookPosition;
use beatbook_proto::{
    CloseCode, Cursor, Dot, EnrolmentId, Entry, EpochId, OfficerId, RecordId, ReplicaId, ReplicaKind,
    RevisionKind, SealHash, Verdict, VersionVector,
};

use crate::fault::FaultKind;

mod show;

pub use show::kind_word;

/// A device of a world. Copies and new enrolments get numbers of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceIndex(pub usize);

/// A session of a world, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionIndex(pub u64);

/// Where something happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Site {
    /// On a device.
    Device(DeviceIndex),
    /// At the server.
    Server,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// Number of the event that it is part of.
    pub event: u64,
    /// True time, milliseconds since 1970.
    pub at_ms: i64,
    /// What happened.
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum What {
    /// The server made a backup and verified it: what it covers is secured.
    BackedUp {
        /// Books and how far they are covered.
        positions: Vec<(ReplicaId, u64)>,
    },
    /// A store opened books, because it is new or because it went back in time.
    BooksOpened {
        /// The device.
        device: DeviceIndex,
        /// Book and trace.
        replicas: [ReplicaId; 2],
        /// Why.
        why: OpenedWhy,
    },
    /// The app was told that a session has nothing left to do.
    CaughtUp {
        /// The device.
        device: DeviceIndex,
    },
    /// A device's clock was moved. Nothing but displayed times may follow from it.
    ClockMoved {
        /// Whose.
        site: Site,
        /// By how much, milliseconds; what it shows from here on is true time plus all of these.
        by_ms: i64,
    },
    /// A device shows a record in two versions.
    ConflictShown {
        /// The device.
        device: DeviceIndex,
        /// The record.
        record: RecordId,
    },
    /// A device's folder and anchor were copied to another machine, which runs too.
    Copied {
        /// The original.
        from: DeviceIndex,
        /// The copy.
        to: DeviceIndex,
    },
    /// A process died, or power went.
    Crashed {
        /// Whose.
        site: Site,
        /// True if power went: what was not synced may be lost.
        power: bool,
    },
    /// A store was found damaged, and said so.
    DamageNoticed {
        /// Whose.
        site: Site,
        /// What it said.
        said: String,
    },
    /// A fault has destroyed the last copies of acknowledged entries. Only where the fault-atlas rule is off; it has
    /// to be detected.
    Destroyed {
        /// Where.
        site: Site,
        /// The entries, under the dots that they were acknowledged with.
        dots: Vec<Dot>,
    },
    /// The server began another life of its log.
    EpochMinted {
        /// The new epoch.
        epoch: EpochId,
        /// True if nobody ordered it: the server noticed by itself that it had gone back.
        by_itself: bool,
    },
    /// A fault was injected.
    FaultInjected {
        /// The kind.
        kind: FaultKind,
        /// Where.
        site: Site,
        /// What it did, for the story.
        detail: String,
    },
    /// A device keeps a stretch of a feed: it is durable there.
    FeedKept {
        /// The device.
        device: DeviceIndex,
        /// The place after it.
        cursor: Cursor,
        /// Entries that came with it, whether new or not.
        dots: Vec<Dot>,
        /// Records of which it says that they left the scope.
        left: Vec<RecordId>,
    },
    /// The server read a stretch of a feed for a session. It may wait for the link until it is sent.
    FeedRead {
        /// The session.
        session: SessionIndex,
        /// The device.
        device: DeviceIndex,
        /// The place after it.
        cursor: Cursor,
        /// Entries that go with it.
        dots: Vec<Dot>,
        /// Those of them that no step names.
        beside: Vec<Dot>,
    },
    /// The server handed a feed to the transport: what it holds is durable at the server.
    FeedSent {
        /// The session.
        session: SessionIndex,
        /// The device.
        device: DeviceIndex,
        /// The place after it.
        cursor: Cursor,
        /// Entries that go with it.
        dots: Vec<Dot>,
        /// Those of them that no step names: they are of a run that goes whole.
        beside: Vec<Dot>,
    },
    /// The server told a device that it knows another history of its book; new books are open.
    Forked {
        /// The device.
        device: DeviceIndex,
        /// The books of which the server knows another history.
        replicas: Vec<ReplicaId>,
    },
    /// A device is used no more: lost, replaced, or its enrolment revoked.
    GivenUp {
        /// The device.
        device: DeviceIndex,
    },
    /// The server answered a device's greeting: this is durable there.
    Greeted {
        /// The device.
        device: DeviceIndex,
        /// Each of its books that both of them know.
        books: Vec<Compared>,
    },
    /// Faults have stopped and links are good. What follows is what healing takes.
    HealingBegan,
    /// A lease of entry numbers was raised in the anchor.
    LeaseRaised {
        /// The device.
        device: DeviceIndex,
        /// The book.
        replica: ReplicaId,
        /// Up to which entry.
        upto: u64,
    },
    /// Records left a device.
    Purged {
        /// The device.
        device: DeviceIndex,
        /// The records.
        records: Vec<RecordId>,
    },
    /// Everyone has synced until nothing was left to say.
    Quiet {
        /// Sessions that healing took.
        sessions: u64,
        /// Simulated time that it took, milliseconds.
        took_ms: i64,
    },
    /// A device keeps a receipt.
    Receipted {
        /// The device.
        device: DeviceIndex,
        /// The book.
        replica: ReplicaId,
        /// Up to which entry.
        upto: u64,
        /// True if the server holds other entries under dots of this book.
        taken: bool,
    },
    /// The server handed a receipt to the transport: its run is durable.
    ReceiptSent {
        /// The session.
        session: SessionIndex,
        /// The book.
        replica: ReplicaId,
        /// The first entry of the run, and the last.
        run: (u64, u64),
        /// Entries of it that are not simply kept.
        verdicts: Vec<Verdict>,
        /// Of these, as they were sent, those whose dots are said to be taken.
        apart: Vec<(Dot, Entry)>,
    },
    /// The register changed.
    RegisterChanged {
        /// How.
        change: RegisterChange,
    },
    /// A device re-issued entries of closed books.
    Reissued {
        /// The device.
        device: DeviceIndex,
        /// How many.
        entries: u64,
    },
    /// A store was opened.
    Reopened {
        /// Whose.
        site: Site,
        /// What the open report says of the journal, the index and the anchor.
        report: String,
    },
    /// A store did not open.
    OpenRefused {
        /// Whose.
        site: Site,
        /// What it said.
        said: String,
    },
    /// A damaged store was repaired.
    Repaired {
        /// Whose.
        site: Site,
        /// How many things were mended.
        mended: usize,
        /// True if something is in no copy that it has.
        lost: bool,
    },
    /// A store was put back from an earlier durable copy of itself, or a fault has cut it down to what it was.
    Restored {
        /// Whose.
        site: Site,
        /// When the copy was made, milliseconds since 1970.
        copied_at_ms: i64,
        /// True if the anchor went back with it (a device), or if nothing says so (the server).
        unnoticed: bool,
    },
    /// An own book is sent again, because the server went back in time.
    Rewound {
        /// The device.
        device: DeviceIndex,
        /// The book.
        replica: ReplicaId,
        /// From after this entry on.
        after: u64,
    },
    /// The server handed a run of the peer's to the store and it was durable.
    RunAccepted {
        /// The session.
        session: SessionIndex,
        /// The device.
        device: DeviceIndex,
        /// The book.
        replica: ReplicaId,
        /// The first entry of the run, and the last.
        run: (u64, u64),
    },
    /// The app was told that entries are safe.
    SafeShown {
        /// The device.
        device: DeviceIndex,
        /// The book.
        replica: ReplicaId,
        /// Up to which entry.
        upto: u64,
    },
    /// A device dialled.
    SessionBegan {
        /// The session.
        session: SessionIndex,
        /// The device.
        device: DeviceIndex,
        /// True if it means to stay.
        live: bool,
    },
    /// A side learnt that a session is over.
    SessionEnded {
        /// The session.
        session: SessionIndex,
        /// The device.
        device: DeviceIndex,
        /// True if this is the server's side.
        at_server: bool,
        /// How.
        end: SessionEnd,
    },
    /// The story of a cell of the restore matrix goes on.
    Staged {
        /// How.
        said: String,
    },
    /// Standings changed at the server after the receipt, and the device keeps them.
    VerdictsKept {
        /// The device.
        device: DeviceIndex,
        /// The book.
        replica: ReplicaId,
        /// How its entries stand.
        verdicts: Vec<Verdict>,
    },
    /// A run was cut off: a write was refused, and nothing was written.
    WriteRefused {
        /// The device.
        device: DeviceIndex,
        /// The record, if one was to be changed.
        record: Option<RecordId>,
        /// Why.
        said: String,
    },
    /// An entry was written and acknowledged to the officer: it is durable on the device.
    Wrote(Box<Wrote>),
    /// A write was under way when the process died: it may be durable or not, nobody was told.
    WroteUntold {
        /// The device.
        device: DeviceIndex,
    },
}

/// An entry that was acknowledged.
#[derive(Clone, PartialEq, Eq)]
pub struct Wrote {
    /// The device.
    pub device: DeviceIndex,
    /// Its officer.
    pub officer: OfficerId,
    /// The entry.
    pub dot: Dot,
    /// The record it belongs to.
    pub record: RecordId,
    /// What it does.
    pub kind: RevisionKind,
    /// Book or trace.
    pub log: ReplicaKind,
    /// What its author had read of the record, by its own word; empty where it founds one.
    pub context: VersionVector,
    /// What the screen showed of the record from which it was written; empty where it founds one.
    pub read: VersionVector,
    /// The bytes; header and body decode.
    pub entry: Entry,
    /// A text in the entry that is nowhere else in the world.
    pub token: String,
    /// True where the server's rules do not take it: it goes to quarantine.
    pub poison: bool,
}

/// A book as a device claimed it and as the server answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compared {
    /// The last sealed entry that the device claimed, and its seal.
    pub claimed: (u64, SealHash),
    /// What the server answered.
    pub answered: BookPosition,
}

/// Why books were opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenedWhy {
    /// The anchor outside the store disagrees with it, or is gone.
    AnchorMismatch,
    /// A number above its lease was found.
    BeyondLease,
    /// The store is new.
    FirstUse,
    /// A repair of the store lost something.
    Repaired,
    /// The server holds other entries under dots of its books.
    TakenAtServer,
}

/// How the register changed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RegisterChange {
    /// An officer has a new device.
    Enrolled {
        /// The device.
        device: DeviceIndex,
        /// Its enrolment.
        enrolment: EnrolmentId,
    },
    /// An officer's posting is another from here on.
    Posted {
        /// The officer.
        officer: OfficerId,
        /// The beats.
        beats: Vec<String>,
    },
    /// An enrolment was revoked.
    Revoked {
        /// The enrolment.
        enrolment: EnrolmentId,
    },
    /// An officer's role is another from here on.
    Role {
        /// The officer.
        officer: OfficerId,
        /// The role.
        role: String,
    },
}

/// How a session ended on one side.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionEnd {
    /// It was dropped with the task or the process that held it.
    Dropped,
    /// The connection is gone.
    Lost,
    /// The other side's close arrived.
    ByPeer(CloseCode),
    /// This side closed in good order.
    Done(CloseCode),
    /// The peer broke the protocol, or the store failed.
    Failed {
        /// The code told to the peer.
        code: CloseCode,
        /// What was wrong.
        said: String,
    },
}
