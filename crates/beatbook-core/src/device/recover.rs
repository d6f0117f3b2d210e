//! What a device does after something went back in time: re-issues of what the server never saw, and offers of what it
//! holds of others' books.

use alloc::vec::Vec;

use beatbook_proto::limits::{BOOKS_MAX, RUN_ENTRIES_MAX};
use beatbook_proto::{
    Dot, Entry, Hash, Original, Part, RecordId, ReplicaId, ReplicaKind, RevisionKind, Standing,
};

use super::DeviceEnv;
use crate::ledger::{self, Book, LedgerError, StoredEntry, book, entry, own_books, save_book, save_entry};
use crate::planted::{Bug, is_planted};
use crate::store::{Read, StoreError, Transaction};

/// Re-issues what closed own books hold beyond the server's knowledge, oldest first. Returns how many.
pub(super) fn reissue_all(tx: &mut Transaction<'_>, env: &DeviceEnv<'_>) -> Result<u64, LedgerError> {
    let mut closed: Vec<Book> = own_books(tx)?.into_iter().filter(|book| book.closed).collect();
    closed.sort_by_key(|book| (book.opening.opened_at, book.replica()));
    let mut count = 0;
    for book in closed {
        count += reissue_book(tx, env, book.replica(), &mut Vec::new())?;
    }
    Ok(count)
}

/// Re-issues all that a closed own book holds beyond the server's knowledge, in one go and in order: a context that
/// covers one of its entries covers those before it, and so it has to be with the entries that take their place.
pub(super) fn reissue_book(
    tx: &mut Transaction<'_>,
    env: &DeviceEnv<'_>,
    closed: ReplicaId,
    changed: &mut Vec<RecordId>,
) -> Result<u64, LedgerError> {
    let mut closed = book(tx, closed)?.ok_or(LedgerError::NoBook)?;
    let mut count = 0;
    let skipped = u64::from(is_planted(Bug::ReissueSkipsOne));
    let after = closed.receipted.max(closed.settled) + skipped;
    for (dot, stored) in held_after(tx, closed.replica(), after)? {
        closed.settled = closed.settled.max(dot.counter);
        let opens = stored
            .entry
            .header()
            .is_ok_and(|header| header.kind == RevisionKind::OPEN);
        if opens || stored.sequence == StoredEntry::AT_SERVER || ledger::alias(tx, dot)?.is_some() {
            continue;
        }
        changed.extend(reissue_entry(tx, env, &closed, dot, &stored)?);
        count += 1;
    }
    closed.settled = closed.settled.max(closed.held);
    save_book(tx, &closed)?;
    Ok(count)
}

/// The server went back in time: what it once held of a closed book beyond `held` may be gone from it.
pub(super) fn doubt(tx: &mut Transaction<'_>, closed: &mut Book, held: u64) -> Result<(), LedgerError> {
    closed.settled = closed.settled.min(held);
    for (dot, mut stored) in held_after(tx, closed.replica(), held)? {
        if stored.sequence != 0 {
            stored.sequence = 0;
            save_entry(tx, dot, &stored)?;
        }
    }
    Ok(())
}

/// True if a closed own book holds anything that the server is not known to have, or to have been given again.
pub(super) fn is_reissue_due(read: &dyn Read, closed: &Book) -> Result<bool, StoreError> {
    let beyond = closed.settled.max(closed.held).saturating_add(1);
    Ok(closed.settled < closed.held || !ledger::log(read, closed.replica(), beyond, 1)?.is_empty())
}

/// What is held of an own book after an entry, also beyond a gap: a repair may have lost what was between.
fn held_after(
    read: &dyn Read,
    replica: ReplicaId,
    after: u64,
) -> Result<Vec<(Dot, StoredEntry)>, StoreError> {
    ledger::log(read, replica, after.saturating_add(1), usize::MAX)
}

/// Wraps one entry of a closed book and writes it as the next entry of the book that carries it on.
fn reissue_entry(
    tx: &mut Transaction<'_>,
    env: &DeviceEnv<'_>,
    closed: &Book,
    dot: Dot,
    stored: &StoredEntry,
) -> Result<Vec<RecordId>, LedgerError> {
    let (salt, seal, proof) = match ledger::proof_of(tx, dot)? {
        Some((salt, seal, proof)) => (Some(salt), Some(seal), Some(proof)),
        None => (None, None, None),
    };
    let proved = Original {
        dot,
        entry: stored.entry.clone(),
        salt,
        seal,
        proof,
    };
    let name = alloc::format!("{CARRYING}{}", closed.replica());
    issue_again(tx, env, closed, &name, proved)
}

/// Issues again what this enrolment once wrote under a dot that another entry has at the server. One book for each run
/// that it came in: beside what was issued again before, a context over it would cover what its author never read.
pub(super) fn take_back(
    tx: &mut Transaction<'_>,
    env: &DeviceEnv<'_>,
    part: Part,
) -> Result<bool, LedgerError> {
    let replica = part.seal.claim.replica;
    let (Some(original), Some(author)) = (ledger::original_of(&part), book(tx, replica)?) else {
        return Ok(false);
    };
    let held = entry(tx, original.dot)?.is_some_and(|held| held.entry == original.entry);
    if !author.own || held || ledger::is_reissued(tx, &original)? {
        return Ok(false);
    }
    let run = part.verify(&author.opening.key)?;
    let original = Original {
        salt: run.entries().first().map(|verified| verified.salt),
        ..original
    };
    let name = alloc::format!("{CARRYING}{replica} up to {}", run.seal().claim.last);
    issue_again(tx, env, &author, &name, original)?;
    Ok(true)
}

fn issue_again(
    tx: &mut Transaction<'_>,
    env: &DeviceEnv<'_>,
    closed: &Book,
    name: &str,
    proved: Original,
) -> Result<Vec<RecordId>, LedgerError> {
    let replica = carrying_book(tx, env, closed, name)?;
    let mut open = book(tx, replica)?.ok_or(LedgerError::NoBook)?;
    let now = Dot {
        replica,
        counter: open.held + 1,
    };
    let envelope = envelope(proved)?;
    open.held = now.counter;
    save_book(tx, &open)?;
    let reissued = StoredEntry {
        entry: envelope,
        salt: None,
        standing: Standing::KEPT,
        sequence: 0,
        received_at_ms: 0,
    };
    save_entry(tx, now, &reissued)?;
    let accepted = ledger::fold_reissue(tx, now, &reissued.entry)?;
    Ok(accepted.folded.into_iter().map(|(_, record)| record).collect())
}

/// The envelope around an original. What is near the limit goes without its proof rather than not at all.
fn envelope(mut original: Original) -> Result<Entry, LedgerError> {
    let carried = original.entry.header().map_err(LedgerError::TooLarge)?;
    let header = ledger::envelope_header(&carried);
    match Entry::new(&header, &original) {
        Ok(entry) => Ok(entry),
        Err(_) => {
            (original.seal, original.proof) = (None, None);
            Entry::new(&header, &original).map_err(LedgerError::TooLarge)
        }
    }
}

/// The book that carries on what a closed one could not send: one of its own, in which nothing else is written. In the
/// book that the officer writes on in, a context over what is re-issued would cover entries that its author never read.
fn carrying_book(
    tx: &mut Transaction<'_>,
    env: &DeviceEnv<'_>,
    closed: &Book,
    name: &str,
) -> Result<ReplicaId, LedgerError> {
    if let Some(known) = ledger::meta::<ReplicaId>(tx, name)?
        && book(tx, known)?.is_some_and(|book| !book.closed)
    {
        return Ok(known);
    }
    let beside = ledger::open_replicas(tx)?
        .ok_or(LedgerError::NoBook)?
        .of(closed.kind());
    let fresh = match closed.kind() {
        ReplicaKind::Book => env.fresh[0],
        ReplicaKind::Trace => env.fresh[1],
    };
    let replica = derived(fresh, closed.replica(), name);
    ledger::open_book(tx, env.identity, replica, closed.kind(), Some(beside), env.now)?;
    ledger::save_meta(tx, name, &replica)?;
    Ok(replica)
}

/// One more fresh id: the time and version of `fresh`, other random bits.
fn derived(fresh: ReplicaId, closed: ReplicaId, name: &str) -> ReplicaId {
    let hash = Hash::of(
        CARRYING_DOMAIN,
        &[fresh.as_bytes(), closed.as_bytes(), name.as_bytes()],
    );
    let mut bytes = *fresh.as_bytes();
    let random = bytes.iter_mut().skip(RANDOM_FROM);
    random.zip(hash.0).for_each(|(byte, new)| *byte = new);
    ReplicaId::from_bytes(bytes)
}

/// True where the server asked to be offered what others wrote, and has not said yet that it lacks nothing.
pub(super) fn offers_due(read: &dyn Read) -> Result<bool, StoreError> {
    Ok(ledger::meta(read, OFFERS_DUE)?.unwrap_or(false))
}

/// Notes whether offers are due; they outlive a session that breaks.
pub(super) fn set_offers_due(tx: &mut Transaction<'_>, due: bool) -> Result<(), LedgerError> {
    ledger::save_meta(tx, OFFERS_DUE, &due)
}

/// Everything held of others' books, as stretches.
pub(super) fn offers(read: &dyn Read) -> Result<Vec<(Dot, u32)>, StoreError> {
    let mut stretches: Vec<(Dot, u32)> = Vec::new();
    for other in ledger::books(read)?
        .into_iter()
        .filter(|book| !book.own || book.closed)
    {
        let replica = other.replica();
        ledger::each_held(read, replica, (1, u64::MAX), &mut |counter, _| {
            let dot = Dot { replica, counter };
            if other.own && ledger::holding_part(read, replica, counter)?.is_none() {
                return Ok(true);
            }
            match stretches.last_mut() {
                Some((first, count))
                    if first.replica == dot.replica && first.counter + u64::from(*count) == dot.counter =>
                {
                    *count += 1;
                }
                _ => stretches.push((dot, 1)),
            }
            Ok(true)
        })?;
    }
    Ok(stretches)
}

/// Takes out entries with their proofs, one part a sealed run. Asked for by a peer: bounded by what is held.
pub(super) fn parts(read: &dyn Read, stretches: &[(Dot, u32)]) -> Result<Vec<Part>, StoreError> {
    let mut parts = Vec::new();
    for (first, count) in stretches.iter().take(BOOKS_MAX) {
        let last = first.counter.saturating_add(u64::from(count.saturating_sub(1)));
        let mut next = first.counter;
        while next <= last && *count > 0 {
            let page = ledger::log(read, first.replica, next, RUN_ENTRIES_MAX)?;
            let mut held = page
                .iter()
                .map(|(dot, _)| dot.counter)
                .take_while(|counter| *counter <= last)
                .peekable();
            let Some(counter) = held.peek().copied() else {
                break;
            };
            let Some(record) = ledger::holding_part(read, first.replica, counter)? else {
                next = counter.saturating_add(1);
                continue;
            };
            let mut of_part = Vec::new();
            while let Some(counter) = held.next_if(|counter| record.holds(*counter)) {
                of_part.push(counter);
            }
            next = of_part
                .last()
                .map_or(counter, |counter| *counter)
                .saturating_add(1);
            parts.extend(ledger::part_of(read, &record, &of_part)?);
        }
    }
    Ok(parts)
}

const OFFERS_DUE: &str = "offers due";
const CARRYING: &str = "carries on ";
const CARRYING_DOMAIN: &str = "beatbook 2026-11 carrying book v1";
/// Where the random bits of a UUIDv7 begin that hold neither version nor variant.
const RANDOM_FROM: usize = 9;
