//! A device's store, with its anchor outside: the notebook itself, and below it the ledger for what no app may ask.

use beatbook_core::ledger::{self, LedgerError};
use beatbook_core::store::Transaction;
use beatbook_field::{Notebook, Query, WriteError};
use beatbook_store_sled::{AnchorPlace, OpenReport, Store, Unlock};
use beatbook_tests::{enrolled_offline_with, note_draft, note_of};

use super::{Name, Refused, Side, Site, Step, not_opened, options, refused, token_of, words};

struct Book {
    book: Notebook,
    /// The number of its PIN.
    pin: usize,
}

struct Ledger {
    store: Store,
    report: OpenReport,
}

/// Makes the store.
pub(super) fn make(site: &Site) -> Result<Box<dyn Side>, Refused> {
    let made = enrolled_offline_with(&site.store(), &unlock(site, 0), device_options(site));
    let book = made.map_err(|error| notebook_refused(&error))?;
    Ok(Box::new(Book { book, pin: 0 }))
}

/// Opens the store.
pub(super) fn open(site: &Site, pin: usize) -> Result<Box<dyn Side>, Refused> {
    if matches!(
        site.name,
        Name::DeviceCompact | Name::DeviceLease | Name::DeviceNth | Name::DeviceRelease
    ) && !site.checks
    {
        let (store, report) = Store::open(site.store(), &unlock(site, pin), device_options(site))
            .map_err(|error| not_opened(&error))?;
        return Ok(Box::new(Ledger { store, report }));
    }
    let book = Notebook::open(site.store(), &unlock(site, pin), device_options(site))
        .map_err(|error| notebook_refused(&error))?;
    Ok(Box::new(Book { book, pin }))
}

impl Side for Book {
    fn write(&mut self, token: &str) -> Result<(), Refused> {
        match self.book.notes().write(note_of(&words(token))) {
            Ok(_) => Ok(()),
            Err(WriteError::DiskFull) => Err(Refused::Full),
            Err(error) => Err(Refused::Unknown(error.to_string())),
        }
    }

    fn act(&mut self, step: Step, number: usize) -> Result<(), Refused> {
        match step {
            Step::Pin => {
                self.book
                    .change_pin(&pin_of(self.pin), &pin_of(number))
                    .map_err(|error| not_opened(&error))?;
                self.pin = number;
                Ok(())
            }
            // The notebook makes its own checkpoints.
            Step::Checkpoint => Ok(()),
            other => Err(Refused::Unknown(format!(
                "a notebook does not know the step {other:?}"
            ))),
        }
    }

    fn tokens(&self) -> Result<Vec<String>, String> {
        let status = self.book.status().map_err(|error| error.to_string())?;
        if let Some(new_book) = status.new_book {
            return Err(format!("a power cut was taken for an older copy: {new_book:?}"));
        }
        let mut tokens = Vec::new();
        let mut counters = Vec::new();
        let mut query = Query::all();
        loop {
            let page = self.book.list(&query).map_err(|error| error.to_string())?;
            for record in &page.records {
                let held = record.fields.text(beatbook_records::field::BODY);
                tokens.push(token_of(held.unwrap_or_default())?);
                counters.push(record.id.counter);
            }
            match page.next {
                Some(next) => query = query.after(next),
                None => break,
            }
        }
        counters.sort_unstable();
        // The first entry opens the book.
        if !counters.iter().copied().eq(2..2 + counters.len() as u64) {
            return Err(format!("entry numbers with gaps: {counters:?}"));
        }
        Ok(tokens)
    }

    fn verify(&self, _made: bool) -> Result<(), String> {
        self.book.verify().map_err(|error| error.to_string())?;
        let found = self.book.check().map_err(|error| error.to_string())?;
        match found.problems.as_slice() {
            [] => Ok(()),
            problems => Err(format!("the check finds {problems:?}")),
        }
    }

    fn report(&self) -> Option<OpenReport> {
        Some(self.book.open_report().clone())
    }

    fn close(self: Box<Self>) -> Result<(), Refused> {
        self.book.close().map_err(|error| refused(&error))
    }
}

impl Side for Ledger {
    fn write(&mut self, token: &str) -> Result<(), Refused> {
        let books = self
            .store
            .read(ledger::own_books)
            .map_err(|error| refused(&error))?;
        let book = books
            .iter()
            .find(|book| !book.closed)
            .ok_or_else(|| Refused::Unknown("no book is open".to_owned()))?;
        let replica = *book.replica().as_bytes();
        self.store
            .lease(replica, book.held + 8)
            .map_err(|error| refused(&error))?;
        let draft = note_draft(book.opening.officer, &words(token));
        let stored = self.store.commit(move |tx: &mut Transaction<'_>| {
            ledger::write(tx, draft)?;
            Ok::<_, LedgerError>(())
        });
        match stored {
            Ok(_) => Ok(()),
            Err(LedgerError::Store(error)) => Err(refused(&error)),
            Err(error) => Err(Refused::Unknown(error.to_string())),
        }
    }

    fn act(&mut self, step: Step, number: usize) -> Result<(), Refused> {
        let done = match step {
            Step::Checkpoint => self.store.checkpoint(),
            Step::Release => self.store.release(self.store.sequence()),
            Step::Compact => self.store.compact(),
            Step::Lease => self.store.lease([number as u8; 16], 1_000 * number as u64),
            other => {
                return Err(Refused::Unknown(format!(
                    "a ledger does not know the step {other:?}"
                )));
            }
        };
        done.map_err(|error| refused(&error))
    }

    fn tokens(&self) -> Result<Vec<String>, String> {
        Err("a ledger is read as a notebook".to_owned())
    }

    fn verify(&self, _made: bool) -> Result<(), String> {
        self.store.verify().map(|_| ()).map_err(|error| error.to_string())
    }

    fn report(&self) -> Option<OpenReport> {
        Some(self.report.clone())
    }

    fn close(self: Box<Self>) -> Result<(), Refused> {
        self.store.close().map_err(|error| refused(&error))
    }
}

/// How far the numbers of a replica are leased, as the store itself says.
pub(super) fn leased(site: &Site, replica: [u8; 16]) -> Result<Option<u64>, String> {
    let (store, _) = Store::open(site.store(), &unlock(site, 0), device_options(site))
        .map_err(|error| error.to_string())?;
    let leased = store.leased(replica);
    store.close().map_err(|error| error.to_string())?;
    Ok(leased)
}

fn device_options(site: &Site) -> beatbook_store_sled::Options {
    // Beside the notebook, in a folder that stands for the phone's keystore.
    options(AnchorPlace::At(site.root.join("keystore/anchor")))
}

fn unlock(site: &Site, pin: usize) -> Unlock {
    if site.name == Name::DevicePin {
        pin_of(pin)
    } else {
        Unlock::keystore([7; 32])
    }
}

fn pin_of(number: usize) -> Unlock {
    Unlock::pin(format!("{:06}", 271_828 + number))
}

fn notebook_refused(error: &beatbook_field::OpenError) -> Refused {
    match error {
        beatbook_field::OpenError::Open(error) => not_opened(error),
        beatbook_field::OpenError::Store(error) => refused(error),
        other => Refused::Unknown(other.to_string()),
    }
}
