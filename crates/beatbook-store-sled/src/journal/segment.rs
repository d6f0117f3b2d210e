//! One segment file of the journal: its header, and walking its frames.

use crate::codec::{Reader, Writer};
use crate::journal::frame::{Chain, Entry, Keys, Place, is_later_frame};

/// Magic, format, number, sequence before the first frame, chain before it, checksum.
pub(crate) const HEADER_BYTES: usize = 8 + 2 + 4 + 8 + 32 + 4;
const MAGIC: &[u8; 8] = b"BEATJRNL";
const FORMAT: u16 = 1;

/// What stands at the start of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) number: u32,
    /// Sequence of the last frame before this segment.
    pub(crate) after: u64,
    pub(crate) chain: Chain,
}

/// What walking one segment found.
pub(crate) struct Walk {
    pub(crate) header: Header,
    pub(crate) entries: Vec<(u64, Entry)>,
    /// Sequence and chain of the last good frame.
    pub(crate) sequence: u64,
    pub(crate) chain: Chain,
    /// Length up to the end of the last good frame.
    pub(crate) good_bytes: usize,
    /// Why the walk ended before the end of the file.
    pub(crate) fault: Option<Fault>,
}

/// A place where a segment does not hold a frame.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fault {
    pub(crate) what: &'static str,
    /// Whole frames follow, so that this is no torn tail.
    pub(crate) in_the_middle: bool,
}

impl Header {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Writer::with_capacity(HEADER_BYTES);
        out.raw(MAGIC)
            .u16(FORMAT)
            .u32(self.number)
            .u64(self.after)
            .raw(&self.chain);
        let mut bytes = out.finish();
        bytes.extend_from_slice(&crc32fast::hash(&bytes).to_be_bytes());
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, &'static str> {
        let (body, rest) = bytes
            .split_at_checked(HEADER_BYTES - 4)
            .ok_or("segment header cut short")?;
        if Reader::new(rest).u32() != Some(crc32fast::hash(body)) {
            return Err("segment header does not hold");
        }
        let mut reader = Reader::new(body);
        if reader.array() != Some(*MAGIC) || reader.u16() != Some(FORMAT) {
            return Err("not a journal segment of this release");
        }
        let header = (|| {
            Some(Self {
                number: reader.u32()?,
                after: reader.u64()?,
                chain: reader.array()?,
            })
        })();
        header.ok_or("segment header cut short")
    }
}

impl Walk {
    /// Walks a segment up to `upto` or to the first place that holds no frame.
    pub(crate) fn over(bytes: &[u8], keys: &Keys, upto: u64) -> Result<Self, &'static str> {
        let header = Header::decode(bytes)?;
        let mut walk = Self {
            header,
            entries: Vec::new(),
            sequence: header.after,
            chain: header.chain,
            good_bytes: HEADER_BYTES,
            fault: None,
        };
        while walk.sequence < upto && walk.good_bytes < bytes.len() && walk.fault.is_none() {
            let rest = bytes.get(walk.good_bytes..).unwrap_or_default();
            if let Err(what) = walk.step(rest, keys) {
                let in_the_middle = (1..rest.len()).any(|at| {
                    rest.get(at..)
                        .is_some_and(|tail| is_later_frame(tail, walk.sequence))
                });
                walk.fault = Some(Fault { what, in_the_middle });
            }
        }
        Ok(walk)
    }

    /// True where the segment is full.
    pub(crate) fn has_footer(&self) -> bool {
        matches!(self.entries.last(), Some((_, Entry::Footer)))
    }

    /// True where the index was made durable within this segment.
    pub(crate) fn has_checkpoint(&self) -> bool {
        self.entries
            .iter()
            .any(|(_, entry)| matches!(entry, Entry::Checkpoint(..)))
    }

    fn step(&mut self, rest: &[u8], keys: &Keys) -> Result<(), &'static str> {
        let sequence = self.sequence.checked_add(1).ok_or("sequence out of range")?;
        let place = Place {
            segment: self.header.number,
            sequence,
            previous: self.chain,
        };
        let (length, chain, plain) = keys.open(place, rest)?;
        let entry = Entry::decode(&plain).ok_or("frame of an unknown kind")?;
        self.entries.push((sequence, entry));
        self.sequence = sequence;
        self.chain = chain;
        self.good_bytes += length;
        Ok(())
    }
}
