//! A feed tells each entry of its scope once, and all of them: read as rows, beside the core's own reading.

use std::collections::{BTreeMap, BTreeSet};

use beatbook_core::ledger::{self, FeedRecord, FeedStep};
use beatbook_core::store::{Read, StoreError, Table};
use beatbook_proto::{Dot, Hash, OfficerId, Scope, codec, feed as wire};

use super::invariants::{CONVERGES, REPLAYS};
use super::{Check, Trace, broken, unreadable};
use crate::model::Rev;
use crate::observe::{Violation, WorldView};

/// Walks every feed once all is quiet.
#[derive(Debug, Default)]
pub(super) struct Feeds;

impl Check for Feeds {
    fn quiet(&mut self, trace: &mut Trace, world: &dyn WorldView) -> Result<(), Violation> {
        world.at_server(|read| all(read, trace)).unwrap_or(Ok(()))
    }
}

/// One position of a feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Entry(Dot),
    Left(Dot),
}

impl Step {
    /// The feed hash after this position.
    pub(super) fn after(self, before: &Hash) -> Hash {
        match self {
            Self::Entry(dot) => wire::hash_after_entry(before, dot),
            Self::Left(record) => wire::hash_after_departure(before, record),
        }
    }
}

/// Every position of a feed, first to last.
pub(super) fn steps(read: &dyn Read, scope: &Scope, officer: OfficerId) -> Result<Vec<Step>, StoreError> {
    let mut name = scope.key();
    if *scope == Scope::Own {
        name.extend_from_slice(officer.as_bytes());
    }
    rows(read, &name)
}

fn rows(read: &dyn Read, name: &[u8]) -> Result<Vec<Step>, StoreError> {
    let place = |position: u64| [&[name.len() as u8], name, &position.to_be_bytes()].concat();
    let mut steps = Vec::new();
    for (_, bytes) in read.scan(Table::Feeds, &place(0), &place(u64::MAX), usize::MAX)? {
        let row: FeedRecord = codec::decode(&bytes).map_err(|_| StoreError::Corrupt {
            table: Table::Feeds as u8,
            what: "a row of a feed does not decode",
        })?;
        for step in row.steps {
            match step {
                FeedStep::Entries { first, count } => {
                    let counters = (0..u64::from(count)).map(|at| first.counter + at);
                    steps.extend(counters.map(|counter| Step::Entry(Dot { counter, ..first })));
                }
                FeedStep::Left(record) => steps.push(Step::Left(record)),
            }
        }
    }
    Ok(steps)
}

/// A feed of a beat, read to its end.
#[derive(Debug, Default)]
struct Told {
    revisions: BTreeSet<Rev>,
    /// True where a record left: what was told before it is told anew to who comes back.
    moved: bool,
}

fn all(read: &dyn Read, trace: &mut Trace) -> Result<(), Violation> {
    let ends = read
        .scan(Table::Cursors, &[], &[u8::MAX; 64], usize::MAX)
        .map_err(unreadable)?;
    let mut feeds: BTreeMap<Vec<u8>, Told> = BTreeMap::new();
    for (name, _) in ends {
        let mut live: BTreeMap<Dot, Rev> = BTreeMap::new();
        let mut moved = false;
        for step in rows(read, &name).map_err(unreadable)? {
            trace.ask(REPLAYS, 1);
            match step {
                Step::Entry(dot) => {
                    let Some(rev) = trace.revision_at(read, dot).map_err(unreadable)? else {
                        continue;
                    };
                    if live.insert(dot, rev).is_some() {
                        return broken(REPLAYS, format!("a feed tells {dot} twice"));
                    }
                }
                Step::Left(_) => {
                    moved = true;
                    live.clear();
                }
            }
        }
        let revisions = live.into_values().collect();
        feeds.insert(name, Told { revisions, moved });
    }
    complete(read, trace, &feeds)
}

/// Every revision of a record is in the feed of each of its scopes.
fn complete(read: &dyn Read, trace: &mut Trace, feeds: &BTreeMap<Vec<u8>, Told>) -> Result<(), Violation> {
    for head in ledger::heads(read, None, usize::MAX).map_err(unreadable)? {
        for scope in &head.scopes {
            let feed = feeds.get(&scope.key());
            if feed.is_some_and(|feed| feed.moved) {
                continue;
            }
            for (_, dot) in &head.revisions {
                let Some(rev) = trace.revision_at(read, *dot).map_err(unreadable)? else {
                    continue;
                };
                trace.ask(CONVERGES, 1);
                if feed.is_none_or(|feed| !feed.revisions.contains(&rev)) {
                    return broken(CONVERGES, format!("the feed of {scope} never tells {dot}"));
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
