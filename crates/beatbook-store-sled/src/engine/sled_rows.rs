//! sled as an engine, with the care that it needs. The only module that names sled.
//!
//! sled 0.34.7 flushes with `sync_file_range` and so makes nothing durable; it can panic on damage; it lets go of
//! its files a moment after its last handle; a kill can leave a snapshot that it never opens again. What it loses
//! without a word, the totals show. Where calls fail it refuses everything after a disk that was full, until it is
//! opened anew; takes a stretch that cannot be read for the end of its log and writes zeros over the rest; panics in
//! its drop; and can leave a flush waiting for ever. `cargo xtask crash --nth` makes each of its calls fail.

use std::fs::{self, File};
use std::io;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use beatbook_core::store::{Pair, StoreError};

use crate::disk::{Disk, create_private_dir};
use crate::engine::{Engine, RowBatch, RowRange, RowVisit, Rows};
use crate::error::OpenError;

/// Longest wait for the threads of a sled that was just dropped to let go of its file.
const RELEASE_MS_MAX: u64 = 10_000;
/// How long a flush may take before somebody looks whether it waits in vain.
const FLUSH_PAUSE: Duration = Duration::from_secs(1);
/// The mark of an index whose files may not be on the disk as they are shown.
const DOUBTFUL: &str = "doubtful";

/// sled, on the file system of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SledEngine;

impl Engine for SledEngine {
    fn open(&self, _disk: &Arc<dyn Disk>, path: &Path, cache_bytes: u64) -> Result<Box<dyn Rows>, OpenError> {
        read_through(&path.join("db"))?;
        Ok(Box::new(SledRows {
            db: Some(open_sled(path, cache_bytes)?),
            path: path.to_path_buf(),
            is_stuck: AtomicBool::new(false),
        }))
    }
}

struct SledRows {
    /// Gone only while it is being closed.
    db: Option<sled::Db>,
    path: PathBuf,
    /// Set once sled has met a full disk: it answers everything with that error from then on.
    is_stuck: AtomicBool,
}

impl SledRows {
    fn db(&self) -> sled::Result<&sled::Db> {
        self.db
            .as_ref()
            .ok_or_else(|| sled::Error::Unsupported("the index is closed".into()))
    }

    /// Runs a sled call.
    fn call<T>(&self, call: impl FnOnce() -> sled::Result<T>) -> Result<T, StoreError> {
        guard(call).inspect_err(|error| {
            if *error == StoreError::DiskFull {
                self.is_stuck.store(true, Ordering::Release);
            }
        })
    }

    /// Runs a change or a flush. After one that failed, and not for want of space, what the system shows of the
    /// files may not be on the disk, and no later sync would say so: a mark tells the next opening.
    fn change(&self, call: impl FnOnce() -> Result<(), StoreError>) -> Result<(), StoreError> {
        let done = call();
        if let Err(error) = &done
            && *error != StoreError::DiskFull
        {
            // Where not even this can be written the next opening still has the totals.
            let _ = File::create(self.path.join(DOUBTFUL)).and_then(|mark| {
                mark.sync_all()?;
                File::open(&self.path)?.sync_all()
            });
        }
        done
    }

    /// Lets go of sled, which panics where its last sync fails; true where it did not.
    fn let_go(&mut self) -> bool {
        let db = self.db.take();
        catch_unwind(AssertUnwindSafe(|| drop(db))).is_ok()
    }
}

impl Drop for SledRows {
    fn drop(&mut self) {
        // What it could not write is in the journal.
        self.let_go();
    }
}

impl Rows for SledRows {
    fn get(&self, row: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.call(|| self.db()?.get(row))?.map(|bytes| bytes.to_vec()))
    }

    fn visit(&self, range: RowRange<'_>, visit: &mut RowVisit<'_>) -> Result<(), StoreError> {
        let mut rows = self.call(|| Ok(self.db()?.range::<&[u8], _>(range)))?;
        while let Some((row, bytes)) = self.call(|| rows.next().transpose())? {
            if visit(&row, &bytes)? == ControlFlow::Break(()) {
                break;
            }
        }
        Ok(())
    }

    fn last(&self, from: &[u8], to: &[u8]) -> Result<Option<Pair>, StoreError> {
        let mut rows = self.call(|| Ok(self.db()?.range(from..to)))?;
        let found = self.call(|| rows.next_back().transpose())?;
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
        self.change(|| self.call(|| self.db()?.apply_batch(changes)))
    }

    fn flush(&self) -> Result<(), StoreError> {
        self.change(|| {
            self.call(|| watched_flush(self.db()?))?;
            sync(&self.path).map_err(|error| crate::error::io_error(&error))
        })
    }

    fn is_stuck(&self) -> bool {
        self.is_stuck.load(Ordering::Acquire)
    }

    fn is_doubtful(&self) -> bool {
        self.path.join(DOUBTFUL).exists()
    }

    fn close(mut self: Box<Self>) -> Result<(), OpenError> {
        let path = self.path.clone();
        // sled remembers its path: it must be closed before the folder is renamed.
        if !self.let_go() {
            return Err(OpenError::io(
                &path,
                io::Error::other("the index could not be closed"),
            ));
        }
        wait_until_released(&path)?;
        sync(&path).map_err(|error| OpenError::io(&path, error))
    }
}

/// Flushes, and does not wait for ever.
///
/// A thread of sled whose write fails may note the error without waking whoever waits for that write. Another flush
/// sees the error at once and wakes all.
fn watched_flush(db: &sled::Db) -> sled::Result<()> {
    let (flushed, waiting) = channel::<()>();
    // The sender goes with the closure, also where sled panics: the watch ends with it.
    thread::scope(move |scope| {
        scope.spawn(move || {
            while waiting.recv_timeout(FLUSH_PAUSE) == Err(RecvTimeoutError::Timeout) {
                // A batch of nothing is refused where an error was noted, and else changes nothing.
                let probe = guard(|| db.apply_batch(sled::Batch::default()));
                if probe.is_err() {
                    // Its answer is the error that the one who waits is told.
                    let _ = guard(|| db.flush());
                }
            }
        });
        let done = db.flush();
        drop(flushed);
        done.map(drop)
    })
}

/// Reads a file to its end, so that what cannot be read is found before sled meets it: sled takes an unreadable
/// stretch for the end of its log and writes zeros over what follows.
fn read_through(path: &Path) -> Result<(), OpenError> {
    let read = File::open(path).and_then(|mut file| io::copy(&mut file, &mut io::sink()));
    match read {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(OpenError::io(path, error)),
        _ => Ok(()),
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
        Ok(Err(sled::Error::Io(error))) => Err(match crate::error::io_error(&error) {
            StoreError::Io { reason } => StoreError::Io {
                reason: format!("{reason}; close the store and open it again"),
            },
            full => full,
        }),
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
