//! What the server holds, in numbers, and what waits in quarantine for a person.

use beatbook_core::ledger::{self, Book};
use beatbook_core::register::{self, Beat, Enrolment, Officer};
use beatbook_core::server;
use beatbook_core::store::{Read, StoreError};
use beatbook_proto::{Dot, Standing};
use serde::Serialize;

use crate::store::ServerStore;

/// What a server holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct StatusReport {
    /// The force's two-digit code.
    pub force: String,
    /// The force's name.
    pub name: String,
    /// The life of the log.
    pub epoch: String,
    /// The number of the latest acceptance.
    pub sequence: u64,
    /// Officers in the register.
    pub officers: u64,
    /// Beats in the register.
    pub beats: u64,
    /// Devices that are enrolled and admitted.
    pub devices: u64,
    /// Tokens issued and not used yet.
    pub tokens: u64,
    /// Devices revoked.
    pub revoked: u64,
    /// Books and traces held.
    pub books: u64,
    /// Entries held.
    pub entries: u64,
    /// Of them, covered by a verified backup.
    pub secured: u64,
    /// Entries held apart for a person to look at.
    pub quarantined: u64,
    /// Entries that wait for an earlier one.
    pub waiting: u64,
    /// The newest contact of any device, milliseconds since 1970.
    pub last_contact_ms: Option<i64>,
    /// Bytes of the journal on disk.
    pub journal_bytes: u64,
    /// Bytes of the index on disk.
    pub index_bytes: u64,
}

/// An entry in quarantine. Its words stay in the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct QuarantineRow {
    /// How people know the entry: `52/9123/B07/118`.
    pub entry: String,
    /// The officer's collar number.
    pub collar: String,
    /// Why: `malformed`, `not_permitted` or `dot_taken`.
    pub reason: &'static str,
    /// The family that it claims, where it reads.
    pub family: Option<String>,
    /// When the server received it, milliseconds since 1970.
    pub received_at_ms: i64,
    /// Its book.
    pub replica: String,
    /// Its number there.
    pub counter: u64,
}

impl ServerStore {
    /// Says what the server holds.
    pub fn status(&self) -> Result<StatusReport, StoreError> {
        let size = self.store().size();
        let mut report = self.read(report)?;
        report.force.clone_from(&self.config().force);
        report.name.clone_from(&self.config().name);
        report.journal_bytes = size.journal_bytes;
        report.index_bytes = size.index_bytes;
        Ok(report)
    }

    /// Lists what is in quarantine, book by book.
    pub fn quarantine(&self) -> Result<Vec<QuarantineRow>, StoreError> {
        self.read(|read| {
            let mut rows = Vec::new();
            let apart = ledger::quarantined(read)?;
            for book in ledger::books(read)? {
                let collar = collar_of(read, &book)?;
                for verdict in book
                    .verdicts
                    .iter()
                    .filter(|verdict| verdict.standing.is_quarantined())
                {
                    let dot = Dot {
                        replica: book.replica(),
                        counter: verdict.counter,
                    };
                    let Some(stored) = ledger::entry(read, dot)? else {
                        continue;
                    };
                    let header = stored.entry.header().ok();
                    rows.push(QuarantineRow {
                        entry: self.reference(&collar, &book, verdict.counter),
                        collar: collar.clone(),
                        reason: reason(verdict.standing),
                        family: header.map(|header| header.family.as_str().to_owned()),
                        received_at_ms: stored.received_at_ms,
                        replica: dot.replica.to_string(),
                        counter: dot.counter,
                    });
                }
                for held in apart.iter().filter(|held| held.dot.replica == book.replica()) {
                    let header = held.entry.header().ok();
                    rows.push(QuarantineRow {
                        entry: self.reference(&collar, &book, held.dot.counter),
                        collar: collar.clone(),
                        reason: reason(Standing::QUARANTINED_DOT_TAKEN),
                        family: header.map(|header| header.family.as_str().to_owned()),
                        received_at_ms: held.received_at_ms,
                        replica: held.dot.replica.to_string(),
                        counter: held.dot.counter,
                    });
                }
            }
            Ok(rows)
        })
    }

    /// How people know an entry of another's book.
    pub(crate) fn reference(&self, collar: &str, book: &Book, counter: u64) -> String {
        format!("{}/{collar}/{}", self.config().force, book.reference(counter))
    }
}

fn report(read: &dyn Read) -> Result<StatusReport, StoreError> {
    let mut report = StatusReport {
        epoch: server::epochs(read)?.map_or_else(String::new, |epochs| epochs.current.to_string()),
        sequence: server::sequence(read)?,
        officers: register::list::<Officer>(read)?.len() as u64,
        beats: register::list::<Beat>(read)?.len() as u64,
        quarantined: ledger::quarantined(read)?.len() as u64,
        ..StatusReport::default()
    };
    for device in register::list::<Enrolment>(read)? {
        let count = match (&device.key, device.revoked_at_ms) {
            (_, Some(_)) => &mut report.revoked,
            (Some(_), None) => &mut report.devices,
            (None, None) => &mut report.tokens,
        };
        *count += 1;
        report.last_contact_ms = report.last_contact_ms.max(device.last_contact_ms);
    }
    for book in ledger::books(read)? {
        report.books += 1;
        report.entries += book.held;
        report.secured += book.secured.min(book.held);
        for verdict in &book.verdicts {
            report.quarantined += u64::from(verdict.standing.is_quarantined());
            report.waiting += u64::from(verdict.standing == Standing::WAITING);
        }
    }
    Ok(report)
}

pub(crate) fn collar_of(read: &dyn Read, book: &Book) -> Result<String, StoreError> {
    let officer: Option<Officer> = register::get(read, book.opening.officer.as_bytes())?;
    Ok(officer.map_or_else(|| "unknown".to_owned(), |officer| officer.collar))
}

fn reason(standing: Standing) -> &'static str {
    match standing {
        Standing::QUARANTINED_MALFORMED => "malformed",
        Standing::QUARANTINED_NOT_PERMITTED => "not_permitted",
        Standing::QUARANTINED_DOT_TAKEN => "dot_taken",
        _ => "other",
    }
}
