//! The index of what is on the device: by time, beat, family, person and word. In memory only, never on disk.
//!
//! It narrows a query down to candidates; the record itself, read from the store, has the last word. So a record whose
//! words are not indexed, because there is no more room for them, is still found.

mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use beatbook_core::merge::{Concurrency, Head};
use beatbook_proto::{Code, OfficerId, RecordId, Value};
use beatbook_records::vocabulary::Lifecycle;
use beatbook_records::{MergedFields, as_code, field, member_text};

use crate::query::{Place, Query};
use crate::record::{lifecycle_of, merged_fields, occurred_from};
use words::{Words, all_within, words_of};

/// The index.
#[derive(Debug, Default)]
pub(crate) struct Index {
    rows: BTreeMap<RecordId, Row>,
    by_time: BTreeMap<(i64, RecordId), u32>,
    by_number: BTreeMap<u32, RecordId>,
    words: Words,
    /// Records whose words are still to be indexed; until then a search reads them.
    unworded: BTreeSet<RecordId>,
    next_number: u32,
    conflicts: u64,
    /// Collar numbers, as records state them.
    collars: Arc<BTreeMap<OfficerId, String>>,
}

/// What is kept of a record.
#[derive(Debug)]
struct Row {
    number: u32,
    at_ms: i64,
    family: Code,
    beats: Vec<Code>,
    conflict: bool,
    lifecycle: Lifecycle,
    /// `None` where its words are not indexed: not yet, or for want of room.
    words: Option<Box<[Arc<str>]>>,
}

/// What changed of a record in the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Changed {
    /// Two versions wait, and did not before.
    pub(crate) new_conflict: bool,
}

impl Index {
    /// Takes in a record as it stands; its words come later, by [`Index::word`]. `recorded_ms` is when it was recorded,
    /// for one that does not say when it happened.
    pub(crate) fn put(&mut self, head: &Head, recorded_ms: i64) -> Changed {
        let was_conflict = self.remove(head.record);
        let fields = merged_fields(head);
        let number = self.next_number;
        self.next_number = self.next_number.wrapping_add(1);
        let at_ms = occurred_from(&fields).map_or(recorded_ms, |from| from.utc_ms);
        let conflict = head.concurrency() == Concurrency::Conflict;
        let row = Row {
            number,
            at_ms,
            family: head.family.clone(),
            beats: fields
                .siblings(field::BEAT)
                .iter()
                .filter_map(as_code)
                .cloned()
                .collect(),
            conflict,
            lifecycle: lifecycle_of(head, &fields),
            words: None,
        };
        self.learn_collar(&fields);
        self.conflicts += u64::from(conflict);
        self.by_time.insert((at_ms, head.record), number);
        self.by_number.insert(number, head.record);
        self.rows.insert(head.record, row);
        self.unworded.insert(head.record);
        Changed {
            new_conflict: conflict && !was_conflict,
        }
    }

    /// Indexes the words of a record that was put.
    pub(crate) fn word(&mut self, head: &Head) {
        if !self.unworded.remove(&head.record) {
            return;
        }
        if let Some(row) = self.rows.get_mut(&head.record) {
            row.words = self.words.add(row.number, texts_of(&merged_fields(head)));
        }
    }

    /// Some records whose words are still to be indexed.
    pub(crate) fn unworded(&self, limit: usize) -> Vec<RecordId> {
        self.unworded.iter().take(limit).copied().collect()
    }

    /// Gives up on the words of a record that cannot be read.
    pub(crate) fn leave_unworded(&mut self, record: RecordId) {
        self.unworded.remove(&record);
    }

    /// Forgets a record; true if two versions of it waited.
    pub(crate) fn remove(&mut self, record: RecordId) -> bool {
        let Some(row) = self.rows.remove(&record) else {
            return false;
        };
        self.unworded.remove(&record);
        self.by_time.remove(&(row.at_ms, record));
        self.by_number.remove(&row.number);
        if let Some(words) = &row.words {
            self.words.remove(row.number, words);
        }
        self.conflicts -= u64::from(row.conflict);
        row.conflict
    }

    /// Records with two versions that wait for a person.
    pub(crate) fn conflicts(&self) -> u64 {
        self.conflicts
    }

    /// How many records are on the device.
    pub(crate) fn len(&self) -> u64 {
        self.rows.len() as u64
    }

    /// Collar numbers by officer, as far as records have stated them.
    pub(crate) fn collars(&self) -> Arc<BTreeMap<OfficerId, String>> {
        Arc::clone(&self.collars)
    }

    /// The candidates of a query, in its order, after its place: all that match, and perhaps some that do not.
    pub(crate) fn candidates(&self, query: &Query) -> Vec<Place> {
        let found = query
            .text
            .iter()
            .chain(&query.person)
            .map(|text| self.words.find(text));
        let found = found.reduce(|one, two| one.intersection(&two).copied().collect());
        let from = query.since_ms.unwrap_or(i64::MIN);
        let until = query.until_ms.unwrap_or(i64::MAX);
        let fits = |place: &Place| {
            let Some(row) = self.rows.get(&place.record) else {
                return false;
            };
            let listed = |list: &[String], code: &Code| list.iter().any(|item| item == code.as_str());
            let worded =
                row.words.is_none() || found.as_ref().is_none_or(|found| found.contains(&row.number));
            worded
                && (query.beats.is_empty() || row.beats.iter().any(|beat| listed(&query.beats, beat)))
                && (query.families.is_empty() || listed(&query.families, &row.family))
                && (!query.conflicts || row.conflict)
                && (!query.drafts || row.lifecycle == Lifecycle::Draft)
                && (query.voided || row.lifecycle != Lifecycle::Void)
                && query.after.is_none_or(|after| {
                    let later = *place > after;
                    *place != after && later == query.earliest_first
                })
        };
        let in_time = self.by_time.keys().map(|(at_ms, record)| Place {
            at_ms: *at_ms,
            record: *record,
        });
        let in_time = in_time.filter(|place| (from..until).contains(&place.at_ms));
        let mut places: Vec<Place> = in_time.filter(fits).collect();
        if !query.earliest_first {
            places.reverse();
        }
        places
    }

    fn learn_collar(&mut self, fields: &MergedFields) {
        for author in fields.siblings(field::AUTHOR) {
            if let (Some(Value::Officer(officer)), Some(collar)) =
                (author.member(field::OFFICER), member_text(author, field::COLLAR))
                && self.collars.get(officer).map(String::as_str) != Some(collar)
            {
                Arc::make_mut(&mut self.collars).insert(*officer, collar.to_owned());
            }
        }
    }
}

/// True if the texts of a record hold every word of `wanted`, or words that begin so.
pub(crate) fn holds_words(fields: &MergedFields, wanted: &str) -> bool {
    all_within(&texts_of(fields), wanted)
}

/// The words of every text of a record.
fn texts_of(fields: &MergedFields) -> BTreeSet<String> {
    let mut texts = BTreeSet::new();
    for (_, merged) in fields.iter() {
        merged.values().for_each(|value| gather(value, &mut texts));
    }
    texts
}

/// True if the names of one person of a record hold every word of `wanted`.
pub(crate) fn names_person(fields: &MergedFields, wanted: &str) -> bool {
    let persons = fields
        .values(field::PERSONS)
        .chain(fields.values(field::CONTACT_PERSONS));
    persons.into_iter().any(|person| {
        let names = NAMES.iter().filter_map(|id| person.member(*id));
        let mut texts = BTreeSet::new();
        names.for_each(|name| gather(name, &mut texts));
        all_within(&texts, wanted)
    })
}

/// Gathers the words of every text in a value, however deep.
fn gather(value: &Value, words: &mut BTreeSet<String>) {
    match value {
        Value::Text(text) => words.extend(words_of(text.as_str())),
        Value::Group(members) => members.iter().for_each(|(_, member)| gather(member, words)),
        Value::List(items) => items.iter().for_each(|item| gather(item, words)),
        _ => {}
    }
}

/// What a person is found by.
const NAMES: [beatbook_proto::FieldId; 4] = [
    field::GIVEN_NAME,
    field::FAMILY_NAME,
    field::OTHER_NAMES,
    field::ALIAS,
];

#[cfg(test)]
mod tests;
