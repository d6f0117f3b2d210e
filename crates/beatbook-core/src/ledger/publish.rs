//! Feeds: the server's numbered changes per scope, in commit order. Reading them for a session is in `gather`.
//!
//! A reader that has seen a position never misses a change that commits later: positions are given inside the
//! transaction that commits the change. Access never filters inside a feed; it is decided by scope.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use beatbook_proto::{
    Body, Dot, FieldId, Hash, List, OfficerId, RecordId, ReplicaId, Revision, Scope, Value, feed as wire,
    field,
};
use serde::{Deserialize, Serialize};

use super::{Accepted, LedgerError, book, decode, head, load, reissue, save, save_head};
use crate::keys;
use crate::merge::Head;
use crate::planted::{Bug, is_planted};
use crate::store::{Read, StoreError, Table, Transaction};

/// One stored row of a feed, under the position after it: what one commit did in the scope.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedRecord {
    /// What happened, in order.
    pub steps: Vec<FeedStep>,
    /// The feed hash before it.
    pub before: Hash,
    /// The feed hash after it.
    pub hash: Hash,
    /// The server's sequence number of the commit.
    pub sequence: u64,
    /// Random, this server's own: tells the commit from another that took the same place after the log went back.
    pub nonce: [u8; 8],
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

/// One position of a feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// An entry was accepted.
    Entry(Dot),
    /// A record left.
    Left(RecordId),
}

impl FeedRecord {
    /// How many positions the row takes.
    pub fn positions(&self) -> u64 {
        self.steps.iter().map(FeedStep::positions).sum()
    }

    /// The positions of the row, one by one.
    pub(super) fn each(&self) -> impl Iterator<Item = Step> + '_ {
        self.steps.iter().flat_map(|step| {
            let (first, count, left) = match step {
                FeedStep::Entries { first, count } => (*first, u64::from(*count), None),
                FeedStep::Left(record) => (*record, 1, Some(*record)),
            };
            (0..count).map(move |place| match left {
                Some(record) => Step::Left(record),
                None => Step::Entry(Dot {
                    counter: first.counter.saturating_add(place),
                    ..first
                }),
            })
        })
    }

    /// The feed hash after so many positions of the row.
    pub(super) fn hash_after(&self, positions: u64) -> Hash {
        if positions >= self.positions() {
            return self.hash;
        }
        let taken = usize::try_from(positions).unwrap_or(usize::MAX);
        self.each()
            .take(taken)
            .fold(self.before, |hash, step| step.hash_after(&hash))
    }
}

impl FeedStep {
    fn positions(&self) -> u64 {
        match self {
            Self::Entries { count, .. } => u64::from(*count),
            Self::Left(_) => 1,
        }
    }
}

impl Step {
    /// The feed hash after this position.
    pub(super) fn hash_after(self, before: &Hash) -> Hash {
        match self {
            Self::Entry(dot) => wire::hash_after_entry(before, dot),
            Self::Left(record) => wire::hash_after_departure(before, record),
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

/// The scopes of a record as its founding revision alone makes it: [`scopes_of`] reads two of its fields.
pub(crate) fn scopes_founded(founding: &Revision) -> Option<Vec<Scope>> {
    let decide = |field: &FieldId| *field == field::MARKING || *field == field::BEAT;
    let ops = founding.body.ops.iter().filter(|(field, _)| decide(field));
    let founding = Revision {
        dot: founding.dot,
        header: founding.header.clone(),
        body: Body {
            recorded_at: founding.body.recorded_at,
            reason: None,
            settles: List::default(),
            ops: List(ops.cloned().collect()),
        },
    };
    Head::found(&founding).map(|head| scopes_of(&head))
}

/// Publishes what was accepted: entries in the officer's own feed, revisions in the feeds of their record's scopes.
/// Returns the feeds that grew.
pub(crate) fn publish(
    tx: &mut Transaction<'_>,
    accepted: &Accepted,
    sequence: u64,
    nonce: [u8; 8],
) -> Result<BTreeSet<Vec<u8>>, LedgerError> {
    let mut pages = Pages {
        sequence,
        nonce,
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
    let any_line = !accepted.folded.is_empty() && reissue::any_line(tx)?;
    for (record, dots) in super::accept::by_record(&accepted.folded) {
        if let (Some(scopes), [_]) = (accepted.founded.get(&record), dots.as_slice()) {
            // Founded here and not touched since: what it says is where it belongs.
            for scope in scopes {
                pages.append(tx, scope.key(), Step::Entry(record))?;
            }
            continue;
        }
        publish_record(tx, &mut pages, record, &dots, any_line)?;
    }
    pages.finish(tx)
}

/// Publishes what is new of one record in every scope that it is in, and that it left those it is in no more.
fn publish_record(
    tx: &mut Transaction<'_>,
    pages: &mut Pages,
    record: RecordId,
    dots: &[Dot],
    any_line: bool,
) -> Result<(), LedgerError> {
    let Some(mut head) = head(tx, record)? else {
        return Ok(());
    };
    let scopes = scopes_of(&head);
    let kept = |scope: &Scope| scopes.contains(scope) || is_planted(Bug::ScopeLeakOnMove);
    for left in head.scopes.iter().filter(|scope| !kept(scope)) {
        pages.append(tx, left.key(), Step::Left(record))?;
    }
    for scope in &scopes {
        // A record that comes into a scope is published there whole.
        let whole: Vec<Dot>;
        let news = if head.scopes.contains(scope) {
            dots
        } else {
            whole = head.revisions.iter().map(|(_, dot)| *dot).collect();
            &whole
        };
        for dot in news {
            pages.append(tx, scope.key(), Step::Entry(*dot))?;
            if any_line {
                for other in reissue::beside(tx, *dot)? {
                    pages.append(tx, scope.key(), Step::Entry(other))?;
                }
            }
        }
    }
    if head.scopes != scopes {
        head.scopes = scopes;
        save_head(tx, &head)?;
    }
    Ok(())
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
        record.hash_after((position + record.positions()).saturating_sub(end)),
    ))
}

/// The nonce of the commit that gave out a position; nothing at the start of a feed and beyond its end.
pub(crate) fn feed_nonce_at(read: &dyn Read, feed: &[u8], position: u64) -> Result<[u8; 8], StoreError> {
    if position == 0 {
        return Ok([0; 8]);
    }
    Ok(row_at(read, feed, position)?.map_or([0; 8], |(_, record)| record.nonce))
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

/// Appends to feeds within one commit, one row a feed.
struct Pages {
    sequence: u64,
    nonce: [u8; 8],
    pages: BTreeMap<Vec<u8>, Page>,
}

/// The end of one feed, and the row that grows there.
struct Page {
    end: FeedEnd,
    before: Hash,
    steps: Vec<FeedStep>,
}

impl Pages {
    fn append(&mut self, tx: &mut Transaction<'_>, feed: Vec<u8>, step: Step) -> Result<(), LedgerError> {
        let page = match self.pages.get_mut(&feed) {
            Some(page) => page,
            None => {
                let end = feed_end(tx, &feed)?;
                self.pages.entry(feed).or_insert(Page {
                    end,
                    before: end.hash,
                    steps: Vec::new(),
                })
            }
        };
        if is_planted(Bug::FeedSkipsLateCommit) && !page.steps.is_empty() && page.end.position % 8 == 7 {
            return Ok(());
        }
        page.end = FeedEnd {
            position: page.end.position + 1,
            hash: step.hash_after(&page.end.hash),
        };
        match (page.steps.last_mut(), step) {
            (Some(FeedStep::Entries { first, count }), Step::Entry(dot))
                if first.replica == dot.replica
                    && first.counter.checked_add(u64::from(*count)) == Some(dot.counter) =>
            {
                *count += 1;
            }
            (_, Step::Entry(first)) => page.steps.push(FeedStep::Entries { first, count: 1 }),
            (_, Step::Left(record)) => page.steps.push(FeedStep::Left(record)),
        }
        Ok(())
    }

    fn finish(self, tx: &mut Transaction<'_>) -> Result<BTreeSet<Vec<u8>>, LedgerError> {
        let mut grown = BTreeSet::new();
        for (feed, page) in self.pages {
            let row = FeedRecord {
                steps: page.steps,
                before: page.before,
                hash: page.end.hash,
                sequence: self.sequence,
                nonce: self.nonce,
            };
            save(tx, Table::Feeds, keys::feed_item(&feed, page.end.position), &row)?;
            save(tx, Table::Cursors, feed.clone(), &page.end)?;
            grown.insert(feed);
        }
        Ok(grown)
    }
}
