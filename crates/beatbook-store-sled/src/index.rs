//! The index, from which everything is read: tables laid over the rows of an engine.
//!
//! All tables share one order of rows, the first byte of a row key being the table: one batch for one group, one
//! set of pages, and no tree names on disk. A row holds at most [`PART_BYTES`] of a value; a longer value goes
//! on in further parts. Sealed rows are a pure function of the commit that wrote them (the nonce comes from
//! its salt), so that replaying a commit gives the very same bytes and the totals can be compared exactly.
//! The engine's own promises are not relied on: the journal makes writes durable, the totals show what it lost.

mod folder;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::BTreeSet;
use std::ops::{Bound, ControlFlow};

use beatbook_core::store::{Pairs, Read, StoreError, Table, WriteSet};
use zeroize::Zeroizing;

use crate::codec::{Reader, Writer};
use crate::engine::{RowBatch, RowRange, Rows};
use crate::error::OpenError;
use crate::journal::frame::Opening;
use crate::seal::{NONCE_BYTES, Purpose, SEAL_BYTES, Sealer, StoreKey};
use crate::totals::{RowHasher, Totals};

pub(crate) use folder::{Shelf, index_path};

/// Set in the table byte of the further parts of a long value.
pub(crate) const FURTHER_PART: u8 = 0x80;
/// Plain bytes of a value in one row: sled must never see more than 16 KiB.
pub(crate) const PART_BYTES: usize = 16 * 1024 - 256;
/// Longest key.
pub const KEY_BYTES_MAX: usize = 1024;
/// Longest value.
pub const VALUE_BYTES_MAX: usize = 1 << 20;

/// The row that says up to which journal frame the index has been written. Not a table, not in the totals.
const APPLIED: &[u8] = &[0x7f];
/// The row that says what the index held when it was last made durable. Not a table, not in the totals.
const PROOF: &[u8] = &[0x7e];
/// Rows of one batch while copying.
const COPY_ROWS: usize = 512;
const SINGLE: u8 = 1;
const LONG: u8 = 2;

/// An open index.
pub(crate) struct Index {
    rows: Box<dyn Rows>,
    seals: Seals,
}

/// The keys of the index.
#[derive(Clone)]
pub(crate) struct Seals {
    sealer: Sealer,
    nonce: Zeroizing<[u8; 32]>,
    pub(crate) hasher: RowHasher,
}

/// What an index held when it was last made durable: it can be checked without the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Proof {
    /// Sequence of the last journal frame before it.
    pub(crate) sequence: u64,
    /// Sequence of the last commit that had been applied.
    pub(crate) applied: u64,
    pub(crate) opening: Opening,
    pub(crate) totals: Totals,
}

/// Sees one row and its sealed value.
type SealedVisit<'a> = dyn FnMut(&[u8], &[u8]) -> Result<(), StoreError> + 'a;

/// The rows that a commit writes, ready to be applied.
pub(crate) struct Plan {
    batch: RowBatch,
    pub(crate) touched: BTreeSet<u8>,
}

impl Seals {
    pub(crate) fn new(key: &StoreKey) -> Self {
        Self {
            sealer: key.sealer(Purpose::Index),
            nonce: key.subkey(Purpose::IndexNonce),
            hasher: RowHasher(key.subkey(Purpose::SetHash)),
        }
    }

    /// A nonce that no other row of any commit has.
    fn nonce(&self, salt: &[u8; 24], row: &[u8]) -> [u8; NONCE_BYTES] {
        let mut nonce = [0; NONCE_BYTES];
        blake3::Hasher::new_keyed(&self.nonce)
            .update(salt)
            .update(row)
            .finalize_xof()
            .fill(&mut nonce);
        nonce
    }

    /// Seals the rows of one value.
    fn rows(&self, salt: &[u8; 24], (table, key): (u8, &[u8]), value: &[u8]) -> Result<Pairs, StoreError> {
        let parts = value.len().div_ceil(PART_BYTES).max(1);
        let mut head = Writer::default();
        match u16::try_from(parts) {
            Ok(1) => head.u8(SINGLE),
            Ok(parts) => head.u8(LONG).u16(parts),
            Err(_) => {
                return Err(StoreError::Io {
                    reason: "a value is longer than the index can hold".into(),
                });
            }
        };
        let head = head.finish();
        let mut rows = Vec::with_capacity(parts);
        let mut first_nonce = [0; NONCE_BYTES];
        let mut chunks = value.chunks(PART_BYTES);
        for part in 0..parts as u16 {
            let row = if part == 0 {
                row_key(table, key)
            } else {
                part_key(table, key, part)
            };
            let nonce = self.nonce(salt, &row);
            let place = if part == 0 {
                place(&head, &row, &[])
            } else {
                place(&[], &row, &first_nonce)
            };
            let plain = chunks.next().unwrap_or_default();
            let sealed = self
                .sealer
                .seal_with(nonce, &place, plain)
                .map_err(|_| crate::error::no_random())?;
            let mut bytes = if part == 0 { head.clone() } else { Vec::new() };
            bytes.extend_from_slice(&sealed);
            if part == 0 {
                first_nonce = nonce;
            }
            rows.push((row, bytes));
        }
        Ok(rows)
    }
}

impl Index {
    /// Plans the rows of a commit and moves `totals` to what they will be after it.
    pub(crate) fn plan(
        &self,
        salt: &[u8; 24],
        writes: &WriteSet,
        totals: &mut Totals,
    ) -> Result<Plan, StoreError> {
        let mut plan = Plan {
            batch: RowBatch::default(),
            touched: BTreeSet::new(),
        };
        for (table, key, value) in writes.iter() {
            let number = table as u8;
            plan.touched.insert(number);
            let first = row_key(number, key);
            if let Some(old) = self.raw(&first)? {
                totals.subtract(&self.seals.hasher, &first, &old);
                plan.batch.remove(first);
                for part in 1..parts_of(&old) {
                    let row = part_key(number, key, part);
                    if let Some(old) = self.raw(&row)? {
                        totals.subtract(&self.seals.hasher, &row, &old);
                    }
                    plan.batch.remove(row);
                }
            }
            if let Some(value) = value {
                for (row, sealed) in self.seals.rows(salt, (number, key), value)? {
                    totals.add(&self.seals.hasher, &row, &sealed);
                    plan.batch.insert(row, sealed);
                }
            }
        }
        Ok(plan)
    }

    /// Applies a planned commit. It reaches the disk at the next checkpoint, or never: the journal has it.
    pub(crate) fn apply(&self, mut plan: Plan, sequence: u64) -> Result<(), StoreError> {
        let sealed = self
            .seals
            .sealer
            .seal(APPLIED, &sequence.to_be_bytes())
            .map_err(|_| crate::error::no_random())?;
        plan.batch.insert(APPLIED.to_vec(), sealed);
        self.rows.apply(plan.batch)
    }

    /// Sequence of the last commit that was applied, 0 if there was none.
    pub(crate) fn applied(&self) -> Result<u64, StoreError> {
        let Some(sealed) = self.raw(APPLIED)? else {
            return Ok(0);
        };
        let plain = self.seals.sealer.open(APPLIED, &sealed);
        plain
            .and_then(|plain| Reader::new(&plain).u64())
            .ok_or_else(|| corrupt(APPLIED, "seal does not open"))
    }

    /// Writes down what the index holds, to be made durable with it.
    pub(crate) fn prove(&self, proof: &Proof) -> Result<(), StoreError> {
        let mut plain = Writer::default();
        plain.u64(proof.sequence).u64(proof.applied);
        proof.opening.encode(&mut plain);
        proof.totals.encode(|_| true, &mut plain);
        let sealed = self
            .seals
            .sealer
            .seal(PROOF, &plain.finish())
            .map_err(|_| crate::error::no_random())?;
        let mut batch = RowBatch::default();
        batch.insert(PROOF.to_vec(), sealed);
        self.rows.apply(batch)
    }

    /// What the index held when it was last made durable, if it says so.
    pub(crate) fn proof(&self) -> Result<Option<Proof>, StoreError> {
        let Some(sealed) = self.raw(PROOF)? else {
            return Ok(None);
        };
        let plain = self.seals.sealer.open(PROOF, &sealed);
        let proof = plain.and_then(|plain| {
            let mut reader = Reader::new(&plain);
            let (sequence, applied) = (reader.u64()?, reader.u64()?);
            let opening = Opening::decode(&mut reader)?;
            let mut totals = Totals::default();
            totals.decode_over(&mut reader)?;
            Some(Proof {
                sequence,
                applied,
                opening,
                totals,
            })
        });
        proof
            .map(Some)
            .ok_or_else(|| corrupt(PROOF, "seal does not open"))
    }

    /// Makes everything that was applied durable.
    pub(crate) fn flush(&self) -> Result<(), StoreError> {
        self.rows.flush()
    }

    /// Closes the index, and returns when its folder may be renamed.
    pub(crate) fn close(self) -> Result<(), OpenError> {
        self.rows.close()
    }

    /// True where what is read may not be on the disk: see [`crate::engine::Rows::is_doubtful`].
    pub(crate) fn is_doubtful(&self) -> bool {
        self.rows.is_doubtful()
    }

    /// True where only opening it again helps: see [`crate::engine::Rows::is_stuck`].
    pub(crate) fn is_stuck(&self) -> bool {
        self.rows.is_stuck()
    }

    /// Counts and hashes every row.
    pub(crate) fn count(&self) -> Result<Totals, StoreError> {
        let mut totals = Totals::default();
        self.each_row(&mut |row, sealed| {
            totals.add(&self.seals.hasher, row, sealed);
            Ok(())
        })?;
        Ok(totals)
    }

    /// Opens the seal of every value, and returns how many there are.
    pub(crate) fn open_all(&self) -> Result<u64, StoreError> {
        let mut values = 0;
        self.each_row(&mut |row, sealed| {
            if let Some((table, key)) = row.split_first()
                && table & FURTHER_PART == 0
            {
                self.value(*table, key, sealed)?;
                values += 1;
            }
            Ok(())
        })?;
        Ok(values)
    }

    /// Visits every row of every table in order of row key.
    pub(crate) fn each_row(&self, visit: &mut SealedVisit<'_>) -> Result<(), StoreError> {
        let all = (Bound::Unbounded, Bound::Unbounded);
        self.rows.visit(all, &mut |row, sealed| {
            if is_of_a_table(row) {
                visit(row, sealed)?;
            }
            Ok(ControlFlow::Continue(()))
        })
    }

    /// Up to `limit` rows after `after`, or from the first on, sealed.
    pub(crate) fn rows_after(&self, after: Option<&[u8]>, limit: usize) -> Result<Pairs, StoreError> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut found = Vec::new();
        if limit == 0 {
            return Ok(found);
        }
        self.rows.visit((from, Bound::Unbounded), &mut |row, sealed| {
            if is_of_a_table(row) {
                found.push((row.to_vec(), sealed.to_vec()));
            }
            Ok(until(found.len() >= limit))
        })?;
        Ok(found)
    }

    /// Counts rows in that are not in the index yet.
    pub(crate) fn count_in(&self, rows: &Pairs, totals: &mut Totals) {
        for (row, sealed) in rows {
            totals.add(&self.seals.hasher, row, sealed);
        }
    }

    /// Takes rows that another index of this store sealed.
    pub(crate) fn insert_rows(&self, rows: Pairs) -> Result<(), StoreError> {
        let mut batch = RowBatch::default();
        for (row, sealed) in rows {
            batch.insert(row, sealed);
        }
        self.rows.apply(batch)
    }

    /// Copies every row, as it is, to an index that is empty.
    pub(crate) fn copy_to(&self, new: &Self) -> Result<(), StoreError> {
        let mut batch = RowBatch::default();
        self.each_row(&mut |row, sealed| {
            batch.insert(row.to_vec(), sealed.to_vec());
            if batch.len() == COPY_ROWS {
                new.rows.apply(std::mem::take(&mut batch))?;
            }
            Ok(())
        })?;
        // The copy knows as much of the journal as its source did.
        for row in [APPLIED, PROOF] {
            if let Some(sealed) = self.raw(row)? {
                batch.insert(row.to_vec(), sealed);
            }
        }
        new.rows.apply(batch)
    }

    fn raw(&self, row: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.rows.get(row)
    }

    /// Opens a value whose first row is `sealed`.
    fn value(&self, table: u8, key: &[u8], sealed: &[u8]) -> Result<Vec<u8>, StoreError> {
        let row = row_key(table, key);
        let damaged = || corrupt(&row, "seal does not open");
        let head_bytes = if sealed.first() == Some(&LONG) { 3 } else { 1 };
        let (head, body) = sealed.split_at_checked(head_bytes).ok_or_else(damaged)?;
        let mut value = self
            .seals
            .sealer
            .open(&place(head, &row, &[]), body)
            .ok_or_else(damaged)?;
        let parts = parts_of(sealed);
        if parts > 1 {
            let nonce = body.get(..NONCE_BYTES).ok_or_else(damaged)?;
            for part in 1..parts {
                let row = part_key(table, key, part);
                let sealed = self
                    .raw(&row)?
                    .ok_or_else(|| corrupt(&row, "a part of a value is missing"))?;
                let plain = self
                    .seals
                    .sealer
                    .open(&place(&[], &row, nonce), &sealed)
                    .ok_or_else(damaged)?;
                value.extend_from_slice(&plain);
            }
        }
        Ok(value)
    }
}

impl Read for Index {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let number = table as u8;
        self.raw(&row_key(number, key))?
            .map(|sealed| self.value(number, key, &sealed))
            .transpose()
    }

    fn scan(&self, table: Table, from: &[u8], to: &[u8], limit: usize) -> Result<Pairs, StoreError> {
        let mut pairs = Vec::new();
        if from >= to {
            return Ok(pairs);
        }
        if limit == 0 {
            return Ok(pairs);
        }
        let (first, end) = (row_key(table as u8, from), row_key(table as u8, to));
        let rows: RowRange<'_> = (Bound::Included(&first), Bound::Excluded(&end));
        self.rows.visit(rows, &mut |row, sealed| {
            let key = row.get(1..).unwrap_or_default();
            pairs.push((key.to_vec(), self.value(table as u8, key, sealed)?));
            Ok(until(pairs.len() >= limit))
        })?;
        Ok(pairs)
    }

    fn last(&self, table: Table, from: &[u8], to: &[u8]) -> Result<Option<(Vec<u8>, Vec<u8>)>, StoreError> {
        if from >= to {
            return Ok(None);
        }
        let (first, end) = (row_key(table as u8, from), row_key(table as u8, to));
        let Some((row, sealed)) = self.rows.last(&first, &end)? else {
            return Ok(None);
        };
        let key = row.get(1..).unwrap_or_default();
        Ok(Some((key.to_vec(), self.value(table as u8, key, &sealed)?)))
    }
}

/// Refuses what the index cannot hold, before anything is written.
pub(crate) fn check_limits(writes: &WriteSet) -> Result<usize, StoreError> {
    let mut bytes = 0;
    for (_, key, value) in writes.iter() {
        let value_bytes = value.map_or(0, <[u8]>::len);
        if key.len() > KEY_BYTES_MAX || value_bytes > VALUE_BYTES_MAX {
            let reason = format!(
                "a key of {} bytes or a value of {value_bytes} bytes is over the limit of {KEY_BYTES_MAX} and {VALUE_BYTES_MAX}",
                key.len()
            );
            return Err(StoreError::Io { reason });
        }
        bytes += key.len() + value_bytes + SEAL_BYTES;
    }
    Ok(bytes)
}

fn is_of_a_table(row: &[u8]) -> bool {
    row != APPLIED && row != PROOF
}

fn until(enough: bool) -> ControlFlow<()> {
    if enough {
        ControlFlow::Break(())
    } else {
        ControlFlow::Continue(())
    }
}

fn row_key(table: u8, key: &[u8]) -> Vec<u8> {
    let mut row = Vec::with_capacity(key.len() + 1);
    row.push(table);
    row.extend_from_slice(key);
    row
}

/// The part number has a fixed length, so no two (key, part) share a row.
fn part_key(table: u8, key: &[u8], part: u16) -> Vec<u8> {
    let mut row = row_key(table | FURTHER_PART, key);
    row.extend_from_slice(&part.to_be_bytes());
    row
}

fn parts_of(sealed: &[u8]) -> u16 {
    match sealed.split_first() {
        Some((&LONG, rest)) => Reader::new(rest).u16().unwrap_or(1),
        _ => 1,
    }
}

/// What the seal of a row covers besides its bytes: the row, and for a further part the first one's nonce.
fn place(head: &[u8], row: &[u8], first_nonce: &[u8]) -> Vec<u8> {
    let mut out = Writer::with_capacity(row.len() + 64);
    out.raw(b"row").u8(1).bytes(head).bytes(row).raw(first_nonce);
    out.finish()
}

fn corrupt(row: &[u8], what: &'static str) -> StoreError {
    StoreError::Corrupt {
        table: row.first().map_or(0, |table| table & !FURTHER_PART),
        what,
    }
}
