//! Reading feeds for a session: steps gathered into items, entries into parts that prove them.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use beatbook_proto::limits::{FEED_BYTES_MAX, FEED_ITEMS_MAX};
use beatbook_proto::{Code, Dot, Entry, FeedItem, OfficerId, Part, RecordId, ReplicaId, Scope};

use super::publish::Step;
use super::{FeedEnd, FeedRecord, PartRecord, StoredEntry, book, book_part, decode, entry, head, head_with};
use crate::keys;
use crate::store::{Read, StoreError, Table};

/// Who reads a feed, from where, and what it holds already.
pub struct FeedReader<'a> {
    /// The officer, for the feed `own`.
    pub officer: OfficerId,
    /// The scope.
    pub scope: &'a Scope,
    /// The place to go on from.
    pub from: FeedEnd,
    /// True for entries that the reader holds.
    pub holds: &'a dyn Fn(Dot, u64) -> bool,
    /// Books whose openings the reader has been sent.
    pub introduced: &'a BTreeSet<ReplicaId>,
}

/// A stretch of a feed, ready to be framed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FeedBatch {
    /// The steps; departures come first (R-FEED-3).
    pub items: Vec<FeedItem>,
    /// The entries that they speak of.
    pub parts: Vec<Part>,
    /// Openings of books not introduced before.
    pub openings: Vec<Part>,
    /// Labels of the books concerned.
    pub labels: Vec<(ReplicaId, Code)>,
    /// The place after the last step.
    pub to: FeedEnd,
    /// The server's sequence number of the last step.
    pub sequence: u64,
}

/// Reads the next stretch of a feed; empty where the reader is at its end.
pub fn read_feed(read: &dyn Read, reader: &FeedReader<'_>) -> Result<FeedBatch, StoreError> {
    let feed = keys::feed(reader.scope, reader.officer);
    let from = keys::feed_item(&feed, reader.from.position + 1);
    let to = keys::feed_item(&feed, u64::MAX);
    let mut gathering = Gathering::new(read, reader);
    for (key, bytes) in read.scan(Table::Feeds, &from, &to, FEED_ROWS)? {
        let record: FeedRecord = decode(Table::Feeds, &bytes)?;
        let begins = keys::feed_position(&key).saturating_sub(record.positions());
        if !gathering.take(&record, gathering.batch.to.position.saturating_sub(begins))? {
            break;
        }
    }
    gathering.finish()
}

/// Gathers a stretch of a feed into items and parts.
struct Gathering<'a> {
    read: &'a dyn Read,
    reader: &'a FeedReader<'a>,
    batch: FeedBatch,
    /// Which entries go into which part: parts are of one held record of one seal each.
    groups: Vec<(PartRecord, BTreeMap<u64, StoredEntry>)>,
    bytes: usize,
    /// Records looked up, and whether they are of the scope.
    in_scope: BTreeMap<RecordId, bool>,
}

impl<'a> Gathering<'a> {
    fn new(read: &'a dyn Read, reader: &'a FeedReader<'a>) -> Self {
        let batch = FeedBatch {
            to: reader.from,
            ..FeedBatch::default()
        };
        Self {
            read,
            reader,
            batch,
            groups: Vec::new(),
            bytes: 0,
            in_scope: BTreeMap::new(),
        }
    }

    /// Takes what follows the first `skip` positions of a row; `false` if the batch is full before its end.
    fn take(&mut self, record: &FeedRecord, skip: u64) -> Result<bool, StoreError> {
        let mut hash = record.hash_after(skip);
        let taken = usize::try_from(skip).unwrap_or(usize::MAX);
        for step in record.each().skip(taken) {
            let steps = self.batch.to.position - self.reader.from.position;
            if self.batch.items.len() >= FEED_ITEMS_MAX || steps >= FEED_STEPS_MAX {
                return Ok(false);
            }
            let fits = match step {
                Step::Left(left) => self.push_departure(left),
                Step::Entry(dot) if (self.reader.holds)(dot, record.sequence) => {
                    self.push_held(dot);
                    true
                }
                Step::Entry(dot) => self.push_entry(dot)?,
            };
            if !fits {
                return Ok(false);
            }
            self.batch.sequence = record.sequence;
            hash = step.hash_after(&hash);
            self.batch.to = FeedEnd {
                position: self.batch.to.position + 1,
                hash,
            };
        }
        Ok(true)
    }

    /// Departures come first in a frame (R-FEED-3).
    fn push_departure(&mut self, left: RecordId) -> bool {
        let first = self
            .batch
            .items
            .iter()
            .all(|item| matches!(item, FeedItem::Left(_)));
        if first {
            self.batch.items.push(FeedItem::Left(left));
        }
        first
    }

    fn push_held(&mut self, dot: Dot) {
        if let Some(FeedItem::Held { first, count }) = self.batch.items.last_mut()
            && first.replica == dot.replica
            && first.counter + u64::from(*count) == dot.counter
            && *count < u32::MAX
        {
            *count += 1;
            return;
        }
        self.batch.items.push(FeedItem::Held { first: dot, count: 1 });
    }

    /// True if the entry's record is of the scope to this day. What has left since is passed over: who was not there
    /// before has no right to it, and who comes back to it is sent it whole.
    fn is_in_scope(&mut self, dot: Dot, stored: &Entry) -> Result<bool, StoreError> {
        if !matches!(self.reader.scope, Scope::Beat { .. }) {
            return Ok(true);
        }
        let founds = stored.header().is_ok_and(|header| {
            header.record.is_none() && header.kind != beatbook_proto::RevisionKind::REISSUE
        });
        let record = if founds {
            dot
        } else {
            match super::as_folded(self.read, dot, stored)? {
                Some(revision) => revision.record(),
                None => return Ok(false),
            }
        };
        if let Some(known) = self.in_scope.get(&record) {
            return Ok(*known);
        }
        let standing = match founds {
            true => head_with(self.read, dot, stored)?,
            false => head(self.read, record)?,
        };
        let scopes = standing.map(|head| head.scopes).unwrap_or_default();
        let found = scopes.contains(self.reader.scope);
        self.in_scope.insert(record, found);
        Ok(found)
    }

    fn push_entry(&mut self, dot: Dot) -> Result<bool, StoreError> {
        let damaged = |what| StoreError::Corrupt {
            table: Table::Feeds as u8,
            what,
        };
        let stored = entry(self.read, dot)?.ok_or(damaged("a published entry is not held"))?;
        if !self.is_in_scope(dot, &stored.entry)? {
            self.push_held(dot);
            return Ok(true);
        }
        let known = self.groups.iter().position(|(record, _)| covers(record, dot));
        let fresh = match known {
            Some(_) => None,
            None => {
                let record = super::seal::holding_part(self.read, dot.replica, dot.counter)?;
                Some(record.ok_or(damaged("a published entry has no seal"))?)
            }
        };
        let size = stored.entry.byte_len() + self.proof_bytes(known, fresh.as_ref(), dot);
        let part = known.unwrap_or(self.groups.len());
        let full = self.bytes > 0 && self.bytes + size > FEED_BYTES_MAX;
        let Some(part) = u16::try_from(part).ok().filter(|_| !full) else {
            return Ok(false);
        };
        self.groups.extend(fresh.map(|record| (record, BTreeMap::new())));
        if let Some((_, held)) = self.groups.get_mut(usize::from(part)) {
            held.insert(dot.counter, stored);
        }
        self.bytes += size;
        if let Some(FeedItem::Entries {
            part: last,
            first,
            count,
        }) = self.batch.items.last_mut()
            && *last == part
            && *first + u64::from(*count) == dot.counter
            && *count < u32::MAX
        {
            *count += 1;
            return Ok(true);
        }
        self.batch.items.push(FeedItem::Entries {
            part,
            first: dot.counter,
            count: 1,
        });
        Ok(true)
    }

    /// What an entry costs beside its bytes: counter, salt and lengths; the seal where it is the first of one; the path to
    /// the root where its neighbour does not have it already.
    fn proof_bytes(&self, known: Option<usize>, fresh: Option<&PartRecord>, dot: Dot) -> usize {
        let group = known.and_then(|known| self.groups.get(known));
        let follows = group.is_some_and(|(_, counters)| counters.contains_key(&(dot.counter - 1)));
        let record = fresh.or(group.map(|(record, _)| record));
        let depth = record.map_or(0, |record| {
            record.seal.claim.entries().checked_ilog2().unwrap_or(0) + 1
        });
        let path = if follows { 0 } else { HASH_BYTES * depth as usize };
        ENTRY_OVERHEAD_BYTES + path + fresh.map_or(0, |_| SEAL_BYTES)
    }

    fn finish(mut self) -> Result<FeedBatch, StoreError> {
        let damaged = StoreError::Corrupt {
            table: Table::Seals as u8,
            what: "a sealed part does not prove its entries",
        };
        let groups = core::mem::take(&mut self.groups);
        let replicas: BTreeSet<ReplicaId> = groups
            .iter()
            .map(|(record, _)| record.seal.claim.replica)
            .collect();
        for (record, held) in groups {
            let part = super::seal::proved(&record, held.into_iter().collect());
            self.batch.parts.push(part.ok_or(damaged.clone())?);
        }
        for replica in replicas {
            let Some(book) = book(self.read, replica)? else {
                continue;
            };
            if let Some(label) = book.label {
                self.batch.labels.push((replica, label));
            }
            if !self.reader.introduced.contains(&replica) {
                self.batch.openings.extend(book_part(self.read, replica, &[1])?);
            }
        }
        Ok(self.batch)
    }
}

fn covers(record: &PartRecord, dot: Dot) -> bool {
    record.seal.claim.replica == dot.replica && record.holds(dot.counter)
}

/// Counter, salt and lengths of an entry, in bytes.
const ENTRY_OVERHEAD_BYTES: usize = 48;
/// Rows of a feed looked at for one frame.
const FEED_ROWS: usize = 1_024;
/// A hash on the path to the root, in bytes.
const HASH_BYTES: usize = 32;
/// A seal and the lengths of its part, in bytes.
const SEAL_BYTES: usize = 256;
/// Most steps of a feed in one frame: bounds what a reader hashes for it.
pub(crate) const FEED_STEPS_MAX: u64 = 1 << 16;
