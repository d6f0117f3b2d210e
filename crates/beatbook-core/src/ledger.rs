//! The ledger: what a store holds, and every rule about how it may change.
//!
//! Each operation works inside a [`Transaction`] and decides; the store makes the result durable as a whole.
//! Device and server share the rules; only publishing to feeds is the server's.

use alloc::string::String;
use alloc::vec::Vec;

use beatbook_proto::codec::{self, CodecError};
use beatbook_proto::limits::UNPACKED_BYTES_MAX;
use beatbook_proto::{
    Code, Dot, Entry, Opening, ProofError, RecordId, ReplicaId, ReplicaKind, Revision, RevisionKind, Salt,
    Seal, SealClaim, SealHash, SignatureError, Standing, Verdict,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::keys;
use crate::merge::Head;
use crate::store::{Read, StoreError, Table, Transaction};

mod accept;
mod apart;
mod fold;
mod gather;
mod publish;
mod read;
mod reissue;
mod seal;
mod stretch;
mod write;

pub use accept::{Accepted, Check, CheckNothing, Intake};
pub use gather::{FeedBatch, FeedReader, Stretches, read_feed};
pub use publish::{FeedEnd, FeedRecord, FeedStep, scopes_of};
pub use read::{
    History, HistoryEntry, Status, book_named, books, heads, history, log, own_books, quarantined,
    record_name, status,
};
pub use seal::{Founded, PartRecord, book_part, next_run, seal_pending};
pub use stretch::{entry, remove_entry, save_entry};
pub use write::{Draft, Identity, ReadToken, Written, open_books, void_or_refuse, write};

pub(crate) use accept::{accept_entries, accept_run_entries, give_up, is_taken, quarantine_taken};
pub(crate) use apart::{apart, displace, is_issued_again, keep_apart, original_of};
pub(crate) use gather::FEED_STEPS_MAX;
pub(crate) use publish::{feed_hash_at, feed_nonce_at, feed_sequence_at, publish, scopes_founded};
pub use reissue::as_folded;
pub(crate) use reissue::{alias, envelope_header, fold_reissue, is_reissued};
pub(crate) use seal::{
    drop_other_seals, holding_part, is_known_seal, keep_leaves, part_of, proof_of, put_part, seal_ending_at,
};
pub(crate) use stretch::each_held;
pub(crate) use write::{open_book, open_replicas};

/// Why an operation on the ledger was refused. Nothing was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A value is over a limit of the format; make it smaller.
    #[error("the entry is over a limit of the format: make it smaller or split it")]
    TooLarge(CodecError),
    /// What a peer sent does not prove itself.
    #[error("a peer's entries do not prove themselves: {0}")]
    Proof(#[from] ProofError),
    /// Signing failed.
    #[error("the device's key could not sign: {0}")]
    Signing(#[from] SignatureError),
    /// No open book on this device: enrol it first.
    #[error("no book is open on this device: enrol it first")]
    NoBook,
    /// The record is not on this device.
    #[error("record {0} is not on this device")]
    NoSuchRecord(RecordId),
    /// Two versions of the record exist; only a resolution may follow.
    #[error("two versions of record {0} exist: resolve them first")]
    Conflicted(RecordId),
    /// There is nothing to resolve.
    #[error("record {0} has no two versions to resolve")]
    NoConflict(RecordId),
    /// A resolution has to name every version that stands.
    #[error("the resolution of record {0} does not name every version that stands: read it again")]
    NotAllSettled(RecordId),
    /// The law of the notebook asks for a reason here.
    #[error("a reason is required: say why the entry is changed")]
    ReasonMissing,
    /// A signed entry is amended or struck, never voided.
    #[error("record {0} is signed or was amended by another: amend or strike it, it cannot be voided")]
    NotADraft(RecordId),
    /// The record was touched by more replicas than a context holds.
    #[error("record {0} was changed by too many books: found a new record and link it")]
    ContextFull(RecordId),
    /// The record left the scopes of this device; it is kept for the own work in it and cannot change here.
    #[error("record {0} is no longer on your beats: it can be read here, not changed")]
    Frozen(RecordId),
    /// A frame of the peer contradicts what it must be.
    #[error("the peer misbehaved: {0}")]
    PeerMisbehaved(&'static str),
}

/// What is known of a book or trace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Book {
    /// How it was opened; names officer, enrolment and key.
    pub opening: Opening,
    /// True where it was opened on this device.
    pub own: bool,
    /// True when nothing more may be written in it here (its store went back in time).
    pub closed: bool,
    /// The highest entry held without a gap before it.
    pub held: u64,
    /// The highest entry covered by a seal held, without a gap before it.
    pub sealed: u64,
    /// The hash of that seal.
    pub seal: SealHash,
    /// The highest entry the server gave a receipt for (device).
    pub receipted: u64,
    /// When, by the server's clock (device).
    pub receipted_at_ms: i64,
    /// The highest entry covered by a verified backup or a second node.
    pub secured: u64,
    /// The label given by the server, such as `B07`.
    pub label: Option<Code>,
    /// Entries that are not simply kept, by the server's word.
    pub verdicts: Vec<Verdict>,
    /// True once any entry was not simply kept: the peer is told of changes.
    pub had_verdicts: bool,
    /// Up to which entry the server is known not to lack anything, once the book is closed: the rest was re-issued.
    pub settled: u64,
}

impl Book {
    /// A book of which nothing is held yet.
    pub fn new(opening: Opening, own: bool) -> Self {
        Self {
            opening,
            own,
            closed: false,
            held: 0,
            sealed: 0,
            seal: SealClaim::NO_SEAL,
            receipted: 0,
            receipted_at_ms: 0,
            secured: 0,
            label: None,
            verdicts: Vec::new(),
            had_verdicts: false,
            settled: 0,
        }
    }

    /// The replica.
    pub fn replica(&self) -> ReplicaId {
        self.opening.replica
    }

    /// Book or trace.
    pub fn kind(&self) -> ReplicaKind {
        self.opening.kind
    }

    /// How officers know an entry of it: `B07/118`, before the first contact `new-3f2a/118`.
    pub fn reference(&self, counter: u64) -> String {
        match &self.label {
            Some(label) => alloc::format!("{label}/{counter}"),
            None => alloc::format!("new-{}/{counter}", self.replica().short()),
        }
    }

    pub(crate) fn set_verdict(&mut self, counter: u64, standing: Standing) {
        self.verdicts.retain(|verdict| verdict.counter != counter);
        if standing != Standing::KEPT {
            let place = self.verdicts.partition_point(|verdict| verdict.counter < counter);
            self.verdicts.insert(place, Verdict { counter, standing });
            self.had_verdicts = true;
        }
    }
}

/// An entry as it is held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredEntry {
    /// The bytes.
    pub entry: Entry,
    /// Its salt, where it came in a part: the salts of a whole run derive from its secret.
    pub salt: Option<Salt>,
    /// How it stands here.
    pub standing: Standing,
    /// The server's sequence number of its acceptance. On a device: [`StoredEntry::AT_SERVER`] for an entry of an own
    /// closed book that the server is known to hold, else 0.
    pub sequence: u64,
    /// When the server received it, by the server's clock (server only).
    pub received_at_ms: i64,
}

impl StoredEntry {
    /// Stands for a sequence number that the device was not told.
    pub const AT_SERVER: u64 = u64::MAX;
}

/// An entry held apart under a dot that another entry has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuarantinedEntry {
    /// The dot that it claims.
    pub dot: Dot,
    /// The bytes.
    pub entry: Entry,
    /// Its salt.
    pub salt: Salt,
    /// The seal that it came under.
    pub seal: Seal,
    /// When the server received it.
    pub received_at_ms: i64,
}

/// What re-issuing recorded of an entry: the dot it has now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alias {
    /// The dot it was re-issued under.
    pub now: Dot,
    /// The original book's earlier entry on the same record, 0 if none.
    pub prior: u64,
}

/// Reads and decodes one value.
pub(crate) fn load<T: DeserializeOwned>(
    read: &dyn Read,
    table: Table,
    key: &[u8],
) -> Result<Option<T>, StoreError> {
    read.get(table, key)?
        .map(|bytes| decode(table, &bytes))
        .transpose()
}

/// Decodes a stored value.
pub(crate) fn decode<T: DeserializeOwned>(table: Table, bytes: &[u8]) -> Result<T, StoreError> {
    codec::decode(bytes).map_err(|_| StoreError::Corrupt {
        table: table as u8,
        what: "value does not decode",
    })
}

/// Encodes and writes one value.
pub(crate) fn save<T: Serialize>(
    tx: &mut Transaction<'_>,
    table: Table,
    key: Vec<u8>,
    value: &T,
) -> Result<(), LedgerError> {
    tx.put(table, key, codec::encode(value).map_err(LedgerError::TooLarge)?);
    Ok(())
}

/// Reads a book.
pub fn book(read: &dyn Read, replica: ReplicaId) -> Result<Option<Book>, StoreError> {
    load(read, Table::Books, &keys::book(replica))
}

pub(crate) fn save_book(tx: &mut Transaction<'_>, book: &Book) -> Result<(), LedgerError> {
    save(tx, Table::Books, keys::book(book.replica()), book)
}

/// Reads the merged state of a record.
///
/// A record of one revision has no row of its own: its head is that revision.
pub fn head(read: &dyn Read, record: RecordId) -> Result<Option<Head>, StoreError> {
    match load(read, Table::Heads, &keys::entry(record))? {
        Some(head) => Ok(Some(head)),
        None => founding_head(read, record),
    }
}

/// As [`head`], for a record whose founding entry is at hand and kept.
pub(crate) fn head_with(read: &dyn Read, founder: Dot, entry: &Entry) -> Result<Option<Head>, StoreError> {
    match load(read, Table::Heads, &keys::entry(founder))? {
        Some(head) => Ok(Some(head)),
        None => head_of_founder(read, founder, entry),
    }
}

/// The head of a record of which only the founding entry is held.
fn founding_head(read: &dyn Read, record: RecordId) -> Result<Option<Head>, StoreError> {
    let Some(stored) = entry(read, record)?.filter(|stored| stored.standing == Standing::KEPT) else {
        return Ok(None);
    };
    head_of_founder(read, record, &stored.entry)
}

/// The head that a founding entry makes alone; `None` for any other entry, and where it was re-issued.
pub(crate) fn head_of_founder(read: &dyn Read, dot: Dot, entry: &Entry) -> Result<Option<Head>, StoreError> {
    let founds = |header: &beatbook_proto::Header| {
        header.record.is_none() && !matches!(header.kind, RevisionKind::OPEN | RevisionKind::REISSUE)
    };
    if !entry.header().as_ref().is_ok_and(founds) || reissue::alias(read, dot)?.is_some() {
        return Ok(None);
    }
    let Ok(revision) = Revision::read(dot, entry) else {
        return Ok(None);
    };
    let mut head = Head::found(&revision);
    if let Some(head) = &mut head {
        head.scopes = scopes_of(head);
    }
    Ok(head)
}

pub(crate) fn save_head(tx: &mut Transaction<'_>, head: &Head) -> Result<(), LedgerError> {
    let bytes = codec::encode(head).map_err(LedgerError::TooLarge)?;
    if bytes.len() > UNPACKED_BYTES_MAX {
        return Err(LedgerError::TooLarge(CodecError::TooLarge));
    }
    tx.put(Table::Heads, keys::entry(head.record), bytes);
    Ok(())
}

/// The accepted revisions of a record as they are folded, in order: re-issued ones translated.
pub fn revisions(read: &dyn Read, head: &Head) -> Result<Vec<Revision>, StoreError> {
    let mut revisions = Vec::with_capacity(head.revisions.len());
    for (_, dot) in &head.revisions {
        let missing = StoreError::Corrupt {
            table: Table::Entries as u8,
            what: "a folded entry is not held",
        };
        let stored = entry(read, *dot)?.ok_or(missing)?;
        let unreadable = StoreError::Corrupt {
            table: Table::Entries as u8,
            what: "a folded entry does not decode",
        };
        revisions.push(reissue::as_folded(read, *dot, &stored.entry)?.ok_or(unreadable)?);
    }
    Ok(revisions)
}

/// Reads a small named value.
pub(crate) fn meta<T: DeserializeOwned>(read: &dyn Read, name: &str) -> Result<Option<T>, StoreError> {
    load(read, Table::Meta, name.as_bytes())
}

/// Writes a small named value.
pub(crate) fn save_meta<T: Serialize>(
    tx: &mut Transaction<'_>,
    name: &str,
    value: &T,
) -> Result<(), LedgerError> {
    save(tx, Table::Meta, name.as_bytes().to_vec(), value)
}
