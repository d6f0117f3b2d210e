//! Feeds: the server's numbered changes per scope, in commit order, and reading them for a session.
//!
//! A reader that has seen a position never misses a change that commits later: positions are given inside the
//! transaction that commits the change. Access never filters inside a feed; it is decided by scope.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use beatbook_proto::limits::{FEED_BYTES_MAX, FEED_ITEMS_MAX};
use beatbook_proto::{
    Code, Dot, Entry, FeedItem, Hash, OfficerId, Part, RecordId, ReplicaId, Scope, Value, feed as wire, field,
};
use serde::{Deserialize, Serialize};

use super::{Accepted, LedgerError, PartRecord, book, book_part, decode, entry, head, load, save, save_head};
use crate::keys;
use crate::merge::Head;
use crate::store::{Read, StoreError, Table, Transaction};

/// One stored row of a feed, under the position after it: a step, or as many as consecutive entries make in a commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedRecord {
    /// What happened.
    pub step: FeedStep,
    /// The feed hash before it.
    pub before: Hash,
    /// The feed hash after it.
    pub hash: Hash,
    /// The server's sequence number of the commit.
    pub sequence: u64,
}

/// What happened in a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FeedStep {
    /// Consecutive entries of one book were accepted into the scope.
    Entries {
        /// The first of them.
        first: Dot,
        /// How many.
        count: u32,
    },
    /// A record left the scope.
    Left(RecordId),
}

impl FeedRecord {
    /// How many positions the row takes.
    pub fn steps(&self) -> u64 {
        match self.step {
            FeedStep::Entries { count, .. } => u64::from(count),
            FeedStep::Left(_) => 1,
        }
    }

    /// The feed hash after `steps` of the row.
    fn hash_after(&self, steps: u64) -> Hash {
        match self.step {
            _ if steps == 0 => self.before,
            _ if steps >= self.steps() => self.hash,
            FeedStep::Left(_) => self.hash,
            FeedStep::Entries { first, .. } => (0..steps).fold(self.before, |hash, step| {
                wire::hash_after_entry(
                    &hash,
                    Dot {
                        counter: first.counter.saturating_add(step),
                        ..first
                    },
                )
            }),
        }
    }
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
        pages: BTreeMap::new(),
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
        pages.append(tx, keys::feed(&Scope::Own, officer), Step::Entry(*dot))?;
    }
    for (old, new) in &accepted.renamed {
        let Some(mut renamed) = head(tx, *new)? else {
            continue;
        };
        for scope in core::mem::take(&mut renamed.scopes) {
            pages.append(tx, scope.key(), Step::Left(*old))?;
        }
        save_head(tx, &renamed)?;
    }
    for (record, dots) in super::accept::by_record(&accepted.folded) {
        let Some(mut head) = head(tx, record)? else {
            continue;
        };
        let scopes = scopes_of(&head);
        for left in head.scopes.iter().filter(|scope| !scopes.contains(scope)) {
            pages.append(tx, left.key(), Step::Left(record))?;
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
                pages.append(tx, scope.key(), Step::Entry(*dot))?;
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
    let Some((end, record)) = row_at(read, feed, position)? else {
        return Ok(None);
    };
    Ok(Some(
        record.hash_after((position + record.steps()).saturating_sub(end)),
    ))
}

/// The server's sequence number of the commit that gave out a position.
pub(crate) fn feed_sequence_at(read: &dyn Read, feed: &[u8], position: u64) -> Result<u64, StoreError> {
    Ok(row_at(read, feed, position)?.map_or(0, |(_, record)| record.sequence))
}

/// The row that a position falls into, with the position after it.
fn row_at(read: &dyn Read, feed: &[u8], position: u64) -> Result<Option<(u64, FeedRecord)>, StoreError> {
    let (from, to) = (keys::feed_item(feed, position), keys::feed_item(feed, u64::MAX));
    let Some((key, bytes)) = read.scan(Table::Feeds, &from, &to, 1)?.into_iter().next() else {
        return Ok(None);
    };
    Ok(Some((keys::feed_position(&key), decode(Table::Feeds, &bytes)?)))
}

/// Reads the next stretch of a feed; empty where the reader is at its end.
pub fn read_feed(read: &dyn Read, reader: &FeedReader<'_>) -> Result<FeedBatch, StoreError> {
    let feed = keys::feed(reader.scope, reader.officer);
    let from = keys::feed_item(&feed, reader.from.position + 1);
    let to = keys::feed_item(&feed, u64::MAX);
    let mut gathering = Gathering::new(read, reader);
    for (key, bytes) in read.scan(Table::Feeds, &from, &to, FEED_ROWS)? {
        let record: FeedRecord = decode(Table::Feeds, &bytes)?;
        let begins = keys::feed_position(&key).saturating_sub(record.steps());
        if !gathering.take(&record, gathering.batch.to.position.saturating_sub(begins))? {
            break;
        }
    }
    gathering.finish()
}

/// One step that a feed is to take.
#[derive(Clone, Copy)]
enum Step {
    Entry(Dot),
    Left(RecordId),
}

/// Appends to feeds within one commit, gathering consecutive entries into one row.
struct Pages {
    sequence: u64,
    pages: BTreeMap<Vec<u8>, Page>,
}

/// The end of one feed, and the row that is still growing there.
struct Page {
    end: FeedEnd,
    open: Option<FeedRecord>,
}

impl Pages {
    fn append(&mut self, tx: &mut Transaction<'_>, feed: Vec<u8>, step: Step) -> Result<(), LedgerError> {
        let page = match self.pages.get_mut(&feed) {
            Some(page) => page,
            None => {
                let end = feed_end(tx, &feed)?;
                self.pages.entry(feed.clone()).or_insert(Page { end, open: None })
            }
        };
        let before = page.end.hash;
        let hash = match step {
            Step::Entry(dot) => wire::hash_after_entry(&before, dot),
            Step::Left(record) => wire::hash_after_departure(&before, record),
        };
        page.end = FeedEnd {
            position: page.end.position + 1,
            hash,
        };
        if let (Some(open), Step::Entry(dot)) = (&mut page.open, step)
            && let FeedStep::Entries { first, count } = &mut open.step
            && first.replica == dot.replica
            && first.counter.checked_add(u64::from(*count)) == Some(dot.counter)
        {
            *count += 1;
            open.hash = hash;
            return Ok(());
        }
        let step = match step {
            Step::Entry(first) => FeedStep::Entries { first, count: 1 },
            Step::Left(record) => FeedStep::Left(record),
        };
        let position = page.end.position - 1;
        let next = FeedRecord {
            step,
            before,
            hash,
            sequence: self.sequence,
        };
        if let Some(full) = page.open.replace(next) {
            save(tx, Table::Feeds, keys::feed_item(&feed, position), &full)?;
        }
        Ok(())
    }

    fn finish(self, tx: &mut Transaction<'_>) -> Result<BTreeSet<Vec<u8>>, LedgerError> {
        let mut grown = BTreeSet::new();
        for (feed, page) in self.pages {
            if let Some(open) = page.open {
                save(tx, Table::Feeds, keys::feed_item(&feed, page.end.position), &open)?;
            }
            save(tx, Table::Cursors, feed.clone(), &page.end)?;
            grown.insert(feed);
        }
        Ok(grown)
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

    /// Takes what follows the first `skip` steps of a row; `false` if the batch is full before its end.
    fn take(&mut self, record: &FeedRecord, skip: u64) -> Result<bool, StoreError> {
        self.batch.sequence = self.batch.sequence.max(record.sequence);
        let (first, count) = match record.step {
            FeedStep::Entries { first, count } => (first, u64::from(count)),
            FeedStep::Left(left) => {
                if !self
                    .batch
                    .items
                    .iter()
                    .all(|item| matches!(item, FeedItem::Left(_)))
                {
                    return Ok(false);
                }
                self.batch.items.push(FeedItem::Left(left));
                self.batch.to = FeedEnd {
                    position: self.batch.to.position + 1,
                    hash: record.hash,
                };
                return Ok(true);
            }
        };
        let mut hash = record.hash_after(skip);
        for step in skip..count {
            let dot = Dot {
                counter: first.counter.saturating_add(step),
                ..first
            };
            if self.batch.items.len() >= FEED_ITEMS_MAX {
                return Ok(false);
            }
            if (self.reader.holds)(dot, record.sequence) {
                self.push_held(dot);
            } else if !self.push_entry(dot)? {
                return Ok(false);
            }
            hash = wire::hash_after_entry(&hash, dot);
            self.batch.to = FeedEnd {
                position: self.batch.to.position + 1,
                hash,
            };
        }
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

    /// True if the entry's record is of the scope to this day. What has left since is passed over: who was not there
    /// before has no right to it, and who comes back to it is sent it whole.
    fn is_in_scope(&mut self, dot: Dot, stored: &Entry) -> Result<bool, StoreError> {
        if !matches!(self.reader.scope, Scope::Beat { .. }) {
            return Ok(true);
        }
        let Some(revision) = super::as_folded(self.read, dot, stored)? else {
            return Ok(false);
        };
        let record = revision.record();
        if let Some(known) = self.in_scope.get(&record) {
            return Ok(*known);
        }
        let scopes = head(self.read, record)?
            .map(|head| head.scopes)
            .unwrap_or_default();
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
/// Rows of a feed looked at for one frame.
const FEED_ROWS: usize = 1_024;
