//! One frame of the journal: its bytes, its seal, and what it says.

use beatbook_core::store::{Pairs, Table, WriteSet};
use zeroize::Zeroizing;

use crate::codec::{Reader, Writer};
use crate::seal::{Purpose, SEAL_BYTES, SealError, Sealer, StoreKey};
use crate::totals::Totals;

/// Hash of everything in the journal up to and with one frame.
pub(crate) type Chain = [u8; 32];

/// Largest sealed frame that is written or read.
pub(crate) const FRAME_BYTES_MAX: usize = 64 << 20;
/// Length, sequence, previous hash.
pub(crate) const FRAME_HEAD_BYTES: usize = 4 + 8 + 32;
const CHECKSUM_BYTES: usize = 4;

/// The keys of the journal.
#[derive(Clone)]
pub(crate) struct Keys {
    sealer: Sealer,
    chain: Zeroizing<[u8; 32]>,
}

/// Where a frame stands: part of what its seal covers.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub(crate) segment: u32,
    pub(crate) sequence: u64,
    pub(crate) previous: Chain,
}

/// What a frame says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// The store was opened.
    Open(Opening),
    /// A group of transactions.
    Commit(Commit),
    /// The index was made durable; these are the totals of all its tables.
    Checkpoint(Opening, Box<Totals>),
    /// The segment is full and the next one exists.
    Footer,
    /// The store was closed.
    End,
    /// Sealed rows of the index, as they are. Where a journal begins with these, up to its first checkpoint, it holds
    /// everything although it does not begin with the store.
    Rows(Pairs),
}

/// The open id and whether the store has an anchor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Opening {
    pub(crate) id: [u8; 16],
    pub(crate) anchored: bool,
}

/// A group of transactions as the journal holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Commit {
    /// Makes the nonces of the index: replaying a frame gives the very same sealed rows.
    pub(crate) salt: [u8; 24],
    /// Totals of the touched tables after it, as encoded.
    pub(crate) totals: Vec<u8>,
    pub(crate) writes: WriteSet,
}

impl Keys {
    pub(crate) fn new(key: &StoreKey) -> Self {
        Self {
            sealer: key.sealer(Purpose::Journal),
            chain: key.subkey(Purpose::Chain),
        }
    }

    /// Seals one frame and returns its bytes and the chain after it.
    pub(crate) fn frame(&self, place: Place, plain: &[u8]) -> Result<(Vec<u8>, Chain), SealError> {
        let sealed = self.sealer.seal(&place.bytes(), plain)?;
        let mut out = Writer::with_capacity(FRAME_HEAD_BYTES + sealed.len() + CHECKSUM_BYTES);
        out.u32(crate::codec::length(&sealed))
            .u64(place.sequence)
            .raw(&place.previous)
            .raw(&sealed);
        let mut bytes = out.finish();
        let chain = self.after(&bytes);
        bytes.extend_from_slice(&crc32fast::hash(&bytes).to_be_bytes());
        Ok((bytes, chain))
    }

    /// Opens the frame at the start of `bytes`: its length, the chain after it, and its plain bytes.
    pub(crate) fn open(&self, place: Place, bytes: &[u8]) -> Result<(usize, Chain, Vec<u8>), &'static str> {
        let body = checked(bytes)?;
        let mut reader = Reader::new(body);
        let (_, sequence, previous) = (reader.u32(), reader.u64(), reader.array::<32>());
        if sequence != Some(place.sequence) {
            return Err("sequence out of order");
        }
        if previous != Some(place.previous) {
            return Err("broken hash chain");
        }
        let plain = self
            .sealer
            .open(&place.bytes(), reader.rest())
            .ok_or("seal does not open")?;
        Ok((body.len() + CHECKSUM_BYTES, self.after(body), plain))
    }

    /// Opens a frame at the start of `bytes` wherever in its segment that is: its length, sequence and plain bytes.
    pub(crate) fn open_alone(&self, segment: u32, bytes: &[u8]) -> Option<(usize, u64, Vec<u8>)> {
        let mut reader = Reader::new(checked(bytes).ok()?);
        reader.u32()?;
        let place = Place {
            segment,
            sequence: reader.u64()?,
            previous: reader.array()?,
        };
        let (length, _, plain) = self.open(place, bytes).ok()?;
        Some((length, place.sequence, plain))
    }

    fn after(&self, frame: &[u8]) -> Chain {
        *blake3::keyed_hash(&self.chain, frame).as_bytes()
    }
}

impl Place {
    fn bytes(&self) -> Vec<u8> {
        let mut out = Writer::with_capacity(64);
        out.raw(b"frame")
            .u8(1)
            .u32(self.segment)
            .u64(self.sequence)
            .raw(&self.previous);
        out.finish()
    }
}

impl Entry {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        match self {
            Self::Open(opening) => opening.encode(out.u8(1)),
            Self::Commit(commit) => commit.encode(out.u8(2)),
            Self::Checkpoint(opening, totals) => {
                opening.encode(out.u8(3));
                totals.encode(|_| true, &mut out);
            }
            Self::Footer => drop(out.u8(4)),
            Self::End => drop(out.u8(5)),
            Self::Rows(rows) => {
                out.u8(6).u32(rows.len() as u32);
                for (row, sealed) in rows {
                    out.bytes(row).bytes(sealed);
                }
            }
        }
        out.finish()
    }

    pub(crate) fn decode(plain: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(plain);
        let entry = match reader.u8()? {
            1 => Self::Open(Opening::decode(&mut reader)?),
            2 => Self::Commit(Commit::decode(&mut reader)?),
            3 => {
                let opening = Opening::decode(&mut reader)?;
                let mut totals = Totals::default();
                totals.decode_over(&mut reader)?;
                Self::Checkpoint(opening, Box::new(totals))
            }
            4 => Self::Footer,
            5 => Self::End,
            6 => {
                let mut rows = Vec::new();
                for _ in 0..reader.u32()? {
                    rows.push((reader.bytes()?.to_vec(), reader.bytes()?.to_vec()));
                }
                Self::Rows(rows)
            }
            _ => return None,
        };
        reader.end()?;
        Some(entry)
    }
}

impl Opening {
    pub(crate) fn encode(&self, out: &mut Writer) {
        out.raw(&self.id).u8(u8::from(self.anchored));
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            id: reader.array()?,
            anchored: reader.u8()? != 0,
        })
    }
}

impl Commit {
    pub(crate) fn encode(&self, out: &mut Writer) {
        out.raw(&self.salt)
            .bytes(&self.totals)
            .u32(self.writes.len() as u32);
        for (table, key, value) in self.writes.iter() {
            out.u8(table as u8).bytes(key).u8(u8::from(value.is_some()));
            if let Some(value) = value {
                out.bytes(value);
            }
        }
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Option<Self> {
        let salt = reader.array()?;
        let totals = reader.bytes()?.to_vec();
        let mut writes = WriteSet::default();
        for _ in 0..reader.u32()? {
            let table = *Table::ALL.get(usize::from(reader.u8()?))?;
            let key = reader.bytes()?.to_vec();
            let value = match reader.u8()? {
                0 => None,
                1 => Some(reader.bytes()?.to_vec()),
                _ => return None,
            };
            writes.set(table, key, value);
        }
        Some(Self { salt, totals, writes })
    }
}

/// True where a whole frame with a sequence after `sequence` begins in `bytes`.
pub(crate) fn is_later_frame(bytes: &[u8], sequence: u64) -> bool {
    let Some(found) = bytes
        .get(4..12)
        .and_then(|field| field.try_into().ok())
        .map(u64::from_be_bytes)
    else {
        return false;
    };
    // No segment holds a million frames, so any other sequence is chance.
    found > sequence && found - sequence < 1 << 20 && checked(bytes).is_ok()
}

/// The frame at the start of `bytes` without its checksum, which holds.
fn checked(bytes: &[u8]) -> Result<&[u8], &'static str> {
    let sealed = Reader::new(bytes).u32().ok_or("frame cut short")? as usize;
    if !(SEAL_BYTES..=FRAME_BYTES_MAX + SEAL_BYTES).contains(&sealed) {
        return Err("impossible frame length");
    }
    let (body, rest) = bytes
        .split_at_checked(FRAME_HEAD_BYTES + sealed)
        .ok_or("frame cut short")?;
    let checksum = Reader::new(rest).u32().ok_or("frame cut short")?;
    if checksum != crc32fast::hash(body) {
        return Err("checksum does not hold");
    }
    Ok(body)
}
