//! The store: what a device or a server opens, reads, and commits to.

pub(crate) mod committer;
mod copying;
mod heal;
mod opening;
mod repair;
mod report;
pub(crate) mod shared;
mod solo;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

use beatbook_core::store::{Durable, Read, StoreError, Transaction};
use parking_lot::Mutex;

use crate::anchor::AnchorPlace;
use crate::disk::{Disk, RealDisk};
use crate::engine::{Engine, SledEngine};
use crate::error::OpenError;
use crate::random::{Random, SystemRandom};
use crate::store::committer::{Message, Ran, Turn};
use crate::store::shared::Shared;
use crate::vault::{PinCost, Unlock, beside};

pub use copying::{BackupProgress, BackupReport, RestoreReport};
pub use repair::{Lost, Mended, RepairReport, RepairSource};
pub use report::{OpenReport, Rebuilt, Size, VerifyReport};
pub use solo::{Job, Leases, Solo};

/// How a store is opened. [`Options::default`] is right for a device.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the anchor is. A server has none.
    pub anchor: AnchorPlace,
    /// The file with the device's secret, if it is not `<store>.secret`. Only a PIN needs it.
    pub device_secret: Option<PathBuf>,
    /// What one guess of a new PIN costs.
    pub pin_cost: PinCost,
    /// Memory for the index's cache.
    pub cache_bytes: u64,
    /// Length at which a journal segment is full.
    pub segment_bytes: u64,
    /// Journal bytes after which the index is made durable.
    pub checkpoint_bytes: u64,
    /// Free space below which writing is refused, so that opening stays possible.
    pub free_bytes_min: u64,
    /// Goes on with what the journal holds where the index is lost and the journal does not reach back to the
    /// start. What is missing is told in [`OpenReport::rebuilt`] and must be fetched again.
    pub repair: bool,
    /// The disk under the journal, the small files and the folders.
    pub disk: Arc<dyn Disk>,
    /// What keeps the rows of the index.
    pub engine: Arc<dyn Engine>,
    /// Where keys, nonces and open ids are drawn.
    pub random: Arc<dyn Random>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            anchor: AnchorPlace::Beside,
            device_secret: None,
            pin_cost: PinCost::default(),
            cache_bytes: 32 << 20,
            segment_bytes: 8 << 20,
            checkpoint_bytes: 16 << 20,
            free_bytes_min: 8 << 20,
            repair: false,
            disk: Arc::new(RealDisk),
            engine: Arc::new(SledEngine),
            random: Arc::new(SystemRandom),
        }
    }
}

/// An open store. Clones are the same store; it is closed by [`Store::close`] or with its last clone.
///
/// Every call blocks; none may be made on an async runtime's own threads. One thread of the store runs every
/// commit: a job that waits for another commit waits for ever.
#[derive(Clone)]
pub struct Store {
    handle: Arc<Handle>,
}

/// The last of these closes the store.
struct Handle {
    shared: Arc<Shared>,
    sender: Sender<Message>,
    committer: Mutex<Option<JoinHandle<()>>>,
}

impl Store {
    /// Makes a store in `dir`, which must be empty or not exist, and opens it.
    pub fn create(
        dir: impl AsRef<Path>,
        unlock: &Unlock,
        options: Options,
    ) -> Result<(Self, OpenReport), OpenError> {
        opening::create(dir.as_ref(), unlock, &options)?;
        Self::open(dir, unlock, options)
    }

    /// Opens the store in `dir`: cuts a torn tail, replays what the index lacks, and checks every table.
    pub fn open(
        dir: impl AsRef<Path>,
        unlock: &Unlock,
        options: Options,
    ) -> Result<(Self, OpenReport), OpenError> {
        let (solo, report) = Solo::open(dir.as_ref(), unlock, options)?;
        let committer = solo.into_committer();
        let shared = Arc::clone(committer.shared());
        let (sender, receiver) = channel();
        let thread = std::thread::Builder::new()
            .name("beatbook-store".into())
            .spawn(move || committer.run(&receiver))
            .map_err(|error| OpenError::io(dir.as_ref(), error))?;
        let handle = Handle {
            shared,
            sender,
            committer: Mutex::new(Some(thread)),
        };
        Ok((
            Self {
                handle: Arc::new(handle),
            },
            report,
        ))
    }

    /// True where a store has been made in `dir`.
    pub fn exists(dir: impl AsRef<Path>) -> bool {
        crate::state::is_store(&RealDisk, dir.as_ref())
    }

    /// Runs `f` over one consistent durable state. Commits wait meanwhile; `f` must not call the store.
    pub fn read<T>(&self, f: impl FnOnce(&dyn Read) -> T) -> T {
        if self.handle.shared.waits_for_room() && !self.handle.is_this_thread() {
            // Without room again the reads say so.
            let _ = self.ask(Message::Heal);
        }
        self.handle.shared.read(f)
    }

    /// Runs `job` in a transaction on the store's thread and returns when its writes are durable.
    ///
    /// Jobs that have gathered share one journal frame and one fsync. A job that returns an error has its own
    /// writes discarded. After [`StoreError::Latched`] it is not known whether the writes were stored: open
    /// the store again and look.
    pub fn commit<T, E>(
        &self,
        job: impl FnOnce(&mut Transaction<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<Durable<T>, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (sender, receiver) = channel();
        self.commit_then(job, move |result| {
            // The caller waits below for as long as this call lasts.
            let _ = sender.send(result);
        });
        receiver.recv().unwrap_or_else(|_| Err(E::from(shared::closed())))
    }

    /// As [`Store::commit`], the answer handed to `done` on the store's thread, where it must not block.
    ///
    /// Returns at once. Jobs wait in a queue without a bound: the caller limits how many it has under way.
    pub fn commit_then<T, E>(
        &self,
        job: impl FnOnce(&mut Transaction<'_>) -> Result<T, E> + Send + 'static,
        done: impl FnOnce(Result<Durable<T>, E>) + Send + 'static,
    ) where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let task = Box::new(move |turn: Turn<'_, '_>| Ran::of(turn, job, done));
        if let Err(refused) = self.handle.sender.send(Message::Commit(task))
            && let Message::Commit(task) = refused.0
        {
            let ran = task(Err(shared::closed()));
            (ran.finish)(Err(shared::closed()));
        }
    }

    /// Makes the index durable, so that the next open has less to replay.
    pub fn checkpoint(&self) -> Result<(), StoreError> {
        self.ask(Message::Checkpoint)
    }

    /// Lets journal segments go whose frames are all at or before `upto`: what a device has secured, what a
    /// server's backup covers. Without it no segment is ever removed. It holds until the store is closed.
    pub fn release(&self, upto: u64) -> Result<(), StoreError> {
        self.ask(|reply| Message::Release(upto, reply))
    }

    /// Sequence of the last durable journal frame that readers see.
    pub fn sequence(&self) -> u64 {
        self.handle.shared.live.read().sequence
    }

    /// Authenticates every value of the index and every frame of the journal. Commits wait meanwhile.
    pub fn verify(&self) -> Result<VerifyReport, OpenError> {
        report::verify(&self.handle.shared)
    }

    /// How much disk the store takes, and how much of it is live.
    pub fn size(&self) -> Size {
        report::size(&self.handle.shared)
    }

    /// Writes the index anew into another folder and switches to it, which gives the space of dead rows back.
    pub fn compact(&self) -> Result<(), StoreError> {
        self.ask(Message::Compact)
    }

    /// Wraps the store key for another PIN or key; no data is rewritten. `old` must open the store.
    pub fn change_pin(&self, old: &Unlock, new: &Unlock) -> Result<(), OpenError> {
        self.handle.shared.change_pin(old, new)
    }

    /// Raises, durably and outside the store, how far the counters of a replica may be used.
    pub fn lease(&self, replica: [u8; 16], counter: u64) -> Result<(), StoreError> {
        self.handle.shared.lease(replica, counter)
    }

    /// How far the counters of a replica have been leased, as far as the anchor knows.
    pub fn leased(&self, replica: [u8; 16]) -> Option<u64> {
        self.handle.shared.leased(replica)
    }

    /// Takes the store as it is for the one that its anchor means, after the core has dealt with a mismatch.
    pub fn adopt_anchor(&self) -> Result<(), StoreError> {
        self.ask(Message::AdoptAnchor)
    }

    /// Closes the store: makes the index durable and ends the journal. Other clones get errors from here on.
    pub fn close(self) -> Result<(), StoreError> {
        let closed = self.ask(Message::Close);
        self.handle.join();
        closed
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.handle.shared
    }

    fn ask(&self, message: impl FnOnce(Sender<Result<(), StoreError>>) -> Message) -> Result<(), StoreError> {
        let (sender, receiver) = channel();
        self.handle
            .sender
            .send(message(sender))
            .map_err(|_| shared::closed())?;
        receiver.recv().unwrap_or_else(|_| Err(shared::closed()))
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("dir", &self.handle.shared.dir)
            .finish_non_exhaustive()
    }
}

impl Options {
    pub(crate) fn secret_path(&self, dir: &Path) -> PathBuf {
        self.device_secret
            .clone()
            .unwrap_or_else(|| beside(dir, ".secret"))
    }

    pub(crate) fn anchor_path(&self, dir: &Path) -> Option<PathBuf> {
        match &self.anchor {
            AnchorPlace::At(path) => Some(path.clone()),
            AnchorPlace::Beside => Some(beside(dir, ".anchor")),
            AnchorPlace::Nowhere => None,
        }
    }
}

impl Handle {
    /// True on the store's own thread, which must not wait for itself.
    fn is_this_thread(&self) -> bool {
        let committer = self.committer.lock();
        committer
            .as_ref()
            .is_some_and(|committer| committer.thread().id() == std::thread::current().id())
    }

    fn join(&self) {
        let Some(thread) = self.committer.lock().take() else {
            return;
        };
        // The last clone can be dropped by a callback, on the very thread that would be waited for.
        if thread.thread().id() != std::thread::current().id() {
            // A panic there has been told to whoever waited for an answer.
            let _ = thread.join();
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let (sender, _receiver) = channel();
        // The committer is already gone if the store was closed.
        let _ = self.sender.send(Message::Close(sender));
        self.join();
    }
}
