//! Status: what is safe, what is not yet, and whether the server can be reached. Proved, not claimed.

use beatbook_core::ledger::{self, Book};
use beatbook_core::store::{Read, StoreError, Table};
use beatbook_proto::{Dot, Receipt, ReplicaId, ReplicaKind, codec};

use crate::event::NewBook;
use crate::notebook::{Notebook, ReadError};

/// How the notebook stands.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// Own entries, of books and traces together.
    pub written: u64,
    /// Of them, held by the server by its receipt.
    pub safe: u64,
    /// Of them, covered by a verified backup or a second server.
    pub secured: u64,
    /// Of them, on this device alone.
    pub pending: u64,
    /// Of them, held apart by the server for a person to look at.
    pub quarantined: u64,
    /// Of them, held by the server until an earlier entry comes.
    pub waiting: u64,
    /// Records with two versions that wait for a person.
    pub conflicts: u64,
    /// Records on this device, own and others'.
    pub records: u64,
    /// Time of the newest receipt by the server's clock, milliseconds since 1970.
    pub last_receipt_ms: Option<i64>,
    /// Said only where counters and seal hashes of both sides agree on every own entry.
    pub proved: Option<AllSafe>,
    /// Whether the server can be reached.
    pub coverage: Coverage,
    /// The own books and traces, open ones first.
    pub books: Vec<BookStatus>,
    /// Set where a new book was opened since the notebook was.
    pub new_book: Option<NewBook>,
}

/// Every own entry is at the server: its receipt names the seal under which this device holds the same entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AllSafe {
    /// How many entries.
    pub entries: u64,
    /// As of when, by the server's clock, milliseconds since 1970.
    pub as_of_ms: i64,
}

/// How one own book or trace stands.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BookStatus {
    /// The replica.
    pub replica: ReplicaId,
    /// Its label, or `new-3f2a` before the first contact.
    pub name: String,
    /// Book or trace.
    pub kind: ReplicaKind,
    /// True if it is written in; others are read-only history.
    pub open: bool,
    /// Entries held.
    pub held: u64,
    /// Entries receipted by the server.
    pub receipted: u64,
    /// Entries covered by a verified backup or a second server.
    pub secured: u64,
}

/// Whether the server can be reached, as far as is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Coverage {
    /// Waiting before another try.
    BackingOff {
        /// Tries that failed since the last that did not.
        failures: u32,
        /// When it is tried again, milliseconds since 1970 by this device's clock.
        until_ms: i64,
        /// Why the last one failed, with what to do.
        why: String,
    },
    /// In touch: news goes at once, and others' comes as it happens.
    Live,
    /// No network, as the app said, or no agent running.
    #[default]
    Offline,
    /// Trying to reach the server.
    Probing,
    /// Not in touch, and nothing waits to be sent.
    Resting,
    /// Sending and fetching.
    Syncing,
}

impl Coverage {
    /// The word for people and scripts.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::BackingOff { .. } => "backing off",
            Self::Live => "live",
            Self::Offline => "offline",
            Self::Probing => "probing",
            Self::Resting => "resting",
            Self::Syncing => "syncing",
        }
    }
}

impl Notebook {
    /// How the notebook stands.
    pub fn status(&self) -> Result<Status, ReadError> {
        let (ledger_status, books, proved) = self.store().read(|read| -> Result<_, StoreError> {
            let books = ledger::own_books(read)?;
            let proved = proof(read, &books)?;
            Ok((ledger::status(read)?, books, proved))
        })?;
        let (conflicts, records) = self.counts();
        Ok(Status {
            written: ledger_status.written,
            safe: ledger_status.safe,
            secured: ledger_status.secured,
            pending: ledger_status.pending,
            quarantined: ledger_status.quarantined,
            waiting: ledger_status.waiting,
            conflicts,
            records,
            last_receipt_ms: Some(ledger_status.last_receipt_ms).filter(|ms| *ms > 0),
            proved,
            coverage: self.coverage().borrow().clone(),
            books: books.iter().map(book_status).collect(),
            new_book: self.new_book(),
        })
    }
}

fn book_status(book: &Book) -> BookStatus {
    BookStatus {
        replica: book.replica(),
        name: name_of(book),
        kind: book.kind(),
        open: !book.closed,
        held: book.held,
        receipted: book.receipted.min(book.held),
        secured: book.secured.min(book.receipted).min(book.held),
    }
}

/// The label of a book, or what stands for it before it has one.
pub(crate) fn name_of(book: &Book) -> String {
    match &book.label {
        Some(label) => label.to_string(),
        None => format!("new-{}", book.replica().short()),
    }
}

/// The proof that all is safe, if it holds: each receipt names the last seal, and the seal covers the last entry.
fn proof(read: &dyn Read, books: &[Book]) -> Result<Option<AllSafe>, StoreError> {
    let mut proved = AllSafe {
        entries: 0,
        as_of_ms: 0,
    };
    for book in books {
        if book.closed {
            // What the server never got of it has to be issued again first.
            if book.settled.max(book.receipted) < book.held {
                return Ok(None);
            }
            proved.entries += book.receipted.min(book.held);
            continue;
        }
        let key = Dot {
            replica: book.replica(),
            counter: book.receipted,
        }
        .key();
        let receipt = read.get(Table::Receipts, &key)?;
        let Some(receipt) = receipt.and_then(|bytes| codec::decode::<Receipt>(&bytes).ok()) else {
            return Ok(None);
        };
        let claim = receipt.claim;
        let covers = book.held == book.sealed && claim.upto == book.held && claim.seal == book.seal;
        if !covers {
            return Ok(None);
        }
        proved.entries += book.held;
        proved.as_of_ms = proved.as_of_ms.max(claim.received_at_ms);
    }
    Ok((proved.entries > 0).then_some(proved))
}
