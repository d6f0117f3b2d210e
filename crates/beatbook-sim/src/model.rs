//! The reference model: what a set of revisions of one record has to show, by the design's words and with no regard to
//! cost. Knows a revision by its first dot and bytes, whatever dots it was re-issued under since.
//!
//! Shares no code with the core: it neither merges nor reads a store. Who had read what is told from outside.

use std::collections::{BTreeMap, BTreeSet};

use beatbook_proto::{Dot, Entry, FieldId, FieldOp, Revision, RevisionKind, Value};

/// A revision, by the order in which the model came to know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rev(u32);

impl Rev {
    /// The first that the model came to know: where a range begins.
    pub const FIRST: Self = Self(0);
}

/// What an entry turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// The opening of a book.
    Opening,
    /// A revision, perhaps in an envelope.
    Revision(Rev),
    /// Bytes that read as neither.
    Unread,
}

/// What a set of revisions shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Merged {
    /// The writes that stand, by field: the revision, and the place of the operation in it.
    pub fields: BTreeMap<FieldId, BTreeSet<(Rev, u16)>>,
    /// The changes that no later change has read.
    pub tips: BTreeSet<Rev>,
    /// True where a person has to choose.
    pub conflict: bool,
}

/// All revisions that were ever seen.
#[derive(Debug, Default)]
pub struct Model {
    named: BTreeMap<Dot, Vec<(Entry, Named)>>,
    known: Vec<Known>,
    /// What the author of a revision saw, as far as it was asked for.
    readings: BTreeMap<Rev, Merged>,
}

#[derive(Debug)]
struct Known {
    revision: Revision,
    names: Vec<Dot>,
    /// What its author had read; `None` where nobody has told.
    read: Option<BTreeSet<Rev>>,
}

impl Model {
    /// What an entry is; an envelope is the revision that it carries.
    pub fn name(&mut self, dot: Dot, entry: &Entry) -> Named {
        if let Some(known) = self.find(dot, entry) {
            return known;
        }
        let named = match entry.header().map(|header| header.kind) {
            Err(_) => Named::Unread,
            Ok(RevisionKind::OPEN) => Named::Opening,
            Ok(RevisionKind::REISSUE) => match entry.original() {
                Ok(original) => self.name(original.dot, &original.entry),
                Err(_) => Named::Unread,
            },
            Ok(_) => match Revision::read(dot, entry) {
                Ok(revision) => {
                    self.known.push(Known {
                        revision,
                        names: Vec::new(),
                        read: None,
                    });
                    Named::Revision(Rev(self.known.len() as u32 - 1))
                }
                Err(_) => Named::Unread,
            },
        };
        if let Named::Revision(rev) = named {
            self.known[rev.0 as usize].names.push(dot);
        }
        self.named.entry(dot).or_default().push((entry.clone(), named));
        named
    }

    /// What an entry is, if it was seen before.
    pub fn find(&self, dot: Dot, entry: &Entry) -> Option<Named> {
        let mut under = self.named.get(&dot)?.iter();
        under.find(|(known, _)| known == entry).map(|(_, named)| *named)
    }

    /// The revision that a dot names, where everyone who ever used it means the same.
    pub fn only(&self, dot: Dot) -> Option<Rev> {
        match self.named.get(&dot)?.as_slice() {
            [(_, Named::Revision(rev))] => Some(*rev),
            _ => None,
        }
    }

    /// How many different entries were seen under a dot.
    pub fn entries_under(&self, dot: Dot) -> usize {
        self.named.get(&dot).map_or(0, Vec::len)
    }

    /// Takes in what the author of a revision had read.
    pub fn set_read(&mut self, rev: Rev, mut read: BTreeSet<Rev>) {
        read.remove(&rev);
        self.known[rev.0 as usize].read = Some(read);
        self.readings.clear();
    }

    /// What the author had read, where that is known.
    pub fn read(&self, rev: Rev) -> Option<&BTreeSet<Rev>> {
        self.known[rev.0 as usize].read.as_ref()
    }

    /// The revision under its first dot.
    pub fn revision(&self, rev: Rev) -> &Revision {
        &self.known[rev.0 as usize].revision
    }

    /// Every dot that it has had.
    pub fn names(&self, rev: Rev) -> &[Dot] {
        &self.known[rev.0 as usize].names
    }

    /// One more than the highest number that its author had read.
    pub fn lamport(&self, rev: Rev) -> u64 {
        let read = self.read(rev).into_iter().flatten();
        1 + read
            .map(|read| self.revision(*read).header.lamport)
            .max()
            .unwrap_or(0)
    }

    /// What a set of revisions of one record shows.
    pub fn merged(&mut self, set: &BTreeSet<Rev>) -> Merged {
        let mut merged = Merged::default();
        for rev in set {
            let ops = self.revision(*rev).body.ops.clone();
            for (place, (field, op)) in (0..).zip(ops.iter()) {
                let writes = !matches!(op, FieldOp::Remove(_) | FieldOp::Clear);
                if writes && !self.is_superseded(set, (*rev, place), *field, op) {
                    merged.fields.entry(*field).or_default().insert((*rev, place));
                }
            }
        }
        for rev in set {
            if self.is_change(*rev) && !self.is_passed(set, *rev) {
                merged.tips.insert(*rev);
            }
        }
        let merges = set
            .first()
            .is_some_and(|rev| MERGES_BY_ITSELF.contains(&self.revision(*rev).header.family.as_str()));
        let siblings = merged
            .fields
            .keys()
            .any(|field| self.siblings(&merged, *field) > 1);
        merged.conflict = siblings || (!merges && merged.tips.len() > 1);
        merged
    }

    /// What the author of a revision saw of its record.
    pub fn as_read(&mut self, rev: Rev) -> Merged {
        if let Some(known) = self.readings.get(&rev) {
            return known.clone();
        }
        let read = self.read(rev).cloned().unwrap_or_default();
        let merged = self.merged(&read);
        self.readings.insert(rev, merged.clone());
        merged
    }

    /// How many different values a register holds.
    fn siblings(&self, merged: &Merged, field: FieldId) -> usize {
        let standing = merged.fields.get(&field).into_iter().flatten();
        let values: BTreeSet<&Value> = standing
            .filter_map(|(rev, place)| match self.op(*rev, *place) {
                Some(FieldOp::Set(value)) => Some(value),
                _ => None,
            })
            .collect();
        values.len()
    }

    /// The operation at a place of a revision.
    pub fn op(&self, rev: Rev, place: u16) -> Option<&FieldOp> {
        self.revision(rev)
            .body
            .ops
            .get(usize::from(place))
            .map(|(_, op)| op)
    }

    /// True if some operation of a later reading, or a later one of the same revision, takes the write away.
    fn is_superseded(
        &mut self,
        set: &BTreeSet<Rev>,
        write: (Rev, u16),
        field: FieldId,
        op: &FieldOp,
    ) -> bool {
        let (rev, place) = write;
        set.iter().any(|later| {
            let same = *later == rev;
            if !same && !self.has_read(*later, rev) {
                return false;
            }
            let ops = &self.revision(*later).body.ops;
            let takes = (0..).zip(ops.iter()).any(|(at, (on, by))| {
                let after = !same || at > place;
                *on == field && after && takes_away(by, op)
            });
            let register = matches!(op, FieldOp::Set(_));
            takes && (!register || same || self.may_settle(*later, field))
        })
    }

    /// Where the author had read several values, only a resolution takes any away.
    fn may_settle(&mut self, by: Rev, field: FieldId) -> bool {
        if self.revision(by).header.kind == RevisionKind::RESOLVE {
            return true;
        }
        let read = self.as_read(by);
        self.siblings(&read, field) < 2
    }

    fn is_passed(&mut self, set: &BTreeSet<Rev>, tip: Rev) -> bool {
        set.iter().any(|later| {
            self.is_change(*later)
                && self.has_read(*later, tip)
                && (self.revision(*later).header.kind == RevisionKind::RESOLVE
                    || self.as_read(*later).tips.len() < 2)
        })
    }

    fn has_read(&self, reader: Rev, rev: Rev) -> bool {
        self.read(reader).is_some_and(|read| read.contains(&rev))
    }

    /// True for what changes a record, as opposed to adding beside it.
    pub fn is_change(&self, rev: Rev) -> bool {
        !BESIDE.contains(&self.revision(rev).header.kind)
    }
}

fn takes_away(by: &FieldOp, op: &FieldOp) -> bool {
    match (by, op) {
        (FieldOp::Set(_), FieldOp::Set(_)) | (FieldOp::Clear, _) => true,
        (FieldOp::Add(one) | FieldOp::Remove(one), FieldOp::Add(other)) => one == other,
        _ => false,
    }
}

/// Kinds that stand beside a record and change nothing of it.
const BESIDE: [RevisionKind; 3] = [
    RevisionKind::SIGN,
    RevisionKind::SUPPLEMENT,
    RevisionKind::ANNOTATE,
];
/// Families in which concurrent changes of different fields need no person (03-sync section 3).
const MERGES_BY_ITSELF: [&str; 14] = [
    "CONTACT",
    "DEMAND_EVENT",
    "DIVERSION_CASE",
    "GROUP",
    "GROUP_SESSION",
    "ORDER",
    "PATROL_SEGMENT",
    "PLAN",
    "PRIORITY",
    "PROBLEM",
    "SCHOOL",
    "SHIFT",
    "STOP",
    "TASK",
];

#[cfg(test)]
mod tests;
