//! Entries as they are kept: one a row, or many consecutive ones of a book in one packed row, a stretch.
//!
//! Rows do not overlap. A single entry is under its dot; a stretch is under the dot of its last entry and, behind
//! that, the counter of its first, so that the first row at or after a dot is the one that holds it, if any does.
//! In a stretch is what is simply kept, of a whole run: the rest, and what changes later, is kept one by one.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::any::Any;

use beatbook_proto::codec;
use beatbook_proto::{Bytes, Dot, Entry, ReplicaId, Standing};
use serde::{Deserialize, Serialize};

use super::{LedgerError, StoredEntry, decode, save};
use crate::keys;
use crate::store::{Opened, Read, StoreError, Table, Transaction};

/// A row with several entries.
#[derive(Serialize, Deserialize)]
struct Stretch {
    /// The server's sequence number of their acceptance.
    sequence: u64,
    /// When the server received them.
    received_at_ms: i64,
    /// Bytes of the encoded entries before they were packed.
    unpacked: u32,
    /// The entries, in order.
    packed: Bytes,
}

/// A row, opened.
struct Row {
    first: u64,
    entries: Vec<StoredEntry>,
}

/// What the entries of a stretch have in common.
#[derive(Clone, Copy)]
pub(crate) struct Arrival {
    /// The server's sequence number of their acceptance.
    pub(crate) sequence: u64,
    /// When the server received them.
    pub(crate) received_at_ms: i64,
}

/// Reads an entry.
pub fn entry(read: &dyn Read, dot: Dot) -> Result<Option<StoredEntry>, StoreError> {
    let Some(row) = row_at(read, dot)? else {
        return Ok(None);
    };
    let place = dot
        .counter
        .checked_sub(row.first)
        .and_then(|place| usize::try_from(place).ok());
    Ok(place.and_then(|place| row.entries.get(place)).cloned())
}

/// Writes an entry, new or changed. It is for the ledger to say when: by itself it moves no book and folds no record.
pub fn save_entry(tx: &mut Transaction<'_>, dot: Dot, stored: &StoredEntry) -> Result<(), LedgerError> {
    carve(tx, dot)?;
    save(tx, Table::Entries, keys::entry(dot), stored)
}

/// Removes an entry. As with [`save_entry`], all that rests on it stays as it is.
pub fn remove_entry(tx: &mut Transaction<'_>, dot: Dot) -> Result<(), LedgerError> {
    carve(tx, dot)?;
    tx.remove(Table::Entries, keys::entry(dot));
    Ok(())
}

/// Writes consecutive entries that are simply kept, none of which is held.
pub(crate) fn save_stretch<'a>(
    tx: &mut Transaction<'_>,
    first: Dot,
    entries: impl IntoIterator<Item = &'a Entry>,
    arrival: Arrival,
) -> Result<(), LedgerError> {
    let mut from = first.counter;
    let mut gathered: Vec<&Entry> = Vec::new();
    let mut bytes = 0;
    for entry in entries {
        if bytes + entry.byte_len() > STRETCH_BYTES && !gathered.is_empty() {
            let next = from + gathered.len() as u64;
            put_stretch(
                tx,
                Dot {
                    counter: from,
                    ..first
                },
                &gathered,
                arrival,
            )?;
            (from, bytes) = (next, 0);
            gathered.clear();
        }
        bytes += entry.byte_len();
        gathered.push(entry);
    }
    put_stretch(
        tx,
        Dot {
            counter: from,
            ..first
        },
        &gathered,
        arrival,
    )
}

/// Visits the entries held of a book from `first` up to and with `last`, in order, until `visit` says `false`.
pub(crate) fn each_held(
    read: &dyn Read,
    replica: ReplicaId,
    (first, last): (u64, u64),
    visit: Visit<'_>,
) -> Result<(), StoreError> {
    let (mut from, to) = keys::counters(replica, first, last);
    let mut rows = ROWS_FIRST;
    loop {
        let page = read.scan(Table::Entries, &from, &to, rows)?;
        for (key, value) in &page {
            if !Row::open(key, value)?.each((first, last), visit)? {
                return Ok(());
            }
        }
        if page.len() < rows {
            break;
        }
        rows = ROWS_PAGE.min(2 * rows);
        from = page
            .into_iter()
            .next_back()
            .map_or(to.clone(), |(key, _)| keys::next(key));
    }
    // A stretch may go on beyond `last`.
    if let Some(counter) = last.checked_add(1)
        && let Some(row) = row_at(read, Dot { replica, counter })?
    {
        row.each((first, last), visit)?;
    }
    Ok(())
}

/// Sees an entry under its counter; says whether to go on.
pub(crate) type Visit<'a> = &'a mut dyn FnMut(u64, &StoredEntry) -> Result<bool, StoreError>;

/// True if any entry from `first` up to and with `last` is held.
pub(crate) fn holds_any(
    read: &dyn Read,
    replica: ReplicaId,
    (first, last): (u64, u64),
) -> Result<bool, StoreError> {
    let dot = Dot {
        replica,
        counter: first,
    };
    Ok(first <= last && row_at(read, dot)?.is_some_and(|row| row.first <= last))
}

/// Entries of all books in order of dot.
pub(crate) struct EntriesPage {
    /// The entries.
    pub(crate) entries: Vec<(Dot, StoredEntry)>,
    /// The key to go on from; `None` at the end.
    pub(crate) next: Option<Vec<u8>>,
}

/// The entries of the next rows whose keys are at or after `from`: the first ones may be of dots before it.
pub(crate) fn page_after(read: &dyn Read, from: &[u8]) -> Result<EntriesPage, StoreError> {
    let page = read.scan(Table::Entries, from, &keys::after(&[]), ROWS_PAGE)?;
    let mut entries = Vec::new();
    for (key, value) in &page {
        let row = Row::open(key, value)?;
        let (last, _) = span(key)?;
        let dots = (row.first..).map(|counter| Dot { counter, ..last });
        entries.extend(dots.zip(row.entries));
    }
    let next = page.into_iter().next_back().map(|(key, _)| keys::next(key));
    Ok(EntriesPage { entries, next })
}

/// The row that holds an entry, or the first of its book after it.
fn row_at(read: &dyn Read, dot: Dot) -> Result<Option<Rc<Row>>, StoreError> {
    let to = keys::after(&keys::book(dot.replica));
    let row = read.first_opened(Table::Entries, &keys::entry(dot), &to, &open)?;
    Ok(row.and_then(|row| row.downcast::<Row>().ok()))
}

fn open(key: &[u8], value: &[u8]) -> Result<Opened, StoreError> {
    let row = Row::open(key, value)?;
    let (last, _) = span(key)?;
    let low = keys::entry(Dot {
        counter: row.first,
        ..last
    });
    let value: Rc<dyn Any> = Rc::new(row);
    Ok(Opened { low, value })
}

impl Row {
    fn open(key: &[u8], value: &[u8]) -> Result<Self, StoreError> {
        let (last, first) = span(key)?;
        let Some(first) = first else {
            return Ok(Self {
                first: last.counter,
                entries: [decode(Table::Entries, value)?].into(),
            });
        };
        let stretch: Stretch = decode(Table::Entries, value)?;
        let entries = unpack(&stretch)?;
        if first.checked_add(entries.len() as u64) != last.counter.checked_add(1) {
            return Err(damaged("a stretch does not hold what its key says"));
        }
        let kept = |entry| StoredEntry {
            entry,
            salt: None,
            standing: Standing::KEPT,
            sequence: stretch.sequence,
            received_at_ms: stretch.received_at_ms,
        };
        Ok(Self {
            first,
            entries: entries.into_iter().map(kept).collect(),
        })
    }
}

impl Row {
    /// Visits the entries of the row from `first` up to and with `last`; `false` once there is nothing more to visit.
    fn each(&self, (first, last): (u64, u64), visit: Visit<'_>) -> Result<bool, StoreError> {
        for (counter, stored) in (self.first..).zip(&self.entries) {
            if counter > last {
                return Ok(false);
            }
            if counter >= first && !visit(counter, stored)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn unpack(stretch: &Stretch) -> Result<Vec<Entry>, StoreError> {
    let bytes = usize::try_from(stretch.unpacked)
        .ok()
        .and_then(|len| codec::unpack_kept(&stretch.packed, len).ok());
    decode(
        Table::Entries,
        &bytes.ok_or(damaged("a stretch does not unpack"))?,
    )
}

/// The last entry of a row, and the first one's counter where it is a stretch.
fn span(key: &[u8]) -> Result<(Dot, Option<u64>), StoreError> {
    let unread = || damaged("an entry's key does not read");
    let (dot, first) = key.split_at_checked(keys::ENTRY_BYTES).ok_or_else(unread)?;
    let dot = Dot::from_key(dot).ok_or_else(unread)?;
    if first.is_empty() {
        return Ok((dot, None));
    }
    let first = first.try_into().map_err(|_| unread())?;
    Ok((dot, Some(u64::from_be_bytes(first))))
}

/// Takes an entry out of the stretch that holds it, if one does: what was before and after it goes on as stretches.
fn carve(tx: &mut Transaction<'_>, dot: Dot) -> Result<(), LedgerError> {
    let Some(row) = row_at(tx, dot)? else {
        return Ok(());
    };
    let count = row.entries.len() as u64;
    if count < 2 || dot.counter < row.first {
        return Ok(());
    }
    let last = Dot {
        counter: row.first + count - 1,
        ..dot
    };
    tx.remove(Table::Entries, keys::stretch(last, row.first));
    let before = (dot.counter - row.first) as usize;
    for (place, stored) in row.entries.iter().enumerate().skip(before).take(1) {
        let dot = Dot {
            counter: row.first + place as u64,
            ..dot
        };
        save(tx, Table::Entries, keys::entry(dot), stored)?;
    }
    for (from, count) in [(0, before), (before + 1, usize::MAX)] {
        let left: Vec<&StoredEntry> = row.entries.iter().skip(from).take(count).collect();
        let Some(first) = left.first() else { continue };
        let arrival = Arrival {
            sequence: first.sequence,
            received_at_ms: first.received_at_ms,
        };
        let begins = Dot {
            counter: row.first + from as u64,
            ..dot
        };
        save_stretch(tx, begins, left.iter().map(|stored| &stored.entry), arrival)?;
    }
    Ok(())
}

fn put_stretch(
    tx: &mut Transaction<'_>,
    first: Dot,
    entries: &[&Entry],
    arrival: Arrival,
) -> Result<(), LedgerError> {
    let one = match entries {
        [] => return Ok(()),
        [one] => Some(*one),
        _ => None,
    };
    if let Some(entry) = one {
        let stored = StoredEntry {
            entry: entry.clone(),
            salt: None,
            standing: Standing::KEPT,
            sequence: arrival.sequence,
            received_at_ms: arrival.received_at_ms,
        };
        return save(tx, Table::Entries, keys::entry(first), &stored);
    }
    let last = Dot {
        counter: first.counter + entries.len() as u64 - 1,
        ..first
    };
    let bytes = codec::encode(entries).map_err(LedgerError::TooLarge)?;
    let stretch = Stretch {
        sequence: arrival.sequence,
        received_at_ms: arrival.received_at_ms,
        unpacked: u32::try_from(bytes.len())
            .map_err(|_| LedgerError::TooLarge(codec::CodecError::TooLarge))?,
        packed: codec::pack_to_keep(&bytes).map_err(LedgerError::TooLarge)?.into(),
    };
    save(tx, Table::Entries, keys::stretch(last, first.counter), &stretch)
}

fn damaged(what: &'static str) -> StoreError {
    StoreError::Corrupt {
        table: Table::Entries as u8,
        what,
    }
}

/// Bytes of entries in one stretch before packing: packed, it fits one row of an index.
const STRETCH_BYTES: usize = 32 << 10;
/// Rows read in one go, first and at most.
const ROWS_FIRST: usize = 4;
const ROWS_PAGE: usize = 64;

#[cfg(test)]
mod tests;
