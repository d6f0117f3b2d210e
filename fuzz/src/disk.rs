//! A file system in memory, for targets that open a store: files and folders by path, copied as a whole.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use beatbook_store_sled::{Disk, DiskFile, DiskLock, LockError, Random};

/// The files and folders.
#[derive(Clone, Debug, Default)]
pub struct Files {
    /// The files, with their bytes.
    pub files: BTreeMap<PathBuf, Vec<u8>>,
    folders: BTreeSet<PathBuf>,
}

/// A disk that holds them. Durable at once, for what is looked for here is change, not loss.
#[derive(Clone, Debug, Default)]
pub struct MemoryDisk(Arc<Mutex<Files>>);

impl MemoryDisk {
    /// A disk of its own with these files.
    pub fn with(files: Files) -> Self {
        Self(Arc::new(Mutex::new(files)))
    }

    /// All that is on it.
    pub fn files(&self) -> Files {
        self.held().clone()
    }

    fn held(&self) -> MutexGuard<'_, Files> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Disk for MemoryDisk {
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.held().files.entry(path.to_owned()).or_default();
        let (disk, path) = (self.clone(), path.to_owned());
        Ok(Box::new(MemoryFile { disk, path }))
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.held()
            .files
            .get(path)
            .cloned()
            .ok_or(ErrorKind::NotFound.into())
    }

    fn read_head(&self, path: &Path, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = self.read(path)?;
        bytes.truncate(length);
        Ok(bytes)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut held = self.held();
        if let Some(bytes) = held.files.remove(from) {
            held.files.insert(to.to_owned(), bytes);
            return Ok(());
        }
        if !held.folders.contains(from) {
            return Err(ErrorKind::NotFound.into());
        }
        let Files { files, folders } = std::mem::take(&mut *held);
        let moved = |path: PathBuf| match path.strip_prefix(from) {
            Ok(rest) if rest.as_os_str().is_empty() => to.to_owned(),
            Ok(rest) => to.join(rest),
            Err(_) => path,
        };
        held.folders = folders.into_iter().map(moved).collect();
        held.files = files
            .into_iter()
            .map(|(path, bytes)| (moved(path), bytes))
            .collect();
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let removed = self.held().files.remove(path);
        removed.map(drop).ok_or(ErrorKind::NotFound.into())
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        let folders = path.ancestors().map(Path::to_owned);
        self.held().folders.extend(folders);
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let held = self.held();
        if !held.folders.contains(dir) {
            return Err(ErrorKind::NotFound.into());
        }
        let paths = held.files.keys().chain(&held.folders);
        let names = paths
            .filter(|path| path.parent() == Some(dir))
            .filter_map(|path| path.file_name());
        let names: BTreeSet<String> = names.map(|name| name.to_string_lossy().into_owned()).collect();
        Ok(names.into_iter().collect())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        match self.is_dir(dir) {
            true => Ok(()),
            false => Err(ErrorKind::NotFound.into()),
        }
    }

    fn len(&self, path: &Path) -> io::Result<u64> {
        self.read(path).map(|bytes| bytes.len() as u64)
    }

    fn free_bytes(&self, _: &Path) -> io::Result<u64> {
        Ok(1 << 40)
    }

    fn exists(&self, path: &Path) -> bool {
        let held = self.held();
        held.files.contains_key(path) || held.folders.contains(path)
    }

    fn is_dir(&self, path: &Path) -> bool {
        self.held().folders.contains(path)
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        if !self.is_dir(path) {
            return Err(ErrorKind::NotFound.into());
        }
        let mut held = self.held();
        held.folders.retain(|folder| !folder.starts_with(path));
        held.files.retain(|file, _| !file.starts_with(path));
        Ok(())
    }

    fn disk_bytes(&self, dir: &Path) -> u64 {
        let held = self.held();
        let within = held.files.iter().filter(|(path, _)| path.starts_with(dir));
        within.map(|(_, bytes)| bytes.len() as u64).sum()
    }

    fn lock(&self, path: &Path) -> Result<Box<dyn DiskLock>, LockError> {
        self.held().files.entry(path.to_owned()).or_default();
        Ok(Box::new(MemoryLock))
    }
}

struct MemoryFile {
    disk: MemoryDisk,
    path: PathBuf,
}

impl MemoryFile {
    fn with<T>(&self, work: impl FnOnce(&mut Vec<u8>) -> T) -> io::Result<T> {
        let mut held = self.disk.held();
        held.files
            .get_mut(&self.path)
            .map(work)
            .ok_or(ErrorKind::NotFound.into())
    }
}

impl DiskFile for MemoryFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.with(|file| file.extend_from_slice(bytes))
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.with(|file| file.truncate(usize::try_from(length).unwrap_or(usize::MAX)))
    }
}

#[derive(Debug)]
struct MemoryLock;

impl DiskLock for MemoryLock {}

/// Draws a row of bytes that is the same in every run.
#[derive(Debug, Default)]
pub struct Drawn(Mutex<u64>);

impl Random for Drawn {
    fn fill(&self, bytes: &mut [u8]) -> io::Result<()> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for byte in bytes {
            *state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            *byte = (*state >> 56) as u8;
        }
        Ok(())
    }
}
