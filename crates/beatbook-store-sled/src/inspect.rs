//! Doors for fuzz targets: the readers of files and of what is sealed in them, on any bytes, under a fixed key.
//!
//! Only with the feature `inspect`, which no product has. What bytes on a disk may be is anything; that each reader
//! refuses them or reads what is written again as it was is asserted here, where the types are at hand.

use std::io;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::anchor::Held;
use crate::backup::{BackupReader, BackupWriter, Chunk};
use crate::control::{Request, read_chunk};
use crate::error::OpenError;
use crate::journal::frame::{Entry, Keys, Place};
use crate::journal::segment::{HEADER_BYTES, Header, Walk};
use crate::random::Random;
use crate::seal::{Purpose, StoreKey};
use crate::state::State;
use crate::vault::{PinCost, Unlock, Vault};

/// What plain bytes are to be read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plain {
    /// What an anchor holds.
    Anchor,
    /// A chunk of a backup.
    Chunk,
    /// A frame of the journal.
    Frame,
    /// A command for the control socket.
    Request,
    /// What the file `state` holds.
    State,
    /// The file `vault`, which is not sealed.
    Vault,
}

impl Plain {
    /// Every kind.
    pub const ALL: [Self; 6] = [
        Self::Anchor,
        Self::Chunk,
        Self::Frame,
        Self::Request,
        Self::State,
        Self::Vault,
    ];

    /// Reads the bytes and writes what was read: `None` where they are refused.
    pub fn rewritten(self, bytes: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Anchor => Held::decode(bytes).map(|held| held.encode()),
            Self::Chunk => Chunk::decode(bytes).map(|chunk| chunk.encode()),
            Self::Frame => Entry::decode(bytes).map(|entry| entry.encode()),
            Self::Request => Request::decode(bytes).and_then(|request| request.encode()),
            Self::State => State::decode(bytes).map(|state| state.encode()),
            Self::Vault => Vault::decode(bytes).map(|vault| vault.encode()),
        }
    }
}

/// A segment of the journal with these frames, each sealed for its place.
///
/// # Errors
/// A frame could not be sealed.
pub fn segment(frames: &[&[u8]]) -> Result<Vec<u8>, io::Error> {
    let header = Header {
        number: 1,
        after: 0,
        chain: [0; 32],
    };
    let keys = Keys::new(&key());
    let (mut bytes, mut previous) = (header.encode(), header.chain);
    for (sequence, plain) in (1..).zip(frames) {
        let place = Place {
            segment: 1,
            sequence,
            previous,
        };
        let (frame, chain) = keys
            .frame(place, plain)
            .map_err(|_| io::Error::other("a frame could not be sealed"))?;
        bytes.extend_from_slice(&frame);
        previous = chain;
    }
    Ok(bytes)
}

/// What walking a segment finds: its frames as they are written, up to the first that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Walked {
    /// The frames.
    pub frames: Vec<Vec<u8>>,
    /// Length up to the end of the last good one.
    pub good_bytes: usize,
    /// True if something came after it that is no frame.
    pub is_faulty: bool,
}

/// Walks the bytes as a segment; `None` where they do not begin as one.
pub fn walk(bytes: &[u8]) -> Option<Walked> {
    let walk = Walk::over(bytes, &Keys::new(&key()), u64::MAX).ok()?;
    Some(Walked {
        frames: walk.entries.iter().map(|(_, entry)| entry.encode()).collect(),
        good_bytes: walk.good_bytes.max(HEADER_BYTES),
        is_faulty: walk.fault.is_some(),
    })
}

/// A backup with these chunks, each sealed for its place.
///
/// # Errors
/// A chunk does not decode, or could not be sealed.
pub fn backup(chunks: &[&[u8]]) -> Result<Vec<u8>, io::Error> {
    let mut bytes = Vec::new();
    let disk = crate::disk::RealDisk;
    let unlock = Unlock::keystore([7; 32]);
    let nowhere = std::path::Path::new("");
    let vault = Vault::wrap(&key(), [1; 16], &unlock, PinCost::default(), nowhere, &disk);
    let vault = vault.map_err(|error: OpenError| io::Error::other(error.to_string()))?;
    let failed = |_| io::Error::other("a chunk could not be sealed");
    let mut writer = BackupWriter::start(&mut bytes, &key(), &vault, [2; 16]).map_err(failed)?;
    for plain in chunks {
        let chunk = Chunk::decode(plain).ok_or(io::ErrorKind::InvalidData)?;
        writer.chunk(&chunk).map_err(failed)?;
    }
    writer.finish().map_err(failed)?;
    Ok(bytes)
}

/// Reads the bytes as a backup: its chunks as they are written, and whether it was whole.
pub fn read_backup(bytes: &[u8]) -> (Vec<Vec<u8>>, bool) {
    let mut source = bytes;
    let Ok(mut reader) = BackupReader::start(&mut source) else {
        return (Vec::new(), false);
    };
    let sealer = key().sealer(Purpose::Backup);
    let mut chunks = Vec::new();
    while let Ok(chunk) = reader.chunk(&sealer) {
        chunks.push(chunk.encode());
        if matches!(chunk, Chunk::End(_)) {
            return (chunks, true);
        }
    }
    (chunks, false)
}

/// Reads the bytes as what comes over the control socket: the length of each piece, and whether it ended well.
pub fn read_pieces(mut bytes: &[u8], bytes_max: usize) -> (Vec<usize>, bool) {
    let mut pieces = Vec::new();
    loop {
        match read_chunk(&mut bytes, bytes_max) {
            Ok(Some((_, piece))) => pieces.push(piece.len()),
            Ok(None) => return (pieces, true),
            Err(_) => return (pieces, false),
        }
    }
}

fn key() -> StoreKey {
    StoreKey {
        bytes: Zeroizing::new([7; 32]),
        random: Arc::new(Even),
    }
}

/// Draws the same bytes each time: what is sealed here protects nothing.
#[derive(Debug)]
struct Even;

impl Random for Even {
    fn fill(&self, bytes: &mut [u8]) -> io::Result<()> {
        bytes.fill(0x42);
        Ok(())
    }
}
