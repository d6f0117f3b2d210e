//! Feeds: the server's numbered changes per scope, in commit order, and reading them for a session.
//!
//! A reader that has seen a position never misses a change that commits later: positions are given inside the
//! transaction that commits the change. Access never filters inside a feed; it is decided by scope.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use beatbook_proto::limits::{FEED_BYTES_MAX, FEED_ITEMS_MAX};
use beatbook_proto::{
    Code, Dot, FeedItem, Hash, OfficerId, Part, RecordId, ReplicaId, Scope, Value, feed as wire, field,
};
use serde::{Deserialize, Serialize};

use super::{Accepted, LedgerError, PartRecord, book, book_part, decode, entry, head, load, save, save_head};
use crate::keys;
use crate::merge::Head;
use crate::store::{Read, StoreError, Table, Transaction};

/// One stored step of a feed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedRecord {
    /// What happened.
    pub step: FeedStep,
    /// The feed hash after it.
    pub hash: Hash,
    /// The server's sequence number of the commit.
    pub sequence: u64,
}

/// What happened in a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FeedStep {
    /// An entry was accepted into the scope.
    Entry(Dot),
    /// A record left the scope.
    Left(RecordId),
}

/// Where a feed ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedEnd {
    /// Number of steps.
    pub position: u64,
    /// The feed hash there.
    pub hash: Hash,
}

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

/// The scopes that a record belongs to by its merged state: every beat that it may be of, in the stricter class.
pub fn scopes_of(head: &Head) -> Vec<Scope> {
    let codes = |id| {
        head.field(id)
            .into_iter()
            .flat_map(|field| field.register())
            .filter_map(|(_, value)| match value {
                Value::Code(code) => Some(code.clone()),
                _ => None,
            })
    };
    let sensitive = codes(field::MARKING).any(|marking| marking.as_str() == field::OFFICIAL_SENSITIVE);
    let class = u8::from(sensitive);
    let mut scopes: Vec<Scope> = codes(field::BEAT)
        .map(|beat| Scope::Beat { beat, class })
        .collect();
    scopes.sort();
    scopes.dedup();
    scopes
}

/// Publishes what was accepted: entries in the officer's own feed, revisions in the feeds of their record's scopes.
/// Returns the feeds that grew.
pub(crate) fn publish(
    tx: &mut Transaction<'_>,
    accepted: &Accepted,
    sequence: u64,
) -> Result<BTreeSet<Vec<u8>>, LedgerError> {
    let mut pages = Pages {
        sequence,
        ends: BTreeMap::new(),
    };
    let mut officers: BTreeMap<ReplicaId, OfficerId> = BTreeMap::new();
    for dot in &accepted.stored {
        let officer = match officers.get(&dot.replica) {
            Some(officer) => *officer,
            None => {
                let Some(book) = book(tx, dot.replica)? else {
                    continue;
                };
                officers.insert(dot.replica, book.opening.officer);
                book.opening.officer
            }
        };
        pages.append(tx, keys::feed(&Scope::Own, officer), FeedStep::Entry(*dot))?;
    }
    for (old, new) in &accepted.renamed {
        let Some(mut renamed) = head(tx, *new)? else {
            continue;
        };
        for scope in core::mem::take(&mut renamed.scopes) {
            pages.append(tx, scope.key(), FeedStep::Left(*old))?;
        }
        save_head(tx, &renamed)?;
    }
    for (record, dots) in super::accept::by_record(&accepted.folded) {
        let Some(mut head) = head(tx, record)? else {
            continue;
        };
        let scopes = scopes_of(&head);
        for left in head.scopes.iter().filter(|scope| !scopes.contains(scope)) {
            pages.append(tx, left.key(), FeedStep::Left(record))?;
        }
        for scope in &scopes {
            // A record that comes into a scope is published there whole.
            let whole: Vec<Dot>;
            let news = if head.scopes.contains(scope) {
                &dots
            } else {
                whole = head.revisions.iter().map(|(_, dot)| *dot).collect();
                &whole
            };
            for dot in news {
                pages.append(tx, scope.key(), FeedStep::Entry(*dot))?;
            }
        }
        if head.scopes != scopes {
            head.scopes = scopes;
            save_head(tx, &head)?;
        }
    }
    pages.finish(tx)
}

/// Where a feed ends.
pub(crate) fn feed_end(read: &dyn Read, feed: &[u8]) -> Result<FeedEnd, StoreError> {
    Ok(load(read, Table::Cursors, feed)?.unwrap_or_default())
}

/// The feed hash at a position, if the feed reaches that far.
pub(crate) fn feed_hash_at(read: &dyn Read, feed: &[u8], position: u64) -> Result<Option<Hash>, StoreError> {
    if position == 0 {
        return Ok(Some(Hash::default()));
    }
    let record: Option<FeedRecord> = load(read, Table::Feeds, &keys::feed_item(feed, position))?;
    Ok(record.map(|record| record.hash))
}

/// Reads the next stretch of a feed; empty where the reader is at its end.
pub fn read_feed(read: &dyn Read, reader: &FeedReader<'_>) -> Result<FeedBatch, StoreError> {
    let feed = keys::feed(reader.scope, reader.officer);
    let from = keys::feed_item(&feed, reader.from.position + 1);
    let to = keys::feed_item(&feed, u64::MAX);
    let mut gathering = Gathering::new(read, reader);
    for (_, bytes) in read.scan(Table::Feeds, &from, &to, FEED_ITEMS_MAX)? {
        let record: FeedRecord = decode(Table::Feeds, &bytes)?;
        if !gathering.take(&record)? {
            break;
        }
    }
    gathering.finish()
}

/// Appends to feeds within one commit, keeping their ends at hand.
struct Pages {
    sequence: u64,
    ends: BTreeMap<Vec<u8>, FeedEnd>,
}

impl Pages {
    fn append(&mut self, tx: &mut Transaction<'_>, feed: Vec<u8>, step: FeedStep) -> Result<(), LedgerError> {
        let before = match self.ends.get(&feed) {
            Some(end) => *end,
            None => feed_end(tx, &feed)?,
        };
        let hash = match step {
            FeedStep::Entry(dot) => wire::hash_after_entry(&before.hash, dot),
            FeedStep::Left(record) => wire::hash_after_departure(&before.hash, record),
        };
        let end = FeedEnd {
            position: before.position + 1,
            hash,
        };
        let record = FeedRecord {
            step,
            hash,
            sequence: self.sequence,
        };
        save(tx, Table::Feeds, keys::feed_item(&feed, end.position), &record)?;
        self.ends.insert(feed, end);
        Ok(())
    }

    fn finish(self, tx: &mut Transaction<'_>) -> Result<BTreeSet<Vec<u8>>, LedgerError> {
        for (feed, end) in &self.ends {
            save(tx, Table::Cursors, feed.clone(), end)?;
        }
        Ok(self.ends.into_keys().collect())
    }
}

/// Gathers a stretch of a feed into items and parts.
struct Gathering<'a> {
    read: &'a dyn Read,
    reader: &'a FeedReader<'a>,
    batch: FeedBatch,
    /// Which entries go into which part: parts are of one held record of one seal each.
    groups: Vec<(PartRecord, BTreeSet<u64>)>,
    bytes: usize,
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
        }
    }

    /// Takes one step; `false` if the batch is full before it.
    fn take(&mut self, record: &FeedRecord) -> Result<bool, StoreError> {
        match record.step {
            FeedStep::Left(left) => {
                let departures_only = self
                    .batch
                    .items
                    .iter()
                    .all(|item| matches!(item, FeedItem::Left(_)));
                if !departures_only {
                    return Ok(false);
                }
                self.batch.items.push(FeedItem::Left(left));
            }
            FeedStep::Entry(dot) if (self.reader.holds)(dot, record.sequence) => self.push_held(dot),
            FeedStep::Entry(dot) => {
                if !self.push_entry(dot)? {
                    return Ok(false);
                }
            }
        }
        self.batch.to = FeedEnd {
            position: self.batch.to.position + 1,
            hash: record.hash,
        };
        self.batch.sequence = record.sequence;
        Ok(true)
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

    fn push_entry(&mut self, dot: Dot) -> Result<bool, StoreError> {
        let damaged = |what| StoreError::Corrupt {
            table: Table::Feeds as u8,
            what,
        };
        let stored = entry(self.read, dot)?.ok_or(damaged("a published entry is not held"))?;
        let size = stored.entry.byte_len() + ENTRY_OVERHEAD_BYTES;
        if self.bytes > 0 && self.bytes + size > FEED_BYTES_MAX {
            return Ok(false);
        }
        let group = match self.groups.iter().position(|(record, _)| covers(record, dot)) {
            Some(group) => group,
            None => {
                let record = super::seal::holding_part(self.read, dot.replica, dot.counter)?;
                self.groups.push((
                    record.ok_or(damaged("a published entry has no seal"))?,
                    BTreeSet::new(),
                ));
                self.groups.len() - 1
            }
        };
        let Ok(part) = u16::try_from(group) else {
            return Ok(false);
        };
        if let Some((_, counters)) = self.groups.get_mut(group) {
            counters.insert(dot.counter);
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

    fn finish(mut self) -> Result<FeedBatch, StoreError> {
        let damaged = StoreError::Corrupt {
            table: Table::Seals as u8,
            what: "a sealed part does not prove its entries",
        };
        for (record, counters) in &self.groups {
            let counters: Vec<u64> = counters.iter().copied().collect();
            let part = super::seal::part_of(self.read, record, &counters)?.ok_or(damaged.clone())?;
            self.batch.parts.push(part);
        }
        let replicas: BTreeSet<ReplicaId> = self
            .groups
            .iter()
            .map(|(record, _)| record.seal.claim.replica)
            .collect();
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

/// What an entry costs beside its bytes: counter, lengths and its share of the proof.
const ENTRY_OVERHEAD_BYTES: usize = 48;
