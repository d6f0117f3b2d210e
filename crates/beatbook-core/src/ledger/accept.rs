//! Accepting proved entries: dots taken, causal delivery per record, quarantine, re-issues, folding.
//!
//! One bad entry never holds back another record (invariant 9); an entry accepted twice changes nothing
//! (invariant 10); a dot names the same bytes for ever (invariant 3).

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use beatbook_proto::{
    Dot, Entry, RecordId, ReplicaId, Revision, RevisionKind, Seal, Standing, Verdict, VerifiedEntry,
    VerifiedRun, VersionVector,
};

use super::{
    Alias, Book, LedgerError, QuarantinedEntry, StoredEntry, book, entry, head, load, put_part, revisions,
    save, save_book, save_entry, save_head,
};
use crate::keys;
use crate::merge::Head;
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
    let mut first_new = None;
    for verified in run.entries() {
        let Some(stored) = entry(tx, verified.dot)? else {
            first_new.get_or_insert(verified.dot.counter);
            accept_new(tx, verified, author, intake, &mut accepted)?;
            continue;
        };
        if stored.entry == verified.entry {
            if stored.salt.is_none() {
                first_new.get_or_insert(verified.dot.counter);
                save_entry(
                    tx,
                    verified.dot,
                    &StoredEntry {
                        salt: Some(verified.salt),
                        ..stored
                    },
                )?;
            }
            if author
                .verdicts
                .iter()
                .any(|verdict| verdict.counter == verified.dot.counter)
            {
                accepted.verdicts.push(Verdict {
                    counter: verified.dot.counter,
                    standing: stored.standing,
                });
            }
        } else {
            quarantine_taken(tx, verified, run.seal(), intake)?;
            accepted.taken = true;
            let standing = Standing::QUARANTINED_DOT_TAKEN;
            accepted.verdicts.push(Verdict {
                counter: verified.dot.counter,
                standing,
            });
        }
    }
    if let Some(counter) = first_new.filter(|_| !accepted.taken) {
        put_part(tx, counter, &super::seal::part_record(run))?;
    }
    save_book(tx, author)?;
    Ok(accepted)
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

/// Gives an own closed book's dot to the entry that the server has under it. What stood here must have been
/// re-issued before.
pub(crate) fn replace_taken(
    tx: &mut Transaction<'_>,
    verified: &VerifiedEntry,
    author: &mut Book,
    intake: Intake<'_>,
) -> Result<Accepted, LedgerError> {
    tx.remove(Table::Aliases, keys::entry(verified.dot));
    let mut accepted = Accepted::default();
    accept_new(tx, verified, author, intake, &mut accepted)?;
    Ok(accepted)
}

/// Folds a re-issue that was just written on this device, so that the record answers to its new name.
pub(crate) fn fold_reissue(
    tx: &mut Transaction<'_>,
    dot: Dot,
    entry: &Entry,
) -> Result<Accepted, LedgerError> {
    let mut accepted = Accepted::default();
    let mut queue = VecDeque::new();
    reissue(tx, dot, entry, &mut queue, &mut accepted)?;
    while let Some(next) = queue.pop_front() {
        retry_waiting(tx, next, &mut queue, &mut accepted)?;
    }
    Ok(accepted)
}

/// The revision as it is folded: a re-issue opened, references to re-issued dots translated. `None` if it does not read.
pub(crate) fn as_folded(read: &dyn Read, dot: Dot, entry: &Entry) -> Result<Option<Revision>, StoreError> {
    let Ok(header) = entry.header() else {
        return Ok(None);
    };
    let mut revision = if header.kind == RevisionKind::REISSUE {
        let Ok(original) = entry.original() else {
            return Ok(None);
        };
        let Ok(mut inner) = Revision::read(original.dot, &original.entry) else {
            return Ok(None);
        };
        let prior = Dot {
            replica: original.dot.replica,
            counter: inner.header.prior,
        };
        let alias = alias_for(read, prior, dot.replica)?.filter(|alias| alias.now.replica == dot.replica);
        inner.header.prior = alias.map_or(0, |alias| alias.now.counter);
        inner.dot = dot;
        inner
    } else {
        match Revision::read(dot, entry) {
            Ok(revision) => revision,
            Err(_) => return Ok(None),
        }
    };
    if let Some(record) = revision.header.record {
        revision.header.record =
            Some(alias_for(read, record, dot.replica)?.map_or(record, |alias| alias.now));
    }
    revision.header.context = translate(read, &revision.header.context, dot.replica)?;
    Ok(Some(revision))
}

/// The dot an entry was re-issued under, if it was.
pub(crate) fn alias(read: &dyn Read, dot: Dot) -> Result<Option<Alias>, StoreError> {
    if dot.counter == 0 {
        Ok(None)
    } else {
        load(read, Table::Aliases, &keys::entry(dot))
    }
}

/// What `dot` means to the author of entries in `reader`: a book knows its own re-issues under their original dots,
/// also where another entry has taken such a dot.
fn alias_for(read: &dyn Read, dot: Dot, reader: ReplicaId) -> Result<Option<Alias>, StoreError> {
    if dot.counter == 0 {
        return Ok(None);
    }
    match load(read, Table::Aliases, &private_alias(dot, reader))? {
        Some(alias) => Ok(Some(alias)),
        None => alias(read, dot),
    }
}

fn private_alias(dot: Dot, reader: ReplicaId) -> Vec<u8> {
    let mut key = keys::entry(dot);
    key.extend_from_slice(reader.as_bytes());
    key
}

fn accept_new(
    tx: &mut Transaction<'_>,
    verified: &VerifiedEntry,
    author: &mut Book,
    intake: Intake<'_>,
    accepted: &mut Accepted,
) -> Result<(), LedgerError> {
    let mut stored = StoredEntry {
        entry: verified.entry.clone(),
        salt: Some(verified.salt),
        standing: Standing::KEPT,
        sequence: intake.sequence,
        received_at_ms: intake.received_at_ms,
    };
    let mut queue = VecDeque::new();
    stored.standing = judge(tx, verified.dot, &stored.entry, author, intake.check)?;
    save_entry(tx, verified.dot, &stored)?;
    accepted.stored.push(verified.dot);
    if stored.standing == Standing::KEPT {
        let standing = fold_new(tx, verified.dot, &stored.entry, &mut queue, accepted)?;
        if standing != Standing::KEPT {
            stored.standing = standing;
            save_entry(tx, verified.dot, &stored)?;
        }
    }
    if stored.standing != Standing::KEPT {
        author.set_verdict(verified.dot.counter, stored.standing);
        accepted.verdicts.push(Verdict {
            counter: verified.dot.counter,
            standing: stored.standing,
        });
    }
    while let Some(dot) = queue.pop_front() {
        retry_waiting(tx, dot, &mut queue, accepted)?;
    }
    // Entries of this very book may have been waiting for one another.
    let released = accepted
        .folded
        .iter()
        .map(|(dot, _)| *dot)
        .filter(|dot| dot.replica == verified.dot.replica);
    for dot in released {
        author.set_verdict(dot.counter, Standing::KEPT);
        accepted.verdicts.retain(|verdict| verdict.counter != dot.counter);
    }
    Ok(())
}

/// Judges the bytes by themselves: does it read, is it well formed, does it keep the rules of its family?
fn judge(
    read: &dyn Read,
    dot: Dot,
    entry: &Entry,
    author: &Book,
    check: &dyn Check,
) -> Result<Standing, StoreError> {
    let Ok(header) = entry.header() else {
        return Ok(Standing::QUARANTINED_MALFORMED);
    };
    let well_formed = match header.kind {
        RevisionKind::OPEN => {
            dot.counter == 1 && entry.opening().is_ok_and(|opening| opening == author.opening)
        }
        RevisionKind::REISSUE => match entry.original() {
            Ok(original) => {
                let before = book(read, original.dot.replica)?;
                original.dot.replica != dot.replica
                    && before.is_none_or(|before| before.opening.officer == author.opening.officer)
                    && Revision::read(original.dot, &original.entry).is_ok_and(|inner| is_well_formed(&inner))
            }
            Err(_) => false,
        },
        _ => match Revision::read(dot, entry) {
            Ok(revision) if is_well_formed(&revision) => return Ok(check.standing(&revision, author)),
            _ => false,
        },
    };
    Ok(if well_formed {
        Standing::KEPT
    } else {
        Standing::QUARANTINED_MALFORMED
    })
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

/// Folds a new entry into its record, or says that it has to wait.
fn fold_new(
    tx: &mut Transaction<'_>,
    dot: Dot,
    entry: &Entry,
    queue: &mut VecDeque<Dot>,
    accepted: &mut Accepted,
) -> Result<Standing, LedgerError> {
    let kind = entry.header().map(|header| header.kind);
    if kind == Ok(RevisionKind::OPEN) {
        return Ok(Standing::KEPT);
    }
    if let Some(reissued) = alias(tx, dot)? {
        let envelope = super::entry(tx, reissued.now)?.and_then(|stored| stored.entry.original().ok());
        if envelope.is_none_or(|original| original.dot != dot || original.entry == *entry) {
            // The original of a re-issue turned up: both dots are one revision.
            return Ok(Standing::KEPT);
        }
        // Another entry took the dot of the original: only the re-issuing book means the re-issue by it.
        tx.remove(Table::Aliases, keys::entry(dot));
    }
    if kind == Ok(RevisionKind::REISSUE) {
        return reissue(tx, dot, entry, queue, accepted);
    }
    fold_one(tx, dot, entry, queue, accepted)
}

fn fold_one(
    tx: &mut Transaction<'_>,
    dot: Dot,
    entry: &Entry,
    queue: &mut VecDeque<Dot>,
    accepted: &mut Accepted,
) -> Result<Standing, LedgerError> {
    let Some(revision) = as_folded(tx, dot, entry)? else {
        return Ok(Standing::QUARANTINED_MALFORMED);
    };
    let record = revision.record();
    let folded = match head(tx, record)? {
        None if revision.header.record.is_none() => Head::found(&revision),
        None => return wait(tx, record, dot),
        Some(mut head) => {
            if let Some(missing) = head.missing(&revision) {
                return wait(tx, missing, dot);
            }
            if revision.header.lamport != 1 + super::write::lamport_of(&head, &revision.header.context) {
                return Ok(Standing::QUARANTINED_MALFORMED);
            }
            let history = if head.is_fast_forward(&revision) {
                Vec::new()
            } else {
                revisions(tx, &head)?
            };
            let history: Vec<&Revision> = history.iter().collect();
            head.apply(&revision, &history).map(|()| head)
        }
    };
    let Some(head) = folded else {
        return Ok(Standing::QUARANTINED_MALFORMED);
    };
    save_head(tx, &head)?;
    accepted.folded.push((dot, record));
    queue.push_back(dot);
    Ok(Standing::KEPT)
}

fn wait(tx: &mut Transaction<'_>, missing: Dot, dot: Dot) -> Result<Standing, LedgerError> {
    tx.put(Table::Waiting, keys::waiting(missing, dot), Vec::new());
    Ok(Standing::WAITING)
}

/// Tries again what waited for `arrived`.
fn retry_waiting(
    tx: &mut Transaction<'_>,
    arrived: Dot,
    queue: &mut VecDeque<Dot>,
    accepted: &mut Accepted,
) -> Result<(), LedgerError> {
    let from = keys::entry(arrived);
    for (key, _) in tx.scan(Table::Waiting, &from, &keys::after(&from), usize::MAX)? {
        let Some(dot) = key.get(from.len()..).and_then(Dot::from_key) else {
            continue;
        };
        tx.remove(Table::Waiting, key);
        let Some(mut stored) = entry(tx, dot)? else {
            continue;
        };
        stored.standing = fold_new(tx, dot, &stored.entry, queue, accepted)?;
        save_entry(tx, dot, &stored)?;
        if let Some(mut author) = book(tx, dot.replica)? {
            author.set_verdict(dot.counter, stored.standing);
            save_book(tx, &author)?;
        }
    }
    Ok(())
}

/// Takes in a re-issue: from now on the original dot is another name of this one.
fn reissue(
    tx: &mut Transaction<'_>,
    dot: Dot,
    entry_bytes: &Entry,
    queue: &mut VecDeque<Dot>,
    accepted: &mut Accepted,
) -> Result<Standing, LedgerError> {
    let Ok(original) = entry_bytes.original() else {
        return Ok(Standing::QUARANTINED_MALFORMED);
    };
    let Ok(inner) = Revision::read(original.dot, &original.entry) else {
        return Ok(Standing::QUARANTINED_MALFORMED);
    };
    if alias(tx, original.dot)?.is_some() {
        return Ok(Standing::KEPT);
    }
    let held = entry(tx, original.dot)?;
    let alias = Alias {
        now: dot,
        prior: inner.header.prior,
    };
    save(
        tx,
        Table::Aliases,
        private_alias(original.dot, dot.replica),
        &alias,
    )?;
    if held.as_ref().is_some_and(|held| held.entry != original.entry) {
        // The dot names another entry here: what is re-issued is a revision of its own.
        return fold_one(tx, dot, entry_bytes, queue, accepted);
    }
    let record = inner.record();
    let folded_before = head(tx, record)?.filter(|head| head.holds(original.dot));
    save(
        tx,
        Table::Aliases,
        keys::entry(original.dot),
        &Alias {
            now: dot,
            prior: inner.header.prior,
        },
    )?;
    match folded_before {
        Some(before) => refold(tx, &before, original.dot, dot, accepted)?,
        None => {
            let standing = fold_one(tx, dot, entry_bytes, queue, accepted)?;
            if standing != Standing::KEPT {
                return Ok(standing);
            }
        }
    }
    queue.push_back(original.dot);
    queue.push_back(dot);
    Ok(Standing::KEPT)
}

/// Folds a record again in which `old` has become `new`; where it founded the record, the record is renamed.
fn refold(
    tx: &mut Transaction<'_>,
    before: &Head,
    old: Dot,
    new: Dot,
    accepted: &mut Accepted,
) -> Result<(), LedgerError> {
    let mut translated = Vec::with_capacity(before.revisions.len());
    for (_, dot) in &before.revisions {
        let dot = if *dot == old { new } else { *dot };
        let bytes = if dot == new {
            pending_entry(tx, new, old)?
        } else {
            entry(tx, dot)?.map(|stored| stored.entry)
        };
        let bytes = bytes.ok_or(LedgerError::NoSuchRecord(before.record))?;
        translated.extend(as_folded(tx, dot, &bytes)?);
    }
    let mut folded = Head::fold(translated.iter()).ok_or(LedgerError::NoSuchRecord(before.record))?;
    folded.scopes.clone_from(&before.scopes);
    folded.frozen = before.frozen;
    if folded.record != before.record {
        tx.remove(Table::Heads, keys::entry(before.record));
        accepted.renamed.push((before.record, folded.record));
        let aliased = Alias {
            now: folded.record,
            prior: 0,
        };
        save(tx, Table::Aliases, keys::entry(before.record), &aliased)?;
    }
    save_head(tx, &folded)?;
    accepted.folded.push((new, folded.record));
    Ok(())
}

/// The bytes to fold under a re-issue's dot: its envelope where that is stored already, else the original itself.
fn pending_entry(tx: &Transaction<'_>, new: Dot, old: Dot) -> Result<Option<Entry>, StoreError> {
    match entry(tx, new)? {
        Some(stored) => Ok(Some(stored.entry)),
        None => Ok(entry(tx, old)?.map(|stored| stored.entry)),
    }
}

/// Translates a context: a re-issued dot becomes its new one and what came before it in the original book.
fn translate(
    read: &dyn Read,
    context: &VersionVector,
    reader: ReplicaId,
) -> Result<VersionVector, StoreError> {
    let mut translated = VersionVector::new();
    for dot in context.iter() {
        let mut at = dot;
        while let Some(alias) = alias_for(read, at, reader)? {
            translated.cover(alias.now);
            at = Dot {
                replica: at.replica,
                counter: alias.prior,
            };
        }
        translated.cover(at);
    }
    Ok(translated)
}

pub(crate) fn quarantine_taken(
    tx: &mut Transaction<'_>,
    verified: &VerifiedEntry,
    seal: &Seal,
    intake: Intake<'_>,
) -> Result<(), LedgerError> {
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
