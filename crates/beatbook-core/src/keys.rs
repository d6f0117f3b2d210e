//! The keys of each table: how identifiers sort in a store.

use alloc::vec::Vec;

use beatbook_proto::{Dot, OfficerId, ReplicaId, Scope};

/// Key of an entry.
pub(crate) fn entry(dot: Dot) -> Vec<u8> {
    dot.key().to_vec()
}

/// Length of [`entry`].
pub(crate) const ENTRY_BYTES: usize = 24;

/// Key of a stretch of entries: its last entry, then the counter of its first.
pub(crate) fn stretch(last: Dot, first: u64) -> Vec<u8> {
    let mut key = entry(last);
    key.extend_from_slice(&first.to_be_bytes());
    key
}

/// The key right after a key.
pub(crate) fn next(mut key: Vec<u8>) -> Vec<u8> {
    key.push(0);
    key
}

/// Key of a book, and prefix of its entries, seals and receipts.
pub(crate) fn book(replica: ReplicaId) -> Vec<u8> {
    replica.as_bytes().to_vec()
}

/// Range of a replica's counters from `first` up to and with `last`, in tables under plain dots.
pub(crate) fn counters(replica: ReplicaId, first: u64, last: u64) -> (Vec<u8>, Vec<u8>) {
    let dot = |counter| Dot { replica, counter };
    let end = match last.checked_add(1) {
        Some(next) => entry(dot(next)),
        None => after(&book(replica)),
    };
    (entry(dot(first)), end)
}

/// Key of a sealed part: replica, last entry of its seal, first entry held of it.
pub(crate) fn part(replica: ReplicaId, last: u64, first_held: u64) -> Vec<u8> {
    let mut key = entry(Dot {
        replica,
        counter: last,
    });
    key.extend_from_slice(&first_held.to_be_bytes());
    key
}

/// The first key after all that begin with `prefix`.
pub(crate) fn after(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            return end;
        }
    }
    [u8::MAX; 64].to_vec()
}

/// Key of the dot that waits for a missing one.
pub(crate) fn waiting(missing: Dot, waits: Dot) -> Vec<u8> {
    let mut key = entry(missing);
    key.extend_from_slice(&waits.key());
    key
}

/// Name of a feed at the server; `Own` is one feed per officer.
pub(crate) fn feed(scope: &Scope, officer: OfficerId) -> Vec<u8> {
    let mut key = scope.key();
    if *scope == Scope::Own {
        key.extend_from_slice(officer.as_bytes());
    }
    key
}

/// Key of one item of a feed. The length comes first, so that no feed's name is the prefix of another's.
pub(crate) fn feed_item(feed: &[u8], position: u64) -> Vec<u8> {
    let mut key = Vec::with_capacity(feed.len() + 9);
    key.push(u8::try_from(feed.len()).unwrap_or(u8::MAX));
    key.extend_from_slice(feed);
    key.extend_from_slice(&position.to_be_bytes());
    key
}

/// The position in the key of a feed's item.
pub(crate) fn feed_position(key: &[u8]) -> u64 {
    let position = key.last_chunk::<8>().copied().unwrap_or_default();
    u64::from_be_bytes(position)
}
