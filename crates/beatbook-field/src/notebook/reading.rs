//! Reading: one record, a list, what a reference names, and what changes from here on.

use std::collections::BTreeMap;
use std::sync::Arc;

use beatbook_core::ledger::{self, Book};
use beatbook_core::merge::Head;
use beatbook_core::store::{Read as StoreRead, StoreError};
use beatbook_proto::{Dot, OfficerId, RecordId};
use tokio::sync::broadcast;

use super::Notebook;
use crate::event::Event;
use crate::query::{Page, Query};
use crate::record::{Read, Reader, Record, merged_fields, occurred_from};
use crate::reference::{Reference, ReferenceError};

/// Why a record was not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The record is not on this device.
    #[error("record {0} is not on this device; sync, or check the number")]
    NoSuchRecord(String),
    /// The store is closed, has stopped after a failure, or is damaged.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a reference names nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FindError {
    /// The book has no such entry here, or the entry is of no record.
    #[error("no entry {0} on this device; sync, or check the number")]
    NoSuchEntry(String),
    /// The text is not a reference.
    #[error(transparent)]
    NotAReference(#[from] ReferenceError),
    /// The store is closed, has stopped after a failure, or is damaged.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Notebook {
    /// Reads a record with its history. What was seen goes with the amendment: keep the token.
    pub fn read(&self, record: RecordId) -> Result<Read, ReadError> {
        let collars = self.collars();
        let read = self
            .inner
            .store
            .read(|read| Reader::new(read, self.enrolled(), &collars).read(record))?;
        read.ok_or_else(|| ReadError::NoSuchRecord(record.to_string()))
    }

    /// Lists records.
    pub fn list(&self, query: &Query) -> Result<Page, ReadError> {
        let collars = self.collars();
        let places = self.inner.index.read().candidates(query);
        let limit = query.limit.unwrap_or(usize::MAX);
        let mut page = Page::default();
        for chunk in places.chunks(RECORDS_AT_ONCE) {
            // Writers wait for a reader: a long list is read in pieces.
            let full = self.inner.store.read(|read| -> Result<bool, StoreError> {
                let mut reader = Reader::new(read, self.enrolled(), &collars);
                for place in chunk {
                    let Some(head) = ledger::head(read, place.record)? else {
                        continue;
                    };
                    let record = reader.record(&head)?;
                    if !query.matches(&record) {
                        continue;
                    }
                    if page.records.len() == limit {
                        return Ok(true);
                    }
                    page.next = Some(*place);
                    page.records.push(record);
                }
                Ok(false)
            })?;
            if full {
                return Ok(page);
            }
        }
        page.next = None;
        Ok(page)
    }

    /// Lists the records that hold every word of `words`, or words that begin so.
    pub fn search(&self, words: &str) -> Result<Page, ReadError> {
        self.list(&Query::all().text(words))
    }

    /// Finds the record that a reference names, by the number of any of its entries.
    pub fn find(&self, reference: &str) -> Result<RecordId, FindError> {
        let parsed: Reference = reference.parse()?;
        let missing = || FindError::NoSuchEntry(reference.trim().to_owned());
        let collars = self.collars();
        let found = self
            .inner
            .store
            .read(|read| -> Result<Option<RecordId>, StoreError> {
                let dot = match parsed {
                    Reference::Dot(dot) => Some(dot),
                    Reference::Own { book, entry } => {
                        self.own_book(read, &book)?.map(|book| at(&book, entry))
                    }
                    Reference::Other {
                        force,
                        collar,
                        book,
                        entry,
                    } => {
                        let short = |book: &Book| {
                            book.opening
                                .officer
                                .to_string()
                                .starts_with(&collar.to_lowercase())
                        };
                        let own = self.enrolled().told.officer;
                        let of = |book: &Book| match collars.get(&book.opening.officer) {
                            _ if book.opening.officer == own => self.enrolled().told.collar == collar,
                            Some(known) => known.eq_ignore_ascii_case(&collar),
                            None => collar.len() >= 8 && short(book),
                        };
                        let named = ledger::books(read)?.into_iter().find(|held| {
                            held.opening.force.as_str() == force && is_named(held, &book) && of(held)
                        });
                        named.map(|book| at(&book, entry))
                    }
                };
                dot.map_or(Ok(None), |dot| record_of(read, dot))
            })?;
        found.ok_or_else(missing)
    }

    /// How people name a record or an entry.
    pub fn reference(&self, dot: Dot) -> Result<String, ReadError> {
        let collars = self.collars();
        let text = self.inner.store.read(|read| {
            let mut reader = Reader::new(read, self.enrolled(), &collars);
            let officer = reader.officer(dot.replica)?;
            reader.reference(dot, collars.get(&officer).map(String::as_str))
        })?;
        Ok(text)
    }

    /// The changes of the records that fulfil a query, from here on.
    pub fn subscribe(&self, query: Query) -> Changes {
        Changes {
            book: self.clone(),
            query,
            events: self.events(),
            pending: Vec::new(),
        }
    }

    /// Brings records that changed into the index, and tells the app.
    pub(crate) fn refresh(&self, records: &[RecordId]) {
        let mut conflicts = Vec::new();
        {
            // The index is held while the heads are read: whoever comes later puts the later state.
            let mut index = self.inner.index.write();
            let put = self.inner.store.read(|read| -> Result<(), StoreError> {
                for record in records {
                    match ledger::head(read, *record)? {
                        None => {
                            index.remove(*record);
                        }
                        Some(head) => {
                            let changed = index.put(&head, recorded_ms(read, &head)?);
                            if records.len() <= WORDED_AT_ONCE {
                                index.word(&head);
                            }
                            if changed.new_conflict {
                                conflicts.push(*record);
                            }
                        }
                    }
                }
                Ok(())
            });
            if let Err(error) = put {
                tracing::warn!(%error, "records could not be read for the index; reopen the notebook");
            }
        }
        self.tell(Event::Changed(Arc::from(records)));
        conflicts
            .into_iter()
            .for_each(|record| self.tell(Event::Conflict(record)));
    }

    /// Indexes the words of some records that wait for it; false if there are none. A search before that reads them.
    pub(crate) fn index_words(&self) -> bool {
        let records = self.inner.index.read().unworded(WORDED_IN_A_ROUND);
        let mut index = self.inner.index.write();
        self.inner.store.read(|read| {
            for record in &records {
                match ledger::head(read, *record) {
                    Ok(Some(head)) => index.word(&head),
                    Ok(None) | Err(_) => index.leave_unworded(*record),
                }
            }
        });
        !records.is_empty()
    }

    /// Takes records out of the index that left the device.
    pub(crate) fn forget(&self, records: &[RecordId]) {
        let mut index = self.inner.index.write();
        for record in records {
            index.remove(*record);
        }
        drop(index);
        self.tell(Event::Purged(Arc::from(records)));
    }

    /// Brings every record into the index again, where it is not known which ones changed.
    pub(crate) fn refresh_all(&self) {
        let mut after = None;
        loop {
            let heads = self
                .inner
                .store
                .read(|read| ledger::heads(read, after, RECORDS_AT_ONCE));
            let Ok(heads) = heads else {
                return;
            };
            let Some(last) = heads.last() else {
                return;
            };
            after = Some(last.record);
            let records: Vec<RecordId> = heads.iter().map(|head| head.record).collect();
            self.refresh(&records);
        }
    }

    /// Records with two versions that wait for a person, and records on the device.
    pub(crate) fn counts(&self) -> (u64, u64) {
        let index = self.inner.index.read();
        (index.conflicts(), index.len())
    }

    fn collars(&self) -> Arc<BTreeMap<OfficerId, String>> {
        self.inner.index.read().collars()
    }

    fn own_book(&self, read: &dyn StoreRead, name: &str) -> Result<Option<Book>, StoreError> {
        let officer = self.enrolled().told.officer;
        let named = ledger::books(read)?
            .into_iter()
            .filter(|book| is_named(book, name));
        let mut own: Vec<Book> = named.filter(|book| book.opening.officer == officer).collect();
        // One of this device wins over one of the officer's other devices.
        own.sort_by_key(|book| !book.own);
        Ok(own.into_iter().next())
    }
}

/// Words of so few records are indexed at once; those of more wait until nothing else is to be shown.
const WORDED_AT_ONCE: usize = 4;
/// Records whose words are indexed before something else gets its turn.
const WORDED_IN_A_ROUND: usize = 32;

/// Merged records as they change. See [`Notebook::subscribe`].
#[derive(Debug)]
pub struct Changes {
    book: Notebook,
    query: Query,
    events: broadcast::Receiver<Event>,
    pending: Vec<Update>,
}

/// A change of what a query lists.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Update {
    /// The record changed, and fulfils the query.
    Changed(Box<Record>),
    /// The record does not fulfil the query any more, or never did; drop it if it is shown.
    Gone(RecordId),
    /// Changes were missed because nobody took them in time: list again.
    Missed,
}

impl Changes {
    /// Waits for the next change; `None` once the notebook is closed.
    pub async fn next(&mut self) -> Option<Update> {
        loop {
            if let Some(update) = self.pending.pop() {
                return Some(update);
            }
            let records: Arc<[RecordId]> = match self.events.recv().await {
                Ok(Event::Changed(records) | Event::Purged(records)) => records,
                Ok(_) => continue,
                Err(broadcast::error::RecvError::Lagged(_)) => return Some(Update::Missed),
                Err(broadcast::error::RecvError::Closed) => return None,
            };
            let query = self.query.clone();
            let found = self
                .book
                .off_thread(move |book| book.updates(&query, &records))
                .await?;
            match found {
                // Taken from the end.
                Ok(found) => self.pending = found.into_iter().rev().collect(),
                Err(_) => return None,
            }
        }
    }
}

impl Notebook {
    fn updates(&self, query: &Query, records: &[RecordId]) -> Result<Vec<Update>, StoreError> {
        let collars = self.collars();
        self.inner.store.read(|read| {
            let mut reader = Reader::new(read, self.enrolled(), &collars);
            let update = |record: &RecordId| {
                let head = ledger::head(read, *record)?;
                let record_now = head.map(|head| reader.record(&head)).transpose()?;
                Ok(match record_now.filter(|now| query.matches(now)) {
                    Some(now) => Update::Changed(Box::new(now)),
                    None => Update::Gone(*record),
                })
            };
            records.iter().map(update).collect()
        })
    }
}

/// When a record without a time of its own was recorded.
pub(super) fn recorded_ms(read: &dyn StoreRead, head: &Head) -> Result<i64, StoreError> {
    if occurred_from(&merged_fields(head)).is_some() {
        return Ok(0);
    }
    let founder = ledger::entry(read, head.record)?;
    let body = founder.and_then(|stored| stored.entry.body().ok());
    Ok(body.map_or(0, |body| body.recorded_at.utc_ms))
}

/// The record that an entry belongs to.
fn record_of(read: &dyn StoreRead, dot: Dot) -> Result<Option<RecordId>, StoreError> {
    let named = ledger::record_name(read, dot)?;
    if ledger::head(read, named)?.is_some() {
        return Ok(Some(named));
    }
    let header = ledger::entry(read, dot)?.and_then(|stored| stored.entry.header().ok());
    let Some(record) = header.and_then(|header| header.record) else {
        return Ok(None);
    };
    let named = ledger::record_name(read, record)?;
    Ok(ledger::head(read, named)?.map(|head| head.record))
}

/// By its label; the name that it had before is good for ever.
fn is_named(book: &Book, name: &str) -> bool {
    let short = |short: &str| short.eq_ignore_ascii_case(&book.replica().short());
    // What was noted down before the first contact stays a name of the book.
    book.label
        .as_ref()
        .is_some_and(|label| label.as_str().eq_ignore_ascii_case(name))
        || name.strip_prefix("new-").is_some_and(short)
}

fn at(book: &Book, counter: u64) -> Dot {
    Dot {
        replica: book.replica(),
        counter,
    }
}

/// Records read under one hold of the store.
const RECORDS_AT_ONCE: usize = 256;
