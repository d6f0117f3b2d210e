//! Leases: how far the entry numbers of a book may be used, written down outside the store.
//!
//! A store that was copied or rolled back shows itself by a number above its lease. So a number is leased before the
//! entry that bears it is durable.

use beatbook_core::ledger::{self, Book};
use beatbook_core::store::{StoreError, Transaction};
use beatbook_store_sled::Store;

/// Makes sure that every number used by `tx` is leased, and some more. Called inside a commit, after its writes.
pub(crate) fn cover(store: &Store, tx: &Transaction<'_>) -> Result<(), LeaseError> {
    for book in ledger::own_books(tx)?.iter().filter(|book| !book.closed) {
        cover_book(store, book)?;
    }
    Ok(())
}

/// The same for one book, as the transaction leaves it.
///
/// Where the anchor cannot be written, writing goes on while the lease lasts.
pub(crate) fn cover_book(store: &Store, book: &Book) -> Result<(), LeaseError> {
    let replica = *book.replica().as_bytes();
    let leased = store.leased(replica).unwrap_or(0);
    if leased >= book.held.saturating_add(MARGIN) {
        return Ok(());
    }
    if let Err(error) = store.lease(replica, book.held.saturating_add(AHEAD)) {
        if leased < book.held {
            return Err(LeaseError::Spent(error));
        }
        let left = leased - book.held;
        tracing::warn!(%error, left, "the anchor cannot be written; the lease goes on for a while");
    }
    Ok(())
}

/// Why a number could not be used.
#[derive(Debug)]
pub(crate) enum LeaseError {
    /// The lease is used up, and the anchor takes no more.
    Spent(StoreError),
    /// The store could not be read.
    Store(StoreError),
}

impl From<StoreError> for LeaseError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// How many numbers are leased ahead.
const AHEAD: u64 = 256;
/// The lease is renewed while this many are left, so that there are some for when it cannot be.
const MARGIN: u64 = 128;
