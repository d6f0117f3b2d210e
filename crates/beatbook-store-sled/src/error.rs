//! Errors of opening, copying and restoring a store, and how failures of the parts become [`StoreError`].

use std::io;
use std::path::{Path, PathBuf};

use beatbook_core::store::StoreError;

/// Why a store could not be made or opened. Nothing in it has been changed, other than where the variant says so.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// There is already something in the folder: choose another one.
    #[error("{} already exists and is not empty; choose another folder", path.display())]
    AlreadyExists {
        /// The folder.
        path: PathBuf,
    },
    /// A file does not hold what was written to it: keep the folder as it is and call [`crate::Store::repair`].
    #[error("{} is damaged at byte {offset} ({what}); keep the folder as it is and repair the store", file.display())]
    Damaged {
        /// The damaged file.
        file: PathBuf,
        /// Where in it.
        offset: u64,
        /// What did not hold.
        what: &'static str,
    },
    /// The file with the device's secret is missing or damaged: without it a PIN opens nothing.
    #[error("the device secret {} is missing or damaged; this store opens only on the device it was made on", path.display())]
    DeviceSecret {
        /// The file.
        path: PathBuf,
    },
    /// The disk is full: free some space and open again.
    #[error("the disk is full; free space and open the store again")]
    DiskFull,
    /// The system could not read or write a file.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another process, or another part of this one, holds the store: go through it, or stop it.
    #[error("another process holds this store (pid {pid}); use that one, or stop it first")]
    Locked {
        /// The process that wrote the lock, 0 if it is not known.
        pid: u32,
    },
    /// The index is lost and the journal does not reach back to the start: call [`crate::Store::repair`] with a
    /// backup, or open with [`crate::Options::repair`] to go on with what the journal alone holds.
    #[error("the index {} cannot be used ({why}) and the journal begins after entry {lost_before}; repair the store with its last backup", index.display())]
    NeedsRepair {
        /// The index, set aside by the repair and never deleted.
        index: PathBuf,
        /// What is wrong with it.
        why: String,
        /// The journal holds nothing up to this sequence.
        lost_before: u64,
    },
    /// The store was written by a later release: use that release.
    #[error("this store has format {found} and this release reads up to {known}; use a later release")]
    NewerFormat {
        /// Format of the store.
        found: u32,
        /// The latest format that this release knows.
        known: u32,
    },
    /// The folder holds no store: create one.
    #[error("{} holds no store; create or restore one first", path.display())]
    NotAStore {
        /// The folder.
        path: PathBuf,
    },
    /// The store was written before the first release, in a format that none reads: make a new one.
    #[error(
        "this store has format {found}, from before the first release, and this one reads {known}; make a new store"
    )]
    OlderFormat {
        /// Format of the store.
        found: u32,
        /// The format that this release reads.
        known: u32,
    },
    /// What a guess of the PIN is to cost is out of range: use the default.
    #[error("the cost of a PIN is out of range; use 8 KiB to 1 GiB of memory and 1 to 64 passes")]
    PinCost,
    /// The system gave no random bytes.
    #[error("the system gave no random bytes; try again")]
    Random,
    /// The index failed in a way that is not damage.
    #[error("the index could not be opened: {reason}; free memory and disk, and try again")]
    Index {
        /// What it said.
        reason: String,
    },
    /// The store opens with the other kind of [`crate::Unlock`].
    #[error("this store is unlocked by {needed}; open it that way")]
    WrongKind {
        /// What unlocks it.
        needed: &'static str,
    },
    /// The PIN or the key is not the one of this store: try again.
    #[error("wrong PIN or key for this store; nothing was changed, try again")]
    WrongPin,
}

impl OpenError {
    /// True where [`crate::Store::repair`] can help. A full disk, a wrong PIN or another holder cannot be repaired.
    pub fn is_damage(&self) -> bool {
        matches!(
            self,
            Self::Damaged { .. } | Self::Index { .. } | Self::NeedsRepair { .. }
        )
    }

    pub(crate) fn io(path: &Path, source: io::Error) -> Self {
        if is_full(&source) {
            return Self::DiskFull;
        }
        Self::Io {
            path: path.to_path_buf(),
            source,
        }
    }

    pub(crate) fn damaged(file: &Path, offset: u64, what: &'static str) -> Self {
        Self::Damaged {
            file: file.to_path_buf(),
            offset,
            what,
        }
    }

    /// The same failure in a store that is already open.
    pub(crate) fn in_store(&self) -> StoreError {
        match self {
            Self::DiskFull => StoreError::DiskFull,
            other => StoreError::Io {
                reason: other.to_string(),
            },
        }
    }
}

/// Why a backup was not written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// The store could not be read: nothing of the backup can be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The backup could not be written: try again elsewhere.
    #[error("the backup could not be written: {0}")]
    Write(io::Error),
}

/// Why a backup was not restored. Nothing was put in place.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// The backup was changed, cut short or is none: use another copy.
    #[error("the backup is damaged at byte {offset} ({what}); nothing was put in place, use another copy")]
    Damaged {
        /// How far the backup was good.
        offset: u64,
        /// What did not hold.
        what: &'static str,
    },
    /// The store could not be made or unlocked.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The backup could not be read.
    #[error("the backup could not be read: {0}")]
    Read(io::Error),
    /// The store could not be written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a store was not repaired. What is damaged lies where it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RepairError {
    /// The backup that was given cannot be used.
    #[error(transparent)]
    Backup(#[from] RestoreError),
    /// Neither the index nor the journal holds the beginning: give a backup of this store, or set up anew.
    #[error(
        "{} cannot be used ({index_why}), and of the journal only what came after entry {journal_after} can be read; \
         repair again with a backup of this store", index.display()
    )]
    NothingWhole {
        /// The index.
        index: PathBuf,
        /// What is wrong with it.
        index_why: String,
        /// The journal holds nothing up to this sequence.
        journal_after: u64,
    },
    /// The store could not be opened, and not for damage.
    #[error(transparent)]
    Open(#[from] OpenError),
}

/// True where the system says that there is no space left.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

/// A failure outside the latch: nothing was acknowledged.
pub(crate) fn io_error(error: &io::Error) -> StoreError {
    if is_full(error) {
        return StoreError::DiskFull;
    }
    StoreError::Io {
        reason: error.to_string(),
    }
}

pub(crate) fn no_random() -> StoreError {
    StoreError::Io {
        reason: "the system gave no random bytes".into(),
    }
}
