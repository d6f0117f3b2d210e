//! Entries that lost their dot to another history of the same book: a folder was copied whole, and the server forgot what
//! the original had sent before it met the copy. Nothing shows that when it happens, so it is put right afterwards.
//!
//! The server's present log says which entry has the dot. A reader of the earlier life gives way and hands in what it
//! held, with its proof; the server keeps that apart and gives it to the book's own device, which issues it again. What
//! is kept apart is kept until a re-issue of it is held. Judging and folding are in `accept` and `fold`.

use alloc::collections::{BTreeSet, VecDeque};
use alloc::vec::Vec;

use beatbook_proto::{
    Dot, Entry, Hash, List, Original, Part, RecordId, ReplicaId, Revision, RevisionKind, Standing,
    VerifiedRun,
};

use super::fold::{fold_new, retry_all};
use super::reissue::{alias, as_folded, innermost, is_reissued, means_own_reissue};
use super::{
    Accepted, Intake, LedgerError, StoredEntry, entry, head, load, save, save_entry, save_head, seal,
};
use crate::keys;
use crate::merge::Head;
use crate::store::{Read, StoreError, Table, Transaction};

/// Keeps what a reader handed in under a dot that another entry has, with its proof, for the book's own device.
pub(crate) fn keep_apart(tx: &mut Transaction<'_>, run: &VerifiedRun) -> Result<(), LedgerError> {
    let mut record = seal::part_record(run);
    // Other entries are held here: they prove nothing of these.
    record.leaves = run.leaves().to_vec();
    for verified in run.entries() {
        if entry(tx, verified.dot)?.is_some_and(|held| held.entry == verified.entry) {
            continue;
        }
        let stored = StoredEntry {
            entry: verified.entry.clone(),
            salt: Some(verified.salt),
            standing: Standing::KEPT,
            sequence: 0,
            received_at_ms: 0,
        };
        if let Some(part) = seal::proved(tx, &record, alloc::vec![(verified.dot.counter, stored)])? {
            put(tx, &part)?;
        }
    }
    Ok(())
}

/// What is kept apart, of one book or of all, and was not issued again as far as this store knows; one entry a part.
pub(crate) fn apart(read: &dyn Read, replica: Option<ReplicaId>) -> Result<Vec<Part>, StoreError> {
    let mut from = APART.to_vec();
    from.extend(replica.iter().flat_map(|replica| *replica.as_bytes()));
    let mut parts = Vec::new();
    for (_, bytes) in read.scan(Table::Meta, &from, &keys::after(&from), APART_MAX)? {
        let part: Part = super::decode(Table::Meta, &bytes)?;
        if let Some(original) = original_of(&part)
            && !is_reissued(read, &original)?
        {
            parts.push(part);
        }
    }
    Ok(parts)
}

/// The only entry of a part that was kept apart, as a re-issue carries it.
pub(crate) fn original_of(part: &Part) -> Option<Original> {
    let (counter, entry) = part.entries.first().filter(|_| part.entries.len() == 1)?;
    Some(Original {
        dot: Dot {
            replica: part.seal.claim.replica,
            counter: *counter,
        },
        entry: entry.clone(),
        salt: None,
        seal: Some(part.seal.clone()),
        proof: Some(part.proof.clone()),
    })
}

/// Drops what was kept apart of an entry: it was issued again.
pub(crate) fn is_issued_again(tx: &mut Transaction<'_>, original: &Original) -> Result<(), LedgerError> {
    let key = key(original);
    if tx.get(Table::Meta, &key)?.is_some() {
        tx.remove(Table::Meta, key);
    }
    Ok(())
}

/// Makes room for the entries of `run` in another's book: whatever else is held under their dots is set apart, and the
/// records that it was in are folded without it. Returns these records.
pub(crate) fn displace(
    tx: &mut Transaction<'_>,
    run: &VerifiedRun,
    intake: Intake<'_>,
) -> Result<BTreeSet<RecordId>, LedgerError> {
    let mut touched = BTreeSet::new();
    for verified in run.entries() {
        let dot = verified.dot;
        let Some(stored) = entry(tx, dot)?.filter(|stored| stored.entry != verified.entry) else {
            continue;
        };
        if let Some((_, seal, proof)) = seal::proof_of(tx, dot)? {
            let part = Part {
                seal,
                proof,
                entries: List(alloc::vec![(dot.counter, stored.entry.clone())]),
            };
            put(tx, &part)?;
            for earlier in part.verify_root()?.entries() {
                super::quarantine_taken(tx, earlier, run.seal(), intake)?;
            }
        }
        seal::release(tx, dot)?;
        touched.extend(unfold(tx, dot, &stored)?);
    }
    Ok(touched)
}

/// Takes an entry out of its record, and folds the rest of the record again; what built on it waits.
fn unfold(tx: &mut Transaction<'_>, dot: Dot, stored: &StoredEntry) -> Result<Option<RecordId>, LedgerError> {
    if alias(tx, dot)?.is_some() {
        // A re-issue of it stands in the record.
        super::give_up(tx, dot)?;
        return Ok(None);
    }
    let record = as_folded(tx, dot, &stored.entry)?.map(|revision| revision.record());
    let before = match record {
        Some(record) => head(tx, record)?.filter(|head| head.holds(dot)),
        None => None,
    };
    super::give_up(tx, dot)?;
    let Some(before) = before else {
        return Ok(None);
    };
    tx.remove(Table::Heads, keys::entry(before.record));
    let mut accepted = Accepted::default();
    let mut queue = VecDeque::new();
    let others = before.revisions.iter().map(|(_, other)| *other);
    for other in others.filter(|other| *other != dot && *other != before.record) {
        let Some(mut left) = entry(tx, other)? else {
            continue;
        };
        left.standing = fold_new(tx, other, &left.entry, &mut queue, &mut accepted)?;
        save_entry(tx, other, &left)?;
    }
    retry_all(tx, queue, &mut accepted)?;
    if let Some(mut after) = load::<Head>(tx, Table::Heads, &keys::entry(before.record))? {
        after.scopes = before.scopes;
        after.frozen = before.frozen;
        save_head(tx, &after)?;
    }
    Ok(Some(before.record))
}

/// The entry under `dot` has come, and it is not the one that was issued again as `now`: what had been folded into the
/// record of that as if it were, and is of authors who mean the present entry by the dot, is folded anew.
pub(crate) fn give_back(
    tx: &mut Transaction<'_>,
    dot: Dot,
    now: Dot,
    queue: &mut VecDeque<Dot>,
    accepted: &mut Accepted,
) -> Result<(), LedgerError> {
    let envelope = match entry(tx, now)? {
        Some(stored) => as_folded(tx, now, &stored.entry)?,
        None => None,
    };
    let before = match envelope {
        Some(envelope) => head(tx, envelope.record())?.filter(|head| head.holds(now)),
        None => None,
    };
    let Some(before) = before else { return Ok(()) };
    let mut given_back = BTreeSet::new();
    let mut stays = Vec::new();
    for (_, other) in &before.revisions {
        let Some(stored) = entry(tx, *other)? else {
            continue;
        };
        let Some(folded) = as_folded(tx, *other, &stored.entry)? else {
            continue;
        };
        let meant = *other != now && refers(tx, *other, &stored.entry, dot)?;
        if meant
            || given_back
                .iter()
                .any(|given: &Dot| folded.header.context.covers(*given))
        {
            given_back.insert(*other);
        } else {
            stays.push(folded);
        }
    }
    let folded = Head::fold(stays.iter());
    let Some(mut folded) = folded.filter(|_| !given_back.is_empty()) else {
        return Ok(());
    };
    folded.scopes = before.scopes;
    folded.frozen = before.frozen;
    save_head(tx, &folded)?;
    accepted.gave_back.push(folded.record);
    for other in given_back {
        let Some(mut stored) = entry(tx, other)? else {
            continue;
        };
        stored.standing = fold_new(tx, other, &stored.entry, queue, accepted)?;
        save_entry(tx, other, &stored)?;
    }
    Ok(())
}

/// True if an entry speaks of `dot`, and its author means by it what everyone does.
fn refers(read: &dyn Read, of: Dot, bytes: &Entry, dot: Dot) -> Result<bool, StoreError> {
    let inner = match bytes.header().map(|header| header.kind) {
        Ok(RevisionKind::REISSUE) => innermost(bytes),
        _ => Revision::read(of, bytes).ok(),
    };
    let speaks =
        inner.is_some_and(|inner| inner.header.record == Some(dot) || inner.header.context.covers(dot));
    Ok(speaks && !means_own_reissue(read, dot, of.replica)?)
}

fn put(tx: &mut Transaction<'_>, part: &Part) -> Result<(), LedgerError> {
    match original_of(part) {
        Some(original) => save(tx, Table::Meta, key(&original), part),
        None => Ok(()),
    }
}

fn key(original: &Original) -> Vec<u8> {
    let mut key = APART.to_vec();
    key.extend_from_slice(&original.dot.key());
    let hash = Hash::of(APART_DOMAIN, &[&original.entry.header, &original.entry.body]);
    key.extend_from_slice(&hash.0);
    key
}

const APART: &[u8] = b"apart ";
const APART_DOMAIN: &str = "beatbook 2026-11 entry apart v1";
/// Most entries kept apart that are looked at in one go.
const APART_MAX: usize = 256;
