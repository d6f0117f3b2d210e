//! The port to a store: tables of bytes, reads, and a transaction that gathers writes.
//!
//! A store executes; it decides nothing. Every rule about causality lives in the code that runs
//! *inside* a [`Transaction`]. A store holds ordered byte keys and values per [`Table`], applies a
//! finished [`WriteSet`] as a whole, and says when that is durable. Holds no I/O.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

/// One table of a store. The number is part of the file format: append only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Table {
    /// Small named values: format, epoch, keys, counters.
    Meta = 0,
    /// Replica and counter to one stored entry.
    Entries = 1,
    /// Replica and last counter to a seal with its secret or salts.
    Seals = 2,
    /// Replica to the state of a book.
    Books = 3,
    /// Record to its materialised head.
    Heads = 4,
    /// Scope and position to one feed item.
    Feeds = 5,
    /// Scope to the end of its feed (server) or the cursor (device).
    Cursors = 6,
    /// Dot and commitment to a quarantined entry.
    Quarantine = 7,
    /// A missing dot and the dot that waits for it.
    Waiting = 8,
    /// An old dot to the dot it was re-issued under.
    Aliases = 9,
    /// Replica and last counter to a server receipt.
    Receipts = 10,
    /// The server's register: officers, postings, beats, enrolments, tokens.
    Register = 11,
}

impl Table {
    /// Every table, in order of number.
    pub const ALL: [Self; 12] = [
        Self::Meta,
        Self::Entries,
        Self::Seals,
        Self::Books,
        Self::Heads,
        Self::Feeds,
        Self::Cursors,
        Self::Quarantine,
        Self::Waiting,
        Self::Aliases,
        Self::Receipts,
        Self::Register,
    ];
}

/// Why a store could not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Stored bytes do not decode or fail their authentication: stop, then verify and rebuild.
    #[error("stored data in table {table} is damaged: {what}")]
    Corrupt {
        /// The table that holds the value.
        table: u8,
        /// What did not hold.
        what: &'static str,
    },
    /// The disk is full. Nothing was written; free some space and try again.
    #[error("the disk is full: nothing was written; free space and try again")]
    DiskFull,
    /// The store failed a durable write and has latched shut until it is opened again.
    #[error("the store stopped after a failed write ({reason}); reopen it")]
    Latched {
        /// The first failure.
        reason: String,
    },
    /// Reading or writing failed in another way.
    #[error("store failure: {reason}")]
    Io {
        /// What the system said.
        reason: String,
    },
}

/// A key and its value.
pub type Pair = (Vec<u8>, Vec<u8>);
/// Key and value pairs, in key order.
pub type Pairs = Vec<Pair>;

/// Reads of one consistent, durable state.
pub trait Read {
    /// Returns the value under `key`.
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;
    /// Returns up to `limit` pairs with `from <= key < to` in key order.
    fn scan(&self, table: Table, from: &[u8], to: &[u8], limit: usize) -> Result<Pairs, StoreError>;
    /// Returns the last pair with `from <= key < to`.
    fn last(&self, table: Table, from: &[u8], to: &[u8]) -> Result<Option<Pair>, StoreError>;
}

/// Writes that become durable together: key to value, or to `None` for a removal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WriteSet {
    writes: BTreeMap<(Table, Vec<u8>), Option<Vec<u8>>>,
}

impl WriteSet {
    /// True if there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }

    /// Number of keys written.
    pub fn len(&self) -> usize {
        self.writes.len()
    }

    /// Walks the writes in (table, key) order.
    pub fn iter(&self) -> impl Iterator<Item = (Table, &[u8], Option<&[u8]>)> {
        self.writes
            .iter()
            .map(|((table, key), value)| (*table, key.as_slice(), value.as_deref()))
    }

    /// Sets or removes one key.
    pub fn set(&mut self, table: Table, key: Vec<u8>, value: Option<Vec<u8>>) {
        self.writes.insert((table, key), value);
    }

    /// Takes over all writes of `later`, which win over those here.
    pub fn absorb(&mut self, later: Self) {
        self.writes.extend(later.writes);
    }
}

/// Reads a base state with the writes gathered so far laid over it.
///
/// Dropping it discards what it gathered; [`Transaction::into_writes`] hands the writes to the store.
/// Several operations share one transaction (group commit) by nesting: `Transaction` is itself a [`Read`].
pub struct Transaction<'a> {
    base: &'a dyn Read,
    writes: WriteSet,
}

impl<'a> Transaction<'a> {
    /// Starts an empty transaction over `base`.
    pub fn new(base: &'a dyn Read) -> Self {
        Self {
            base,
            writes: WriteSet::default(),
        }
    }

    /// Writes `value` under `key`.
    pub fn put(&mut self, table: Table, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) {
        self.writes.set(table, key.into(), Some(value.into()));
    }

    /// Removes `key`.
    pub fn remove(&mut self, table: Table, key: impl Into<Vec<u8>>) {
        self.writes.set(table, key.into(), None);
    }

    /// Takes over the writes of a finished nested transaction.
    pub fn absorb(&mut self, later: WriteSet) {
        self.writes.absorb(later);
    }

    /// Ends the transaction and returns what it gathered.
    pub fn into_writes(self) -> WriteSet {
        self.writes
    }

    fn overlay(&self, table: Table, from: &[u8], to: &[u8]) -> BTreeMap<Vec<u8>, Option<Vec<u8>>> {
        if from >= to {
            return BTreeMap::new();
        }
        self.writes
            .writes
            .range((table, from.to_vec())..(table, to.to_vec()))
            .map(|((_, key), value)| (key.clone(), value.clone()))
            .collect()
    }
}

impl Read for Transaction<'_> {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        match self.writes.writes.get(&(table, key.to_vec())) {
            Some(value) => Ok(value.clone()),
            None => self.base.get(table, key),
        }
    }

    fn scan(&self, table: Table, from: &[u8], to: &[u8], limit: usize) -> Result<Pairs, StoreError> {
        let overlay = self.overlay(table, from, to);
        // Each removal in the overlay can hide one pair of the base.
        let removed = overlay.values().filter(|value| value.is_none()).count();
        let base = self.base.scan(table, from, to, limit.saturating_add(removed))?;
        if overlay.is_empty() {
            return Ok(base);
        }
        let mut merged: BTreeMap<Vec<u8>, Option<Vec<u8>>> =
            base.into_iter().map(|(key, value)| (key, Some(value))).collect();
        merged.extend(overlay);
        Ok(merged
            .into_iter()
            .filter_map(|(key, value)| Some((key, value?)))
            .take(limit)
            .collect())
    }

    fn last(&self, table: Table, from: &[u8], to: &[u8]) -> Result<Option<Pair>, StoreError> {
        let overlay = self.overlay(table, from, to);
        let ours = overlay
            .iter()
            .rev()
            .find_map(|(key, value)| Some((key.clone(), value.clone()?)));
        let mut upper = to.to_vec();
        let base = loop {
            match self.base.last(table, from, &upper)? {
                Some((key, _)) if matches!(overlay.get(&key), Some(None)) => upper = key,
                base => break base,
            }
        };
        // Where both have the key, the overlay's value wins: `max_by` keeps the later of equals.
        Ok(base
            .into_iter()
            .chain(ours)
            .max_by(|one, other| one.0.cmp(&other.0)))
    }
}

/// A store in memory: the reference model of [`Read`] and [`WriteSet`], for tests and the simulator.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    pairs: BTreeMap<(Table, Vec<u8>), Vec<u8>>,
}

impl MemoryStore {
    /// Applies a write set as a whole.
    pub fn apply(&mut self, writes: &WriteSet) {
        for (table, key, value) in writes.iter() {
            match value {
                Some(value) => self.pairs.insert((table, key.to_vec()), value.to_vec()),
                None => self.pairs.remove(&(table, key.to_vec())),
            };
        }
    }
}

impl Read for MemoryStore {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.pairs.get(&(table, key.to_vec())).cloned())
    }

    fn scan(&self, table: Table, from: &[u8], to: &[u8], limit: usize) -> Result<Pairs, StoreError> {
        if from >= to {
            return Ok(Vec::new());
        }
        let range = self.pairs.range((table, from.to_vec())..(table, to.to_vec()));
        Ok(range
            .take(limit)
            .map(|((_, key), value)| (key.clone(), value.clone()))
            .collect())
    }

    fn last(&self, table: Table, from: &[u8], to: &[u8]) -> Result<Option<Pair>, StoreError> {
        if from >= to {
            return Ok(None);
        }
        let mut range = self.pairs.range((table, from.to_vec())..(table, to.to_vec()));
        Ok(range
            .next_back()
            .map(|((_, key), value)| (key.clone(), value.clone())))
    }
}

/// A value that a store hands out only once every write it rests on is durable.
///
/// A function that lets a peer forget data takes a `Durable`, so that "answer, then store" does not compile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Durable<T>(T);

impl<T> Durable<T> {
    /// Wraps `value`. For stores alone, and only after the write has been made durable.
    pub fn assert_stored(value: T) -> Self {
        Self(value)
    }

    /// Returns the value.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> core::ops::Deref for Durable<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

#[cfg(test)]
mod tests;
