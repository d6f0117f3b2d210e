//! Reading feeds for a session: steps gathered into items, entries into parts that prove them.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use beatbook_proto::limits::{FEED_BYTES_MAX, FEED_ITEMS_MAX};
use beatbook_proto::{Code, Dot, Entry, FeedItem, OfficerId, Part, RecordId, ReplicaId, Revision, Scope};

use super::publish::{Step, scopes_founded};
use super::stretch::each_held;
use super::{FeedEnd, FeedRecord, PartRecord, StoredEntry, book, book_part, decode, entry, head, head_with};
use crate::keys;
use crate::merge::Head;
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
    /// The scopes that the reader is granted: a run of which every record is in scopes among them is sent whole.
    pub granted: &'a BTreeSet<Scope>,
    /// What the reader was sent in whole runs, and holds still.
    pub sent: &'a Stretches,
}

/// Stretches of books.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stretches(BTreeMap<(ReplicaId, u64), u64>);

impl Stretches {
    /// Adds the entries from `first` up to and with `last`.
    pub fn add(&mut self, replica: ReplicaId, first: u64, last: u64) {
        let before = first
            .checked_sub(1)
            .and_then(|end| self.0.remove(&(replica, end)));
        self.0.insert((replica, last), before.unwrap_or(first));
    }

    /// True if the entry is in one of them.
    pub fn cover(&self, dot: Dot) -> bool {
        let at_or_after = self.0.range((dot.replica, dot.counter)..).next();
        at_or_after.is_some_and(|((replica, _), first)| *replica == dot.replica && *first <= dot.counter)
    }
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
    /// Runs that went whole: their book, first and last entry.
    pub whole: Vec<(ReplicaId, u64, u64)>,
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
    groups: Vec<Group>,
    /// One that was looked up and not needed: its neighbour may need it.
    spare: Option<Group>,
    bytes: usize,
    /// Records looked up, and whether they are of the scope.
    in_scope: BTreeMap<RecordId, bool>,
}

/// What goes into one part: entries of one held record of one seal.
struct Group {
    record: PartRecord,
    /// The entries that go.
    held: BTreeMap<u64, StoredEntry>,
    /// All of them go.
    whole: bool,
    /// Of a run that founded records and did nothing else: those that something came of since, with their scopes.
    changed: Option<BTreeMap<u64, Vec<Scope>>>,
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
            spare: None,
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
                Step::Entry(dot) if self.is_held(dot, record.sequence) => {
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

    /// True if the reader holds the entry. After a departure it may have purged what it had been sent.
    fn is_held(&self, dot: Dot, sequence: u64) -> bool {
        let departures = matches!(self.batch.items.first(), Some(FeedItem::Left(_)));
        (self.reader.holds)(dot, sequence) || (!departures && self.reader.sent.cover(dot))
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
        if !self.of_beat() {
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
        let known = self.groups.iter().position(|group| covers(&group.record, dot));
        let mut fresh = match known {
            Some(_) => None,
            None => Some(self.group(dot)?),
        };
        let group = fresh.as_ref().or(known.and_then(|known| self.groups.get(known)));
        let Some(group) = group else { return Ok(false) };
        let stored = match group.held.contains_key(&dot.counter) {
            true => None,
            false => Some(entry(self.read, dot)?.ok_or(damaged("a published entry is not held"))?),
        };
        let in_scope = match (&group.changed, &stored) {
            (Some(changed), _) => changed
                .get(&dot.counter)
                .is_none_or(|scopes| !self.of_beat() || scopes.contains(self.reader.scope)),
            (None, Some(stored)) => self.is_in_scope(dot, &stored.entry)?,
            (None, None) => true,
        };
        if !in_scope {
            self.spare = fresh.take();
            self.push_held(dot);
            return Ok(true);
        }
        let size = match (&stored, &fresh) {
            (Some(stored), fresh) => stored.entry.byte_len() + self.proof_bytes(known, fresh.as_ref(), dot),
            (None, Some(whole)) => {
                let entries = whole.held.values();
                SEAL_BYTES
                    + entries
                        .map(|stored| stored.entry.byte_len() + COUNTER_BYTES)
                        .sum::<usize>()
            }
            (None, None) => 0,
        };
        let part = known.unwrap_or(self.groups.len());
        let full = self.bytes > 0 && self.bytes + size > FEED_BYTES_MAX;
        let Some(part) = u16::try_from(part).ok().filter(|_| !full) else {
            return Ok(false);
        };
        self.groups.extend(fresh);
        if let Some(group) = self.groups.get_mut(usize::from(part))
            && let Some(stored) = stored
        {
            group.held.insert(dot.counter, stored);
        }
        self.bytes += size;
        self.push_sent(part, dot);
        Ok(true)
    }

    /// The group that an entry goes into, where it is the first of it.
    fn group(&mut self, dot: Dot) -> Result<Group, StoreError> {
        if let Some(spare) = self.spare.take().filter(|spare| covers(&spare.record, dot)) {
            return Ok(spare);
        }
        let record = super::seal::holding_part(self.read, dot.replica, dot.counter)?;
        let record = record.ok_or(damaged("a published entry has no seal"))?;
        let claim = &record.seal.claim;
        let (replica, span, count) = (claim.replica, (claim.first, claim.last), claim.entries());
        let changed = match &record.founded {
            Some(_) => Some(changed_since(self.read, replica, span)?),
            None => None,
        };
        let mut held = BTreeMap::new();
        if self.goes_whole(&record, changed.as_ref())? {
            each_held(self.read, replica, span, &mut |counter, stored| {
                held.insert(counter, stored.clone());
                Ok(true)
            })?;
        }
        let whole = held.len() as u64 == count;
        if !whole {
            held.clear();
        }
        Ok(Group {
            record,
            held,
            whole,
            changed,
        })
    }

    /// True if the reader may hold every entry of a run (R-FEED-5): it is the officer's own, or each record of it is in
    /// the very scopes that its founding entry names, and all of these are granted. A record that moved goes by the feed of
    /// where it is: by its founding entry alone a reader would take it for one of where it was.
    fn goes_whole(
        &self,
        record: &PartRecord,
        changed: Option<&BTreeMap<u64, Vec<Scope>>>,
    ) -> Result<bool, StoreError> {
        if record.secret.is_none() {
            return Ok(false);
        }
        if *self.reader.scope == Scope::Own {
            return Ok(true);
        }
        let (Some(founded), Some(changed)) = (&record.founded, changed) else {
            return Ok(false);
        };
        let granted = |scope: &Scope| self.reader.granted.contains(scope);
        if !founded.all_in_scopes || !founded.scopes.iter().all(granted) {
            return Ok(false);
        }
        for (counter, scopes) in changed {
            let dot = Dot {
                replica: record.seal.claim.replica,
                counter: *counter,
            };
            let founding = entry(self.read, dot)?.and_then(|stored| Revision::read(dot, &stored.entry).ok());
            if founding.and_then(|founding| scopes_founded(&founding)).as_ref() != Some(scopes) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn of_beat(&self) -> bool {
        matches!(self.reader.scope, Scope::Beat { .. })
    }

    fn push_sent(&mut self, part: u16, dot: Dot) {
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
            return;
        }
        self.batch.items.push(FeedItem::Entries {
            part,
            first: dot.counter,
            count: 1,
        });
    }

    /// What an entry costs beside its bytes: counter, salt and lengths; the seal where it is the first of one; the path to
    /// the root where its neighbour does not have it already.
    fn proof_bytes(&self, known: Option<usize>, fresh: Option<&Group>, dot: Dot) -> usize {
        let known = known.and_then(|known| self.groups.get(known));
        let follows = known.is_some_and(|group| group.held.contains_key(&(dot.counter - 1)));
        let depth = fresh.or(known).map_or(0, |group| {
            group.record.seal.claim.entries().checked_ilog2().unwrap_or(0) + 1
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
        let claims = groups.iter().map(|group| &group.record.seal.claim);
        let replicas: BTreeSet<ReplicaId> = claims.map(|claim| claim.replica).collect();
        for group in groups {
            let claim = &group.record.seal.claim;
            if group.whole {
                self.batch.whole.push((claim.replica, claim.first, claim.last));
            }
            let part = super::seal::proved(self.read, &group.record, group.held.into_iter().collect())?;
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

/// The records founded by a stretch of entries that something came of since, with the scopes that they are in by now.
fn changed_since(
    read: &dyn Read,
    replica: ReplicaId,
    (first, last): (u64, u64),
) -> Result<BTreeMap<u64, Vec<Scope>>, StoreError> {
    let (from, to) = keys::counters(replica, first, last);
    let mut changed = BTreeMap::new();
    for (key, bytes) in read.scan(Table::Heads, &from, &to, usize::MAX)? {
        let head: Head = decode(Table::Heads, &bytes)?;
        let dot = Dot::from_key(&key).ok_or(damaged("a record's key does not read"))?;
        changed.insert(dot.counter, head.scopes);
    }
    for (key, _) in read.scan(Table::Aliases, &from, &to, usize::MAX)? {
        // It goes by another name: under its own it is in no scope any more.
        if let Some(dot) = Dot::from_key(&key) {
            changed.insert(dot.counter, Vec::new());
        }
    }
    Ok(changed)
}

fn damaged(what: &'static str) -> StoreError {
    StoreError::Corrupt {
        table: Table::Feeds as u8,
        what,
    }
}

fn covers(record: &PartRecord, dot: Dot) -> bool {
    record.seal.claim.replica == dot.replica && record.holds(dot.counter)
}

/// Counter and lengths of an entry of a whole run, in bytes.
const COUNTER_BYTES: usize = 16;
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
