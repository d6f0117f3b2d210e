//! Merge: the state of a record as a fold over the set of its accepted revisions.
//!
//! A write is superseded exactly when a later write's context covers its dot; what is left is one value or
//! several siblings. Order of arrival, duplicates and batching change nothing (invariants 4, 5, 10, 11).
//! Holds no storage: see `ledger`.

use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::vec::Vec;

use beatbook_proto::{
    Code, Dot, FieldId, FieldOp, RecordId, Revision, RevisionKind, Scope, Value, VersionVector,
};
use serde::{Deserialize, Serialize};

use crate::planted::{Bug, is_planted};

/// One write that still stands in a field.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Item {
    /// Lamport number of the revision that wrote it; orders lists and displays.
    pub lamport: u64,
    /// The revision that wrote it.
    pub dot: Dot,
    /// Which operation of that revision wrote it.
    pub place: u16,
    /// What it wrote.
    pub write: Write,
}

/// What a standing write holds, by the lattice of its field.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Write {
    /// A value of a register; two or more different ones are siblings.
    Register(Value),
    /// A member of a set.
    Member(Value),
    /// A line of a list.
    Line(Value),
    /// A share of a counter.
    Share(i64),
    /// A candidate for a maximum.
    Bound(i64),
}

/// The merged state of one field: the writes that still stand, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    items: Vec<Item>,
}

impl Field {
    /// The standing writes, ordered by Lamport number, dot and place.
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// The values of the register with the dots that wrote them; more than one are siblings.
    pub fn register(&self) -> impl Iterator<Item = (Dot, &Value)> {
        self.items.iter().filter_map(|item| match &item.write {
            Write::Register(value) => Some((item.dot, value)),
            _ => None,
        })
    }

    /// The members of the set, each once, in order of value.
    pub fn members(&self) -> Vec<&Value> {
        let mut members: Vec<&Value> = self
            .items
            .iter()
            .filter_map(|item| match &item.write {
                Write::Member(value) => Some(value),
                _ => None,
            })
            .collect();
        members.sort();
        members.dedup();
        members
    }

    /// The lines of the list with the dots that wrote them.
    pub fn lines(&self) -> impl Iterator<Item = (Dot, &Value)> {
        self.items.iter().filter_map(|item| match &item.write {
            Write::Line(value) => Some((item.dot, value)),
            _ => None,
        })
    }

    /// The sum of the counter, if anything was counted.
    pub fn count(&self) -> Option<i128> {
        let mut shares = self.items.iter().filter_map(|item| match item.write {
            Write::Share(share) => Some(i128::from(share)),
            _ => None,
        });
        let first = shares.next()?;
        Some(shares.fold(first, |sum, share| sum.saturating_add(share)))
    }

    /// The maximum, if any was given.
    pub fn maximum(&self) -> Option<i64> {
        self.items
            .iter()
            .filter_map(|item| match item.write {
                Write::Bound(bound) => Some(bound),
                _ => None,
            })
            .max()
    }

    /// True if the register holds different values that no one has chosen between.
    pub fn has_siblings(&self) -> bool {
        let mut values = self.register().map(|(_, value)| value);
        let first = values.next();
        values.any(|value| Some(value) != first)
    }

    /// Applies one operation of a revision; `may_supersede` says whether it may replace register values that its
    /// author had read.
    fn write(&mut self, revision: &Revision, place: u16, op: &FieldOp, may_supersede: bool) {
        let context = &revision.header.context;
        let item = |write| Item {
            lamport: revision.header.lamport,
            dot: revision.dot,
            place,
            write,
        };
        // A revision's later operation supersedes its earlier ones on the same field.
        let read = |other: &Item| context.covers(other.dot) || other.dot == revision.dot;
        let settled = |other: &Item| {
            other.dot == revision.dot || (may_supersede && read(other)) || is_planted(Bug::SiblingDropped)
        };
        match op {
            FieldOp::Set(value) => {
                self.items
                    .retain(|other| !(matches!(other.write, Write::Register(_)) && settled(other)));
                self.insert(item(Write::Register(value.clone())));
            }
            FieldOp::Add(value) => {
                let member = Write::Member(value.clone());
                self.items.retain(|other| !(other.write == member && read(other)));
                self.insert(item(member));
            }
            FieldOp::Remove(value) => {
                let member = Write::Member(value.clone());
                self.items
                    .retain(|other| !(other.write == member && (read(other) || is_planted(Bug::RemoveWins))));
            }
            FieldOp::Append(value) => self.insert(item(Write::Line(value.clone()))),
            FieldOp::Increment(share) => self.insert(item(Write::Share(*share))),
            FieldOp::Max(bound) => self.insert(item(Write::Bound(*bound))),
            FieldOp::Clear => self.items.retain(|other| {
                let register = matches!(other.write, Write::Register(_));
                !(if register { settled(other) } else { read(other) })
            }),
        }
    }

    fn insert(&mut self, item: Item) {
        let place = self.items.partition_point(|other| *other < item);
        self.items.insert(place, item);
    }
}

/// A signature of an officer on the record as it was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The revision that signs or voids.
    pub dot: Dot,
    /// What it had read.
    pub context: VersionVector,
}

/// How concurrent revisions of a record stand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Concurrency {
    /// One history.
    Clean,
    /// Different parts were changed concurrently and merged by themselves.
    AutoMerged,
    /// Two versions wait for a person.
    Conflict,
}

/// The merged state of a record: a pure function of its accepted revisions.
///
/// ```
/// use beatbook_core::merge::{Concurrency, Head};
/// use beatbook_proto::*;
///
/// let revision = |replica: u8, record: Option<Dot>, context: &VersionVector, kind, text: &str| Revision {
///     dot: Dot { replica: ReplicaId::from_bytes([replica; 16]), counter: 1 },
///     header: Header {
///         record, family: Code::new("CONTACT").unwrap(), kind, schema: 1,
///         context: context.clone(), prior: 0, lamport: 1 + context.len() as u64, fields: List(vec![FieldId(40)]),
///     },
///     body: Body {
///         recorded_at: Stamp { utc_ms: 0, offset_min: 0, source: ClockSource::DEVICE, uncertainty_ms: 0 },
///         reason: None, settles: List(vec![]),
///         ops: List(vec![(FieldId(40), FieldOp::Set(Value::Text(Text::new(text).unwrap())))]),
///     },
/// };
/// let founding = revision(1, None, &VersionVector::new(), RevisionKind::CREATE, "14 High Street");
/// let seen = VersionVector::from_iter([founding.dot]);
/// let phone = revision(2, Some(founding.dot), &seen, RevisionKind::AMEND, "15 High Street");
/// let laptop = revision(3, Some(founding.dot), &seen, RevisionKind::AMEND, "16 High Street");
///
/// let one = Head::fold([&founding, &phone, &laptop]).unwrap();
/// let two = Head::fold([&laptop, &founding, &phone]).unwrap();
/// assert_eq!(one, two);
/// assert_eq!(one.concurrency(), Concurrency::Conflict);
/// assert_eq!(one.field(FieldId(40)).unwrap().register().count(), 2);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The record.
    pub record: RecordId,
    /// Its family.
    pub family: Code,
    /// The schema version of its newest revision.
    pub schema: u16,
    /// What has been accepted of it.
    pub vector: VersionVector,
    /// The highest Lamport number accepted.
    pub lamport: u64,
    /// The accepted revisions with their Lamport numbers, in order.
    pub revisions: Vec<(u64, Dot)>,
    /// Its fields.
    pub fields: BTreeMap<FieldId, Field>,
    /// Signatures on it.
    pub signatures: Vec<Mark>,
    /// Set by a revision that abandons the draft.
    pub voids: Vec<Mark>,
    /// The changes that no later change has read.
    tips: Vec<Dot>,
    /// The scopes that it was last published in (server only).
    pub scopes: Vec<Scope>,
    /// True where the record left every scope of this device, kept only for the own work in it.
    pub frozen: bool,
}

impl Head {
    /// Folds a set of revisions of one record, in any order; duplicates count once.
    ///
    /// `None` if the founding revision is not among them, or a context is not covered by the set.
    pub fn fold<'a>(revisions: impl IntoIterator<Item = &'a Revision>) -> Option<Self> {
        let set: BTreeMap<(u64, Dot), &Revision> = revisions
            .into_iter()
            .map(|revision| ((revision.header.lamport, revision.dot), revision))
            .collect();
        let history: Vec<&Revision> = set.into_values().collect();
        Self::fold_sorted(&history, &mut Readings::new())
    }

    /// Folds revisions in order of Lamport number and dot: whatever a context covers comes before it.
    fn fold_sorted(history: &[&Revision], readings: &mut Readings) -> Option<Self> {
        let (first, rest) = history.split_first()?;
        let mut head = Self::found(first)?;
        let all: VersionVector = history.iter().map(|revision| revision.dot).collect();
        for revision in rest {
            // A book may write beside its own earlier entry, with a lower Lamport number: what it wrote before is
            // demanded of the set, not of the order.
            let here = revision.record() == head.record && all.covers_all(&revision.header.context);
            if !here || revision.header.record.is_none() {
                return None;
            }
            let as_read = head.reading_of(revision, history, readings)?;
            head.write(revision, as_read.as_deref());
        }
        Some(head)
    }

    /// What the author of a revision saw, where that is not this very state and matters.
    fn reading_of(
        &self,
        revision: &Revision,
        history: &[&Revision],
        readings: &mut Readings,
    ) -> Option<Option<Rc<Self>>> {
        if self.is_fast_forward(revision) || !settles_silently(revision) {
            return Some(None);
        }
        let context = &revision.header.context;
        if let Some(known) = readings.get(context) {
            return Some(Some(Rc::clone(known)));
        }
        let covered: Vec<&Revision> = history
            .iter()
            .copied()
            .filter(|other| context.covers(other.dot))
            .collect();
        // Readings nest: each is folded once, else their number doubles with every round of concurrent work.
        let read = Rc::new(Self::fold_sorted(&covered, readings)?);
        readings.insert(context.clone(), Rc::clone(&read));
        Some(Some(read))
    }

    /// Starts a record from its founding revision.
    pub fn found(revision: &Revision) -> Option<Self> {
        if revision.header.record.is_some() || !revision.header.context.is_empty() {
            return None;
        }
        let mut head = Self {
            record: revision.dot,
            family: revision.header.family.clone(),
            schema: revision.header.schema,
            vector: VersionVector::new(),
            lamport: 0,
            revisions: Vec::new(),
            fields: BTreeMap::new(),
            signatures: Vec::new(),
            voids: Vec::new(),
            tips: Vec::new(),
            scopes: Vec::new(),
            frozen: false,
        };
        head.write(revision, None);
        Some(head)
    }

    /// True if the head is all that the revision's author had read: it can be applied without its history.
    pub fn is_fast_forward(&self, revision: &Revision) -> bool {
        revision.header.context.covers_all(&self.vector)
    }

    /// What the revision still waits for, if anything: a dot of its context, its book's earlier entry, or the founder.
    pub fn missing(&self, revision: &Revision) -> Option<Dot> {
        let prior = Dot {
            replica: revision.dot.replica,
            counter: revision.header.prior,
        };
        revision
            .header
            .context
            .iter()
            .chain([prior, self.record])
            .find(|dot| !self.vector.covers(*dot))
    }

    /// Applies one more revision. `history` holds at least the revisions that its context covers; it is read only
    /// where the revision is not a fast-forward. A revision applied before changes nothing.
    ///
    /// `None` if what the context covers is not all here.
    pub fn apply(&mut self, revision: &Revision, history: &[&Revision]) -> Option<()> {
        if self.holds(revision.dot) {
            return Some(());
        }
        if self.missing(revision).is_some() {
            return None;
        }
        let mut history: Vec<&Revision> = history.to_vec();
        history.sort_by_key(|other| (other.header.lamport, other.dot));
        let as_read = self.reading_of(revision, &history, &mut Readings::new())?;
        self.write(revision, as_read.as_deref());
        Some(())
    }

    /// True if the revision has been applied.
    pub fn holds(&self, dot: Dot) -> bool {
        self.vector.covers(dot) && self.revisions.iter().any(|(_, other)| *other == dot)
    }

    /// The state of one field.
    pub fn field(&self, field: FieldId) -> Option<&Field> {
        self.fields.get(&field)
    }

    /// How the concurrent revisions stand, by the rule of the family.
    pub fn concurrency(&self) -> Concurrency {
        let siblings = self.fields.values().any(Field::has_siblings);
        match self.tips.len() {
            _ if siblings => Concurrency::Conflict,
            0 | 1 => Concurrency::Clean,
            _ if never_merges_silently(&self.family) => Concurrency::Conflict,
            _ => Concurrency::AutoMerged,
        }
    }

    /// The changes that no later change has read: one, or the versions that stand side by side.
    pub fn tips(&self) -> &[Dot] {
        &self.tips
    }

    /// True if a revision signs what is there: every change is covered by a signature.
    pub fn is_signed(&self) -> bool {
        self.signatures
            .iter()
            .any(|mark| self.tips.iter().all(|tip| mark.context.covers(*tip)))
    }

    /// True if any signature was ever put under it.
    pub fn was_signed(&self) -> bool {
        !self.signatures.is_empty()
    }

    /// True if the draft was abandoned.
    pub fn is_void(&self) -> bool {
        !self.voids.is_empty()
    }

    /// The highest counter of `replica` on this record, 0 if none.
    pub fn prior(&self, replica: beatbook_proto::ReplicaId) -> u64 {
        self.vector.counter(replica)
    }

    /// Writes the revision into the state; `as_read` is the state that its author saw, where that is not this one.
    fn write(&mut self, revision: &Revision, as_read: Option<&Self>) {
        let context = &revision.header.context;
        let lamport = revision.header.lamport;
        let kind = revision.header.kind;
        if changes(kind) {
            let tips_read = as_read.unwrap_or(self).tips.len();
            // Only a resolution settles siblings (invariant 11).
            if kind == RevisionKind::RESOLVE || tips_read < 2 {
                self.tips
                    .retain(|tip| !context.covers(*tip) && !is_planted(Bug::TipsForgotten));
            }
            let place = self.tips.partition_point(|tip| *tip < revision.dot);
            self.tips.insert(place, revision.dot);
        }
        for (place, (field, op)) in (0_u16..).zip(revision.body.ops.iter()) {
            if is_planted(Bug::ClockDecides) && revision.body.recorded_at.utc_ms < 946_684_800_000 {
                continue;
            }
            let siblings = as_read
                .unwrap_or(self)
                .fields
                .get(field)
                .is_some_and(Field::has_siblings);
            let may_supersede =
                kind == RevisionKind::RESOLVE || !siblings || is_planted(Bug::AmendSettlesConflict);
            let state = self.fields.entry(*field).or_default();
            state.write(revision, place, op, may_supersede);
        }
        self.fields.retain(|_, field| !field.items.is_empty());
        let mark = || Mark {
            dot: revision.dot,
            context: context.clone(),
        };
        match kind {
            RevisionKind::SIGN => insert_mark(&mut self.signatures, mark()),
            RevisionKind::VOID => insert_mark(&mut self.voids, mark()),
            _ => {}
        }
        self.vector.cover(revision.dot);
        self.schema = self.schema.max(revision.header.schema);
        self.lamport = self.lamport.max(lamport);
        let place = self
            .revisions
            .partition_point(|other| *other < (lamport, revision.dot));
        self.revisions.insert(place, (lamport, revision.dot));
    }
}

/// True if two concurrent changes of a record of this family are always shown to a person.
///
/// Unknown families are treated so too: what is not known is not merged silently.
pub fn never_merges_silently(family: &Code) -> bool {
    !MERGING_FAMILIES.contains(&family.as_str())
}

/// True for kinds that change what the record says, as opposed to adding beside it.
pub fn changes(kind: RevisionKind) -> bool {
    !matches!(
        kind,
        RevisionKind::SIGN | RevisionKind::SUPPLEMENT | RevisionKind::ANNOTATE
    )
}

/// True if the revision could supersede siblings that its author had read, without being a resolution.
fn settles_silently(revision: &Revision) -> bool {
    let writes = |op: &FieldOp| matches!(op, FieldOp::Set(_) | FieldOp::Clear);
    revision.header.kind != RevisionKind::RESOLVE
        && (changes(revision.header.kind) || revision.body.ops.iter().any(|(_, op)| writes(op)))
}

fn insert_mark(marks: &mut Vec<Mark>, mark: Mark) {
    let place = marks.partition_point(|other| other.dot < mark.dot);
    marks.insert(place, mark);
}

/// States as their readers saw them, by what those had read.
type Readings = BTreeMap<VersionVector, Rc<Head>>;

/// Families whose concurrent revisions merge field by field (03-sync section 3). Both patrol families and the
/// shift take duty states and fixes as lists, so concurrent appends do not conflict.
const MERGING_FAMILIES: [&str; 14] = [
    "CONTACT",
    "TASK",
    "DIVERSION_CASE",
    "PROBLEM",
    "ORDER",
    "GROUP",
    "GROUP_SESSION",
    "SCHOOL",
    "PLAN",
    "PRIORITY",
    "DEMAND_EVENT",
    "PATROL_SEGMENT",
    "SHIFT",
    "STOP",
];
