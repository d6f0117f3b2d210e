//! Reading the ledger for people: status, history, quarantine. Decides nothing.

use alloc::vec::Vec;

use beatbook_proto::{Body, Dot, Header, RecordId, ReplicaKind, Standing};

use super::{Book, QuarantinedEntry, StoredEntry, decode, entry, head, load, reissue, seal, stretch};
use crate::keys;
use crate::merge::Head;
use crate::store::{Read, StoreError, Table};

/// How the entries of this device stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Own entries, books and traces together.
    pub written: u64,
    /// Of them, held by the server by its receipt.
    pub safe: u64,
    /// Of them, covered by a verified backup or a second node.
    pub secured: u64,
    /// Of them, not receipted yet.
    pub pending: u64,
    /// Of them, held apart by the server for a person to look at.
    pub quarantined: u64,
    /// Of them, held by the server until an earlier revision comes.
    pub waiting: u64,
    /// Time of the newest receipt, by the server's clock, milliseconds since 1970; 0 if none.
    pub last_receipt_ms: i64,
    /// Records shown in two versions.
    pub conflicts: u64,
}

/// A record with all that was ever said of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    /// Its merged state.
    pub head: Head,
    /// Every revision accepted, in order.
    pub entries: Vec<HistoryEntry>,
}

/// One revision of a record's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryEntry {
    /// Its dot.
    pub dot: Dot,
    /// Its header, as folded.
    pub header: Header,
    /// Its body.
    pub body: Body,
    /// When the server received it, by the server's clock; 0 where not known here.
    pub received_at_ms: i64,
    /// True once it is sealed.
    pub sealed: bool,
}

/// All books known here.
pub fn books(read: &dyn Read) -> Result<Vec<Book>, StoreError> {
    let pairs = read.scan(Table::Books, &[], &keys::after(&[]), usize::MAX)?;
    pairs
        .iter()
        .map(|(_, bytes)| decode(Table::Books, bytes))
        .collect()
}

/// The books and traces opened on this device, books first.
pub fn own_books(read: &dyn Read) -> Result<Vec<Book>, StoreError> {
    let mut own: Vec<Book> = books(read)?.into_iter().filter(|book| book.own).collect();
    own.sort_by_key(|book| (book.closed, book.kind() == ReplicaKind::Trace, book.replica()));
    Ok(own)
}

/// How the entries of this device stand. `conflicts` is counted by whoever keeps an index of heads.
pub fn status(read: &dyn Read) -> Result<Status, StoreError> {
    let mut status = Status::default();
    for book in own_books(read)? {
        let receipted = book.receipted.min(book.held);
        status.written += book.held;
        status.safe += receipted;
        status.secured += book.secured.min(receipted);
        // What a closed book never got receipted is re-issued in its successor and counted there.
        status.pending += if book.closed { 0 } else { book.held - receipted };
        status.quarantined += book
            .verdicts
            .iter()
            .filter(|verdict| verdict.standing.is_quarantined())
            .count() as u64;
        status.waiting += book
            .verdicts
            .iter()
            .filter(|verdict| verdict.standing == Standing::WAITING)
            .count() as u64;
        status.last_receipt_ms = status.last_receipt_ms.max(book.receipted_at_ms);
    }
    Ok(status)
}

/// A record with its history.
pub fn history(read: &dyn Read, record: RecordId) -> Result<Option<History>, StoreError> {
    let record = reissue::alias(read, record)?.map_or(record, |alias| alias.now);
    let Some(head) = head(read, record)? else {
        return Ok(None);
    };
    let mut entries = Vec::with_capacity(head.revisions.len());
    for (_, dot) in &head.revisions {
        let Some(stored) = entry(read, *dot)? else {
            continue;
        };
        let Some(revision) = reissue::as_folded(read, *dot, &stored.entry)? else {
            continue;
        };
        entries.push(HistoryEntry {
            dot: *dot,
            header: revision.header,
            body: revision.body,
            received_at_ms: stored.received_at_ms,
            sealed: seal::holding_part(read, dot.replica, dot.counter)?.is_some(),
        });
    }
    Ok(Some(History { head, entries }))
}

/// Every merged record held, in order of record, from `after` on, at most `limit`.
pub fn heads(read: &dyn Read, after: Option<RecordId>, limit: usize) -> Result<Vec<Head>, StoreError> {
    let mut from = after.map_or_else(Vec::new, |record| keys::next(keys::entry(record)));
    let mut found = Vec::new();
    while found.len() < limit {
        let page = stretch::page_after(read, &from)?;
        for (dot, stored) in page.entries {
            let founds = stored.entry.header().is_ok_and(|header| header.record.is_none());
            let passed = after.is_some_and(|after| dot <= after);
            if passed || !founds || stored.standing != Standing::KEPT || found.len() == limit {
                continue;
            }
            found.extend(super::head_with(read, dot, &stored.entry)?);
        }
        let Some(next) = page.next else { break };
        from = next;
    }
    Ok(found)
}

/// The entries held apart under a dot that another entry has.
pub fn quarantined(read: &dyn Read) -> Result<Vec<QuarantinedEntry>, StoreError> {
    let pairs = read.scan(Table::Quarantine, &[], &keys::after(&[]), usize::MAX)?;
    pairs
        .iter()
        .map(|(_, bytes)| decode(Table::Quarantine, bytes))
        .collect()
}

/// The entries of a book from `first` on, at most `limit`.
pub fn log(
    read: &dyn Read,
    replica: beatbook_proto::ReplicaId,
    first: u64,
    limit: usize,
) -> Result<Vec<(Dot, StoredEntry)>, StoreError> {
    let mut entries = Vec::new();
    if limit == 0 {
        return Ok(entries);
    }
    stretch::each_held(read, replica, (first, u64::MAX), &mut |counter, stored| {
        entries.push((Dot { replica, counter }, stored.clone()));
        Ok(entries.len() < limit)
    })?;
    Ok(entries)
}

/// Finds a book by its label or, before it has one, by `new-3f2a`.
pub fn book_named(read: &dyn Read, name: &str) -> Result<Option<Book>, StoreError> {
    let fits = |book: &Book| match &book.label {
        Some(label) => label.as_str().eq_ignore_ascii_case(name),
        None => name
            .strip_prefix("new-")
            .is_some_and(|short| short.eq_ignore_ascii_case(&book.replica().short())),
    };
    // An own book wins over another's of the same label.
    let named: Vec<Book> = books(read)?.into_iter().filter(fits).collect();
    Ok(named.iter().find(|book| book.own).or(named.first()).cloned())
}

/// The dot that a record answers to, where its founding entry was re-issued.
pub fn record_name(read: &dyn Read, record: RecordId) -> Result<RecordId, StoreError> {
    let alias: Option<super::Alias> = load(read, Table::Aliases, &keys::entry(record))?;
    Ok(alias.map_or(record, |alias| alias.now))
}
