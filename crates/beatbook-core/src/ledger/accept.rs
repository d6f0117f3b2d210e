//! Accepting proved entries: dots taken, quarantine, verdicts. Folding is in `fold`, re-issues are in `reissue`.
//!
//! One bad entry never holds back another record (invariant 9); an entry accepted twice changes nothing
//! (invariant 10); a dot names the same bytes for ever (invariant 3).

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use beatbook_proto::{
    Dot, Entry, RecordId, Revision, RevisionKind, Scope, Seal, Standing, Verdict, VerifiedEntry, VerifiedRun,
};

use super::fold::{anything_waits, fold_new, found, retry_all};
use super::reissue::{alias, innermost, is_another_name, originals};
use super::{
    Book, LedgerError, QuarantinedEntry, StoredEntry, book, entry, put_part, save, save_book, save_entry,
};
use crate::keys;
use crate::planted::{Bug, is_planted};
use crate::store::{Read, StoreError, Table, Transaction};

/// Judges revisions that came from elsewhere, by rules that the core does not know.
pub trait Check: Send + Sync {
    /// How the revision is to stand: [`Standing::KEPT`], or one of the quarantines.
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
    // A whole run is kept even where each entry of it had come in parts.
    let mut first_new = whole.then_some(run.seal().claim.first);
    for verified in run.entries() {
        let held = entry(tx, verified.dot)?.filter(|_| !is_planted(Bug::DuplicateAppliedTwice));
        let Some(stored) = held else {
            first_new.get_or_insert(verified.dot.counter);
            accept_new(tx, verified, whole, author, intake, &mut accepted)?;
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
            first_new.get_or_insert(verified.dot.counter);
            let salt = (!whole).then_some(verified.salt);
            save_entry(tx, verified.dot, &StoredEntry { salt, ..stored })?;
        }
    }
    if let Some(counter) = first_new.filter(|_| !accepted.taken) {
        put_part(tx, counter, &super::seal::part_record(run))?;
    }
    // A later entry of the run may have changed what an earlier one was at first.
    let claim = &run.seal().claim;
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

/// True if what is held of this very seal proves the entry.
fn is_proved_by(read: &dyn Read, dot: Dot, seal: &Seal) -> Result<bool, StoreError> {
    let record = super::seal::holding_part(read, dot.replica, dot.counter)?;
    Ok(record.is_some_and(|record| record.seal.hash() == seal.hash()))
}

/// True if another entry has one of the dots: such a run or part is kept apart whole, so that what is accepted of a
/// seal always proves itself.
pub(crate) fn is_taken(read: &dyn Read, run: &VerifiedRun) -> Result<bool, StoreError> {
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
        save_book(tx, author)?;
    }
    Ok(accepted)
}

/// Gives up an own closed book's dot, which another entry has at the server. What stood here must have been re-issued
/// before.
pub(crate) fn give_up(tx: &mut Transaction<'_>, dot: Dot) -> Result<(), LedgerError> {
    tx.remove(Table::Aliases, keys::entry(dot));
    tx.remove(Table::Entries, keys::entry(dot));
    Ok(())
}

fn accept_new(
    tx: &mut Transaction<'_>,
    verified: &VerifiedEntry,
    whole: bool,
    author: &mut Book,
    intake: Intake<'_>,
    accepted: &mut Accepted,
) -> Result<(), LedgerError> {
    let mut stored = StoredEntry {
        entry: verified.entry.clone(),
        salt: (!whole).then_some(verified.salt),
        standing: Standing::KEPT,
        sequence: intake.sequence,
        received_at_ms: intake.received_at_ms,
    };
    let mut queue = VecDeque::new();
    let (standing, revision) = judge(tx, verified.dot, &stored.entry, author, intake.check)?;
    stored.standing = standing;
    save_entry(tx, verified.dot, &stored)?;
    accepted.stored.push(verified.dot);
    if stored.standing == Standing::KEPT {
        let standing = match revision.filter(|revision| revision.header.record.is_none()) {
            Some(founding)
                if alias(tx, founding.dot)?.is_none()
                    && !is_another_name(tx, founding.dot, &stored.entry)? =>
            {
                found(&founding, &mut queue, accepted);
                Standing::KEPT
            }
            _ => fold_new(tx, verified.dot, &stored.entry, &mut queue, accepted)?,
        };
        if standing != Standing::KEPT {
            stored.standing = standing;
            save_entry(tx, verified.dot, &stored)?;
        }
    }
    author.set_verdict(verified.dot.counter, stored.standing);
    if anything_waits(tx, &queue)? {
        // What is released may be of this very book: its verdicts are set in the store, where this copy would undo them.
        save_book(tx, author)?;
        retry_all(tx, queue, accepted)?;
        *author = book(tx, author.replica())?.ok_or(LedgerError::NoBook)?;
    }
    Ok(())
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
        RevisionKind::REISSUE => is_sound_reissue(read, dot, entry, author)?,
        _ => match Revision::read(dot, entry) {
            Ok(revision) if is_well_formed(&revision) => {
                return Ok((check.standing(&revision, author), Some(revision)));
            }
            _ => false,
        },
    };
    let standing = if well_formed {
        Standing::KEPT
    } else {
        Standing::QUARANTINED_MALFORMED
    };
    Ok((standing, None))
}

/// An envelope is sound if its originals are of other books of the same officer, and what it carries is well formed.
fn is_sound_reissue(read: &dyn Read, dot: Dot, envelope: &Entry, author: &Book) -> Result<bool, StoreError> {
    for original in originals(envelope) {
        let before = book(read, original.dot.replica)?;
        let of_officer = before.is_none_or(|before| before.opening.officer == author.opening.officer);
        if !of_officer || original.dot.replica == dot.replica {
            return Ok(false);
        }
    }
    Ok(innermost(envelope).is_some_and(|inner| is_well_formed(&inner)))
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
