//! Records as people read them: merged fields, who wrote what when, and how each stands.

use std::collections::BTreeMap;

use beatbook_core::ledger::{self, Book, ReadToken};
use beatbook_core::merge::{Concurrency, Head};
use beatbook_core::store::{Read as StoreRead, StoreError};
use beatbook_proto::{
    Code, Dot, FieldId, FieldOp, Instant, OfficerId, RecordId, ReplicaId, RevisionKind, Stamp, Standing,
    Value, VersionVector,
};
use beatbook_records::vocabulary::Lifecycle;
use beatbook_records::{MergedField, MergedFields, as_code, field, member_instant, member_text};

use crate::identity::Enrolled;

/// How far a record, or an entry, has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Safety {
    /// The server holds it apart, for a person to look at.
    Quarantined,
    /// On this device alone.
    Pending,
    /// The server holds it until an earlier entry comes.
    Waiting,
    /// The server holds it, by its receipt.
    Safe,
    /// Also covered by a verified backup or a second server.
    Secured,
}

impl Safety {
    /// The word for people and scripts.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Quarantined => "quarantined",
            Self::Pending => "pending",
            Self::Waiting => "waiting",
            Self::Safe => "safe",
            Self::Secured => "secured",
        }
    }
}

/// A merged record.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Record {
    /// What names it for ever.
    pub id: RecordId,
    /// How people name it, such as `B07/118`, or `52/9123/B07/118` for another's.
    pub reference: String,
    /// The kind of record.
    pub family: Code,
    /// The schema version of its newest revision.
    pub schema: u16,
    /// Its fields, merged. [`beatbook_records`] reads them.
    pub fields: MergedFields,
    /// Where it stands in its life.
    pub lifecycle: Lifecycle,
    /// How concurrent revisions of it stand to each other.
    pub concurrency: Concurrency,
    /// The officer who founded it.
    pub officer: OfficerId,
    /// The officer's collar number, where it is known here.
    pub collar: Option<String>,
    /// Founded by the officer of this device.
    pub own: bool,
    /// When its founding revision was recorded, by the clock of the device that wrote it.
    pub recorded_at: Stamp,
    /// When the server received its founding revision, milliseconds since 1970; 0 where it is not known here.
    pub received_at_ms: i64,
    /// When it happened, or else when it was recorded: what lists are ordered by.
    pub at: Instant,
    /// Every change of it is covered by a signature.
    pub signed: bool,
    /// It left the beats of this device and can be read here, not changed.
    pub frozen: bool,
    /// How far the least safe of its revisions has come.
    pub safety: Safety,
    /// How many revisions it has.
    pub revisions: usize,
}

impl Record {
    /// The beats it is on: one, or several siblings.
    pub fn beats(&self) -> impl Iterator<Item = &Code> {
        self.fields.siblings(field::BEAT).iter().filter_map(as_code)
    }

    /// True if two versions wait for a person.
    pub fn is_conflict(&self) -> bool {
        self.concurrency == Concurrency::Conflict
    }
}

/// A record as it was read: what was seen, and the token that makes a change say so.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Read {
    /// Goes with every change.
    pub token: ReadToken,
    /// The merged record.
    pub record: Record,
    /// All that was ever said of it, in order.
    pub history: Vec<Revised>,
    /// The fields in which versions stand side by side.
    pub versions: Vec<FieldVersions>,
    /// The changes that no later change has read: one, or the versions that stand side by side.
    pub tips: Vec<Dot>,
}

/// One revision in the history of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Revised {
    /// The entry.
    pub dot: Dot,
    /// How people name the entry.
    pub reference: String,
    /// What it did.
    pub kind: RevisionKind,
    /// Who wrote it.
    pub officer: OfficerId,
    /// Their collar number, where it is known here.
    pub collar: Option<String>,
    /// When, by the clock of the device that wrote it.
    pub recorded_at: Stamp,
    /// When the server received it, milliseconds since 1970; 0 where it is not known here.
    pub received_at_ms: i64,
    /// Why.
    pub reason: Option<String>,
    /// What it did to which fields.
    pub ops: Vec<(FieldId, FieldOp)>,
    /// What a resolution settled.
    pub settles: Vec<Dot>,
    /// What its author had read of the record.
    pub context: VersionVector,
    /// True once it is sealed.
    pub sealed: bool,
    /// How far it has come.
    pub safety: Safety,
}

/// A field in which versions stand side by side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldVersions {
    /// The field.
    pub field: FieldId,
    /// Each value with the entry that wrote it.
    pub values: Vec<(Dot, Value)>,
}

/// The merged fields of a head, as the records crate reads them.
pub(crate) fn merged_fields(head: &Head) -> MergedFields {
    let mut merged = MergedFields::new();
    for (id, state) in &head.fields {
        let mut register: Vec<Value> = Vec::new();
        for (_, value) in state.register() {
            // Two who wrote the same value agree.
            if !register.contains(value) {
                register.push(value.clone());
            }
        }
        merged.insert(
            *id,
            MergedField {
                register,
                set: state.members().into_iter().cloned().collect(),
                list: state.lines().map(|(_, value)| value.clone()).collect(),
                counter: state.count(),
                max: state.maximum(),
            },
        );
    }
    merged
}

/// The moment lists are ordered by, where the fields name one.
pub(crate) fn occurred_from(fields: &MergedFields) -> Option<Instant> {
    let froms = fields
        .siblings(field::OCCURRED)
        .iter()
        .filter_map(|group| member_instant(group, field::FROM));
    froms.min_by_key(|from| from.utc_ms)
}

/// Where a record stands: the word that restricts most, signed where it was signed.
pub(crate) fn lifecycle_of(head: &Head, fields: &MergedFields) -> Lifecycle {
    if head.is_void() {
        return Lifecycle::Void;
    }
    let stated = fields
        .siblings(field::LIFECYCLE)
        .iter()
        .filter_map(as_code)
        .map(Lifecycle::from)
        .max();
    match stated {
        None | Some(Lifecycle::Draft) if head.was_signed() => Lifecycle::Signed,
        Some(stated) => stated,
        None => Lifecycle::Draft,
    }
}

/// Reads records, and remembers the books that it met on the way.
pub(crate) struct Reader<'a> {
    read: &'a dyn StoreRead,
    enrolled: &'a Enrolled,
    collars: &'a BTreeMap<OfficerId, String>,
    books: BTreeMap<ReplicaId, Option<Book>>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(
        read: &'a dyn StoreRead,
        enrolled: &'a Enrolled,
        collars: &'a BTreeMap<OfficerId, String>,
    ) -> Self {
        Self {
            read,
            enrolled,
            collars,
            books: BTreeMap::new(),
        }
    }

    /// The record as a list shows it.
    pub(crate) fn record(&mut self, head: &Head) -> Result<Record, StoreError> {
        let fields = merged_fields(head);
        let founder = ledger::entry(self.read, head.record)?;
        let body = founder.as_ref().and_then(|stored| stored.entry.body().ok());
        let recorded_at = match body {
            Some(body) => body.recorded_at,
            // A re-issued founder carries its original, whose own body says when.
            None => ledger::history(self.read, head.record)?
                .and_then(|history| history.entries.first().map(|entry| entry.body.recorded_at))
                .unwrap_or(UNKNOWN),
        };
        let officer = self.officer(head.record.replica)?;
        let stated = fields
            .one(field::AUTHOR)
            .and_then(|author| member_text(author, field::COLLAR));
        let collar = stated.map(str::to_owned).or_else(|| self.collar(officer));
        let mut safety = Safety::Secured;
        for (_, dot) in &head.revisions {
            safety = safety.min(self.safety(*dot)?);
        }
        Ok(Record {
            id: head.record,
            reference: self.reference(head.record, collar.as_deref())?,
            family: head.family.clone(),
            schema: head.schema,
            lifecycle: lifecycle_of(head, &fields),
            concurrency: head.concurrency(),
            own: officer == self.enrolled.told.officer,
            officer,
            collar,
            at: occurred_from(&fields).unwrap_or(Instant {
                utc_ms: recorded_at.utc_ms,
                offset_min: recorded_at.offset_min,
            }),
            recorded_at,
            received_at_ms: founder.map_or(0, |stored| stored.received_at_ms),
            signed: head.is_signed(),
            frozen: head.frozen,
            safety,
            revisions: head.revisions.len(),
            fields,
        })
    }

    /// The record with all that was ever said of it.
    pub(crate) fn read(&mut self, record: RecordId) -> Result<Option<Read>, StoreError> {
        let Some(history) = ledger::history(self.read, record)? else {
            return Ok(None);
        };
        let head = history.head;
        let mut revised = Vec::with_capacity(history.entries.len());
        for entry in history.entries {
            let officer = self.officer(entry.dot.replica)?;
            let collar = self.collar(officer);
            revised.push(Revised {
                dot: entry.dot,
                reference: self.reference(entry.dot, collar.as_deref())?,
                kind: entry.header.kind,
                officer,
                collar,
                recorded_at: entry.body.recorded_at,
                received_at_ms: entry.received_at_ms,
                reason: entry.body.reason.map(|reason| reason.as_str().to_owned()),
                ops: entry.body.ops.0,
                settles: entry.body.settles.0,
                context: entry.header.context,
                sealed: entry.sealed,
                safety: self.safety(entry.dot)?,
            });
        }
        let siblings = head.fields.iter().filter(|(_, state)| state.has_siblings());
        let versions = siblings.map(|(id, state)| FieldVersions {
            field: *id,
            values: state
                .register()
                .map(|(dot, value)| (dot, value.clone()))
                .collect(),
        });
        Ok(Some(Read {
            token: ReadToken::of(&head),
            record: self.record(&head)?,
            history: revised,
            versions: versions.collect(),
            tips: head.tips().to_vec(),
        }))
    }

    /// The officer whose book it is.
    pub(crate) fn officer(&mut self, replica: ReplicaId) -> Result<OfficerId, StoreError> {
        let book = self.book(replica)?;
        Ok(book.map_or_else(OfficerId::default, |book| book.opening.officer))
    }

    /// How people name an entry.
    pub(crate) fn reference(&mut self, dot: Dot, collar: Option<&str>) -> Result<String, StoreError> {
        let own = self.enrolled.told.officer;
        Ok(match self.book(dot.replica)? {
            None => dot.to_string(),
            Some(book) if book.opening.officer == own => book.reference(dot.counter),
            Some(book) => {
                let short: String = book.opening.officer.to_string().chars().take(8).collect();
                let collar = collar.unwrap_or(&short);
                format!("{}/{collar}/{}", book.opening.force, book.reference(dot.counter))
            }
        })
    }

    fn collar(&self, officer: OfficerId) -> Option<String> {
        let told = &self.enrolled.told;
        if officer == told.officer {
            return Some(told.collar.clone());
        }
        self.collars.get(&officer).cloned()
    }

    fn safety(&mut self, dot: Dot) -> Result<Safety, StoreError> {
        let Some(book) = self.book(dot.replica)? else {
            return Ok(Safety::Safe);
        };
        // What came from the server is there.
        if !book.own {
            return Ok(if dot.counter <= book.secured {
                Safety::Secured
            } else {
                Safety::Safe
            });
        }
        let verdict = book
            .verdicts
            .iter()
            .find(|verdict| verdict.counter == dot.counter);
        let standing = verdict.map(|verdict| verdict.standing);
        let (closed, receipted, secured) = (book.closed, book.receipted, book.secured);
        // Of a closed book the server may hold what came back by a reader, beyond what it has without a gap.
        let came_back = closed
            && dot.counter > receipted
            && ledger::entry(self.read, dot)?
                .is_some_and(|stored| stored.sequence == ledger::StoredEntry::AT_SERVER);
        Ok(match standing {
            Some(standing) if standing.is_quarantined() => Safety::Quarantined,
            Some(Standing::WAITING) => Safety::Waiting,
            _ if dot.counter > receipted && !came_back => Safety::Pending,
            _ if dot.counter > secured => Safety::Safe,
            _ => Safety::Secured,
        })
    }

    fn book(&mut self, replica: ReplicaId) -> Result<Option<&Book>, StoreError> {
        if !self.books.contains_key(&replica) {
            let book = ledger::book(self.read, replica)?;
            self.books.insert(replica, book);
        }
        Ok(self.books.get(&replica).and_then(Option::as_ref))
    }
}

/// Stands where a founding revision cannot be read.
const UNKNOWN: Stamp = Stamp {
    utc_ms: 0,
    offset_min: 0,
    source: beatbook_proto::ClockSource::DEVICE,
    uncertainty_ms: u32::MAX,
};
