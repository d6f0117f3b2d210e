//! Writing: each call checks, writes, and returns when the entry is durable on this device.

mod typed;

use beatbook_core::ledger::{self, Draft, LedgerError, ReadToken};
use beatbook_core::merge::Head;
use beatbook_core::store::{StoreError, Transaction};
use beatbook_proto::{Code, Dot, RecordId, ReplicaKind, RevisionKind, RunSecret, Stamp, Text};
use beatbook_records::build::{self, BuildError, Op, Remark, Signature, Strike};
use beatbook_records::vocabulary::Lifecycle;
use beatbook_records::{Flag, MergedFields, check_write, schema};

use crate::clock;
use crate::lease::{self, LeaseError};
use crate::notebook::Notebook;
use crate::record::merged_fields;

pub use typed::{Contacts, Notes, Patrol};

/// An entry written: durable on this device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The entry.
    pub dot: Dot,
    /// The record it belongs to.
    pub record: RecordId,
    /// How people name the entry, such as `B07/118`.
    pub reference: String,
    /// What is worth a remark; nothing of it stopped the entry.
    pub flags: Vec<Flag>,
}

/// Why an entry was not written. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// What was given cannot be a value of its field.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// What was given does not pass the checks of the family; the message names the field.
    #[error(transparent)]
    Check(#[from] beatbook_records::WriteError),
    /// The disk is full. Free some space and write again.
    #[error("the disk is full: the entry was not written; free some space and write it again")]
    DiskFull,
    /// The ledger refuses it: two versions wait, the record is not here, a limit is passed.
    #[error(transparent)]
    Ledger(LedgerError),
    /// The numbers leased to this book are used up, and the anchor outside the store cannot be written.
    #[error(
        "the numbers leased to this book are used up and no more can be leased ({reason}); make room for the anchor file beside the store and write again"
    )]
    LeaseSpent {
        /// What the system said.
        reason: String,
    },
    /// The words to strike are not in the text.
    #[error("the words to strike are not in {field}: write them as they stand there")]
    NoSuchWords {
        /// The field.
        field: String,
    },
    /// A reason is longer than any text may be.
    #[error("the reason is too long: at most 20000 characters")]
    ReasonTooLong,
    /// The store is closed, has stopped after a failure, or could not be read: reopen it.
    #[error(transparent)]
    Store(StoreError),
}

impl From<StoreError> for WriteError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::DiskFull => Self::DiskFull,
            other => Self::Store(other),
        }
    }
}

impl From<LedgerError> for WriteError {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Store(error) => error.into(),
            other => Self::Ledger(other),
        }
    }
}

impl From<LeaseError> for WriteError {
    fn from(error: LeaseError) -> Self {
        match error {
            LeaseError::Spent(error) => Self::LeaseSpent {
                reason: error.to_string(),
            },
            LeaseError::Store(error) => error.into(),
        }
    }
}

/// Makes operations from what their author had read.
type MakeOps = dyn FnOnce(&MergedFields) -> Result<Vec<Op>, WriteError> + Send;

/// A change of a record, before it is checked.
struct Change {
    target: Target,
    kind: RevisionKind,
    reason: Option<Text>,
    /// Made from what the author had read.
    ops: Box<MakeOps>,
    recorded_at: Stamp,
}

/// What a change is made to.
enum Target {
    /// A record of this family, founded by it.
    New(Code),
    /// A record as it was read.
    Standing(ReadToken),
}

impl Notebook {
    /// Notes: what goes into a pocket notebook.
    pub fn notes(&self) -> Notes<'_> {
        Notes(self)
    }

    /// Engagements with people.
    pub fn contacts(&self) -> Contacts<'_> {
        Contacts(self)
    }

    /// Shifts, stretches of patrol, stops and positions.
    pub fn patrol(&self) -> Patrol<'_> {
        Patrol(self)
    }

    /// Founds a record of any family that this build writes. The typed APIs fill in who and when; this does not.
    pub fn found(&self, family: &Code, ops: Vec<Op>) -> Result<Written, WriteError> {
        self.put(Change {
            target: Target::New(family.clone()),
            kind: RevisionKind::CREATE,
            reason: None,
            ops: Box::new(move |_| Ok(ops)),
            recorded_at: clock::stamp(),
        })
    }

    /// Corrects fields. Refused where two versions stood when `seen` was read: resolve them first.
    pub fn amend(&self, seen: &ReadToken, reason: &str, ops: Vec<Op>) -> Result<Written, WriteError> {
        self.change(seen, RevisionKind::AMEND, Some(reason), move |_| Ok(ops))
    }

    /// Adds what came to mind later, beside what stands.
    pub fn supplement(&self, seen: &ReadToken, words: &str) -> Result<Written, WriteError> {
        let ops = build::supplement_ops(&self.remark(words))?;
        self.change(seen, RevisionKind::SUPPLEMENT, None, move |_| Ok(ops))
    }

    /// Puts a remark beside a record.
    pub fn annotate(&self, seen: &ReadToken, words: &str) -> Result<Written, WriteError> {
        let ops = build::remark_ops(&self.remark(words))?;
        self.change(seen, RevisionKind::ANNOTATE, None, move |_| Ok(ops))
    }

    /// Moves a record on: what becomes known as things go on, and needs no reason.
    pub fn state(&self, seen: &ReadToken, ops: Vec<Op>) -> Result<Written, WriteError> {
        self.change(seen, RevisionKind::STATE, None, move |_| Ok(ops))
    }

    /// Moves a record to another place of its lifecycle, such as submitted or checked.
    pub fn move_to(&self, seen: &ReadToken, to: &Lifecycle) -> Result<Written, WriteError> {
        self.state(seen, build::state_ops(to))
    }

    /// Strikes text: it stays readable.
    pub fn strike(&self, seen: &ReadToken, reason: &str, strikes: &[Strike]) -> Result<Written, WriteError> {
        let ops = build::strike_ops(strikes)?;
        self.change(seen, RevisionKind::STRIKE, Some(reason), move |_| Ok(ops))
    }

    /// Strikes the first place where `words` stand in the body of a note, with the officer's initials.
    pub fn strike_words(&self, seen: &ReadToken, reason: &str, words: &str) -> Result<Written, WriteError> {
        let (initials, at) = (self.enrolled().initials(), clock::now());
        let (words, why) = (words.to_owned(), reason.to_owned());
        self.change(seen, RevisionKind::STRIKE, Some(reason), move |before| {
            let field = beatbook_records::field::BODY;
            let strike = before
                .text(field)
                .and_then(|text| Strike::of_words(text, &words, &why, &initials, at));
            let strike = strike.ok_or_else(|| WriteError::NoSuchWords {
                field: schema::name_of(field),
            })?;
            Ok(build::strike_ops(&[strike])?)
        })
    }

    /// Signs a record as it was read, and seals the book up to there at once.
    pub fn sign(&self, seen: &ReadToken) -> Result<Written, WriteError> {
        let signature = Signature {
            at: clock::now(),
            initials: self.enrolled().initials(),
            collar: Some(self.enrolled().told.collar.clone()),
            role: Some(self.enrolled().role()),
        };
        self.change(seen, RevisionKind::SIGN, None, move |before| {
            Ok(build::sign_ops(before, &signature)?)
        })
    }

    /// Abandons a draft: its number stays.
    pub fn void(&self, seen: &ReadToken, reason: &str) -> Result<Written, WriteError> {
        self.change(seen, RevisionKind::VOID, Some(reason), |_| Ok(build::void_ops()))
    }

    /// Settles versions that stand side by side: `ops` set the fields that differ. What it settles stays readable.
    pub fn resolve(&self, seen: &ReadToken, reason: &str, ops: Vec<Op>) -> Result<Written, WriteError> {
        self.change(seen, RevisionKind::RESOLVE, Some(reason), move |_| Ok(ops))
    }

    fn change(
        &self,
        seen: &ReadToken,
        kind: RevisionKind,
        reason: Option<&str>,
        ops: impl FnOnce(&MergedFields) -> Result<Vec<Op>, WriteError> + Send + 'static,
    ) -> Result<Written, WriteError> {
        let text = |reason: &str| Text::new(reason.trim()).ok_or(WriteError::ReasonTooLong);
        self.put(Change {
            target: Target::Standing(seen.clone()),
            kind,
            reason: reason.map(text).transpose()?,
            ops: Box::new(ops),
            recorded_at: clock::stamp(),
        })
    }

    fn put(&self, change: Change) -> Result<Written, WriteError> {
        let book = self.clone();
        let written = self
            .store()
            .commit(move |tx| book.write_in(tx, change))?
            .into_inner();
        self.wrote(written.record);
        Ok(written)
    }

    /// The whole of a write, inside a commit: check, ledger, seal, lease.
    fn write_in(&self, tx: &mut Transaction<'_>, change: Change) -> Result<Written, WriteError> {
        let (token, family, before) = match change.target {
            Target::New(family) => (None, family, MergedFields::new()),
            Target::Standing(token) => {
                let (family, before) = as_read(tx, &token)?;
                (Some(token), family, before)
            }
        };
        let ops = (change.ops)(&before)?;
        let flags = check_write(&beatbook_records::Write {
            family: family.as_str(),
            kind: change.kind,
            reason: change.reason.as_ref().map(Text::as_str),
            ops: &ops,
            before: &before,
            recorded_at: change.recorded_at,
            role: &self.enrolled().role(),
        })?;
        let draft = Draft {
            log: log_of(&family),
            token,
            family,
            kind: change.kind,
            schema: schema::SCHEMA,
            recorded_at: change.recorded_at,
            reason: change.reason,
            ops,
        };
        let written = ledger::write(tx, draft)?;
        if change.kind == RevisionKind::SIGN {
            self.seal(tx, written.dot)?;
        }
        let book = ledger::book(tx, written.dot.replica)?.ok_or(LedgerError::NoBook)?;
        if self.is_anchored() {
            lease::cover_book(self.store(), &book)?;
        }
        Ok(Written {
            dot: written.dot,
            record: written.record,
            reference: book.reference(written.dot.counter),
            flags,
        })
    }

    /// A signed entry is sealed at once: nobody can say later that it was written afterwards.
    fn seal(&self, tx: &mut Transaction<'_>, dot: Dot) -> Result<(), WriteError> {
        let signer = &self.enrolled().signer;
        loop {
            let secret = RunSecret(clock::random()?);
            if ledger::seal_pending(tx, dot.replica, signer, secret, crate::agent::RUN_BYTES)?.is_none() {
                return Ok(());
            }
        }
    }

    fn remark(&self, words: &str) -> Remark {
        Remark {
            words: words.to_owned(),
            at: clock::now(),
            by: Some(self.enrolled().told.collar.clone()),
            initials: Some(self.enrolled().initials()),
        }
    }
}

/// The record as the author of a change had read it.
fn as_read(tx: &Transaction<'_>, token: &ReadToken) -> Result<(Code, MergedFields), WriteError> {
    let head = ledger::head(tx, token.record)?.ok_or(LedgerError::NoSuchRecord(token.record))?;
    if token.vector.covers_all(&head.vector) {
        return Ok((head.family.clone(), merged_fields(&head)));
    }
    let revisions = ledger::revisions(tx, &head)?;
    let read = Head::fold(
        revisions
            .iter()
            .filter(|revision| token.vector.covers(revision.dot)),
    );
    let read = read.ok_or(LedgerError::NoSuchRecord(token.record))?;
    Ok((read.family.clone(), merged_fields(&read)))
}

/// Positions go to the trace, so that what the officer writes travels first.
fn log_of(family: &Code) -> ReplicaKind {
    if family.as_str() == build::Breadcrumb::FAMILY {
        ReplicaKind::Trace
    } else {
        ReplicaKind::Book
    }
}
