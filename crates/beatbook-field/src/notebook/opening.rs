//! Opening a notebook: the store, who writes in it, whether it is an older copy of itself, and the index.

use std::path::Path;
use std::sync::Arc;

use beatbook_core::device::{DeviceEnv, reopen_after_loss, reopen_books};
use beatbook_core::ledger::{self, CheckNothing, LedgerError};
use beatbook_core::store::{Read, StoreError, Transaction};
use beatbook_quic::{Dialer, IdentityError};
use beatbook_store_sled::{AnchorState, OpenReport, Options, RepairError, RepairReport, Store, Unlock};
use parking_lot::{Mutex, RwLock};
use tokio::sync::{broadcast, watch};

use super::{EVENTS_MAX, Inner, Notebook, WeakNotebook};
use crate::clock;
use crate::enrol;
use crate::event::NewBook;
use crate::identity::{Credentials, Enrolled};
use crate::index::Index;
use crate::lease;
use crate::show;
use crate::status::Coverage;

/// Why a notebook was not opened or made. Nothing that was written is lost.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// What enrolment gave does not belong together.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The ledger refuses to open the books.
    #[error(transparent)]
    Ledger(LedgerError),
    /// The store was made, and no device was enrolled in it.
    #[error("this store holds no enrolment; enrol this device first")]
    NotEnrolled,
    /// The store could not be opened: a wrong PIN, another process, damage. The message says what to do.
    #[error(transparent)]
    Open(#[from] beatbook_store_sled::OpenError),
    /// The store could not be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<LedgerError> for OpenError {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Store(error) => Self::Store(error),
            other => Self::Ledger(other),
        }
    }
}

impl From<lease::LeaseError> for OpenError {
    fn from(error: lease::LeaseError) -> Self {
        match error {
            lease::LeaseError::Spent(error) | lease::LeaseError::Store(error) => Self::Store(error),
        }
    }
}

/// True where a notebook has been made at `path`, also one whose enrolment was killed at its very end.
pub fn is_notebook(path: impl AsRef<Path>) -> bool {
    Store::exists(&path) || Store::exists(enrol::aside(path.as_ref()))
}

impl Notebook {
    /// Makes a notebook for credentials that were made elsewhere, and opens its first book.
    /// [`Notebook::enrol`] does the same with a token.
    pub fn create(
        path: impl AsRef<Path>,
        unlock: &Unlock,
        options: Options,
        credentials: &Credentials,
    ) -> Result<Self, OpenError> {
        let enrolled = Enrolled::new(credentials)?;
        let (store, report) = Store::create(&path, unlock, options)?;
        found(&store, &report, enrolled)?;
        Self::opened(path.as_ref(), store, report)
    }

    /// Opens a notebook. Where the store turns out to be an older copy, a new book is opened:
    /// [`crate::Status::new_book`] says so.
    pub fn open(path: impl AsRef<Path>, unlock: &Unlock, options: Options) -> Result<Self, OpenError> {
        let path = path.as_ref();
        enrol::finish(path, unlock, &options)?;
        let (store, report) = Store::open(path, unlock, options)?;
        Self::opened(path, store, report)
    }

    /// Repairs the store of a notebook that is open nowhere, and checks all of it.
    ///
    /// Where something was lost, the next open begins a new book, and the next sync fetches what the server holds.
    pub fn repair(
        path: impl AsRef<Path>,
        unlock: &Unlock,
        options: &Options,
    ) -> Result<RepairReport, RepairError> {
        Store::repair(path, unlock, options, None)
    }

    pub(crate) fn opened(path: &Path, store: Store, report: OpenReport) -> Result<Self, OpenError> {
        let enrolled = store.read(Enrolled::load)?.ok_or(OpenError::NotEnrolled)?;
        let new_book = renew_if_copied(&store, &report)?;
        let index = store.read(|read| build_index(read))?;
        let status = store.read(ledger::status)?;
        let (shower, shown) = std::sync::mpsc::channel();
        let inner = Inner {
            dir: path.to_path_buf(),
            anchored: report.anchor != AnchorState::Unused,
            dialer: Dialer::new(enrolled.client_identity()?)?,
            enrolled,
            report,
            new_book: Mutex::new(new_book),
            index: RwLock::new(index),
            events: broadcast::Sender::new(EVENTS_MAX),
            written: watch::Sender::new(0),
            coverage: watch::Sender::new(Coverage::Offline),
            quarantined: Mutex::new(status.quarantined),
            shower,
            session: tokio::sync::Mutex::new(()),
            store,
        };
        let inner = Arc::new(inner);
        let weak = WeakNotebook(Arc::downgrade(&inner));
        std::thread::Builder::new()
            .name("beatbook-index".into())
            .spawn(move || show::run(&weak, &shown))
            .map_err(|error| StoreError::Io {
                reason: error.to_string(),
            })?;
        Ok(Self { inner })
    }
}

/// Keeps the identity and opens the first book and trace, in one commit.
pub(crate) fn found(store: &Store, report: &OpenReport, enrolled: Enrolled) -> Result<(), OpenError> {
    let (anchored, lessor) = (report.anchor != AnchorState::Unused, store.clone());
    let fresh = clock::fresh_replicas()?;
    store.commit(move |tx| {
        enrolled.save(tx)?;
        ledger::open_books(tx, &enrolled.identity, fresh, clock::stamp())?;
        if anchored {
            lease::cover(&lessor, tx)?;
        }
        Ok::<_, OpenError>(())
    })?;
    Ok(())
}

/// Opens new books where the store may have issued numbers that it does not remember.
fn renew_if_copied(store: &Store, report: &OpenReport) -> Result<Option<NewBook>, OpenError> {
    let why = match report.anchor {
        _ if report.lost => NewBook::Repaired,
        AnchorState::Mismatch { .. } => NewBook::OlderCopy,
        AnchorState::Missing => NewBook::AnchorMissing,
        // More was written than was leased: the anchor is the older one.
        AnchorState::Matches if is_over_lease(store)? => NewBook::OlderCopy,
        _ => return Ok(None),
    };
    tracing::warn!(?why, "the store does not match its anchor: opening new books");
    let (seed, fresh) = (clock::random()?, clock::fresh_replicas()?);
    store.commit(move |tx: &mut Transaction<'_>| {
        let enrolled = Enrolled::load(tx)?.ok_or(OpenError::NotEnrolled)?;
        let env = DeviceEnv {
            identity: &enrolled.identity,
            signer: &enrolled.signer,
            server_key: enrolled.server_key(),
            check: &CheckNothing,
            seed,
            fresh,
            now: clock::stamp(),
        };
        match why {
            NewBook::Repaired => reopen_after_loss(tx, &env)?,
            _ => reopen_books(tx, &env)?,
        }
        Ok::<_, OpenError>(())
    })?;
    // Only then: a crash in between shows the mismatch again.
    store.adopt_anchor()?;
    if report.anchor != AnchorState::Unused {
        let lessor = store.clone();
        store.commit(move |tx| Ok::<_, OpenError>(lease::cover(&lessor, tx)?))?;
    }
    Ok(Some(why))
}

fn is_over_lease(store: &Store) -> Result<bool, StoreError> {
    let books = store.read(ledger::own_books)?;
    let over = |book: &ledger::Book| {
        let leased = store.leased(*book.replica().as_bytes()).unwrap_or(0);
        // The opening of a first book can be durable before its lease is.
        !book.closed && book.held > leased.max(1)
    };
    Ok(books.iter().any(over))
}

fn build_index(read: &dyn Read) -> Result<Index, StoreError> {
    let mut index = Index::default();
    let mut after = None;
    loop {
        let heads = ledger::heads(read, after, HEADS_AT_ONCE)?;
        let Some(last) = heads.last() else {
            return Ok(index);
        };
        after = Some(last.record);
        for head in &heads {
            index.put(head, super::reading::recorded_ms(read, head)?);
        }
    }
}

/// Heads read at once while the index is built.
const HEADS_AT_ONCE: usize = 512;
