//! The notebook: an open store with everything that was written and read on this device.

mod opening;
mod reading;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Weak};

use beatbook_core::register::EnrolledAs;
use beatbook_core::store::StoreError;
use beatbook_proto::RecordId;
use beatbook_quic::{Dialer, ServerAddress};
use beatbook_store_sled::{OpenReport, Size, Store, Unlock, VerifyReport, control};
use parking_lot::{Mutex, RwLock};
use tokio::sync::{broadcast, oneshot, watch};

use crate::event::{Event, NewBook};
use crate::identity::Enrolled;
use crate::index::Index;
use crate::show::Shown;
use crate::status::Coverage;

pub(crate) use opening::found;
pub use opening::{OpenError, is_notebook};
pub use reading::{Changes, FindError, ReadError, Update};

/// A notebook. Clones are the same notebook.
///
/// Every call blocks for as long as the disk takes; on an async runtime use [`Notebook::off_thread`]. A write has
/// returned when it is durable on this device, and waits for nothing else. Dropping the last clone closes the store.
#[derive(Clone)]
pub struct Notebook {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    dir: PathBuf,
    anchored: bool,
    enrolled: Enrolled,
    dialer: Dialer,
    report: OpenReport,
    new_book: Mutex<Option<NewBook>>,
    index: RwLock<Index>,
    events: broadcast::Sender<Event>,
    /// Counts writes on this device, for whoever sends them.
    written: watch::Sender<u64>,
    coverage: watch::Sender<Coverage>,
    /// Own entries that stood in quarantine when the app was last told.
    quarantined: Mutex<u64>,
    /// What the thread that keeps index and app up to date is to show.
    shower: Sender<Shown>,
    /// Held for the length of a session: never two at once.
    session: tokio::sync::Mutex<()>,
}

impl Notebook {
    /// Closes the store: makes the index durable and ends the journal. Other clones get errors from here on.
    pub fn close(self) -> Result<(), StoreError> {
        self.inner.store.clone().close()
    }

    /// Wraps the store's key for another PIN or key; nothing else is rewritten. `old` must be the present one.
    pub fn change_pin(&self, old: &Unlock, new: &Unlock) -> Result<(), beatbook_store_sled::OpenError> {
        self.inner.store.change_pin(old, new)
    }

    /// How much disk the store takes.
    pub fn size(&self) -> Size {
        self.inner.store.size()
    }

    /// Authenticates every value of the store and every frame of its journal.
    pub fn verify(&self) -> Result<VerifyReport, beatbook_store_sled::OpenError> {
        self.inner.store.verify()
    }

    /// Where the store is.
    pub fn path(&self) -> &Path {
        &self.inner.dir
    }

    /// Who writes here, as the server said at enrolment.
    pub fn officer(&self) -> &EnrolledAs {
        &self.inner.enrolled.told
    }

    /// The server that enrolled this device.
    pub fn server(&self) -> &ServerAddress {
        &self.inner.enrolled.server
    }

    /// What opening the store found and did.
    pub fn open_report(&self) -> &OpenReport {
        &self.inner.report
    }

    /// What happens from here on. A receiver that falls behind is told how much it missed.
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.inner.events.subscribe()
    }

    /// How the server can be reached, as it changes.
    pub fn coverage(&self) -> watch::Receiver<Coverage> {
        self.inner.coverage.subscribe()
    }

    /// Runs a blocking call on a thread of its own: `book.off_thread(|book| book.status()).await`.
    ///
    /// The call goes on to its end even if the future is dropped. `None` if it panicked, or the runtime shuts down.
    pub async fn off_thread<T: Send + 'static>(
        &self,
        call: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> Option<T> {
        let book = self.clone();
        tokio::task::spawn_blocking(move || call(&book)).await.ok()
    }

    /// Lets other commands on this notebook through, until the [`control::Control`] is dropped: drop it before
    /// [`Notebook::close`].
    pub fn serve_control(
        &self,
        handler: impl Fn(&control::Request, &control::Reply) -> u8 + Send + Sync + 'static,
    ) -> Result<control::Control, control::ServeError> {
        control::serve(&self.inner.store, handler)
    }

    pub(crate) fn store(&self) -> &Store {
        &self.inner.store
    }

    pub(crate) fn enrolled(&self) -> &Enrolled {
        &self.inner.enrolled
    }

    pub(crate) fn dialer(&self) -> &Dialer {
        &self.inner.dialer
    }

    pub(crate) fn is_anchored(&self) -> bool {
        self.inner.anchored
    }

    pub(crate) fn session(&self) -> &tokio::sync::Mutex<()> {
        &self.inner.session
    }

    pub(crate) fn writes(&self) -> watch::Receiver<u64> {
        self.inner.written.subscribe()
    }

    pub(crate) fn set_coverage(&self, coverage: Coverage) {
        let syncing = coverage == Coverage::Syncing;
        let changed = self.inner.coverage.send_if_modified(|held| {
            let differs = *held != coverage;
            *held = coverage;
            differs
        });
        if changed && !syncing {
            // What waited for the session to be done with the disk and the processor goes on.
            self.show(Shown::Rested);
        }
    }

    /// True while news goes out or comes in.
    pub(crate) fn is_syncing(&self) -> bool {
        *self.inner.coverage.borrow() == Coverage::Syncing
    }

    /// Hands something to the thread that keeps index and app up to date.
    pub(crate) fn show(&self, shown: Shown) {
        // The thread lives as long as the notebook does.
        let _ = self.inner.shower.send(shown);
    }

    /// Waits until everything handed over so far has been shown.
    pub(crate) async fn shown(&self) {
        let (reached, mark) = oneshot::channel();
        self.show(Shown::Mark(reached));
        let _ = mark.await;
    }

    /// Tells the app; nobody listening is no failure.
    pub(crate) fn tell(&self, event: Event) {
        let _ = self.inner.events.send(event);
    }

    pub(crate) fn tell_new_book(&self, why: NewBook) {
        *self.inner.new_book.lock() = Some(why);
        self.tell(Event::NewBookOpened { why });
    }

    pub(crate) fn new_book(&self) -> Option<NewBook> {
        *self.inner.new_book.lock()
    }

    /// After a write of this device: index, agent, app.
    pub(crate) fn wrote(&self, record: RecordId) {
        self.refresh(&[record]);
        self.inner
            .written
            .send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Tells of entries that have come into quarantine since the app was last told.
    pub(crate) fn tell_quarantined(&self) {
        let Ok(status) = self.store().read(beatbook_core::ledger::status) else {
            return;
        };
        let mut told = self.inner.quarantined.lock();
        if status.quarantined > *told {
            self.tell(Event::Quarantined {
                entries: status.quarantined,
            });
        }
        *told = status.quarantined;
    }
}

impl fmt::Debug for Notebook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notebook")
            .field("dir", &self.inner.dir)
            .finish_non_exhaustive()
    }
}

/// A notebook that goes when all others of it have gone.
pub(crate) struct WeakNotebook(Weak<Inner>);

impl WeakNotebook {
    pub(crate) fn upgrade(&self) -> Option<Notebook> {
        self.0.upgrade().map(|inner| Notebook { inner })
    }
}

/// Events that a slow listener may fall behind.
const EVENTS_MAX: usize = 1_024;

#[cfg(test)]
mod tests;
