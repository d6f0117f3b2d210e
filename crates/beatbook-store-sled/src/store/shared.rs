//! What the callers of a store and its committer share.

use std::any::Any;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use beatbook_core::planted::{Bug, is_planted};
use beatbook_core::store::{Open, Pairs, Read, Recent, StoreError, Table};
use parking_lot::{Mutex, RwLock};

use crate::anchor::Anchor;
use crate::disk::Disk;
use crate::error::OpenError;
use crate::index::{Index, Seals};
use crate::journal::frame::Keys;
use crate::seal::StoreKey;
use crate::state::State;
use crate::store::Options;
use crate::totals::Totals;
use crate::vault::{Unlock, Vault};

/// The parts of an open store.
pub(crate) struct Shared {
    pub(crate) dir: PathBuf,
    /// Folder of the journal: the same for as long as the store is open.
    pub(crate) journal_dir: PathBuf,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) options: Options,
    pub(crate) key: StoreKey,
    pub(crate) seals: Seals,
    pub(crate) journal_keys: Keys,
    /// Changed by the committer alone, and only for as long as it takes to apply a group that is durable.
    pub(crate) live: RwLock<Live>,
    pub(crate) anchor: Mutex<Option<Anchor>>,
    pub(crate) state: Mutex<State>,
    /// Held while the vault is replaced.
    pub(crate) vault: Mutex<()>,
    /// Frames after these sequences are being read by a backup.
    pub(crate) holds: Mutex<Vec<u64>>,
    latch: Mutex<Option<StoreError>>,
    latched: AtomicBool,
}

/// The state that readers see.
pub(crate) struct Live {
    /// Gone when the store is closed.
    pub(crate) index: Option<Index>,
    pub(crate) totals: Totals,
    pub(crate) sequence: u64,
}

/// Everything but the parts that [`Shared::new`] makes itself.
pub(crate) struct Parts {
    pub(crate) dir: PathBuf,
    pub(crate) options: Options,
    pub(crate) key: StoreKey,
    pub(crate) live: Live,
    pub(crate) anchor: Option<Anchor>,
    pub(crate) state: State,
}

impl Shared {
    pub(crate) fn new(parts: Parts) -> Self {
        Self {
            disk: Arc::clone(&parts.options.disk),
            journal_dir: parts.state.journal_dir(&parts.dir),
            seals: Seals::new(&parts.key),
            journal_keys: Keys::new(&parts.key),
            dir: parts.dir,
            options: parts.options,
            key: parts.key,
            live: RwLock::new(parts.live),
            anchor: Mutex::new(parts.anchor),
            state: Mutex::new(parts.state),
            vault: Mutex::new(()),
            holds: Mutex::new(Vec::new()),
            latch: Mutex::new(None),
            latched: AtomicBool::new(false),
        }
    }

    /// Runs `f` over one consistent durable state.
    pub(crate) fn read<T>(&self, f: impl FnOnce(&dyn Read) -> T) -> T {
        let live = self.live.read();
        f(&View::new(self, live.index.as_ref()))
    }

    /// Wraps the store key for another PIN or key.
    pub(crate) fn change_pin(&self, old: &Unlock, new: &Unlock) -> Result<(), OpenError> {
        let _alone = self.vault.lock();
        let disk = self.disk.as_ref();
        let secret = self.options.secret_path(&self.dir);
        let vault = Vault::read(disk, &self.dir)?;
        let key = vault.open(old, &secret, disk, &self.options.random)?;
        if matches!(new, Unlock::Pin(_)) {
            crate::vault::ensure_secret(disk, self.options.random.as_ref(), &secret)?;
        }
        Vault::wrap(&key, vault.store_id, new, self.options.pin_cost, &secret, disk)?.write(disk, &self.dir)
    }

    /// Raises the lease of a replica.
    pub(crate) fn lease(&self, replica: [u8; 16], counter: u64) -> Result<(), StoreError> {
        let mut anchor = self.anchor.lock();
        match anchor.as_mut() {
            Some(anchor) if anchor.state.is_trusted() => {
                anchor.lease(replica, counter).map_err(|error| error.in_store())
            }
            Some(_) => Err(StoreError::Io {
                reason: "the anchor does not match; adopt it first".into(),
            }),
            None => Err(StoreError::Io {
                reason: "the store was opened without an anchor".into(),
            }),
        }
    }

    /// How far the counters of a replica have been leased.
    pub(crate) fn leased(&self, replica: [u8; 16]) -> Option<u64> {
        self.anchor
            .lock()
            .as_ref()
            .and_then(|anchor| anchor.leased(replica))
    }

    /// True where the index met a full disk and is to be opened again once there is room.
    pub(crate) fn waits_for_room(&self) -> bool {
        self.live.read().index.as_ref().is_none_or(Index::is_stuck) && self.check().is_ok()
    }

    /// Shuts the store until it is opened again. The first reason stays.
    pub(crate) fn latch(&self, error: StoreError) -> StoreError {
        if is_planted(Bug::LatchForgotten) {
            return error;
        }
        let mut latch = self.latch.lock();
        let first = latch.get_or_insert(error).clone();
        self.latched.store(true, Ordering::Release);
        first
    }

    /// An error once the store has latched shut.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        if self.latched.load(Ordering::Acquire) {
            return Err(self.latch.lock().clone().unwrap_or_else(closed));
        }
        Ok(())
    }
}

/// Reads of the state that is durable.
pub(crate) struct View<'a> {
    shared: &'a Shared,
    index: Option<&'a Index>,
    recent: Recent,
}

impl<'a> View<'a> {
    pub(crate) fn new(shared: &'a Shared, index: Option<&'a Index>) -> Self {
        Self {
            shared,
            index,
            recent: Recent::default(),
        }
    }

    fn index(&self) -> Result<&Index, StoreError> {
        self.shared.check()?;
        // A closed store is latched: an index that is missing here waits for room on the disk.
        self.index.ok_or(StoreError::DiskFull)
    }
}

impl Read for View<'_> {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.index()?.get(table, key)
    }

    fn scan(&self, table: Table, from: &[u8], to: &[u8], limit: usize) -> Result<Pairs, StoreError> {
        self.index()?.scan(table, from, to, limit)
    }

    fn last(&self, table: Table, from: &[u8], to: &[u8]) -> Result<Option<(Vec<u8>, Vec<u8>)>, StoreError> {
        self.index()?.last(table, from, to)
    }

    fn first_opened(
        &self,
        table: Table,
        from: &[u8],
        to: &[u8],
        open: Open<'_>,
    ) -> Result<Option<Rc<dyn Any>>, StoreError> {
        self.recent.through(self.index()?, (table, from, to), open)
    }
}

/// The answer of a store that has been closed.
pub(crate) fn closed() -> StoreError {
    latched("it was closed")
}

pub(crate) fn latched(reason: impl Into<String>) -> StoreError {
    StoreError::Latched {
        reason: reason.into(),
    }
}
