//! The file of a backup: the vault, then numbered sealed chunks, the last of which ends it.
//!
//! Each chunk is sealed for its number and for the head of the file, so that a flipped bit, a missing, moved or
//! foreign chunk, and a cut end are all found while reading. Holds nothing about what the rows mean.

use std::io::{self, ErrorKind, Read, Write};

use beatbook_core::store::Pairs;

use crate::codec::{Reader, Writer, length};
use crate::error::{BackupError, RestoreError};
use crate::journal::frame::{Commit, FRAME_BYTES_MAX};
use crate::seal::{Purpose, SEAL_BYTES, Sealer, StoreKey};
use crate::totals::Totals;
use crate::vault::Vault;

const MAGIC: &[u8; 8] = b"BEATBKP1";
const VAULT_BYTES_MAX: usize = 4096;
const START: u8 = 1;
const ROWS: u8 = 2;
const COMMIT: u8 = 3;
const END: u8 = 4;

/// One chunk of a backup.
pub(crate) enum Chunk {
    /// The backup holds at least everything up to this sequence.
    Start(u64),
    /// Sealed rows of the index, as they are.
    Rows(Pairs),
    /// A commit that was made while the rows were copied.
    Commit(u64, Commit),
    /// The last chunk.
    End(Box<Ending>),
}

/// What the last chunk says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ending {
    /// The backup holds exactly everything up to this sequence.
    pub(crate) sequence: u64,
    pub(crate) anchored: bool,
    pub(crate) totals: Totals,
}

impl Chunk {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        match self {
            Self::Start(sequence) => drop(out.u8(START).u64(*sequence)),
            Self::Rows(rows) => {
                out.u8(ROWS).u32(rows.len() as u32);
                for (row, sealed) in rows {
                    out.bytes(row).bytes(sealed);
                }
            }
            Self::Commit(sequence, commit) => commit.encode(out.u8(COMMIT).u64(*sequence)),
            Self::End(ending) => {
                out.u8(END).u64(ending.sequence).u8(u8::from(ending.anchored));
                ending.totals.encode(|_| true, &mut out);
            }
        }
        out.finish()
    }

    pub(crate) fn decode(plain: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(plain);
        let chunk = match reader.u8()? {
            START => Self::Start(reader.u64()?),
            ROWS => {
                let mut rows = Vec::new();
                for _ in 0..reader.u32()? {
                    rows.push((reader.bytes()?.to_vec(), reader.bytes()?.to_vec()));
                }
                Self::Rows(rows)
            }
            COMMIT => Self::Commit(reader.u64()?, Commit::decode(&mut reader)?),
            END => {
                let (sequence, anchored) = (reader.u64()?, reader.u8()? != 0);
                let mut totals = Totals::default();
                totals.decode_over(&mut reader)?;
                Self::End(Box::new(Ending {
                    sequence,
                    anchored,
                    totals,
                }))
            }
            _ => return None,
        };
        reader.end()?;
        Some(chunk)
    }
}

/// Writes a backup.
pub(crate) struct BackupWriter<'a> {
    out: &'a mut dyn Write,
    sealer: Sealer,
    head: [u8; 32],
    number: u64,
    pub(crate) bytes: u64,
}

impl<'a> BackupWriter<'a> {
    pub(crate) fn start(
        out: &'a mut dyn Write,
        key: &StoreKey,
        vault: &Vault,
        id: [u8; 16],
    ) -> Result<Self, BackupError> {
        let mut head = Writer::default();
        head.raw(MAGIC).bytes(&vault.encode()).raw(&id);
        let head = head.finish();
        out.write_all(&head).map_err(BackupError::Write)?;
        Ok(Self {
            out,
            sealer: key.sealer(Purpose::Backup),
            head: *blake3::hash(&head).as_bytes(),
            number: 0,
            bytes: head.len() as u64,
        })
    }

    pub(crate) fn chunk(&mut self, chunk: &Chunk) -> Result<(), BackupError> {
        let sealed = self
            .sealer
            .seal(&place(&self.head, self.number), &chunk.encode())
            .map_err(|_| crate::error::no_random())?;
        self.out
            .write_all(&length(&sealed).to_be_bytes())
            .and_then(|()| self.out.write_all(&sealed))
            .map_err(BackupError::Write)?;
        self.number += 1;
        self.bytes += 4 + sealed.len() as u64;
        Ok(())
    }

    pub(crate) fn finish(self) -> Result<u64, BackupError> {
        self.out.flush().map_err(BackupError::Write)?;
        Ok(self.bytes)
    }
}

/// Reads a backup.
pub(crate) struct BackupReader<'a> {
    source: &'a mut dyn Read,
    head: [u8; 32],
    pub(crate) vault: Vault,
    number: u64,
    offset: u64,
}

impl<'a> BackupReader<'a> {
    pub(crate) fn start(source: &'a mut dyn Read) -> Result<Self, RestoreError> {
        let mut head = vec![0; MAGIC.len() + 4];
        fill(source, &mut head, 0)?;
        let mut reader = Reader::new(&head);
        let (magic, vault_bytes) = (reader.array::<8>(), reader.u32().unwrap_or(u32::MAX) as usize);
        if magic != Some(*MAGIC) || vault_bytes > VAULT_BYTES_MAX {
            return Err(RestoreError::Damaged {
                offset: 0,
                what: "this is not a backup",
            });
        }
        let vault_at = head.len();
        head.resize(vault_at + vault_bytes + 16, 0);
        let (_, rest) = head.split_at_mut(vault_at);
        fill(source, rest, vault_at as u64)?;
        let vault = rest.get(..vault_bytes).and_then(Vault::decode);
        let vault = vault.ok_or(RestoreError::Damaged {
            offset: vault_at as u64,
            what: "the vault does not hold",
        })?;
        let offset = head.len() as u64;
        Ok(Self {
            source,
            head: *blake3::hash(&head).as_bytes(),
            vault,
            number: 0,
            offset,
        })
    }

    /// Reads the next chunk. After the last one the file must end.
    pub(crate) fn chunk(&mut self, sealer: &Sealer) -> Result<Chunk, RestoreError> {
        let damaged = |offset, what| RestoreError::Damaged { offset, what };
        let mut field = [0; 4];
        fill(self.source, &mut field, self.offset)?;
        let bytes = u32::from_be_bytes(field) as usize;
        if !(SEAL_BYTES..=FRAME_BYTES_MAX + 4096).contains(&bytes) {
            return Err(damaged(self.offset, "impossible chunk length"));
        }
        // Grows with what is really there: a damaged length must not ask for memory.
        let mut sealed = Vec::new();
        self.source
            .take(bytes as u64)
            .read_to_end(&mut sealed)
            .map_err(RestoreError::Read)?;
        let plain = sealer.open(&place(&self.head, self.number), &sealed);
        let chunk = plain.and_then(|plain| Chunk::decode(&plain));
        let chunk = chunk.ok_or_else(|| damaged(self.offset, "a chunk does not open"))?;
        self.number += 1;
        self.offset += 4 + bytes as u64;
        if matches!(chunk, Chunk::End(_)) {
            let mut more = [0; 1];
            if self.source.read(&mut more).map_err(RestoreError::Read)? != 0 {
                return Err(damaged(self.offset, "there is more after its end"));
            }
        }
        Ok(chunk)
    }

    pub(crate) fn damaged(&self, what: &'static str) -> RestoreError {
        RestoreError::Damaged {
            offset: self.offset,
            what,
        }
    }
}

fn place(head: &[u8; 32], number: u64) -> Vec<u8> {
    let mut out = Writer::with_capacity(64);
    out.raw(b"backup").u8(1).raw(head).u64(number);
    out.finish()
}

fn fill(source: &mut dyn Read, bytes: &mut [u8], offset: u64) -> Result<(), RestoreError> {
    source
        .read_exact(bytes)
        .map_err(|error: io::Error| match error.kind() {
            ErrorKind::UnexpectedEof => RestoreError::Damaged {
                offset,
                what: "it ends too soon",
            },
            _ => RestoreError::Read(error),
        })
}
