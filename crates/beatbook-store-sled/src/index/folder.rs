//! The folders that sled works in: made whole aside, opened with care, set aside and never deleted.

use std::fs::{self, File};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use crate::disk::create_private_dir;
use crate::error::OpenError;
use crate::index::{Index, Seals};

/// Longest wait for the threads of a sled that was just dropped to let go of its file.
const RELEASE_MS_MAX: u64 = 10_000;

/// Path of the index folder with a number.
pub(crate) fn index_path(dir: &Path, number: u32) -> PathBuf {
    dir.join(format!("index-{number:04}"))
}

/// Makes an index in a folder aside, fills it, makes it durable, and gives it its name.
pub(crate) fn build_aside<T, E: From<OpenError>>(
    dir: &Path,
    number: u32,
    seals: &Seals,
    cache_bytes: u64,
    fill: impl FnOnce(&Index) -> Result<T, E>,
) -> Result<T, E> {
    let path = index_path(dir, number);
    let aside = path.with_extension("building");
    let io = |error| OpenError::io(&aside, error);
    // What an earlier try left was never part of the store.
    if aside.exists() {
        fs::remove_dir_all(&aside).map_err(io)?;
    }
    let index = super::open(&aside, seals.clone(), cache_bytes)?;
    let filled = fill(&index).and_then(|filled| {
        index.flush().map_err(|error| in_open(&error))?;
        Ok(filled)
    });
    // sled remembers its path: it must be closed before the folder is renamed.
    drop(index);
    let filled = filled?;
    wait_until_released(&aside)?;
    sync(&aside).map_err(io)?;
    // A folder of this name was never named in the state, so it has never been the index.
    if path.exists() {
        fs::remove_dir_all(&path).map_err(io)?;
    }
    fs::rename(&aside, &path).map_err(io)?;
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(io)?;
    Ok(filled)
}

/// Moves an index that cannot be used out of the way, and returns where it is.
pub(crate) fn set_aside(dir: &Path, index: &Path) -> Result<PathBuf, OpenError> {
    let io = |error| OpenError::io(index, error);
    let name = index
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let holder = dir.join("aside");
    create_private_dir(&holder).map_err(io)?;
    let mut try_number = 0_u32;
    let target = loop {
        let target = holder.join(format!("{name}.{try_number}"));
        if !target.exists() {
            break target;
        }
        try_number += 1;
    };
    fs::rename(index, &target).map_err(io)?;
    for folder in [holder.as_path(), dir] {
        File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(io)?;
    }
    Ok(target)
}

/// Removes the folders that a kill left between making an index and naming it in the state. The damaged ones are
/// elsewhere, set aside.
pub(crate) fn clear_leftovers(dir: &Path, number: u32) -> Result<(), OpenError> {
    let named = index_path(dir, number);
    let io = |error| OpenError::io(dir, error);
    for entry in fs::read_dir(dir).map_err(io)? {
        let entry = entry.map_err(io)?;
        let is_index = entry.file_name().to_string_lossy().starts_with("index-");
        if is_index && entry.path() != named {
            fs::remove_dir_all(entry.path()).map_err(io)?;
        }
    }
    Ok(())
}

/// Makes the files of an index and their names durable.
pub(super) fn sync(path: &Path) -> io::Result<()> {
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
pub(super) fn open_sled(path: &Path, cache_bytes: u64) -> Result<sled::Db, OpenError> {
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

/// Bytes of all files under a folder.
pub(crate) fn disk_bytes(path: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(path) else { return 0 };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(meta) if meta.is_dir() => disk_bytes(&entry.path()),
            Ok(meta) => allocated(&meta),
            Err(_) => 0,
        })
        .sum()
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

fn in_open(error: &beatbook_core::store::StoreError) -> OpenError {
    match error {
        beatbook_core::store::StoreError::DiskFull => OpenError::DiskFull,
        other => OpenError::Index {
            reason: other.to_string(),
        },
    }
}

#[cfg(unix)]
fn allocated(meta: &fs::Metadata) -> u64 {
    use std::os::unix::fs::MetadataExt;
    meta.blocks().saturating_mul(512)
}

#[cfg(not(unix))]
fn allocated(meta: &fs::Metadata) -> u64 {
    meta.len()
}
