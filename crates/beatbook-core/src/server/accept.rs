//! Taking in runs of a device's own books, and parts of others' that readers offer again. Receipts are made here.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use beatbook_proto::limits::BOOKS_MAX;
use beatbook_proto::{Dot, EnrolmentId, List, Receipt, ReceiptClaim, Standing, Verdict, VerifiedRun};

use super::greet::take_label;
use super::{ServerEnv, ServerReply, epochs, next_sequence};
use crate::ledger::{
    self, Accepted, Book, Intake, LedgerError, accept_entries, accept_run_entries, book, entry, publish,
    save_book,
};
use crate::planted::{Bug, is_planted};
use crate::register::{self, Enrolment, Officer};
use crate::store::{Read, StoreError, Transaction};

pub(super) fn accept_run(
    tx: &mut Transaction<'_>,
    env: &ServerEnv<'_>,
    peer: EnrolmentId,
    run: &VerifiedRun,
) -> Result<ServerReply, LedgerError> {
    let claim = run.seal().claim.clone();
    let sequence = next_sequence(tx)?;
    let intake = Intake {
        check: env.check,
        sequence,
        received_at_ms: env.now_ms,
    };
    let mut author = match book(tx, claim.replica)? {
        Some(author) if author.opening.enrolment == peer => author,
        Some(_) => {
            return Err(LedgerError::PeerMisbehaved(
                "a run of a book of another enrolment",
            ));
        }
        None if claim.first == 1 => open_book(tx, peer, run)?,
        None => return Ok(ServerReply::RunGap),
    };
    if claim.first > author.held + 1 {
        return Ok(ServerReply::RunGap);
    }
    let follows = claim.first == author.held + 1 && claim.previous == author.seal;
    let held = claim.last <= author.held
        && ledger::seal_ending_at(tx, claim.replica, claim.last)?
            .is_some_and(|seal| seal.hash() == run.seal().hash());
    let accepted = if follows && !ledger::is_taken(tx, run)? {
        accept_run_entries(tx, run, &mut author, intake)?
    } else if held && is_planted(Bug::ReceiptNotResent) {
        return Ok(ServerReply::RunGap);
    } else if held {
        let stretch = author
            .verdicts
            .iter()
            .filter(|verdict| (claim.first..=claim.last).contains(&verdict.counter));
        Accepted {
            verdicts: stretch.copied().collect(),
            ..Accepted::default()
        }
    } else {
        // Another history of the book: what is new or different is kept apart, the first comer keeps the dots.
        part_ways(tx, run, &mut author, intake)?
    };
    let grown = publish(tx, &accepted, sequence, env.nonce())?;
    let receipt = ReceiptClaim {
        replica: claim.replica,
        upto: claim.last,
        seal: run.seal().hash(),
        received_at_ms: env.now_ms,
        sequence,
        epoch: epochs(tx)?.map_or(env.fresh_epoch, |epochs| epochs.current),
    };
    let (claim, signature) = receipt.sign(env.signer)?;
    let receipt = Receipt {
        claim,
        signature,
        verdicts: List(accepted.verdicts),
        secured: author.secured,
    };
    Ok(ServerReply::RunAccepted { receipt, grown })
}

/// Opens a book by its first run: the opening must be of this enrolment, officer and key.
fn open_book(tx: &mut Transaction<'_>, peer: EnrolmentId, run: &VerifiedRun) -> Result<Book, LedgerError> {
    let misbehaved = LedgerError::PeerMisbehaved("a book that is not opened by its own enrolment");
    let enrolment: Option<Enrolment> = register::get(tx, peer.as_bytes())?;
    let opening = run.entries().first().and_then(|first| first.entry.opening().ok());
    let (Some(enrolment), Some(opening)) = (enrolment, opening) else {
        return Err(misbehaved);
    };
    let fits = opening.replica == run.seal().claim.replica
        && opening.enrolment == peer
        && opening.officer == enrolment.officer
        && Some(&opening.key) == enrolment.key.as_ref();
    if !fits {
        return Err(misbehaved);
    }
    let officer: Option<Officer> = register::get(tx, enrolment.officer.as_bytes())?;
    let mut opened = Book::new(opening, false);
    let kind = opened.kind();
    opened.label = Some(take_label(
        tx,
        &officer.ok_or(misbehaved)?,
        opened.replica(),
        kind,
    )?);
    save_book(tx, &opened)?;
    Ok(opened)
}

/// Keeps apart what belongs to another history of a book.
fn part_ways(
    tx: &mut Transaction<'_>,
    run: &VerifiedRun,
    author: &mut Book,
    intake: Intake<'_>,
) -> Result<Accepted, LedgerError> {
    let mut accepted = Accepted {
        taken: true,
        ..Accepted::default()
    };
    for verified in run.entries() {
        let known = entry(tx, verified.dot)?;
        if known.is_none_or(|known| known.entry != verified.entry) {
            ledger::quarantine_taken(tx, verified, run.seal(), intake)?;
        }
        let standing = Standing::QUARANTINED_DOT_TAKEN;
        accepted.verdicts.push(Verdict {
            counter: verified.dot.counter,
            standing,
        });
    }
    save_book(tx, author)?;
    Ok(accepted)
}

pub(super) fn accept_part(
    tx: &mut Transaction<'_>,
    env: &ServerEnv<'_>,
    run: &VerifiedRun,
) -> Result<ServerReply, LedgerError> {
    let sequence = next_sequence(tx)?;
    let intake = Intake {
        check: env.check,
        sequence,
        received_at_ms: env.now_ms,
    };
    let nothing = Ok(ServerReply::PartAccepted(BTreeSet::new()));
    let claim = &run.seal().claim;
    let author = match book(tx, claim.replica)? {
        Some(author) => Some(author),
        None => reopened_book(tx, run)?,
    };
    // What cannot be proved here and now is no fault of who offers it: its own device will bring it.
    let Some(mut author) = author else { return nothing };
    run.seal().verify(&author.opening.key)?;
    if ledger::is_taken(tx, run)? {
        part_ways(tx, run, &mut author, intake)?;
        // It was another's to send, and that device may not have it any more: it gets it back.
        ledger::keep_apart(tx, run)?;
        return nothing;
    }
    let follows = claim.first == author.held + 1 && claim.previous == author.seal;
    let accepted = if follows && run.secret().is_some() {
        accept_run_entries(tx, run, &mut author, intake)?
    } else {
        accept_entries(tx, run, &mut author, intake)?
    };
    Ok(ServerReply::PartAccepted(publish(
        tx,
        &accepted,
        sequence,
        env.nonce(),
    )?))
}

/// A book whose opening was lost with the rest: a part that brings it back opens it again, if its key is in the register.
fn reopened_book(tx: &mut Transaction<'_>, run: &VerifiedRun) -> Result<Option<Book>, LedgerError> {
    let opening = run.entries().first().filter(|first| first.dot.counter == 1);
    let Some(opening) = opening.and_then(|first| first.entry.opening().ok()) else {
        return Ok(None);
    };
    let enrolment: Option<Enrolment> = register::get(tx, opening.enrolment.as_bytes())?;
    let Some(enrolment) = enrolment.filter(|row| row.key.as_ref() == Some(&opening.key)) else {
        return Ok(None);
    };
    let fits = opening.replica == run.seal().claim.replica && opening.officer == enrolment.officer;
    let officer: Option<Officer> = register::get(tx, enrolment.officer.as_bytes())?;
    let Some(officer) = officer.filter(|_| fits) else {
        return Ok(None);
    };
    let mut opened = Book::new(opening, false);
    let (replica, kind) = (opened.replica(), opened.kind());
    opened.label = Some(take_label(tx, &officer, replica, kind)?);
    save_book(tx, &opened)?;
    Ok(Some(opened))
}

/// The offered entries that are not held. Costs what is held, whatever a peer claims to have.
pub(super) fn wanted(read: &dyn Read, stretches: &[(Dot, u32)]) -> Result<Vec<(Dot, u32)>, StoreError> {
    let mut wanted: Vec<(Dot, u32)> = Vec::new();
    for (first, count) in stretches {
        let replica = first.replica;
        let end = first.counter.saturating_add(u64::from(*count));
        let mut next = first.counter;
        while next < end {
            let page = ledger::log(read, replica, next, ENTRIES_PAGE)?;
            let last_page = page.len() < ENTRIES_PAGE;
            let held = page
                .into_iter()
                .map(|(dot, _)| dot.counter)
                .take_while(|counter| *counter < end);
            let stops: Vec<u64> = held.chain(last_page.then_some(end)).collect();
            let Some(last) = stops.last().copied() else { break };
            for stop in stops {
                if stop > next && wanted.len() < BOOKS_MAX {
                    let missing = u32::try_from(stop - next).unwrap_or(u32::MAX);
                    wanted.push((
                        Dot {
                            replica,
                            counter: next,
                        },
                        missing,
                    ));
                }
                next = stop.saturating_add(1);
            }
            if last_page || last >= end {
                break;
            }
        }
    }
    Ok(wanted)
}

/// Entries looked at in one go.
const ENTRIES_PAGE: usize = 1_024;
