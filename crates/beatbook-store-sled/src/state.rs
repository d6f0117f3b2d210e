//! The two small files at the root of a store: `format`, and the sealed `state`.
//!
//! `state` says where the journal begins, which folder the index is in, and how the journal ended if the store
//! was closed. It is replaced as a whole and covers what the journal cannot say about itself.

use std::path::Path;

use crate::codec::{Reader, Writer};
use crate::disk::{Disk, write_atomic};
use crate::error::OpenError;
use crate::journal::frame::Chain;
use crate::seal::{Purpose, StoreKey};

/// Format of the store as a whole.
pub(crate) const FORMAT: u32 = 1;
const FORMAT_FILE: &str = "format";
const STATE_FILE: &str = "state";
const PLACE: &[u8] = b"state v1";

/// What the journal cannot say about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct State {
    /// The first segment that must be there.
    pub(crate) base_segment: u32,
    /// Sequence of the last frame before it: what came before is only in the index.
    pub(crate) base_sequence: u64,
    /// Number of the index folder.
    pub(crate) index: u32,
    /// Sequence and chain of the end frame, if the store was closed.
    pub(crate) closed: Option<(u64, Chain)>,
}

impl State {
    pub(crate) fn read(disk: &dyn Disk, dir: &Path, key: &StoreKey) -> Result<Self, OpenError> {
        let path = dir.join(STATE_FILE);
        let sealed = disk.read(&path).map_err(|error| OpenError::io(&path, error))?;
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
        out.finish()
    }

    pub(crate) fn decode(plain: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(plain);
        let (base_segment, base_sequence, index) = (reader.u32()?, reader.u64()?, reader.u32()?);
        let closed = match reader.u8()? {
            0 => None,
            _ => Some((reader.u64()?, reader.array()?)),
        };
        reader.end()?;
        Some(Self {
            base_segment,
            base_sequence,
            index,
            closed,
        })
    }
}

/// True where a store has been made in `dir`.
pub(crate) fn has_format(disk: &dyn Disk, dir: &Path) -> bool {
    let path = dir.join(FORMAT_FILE);
    disk.exists(&path) && !disk.is_dir(&path)
}

/// Writes the format of a new store.
pub(crate) fn write_format(disk: &dyn Disk, dir: &Path) -> Result<(), OpenError> {
    let path = dir.join(FORMAT_FILE);
    write_atomic(disk, &path, format!("beatbook store {FORMAT}\n").as_bytes())
        .map_err(|error| OpenError::io(&path, error))
}

/// Refuses a store that this release cannot read.
pub(crate) fn check_format(disk: &dyn Disk, dir: &Path) -> Result<(), OpenError> {
    let path = dir.join(FORMAT_FILE);
    if !has_format(disk, dir) {
        return Err(OpenError::NotAStore {
            path: dir.to_path_buf(),
        });
    }
    let bytes = disk.read(&path).map_err(|error| OpenError::io(&path, error))?;
    let found = std::str::from_utf8(&bytes).ok();
    let found = found.and_then(|text| {
        text.strip_prefix("beatbook store ")?
            .strip_suffix('\n')?
            .parse()
            .ok()
    });
    match found {
        Some(FORMAT) => Ok(()),
        Some(found) if found > FORMAT => Err(OpenError::NewerFormat { found, known: FORMAT }),
        _ => Err(OpenError::damaged(&path, 0, "not the format of a store")),
    }
}
