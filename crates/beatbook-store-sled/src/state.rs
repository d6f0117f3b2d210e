//! The two small files at the root of a store: `format`, and the sealed `state`.
//!
//! `state` says which folders the journal and the index are in, where the journal begins, and how it ended if the
//! store was closed. It is replaced as a whole and covers what the journal cannot say about itself.

use std::io;
use std::path::{Path, PathBuf};

use crate::codec::{Reader, Writer};
use crate::disk::{Disk, write_atomic};
use crate::error::OpenError;
use crate::journal::frame::Chain;
use crate::seal::{Purpose, StoreKey};

/// Format of the store as a whole.
pub(crate) const FORMAT: u32 = 2;
const FORMAT_FILE: &str = "format";
const STATE_FILE: &str = "state";
const JOURNAL: &str = "journal";
const PLACE: &[u8] = b"state v1";

/// What the journal cannot say about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct State {
    /// The first segment that must be there.
    pub(crate) base_segment: u32,
    /// Sequence of the last frame before it: what came before is only in the index.
    pub(crate) base_sequence: u64,
    /// Number of the index folder.
    pub(crate) index: u32,
    /// Sequence and chain of the end frame, if the store was closed.
    pub(crate) closed: Option<(u64, Chain)>,
    /// Number of the journal's folder: it moves on when a repair starts a new journal.
    pub(crate) journal: u32,
    /// A repair lost something, and the core has not dealt with it.
    pub(crate) lost: bool,
    /// Sequence of the last commit that the index had taken when the store was closed.
    pub(crate) applied: u64,
}

impl State {
    /// The folder of the journal.
    pub(crate) fn journal_dir(&self, dir: &Path) -> PathBuf {
        journal_dir(dir, self.journal)
    }

    pub(crate) fn read(disk: &dyn Disk, dir: &Path, key: &StoreKey) -> Result<Self, OpenError> {
        let path = dir.join(STATE_FILE);
        let sealed = match disk.read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(OpenError::damaged(&path, 0, "the file is missing"));
            }
            read => read.map_err(|error| OpenError::io(&path, error))?,
        };
        let plain = key.sealer(Purpose::State).open(PLACE, &sealed);
        plain
            .and_then(|plain| Self::decode(&plain))
            .ok_or_else(|| OpenError::damaged(&path, 0, "seal does not open"))
    }

    pub(crate) fn write(&self, disk: &dyn Disk, dir: &Path, key: &StoreKey) -> Result<(), OpenError> {
        let path = dir.join(STATE_FILE);
        let sealed = key
            .sealer(Purpose::State)
            .seal(PLACE, &self.encode())
            .map_err(|_| OpenError::Random)?;
        write_atomic(disk, &path, &sealed).map_err(|error| OpenError::io(&path, error))
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.u32(self.base_segment).u64(self.base_sequence).u32(self.index);
        match self.closed {
            Some((sequence, chain)) => out.u8(1).u64(sequence).raw(&chain),
            None => out.u8(0),
        };
        out.u32(self.journal).u8(u8::from(self.lost)).u64(self.applied);
        out.finish()
    }

    pub(crate) fn decode(plain: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(plain);
        let (base_segment, base_sequence, index) = (reader.u32()?, reader.u64()?, reader.u32()?);
        let closed = match reader.u8()? {
            0 => None,
            _ => Some((reader.u64()?, reader.array()?)),
        };
        let (journal, lost, applied) = (reader.u32()?, reader.u8()? != 0, reader.u64()?);
        reader.end()?;
        Some(Self {
            base_segment,
            base_sequence,
            index,
            closed,
            journal,
            lost,
            applied,
        })
    }
}

/// The folder of the journal with a number.
pub(crate) fn journal_dir(dir: &Path, number: u32) -> PathBuf {
    match number {
        0 => dir.join(JOURNAL),
        number => dir.join(format!("{JOURNAL}-{number:04}")),
    }
}

/// The number of a folder that `name` says is that of a journal.
pub(crate) fn journal_number(name: &str) -> Option<u32> {
    match name.strip_prefix(JOURNAL)? {
        "" => Some(0),
        rest => rest.strip_prefix('-')?.parse().ok(),
    }
}

/// True where a store has been made in `dir`, even if its format is lost.
pub(crate) fn is_store(disk: &dyn Disk, dir: &Path) -> bool {
    let mut files = [FORMAT_FILE].into_iter().chain(crate::vault::COPIES);
    files.any(|name| {
        let path = dir.join(name);
        disk.exists(&path) && !disk.is_dir(&path)
    })
}

/// Writes the format of a store.
pub(crate) fn write_format(disk: &dyn Disk, dir: &Path) -> Result<(), OpenError> {
    let path = dir.join(FORMAT_FILE);
    // Twice: a changed digit must not pass for a later format.
    let line = format!("beatbook store {FORMAT}\n");
    write_atomic(disk, &path, line.repeat(2).as_bytes()).map_err(|error| OpenError::io(&path, error))
}

/// Refuses a store that this release cannot read.
pub(crate) fn check_format(disk: &dyn Disk, dir: &Path) -> Result<(), OpenError> {
    let path = format_path(dir);
    if !is_store(disk, dir) {
        return Err(OpenError::NotAStore {
            path: dir.to_path_buf(),
        });
    }
    let bytes = match disk.read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(OpenError::damaged(&path, 0, "the file is missing"));
        }
        read => read.map_err(|error| OpenError::io(&path, error))?,
    };
    let text = std::str::from_utf8(&bytes).unwrap_or_default();
    let number = |line: &str| {
        line.strip_prefix("beatbook store ")?
            .strip_suffix('\n')?
            .parse()
            .ok()
    };
    let mut lines = text.split_inclusive('\n').map(number);
    let found: Option<u32> = lines.next().flatten();
    match found.filter(|_| lines.all(|line| line == found)) {
        Some(FORMAT) => Ok(()),
        Some(found) if found > FORMAT => Err(OpenError::NewerFormat { found, known: FORMAT }),
        Some(found) if found > 0 => Err(OpenError::OlderFormat { found, known: FORMAT }),
        _ => Err(OpenError::damaged(&path, 0, "not the format of a store")),
    }
}

/// The file that names the format.
pub(crate) fn format_path(dir: &Path) -> PathBuf {
    dir.join(FORMAT_FILE)
}

/// The file that holds the state.
pub(crate) fn state_path(dir: &Path) -> PathBuf {
    dir.join(STATE_FILE)
}
