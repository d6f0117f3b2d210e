//! A simulated disk: what is durable of each file, what is not yet, and every way to lose it.
//!
//! Files are appended to and cut, so what is durable of one is a prefix. Names are durable once their folder was
//! synced; of those that were not, power leaves a random prefix in order, as a file system with a journal does.
//! A process that is killed leaves everything that it wrote; power leaves a seeded part of what was not synced.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use beatbook_store_sled::{Disk, DiskFile, DiskLock, LockError};

use crate::random::Random;

mod names;

use names::{NameOp, Names, NodeId};

/// A simulated disk. Clones are the same disk.
#[derive(Clone)]
pub struct SimDisk(Arc<Mutex<State>>);

/// How unsynced writes are lost when power goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// All of them.
    All,
    /// Each sector by chance.
    Sectors,
    /// From some byte on.
    Torn,
}

/// Everything on a disk at one moment.
#[derive(Clone, Debug)]
pub struct Image {
    names: Names,
    files: BTreeMap<NodeId, Content>,
}

#[derive(Debug)]
struct State {
    names: Names,
    /// Names as they are after a power cut, and what was done to them since.
    durable: Names,
    pending: Vec<NameOp>,
    files: BTreeMap<NodeId, Content>,
    locks: BTreeSet<PathBuf>,
    random: Random,
    digest: u64,
    /// Operations so far.
    ops: u64,
    /// Power-ons so far: handles of an earlier one are dead.
    life: u64,
    /// The process dies at this operation.
    dies_at: Option<Death>,
    dead: bool,
    full: bool,
    sync_errors: u32,
    /// Syncs that were made to fail and were not asked for.
    sync_errors_told: u32,
    lies: bool,
    misdirects: bool,
    misdirected: u64,
}

#[derive(Clone, Copy, Debug)]
struct Death {
    op: u64,
    /// Part of the operation happens.
    inside: bool,
}

#[derive(Clone, Debug, Default)]
struct Content {
    data: Vec<u8>,
    /// Bytes that survive a power cut.
    synced: usize,
    /// Stretches below `synced` that do not, whatever a sync said.
    holes: Vec<(usize, usize)>,
}

impl SimDisk {
    /// An empty disk that draws from its own stream.
    pub fn new(random: Random) -> Self {
        Self(Arc::new(Mutex::new(State {
            names: Names::default(),
            durable: Names::default(),
            pending: Vec::new(),
            files: BTreeMap::new(),
            locks: BTreeSet::new(),
            random,
            digest: 0,
            ops: 0,
            life: 0,
            dies_at: None,
            dead: false,
            full: false,
            sync_errors: 0,
            sync_errors_told: 0,
            lies: false,
            misdirects: false,
            misdirected: 0,
        })))
    }

    /// Lets the process die after so many more operations; with `inside`, in the middle of the next one after them.
    pub fn die_after(&self, operations: u64, inside: bool) {
        let mut state = self.state();
        let op = state.ops + operations + 1;
        state.dies_at = Some(Death { op, inside });
    }

    /// Takes back a death that has not come.
    pub fn forgive(&self) {
        self.state().dies_at = None;
    }

    /// True once the process has died: every operation fails until the disk is used by another.
    pub fn is_dead(&self) -> bool {
        self.state().dead
    }

    /// The process is gone: what it wrote stays, its locks and handles do not.
    pub fn kill(&self) {
        self.state().restart();
    }

    /// Power goes: what was not synced is lost in this way. Says how many bytes are gone.
    pub fn cut_power(&self, loss: Loss) -> u64 {
        let mut state = self.state();
        let lost = state.cut_power(loss);
        state.restart();
        lost
    }

    /// Takes no more bytes until it is freed.
    pub fn set_full(&self, full: bool) {
        self.state().full = full;
    }

    /// The next syncs fail.
    pub fn fail_syncs(&self, times: u32) {
        self.state().sync_errors = times;
    }

    /// How many syncs were made to fail since this was last asked.
    pub fn take_failed_syncs(&self) -> u32 {
        std::mem::take(&mut self.state().sync_errors_told)
    }

    /// Says Ok to every sync and does nothing.
    pub fn set_lying(&self, lies: bool) {
        self.state().lies = lies;
    }

    /// True while it says Ok to every sync and does nothing.
    pub fn is_lying(&self) -> bool {
        self.state().lies
    }

    /// The next append of some size lands in an earlier place of its file.
    pub fn misdirect_next(&self) {
        self.state().misdirects = true;
    }

    /// How many writes went astray.
    pub fn misdirected(&self) -> u64 {
        self.state().misdirected
    }

    /// A running digest of every operation.
    pub fn digest(&self) -> u64 {
        self.state().digest
    }

    /// Operations so far.
    pub fn operations(&self) -> u64 {
        self.state().ops
    }

    /// Every file with its content, by path.
    pub fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let state = self.state();
        let paths = state.names.files();
        let content = |(path, node)| Some((path, state.files.get(&node)?.data.clone()));
        paths.into_iter().filter_map(content).collect()
    }

    /// Paths and lengths of every file.
    pub fn lengths(&self) -> Vec<(PathBuf, usize)> {
        let state = self.state();
        let paths = state.names.files();
        let length = |(path, node)| Some((path, state.files.get(&node)?.data.len()));
        paths.into_iter().filter_map(length).collect()
    }

    /// Flips one bit of a file at rest.
    pub fn flip(&self, path: &Path, bit: u64) -> bool {
        self.change(path, |content| {
            let place = (bit / 8) as usize;
            if let Some(byte) = content.data.get_mut(place) {
                *byte ^= 1 << (bit % 8);
            }
        })
    }

    /// Cuts a file at rest.
    pub fn cut_file(&self, path: &Path, length: usize) -> bool {
        self.change(path, |content| {
            content.data.truncate(length);
            content.synced = content.synced.min(length);
        })
    }

    /// Loses a file at rest.
    pub fn lose_file(&self, path: &Path) -> bool {
        let mut state = self.state();
        let removed = state.names.remove(path);
        state.settle();
        removed
    }

    /// All that is under a folder, as it is in this moment.
    pub fn image(&self) -> Image {
        let state = self.state();
        Image {
            names: state.names.clone(),
            files: state.files.clone(),
        }
    }

    /// Puts a folder back from an image: everything else stays. With `None`, the whole disk.
    pub fn put_back(&self, image: &Image, folder: Option<&Path>) {
        let mut state = self.state();
        match folder {
            None => {
                state.names = image.names.clone();
                state.files = image.files.clone();
            }
            Some(folder) => {
                state.names.remove_tree(folder);
                for (path, node) in image.names.files() {
                    if path.starts_with(folder)
                        && let Some(content) = image.files.get(&node)
                    {
                        let copy = state.names.place_file(&path);
                        state.files.insert(copy, content.clone());
                    }
                }
                for path in image.names.folders() {
                    if path.starts_with(folder) {
                        state.names.place_folder(&path);
                    }
                }
            }
        }
        state.settle();
        state.restart();
    }

    fn change(&self, path: &Path, change: impl FnOnce(&mut Content)) -> bool {
        let mut state = self.state();
        let Some(content) = state.names.file(path).and_then(|node| state.files.get_mut(&node)) else {
            return false;
        };
        change(content);
        true
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere ends the world; the disk's own state is never left half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Counts an operation; the dead do nothing. `Ok(true)` where it is to happen in part.
    fn operation(&mut self, kind: u64, path: &Path, length: usize) -> io::Result<bool> {
        if self.dead {
            return Err(gone());
        }
        self.ops += 1;
        let mut name = 0_u64;
        for byte in path.as_os_str().as_encoded_bytes() {
            name = mix(name, u64::from(*byte));
        }
        self.digest = mix(mix(mix(self.digest, kind), name), length as u64);
        match self.dies_at {
            Some(death) if self.ops >= death.op => {
                self.dead = true;
                if death.inside { Ok(true) } else { Err(gone()) }
            }
            _ => Ok(false),
        }
    }

    fn note_content(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.digest = mix(self.digest, u64::from_le_bytes(word));
        }
    }

    fn name(&mut self, op: NameOp) {
        self.names.apply(&op);
        self.pending.push(op);
    }

    /// Everything as it is now is durable.
    fn settle(&mut self) {
        self.durable = self.names.clone();
        self.pending.clear();
        for content in self.files.values_mut() {
            content.synced = content.data.len();
            content.holes.clear();
        }
        self.sweep();
    }

    fn restart(&mut self) {
        self.locks.clear();
        self.life += 1;
        self.dead = false;
        self.dies_at = None;
        self.misdirects = false;
    }

    fn cut_power(&mut self, loss: Loss) -> u64 {
        let kept = match loss {
            Loss::All => 0,
            _ => self.random.below(self.pending.len() as u64 + 1) as usize,
        };
        for op in &self.pending[..kept] {
            self.durable.apply(op);
        }
        self.names = self.durable.clone();
        let mut lost = 0;
        for content in self.files.values_mut() {
            lost += content.cut_power(loss, &mut self.random);
        }
        self.settle();
        lost
    }

    /// Forgets files that have no name.
    fn sweep(&mut self) {
        let named: BTreeSet<NodeId> = self.names.nodes().collect();
        self.files.retain(|node, _| named.contains(node));
    }

    /// Names that are durable need no more be remembered as changes.
    fn sync_names(&mut self, dir: &Path) {
        let Some(dir) = self.names.folder(dir) else { return };
        let pending = std::mem::take(&mut self.pending);
        for op in pending {
            if op.concerns(dir) {
                self.durable.apply(&op);
            } else {
                self.pending.push(op);
            }
        }
    }
}

impl Content {
    fn cut_power(&mut self, loss: Loss, random: &mut Random) -> u64 {
        let before = self.data.len();
        let loose = before - self.synced.min(before);
        let mut lost = 0;
        for (from, to) in std::mem::take(&mut self.holes) {
            if random.percent(70) {
                lost += (to - from) as u64;
                self.data[from..to].fill(0);
            }
        }
        match loss {
            Loss::All => self.data.truncate(self.synced),
            Loss::Torn => self
                .data
                .truncate(self.synced + random.below(loose as u64 + 1) as usize),
            Loss::Sectors => {
                self.data
                    .truncate(self.synced + random.below(loose as u64 + 1) as usize);
                let mut from = self.synced;
                while from < self.data.len() {
                    let to = (from / SECTOR_BYTES * SECTOR_BYTES + SECTOR_BYTES).min(self.data.len());
                    if random.percent(50) {
                        self.data[from..to].fill(0);
                        lost += (to - from) as u64;
                    }
                    from = to;
                }
            }
        }
        lost + (before - self.data.len()) as u64
    }
}

impl Disk for SimDisk {
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.state();
        state.operation(1, path, 0)?;
        let node = match state.names.file(path) {
            Some(node) => node,
            None => {
                let (dir, name) = state.names.parent(path).ok_or_else(not_found)?;
                if state.full && !name.ends_with("lock") {
                    return Err(full());
                }
                let node = state.names.fresh();
                state.name(NameOp::Link {
                    dir,
                    name,
                    node,
                    folder: false,
                });
                state.files.insert(node, Content::default());
                node
            }
        };
        Ok(Box::new(SimFile {
            disk: self.clone(),
            path: path.to_owned(),
            node,
            life: state.life,
        }))
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.read_head(path, usize::MAX)
    }

    fn read_head(&self, path: &Path, length: usize) -> io::Result<Vec<u8>> {
        let mut state = self.state();
        state.operation(2, path, 0)?;
        let node = state.names.file(path).ok_or_else(not_found)?;
        let content = state.files.get(&node).ok_or_else(not_found)?;
        Ok(content.data[..length.min(content.data.len())].to_vec())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.operation(3, from, 0)?;
        let (from_dir, from_name) = state.names.parent(from).ok_or_else(not_found)?;
        let (to_dir, to_name) = state.names.parent(to).ok_or_else(not_found)?;
        if !state.names.exists(from) {
            return Err(not_found());
        }
        if state
            .names
            .folder(to)
            .is_some_and(|dir| state.names.holds_any(dir))
        {
            return Err(io::ErrorKind::DirectoryNotEmpty.into());
        }
        state.name(NameOp::Rename {
            from_dir,
            from_name,
            to_dir,
            to_name,
        });
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.operation(4, path, 0)?;
        state.names.file(path).ok_or_else(not_found)?;
        let (dir, name) = state.names.parent(path).ok_or_else(not_found)?;
        state.name(NameOp::Unlink { dir, name });
        Ok(())
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.operation(5, path, 0)?;
        let mut whole = PathBuf::new();
        for part in path.components() {
            whole.push(part);
            if state.names.exists(&whole) {
                continue;
            }
            let (dir, name) = state.names.parent(&whole).ok_or_else(not_found)?;
            let node = state.names.fresh();
            state.name(NameOp::Link {
                dir,
                name,
                node,
                folder: true,
            });
        }
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let mut state = self.state();
        state.operation(6, dir, 0)?;
        let dir = state.names.folder(dir).ok_or_else(not_found)?;
        Ok(state.names.list(dir))
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.operation(7, dir, 0)?;
        if state.sync_errors > 0 {
            state.sync_errors -= 1;
            state.sync_errors_told += 1;
            return Err(io::Error::from_raw_os_error(EIO));
        }
        if !state.lies {
            state.sync_names(dir);
        }
        Ok(())
    }

    fn len(&self, path: &Path) -> io::Result<u64> {
        let state = self.state();
        let node = state.names.file(path).ok_or_else(not_found)?;
        Ok(state
            .files
            .get(&node)
            .map_or(0, |content| content.data.len() as u64))
    }

    fn free_bytes(&self, _dir: &Path) -> io::Result<u64> {
        Ok(if self.state().full { 0 } else { FREE_BYTES })
    }

    fn exists(&self, path: &Path) -> bool {
        let state = self.state();
        !state.dead && state.names.exists(path)
    }

    fn is_dir(&self, path: &Path) -> bool {
        let state = self.state();
        !state.dead && state.names.folder(path).is_some()
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.operation(8, path, 0)?;
        for op in state.names.tree(path).ok_or_else(not_found)? {
            state.name(op);
        }
        Ok(())
    }

    fn disk_bytes(&self, dir: &Path) -> u64 {
        let state = self.state();
        let files = state.names.files();
        let under = files.iter().filter(|(path, _)| path.starts_with(dir));
        under
            .filter_map(|(_, node)| state.files.get(node))
            .map(|content| content.data.len() as u64)
            .sum()
    }

    fn lock(&self, path: &Path) -> Result<Box<dyn DiskLock>, LockError> {
        drop(self.open(path).map_err(LockError::Io)?);
        let mut state = self.state();
        if !state.locks.insert(path.to_owned()) {
            return Err(LockError::Held { pid: 1 });
        }
        Ok(Box::new(SimLock {
            disk: self.clone(),
            path: path.to_owned(),
            life: state.life,
        }))
    }
}

impl fmt::Debug for SimDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        f.debug_struct("SimDisk")
            .field("operations", &state.ops)
            .field("files", &state.files.len())
            .finish_non_exhaustive()
    }
}

/// A file that is open.
struct SimFile {
    disk: SimDisk,
    path: PathBuf,
    node: NodeId,
    life: u64,
}

impl SimFile {
    fn begin(&self, kind: u64, length: usize) -> io::Result<(MutexGuard<'_, State>, bool)> {
        let mut state = self.disk.state();
        if state.life != self.life {
            return Err(gone());
        }
        let in_part = state.operation(kind, &self.path, length)?;
        Ok((state, in_part))
    }
}

impl DiskFile for SimFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let (mut state, in_part) = self.begin(11, bytes.len())?;
        state.note_content(bytes);
        let full = state.full;
        let keep = match in_part || full {
            true => state.random.below(bytes.len() as u64) as usize,
            false => bytes.len(),
        };
        let astray = state.misdirects && !in_part && !full && bytes.len() >= MISDIRECTED_BYTES_MIN;
        let place = state.random.bits();
        let content = state.files.get_mut(&self.node).ok_or_else(not_found)?;
        let end = content.data.len();
        content.data.extend_from_slice(&bytes[..keep]);
        if astray && end >= bytes.len() {
            // The head of the disk was elsewhere: an earlier place is overwritten, this one keeps what it had.
            let at = (place % (end - bytes.len() + 1) as u64) as usize;
            content.data[at..at + bytes.len()].copy_from_slice(bytes);
            content.data[end..].fill(0);
            state.misdirects = false;
            state.misdirected += 1;
        }
        match (in_part, full) {
            (true, _) => Err(gone()),
            (_, true) => Err(self::full()),
            _ => Ok(()),
        }
    }

    fn sync(&mut self) -> io::Result<()> {
        let (mut state, in_part) = self.begin(12, 0)?;
        let (lies, fails) = (state.lies, state.sync_errors > 0);
        state.sync_errors = state.sync_errors.saturating_sub(1);
        state.sync_errors_told += u32::from(fails);
        let content = state.files.get_mut(&self.node).ok_or_else(not_found)?;
        let fresh = (content.synced, content.data.len());
        if in_part {
            return Err(gone());
        }
        // After a sync has failed, the pages count as clean: the next sync says Ok and they may never be written.
        if (lies || fails) && fresh.0 < fresh.1 {
            content.holes.push(fresh);
        }
        content.synced = fresh.1;
        if fails {
            return Err(io::Error::from_raw_os_error(EIO));
        }
        Ok(())
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        let (mut state, in_part) = self.begin(13, length as usize)?;
        if in_part {
            return Err(gone());
        }
        let content = state.files.get_mut(&self.node).ok_or_else(not_found)?;
        let length = length as usize;
        content.data.truncate(length);
        content.synced = content.data.len();
        content.holes.retain_mut(|hole| {
            hole.1 = hole.1.min(length);
            hole.0 < hole.1
        });
        Ok(())
    }
}

/// A lock that is held until it is dropped or its process dies.
#[derive(Debug)]
struct SimLock {
    disk: SimDisk,
    path: PathBuf,
    life: u64,
}

impl DiskLock for SimLock {}

impl Drop for SimLock {
    fn drop(&mut self) {
        let mut state = self.disk.state();
        if state.life == self.life {
            state.locks.remove(&self.path);
        }
    }
}

fn mix(state: u64, word: u64) -> u64 {
    (state.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95)
}

fn gone() -> io::Error {
    io::Error::other("the process is gone")
}

fn full() -> io::Error {
    io::Error::from_raw_os_error(ENOSPC)
}

fn not_found() -> io::Error {
    io::ErrorKind::NotFound.into()
}

const EIO: i32 = 5;
const ENOSPC: i32 = 28;
const SECTOR_BYTES: usize = 512;
const FREE_BYTES: u64 = 1 << 40;
/// Small writes are those of names and anchors; a misdirected one is about the journal and the index.
const MISDIRECTED_BYTES_MIN: usize = 64;

#[cfg(test)]
mod tests;
