//! The port to an engine: what keeps the rows of an index, in order, in a folder of its own.
//!
//! [`SledEngine`] is what a store uses; [`ModelEngine`] stands in for it where a disk is simulated. An engine
//! knows nothing of tables, parts or seals, and none of its promises is relied on: the journal makes writes
//! durable, and the totals show what an engine lost.

mod model;
mod sled_rows;
#[cfg(test)]
mod tests;

use std::fmt::Debug;
use std::ops::{Bound, ControlFlow};
use std::path::Path;
use std::sync::Arc;

use beatbook_core::store::{Pair, StoreError};

use crate::disk::Disk;
use crate::error::OpenError;

pub use model::ModelEngine;
pub use sled_rows::SledEngine;

/// Makes and opens indexes.
pub trait Engine: Debug + Send + Sync {
    /// Opens the index in the folder `path`, which is made where it is missing.
    ///
    /// [`OpenError::Index`] and most failures of the system mean that the index is made anew from the journal.
    fn open(&self, disk: &Arc<dyn Disk>, path: &Path, cache_bytes: u64) -> Result<Box<dyn Rows>, OpenError>;
}

/// A range of rows.
pub type RowRange<'a> = (Bound<&'a [u8]>, Bound<&'a [u8]>);

/// Sees one row and its bytes, and says whether to go on.
pub type RowVisit<'a> = dyn FnMut(&[u8], &[u8]) -> Result<ControlFlow<()>, StoreError> + 'a;

/// The rows of an open index. Dropping it closes it, whatever has not been flushed.
pub trait Rows: Send + Sync {
    /// Returns the bytes of a row.
    fn get(&self, row: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;
    /// Visits the rows of a range in order. `visit` may read other rows.
    fn visit(&self, range: RowRange<'_>, visit: &mut RowVisit<'_>) -> Result<(), StoreError>;
    /// Returns the last row with `from <= row < to`.
    fn last(&self, from: &[u8], to: &[u8]) -> Result<Option<Pair>, StoreError>;
    /// Applies a batch as a whole. It need not be durable before [`Rows::flush`].
    fn apply(&self, batch: RowBatch) -> Result<(), StoreError>;
    /// Makes everything that was applied durable, the names of the files included.
    fn flush(&self) -> Result<(), StoreError>;
    /// True where a change or a flush failed in this folder, now or before it was opened: what is read may not be on
    /// the disk, and flushing would say that it is. Only a copy in another folder can be relied on.
    fn is_doubtful(&self) -> bool {
        false
    }
    /// True where the engine met a full disk and says so from then on, room or none, until it is opened again.
    fn is_stuck(&self) -> bool {
        false
    }
    /// Closes the index after a flush, and returns when its folder may be renamed.
    fn close(self: Box<Self>) -> Result<(), OpenError>;
}

/// Rows to be written and removed together; of two changes of one row the later wins.
#[derive(Debug, Default)]
pub struct RowBatch {
    rows: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

impl RowBatch {
    /// Writes a row.
    pub fn insert(&mut self, row: Vec<u8>, bytes: Vec<u8>) {
        self.rows.push((row, Some(bytes)));
    }

    /// Removes a row.
    pub fn remove(&mut self, row: Vec<u8>) {
        self.rows.push((row, None));
    }

    /// Number of changes.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// True where nothing changes.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

impl IntoIterator for RowBatch {
    type Item = (Vec<u8>, Option<Vec<u8>>);
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.rows.into_iter()
    }
}
