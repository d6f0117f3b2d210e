//! Accepting proved entries: dots taken, quarantine, verdicts. Folding is in `fold`, re-issues are in `reissue`.
//!
//! One bad entry never holds back another record (invariant 9); an entry accepted twice changes nothing
//! (invariant 10); a dot names the same bytes for ever (invariant 3).

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;

use beatbook_proto::{
    Dot, Entry, RecordId, Revision, RevisionKind, Scope, Seal, Standing, Verdict, VerifiedEntry, VerifiedRun,
};

use super::fold::{anything_waits, fold_new, found, retry_all};
use super::reissue::{alias, as_folded, envelope_header, innermost, is_another_name, originals};
use super::seal::Founded;
use super::stretch::{Arrival, holds_any, remove_entry, save_stretch};
use super::{
    Book, LedgerError, QuarantinedEntry, StoredEntry, book, entry, put_part, save, save_book, save_entry,
};
use crate::keys;
use crate::planted::{Bug, is_planted};
use crate::store::{Read, StoreError, Table, Transaction};

/// Judges revisions that came from elsewhere, by rules that the core does not know.
pub trait Check: Send + Sync {
    /// How the revision is to stand: [`Standing::KEPT`], or one of the quarantines. Of a re-issue it is asked about what
    /// that brings: the innermost revision, under the envelope's dot.
    fn standing(&self, revision: &Revision, author: &Book) -> Standing;
}

/// Keeps whatever reads as a revision.
#[derive(Clone, Copy, Debug, Default)]
pub struct CheckNothing;

impl Check for CheckNothing {
    fn standing(&self, _: &Revision, _: &Book) -> Standing {
        Standing::KEPT
    }
}

/// What accepting did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    /// Entries stored for the first time, whatever their standing.
    pub stored: Vec<Dot>,
    /// Revisions folded, in order of acceptance, with their records.
    pub folded: Vec<(Dot, RecordId)>,
    /// The scopes of records that were founded, as their founding entries say.
    pub founded: BTreeMap<RecordId, Vec<Scope>>,
    /// Records that took another name, with the old one: re-issues of their founding entry.
    pub renamed: Vec<(RecordId, RecordId)>,
    /// Records that gave back what others had written on another entry, which came later than a re-issue under its dot.
    pub gave_back: Vec<RecordId>,
    /// Entries of the run that are not simply kept.
    pub verdicts: Vec<Verdict>,
    /// True if another entry already had one of the dots.
    pub taken: bool,
}

/// How entries are taken in.
#[derive(Clone, Copy)]
pub struct Intake<'a> {
    /// The rules of the families.
    pub check: &'a dyn Check,
    /// The server's sequence number and clock; zero on a device.
    pub sequence: u64,
    /// When the server received the entries, by its clock; zero on a device.
    pub received_at_ms: i64,
}

/// Accepts the entries of a proved run or part. The author's book must be known.
pub(crate) fn accept_entries(
    tx: &mut Transaction<'_>,
    run: &VerifiedRun,
    author: &mut Book,
    intake: Intake<'_>,
) -> Result<Accepted, LedgerError> {
    let mut accepted = Accepted::default();
    let whole = run.secret().is_some();
    let claim = &run.seal().claim;
    // A whole run is kept even where each entry of it had come in parts.
    let mut first_new = whole.then_some(claim.first);
    let held_before = holds_any(tx, claim.replica, (claim.first, claim.last))?;
    let mut fresh = Vec::with_capacity(run.entries().len());
    let mut proved_before = Vec::new();
    for verified in run.entries() {
        let stored = if held_before {
            entry(tx, verified.dot)?
        } else {
            None
        };
        let Some(stored) = stored.filter(|_| !is_planted(Bug::DuplicateAppliedTwice)) else {
            first_new.get_or_insert(verified.dot.counter);
            fresh.push(verified);
            continue;
        };
        if stored.entry != verified.entry {
            quarantine_taken(tx, verified, run.seal(), intake)?;
            accepted.taken = true;
            accepted.verdicts.push(Verdict {
                counter: verified.dot.counter,
                standing: Standing::QUARANTINED_DOT_TAKEN,
            });
        } else if !is_proved_by(tx, verified.dot, run.seal())? {
            // One salt is kept for an entry, so one seal proves it, also where it was sealed in two lives of its book.
            if whole {
                super::seal::release_parts(tx, verified.dot)?;
            } else if super::seal::holding_part(tx, verified.dot.replica, verified.dot.counter)?.is_some() {
                proved_before.push(verified.dot.counter);
                continue;
            }
            first_new.get_or_insert(verified.dot.counter);
            let salt = (!whole).then_some(verified.salt);
            save_entry(tx, verified.dot, &StoredEntry { salt, ..stored })?;
        }
    }
    accept_fresh(tx, &fresh, whole, author, intake, &mut accepted)?;
    if let Some(counter) = first_new.filter(|_| !accepted.taken) {
        let mut record = super::seal::part_record(run).without(&proved_before);
        if whole {
            record.founded = match super::seal::kept_whole(tx, run.seal())? {
                // It came before: what it founded was told then, and nothing is founded twice.
                Some(known) if fresh.is_empty() => known.founded,
                _ => founded_in(tx, run, &accepted)?,
            };
        }
        put_part(tx, counter, &record)?;
    }
    // A later entry of the run may have changed what an earlier one was at first.
    let of_run = author
        .verdicts
        .iter()
        .filter(|verdict| (claim.first..=claim.last).contains(&verdict.counter));
    accepted.verdicts.extend(of_run);
    accepted.verdicts.sort();
    accepted.verdicts.dedup_by_key(|verdict| verdict.counter);
    save_book(tx, author)?;
    Ok(accepted)
}

/// The scopes of the records that a whole run founds, if it does nothing else than found records and open its book.
fn founded_in(
    read: &dyn Read,
    run: &VerifiedRun,
    accepted: &Accepted,
) -> Result<Option<Founded>, StoreError> {
    let mut scopes = BTreeSet::new();
    let mut all_in_scopes = true;
    for verified in run.entries() {
        match accepted.founded.get(&verified.dot) {
            Some(founded) => {
                all_in_scopes &= !founded.is_empty();
                scopes.extend(founded.iter().cloned());
            }
            None if opens(verified) && entry(read, verified.dot)?.is_some() => {}
            None => return Ok(None),
        }
    }
    Ok(Some(Founded {
        scopes: scopes.into_iter().collect(),
        all_in_scopes,
    }))
}

fn opens(verified: &VerifiedEntry) -> bool {
    verified.dot.counter == 1
        && verified
            .entry
            .header()
            .is_ok_and(|header| header.kind == RevisionKind::OPEN)
}

/// True if what is held of this very seal proves the entry.
fn is_proved_by(read: &dyn Read, dot: Dot, seal: &Seal) -> Result<bool, StoreError> {
    let record = super::seal::holding_part(read, dot.replica, dot.counter)?;
    Ok(record.is_some_and(|record| record.seal.hash() == seal.hash()))
}

/// True if another entry has one of the dots: such a run or part is kept apart whole, so that what is accepted of a
/// seal always proves itself.
pub(crate) fn is_taken(read: &dyn Read, run: &VerifiedRun) -> Result<bool, StoreError> {
    let claim = &run.seal().claim;
    if !holds_any(read, claim.replica, (claim.first, claim.last))? {
        return Ok(false);
    }
    for verified in run.entries() {
        if entry(read, verified.dot)?.is_some_and(|stored| stored.entry != verified.entry) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Accepts a whole run at the end of a book, and moves the book's frontier.
pub(crate) fn accept_run_entries(
    tx: &mut Transaction<'_>,
    run: &VerifiedRun,
    author: &mut Book,
    intake: Intake<'_>,
) -> Result<Accepted, LedgerError> {
    let accepted = accept_entries(tx, run, author, intake)?;
    if !accepted.taken {
        author.held = author.held.max(run.seal().claim.last);
        author.sealed = run.seal().claim.last;
        author.seal = run.seal().hash();
        // Runs after it may have come before it, offered by a reader.
        while let Some(seal) = super::seal::next_seal(tx, author)? {
            author.held = author.held.max(seal.claim.last);
            author.sealed = seal.claim.last;
            author.seal = seal.hash();
        }
        save_book(tx, author)?;
    }
    Ok(accepted)
}

/// Gives up an own closed book's dot, which another entry has at the server. What stood here must have been re-issued
/// before.
pub(crate) fn give_up(tx: &mut Transaction<'_>, dot: Dot) -> Result<(), LedgerError> {
    tx.remove(Table::Aliases, keys::entry(dot));
    remove_entry(tx, dot)
}

/// Takes in entries that were not held, in order.
fn accept_fresh(
    tx: &mut Transaction<'_>,
    fresh: &[&VerifiedEntry],
    whole: bool,
    author: &mut Book,
    intake: Intake<'_>,
    accepted: &mut Accepted,
) -> Result<(), LedgerError> {
    let (Some(first), Some(last)) = (fresh.first(), fresh.last()) else {
        return Ok(());
    };
    let mut judged = Vec::with_capacity(fresh.len());
    for verified in fresh {
        judged.push(judge(tx, verified.dot, &verified.entry, author, intake.check)?);
    }
    save_fresh(tx, fresh, &judged, whole, intake)?;
    let (from, to) = keys::counters(author.replica(), first.dot.counter, last.dot.counter);
    let mut renamed = !tx.scan(Table::Aliases, &from, &to, 1)?.is_empty();
    // Of a run that nothing waits for, only what itself is put to wait can be released by a later entry of it.
    let mut awaited = !tx.scan(Table::Waiting, &from, &to, 1)?.is_empty();
    for (verified, (judged, revision)) in fresh.iter().zip(judged) {
        let dot = verified.dot;
        accepted.stored.push(dot);
        let mut queue = VecDeque::new();
        let mut standing = judged;
        if judged == Standing::KEPT {
            standing = match revision.filter(|revision| revision.header.record.is_none()) {
                Some(founding)
                    if !renamed
                        || (alias(tx, dot)?.is_none() && !is_another_name(tx, dot, &verified.entry)?) =>
                {
                    found(&founding, &mut queue, accepted);
                    Standing::KEPT
                }
                _ => fold_new(tx, dot, &verified.entry, &mut queue, accepted)?,
            };
        }
        if standing != judged {
            awaited |= standing == Standing::WAITING;
            save_entry(tx, dot, &stored_as(verified, standing, whole, intake))?;
        }
        author.set_verdict(dot.counter, standing);
        // A re-issue brings its originals with it, which are of other books.
        let others = queue.iter().any(|arrived| *arrived != dot);
        if (awaited || others) && anything_waits(tx, &queue)? {
            // What is released may be of this very book: its verdicts are set in the store, where this copy would undo
            // them.
            save_book(tx, author)?;
            retry_all(tx, queue, accepted)?;
            *author = book(tx, author.replica())?.ok_or(LedgerError::NoBook)?;
            // A re-issue may be among what was released.
            renamed = true;
        }
    }
    Ok(())
}

/// Writes fresh entries as they were judged: what is kept of a whole run as stretches, the rest one by one.
fn save_fresh(
    tx: &mut Transaction<'_>,
    fresh: &[&VerifiedEntry],
    judged: &[(Standing, Option<Revision>)],
    whole: bool,
    intake: Intake<'_>,
) -> Result<(), LedgerError> {
    let arrival = Arrival {
        sequence: intake.sequence,
        received_at_ms: intake.received_at_ms,
    };
    let fresh: Vec<(&VerifiedEntry, Standing)> = fresh
        .iter()
        .zip(judged)
        .map(|(verified, (standing, _))| (*verified, *standing))
        .collect();
    let mut rest = fresh.as_slice();
    while let Some(((first, standing), after)) = rest.split_first() {
        let counters = first.dot.counter..;
        let alike = counters.zip(rest).take_while(|(counter, (verified, standing))| {
            verified.dot.counter == *counter && *standing == Standing::KEPT
        });
        match rest.split_at_checked(alike.count()) {
            Some((stretch, after)) if whole && !stretch.is_empty() => {
                let entries = stretch.iter().map(|(verified, _)| &verified.entry);
                save_stretch(tx, first.dot, entries, arrival)?;
                rest = after;
            }
            _ => {
                let stored = stored_as(first, *standing, whole, intake);
                save(tx, Table::Entries, keys::entry(first.dot), &stored)?;
                rest = after;
            }
        }
    }
    Ok(())
}

fn stored_as(verified: &VerifiedEntry, standing: Standing, whole: bool, intake: Intake<'_>) -> StoredEntry {
    StoredEntry {
        entry: verified.entry.clone(),
        salt: (!whole).then_some(verified.salt),
        standing,
        sequence: intake.sequence,
        received_at_ms: intake.received_at_ms,
    }
}

/// Judges the bytes by themselves: does it read, is it well formed, does it keep the rules of its family? Returns what was
/// read of an ordinary revision.
fn judge(
    read: &dyn Read,
    dot: Dot,
    entry: &Entry,
    author: &Book,
    check: &dyn Check,
) -> Result<(Standing, Option<Revision>), StoreError> {
    let Ok(header) = entry.header() else {
        return Ok((Standing::QUARANTINED_MALFORMED, None));
    };
    let well_formed = match header.kind {
        RevisionKind::OPEN => {
            dot.counter == 1 && entry.opening().is_ok_and(|opening| opening == author.opening)
        }
        RevisionKind::REISSUE => return Ok((judge_reissue(read, dot, entry, author, check)?, None)),
        _ => match entry.body() {
            Ok(body) => {
                let revision = Revision { dot, header, body };
                if is_well_formed(&revision) {
                    return Ok((check.standing(&revision, author), Some(revision)));
                }
                false
            }
            Err(_) => false,
        },
    };
    let standing = if well_formed {
        Standing::KEPT
    } else {
        Standing::QUARANTINED_MALFORMED
    };
    Ok((standing, None))
}

/// Judges an envelope by what it carries (R-REV-7). It is sound if its originals are of other books of the same officer, its header
/// is the original's, and what it carries is well formed. The rules are asked about that as though it came by itself,
/// unless one of the originals was accepted here before: then nothing new is said.
fn judge_reissue(
    read: &dyn Read,
    dot: Dot,
    envelope: &Entry,
    author: &Book,
    check: &dyn Check,
) -> Result<Standing, StoreError> {
    let mut accepted = false;
    for original in originals(envelope) {
        let before = book(read, original.dot.replica)?;
        let of_officer = before.is_none_or(|before| before.opening.officer == author.opening.officer);
        if !of_officer || original.dot.replica == dot.replica {
            return Ok(Standing::QUARANTINED_MALFORMED);
        }
        accepted |= entry(read, original.dot)?.is_some_and(|held| {
            held.entry == original.entry && [Standing::KEPT, Standing::WAITING].contains(&held.standing)
        });
    }
    let sound =
        |inner: &Revision| is_well_formed(inner) && envelope.header() == Ok(envelope_header(&inner.header));
    if !innermost(envelope).is_some_and(|inner| sound(&inner)) {
        return Ok(Standing::QUARANTINED_MALFORMED);
    }
    match as_folded(read, dot, envelope)? {
        _ if accepted => Ok(Standing::KEPT),
        Some(brought) => Ok(check.standing(&brought, author)),
        None => Ok(Standing::QUARANTINED_MALFORMED),
    }
}

fn is_well_formed(revision: &Revision) -> bool {
    let header = &revision.header;
    let reason = revision
        .body
        .reason
        .as_ref()
        .is_some_and(|reason| !reason.as_str().trim().is_empty());
    let founds = header.record.is_none();
    let placed = if founds {
        header.context.is_empty() && header.prior == 0 && header.lamport == 1
    } else {
        header.record != Some(revision.dot) && header.lamport > 1 && !header.context.is_empty()
    };
    placed
        && header.prior < revision.dot.counter
        && !header.context.covers(revision.dot)
        && (reason || !header.kind.needs_reason())
        && header.kind != RevisionKind::OPEN
        && header.kind != RevisionKind::REISSUE
}

pub(crate) fn quarantine_taken(
    tx: &mut Transaction<'_>,
    verified: &VerifiedEntry,
    seal: &Seal,
    intake: Intake<'_>,
) -> Result<(), LedgerError> {
    if is_planted(Bug::QuarantineDropped) {
        return Ok(());
    }
    let quarantined = QuarantinedEntry {
        dot: verified.dot,
        entry: verified.entry.clone(),
        salt: verified.salt,
        seal: seal.clone(),
        received_at_ms: intake.received_at_ms,
    };
    let mut key = keys::entry(verified.dot);
    key.extend_from_slice(&verified.commitment.0);
    save(tx, Table::Quarantine, key, &quarantined)
}

/// Groups folded revisions by record, keeping order.
pub(crate) fn by_record(folded: &[(Dot, RecordId)]) -> BTreeMap<RecordId, Vec<Dot>> {
    let mut records: BTreeMap<RecordId, Vec<Dot>> = BTreeMap::new();
    for (dot, record) in folded {
        records.entry(*record).or_default().push(*dot);
    }
    records
}
