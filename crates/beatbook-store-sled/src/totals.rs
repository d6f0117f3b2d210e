//! Count, size and set hash of the rows of each table: what shows that an index lost or changed a row.
//!
//! A set hash is the lane-wise sum of a keyed hash of each (key, sealed value). It is moved by one addition and
//! one subtraction for each row written, and does not depend on order.

use zeroize::Zeroizing;

use crate::codec::{Reader, Writer};

/// Number of tables that have totals.
pub(crate) const TABLES: usize = beatbook_core::store::Table::ALL.len();

/// Length of the totals of one table as they are written, without its number.
const TOTAL_BYTES: usize = 8 + 8 + 32;

/// Totals of one table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Total {
    /// Rows, the further parts of a long value included.
    pub(crate) count: u64,
    /// Bytes of keys and sealed values.
    pub(crate) bytes: u64,
    hash: [u64; 4],
}

/// Totals of every table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals([Total; TABLES]);

impl Totals {
    /// Counts a row in.
    pub(crate) fn add(&mut self, hasher: &RowHasher, key: &[u8], sealed: &[u8]) {
        if let Some(total) = self.of_row(key) {
            total.count = total.count.wrapping_add(1);
            total.bytes = total.bytes.wrapping_add(row_bytes(key, sealed));
            for (lane, part) in total.hash.iter_mut().zip(hasher.lanes(key, sealed)) {
                *lane = lane.wrapping_add(part);
            }
        }
    }

    /// Counts a row out.
    pub(crate) fn subtract(&mut self, hasher: &RowHasher, key: &[u8], sealed: &[u8]) {
        if let Some(total) = self.of_row(key) {
            total.count = total.count.wrapping_sub(1);
            total.bytes = total.bytes.wrapping_sub(row_bytes(key, sealed));
            for (lane, part) in total.hash.iter_mut().zip(hasher.lanes(key, sealed)) {
                *lane = lane.wrapping_sub(part);
            }
        }
    }

    /// The first table whose totals differ from those of `other`.
    pub(crate) fn difference(&self, other: &Self) -> Option<u8> {
        let at = self
            .0
            .iter()
            .zip(&other.0)
            .position(|(ours, theirs)| ours != theirs)?;
        u8::try_from(at).ok()
    }

    /// Rows of all tables.
    pub(crate) fn rows(&self) -> u64 {
        self.0.iter().map(|total| total.count).sum()
    }

    /// Bytes of all tables.
    pub(crate) fn live_bytes(&self) -> u64 {
        self.0.iter().map(|total| total.bytes).sum()
    }

    /// Writes the totals of the tables that `touched` names, each with its number.
    pub(crate) fn encode(&self, touched: impl Fn(u8) -> bool, out: &mut Writer) {
        let chosen: Vec<_> = (0..).zip(&self.0).filter(|(table, _)| touched(*table)).collect();
        out.u8(chosen.len() as u8);
        for (table, total) in chosen {
            out.u8(table).u64(total.count).u64(total.bytes);
            for lane in total.hash {
                out.u64(lane);
            }
        }
    }

    /// Takes over the totals that were written.
    pub(crate) fn decode_over(&mut self, reader: &mut Reader<'_>) -> Option<()> {
        for _ in 0..reader.u8()? {
            let table = usize::from(reader.u8()?);
            *self.0.get_mut(table)? = Total {
                count: reader.u64()?,
                bytes: reader.u64()?,
                hash: [reader.u64()?, reader.u64()?, reader.u64()?, reader.u64()?],
            };
        }
        Some(())
    }

    fn of_row(&mut self, key: &[u8]) -> Option<&mut Total> {
        let table = key.first()? & !crate::index::FURTHER_PART;
        self.0.get_mut(usize::from(table))
    }
}

/// Totals of which those of some tables are not known.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Known {
    totals: Totals,
    known: [bool; TABLES],
}

impl Known {
    /// Every table is known.
    pub(crate) fn all(totals: Totals) -> Self {
        Self {
            totals,
            known: [true; TABLES],
        }
    }

    /// Takes over the totals of the tables that a commit touched.
    pub(crate) fn take(&mut self, encoded: &[u8]) -> Option<()> {
        let mut reader = Reader::new(encoded);
        self.totals.decode_over(&mut reader)?;
        let mut reader = Reader::new(encoded);
        for _ in 0..reader.u8()? {
            *self.known.get_mut(usize::from(reader.u8()?))? = true;
            reader.raw(TOTAL_BYTES)?;
        }
        Some(())
    }

    /// True where every table is known.
    pub(crate) fn is_whole(&self) -> bool {
        self.known.iter().all(|known| *known)
    }

    /// True where a known table has other totals in `found`.
    pub(crate) fn contradicts(&self, found: &Totals) -> bool {
        let tables = self.totals.0.iter().zip(&found.0).zip(&self.known);
        tables
            .into_iter()
            .any(|((ours, theirs), known)| *known && ours != theirs)
    }
}

/// The keyed hash behind the set hashes.
#[derive(Clone)]
pub(crate) struct RowHasher(pub(crate) Zeroizing<[u8; 32]>);

impl RowHasher {
    fn lanes(&self, key: &[u8], sealed: &[u8]) -> [u64; 4] {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        hasher
            .update(&crate::codec::length(key).to_be_bytes())
            .update(key)
            .update(sealed);
        let mut lanes = [0; 4];
        for (lane, bytes) in lanes
            .iter_mut()
            .zip(hasher.finalize().as_bytes().as_chunks::<8>().0)
        {
            *lane = u64::from_be_bytes(*bytes);
        }
        lanes
    }
}

fn row_bytes(key: &[u8], sealed: &[u8]) -> u64 {
    (key.len() + sealed.len()) as u64
}
