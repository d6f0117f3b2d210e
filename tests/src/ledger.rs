//! The ledger of a device, written to directly: for entries that no client of ours would write.

use beatbook_core::ledger::{self, Draft, LedgerError};
use beatbook_core::store::Transaction;
use beatbook_field::Unlock;
use beatbook_proto::{ClockSource, Code, Instant, OfficerId, ReplicaKind, RevisionKind, Stamp};
use beatbook_records::build::{Author, Interval, Note, Setting};
use beatbook_records::vocabulary::NoteKind;
use beatbook_store_sled::{Options, Store};

use crate::device::{Device, PIN};

/// The store of an enrolled device, opened past the field library. Nobody else may hold it meanwhile.
#[derive(Debug)]
pub struct Ledger {
    store: Store,
}

impl Ledger {
    /// Opens the store of a device, and leases the numbers that will be needed.
    pub fn open(device: &Device) -> Self {
        let (store, report) =
            Store::open(device.store(), &Unlock::pin(PIN), Options::default()).expect("the store opens");
        assert!(report.anchor.is_trusted(), "the store is not its own: {report:?}");
        for book in store.read(ledger::own_books).expect("the store can be read") {
            let replica = *book.replica().as_bytes();
            store
                .lease(replica, book.held + LEASE)
                .expect("the anchor can be written");
        }
        Self { store }
    }

    /// The draft of an ordinary note on beat C02.
    pub fn note(&self, body: &str) -> Draft {
        let books = self.store.read(ledger::own_books).expect("the store can be read");
        note_draft(books.first().expect("a book is open").opening.officer, body)
    }

    /// Writes a draft without asking whether the family allows it.
    pub fn write(&self, draft: Draft) {
        self.store
            .commit(move |transaction: &mut Transaction<'_>| {
                ledger::write(transaction, draft)?;
                Ok::<_, LedgerError>(())
            })
            .expect("the ledger takes it");
    }
}

/// The draft of an ordinary note of an officer on beat C02.
pub fn note_draft(officer: OfficerId, body: &str) -> Draft {
    let mut note = note_of(body);
    note.setting.author = Some(Author {
        officer,
        collar: None,
        force: None,
        role: None,
    });
    Draft {
        log: ReplicaKind::Book,
        token: None,
        family: Code::new(Note::FAMILY).expect("a word"),
        kind: RevisionKind::CREATE,
        schema: 1,
        recorded_at: Stamp {
            utc_ms: NOW.utc_ms,
            offset_min: NOW.offset_min,
            source: ClockSource::DEVICE,
            uncertainty_ms: 0,
        },
        reason: None,
        ops: note.ops().expect("an ordinary note"),
    }
}

/// A note on beat C02.
pub fn note_of(body: &str) -> Note {
    let setting = Setting {
        beat: "52/C02".to_owned(),
        occurred: Some(Interval::since(NOW)),
        ..Setting::default()
    };
    Note::new(setting, NoteKind::Observation, body)
}

/// A shift of long ago: no rule looks at how long ago it was written.
const NOW: Instant = Instant {
    utc_ms: 1_794_060_000_000,
    offset_min: 0,
};
const LEASE: u64 = 10_000;
