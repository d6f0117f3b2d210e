//! Re-issues: entries of a closed book that go on under new dots, and what their old dots mean since.
//!
//! An envelope carries the original bytes unchanged; one that was closed in again before it was sent is carried as it
//! is, so that every name it ever had leads to the newest. Nothing signed is rewritten: references are translated
//! whenever a revision is folded.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use beatbook_proto::{Dot, Entry, Original, ReplicaId, Revision, RevisionKind, Standing, VersionVector};

use super::fold::{fold_one, retry_all};
use super::{Accepted, Alias, LedgerError, book, entry, head, load, save, save_head};
use crate::keys;
use crate::merge::Head;
use crate::planted::{Bug, is_planted};
use crate::store::{Read, StoreError, Table, Transaction};

/// Folds a re-issue that was just written on this device, so that the record answers to its new name.
pub(crate) fn fold_reissue(
    tx: &mut Transaction<'_>,
    dot: Dot,
    entry: &Entry,
) -> Result<Accepted, LedgerError> {
    let mut accepted = Accepted::default();
    let mut queue = VecDeque::new();
    reissue(tx, dot, entry, &mut queue, &mut accepted)?;
    retry_all(tx, queue, &mut accepted)?;
    Ok(accepted)
}

/// The originals in an envelope, the outermost first; empty where it does not read to the end.
pub(crate) fn originals(envelope: &Entry) -> Vec<Original> {
    let mut chain = Vec::new();
    let mut next = envelope.original();
    while let Ok(original) = next {
        let again = original.entry.header().map(|header| header.kind) == Ok(RevisionKind::REISSUE);
        next = original.entry.original();
        chain.push(original);
        if !again {
            return chain;
        }
    }
    Vec::new()
}

/// The revision inside an envelope, under the dot that it was first given.
pub(crate) fn innermost(envelope: &Entry) -> Option<Revision> {
    let chain = originals(envelope);
    let last = chain.last()?;
    Revision::read(last.dot, &last.entry).ok()
}

/// The revision as it is folded: a re-issue opened, references to re-issued dots translated. `None` if it does not read.
pub(crate) fn as_folded(read: &dyn Read, dot: Dot, entry: &Entry) -> Result<Option<Revision>, StoreError> {
    let Ok(header) = entry.header() else {
        return Ok(None);
    };
    let wrapped = header.kind == RevisionKind::REISSUE;
    let revision = if wrapped {
        innermost(entry)
    } else {
        Revision::read(dot, entry).ok()
    };
    let Some(mut revision) = revision else {
        return Ok(None);
    };
    let mut prior = Dot {
        replica: revision.dot.replica,
        counter: revision.header.prior,
    };
    if wrapped {
        let now = alias_for(read, prior, dot.replica)?.map(|alias| alias.now);
        prior.counter = now
            .filter(|now| now.replica == dot.replica)
            .map_or(0, |now| now.counter);
    } else {
        // Earlier entries that go on under other dots come in the order of those.
        while let Some(alias) =
            alias_for(read, prior, dot.replica)?.filter(|alias| alias.prior < prior.counter)
        {
            prior.counter = alias.prior;
        }
    }
    revision.header.prior = prior.counter;
    revision.dot = dot;
    if let Some(record) = revision.header.record {
        revision.header.record =
            Some(alias_for(read, record, dot.replica)?.map_or(record, |alias| alias.now));
    }
    revision.header.context = translate(read, &revision.header.context, dot.replica)?;
    if wrapped && is_planted(Bug::ReissueDropsContext) {
        revision.header.context = revision.header.record.into_iter().collect();
    }
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

/// Translates a context: a re-issued dot becomes its new one and what came before it in the original book.
pub(crate) fn translate(
    read: &dyn Read,
    context: &VersionVector,
    reader: ReplicaId,
) -> Result<VersionVector, StoreError> {
    let mut translated = VersionVector::new();
    for dot in context.iter() {
        let mut at = dot;
        while at.counter > 0 {
            at.counter = match alias_for(read, at, reader)? {
                Some(alias) => {
                    translated.cover(alias.now);
                    if alias.prior < at.counter { alias.prior } else { 0 }
                }
                None => {
                    translated.cover(at);
                    prior_if_any_was_reissued(read, at)?
                }
            };
        }
    }
    Ok(translated)
}

/// The entry before `at` on its record, where it or one before it may have been re-issued: what covers `at` covers that
/// too, and so has to cover what stands for it. 0 where there is nothing to look for.
fn prior_if_any_was_reissued(read: &dyn Read, at: Dot) -> Result<u64, StoreError> {
    let first = keys::book(at.replica);
    if read.last(Table::Aliases, &first, &keys::entry(at))?.is_none() {
        return Ok(0);
    }
    let header = entry(read, at)?.and_then(|stored| stored.entry.header().ok());
    let prior = header.map_or(0, |header| header.prior);
    // Bytes of a peer: a prior that does not lie before would never end.
    Ok(if prior < at.counter { prior } else { 0 })
}

/// Takes in a re-issue: from now on the original dots are other names of this one.
pub(crate) fn reissue(
    tx: &mut Transaction<'_>,
    dot: Dot,
    envelope: &Entry,
    queue: &mut VecDeque<Dot>,
    accepted: &mut Accepted,
) -> Result<Standing, LedgerError> {
    let chain = originals(envelope);
    let Some(inner) = innermost(envelope) else {
        return Ok(Standing::QUARANTINED_MALFORMED);
    };
    if let Some(other) = other_reissue(tx, dot, &chain)? {
        // Issued again twice: the one that came first stands for both, under every name.
        let prior = alias_for(
            tx,
            Dot {
                counter: inner.header.prior,
                ..inner.dot
            },
            dot.replica,
        )?;
        let prior = prior
            .filter(|prior| prior.now.replica == dot.replica)
            .map_or(0, |prior| prior.now.counter);
        save(tx, Table::Aliases, keys::entry(dot), &Alias { now: other, prior })?;
        queue.push_back(dot);
        return Ok(Standing::KEPT);
    }
    let record = alias_for(tx, inner.record(), dot.replica)?.map_or(inner.record(), |alias| alias.now);
    let names = take_names(tx, dot, &chain, &inner)?;
    let folded_before = match head(tx, record)? {
        Some(before) => names
            .iter()
            .copied()
            .find(|name| before.holds(*name))
            .map(|name| (before, name)),
        None => None,
    };
    match folded_before {
        Some((before, name)) => refold(tx, &before, name, dot, accepted)?,
        None => {
            let already =
                alias_for(tx, inner.record(), dot.replica)?.map_or(inner.record(), |alias| alias.now);
            let holds = head(tx, already)?.is_some_and(|head| head.holds(dot));
            if !holds {
                let standing = fold_one(tx, dot, envelope, queue, accepted)?;
                if standing != Standing::KEPT {
                    return Ok(standing);
                }
            }
        }
    }
    queue.extend(names);
    queue.push_back(dot);
    Ok(Standing::KEPT)
}

/// Where another envelope than `dot`, and none that `dot` carries, stands for the same original.
fn other_reissue(read: &dyn Read, dot: Dot, chain: &[Original]) -> Result<Option<Dot>, StoreError> {
    for original in chain {
        let Some(known) = alias(read, original.dot)? else {
            continue;
        };
        let of_this_line = known.now == dot || chain.iter().any(|other| other.dot == known.now);
        let same = entry(read, original.dot)?.is_none_or(|held| held.entry == original.entry);
        if !of_this_line && same && stands_for(read, known.now, original)? {
            return Ok(Some(known.now));
        }
    }
    Ok(None)
}

/// True if the envelope `dot` carries these very bytes.
pub(crate) fn stands_for(read: &dyn Read, dot: Dot, original: &Original) -> Result<bool, StoreError> {
    Ok(entry(read, dot)?.is_none_or(|envelope| {
        originals(&envelope.entry)
            .iter()
            .any(|other| other.dot == original.dot && other.entry == original.entry)
    }))
}

/// Makes every original of the envelope another name of `dot`; returns those names that everyone uses.
fn take_names(
    tx: &mut Transaction<'_>,
    dot: Dot,
    chain: &[Original],
    inner: &Revision,
) -> Result<Vec<Dot>, LedgerError> {
    let mut names = Vec::with_capacity(chain.len());
    let first_prior = Dot {
        counter: inner.header.prior,
        ..inner.dot
    };
    for original in chain {
        let prior = if original.dot == inner.dot {
            inner.header.prior
        } else {
            let now = alias_for(tx, first_prior, original.dot.replica)?.map(|alias| alias.now);
            now.filter(|now| now.replica == original.dot.replica)
                .map_or(0, |now| now.counter)
        };
        let named = Alias { now: dot, prior };
        for reader in readers(tx, dot.replica)? {
            save(tx, Table::Aliases, private_alias(original.dot, reader), &named)?;
        }
        // Where the dot names another entry here, only the re-issuing books mean the re-issue by it.
        if entry(tx, original.dot)?.is_none_or(|held| held.entry == original.entry) {
            save(tx, Table::Aliases, keys::entry(original.dot), &named)?;
            names.push(original.dot);
        }
    }
    Ok(names)
}

/// Folds a record again in which `old` has become `new`; where it founded the record, the record is renamed.
fn refold(
    tx: &mut Transaction<'_>,
    before: &Head,
    old: Dot,
    new: Dot,
    accepted: &mut Accepted,
) -> Result<(), LedgerError> {
    let damaged = StoreError::Corrupt {
        table: Table::Heads as u8,
        what: "a record does not fold again from its entries",
    };
    let mut translated = Vec::with_capacity(before.revisions.len());
    for (_, dot) in &before.revisions {
        let dot = if *dot == old { new } else { *dot };
        let bytes = entry(tx, dot)?.ok_or(damaged.clone())?.entry;
        translated.extend(as_folded(tx, dot, &bytes)?);
    }
    let mut folded = Head::fold(translated.iter()).ok_or(damaged)?;
    folded.scopes.clone_from(&before.scopes);
    folded.frozen = before.frozen;
    if folded.record != before.record {
        tx.remove(Table::Heads, keys::entry(before.record));
        accepted.renamed.push((before.record, folded.record));
    }
    save_head(tx, &folded)?;
    accepted.folded.push((new, folded.record));
    Ok(())
}

/// What `dot` means to the author of entries in `reader`: a book knows its own re-issues under their original dots,
/// also where another entry has taken such a dot.
fn alias_for(read: &dyn Read, dot: Dot, reader: ReplicaId) -> Result<Option<Alias>, StoreError> {
    if dot.counter == 0 || is_planted(Bug::AliasIgnored) {
        return Ok(None);
    }
    for reader in readers(read, reader)? {
        if let Some(alias) = load(read, Table::Aliases, &private_alias(dot, reader))? {
            return Ok(Some(alias));
        }
    }
    alias(read, dot)
}

/// The book itself and the one that it was opened beside: a re-issuing book and the one that is written on in.
fn readers(read: &dyn Read, replica: ReplicaId) -> Result<Vec<ReplicaId>, StoreError> {
    let follows = book(read, replica)?.and_then(|book| book.opening.follows);
    Ok([Some(replica), follows].into_iter().flatten().collect())
}

fn private_alias(dot: Dot, reader: ReplicaId) -> Vec<u8> {
    let mut key = keys::entry(dot);
    key.extend_from_slice(reader.as_bytes());
    key
}
