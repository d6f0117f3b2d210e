//! A model of sled on a simulated disk: the same faults as were measured, without threads or a clock.
//!
//! It keeps an ordered map in memory and a log of batches in one file. What was measured of sled 0.34.7 and holds
//! here too: what was applied since the last flush is in the file or not; bytes are durable only after our own
//! fsync; a flipped bit or a lost sector makes rows vanish, or old ones come back, without an error; a `conf` that
//! a kill left half-written never opens; a full disk is told and passes, any other failure stays until reopened.

use std::collections::BTreeMap;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use beatbook_core::store::{Pair, StoreError};
use parking_lot::{Mutex, RwLock};

use crate::codec::{Reader, Writer};
use crate::disk::{Disk, DiskFile, write_atomic};
use crate::engine::{Engine, RowBatch, RowRange, RowVisit, Rows};
use crate::error::{OpenError, io_error, is_full};

const CONF: &[u8] = b"beatbook model of an index, 1\n";
/// Every record of the log begins with this, so that reading goes on behind a damaged one.
const MARK: &[u8; 4] = b"rows";
/// Mark, length, checksum.
const RECORD_HEAD_BYTES: usize = 12;
/// Logs below this size are not written anew.
const LOG_BYTES_MIN: u64 = 64 << 10;
/// The log is written anew when it is this many times as long as what is live.
const LOG_TIMES: u64 = 4;

/// An engine over a [`Disk`] that behaves as sled was measured to.
#[derive(Clone, Copy, Debug)]
pub struct ModelEngine {
    /// Bytes of applied batches that gather in memory before they are appended to the file: what a kill loses.
    pub buffer_bytes: usize,
}

impl Default for ModelEngine {
    fn default() -> Self {
        Self {
            buffer_bytes: 8 << 10,
        }
    }
}

impl Engine for ModelEngine {
    fn open(&self, disk: &Arc<dyn Disk>, path: &Path, _cache_bytes: u64) -> Result<Box<dyn Rows>, OpenError> {
        let io = |error| OpenError::io(path, error);
        disk.create_dir(path).map_err(io)?;
        let conf = path.join("conf");
        match disk.read(&conf) {
            Ok(found) if found == CONF => {}
            Ok(_) => {
                return Err(OpenError::Index {
                    reason: "its conf does not hold".into(),
                });
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                disk.open(&conf)
                    .and_then(|mut file| file.append(CONF))
                    .map_err(io)?;
            }
            Err(error) => return Err(io(error)),
        }
        let db = path.join("db");
        let bytes = match disk.read(&db) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            read => read.map_err(io)?,
        };
        let mut map = BTreeMap::new();
        replay(&bytes, &mut map);
        let log = Log {
            file: disk.open(&db).map_err(io)?,
            length: bytes.len() as u64,
            buffer: Vec::new(),
            failed: None,
        };
        Ok(Box::new(ModelRows {
            disk: Arc::clone(disk),
            path: path.to_path_buf(),
            buffer_bytes: self.buffer_bytes,
            map: RwLock::new(map),
            log: Mutex::new(log),
        }))
    }
}

type Map = BTreeMap<Vec<u8>, Vec<u8>>;

struct ModelRows {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    buffer_bytes: usize,
    map: RwLock<Map>,
    log: Mutex<Log>,
}

struct Log {
    file: Box<dyn DiskFile>,
    /// Length of the file, up to which it holds what was meant.
    length: u64,
    buffer: Vec<u8>,
    /// The first failure that does not pass.
    failed: Option<String>,
}

impl Rows for ModelRows {
    fn get(&self, row: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.map.read_recursive().get(row).cloned())
    }

    fn visit(&self, range: RowRange<'_>, visit: &mut RowVisit<'_>) -> Result<(), StoreError> {
        // Recursive: what is visited may lead to reading another row.
        for (row, bytes) in self.map.read_recursive().range::<[u8], _>(range) {
            if visit(row, bytes)? == ControlFlow::Break(()) {
                break;
            }
        }
        Ok(())
    }

    fn last(&self, from: &[u8], to: &[u8]) -> Result<Option<Pair>, StoreError> {
        let map = self.map.read_recursive();
        let found = map.range::<[u8], _>(range(from, to)).next_back();
        Ok(found.map(|(row, bytes)| (row.clone(), bytes.clone())))
    }

    fn apply(&self, batch: RowBatch) -> Result<(), StoreError> {
        let mut log = self.log.lock();
        log.check()?;
        let mut payload = Writer::default();
        let mut map = self.map.write();
        for (row, bytes) in batch {
            payload.bytes(&row).u8(u8::from(bytes.is_some()));
            match bytes {
                Some(bytes) => {
                    payload.bytes(&bytes);
                    map.insert(row, bytes);
                }
                None => drop(map.remove(&row)),
            }
        }
        drop(map);
        log.push(&payload.finish());
        if log.buffer.len() < self.buffer_bytes {
            return Ok(());
        }
        match log.write() {
            // The rows are in memory; the next flush tells of it.
            Err(StoreError::DiskFull) | Ok(()) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn flush(&self) -> Result<(), StoreError> {
        let mut log = self.log.lock();
        log.check()?;
        log.write()?;
        if log.length > LOG_BYTES_MIN {
            self.shorten(&mut log)?;
        }
        let synced = log
            .file
            .sync()
            .and_then(|()| self.disk.open(&self.path.join("conf"))?.sync())
            .and_then(|()| self.disk.sync_dir(&self.path));
        synced.map_err(|error| log.fail(&error))
    }

    fn close(self: Box<Self>) -> Result<(), OpenError> {
        Ok(())
    }
}

impl ModelRows {
    /// Writes the log anew where most of it is dead.
    fn shorten(&self, log: &mut Log) -> Result<(), StoreError> {
        let map = self.map.read_recursive();
        let live: usize = map.iter().map(|(row, bytes)| row.len() + bytes.len()).sum();
        if log.length < (live as u64).saturating_mul(LOG_TIMES) {
            return Ok(());
        }
        let mut payload = Writer::with_capacity(live + map.len() * 9);
        for (row, bytes) in map.iter() {
            payload.bytes(row).u8(1).bytes(bytes);
        }
        let record = record(&payload.finish());
        let db = self.path.join("db");
        let anew = write_atomic(self.disk.as_ref(), &db, &record).and_then(|()| self.disk.open(&db));
        match anew {
            // The long log is still the one in place and goes on.
            Err(error) if is_full(&error) && self.disk.len(&db).ok() == Some(log.length) => Ok(()),
            Ok(file) => {
                log.file = file;
                log.length = record.len() as u64;
                Ok(())
            }
            Err(error) => Err(log.fail(&io::Error::other(error.to_string()))),
        }
    }
}

impl Log {
    fn check(&self) -> Result<(), StoreError> {
        match &self.failed {
            Some(reason) => Err(StoreError::Io {
                reason: reason.clone(),
            }),
            None => Ok(()),
        }
    }

    fn push(&mut self, payload: &[u8]) {
        self.buffer.extend_from_slice(&record(payload));
    }

    /// Appends what has gathered. Not durable by itself.
    fn write(&mut self) -> Result<(), StoreError> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        if let Err(error) = self.file.append(&self.buffer) {
            // A part may be in the file; the next try must not leave it twice.
            return Err(match self.file.truncate(self.length) {
                Ok(()) => self.fail(&error),
                Err(second) => self.fail(&io::Error::other(second.to_string())),
            });
        }
        self.length += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    /// A full disk passes; anything else stays.
    fn fail(&mut self, error: &io::Error) -> StoreError {
        if !is_full(error) {
            self.failed.get_or_insert_with(|| error.to_string());
        }
        io_error(error)
    }
}

fn range<'a>(from: &'a [u8], to: &'a [u8]) -> RowRange<'a> {
    (std::ops::Bound::Included(from), std::ops::Bound::Excluded(to))
}

fn record(payload: &[u8]) -> Vec<u8> {
    let mut out = Writer::with_capacity(payload.len() + RECORD_HEAD_BYTES);
    out.raw(MARK)
        .u32(crate::codec::length(payload))
        .u32(crc32fast::hash(payload))
        .raw(payload);
    out.finish()
}

/// Applies every record that holds; what lies between is passed over without a word.
fn replay(bytes: &[u8], map: &mut Map) {
    let mut rest = bytes;
    while rest.len() >= RECORD_HEAD_BYTES {
        match payload(rest) {
            Some((payload, after)) => {
                change(payload, map);
                rest = after;
            }
            None => {
                let next = rest.windows(MARK.len()).skip(1).position(|window| window == MARK);
                rest = next.map_or(&[][..], |at| rest.get(at + 1..).unwrap_or_default());
            }
        }
    }
}

/// The record at the start of `bytes`, and what follows it.
fn payload(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut reader = Reader::new(bytes);
    if reader.array()? != *MARK {
        return None;
    }
    let (length, checksum) = (reader.u32()?, reader.u32()?);
    let (payload, rest) = reader.rest().split_at_checked(usize::try_from(length).ok()?)?;
    (crc32fast::hash(payload) == checksum).then_some((payload, rest))
}

fn change(payload: &[u8], map: &mut Map) -> Option<()> {
    let mut reader = Reader::new(payload);
    while let Some(row) = reader.bytes() {
        if reader.u8()? == 1 {
            map.insert(row.to_vec(), reader.bytes()?.to_vec());
        } else {
            map.remove(row);
        }
    }
    Some(())
}
