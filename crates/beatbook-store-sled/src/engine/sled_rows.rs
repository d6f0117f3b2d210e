//! sled as an engine, with the care that it needs. The only module that names sled.
//!
//! sled 0.34.7 flushes with `sync_file_range` and so makes nothing durable; it can panic on damage; it lets go of
//! its files a moment after its last handle; a kill can leave a snapshot that it never opens again. What it loses
//! without a word, the totals show.

use std::fs::{self, File};
use std::io;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use beatbook_core::store::{Pair, StoreError};

use crate::disk::{Disk, create_private_dir};
use crate::engine::{Engine, RowBatch, RowRange, RowVisit, Rows};
use crate::error::OpenError;

/// Longest wait for the threads of a sled that was just dropped to let go of its file.
const RELEASE_MS_MAX: u64 = 10_000;

/// sled, on the file system of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SledEngine;

impl Engine for SledEngine {
    fn open(&self, _disk: &Arc<dyn Disk>, path: &Path, cache_bytes: u64) -> Result<Box<dyn Rows>, OpenError> {
        Ok(Box::new(SledRows {
            db: open_sled(path, cache_bytes)?,
            path: path.to_path_buf(),
        }))
    }
}

struct SledRows {
    db: sled::Db,
    path: PathBuf,
}

impl Rows for SledRows {
    fn get(&self, row: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(guard(|| self.db.get(row))?.map(|bytes| bytes.to_vec()))
    }

    fn visit(&self, range: RowRange<'_>, visit: &mut RowVisit<'_>) -> Result<(), StoreError> {
        let mut rows = self.db.range::<&[u8], _>(range);
        while let Some((row, bytes)) = guard(|| rows.next().transpose())? {
            if visit(&row, &bytes)? == ControlFlow::Break(()) {
                break;
            }
        }
        Ok(())
    }

    fn last(&self, from: &[u8], to: &[u8]) -> Result<Option<Pair>, StoreError> {
        let mut rows = self.db.range(from..to);
        let found = guard(|| rows.next_back().transpose())?;
        Ok(found.map(|(row, bytes)| (row.to_vec(), bytes.to_vec())))
    }

    fn apply(&self, batch: RowBatch) -> Result<(), StoreError> {
        let mut changes = sled::Batch::default();
        for (row, bytes) in batch {
            match bytes {
                Some(bytes) => changes.insert(row, bytes),
                None => changes.remove(row),
            }
        }
        guard(|| self.db.apply_batch(changes))
    }

    fn flush(&self) -> Result<(), StoreError> {
        guard(|| self.db.flush())?;
        sync(&self.path).map_err(|error| crate::error::io_error(&error))
    }

    fn close(self: Box<Self>) -> Result<(), OpenError> {
        let path = self.path.clone();
        // sled remembers its path: it must be closed before the folder is renamed.
        drop(self);
        wait_until_released(&path)?;
        sync(&path).map_err(|error| OpenError::io(&path, error))
    }
}

/// Makes the files of an index and their names durable.
fn sync(path: &Path) -> io::Result<()> {
    for name in ["db", "conf"] {
        match File::open(path.join(name)) {
            Ok(file) => file.sync_all()?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    File::open(path)?.sync_all()
}

/// Opens sled; where that fails, tries once more without its snapshots.
fn open_sled(path: &Path, cache_bytes: u64) -> Result<sled::Db, OpenError> {
    // A leftover of a kill makes every later open fail.
    for name in snapshots(path) {
        if name.to_string_lossy().ends_with(".generating") {
            fs::remove_file(&name).map_err(|error| OpenError::io(&name, error))?;
        }
    }
    let first = match try_open(path, cache_bytes) {
        Ok(db) => return Ok(db),
        Err(error) => error,
    };
    let found = snapshots(path);
    if found.is_empty() || matches!(first, OpenError::DiskFull) {
        return Err(first);
    }
    // A snapshot only makes opening faster: sled reads its log where there is none.
    let holder = path.join("snapshots.aside");
    let io = |error| OpenError::io(&holder, error);
    create_private_dir(&holder).map_err(io)?;
    for snapshot in found {
        if let Some(name) = snapshot.file_name() {
            fs::rename(&snapshot, holder.join(name)).map_err(io)?;
        }
    }
    try_open(path, cache_bytes)
}

fn try_open(path: &Path, cache_bytes: u64) -> Result<sled::Db, OpenError> {
    // sled would make it for everybody to look into.
    create_private_dir(path).map_err(|error| OpenError::io(path, error))?;
    let deadline = Instant::now() + Duration::from_millis(RELEASE_MS_MAX);
    loop {
        // Checkpoints make the index durable; what sled flushes between them is work done twice.
        let config = sled::Config::new()
            .path(path)
            .cache_capacity(cache_bytes)
            .flush_every_ms(None);
        let opened = catch_unwind(AssertUnwindSafe(|| config.open()));
        match opened {
            Ok(Ok(db)) => return Ok(db),
            Ok(Err(error)) if is_held(&error) && Instant::now() < deadline => {
                thread::sleep(Duration::from_millis(2));
            }
            Ok(Err(sled::Error::Io(error))) => return Err(OpenError::io(path, error)),
            Ok(Err(error)) => {
                return Err(OpenError::Index {
                    reason: error.to_string(),
                });
            }
            Err(_) => {
                return Err(OpenError::Index {
                    reason: "sled failed on what it found".into(),
                });
            }
        }
    }
}

/// sled's threads let go of its file a moment after the last handle is dropped.
fn wait_until_released(path: &Path) -> Result<(), OpenError> {
    let io = |error| OpenError::io(path, error);
    let file = File::open(path.join("db")).map_err(io)?;
    let deadline = Instant::now() + Duration::from_millis(RELEASE_MS_MAX);
    while let Err(error) = rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
        if Instant::now() > deadline {
            return Err(io(error.into()));
        }
        thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}

fn is_held(error: &sled::Error) -> bool {
    matches!(error, sled::Error::Io(error) if error.to_string().contains("could not acquire lock"))
}

fn snapshots(path: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(path) else {
        return Vec::new();
    };
    let names = entries.flatten().map(|entry| entry.path());
    names
        .filter(|path| {
            path.file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with("snap."))
        })
        .collect()
}

/// Runs a sled call; a panic inside sled is damage, not the end of the thread.
fn guard<T>(call: impl FnOnce() -> sled::Result<T>) -> Result<T, StoreError> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(sled::Error::Io(error))) => Err(crate::error::io_error(&error)),
        Ok(Err(sled::Error::Corruption { .. })) => Err(StoreError::Corrupt {
            table: 0,
            what: "the index is damaged; close the store and open it again",
        }),
        Ok(Err(error)) => Err(StoreError::Io {
            reason: error.to_string(),
        }),
        Err(_) => Err(StoreError::Corrupt {
            table: 0,
            what: "the index failed; close the store and open it again",
        }),
    }
}
