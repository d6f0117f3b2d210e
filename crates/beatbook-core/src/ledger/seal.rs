//! Sealing own entries into runs, keeping sealed parts, and taking runs and parts out again for a peer.

use alloc::vec::Vec;

use beatbook_proto::limits::{RUN_BYTES_MAX, RUN_ENTRIES_MAX, UNPACKED_BYTES_MAX};
use beatbook_proto::merkle::{self, Commitment, Hash};
use beatbook_proto::{
    Dot, Entry, List, Part, Proof, ReplicaId, RevisionKind, Run, RunSecret, Salt, Scope, Seal, SealClaim,
    Signer, VerifiedRun, codec,
};
use serde::{Deserialize, Serialize};

use super::stretch::each_held;
use super::{Book, LedgerError, StoredEntry, book, decode, entry, load, save, save_book};
use crate::keys;
use crate::store::{Read, StoreError, Table, Transaction};

/// What is kept of a sealed run beside its entries: enough to prove any of those held to somebody else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartRecord {
    /// The seal.
    pub seal: Seal,
    /// The secret, where the whole run is held.
    pub secret: Option<RunSecret>,
    /// The commitments of the entries held, by place in the run. Empty where the whole run is: they follow from its
    /// entries.
    pub leaves: Vec<Option<Commitment>>,
    /// The hashes that stand for what is not held.
    pub hashes: Vec<Hash>,
    /// Of a whole run that founds records and opens its book, and does nothing else: what it founded. What came of
    /// those records later is told by their heads.
    pub founded: Option<Founded>,
}

/// What a run founded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Founded {
    /// The scopes of its records, as their founding entries say; none on the device that wrote them.
    pub scopes: Vec<Scope>,
    /// True if each of its records was founded in a scope.
    pub all_in_scopes: bool,
}

impl PartRecord {
    /// True if the entry `counter` is among those held.
    pub fn holds(&self, counter: u64) -> bool {
        let place = counter
            .checked_sub(self.seal.claim.first)
            .and_then(|place| usize::try_from(place).ok());
        if self.leaves.is_empty() {
            return self.secret.is_some() && place.is_some() && counter <= self.seal.claim.last;
        }
        place
            .and_then(|place| self.leaves.get(place))
            .is_some_and(Option::is_some)
    }

    /// The record of a part without some of its entries: what is left proves itself without them.
    pub(crate) fn without(self, counters: &[u64]) -> Self {
        if counters.is_empty() {
            return self;
        }
        let claim = &self.seal.claim;
        let wanted: Vec<bool> = (claim.first..=claim.last)
            .map(|counter| !counters.contains(&counter) && self.holds(counter))
            .collect();
        let hashes = merkle::reprove(&self.leaves, &self.hashes, &wanted).unwrap_or_default();
        let leaves = self.leaves.iter().zip(&wanted);
        Self {
            leaves: leaves.map(|(leaf, wanted)| leaf.filter(|_| *wanted)).collect(),
            secret: None,
            hashes,
            seal: self.seal,
            founded: None,
        }
    }
}

/// Seals entries of an own book that are not sealed yet into one more run, if there are any.
///
/// A run holds at most [`RUN_ENTRIES_MAX`] entries and [`RUN_BYTES_MAX`] compressed; an entry that alone is larger
/// gets a run of its own. Call again until it returns `None`. `secret` must be fresh and random for each call.
pub fn seal_pending(
    tx: &mut Transaction<'_>,
    replica: ReplicaId,
    signer: &dyn Signer,
    secret: RunSecret,
    unpacked_bytes_max: usize,
) -> Result<Option<Seal>, LedgerError> {
    let mut book = book(tx, replica)?.ok_or(LedgerError::NoBook)?;
    if !book.own || book.closed || book.sealed >= book.held {
        return Ok(None);
    }
    let first = book.sealed + 1;
    // However well it packs: a peer unpacks no more than this.
    let unpacked_bytes_max = unpacked_bytes_max.min(RUN_UNPACKED_BYTES_MAX);
    let mut entries = pending(tx, replica, (first, book.held), unpacked_bytes_max)?;
    while entries.len() > 1
        && let packed = packed_len(&entries)?
        && packed > RUN_BYTES_MAX
    {
        // What does not fit is sealed as the next run: most of what was taken is left.
        let fits = entries.len() * RUN_BYTES_MAX / packed * 15 / 16;
        entries.truncate(fits.clamp(1, entries.len() - 1));
    }
    let founds = |(counter, entry): (u64, &Entry)| {
        entry.header().is_ok_and(|header| match header.kind {
            RevisionKind::OPEN => counter == 1,
            RevisionKind::REISSUE => false,
            _ => header.record.is_none(),
        })
    };
    let founded = (first..).zip(&entries).all(founds).then(|| Founded {
        scopes: Vec::new(),
        all_in_scopes: false,
    });
    let commitments: Vec<Commitment> = (first..)
        .zip(&entries)
        .map(|(counter, entry)| entry.commitment(&secret.salt(replica, counter)))
        .collect();
    let claim = SealClaim {
        replica,
        first,
        last: first + entries.len() as u64 - 1,
        root: merkle::root(&commitments),
        previous: book.seal,
    };
    let seal = claim.sign(signer)?;
    put_part(
        tx,
        first,
        &PartRecord {
            seal: seal.clone(),
            secret: Some(secret),
            leaves: Vec::new(),
            hashes: Vec::new(),
            founded,
        },
    )?;
    book.sealed = seal.claim.last;
    book.seal = seal.hash();
    save_book(tx, &book)?;
    Ok(Some(seal))
}

/// The whole run that begins after entry `after` of a book, if it is held.
pub fn next_run(read: &dyn Read, replica: ReplicaId, after: u64) -> Result<Option<Run>, StoreError> {
    let Some(first) = after.checked_add(1) else {
        return Ok(None);
    };
    let Some(record) = whole_part(read, replica, first)? else {
        return Ok(None);
    };
    let (Some(secret), true) = (record.secret, record.seal.claim.first == first) else {
        return Ok(None);
    };
    let mut entries = Vec::new();
    each_held(
        read,
        replica,
        (first, record.seal.claim.last),
        &mut |_, stored| {
            entries.push(stored.entry.clone());
            Ok(true)
        },
    )?;
    if entries.len() as u64 != record.seal.claim.entries() {
        return Ok(None);
    }
    Ok(Some(Run {
        seal: record.seal,
        secret,
        entries: List(entries),
    }))
}

/// The seal of the whole run that is held right after what a book is sealed up to, and follows it.
pub(crate) fn next_seal(read: &dyn Read, book: &Book) -> Result<Option<Seal>, StoreError> {
    let Some(first) = book.sealed.checked_add(1) else {
        return Ok(None);
    };
    let record = whole_part(read, book.replica(), first)?;
    Ok(record
        .filter(|record| record.secret.is_some() && record.seal.claim.first == first)
        .filter(|record| record.seal.claim.previous == book.seal)
        .map(|record| record.seal))
}

/// The entries `counters` of a book with the proof that ties them to their seal. All of one held part; ascending.
pub fn book_part(read: &dyn Read, replica: ReplicaId, counters: &[u64]) -> Result<Option<Part>, StoreError> {
    let Some(first) = counters.first() else {
        return Ok(None);
    };
    let Some(record) = holding_part(read, replica, *first)? else {
        return Ok(None);
    };
    part_of(read, &record, counters)
}

/// The entries `counters` of a held part with their proof; `None` if one of them is not held.
pub(crate) fn part_of(
    read: &dyn Read,
    record: &PartRecord,
    counters: &[u64],
) -> Result<Option<Part>, StoreError> {
    let replica = record.seal.claim.replica;
    let mut held = Vec::with_capacity(counters.len());
    for counter in counters {
        let dot = Dot {
            replica,
            counter: *counter,
        };
        match entry(read, dot)? {
            Some(stored) => held.push((*counter, stored)),
            None => return Ok(None),
        }
    }
    proved(read, record, held)
}

/// Entries of a held part, ascending, with their proof; `None` if the part does not hold one of them.
pub(crate) fn proved(
    read: &dyn Read,
    record: &PartRecord,
    held: Vec<(u64, StoredEntry)>,
) -> Result<Option<Part>, StoreError> {
    let whole = record.secret.is_some() && held.len() as u64 == record.seal.claim.entries();
    if whole || !record.leaves.is_empty() {
        return Ok(prove(record, &record.leaves, held));
    }
    let leaves = leaves(read, record)?;
    Ok(leaves.and_then(|leaves| prove(record, &leaves, held)))
}

/// The commitments of a whole run by its entries; `None` if not all of them are held.
fn leaves(read: &dyn Read, record: &PartRecord) -> Result<Option<Vec<Option<Commitment>>>, StoreError> {
    let claim = &record.seal.claim;
    let mut leaves = Vec::new();
    each_held(
        read,
        claim.replica,
        (claim.first, claim.last),
        &mut |counter, stored| {
            let salt = salt_of(record, stored, counter);
            leaves.push(salt.map(|salt| stored.entry.commitment(&salt)));
            Ok(true)
        },
    )?;
    Ok((leaves.len() as u64 == claim.entries()).then_some(leaves))
}

/// Keeps what proves the rest of a whole run by itself, before an entry of it goes.
pub(crate) fn keep_leaves(tx: &mut Transaction<'_>, dot: Dot) -> Result<(), LedgerError> {
    let Some(mut record) = holding_part(tx, dot.replica, dot.counter)? else {
        return Ok(());
    };
    if record.secret.is_none() || !record.leaves.is_empty() {
        return Ok(());
    }
    record.leaves = leaves(tx, &record)?.unwrap_or_default();
    record.founded = None;
    put_part(tx, dot.counter, &record)
}

fn prove(record: &PartRecord, leaves: &[Option<Commitment>], held: Vec<(u64, StoredEntry)>) -> Option<Part> {
    let claim = &record.seal.claim;
    let counters: Vec<u64> = held.iter().map(|(counter, _)| *counter).collect();
    let mut entries = Vec::with_capacity(held.len());
    let mut salts = Vec::with_capacity(held.len());
    for (counter, stored) in held {
        salts.push(salt_of(record, &stored, counter)?);
        entries.push((counter, stored.entry));
    }
    let proof = match record.secret {
        Some(secret) if entries.len() as u64 == claim.entries() => Proof::Whole(secret),
        _ => {
            let wanted: Vec<bool> = (claim.first..=claim.last)
                .map(|counter| counters.binary_search(&counter).is_ok())
                .collect();
            Proof::Partial {
                salts: List(salts),
                hashes: List(merkle::reprove(leaves, &record.hashes, &wanted)?),
            }
        }
    };
    Some(Part {
        seal: record.seal.clone(),
        proof,
        entries: List(entries),
    })
}

/// Keeps what proves a sealed part, under the first entry of it that was not held before: one seal may come in
/// several parts.
pub(crate) fn put_part(
    tx: &mut Transaction<'_>,
    first_new: u64,
    record: &PartRecord,
) -> Result<(), LedgerError> {
    let claim = &record.seal.claim;
    let place = if record.secret.is_some() {
        claim.first
    } else {
        first_new
    };
    save(
        tx,
        Table::Seals,
        keys::part(claim.replica, claim.last, place),
        record,
    )
}

/// What is kept of a whole run under this very seal, if each of its entries is held since.
pub(crate) fn kept_whole(read: &dyn Read, seal: &Seal) -> Result<Option<PartRecord>, StoreError> {
    let claim = &seal.claim;
    let key = keys::part(claim.replica, claim.last, claim.first);
    let record: Option<PartRecord> = load(read, Table::Seals, &key)?;
    let whole =
        |record: &PartRecord| record.seal == *seal && record.secret.is_some() && record.leaves.is_empty();
    Ok(record.filter(whole))
}

/// Drops what is kept of other seals over the same entries of an own book: the server has another history of it.
pub(crate) fn drop_other_seals(tx: &mut Transaction<'_>, seal: &Seal) -> Result<(), LedgerError> {
    let claim = &seal.claim;
    let (mut from, to) = (
        keys::part(claim.replica, claim.first, 0),
        keys::after(&keys::book(claim.replica)),
    );
    while let Some((key, bytes)) = tx.scan(Table::Seals, &from, &to, 1)?.into_iter().next() {
        let record: PartRecord = decode(Table::Seals, &bytes)?;
        if record.seal.claim.first > claim.last {
            break;
        }
        from.clone_from(&key);
        from.push(0);
        if record.seal.hash() != seal.hash() {
            tx.remove(Table::Seals, key);
        }
    }
    Ok(())
}

/// Holds one entry of a sealed part no longer: what is left of the part proves itself without it.
pub(crate) fn release(tx: &mut Transaction<'_>, dot: Dot) -> Result<(), LedgerError> {
    release_from(tx, dot, |_| true)
}

/// The same for seals of which only parts are held; whole runs stay whole.
pub(crate) fn release_parts(tx: &mut Transaction<'_>, dot: Dot) -> Result<(), LedgerError> {
    release_from(tx, dot, |record| record.secret.is_none())
}

fn release_from(
    tx: &mut Transaction<'_>,
    dot: Dot,
    of: impl Fn(&PartRecord) -> bool,
) -> Result<(), LedgerError> {
    while let Some(record) = part_holding(tx, dot.replica, dot.counter, &of)? {
        let record = if record.leaves.is_empty() {
            keep_leaves(tx, dot)?;
            let Some(record) = holding_part(tx, dot.replica, dot.counter)? else {
                break;
            };
            record
        } else {
            record
        };
        let claim = &record.seal.claim;
        let held: Vec<u64> = (claim.first..=claim.last)
            .filter(|counter| record.holds(*counter))
            .collect();
        for key in [claim.first].iter().chain(&held) {
            let key = keys::part(claim.replica, claim.last, *key);
            if load::<PartRecord>(tx, Table::Seals, &key)?.is_some_and(|other| other == record) {
                tx.remove(Table::Seals, key);
            }
        }
        let Some(first) = held.iter().find(|counter| **counter != dot.counter) else {
            continue;
        };
        for counter in held.iter().filter(|counter| **counter != dot.counter) {
            let other = Dot {
                counter: *counter,
                ..dot
            };
            if let Some(mut stored) = entry(tx, other)? {
                stored.salt = salt_of(&record, &stored, *counter);
                super::save_entry(tx, other, &stored)?;
            }
        }
        put_part(tx, *first, &record.without(&[dot.counter]))?;
    }
    Ok(())
}

/// The part record of a verified run, for [`put_part`].
pub(crate) fn part_record(run: &VerifiedRun) -> PartRecord {
    let whole = run.secret().is_some();
    PartRecord {
        seal: run.seal().clone(),
        secret: run.secret(),
        leaves: if whole { Vec::new() } else { run.leaves().to_vec() },
        hashes: run.hashes().to_vec(),
        founded: None,
    }
}

/// The seal of the whole run that ends at `last`, if held.
pub(crate) fn seal_ending_at(
    read: &dyn Read,
    replica: ReplicaId,
    last: u64,
) -> Result<Option<Seal>, StoreError> {
    let from = keys::part(replica, last, 0);
    let to = keys::after(&keys::entry(Dot {
        replica,
        counter: last,
    }));
    for (_, bytes) in read.scan(Table::Seals, &from, &to, PARTS_SCANNED_MAX)? {
        let record: PartRecord = decode(Table::Seals, &bytes)?;
        if record.secret.is_some() {
            return Ok(Some(record.seal));
        }
    }
    Ok(None)
}

/// True if a part under this very seal is kept: it was verified then.
pub(crate) fn is_known_seal(read: &dyn Read, seal: &Seal) -> Result<bool, StoreError> {
    let from = keys::entry(Dot {
        replica: seal.claim.replica,
        counter: seal.claim.last,
    });
    let Some((_, bytes)) = read
        .scan(Table::Seals, &from, &keys::after(&from), 1)?
        .into_iter()
        .next()
    else {
        return Ok(false);
    };
    let record: PartRecord = decode(Table::Seals, &bytes)?;
    Ok(record.seal == *seal)
}

/// The salt, seal and proof of an entry, for an envelope around it; `None` while it is not sealed.
pub(crate) fn proof_of(read: &dyn Read, dot: Dot) -> Result<Option<(Salt, Seal, Proof)>, StoreError> {
    let Some(record) = holding_part(read, dot.replica, dot.counter)? else {
        return Ok(None);
    };
    let Some(part) = part_of(read, &record, &[dot.counter])? else {
        return Ok(None);
    };
    let Some(stored) = entry(read, dot)? else {
        return Ok(None);
    };
    Ok(salt_of(&record, &stored, dot.counter).map(|salt| (salt, part.seal, part.proof)))
}

/// The salt of a held entry: its own, or the one that derives from its run's secret.
fn salt_of(record: &PartRecord, stored: &StoredEntry, counter: u64) -> Option<Salt> {
    let derived = || {
        record
            .secret
            .map(|secret| secret.salt(record.seal.claim.replica, counter))
    };
    stored.salt.or_else(derived)
}

fn pending(
    read: &dyn Read,
    replica: ReplicaId,
    (first, last): (u64, u64),
    bytes_max: usize,
) -> Result<Vec<Entry>, StoreError> {
    let mut entries = Vec::new();
    let (mut bytes, mut next) = (0, first);
    each_held(read, replica, (first, last), &mut |counter, stored| {
        if counter != next {
            return Err(NOT_HELD);
        }
        bytes += stored.entry.byte_len();
        if !entries.is_empty() && (bytes > bytes_max || entries.len() == RUN_ENTRIES_MAX) {
            return Ok(false);
        }
        entries.push(stored.entry.clone());
        next += 1;
        Ok(true)
    })?;
    if entries.is_empty() {
        return Err(NOT_HELD);
    }
    Ok(entries)
}

/// About how long entries are in a run, packed: somewhat more than what travels, which is packed harder.
fn packed_len(entries: &[Entry]) -> Result<usize, LedgerError> {
    let bytes = codec::encode(entries).map_err(LedgerError::TooLarge)?;
    let packed = codec::pack_to_keep(&bytes).map_err(LedgerError::TooLarge)?;
    Ok(packed.len() + SEAL_BYTES)
}

const NOT_HELD: StoreError = StoreError::Corrupt {
    table: Table::Entries as u8,
    what: "an own entry is not held",
};

/// The part record that holds entry `counter`.
pub(crate) fn holding_part(
    read: &dyn Read,
    replica: ReplicaId,
    counter: u64,
) -> Result<Option<PartRecord>, StoreError> {
    part_holding(read, replica, counter, |_| true)
}

fn part_holding(
    read: &dyn Read,
    replica: ReplicaId,
    counter: u64,
    of: impl Fn(&PartRecord) -> bool,
) -> Result<Option<PartRecord>, StoreError> {
    let (mut from, to) = (keys::part(replica, counter, 0), keys::after(&keys::book(replica)));
    // Almost always the first one: several are held only where one seal came in several parts.
    while let Some((key, bytes)) = read.scan(Table::Seals, &from, &to, 1)?.into_iter().next() {
        let record: PartRecord = decode(Table::Seals, &bytes)?;
        if record.seal.claim.first > counter {
            return Ok(None);
        }
        if record.holds(counter) && of(&record) {
            return Ok(Some(record));
        }
        from = key;
        from.push(0);
    }
    Ok(None)
}

fn whole_part(read: &dyn Read, replica: ReplicaId, first: u64) -> Result<Option<PartRecord>, StoreError> {
    match holding_part(read, replica, first)? {
        // The whole run is kept under its own first entry, beside a part that may begin there too.
        Some(record) if record.secret.is_none() => load(
            read,
            Table::Seals,
            &keys::part(replica, record.seal.claim.last, record.seal.claim.first),
        ),
        record => Ok(record),
    }
}

/// Most bytes of entries in one run before compression: with lengths and seal it still fits a frame.
const RUN_UNPACKED_BYTES_MAX: usize = UNPACKED_BYTES_MAX / 2;
/// Most part records of one seal looked at.
const PARTS_SCANNED_MAX: usize = 64;
/// What a run carries beside its entries: seal, secret and lengths.
const SEAL_BYTES: usize = 256;
