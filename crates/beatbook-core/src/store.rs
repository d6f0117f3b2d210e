//! The port to a store: tables of bytes, reads, and a transaction that gathers writes.
//!
//! A store executes; it decides nothing. Every rule about causality lives in the code that runs
//! *inside* a [`Transaction`]. A store holds ordered byte keys and values per [`Table`], applies a
//! finished [`WriteSet`] as a whole, and says when that is durable. Holds no I/O.

use alloc::collections::{BTreeMap, btree_map};
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::any::Any;
use core::cell::RefCell;
use core::cmp::Ordering;

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

    /// Returns what `open` makes of the first pair with `from <= key < to`.
    ///
    /// A store may remember it in a [`Recent`] for as long as it shows one state. A table is always read with the same
    /// `open`.
    fn first_opened(
        &self,
        table: Table,
        from: &[u8],
        to: &[u8],
        open: Open<'_>,
    ) -> Result<Option<Rc<dyn Any>>, StoreError> {
        match self.scan(table, from, to, 1)?.into_iter().next() {
            Some((key, value)) => Ok(Some(open(&key, &value)?.value)),
            None => Ok(None),
        }
    }
}

/// Makes something of a pair, by its key and value.
pub type Open<'a> = &'a dyn Fn(&[u8], &[u8]) -> Result<Opened, StoreError>;

/// A value as its reader works with it.
#[derive(Clone, Debug)]
pub struct Opened {
    /// No other key of the table lies from here up to the pair's own.
    pub low: Vec<u8>,
    /// What was made of it.
    pub value: Rc<dyn Any>,
}

/// The pairs of one state that were opened last: reading many neighbours opens what they share once.
#[derive(Debug, Default)]
pub struct Recent(RefCell<Vec<RecentPair>>);

#[derive(Debug)]
struct RecentPair {
    table: Table,
    key: Vec<u8>,
    opened: Opened,
}

impl Recent {
    /// What is the first pair with `from <= key < to`, if that is remembered: `None` where it is not known,
    /// `Some(None)` where it is known that there is none.
    pub fn first(&self, table: Table, from: &[u8], to: &[u8]) -> Option<Option<Rc<dyn Any>>> {
        let pairs = self.0.borrow();
        let spans = |pair: &&RecentPair| {
            pair.table == table && pair.opened.low.as_slice() <= from && from <= pair.key.as_slice()
        };
        let pair = pairs.iter().rev().find(spans)?;
        Some((pair.key.as_slice() < to).then(|| Rc::clone(&pair.opened.value)))
    }

    /// Remembers a pair, and forgets the oldest where there are too many.
    pub fn keep(&self, table: Table, key: Vec<u8>, opened: Opened) {
        let mut pairs = self.0.borrow_mut();
        if pairs.len() == RECENT_MAX {
            pairs.remove(0);
        }
        pairs.push(RecentPair { table, key, opened });
    }

    /// As [`Read::first_opened`] over `read`, through this memory.
    pub fn through(
        &self,
        read: &dyn Read,
        (table, from, to): (Table, &[u8], &[u8]),
        open: Open<'_>,
    ) -> Result<Option<Rc<dyn Any>>, StoreError> {
        if let Some(known) = self.first(table, from, to) {
            return Ok(known);
        }
        let Some((key, value)) = read.scan(table, from, to, 1)?.into_iter().next() else {
            return Ok(None);
        };
        let opened = open(&key, &value)?;
        let value = Rc::clone(&opened.value);
        self.keep(table, key, opened);
        Ok(Some(value))
    }

    fn forget(&self, table: Table) {
        self.0.borrow_mut().retain(|pair| pair.table != table);
    }
}

/// Pairs that are remembered: those that one feed frame or run walks through.
const RECENT_MAX: usize = 8;

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
    /// Of the writes alone: what the base has is remembered there.
    recent: Recent,
}

impl<'a> Transaction<'a> {
    /// Starts an empty transaction over `base`.
    pub fn new(base: &'a dyn Read) -> Self {
        Self {
            base,
            writes: WriteSet::default(),
            recent: Recent::default(),
        }
    }

    /// Writes `value` under `key`.
    pub fn put(&mut self, table: Table, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) {
        self.recent.forget(table);
        self.writes.set(table, key.into(), Some(value.into()));
    }

    /// Removes `key`.
    pub fn remove(&mut self, table: Table, key: impl Into<Vec<u8>>) {
        self.recent.forget(table);
        self.writes.set(table, key.into(), None);
    }

    /// Takes over the writes of a finished nested transaction.
    pub fn absorb(&mut self, later: WriteSet) {
        self.recent = Recent::default();
        self.writes.absorb(later);
    }

    /// Ends the transaction and returns what it gathered.
    pub fn into_writes(self) -> WriteSet {
        self.writes
    }

    /// The writes with `from <= key < to`.
    fn overlay(&self, table: Table, from: &[u8], to: &[u8]) -> Option<Overlay<'_>> {
        let within = from < to && !self.writes.writes.is_empty();
        within.then(|| {
            self.writes
                .writes
                .range((table, from.to_vec())..(table, to.to_vec()))
        })
    }
}

/// Writes of one table, in order of key.
type Overlay<'a> = btree_map::Range<'a, (Table, Vec<u8>), Option<Vec<u8>>>;

impl Read for Transaction<'_> {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        if self.writes.writes.is_empty() {
            return self.base.get(table, key);
        }
        match self.writes.writes.get(&(table, key.to_vec())) {
            Some(value) => Ok(value.clone()),
            None => self.base.get(table, key),
        }
    }

    fn scan(&self, table: Table, from: &[u8], to: &[u8], limit: usize) -> Result<Pairs, StoreError> {
        let Some(overlay) = self.overlay(table, from, to) else {
            return self.base.scan(table, from, to, limit);
        };
        // Each removal in the overlay can hide one pair of the base.
        let removed = overlay.clone().filter(|(_, value)| value.is_none()).count();
        let base = self.base.scan(table, from, to, limit.saturating_add(removed))?;
        let mut overlay = overlay.peekable();
        if overlay.peek().is_none() {
            return Ok(base);
        }
        let mut base = base.into_iter().peekable();
        let mut merged = Vec::new();
        while merged.len() < limit {
            let ours = overlay.peek().map(|((_, key), _)| key.as_slice());
            let order = match (base.peek(), ours) {
                (None, None) => break,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some((key, _)), Some(ours)) => key.as_slice().cmp(ours),
            };
            match order {
                Ordering::Less => merged.extend(base.next()),
                Ordering::Equal | Ordering::Greater => {
                    // Where both have the key, the overlay's word counts.
                    if order == Ordering::Equal {
                        base.next();
                    }
                    let ours = overlay.next();
                    merged.extend(ours.and_then(|((_, key), value)| Some((key.clone(), value.clone()?))));
                }
            }
        }
        Ok(merged)
    }

    fn first_opened(
        &self,
        table: Table,
        from: &[u8],
        to: &[u8],
        open: Open<'_>,
    ) -> Result<Option<Rc<dyn Any>>, StoreError> {
        let Some(overlay) = self.overlay(table, from, to) else {
            return self.base.first_opened(table, from, to, open);
        };
        let mut first = None;
        for ((_, key), value) in overlay {
            match value {
                Some(value) => {
                    first.get_or_insert((key, value));
                }
                None => return self.recent.through(self, (table, from, to), open),
            }
        }
        let Some((key, value)) = first else {
            return self.base.first_opened(table, from, to, open);
        };
        if let Some(before) = self.base.first_opened(table, from, key, open)? {
            return Ok(Some(before));
        }
        if let Some(Some(known)) = self.recent.first(table, key, to) {
            return Ok(Some(known));
        }
        let opened = open(key, value)?;
        let value = Rc::clone(&opened.value);
        self.recent.keep(table, key.clone(), opened);
        Ok(Some(value))
    }

    fn last(&self, table: Table, from: &[u8], to: &[u8]) -> Result<Option<Pair>, StoreError> {
        let Some(mut overlay) = self.overlay(table, from, to) else {
            return self.base.last(table, from, to);
        };
        let ours = overlay
            .rfind(|(_, value)| value.is_some())
            .and_then(|((_, key), value)| Some((key.clone(), value.clone()?)));
        let mut upper = to.to_vec();
        let base = loop {
            match self.base.last(table, from, &upper)? {
                Some((key, _)) if matches!(self.writes.writes.get(&(table, key.clone())), Some(None)) => {
                    upper = key;
                }
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
