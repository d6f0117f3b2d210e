//! Checking a notebook by what it claims: numbers without gaps, seals in a chain, merged records as their revisions say.

use beatbook_core::ledger::{self, Book};
use beatbook_core::merge::Head;
use beatbook_core::store::{Read, StoreError};
use beatbook_proto::{RecordId, SealClaim};

use crate::notebook::{Notebook, ReadError};
use crate::status::name_of;

/// What checking a notebook found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CheckReport {
    /// Books and traces, own and others'.
    pub books: u64,
    /// Entries held of them.
    pub entries: u64,
    /// Runs of own books whose seal was verified.
    pub seals: u64,
    /// Merged records that were folded again.
    pub records: u64,
    /// What does not hold; nothing if all is well.
    pub problems: Vec<CheckProblem>,
}

/// Something that does not hold. Keep the folder as it is, and tell the force administrator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckProblem {
    /// A number is missing in an own book.
    #[error("entry {book}/{entry} is missing")]
    Gap {
        /// The book.
        book: String,
        /// The first number missing.
        entry: u64,
    },
    /// A merged record is not what its revisions make.
    #[error("record {0} is not what its revisions make")]
    Record(RecordId),
    /// A seal does not hold, or does not follow on the one before.
    #[error("the seal after entry {book}/{after} does not hold")]
    Seal {
        /// The book.
        book: String,
        /// The last entry whose seal held.
        after: u64,
    },
}

impl Notebook {
    /// Checks every own book and every merged record. [`Notebook::verify`] checks the bytes under them.
    pub fn check(&self) -> Result<CheckReport, ReadError> {
        let mut report = CheckReport::default();
        let books = self.store().read(ledger::books)?;
        report.books = books.len() as u64;
        for book in &books {
            self.store().read(|read| check_book(read, book, &mut report))?;
        }
        let mut after = None;
        loop {
            // Writers wait for a reader: the records are read in pieces.
            after = self
                .store()
                .read(|read| check_records(read, after, &mut report))?;
            if after.is_none() {
                return Ok(report);
            }
        }
    }
}

fn check_book(read: &dyn Read, book: &Book, report: &mut CheckReport) -> Result<(), StoreError> {
    let mut expected = 1;
    loop {
        let log = ledger::log(read, book.replica(), expected, AT_ONCE)?;
        let Some((last, _)) = log.last() else { break };
        for (dot, _) in &log {
            if book.own && dot.counter != expected && dot.counter <= book.held {
                report.problems.push(CheckProblem::Gap {
                    book: name_of(book),
                    entry: expected,
                });
            }
            report.entries += 1;
            expected = dot.counter + 1;
        }
        expected = last.counter + 1;
    }
    if !book.own {
        return Ok(());
    }
    if expected <= book.held {
        report.problems.push(CheckProblem::Gap {
            book: name_of(book),
            entry: expected,
        });
    }
    check_seals(read, book, report)
}

/// Walks the seals of an own book from the first on.
fn check_seals(read: &dyn Read, book: &Book, report: &mut CheckReport) -> Result<(), StoreError> {
    let (mut after, mut previous) = (0, SealClaim::NO_SEAL);
    while after < book.sealed {
        let run = ledger::next_run(read, book.replica(), after)?;
        let seal = run.as_ref().map(|run| run.seal.clone());
        let holds = run.is_some_and(|run| run.verify(&book.opening.key).is_ok());
        let Some(seal) = seal.filter(|seal| holds && seal.claim.previous == previous) else {
            // What a closed book got back from the server comes in parts, proved one by one when it came.
            if !book.closed {
                report.problems.push(CheckProblem::Seal {
                    book: name_of(book),
                    after,
                });
            }
            return Ok(());
        };
        (after, previous) = (seal.claim.last, seal.hash());
        report.seals += 1;
    }
    Ok(())
}

/// Folds the next records again; returns where to go on.
fn check_records(
    read: &dyn Read,
    after: Option<RecordId>,
    report: &mut CheckReport,
) -> Result<Option<RecordId>, StoreError> {
    let heads = ledger::heads(read, after, AT_ONCE)?;
    for head in &heads {
        let revisions = ledger::revisions(read, head)?;
        let folded = Head::fold(&revisions).map(|mut folded| {
            // Where it is published and whether it is frozen is not said by its revisions.
            folded.scopes.clone_from(&head.scopes);
            folded.frozen = head.frozen;
            folded
        });
        if folded.as_ref() != Some(head) {
            report.problems.push(CheckProblem::Record(head.record));
        }
        report.records += 1;
    }
    Ok(heads.last().map(|head| head.record))
}

/// Entries and records read under one hold of the store.
const AT_ONCE: usize = 256;
