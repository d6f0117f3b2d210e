//! Checks a whole store: every seal of every value, then what the ledger promises on top.
//!
//! For each book: every run proves its root, every seal is signed by the book's own key and follows the one before
//! it, and together they reach as far as the book says. For each record: folding its revisions again gives the head.

use beatbook_core::ledger::{self, Book};
use beatbook_core::merge::Head;
use beatbook_core::store::{Read, StoreError};
use beatbook_proto::{RecordId, SealClaim};
use serde::Serialize;

use super::status::collar_of;
use crate::store::ServerStore;

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CheckReport {
    /// Values of the index whose seal opened.
    pub values: u64,
    /// Journal frames whose seal opened and whose chain held.
    pub frames: u64,
    /// Books whose chain held.
    pub books: u64,
    /// Entries proved by their seals.
    pub entries: u64,
    /// Seals whose signature held.
    pub seals: u64,
    /// Records whose head is the fold of their revisions.
    pub records: u64,
    /// Books that do not hold what they promise.
    pub faults: Vec<BookReport>,
}

/// A book or a record that does not hold what it promises.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BookReport {
    /// The entry, as `52/9123/B07/118`.
    pub entry: String,
    /// What is wrong with it.
    pub what: String,
}

impl ServerStore {
    /// Checks everything. Faults are in the report; an error says that the store itself does not read.
    pub fn check(&self) -> Result<CheckReport, CheckFailed> {
        let verified = self.store().verify()?;
        let mut report = CheckReport {
            values: verified.values,
            frames: verified.frames,
            ..CheckReport::default()
        };
        let books = self.read(ledger::books)?;
        for book in &books {
            // One read a book, so that commits need not wait for all of them. A book only grows.
            self.read(|read| self.check_book(read, book, &mut report))?;
        }
        let mut after: Option<RecordId> = None;
        loop {
            let heads = self.read(|read| -> Result<_, StoreError> {
                let heads = ledger::heads(read, after, HEADS_AT_ONCE)?;
                for head in &heads {
                    self.check_head(read, head, &books, &mut report)?;
                }
                Ok(heads)
            })?;
            match heads.last() {
                Some(last) => after = Some(last.record),
                None => return Ok(report),
            }
        }
    }

    fn check_book(&self, read: &dyn Read, book: &Book, report: &mut CheckReport) -> Result<(), StoreError> {
        let replica = book.replica();
        let collar = collar_of(read, book)?;
        let mut fault = |counter: u64, what: String| {
            report.faults.push(BookReport {
                entry: self.reference(&collar, book, counter),
                what,
            });
        };
        let (mut after, mut previous) = (0, SealClaim::NO_SEAL);
        while after < book.sealed {
            let Some(run) = ledger::next_run(read, replica, after)? else {
                fault(after + 1, "no seal covers it".to_owned());
                return Ok(());
            };
            let claim = run.seal.claim.clone();
            let seal = run.seal.hash();
            if claim.first != after + 1 || claim.previous != previous {
                fault(after + 1, "its seal does not follow the one before".to_owned());
                return Ok(());
            }
            match run.verify(&book.opening.key) {
                Ok(proved) => report.entries += proved.entries().len() as u64,
                Err(error) => {
                    fault(claim.first, error.to_string());
                    return Ok(());
                }
            }
            report.seals += 1;
            (after, previous) = (claim.last, seal);
        }
        if after != book.sealed || previous != book.seal || book.held < book.sealed {
            fault(after, "the book says that it reaches elsewhere".to_owned());
            return Ok(());
        }
        report.books += 1;
        Ok(())
    }

    fn check_head(
        &self,
        read: &dyn Read,
        head: &Head,
        books: &[Book],
        report: &mut CheckReport,
    ) -> Result<(), StoreError> {
        let revisions = ledger::revisions(read, head);
        let holds = match &revisions {
            Ok(revisions) => Head::fold(revisions).is_some_and(|mut folded| {
                // Where a record is published is kept beside its merged state, and follows from it.
                folded.scopes = ledger::scopes_of(&folded);
                folded == *head
            }),
            Err(StoreError::Corrupt { .. }) => false,
            Err(error) => return Err(error.clone()),
        };
        if holds {
            report.records += 1;
            return Ok(());
        }
        let book = books.iter().find(|book| book.replica() == head.record.replica);
        let entry = match book {
            Some(book) => self.reference(&collar_of(read, book)?, book, head.record.counter),
            None => format!("{}/{}", head.record.replica, head.record.counter),
        };
        report.faults.push(BookReport {
            entry,
            what: "the record is not the fold of its revisions".to_owned(),
        });
        Ok(())
    }
}

/// Why a store could not be checked to its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckFailed {
    /// A value or a journal frame does not open: restore a backup.
    #[error(transparent)]
    Damaged(#[from] beatbook_store_sled::OpenError),
    /// The store could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Records that are checked while commits wait.
const HEADS_AT_ONCE: usize = 256;
