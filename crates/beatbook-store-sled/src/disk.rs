//! The port to a disk: what a store needs of a file system, and no more.
//!
//! [`RealDisk`] is the file system. A simulator or a test puts its own [`Disk`] in [`crate::Options`].
//! sled alone does not go through it: it has files and threads of its own.

use std::fmt::Debug;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::path::Path;

use beatbook_core::planted::{Bug, is_planted};
use rustix::fs::FlockOperation;

/// One file that is open for appending.
pub trait DiskFile: Send {
    /// Appends all of `bytes`. After an error any part of them may be in the file.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Makes everything appended so far durable.
    fn sync(&mut self) -> io::Result<()>;
    /// Cuts the file to `length` bytes.
    fn truncate(&mut self, length: u64) -> io::Result<()>;
}

/// A lock on a file, held until it is dropped. The system drops it with the process, however that ends.
pub trait DiskLock: Debug + Send {}

/// Why a lock was not given.
#[derive(Debug)]
pub enum LockError {
    /// Somebody else holds it.
    Held {
        /// The process that wrote the lock, 0 if it is not known.
        pid: u32,
    },
    /// The system could not lock the file.
    Io(io::Error),
}

/// A file system.
pub trait Disk: Debug + Send + Sync {
    /// Opens a file for appending, and makes it where it is missing.
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;
    /// Reads a whole file.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;
    /// Reads the first `length` bytes of a file, or all of a shorter one.
    fn read_head(&self, path: &Path, length: usize) -> io::Result<Vec<u8>>;
    /// Renames a file or a folder; a file replaces a file, a folder an empty folder.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes a folder and its parents.
    fn create_dir(&self, path: &Path) -> io::Result<()>;
    /// Names the files and folders in a folder, in order.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;
    /// Makes the names in a folder durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
    /// Length of a file.
    fn len(&self, path: &Path) -> io::Result<u64>;
    /// Bytes that can still be written in the file system that holds `dir`.
    fn free_bytes(&self, dir: &Path) -> io::Result<u64>;
    /// True where there is a file or a folder.
    fn exists(&self, path: &Path) -> bool;
    /// True where there is a folder.
    fn is_dir(&self, path: &Path) -> bool;
    /// Removes a folder with everything in it.
    fn remove_dir_all(&self, path: &Path) -> io::Result<()>;
    /// Bytes that all files under a folder take; 0 where it is missing.
    fn disk_bytes(&self, dir: &Path) -> u64;
    /// Locks a file against every other holder, and makes it where it is missing.
    fn lock(&self, path: &Path) -> Result<Box<dyn DiskLock>, LockError>;
}

/// The file system of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        private(&mut options);
        Ok(Box::new(RealFile(options.open(path)?)))
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        fs::read(path)
    }

    fn read_head(&self, path: &Path, length: usize) -> io::Result<Vec<u8>> {
        let mut head = Vec::with_capacity(length);
        File::open(path)?.take(length as u64).read_to_end(&mut head)?;
        Ok(head)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        create_private_dir(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(dir)? {
            if let Ok(name) = entry?.file_name().into_string() {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        File::open(dir)?.sync_all()
    }

    fn len(&self, path: &Path) -> io::Result<u64> {
        Ok(fs::metadata(path)?.len())
    }

    fn free_bytes(&self, dir: &Path) -> io::Result<u64> {
        let stat = rustix::fs::statvfs(dir)?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }

    fn exists(&self, path: &Path) -> bool {
        path.exists()
    }

    fn is_dir(&self, path: &Path) -> bool {
        path.is_dir()
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir_all(path)
    }

    fn disk_bytes(&self, dir: &Path) -> u64 {
        let Ok(entries) = fs::read_dir(dir) else { return 0 };
        let bytes = entries.flatten().map(|entry| match entry.metadata() {
            Ok(meta) if meta.is_dir() => self.disk_bytes(&entry.path()),
            Ok(meta) => allocated(&meta),
            Err(_) => 0,
        });
        bytes.sum()
    }

    fn lock(&self, path: &Path) -> Result<Box<dyn DiskLock>, LockError> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        private(&mut options);
        let mut file = options.open(path).map_err(LockError::Io)?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let mut text = String::new();
                // The process id only makes the message better: any text will do.
                let _ = file.read_to_string(&mut text);
                return Err(LockError::Held {
                    pid: text.trim().parse().unwrap_or(0),
                });
            }
            Err(error) => return Err(LockError::Io(error.into())),
        }
        // On a full disk the lock holds without the process id in it.
        let _ = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(std::process::id().to_string().as_bytes()));
        Ok(Box::new(RealLock { _file: file }))
    }
}

#[derive(Debug)]
struct RealLock {
    _file: File,
}

impl DiskLock for RealLock {}

struct RealFile(File);

impl DiskFile for RealFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.0.set_len(length)?;
        self.0.sync_all()
    }
}

/// Writes a small file so that a crash leaves either the old content or the new.
pub(crate) fn write_atomic(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut aside = path.as_os_str().to_owned();
    aside.push(".tmp");
    let aside = Path::new(&aside);
    match disk.remove(aside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let written = disk.open(aside).and_then(|mut file| {
        file.append(bytes)?;
        file.sync()
    });
    if let Err(error) = written.and_then(|()| disk.rename(aside, path)) {
        // The old content still stands; a leftover is removed by the next write.
        let _ = disk.remove(aside);
        return Err(error);
    }
    sync_parent(disk, path)
}

/// Makes the names in the folder that holds `path` durable.
pub(crate) fn sync_parent(disk: &dyn Disk, path: &Path) -> io::Result<()> {
    if is_planted(Bug::DirectoryNotSynced) {
        return Ok(());
    }
    disk.sync_dir(parent(path))
}

fn parent(path: &Path) -> &Path {
    path.parent()
        .filter(|dir| !dir.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

/// Makes a folder, and those above it that are missing, that nobody but its owner looks into.
pub(crate) fn create_private_dir(path: &Path) -> io::Result<()> {
    let mut folder = fs::DirBuilder::new();
    folder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut folder, 0o700);
    folder.create(path)
}

/// Lets nobody but its owner read a file that is about to be made.
#[cfg(unix)]
pub(crate) fn private(options: &mut OpenOptions) {
    use std::os::unix::fs::OpenOptionsExt;
    options.mode(0o600);
}

#[cfg(not(unix))]
pub(crate) fn private(_options: &mut OpenOptions) {}

#[cfg(unix)]
fn allocated(meta: &fs::Metadata) -> u64 {
    use std::os::unix::fs::MetadataExt;
    meta.blocks().saturating_mul(512)
}

#[cfg(not(unix))]
fn allocated(meta: &fs::Metadata) -> u64 {
    meta.len()
}
