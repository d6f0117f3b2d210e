//! Queries: which records to list.

use beatbook_proto::{OfficerId, RecordId};
use beatbook_records::vocabulary::Lifecycle;

use crate::record::Record;

/// Which records to list, in which order. Every condition that is given must hold.
///
/// ```
/// use beatbook_field::Query;
/// let query = Query::beat("52/C02").family("CONTACT").text("parking").limit(20);
/// assert_eq!(query.limit, Some(20));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// Not earlier than this, milliseconds since 1970.
    pub since_ms: Option<i64>,
    /// Earlier than this, milliseconds since 1970.
    pub until_ms: Option<i64>,
    /// On one of these beats, such as `52/C02`; on any if empty.
    pub beats: Vec<String>,
    /// Of one of these families; of any if empty.
    pub families: Vec<String>,
    /// Founded by this officer.
    pub officer: Option<Officer>,
    /// Holds all of these words, or words that begin so.
    pub text: Option<String>,
    /// Speaks of a person with all of these words in their names.
    pub person: Option<String>,
    /// Only records with two versions that wait for a person.
    pub conflicts: bool,
    /// Only drafts.
    pub drafts: bool,
    /// Also abandoned drafts, whose numbers stay.
    pub voided: bool,
    /// At most so many at once.
    pub limit: Option<usize>,
    /// Go on after this place.
    pub after: Option<Place>,
    /// The earliest first, instead of the latest.
    pub earliest_first: bool,
}

/// How an officer is named in a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Officer {
    /// By collar number.
    Collar(String),
    /// By id.
    Id(OfficerId),
}

/// A place in a list, to go on from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The moment of the record.
    pub at_ms: i64,
    /// The record.
    pub record: RecordId,
}

/// A stretch of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Page {
    /// The records, in order.
    pub records: Vec<Record>,
    /// Where to go on, if there are more.
    pub next: Option<Place>,
}

impl Query {
    /// Every record.
    pub fn all() -> Self {
        Self::default()
    }

    /// The records of a beat.
    pub fn beat(beat: impl Into<String>) -> Self {
        Self::default().or_beat(beat)
    }

    /// Those of one more beat.
    #[must_use]
    pub fn or_beat(mut self, beat: impl Into<String>) -> Self {
        self.beats.push(beat.into());
        self
    }

    /// Those of a family; call again for one more.
    #[must_use]
    pub fn family(mut self, family: impl Into<String>) -> Self {
        self.families.push(family.into());
        self
    }

    /// Not earlier than `since_ms`.
    #[must_use]
    pub fn since(mut self, since_ms: i64) -> Self {
        self.since_ms = Some(since_ms);
        self
    }

    /// Earlier than `until_ms`.
    #[must_use]
    pub fn until(mut self, until_ms: i64) -> Self {
        self.until_ms = Some(until_ms);
        self
    }

    /// Those that hold all these words, or words that begin so.
    #[must_use]
    pub fn text(mut self, words: impl Into<String>) -> Self {
        self.text = Some(words.into());
        self
    }

    /// Those that speak of a person with all these words in their names.
    #[must_use]
    pub fn person(mut self, words: impl Into<String>) -> Self {
        self.person = Some(words.into());
        self
    }

    /// Those of the officer with this collar number.
    #[must_use]
    pub fn collar(mut self, collar: impl Into<String>) -> Self {
        self.officer = Some(Officer::Collar(collar.into()));
        self
    }

    /// Those with two versions that wait for a person.
    #[must_use]
    pub fn conflicts(mut self) -> Self {
        self.conflicts = true;
        self
    }

    /// Drafts.
    #[must_use]
    pub fn drafts(mut self) -> Self {
        self.drafts = true;
        self
    }

    /// At most `limit` at once.
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Goes on after a place that a page named.
    #[must_use]
    pub fn after(mut self, place: Place) -> Self {
        self.after = Some(place);
        self
    }

    /// The earliest first.
    #[must_use]
    pub fn earliest_first(mut self) -> Self {
        self.earliest_first = true;
        self
    }

    /// True if a record fulfils every condition; places and limits aside.
    pub fn matches(&self, record: &Record) -> bool {
        let lists = |list: &[String], word: &str| list.is_empty() || list.iter().any(|item| item == word);
        let beat = self.beats.is_empty() || record.beats().any(|beat| lists(&self.beats, beat.as_str()));
        let officer = match &self.officer {
            None => true,
            Some(Officer::Id(id)) => record.officer == *id,
            Some(Officer::Collar(wanted)) => {
                let collar = record.collar.as_deref();
                collar.is_some_and(|collar| collar.eq_ignore_ascii_case(wanted.trim()))
            }
        };
        let draft = record.lifecycle == Lifecycle::Draft;
        let voided = record.lifecycle == Lifecycle::Void;
        self.since_ms.is_none_or(|since| record.at.utc_ms >= since)
            && self.until_ms.is_none_or(|until| record.at.utc_ms < until)
            && beat
            && lists(&self.families, record.family.as_str())
            && officer
            && (!self.conflicts || record.is_conflict())
            && (!self.drafts || draft)
            && (self.voided || !voided)
            && self
                .text
                .as_deref()
                .is_none_or(|words| crate::index::holds_words(&record.fields, words))
            && self
                .person
                .as_deref()
                .is_none_or(|words| crate::index::names_person(&record.fields, words))
    }
}
