//! Re-issues: entries of a closed book that go on under new dots, and what their old dots mean since.
//!
//! An envelope carries the original bytes unchanged; one that was closed in again before it was sent is carried as it
//! is, so that every name it ever had leads to the newest. Nothing signed is rewritten: references are translated
//! whenever a revision is folded.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use beatbook_proto::{
    Dot, Entry, Hash, Header, Original, RecordId, ReplicaId, Revision, RevisionKind, Standing, VersionVector,
};
use serde::{Deserialize, Serialize};

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

/// The header of an envelope around what has this one: the same, but for what only the original's place gives a meaning.
pub(crate) fn envelope_header(carried: &Header) -> Header {
    Header {
        kind: RevisionKind::REISSUE,
        context: VersionVector::new(),
        prior: 0,
        ..carried.clone()
    }
}

/// The revision as it is folded: a re-issue opened, references to re-issued dots translated. `None` if it does not read.
pub fn as_folded(read: &dyn Read, dot: Dot, entry: &Entry) -> Result<Option<Revision>, StoreError> {
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
    let record = revision.record();
    revision.header.context = translate(read, &revision.header.context, dot.replica, record)?;
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
    record: RecordId,
) -> Result<VersionVector, StoreError> {
    let mut translated = VersionVector::new();
    for dot in context.iter() {
        let mut at = dot;
        while at.counter > 0 {
            let known = match alias_for(read, at, reader)? {
                None => meant(read, at, record)?,
                known => known,
            };
            at.counter = match known {
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
    if !any_was_reissued(read, at)? {
        return Ok(0);
    }
    let header = entry(read, at)?.and_then(|stored| stored.entry.header().ok());
    let prior = header.map_or(0, |header| header.prior);
    // Bytes of a peer: a prior that does not lie before would never end.
    Ok(if prior < at.counter { prior } else { 0 })
}

/// True where `at` or an entry before it in its book may have been issued again.
fn any_was_reissued(read: &dyn Read, at: Dot) -> Result<bool, StoreError> {
    let (first, end) = (keys::book(at.replica), keys::after(&keys::entry(at)));
    Ok(read.last(Table::Aliases, &first, &end)?.is_some())
}

/// What a context over `at` can only have meant, where the dot names an entry of another record here: one that lost the
/// dot and was issued again. Its author had read that under the dot.
fn meant(read: &dyn Read, at: Dot, record: RecordId) -> Result<Option<Alias>, StoreError> {
    if !any_was_reissued(read, at)?
        || entry(read, at)?.is_none_or(|stored| is_of(read, at, &stored.entry, record))
    {
        return Ok(None);
    }
    let from = lines_of(at);
    for (_, bytes) in read.scan(Table::Meta, &from, &keys::after(&from), LINES_MAX)? {
        let line: Line = super::decode(Table::Meta, &bytes)?;
        let Some(now) = line.stands else { continue };
        let Some(stored) = entry(read, now)? else { continue };
        if is_of(read, now, &stored.entry, record) {
            let prior = innermost(&stored.entry).map_or(0, |inner| inner.header.prior);
            return Ok(Some(Alias { now, prior }));
        }
    }
    Ok(None)
}

/// True if an entry says of itself that it is of the record.
fn is_of(read: &dyn Read, dot: Dot, entry: &Entry, record: RecordId) -> bool {
    let wrapped = entry
        .header()
        .is_ok_and(|header| header.kind == RevisionKind::REISSUE);
    let inner = if wrapped {
        innermost(entry)
    } else {
        Revision::read(dot, entry).ok()
    };
    let Some(inner) = inner else { return false };
    let named = inner.header.record.unwrap_or(dot);
    named == record
        || alias_for(read, named, dot.replica)
            .is_ok_and(|alias| alias.is_some_and(|alias| alias.now == record))
}

/// Takes in a re-issue: from now on the original dots are other names of the envelope that stands for them.
///
/// Copies of one store can issue the same original again, each in a book of its own. Which envelope stands for it must
/// not depend on which came first, or stores that hold the same entries would name the record differently.
pub(crate) fn reissue(
    tx: &mut Transaction<'_>,
    dot: Dot,
    envelope: &Entry,
    queue: &mut VecDeque<Dot>,
    accepted: &mut Accepted,
) -> Result<Standing, LedgerError> {
    let chain = originals(envelope);
    let (Some(inner), Some(first)) = (innermost(envelope), chain.last()) else {
        return Ok(Standing::QUARANTINED_MALFORMED);
    };
    let key = line_key(first);
    let mut line: Line = load(tx, Table::Meta, &key)?.unwrap_or_default();
    let stood = line.stands;
    if let Err(place) = line.envelopes.binary_search(&dot) {
        line.envelopes.insert(place, dot);
    }
    let members = members(tx, &line)?;
    let stands = standing_of(&members).unwrap_or(dot);
    line.stands = Some(stands);
    save(tx, Table::Meta, key, &line)?;
    for original in &chain {
        super::is_issued_again(tx, original)?;
    }
    let reader = stood.unwrap_or(dot).replica;
    let record = alias_for(tx, inner.record(), reader)?.map_or(inner.record(), |alias| alias.now);
    let before = head(tx, record)?;
    let names = take_names(tx, stands, &members, &inner)?;
    let standing = if stood == Some(stands) && stands != dot {
        // Readers of the record are to know this name of it too.
        if let Some(before) = before.filter(|before| before.holds(stands)) {
            accepted.folded.push((dot, before.record));
        }
        Standing::KEPT
    } else {
        let folded_as = names.iter().copied().find(|name| {
            let folded = |before: &Head| before.holds(*name);
            before.as_ref().is_some_and(folded)
        });
        match (before, folded_as) {
            (Some(before), Some(name)) => {
                refold(tx, &before, name, stands, accepted)?;
                Standing::KEPT
            }
            _ => fold_standing(tx, stands, &inner, queue, accepted)?,
        }
    };
    if stands == dot && standing != Standing::KEPT {
        return Ok(standing);
    }
    queue.extend(names);
    // Also where such a dot names another entry here: what had read the original can be told from what had not.
    queue.extend(chain.iter().map(|original| original.dot));
    queue.extend([stands, dot]);
    Ok(Standing::KEPT)
}

/// Folds the envelope that stands for an original, if its record does not hold it yet.
fn fold_standing(
    tx: &mut Transaction<'_>,
    stands: Dot,
    inner: &Revision,
    queue: &mut VecDeque<Dot>,
    accepted: &mut Accepted,
) -> Result<Standing, LedgerError> {
    let record = alias_for(tx, inner.record(), stands.replica)?.map_or(inner.record(), |alias| alias.now);
    let holds = head(tx, record)?.is_some_and(|head| head.holds(stands));
    match entry(tx, stands)? {
        Some(stored) if !holds => fold_one(tx, stands, &stored.entry, queue, accepted),
        _ => Ok(Standing::KEPT),
    }
}

/// The envelopes held around one original, and which of them stands for it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Line {
    /// In order.
    envelopes: Vec<Dot>,
    stands: Option<Dot>,
}

/// The envelopes of a line with what each carries, the outermost original first.
fn members(read: &dyn Read, line: &Line) -> Result<Vec<(Dot, Vec<Original>)>, StoreError> {
    let mut members = Vec::with_capacity(line.envelopes.len());
    for dot in &line.envelopes {
        if let Some(stored) = entry(read, *dot)? {
            members.push((*dot, originals(&stored.entry)));
        }
    }
    Ok(members)
}

/// Of the envelopes that no other one carries, the lowest: the same for every store that holds them.
fn standing_of(members: &[(Dot, Vec<Original>)]) -> Option<Dot> {
    let carried = |dot: Dot| {
        let mut chains = members.iter().flat_map(|(_, chain)| chain);
        chains.any(|original| original.dot == dot)
    };
    let free = members.iter().map(|(dot, _)| *dot).filter(|dot| !carried(*dot));
    free.min()
}

fn line_key(original: &Original) -> Vec<u8> {
    let mut key = lines_of(original.dot);
    let hash = Hash::of(LINE_DOMAIN, &[&original.entry.header, &original.entry.body]);
    key.extend_from_slice(&hash.0);
    key
}

/// Where the lines of a dot are: one, or several where copies of a store gave it twice.
fn lines_of(dot: Dot) -> Vec<u8> {
    let mut key = LINE.to_vec();
    key.extend_from_slice(&dot.key());
    key
}

/// True if these very bytes were issued again under another dot that is held here.
pub(crate) fn is_reissued(read: &dyn Read, original: &Original) -> Result<bool, StoreError> {
    Ok(load::<Line>(read, Table::Meta, &line_key(original))?.is_some())
}

/// True if anything at all was issued again as far as this store knows.
pub(crate) fn any_line(read: &dyn Read) -> Result<bool, StoreError> {
    let last = read.last(Table::Meta, LINE, &keys::after(LINE))?;
    Ok(last.is_some())
}

/// The envelopes beside `dot` around the same original, where `dot` stands for it: contexts may cover any of them, so
/// whoever gets the one gets the others.
pub(crate) fn beside(read: &dyn Read, dot: Dot) -> Result<Vec<Dot>, StoreError> {
    let chain = entry(read, dot)?.map(|stored| originals(&stored.entry));
    let Some(first) = chain.as_ref().and_then(|chain| chain.last()) else {
        return Ok(Vec::new());
    };
    let line: Line = load(read, Table::Meta, &line_key(first))?.unwrap_or_default();
    let others = line.envelopes.into_iter().filter(|other| *other != dot);
    Ok(others.filter(|_| line.stands == Some(dot)).collect())
}

/// True if these very bytes go on under another dot that is held here: then `dot` is one more name of that for everyone,
/// also where another entry had the dot when the re-issue came.
pub(crate) fn is_another_name(
    tx: &mut Transaction<'_>,
    dot: Dot,
    bytes: &Entry,
) -> Result<bool, LedgerError> {
    let from = keys::entry(dot);
    if tx.scan(Table::Aliases, &from, &keys::after(&from), 1)?.is_empty() {
        return Ok(false);
    }
    let original = Original {
        dot,
        entry: bytes.clone(),
        salt: None,
        seal: None,
        proof: None,
    };
    let line: Option<Line> = load(tx, Table::Meta, &line_key(&original))?;
    let Some(now) = line.and_then(|line| line.stands) else {
        return Ok(false);
    };
    if !is_of_one_officer(tx, dot.replica, now.replica)? {
        return Ok(false);
    }
    let prior = bytes.header().map_or(0, |header| header.prior);
    save(tx, Table::Aliases, from, &Alias { now, prior })?;
    Ok(true)
}

/// False where two books are known to be of different officers. Whoever issues again what another officer wrote, before
/// the book that it was written in is known here, takes nothing from its author.
pub(crate) fn is_of_one_officer(
    read: &dyn Read,
    one: ReplicaId,
    other: ReplicaId,
) -> Result<bool, StoreError> {
    let officer = |replica| Ok::<_, StoreError>(book(read, replica)?.map(|book| book.opening.officer));
    let (one, other) = (officer(one)?, officer(other)?);
    Ok(one.is_none() || other.is_none() || one == other)
}

/// Makes every original and every other envelope of a line another name of the one that stands; returns those names that
/// everyone uses.
fn take_names(
    tx: &mut Transaction<'_>,
    stands: Dot,
    members: &[(Dot, Vec<Original>)],
    inner: &Revision,
) -> Result<Vec<Dot>, LedgerError> {
    let mut names = Vec::new();
    let first_prior = Dot {
        counter: inner.header.prior,
        ..inner.dot
    };
    for (envelope, chain) in members {
        for original in chain {
            let prior = if original.dot == inner.dot {
                inner.header.prior
            } else {
                earlier_in_book(tx, original.dot, first_prior)?
            };
            let named = Alias { now: stands, prior };
            for reader in readers(tx, envelope.replica)? {
                save(tx, Table::Aliases, private_alias(original.dot, reader), &named)?;
            }
            // Where the dot names another entry here, only the re-issuing books mean the re-issue by it.
            if entry(tx, original.dot)?.is_none_or(|held| held.entry == original.entry) {
                save(tx, Table::Aliases, keys::entry(original.dot), &named)?;
                names.push(original.dot);
            }
        }
        if *envelope == stands {
            tx.remove(Table::Aliases, keys::entry(stands));
        } else {
            let prior = earlier_in_book(tx, *envelope, first_prior)?;
            let named = Alias { now: stands, prior };
            save(tx, Table::Aliases, keys::entry(*envelope), &named)?;
            names.push(*envelope);
        }
    }
    names.sort();
    names.dedup();
    Ok(names)
}

/// The entry before `of` in its book by which that knows the original `prior`, 0 if none.
fn earlier_in_book(read: &dyn Read, of: Dot, prior: Dot) -> Result<u64, StoreError> {
    if prior.counter == 0 {
        return Ok(0);
    }
    let mut earlier = 0;
    let from = lines_of(prior);
    for (_, bytes) in read.scan(Table::Meta, &from, &keys::after(&from), LINES_MAX)? {
        let line: Line = super::decode(Table::Meta, &bytes)?;
        for (envelope, chain) in members(read, &line)? {
            let names = chain.iter().map(|original| original.dot).chain([envelope]);
            earlier = names
                .filter(|name| name.replica == of.replica && name.counter < of.counter)
                .map(|name| name.counter)
                .fold(earlier, u64::max);
        }
    }
    Ok(earlier)
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

/// True if the author of entries in `reader` means a re-issue of its own by `dot`, whatever else has it.
pub(crate) fn means_own_reissue(read: &dyn Read, dot: Dot, reader: ReplicaId) -> Result<bool, StoreError> {
    for reader in readers(read, reader)? {
        if read.get(Table::Aliases, &private_alias(dot, reader))?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

fn private_alias(dot: Dot, reader: ReplicaId) -> Vec<u8> {
    let mut key = keys::entry(dot);
    key.extend_from_slice(reader.as_bytes());
    key
}

const LINE: &[u8] = b"reissues of ";
const LINE_DOMAIN: &str = "beatbook 2026-11 line of reissues v1";
/// Most lines of one dot looked at: one for each entry that copies of a store gave it.
const LINES_MAX: usize = 64;
