//! Causal delivery per record: an entry is folded once all that its author had read is here, until then it waits.
//!
//! One bad entry holds back its own record only (invariant 9).

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use beatbook_proto::{Dot, Entry, Revision, RevisionKind, Standing};

use super::apart::give_back;
use super::reissue::{alias, as_folded, is_another_name, is_of_one_officer, originals, reissue};
use super::{
    Accepted, LedgerError, book, entry, head, revisions, save_book, save_entry, save_head, scopes_founded,
};
use crate::keys;
use crate::merge::Head;
use crate::planted::{Bug, is_planted};
use crate::store::{Read, StoreError, Table, Transaction};

/// Folds a new entry into its record, or says that it has to wait.
pub(crate) fn fold_new(
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
    if is_another_name(tx, dot, entry)? {
        queue.push_back(dot);
        return Ok(Standing::KEPT);
    }
    if let Some(reissued) = alias(tx, dot)? {
        let envelope = super::entry(tx, reissued.now)?.map(|stored| originals(&stored.entry));
        let carried = envelope
            .iter()
            .flatten()
            .find(|original| original.dot == dot)
            .is_none_or(|original| original.entry == *entry);
        if carried && is_of_one_officer(tx, dot.replica, reissued.now.replica)? {
            // The original of a re-issue turned up: both dots are one revision.
            queue.push_back(dot);
            return Ok(Standing::KEPT);
        }
        // Another entry took the dot of the original, or another officer its bytes: only the re-issuing book means the
        // re-issue by it.
        tx.remove(Table::Aliases, keys::entry(dot));
        give_back(tx, dot, reissued.now, queue, accepted)?;
    }
    if kind == Ok(RevisionKind::REISSUE) {
        return reissue(tx, dot, entry, queue, accepted);
    }
    fold_one(tx, dot, entry, queue, accepted)
}

pub(crate) fn fold_one(
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
    if revision.header.record.is_none()
        && entry
            .header()
            .is_ok_and(|header| header.kind != RevisionKind::REISSUE)
    {
        found(&revision, queue, accepted);
        return Ok(Standing::KEPT);
    }
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
    match save_head(tx, &head) {
        // Touched by more books than a context holds, or larger than a store reads back: it stays as it was.
        Err(LedgerError::TooLarge(_)) => return Ok(Standing::QUARANTINED_MALFORMED),
        saved => saved?,
    }
    accepted.folded.push((dot, record));
    queue.push_back(dot);
    Ok(Standing::KEPT)
}

/// Founds a record. The founding entry is the head until something follows it: no row of its own.
pub(crate) fn found(revision: &Revision, queue: &mut VecDeque<Dot>, accepted: &mut Accepted) {
    if let Some(scopes) = scopes_founded(revision) {
        accepted.founded.insert(revision.dot, scopes);
    }
    accepted.folded.push((revision.dot, revision.dot));
    queue.push_back(revision.dot);
}

fn wait(tx: &mut Transaction<'_>, missing: Dot, dot: Dot) -> Result<Standing, LedgerError> {
    if !is_planted(Bug::WaitingForgotten) {
        tx.put(Table::Waiting, keys::waiting(missing, dot), Vec::new());
    }
    Ok(Standing::WAITING)
}

/// True if an entry waits for any of these dots.
pub(crate) fn anything_waits(read: &dyn Read, arrived: &VecDeque<Dot>) -> Result<bool, StoreError> {
    for dot in arrived {
        let from = keys::entry(*dot);
        if !read
            .scan(Table::Waiting, &from, &keys::after(&from), 1)?
            .is_empty()
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Tries again what waited for any of `queue`, and for what that releases.
pub(crate) fn retry_all(
    tx: &mut Transaction<'_>,
    mut queue: VecDeque<Dot>,
    accepted: &mut Accepted,
) -> Result<(), LedgerError> {
    while let Some(dot) = queue.pop_front() {
        retry_waiting(tx, dot, &mut queue, accepted)?;
    }
    Ok(())
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
        if let Some(mut author) = book(tx, dot.replica)?.filter(|_| !is_planted(Bug::VerdictNotReleased)) {
            author.set_verdict(dot.counter, stored.standing);
            save_book(tx, &author)?;
        }
    }
    Ok(())
}
