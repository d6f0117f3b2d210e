//! Local writes: opening books, and turning a draft into the next entry of a book.

use alloc::vec::Vec;

use beatbook_proto::codec::CodecError;
use beatbook_proto::limits::{BODY_BYTES_MAX, CONTEXT_REPLICAS_MAX};
use beatbook_proto::{
    Body, Code, Dot, EnrolmentId, Entry, FieldId, FieldOp, Header, List, OfficerId, Opening, PublicKey,
    RecordId, ReplicaId, ReplicaKind, Revision, RevisionKind, Stamp, Standing, Text, VersionVector,
};
use serde::{Deserialize, Serialize};

use super::reissue::translate;
use super::{
    Book, LedgerError, StoredEntry, book, head, revisions, save_book, save_entry, save_head, save_meta,
};
use crate::keys;
use crate::merge::{Concurrency, Head, changes};
use crate::planted::{Bug, is_planted};
use crate::store::{Read, StoreError, Table, Transaction};

/// What an officer saw when reading a record: goes with the amendment, and becomes its context.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadToken {
    /// The record.
    pub record: RecordId,
    /// What was accepted of it when it was read.
    pub vector: VersionVector,
}

impl ReadToken {
    /// The token for what `head` shows.
    pub fn of(head: &Head) -> Self {
        Self {
            record: head.record,
            vector: head.vector.clone(),
        }
    }
}

/// A revision to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// Which of the enrolment's two logs it goes to.
    pub log: ReplicaKind,
    /// What was read; `None` to found a record.
    pub token: Option<ReadToken>,
    /// The family; that of the record where one is changed.
    pub family: Code,
    /// What it does.
    pub kind: RevisionKind,
    /// The schema version written under.
    pub schema: u16,
    /// The device's clock.
    pub recorded_at: Stamp,
    /// Why, where the kind asks for it.
    pub reason: Option<Text>,
    /// The operations, in order.
    pub ops: Vec<(FieldId, FieldOp)>,
}

/// A revision written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// The entry.
    pub dot: Dot,
    /// The record it belongs to.
    pub record: RecordId,
}

/// What a book is opened with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The force's two-digit code.
    pub force: Code,
    /// The officer.
    pub officer: OfficerId,
    /// The enrolment.
    pub enrolment: EnrolmentId,
    /// The enrolment's key.
    pub key: PublicKey,
}

/// Opens a book and a trace for the enrolment; all earlier ones are closed and become read-only history.
pub fn open_books(
    tx: &mut Transaction<'_>,
    identity: &Identity,
    replicas: [ReplicaId; 2],
    opened_at: Stamp,
) -> Result<(), LedgerError> {
    let earlier = open_replicas(tx)?;
    // Books that carry on what was re-issued are as old as the rest of the store.
    for mut own in super::own_books(tx)?.into_iter().filter(|own| !own.closed) {
        own.closed = true;
        save_book(tx, &own)?;
    }
    let [book, trace] = replicas;
    for (kind, replica) in [(ReplicaKind::Book, book), (ReplicaKind::Trace, trace)] {
        let follows = earlier.map(|open| open.of(kind));
        open_book(tx, identity, replica, kind, follows, opened_at)?;
    }
    save_meta(tx, OPEN_REPLICAS, &OpenReplicas { book, trace })
}

/// Opens one book or trace: writes its first entry.
pub(crate) fn open_book(
    tx: &mut Transaction<'_>,
    identity: &Identity,
    replica: ReplicaId,
    kind: ReplicaKind,
    follows: Option<ReplicaId>,
    opened_at: Stamp,
) -> Result<(), LedgerError> {
    let opening = Opening {
        domain: code(Opening::DOMAIN)?,
        force: identity.force.clone(),
        replica,
        kind,
        officer: identity.officer,
        enrolment: identity.enrolment,
        key: identity.key.clone(),
        follows,
        opened_at,
    };
    let header = Header {
        record: None,
        family: code(beatbook_proto::field::BOOK_FAMILY)?,
        kind: RevisionKind::OPEN,
        schema: 1,
        context: VersionVector::new(),
        prior: 0,
        lamport: 1,
        fields: List::default(),
    };
    let entry = Entry::new(&header, &opening).map_err(LedgerError::TooLarge)?;
    let mut opened = Book::new(opening, true);
    opened.held = 1;
    save_book(tx, &opened)?;
    save_entry(tx, Dot { replica, counter: 1 }, &own_entry(entry))
}

/// Writes a draft as the next entry of its log, and folds it into its record.
pub fn write(tx: &mut Transaction<'_>, draft: Draft) -> Result<Written, LedgerError> {
    let replica = open_replicas(tx)?.ok_or(LedgerError::NoBook)?.of(draft.log);
    let mut book = book(tx, replica)?.ok_or(LedgerError::NoBook)?;
    let dot = Dot {
        replica,
        counter: book.held + 1,
    };
    let reason = draft
        .reason
        .as_ref()
        .is_some_and(|reason| !reason.as_str().trim().is_empty());
    if draft.kind.needs_reason() && !reason {
        return Err(LedgerError::ReasonMissing);
    }
    let (standing, settles) = match &draft.token {
        None => (None, Vec::new()),
        Some(token) => {
            let token = renamed(tx, token, replica)?;
            let (head, settles) = check_change(tx, &draft, &token)?;
            if draft.kind == RevisionKind::VOID {
                void_or_refuse(&head, replica)?;
            }
            let read = match is_planted(Bug::StaleTokenCovers) {
                true => head.vector.clone(),
                false => token.vector,
            };
            (Some((head, read)), settles)
        }
    };
    let (revision, entry) = revision(dot, draft, standing.as_ref(), settles)?;
    let head = match standing {
        None => {
            Head::found(&revision).ok_or(LedgerError::PeerMisbehaved("a founding revision with a context"))?
        }
        Some((mut head, _)) => {
            let history = if head.is_fast_forward(&revision) {
                Vec::new()
            } else {
                revisions(tx, &head)?
            };
            let history: Vec<&Revision> = history.iter().collect();
            head.apply(&revision, &history)
                .ok_or(LedgerError::NoSuchRecord(head.record))?;
            head
        }
    };
    book.held = dot.counter;
    // A copy of this store may have given the dot before, and issued what it wrote again: here the dot names this entry.
    tx.remove(Table::Aliases, keys::entry(dot));
    save_entry(tx, dot, &own_entry(entry))?;
    if head.revisions.len() > 1 {
        save_head(tx, &head)?;
    }
    save_book(tx, &book)?;
    Ok(Written {
        dot,
        record: revision.record(),
    })
}

/// The revision that a draft becomes, and the bytes that it is kept as. `standing` is the record as it stands with
/// what the author had read of it.
fn revision(
    dot: Dot,
    draft: Draft,
    standing: Option<&(Head, VersionVector)>,
    settles: Vec<Dot>,
) -> Result<(Revision, Entry), LedgerError> {
    let header = Header {
        record: standing.map(|(head, _)| head.record),
        family: standing.map_or(draft.family, |(head, _)| head.family.clone()),
        kind: draft.kind,
        schema: draft.schema,
        lamport: 1 + standing.map_or(0, |(head, context)| lamport_of(head, context)),
        prior: standing.map_or(0, |(head, _)| head.prior(dot.replica)),
        context: standing.map(|(_, context)| context.clone()).unwrap_or_default(),
        fields: fields_of(&draft.ops),
    };
    let body = Body {
        recorded_at: draft.recorded_at,
        reason: draft.reason,
        settles: List(settles),
        ops: List(draft.ops),
    };
    let entry = Entry::new(&header, &body).map_err(LedgerError::TooLarge)?;
    if entry.byte_len() > ENTRY_BYTES_MAX {
        return Err(LedgerError::TooLarge(CodecError::TooLarge));
    }
    Ok((Revision { dot, header, body }, entry))
}

/// The token under the names that record and entries answer to by now: some may have been re-issued since it was read.
fn renamed(read: &dyn Read, token: &ReadToken, reader: ReplicaId) -> Result<ReadToken, StoreError> {
    Ok(ReadToken {
        record: super::record_name(read, token.record)?,
        vector: translate(
            read,
            &token.vector,
            reader,
            super::record_name(read, token.record)?,
        )?,
    })
}

/// Refuses to void what is signed, or what another book has changed.
pub fn void_or_refuse(head: &Head, replica: ReplicaId) -> Result<(), LedgerError> {
    let alone = head.revisions.iter().all(|(_, dot)| dot.replica == replica);
    if head.was_signed() || !alone {
        Err(LedgerError::NotADraft(head.record))
    } else {
        Ok(())
    }
}

/// The highest Lamport number among the revisions that `context` covers.
pub(crate) fn lamport_of(head: &Head, context: &VersionVector) -> u64 {
    let covered = head.revisions.iter().filter(|(_, dot)| context.covers(*dot));
    covered.map(|(lamport, _)| *lamport).max().unwrap_or(0)
}

/// The replicas written to on this device.
pub(crate) fn open_replicas(read: &dyn Read) -> Result<Option<OpenReplicas>, StoreError> {
    super::meta(read, OPEN_REPLICAS)
}

/// The open book and trace.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct OpenReplicas {
    book: ReplicaId,
    trace: ReplicaId,
}

impl OpenReplicas {
    pub(crate) fn of(self, kind: ReplicaKind) -> ReplicaId {
        match kind {
            ReplicaKind::Book => self.book,
            ReplicaKind::Trace => self.trace,
        }
    }
}

/// Checks a change against what its author had read; returns the record as it stands and what a resolution settles.
fn check_change(
    tx: &Transaction<'_>,
    draft: &Draft,
    token: &ReadToken,
) -> Result<(Head, Vec<Dot>), LedgerError> {
    let record = token.record;
    let head = head(tx, record)?.ok_or(LedgerError::NoSuchRecord(record))?;
    if head.frozen {
        return Err(LedgerError::Frozen(record));
    }
    if !head.vector.covers_all(&token.vector) {
        return Err(LedgerError::NoSuchRecord(record));
    }
    let replica = open_replicas(tx)?.ok_or(LedgerError::NoBook)?.of(draft.log);
    let another = usize::from(head.prior(replica) == 0);
    if head.vector.len() + another > CONTEXT_REPLICAS_MAX {
        return Err(LedgerError::ContextFull(record));
    }
    let as_read = as_read(tx, &head, &token.vector)?.ok_or(LedgerError::NoSuchRecord(record))?;
    let conflicted = as_read.concurrency() == Concurrency::Conflict;
    if draft.kind == RevisionKind::RESOLVE {
        if as_read.tips().len() < 2 && !conflicted {
            return Err(LedgerError::NoConflict(record));
        }
        return Ok((head, as_read.tips().to_vec()));
    }
    // Invariant 11: a plain change never settles what its author saw standing side by side.
    if conflicted && changes(draft.kind) && !is_planted(Bug::AmendSettlesConflict) {
        return Err(LedgerError::Conflicted(record));
    }
    Ok((head, Vec::new()))
}

/// The record as it stood when `vector` had been accepted of it.
pub(crate) fn as_read(
    read: &dyn Read,
    head: &Head,
    vector: &VersionVector,
) -> Result<Option<Head>, StoreError> {
    if vector.covers_all(&head.vector) {
        return Ok(Some(head.clone()));
    }
    let revisions = revisions(read, head)?;
    Ok(Head::fold(
        revisions.iter().filter(|revision| vector.covers(revision.dot)),
    ))
}

fn own_entry(entry: Entry) -> StoredEntry {
    StoredEntry {
        entry,
        salt: None,
        standing: Standing::KEPT,
        sequence: 0,
        received_at_ms: 0,
    }
}

fn fields_of(ops: &[(FieldId, FieldOp)]) -> List<FieldId, { beatbook_proto::limits::OPS_MAX }> {
    let mut fields: Vec<FieldId> = ops.iter().map(|(field, _)| *field).collect();
    fields.sort();
    fields.dedup();
    List(fields)
}

fn code(word: &str) -> Result<Code, LedgerError> {
    Code::new(word).map_err(|_| LedgerError::TooLarge(beatbook_proto::codec::CodecError::TooLarge))
}

const OPEN_REPLICAS: &str = "open replicas";
/// Largest entry written: a re-issue, closed in again a few times, has to hold it whole with its proofs.
const ENTRY_BYTES_MAX: usize = BODY_BYTES_MAX - (8 << 10);
