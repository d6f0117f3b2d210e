//! Backups: a sealed copy of the whole data folder, proved by restoring it, and the way back.
//!
//! ```text
//! magic 8 | format 1 | name of the recovery key 4 | taken at 8 | length of the sealed keys 4 | nonce 24 | sealed keys
//! | the store's own backup, sealed under the store key, to the end
//! ```
//! Everything before the sealed keys is bound to them as associated data; the store's part checks itself. Only the
//! recovery key, of which the administrator keeps a copy elsewhere, opens it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use beatbook_core::ledger::{self, LedgerError};
use beatbook_core::register::{self, Officer};
use beatbook_core::server;
use beatbook_core::store::StoreError;
use beatbook_proto::{ReplicaId, codec};
use beatbook_store_sled::{BackupProgress, Store, Unlock};
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::config::Config;
use crate::keys::{self, Keys, KeysError};
use crate::store::{self, InitError, ServerStore, fresh_epoch, now_ms};

/// What a backup covers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct BackupSummary {
    /// The file.
    pub file: PathBuf,
    /// Its length.
    pub bytes: u64,
    /// Rows copied.
    pub rows: u64,
    /// Books and traces in it.
    pub books: u64,
    /// Entries in it, which are secured by it.
    pub entries: u64,
    /// When it was taken, milliseconds since 1970.
    pub taken_at_ms: i64,
}

/// What was restored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RestoreSummary {
    /// The new data folder.
    pub data: PathBuf,
    /// The force's two-digit code.
    pub force: String,
    /// Officers in it.
    pub officers: u64,
    /// Books and traces in it.
    pub books: u64,
    /// Entries in it. Devices send again what came after.
    pub entries: u64,
    /// When the backup was taken, milliseconds since 1970.
    pub taken_at_ms: i64,
    /// The new life of the log.
    pub epoch: String,
}

/// What is sealed beside the store: the keys, and the settings without the addresses of one machine.
#[derive(Serialize, Deserialize)]
struct Envelope {
    force: String,
    name: String,
    address: Option<String>,
    keys: Vec<u8>,
}

impl ServerStore {
    /// Writes a backup beside running sessions, restores it aside to prove it, and marks what it covers as secured.
    ///
    /// The file must not exist, and does not until the backup is proved: what a kill in the middle leaves has another
    /// name, and the next backup to this file takes its place. On an error nothing is left and nothing is marked.
    pub fn backup(
        &self,
        file: &Path,
        progress: &mut dyn FnMut(BackupProgress),
    ) -> Result<BackupSummary, BackupFailed> {
        let io = |source| BackupFailed::Io {
            path: file.to_owned(),
            source,
        };
        let part = part_of(file);
        let out = open_part(file, &part).map_err(io)?;
        let made = self.write_backup(&out, &part, progress).and_then(|written| {
            let covered = self.prove(&part)?;
            put_in_place(&part, file).map_err(io)?;
            Ok((written, covered))
        });
        let ((report, taken_at_ms), covered) = made.inspect_err(|_| {
            // What was not proved is of no use.
            let _ = fs::remove_file(&part);
        })?;
        let (books, entries) = totals(&covered);
        self.commit(move |tx| server::mark_secured(tx, &covered))?;
        self.store().release(report.sequence)?;
        Ok(BackupSummary {
            file: file.to_owned(),
            bytes: fs::metadata(file).map_err(io)?.len(),
            rows: report.rows,
            books,
            entries,
            taken_at_ms,
        })
    }

    fn write_backup(
        &self,
        out: &File,
        file: &Path,
        progress: &mut dyn FnMut(BackupProgress),
    ) -> Result<(beatbook_store_sled::BackupReport, i64), BackupFailed> {
        let io = |source| BackupFailed::Io {
            path: file.to_owned(),
            source,
        };
        let taken_at_ms = now_ms();
        let mut writer = BufWriter::new(out);
        writer.write_all(&self.seal_head(taken_at_ms)?).map_err(io)?;
        let report = self.store().backup(&mut writer, progress)?;
        writer.flush().map_err(io)?;
        drop(writer);
        out.sync_all().map_err(io)?;
        Ok((report, taken_at_ms))
    }

    fn seal_head(&self, taken_at_ms: i64) -> Result<Vec<u8>, BackupFailed> {
        let envelope = Envelope {
            force: self.config().force.clone(),
            name: self.config().name.clone(),
            address: self.config().address.clone(),
            keys: self.keys().to_bundle()?.to_vec(),
        };
        let plain = Zeroizing::new(codec::encode(&envelope).map_err(|_| KeysError::Bundle)?);
        let nonce = keys::random::<24>()?;
        let mut head = MAGIC.to_vec();
        head.push(FORMAT);
        head.extend_from_slice(&name_bytes(&self.keys().recovery));
        head.extend_from_slice(&taken_at_ms.to_be_bytes());
        let sealed_bytes = u32::try_from(plain.len() + TAG_BYTES).map_err(|_| KeysError::Bundle)?;
        head.extend_from_slice(&sealed_bytes.to_be_bytes());
        let cipher = XChaCha20Poly1305::new(self.keys().recovery.as_slice().into());
        let payload = Payload {
            msg: &plain,
            aad: &head,
        };
        let sealed = cipher
            .encrypt(XNonce::from_slice(nonce.as_slice()), payload)
            .map_err(|_| KeysError::Bundle)?;
        head.extend_from_slice(nonce.as_slice());
        head.extend_from_slice(&sealed);
        Ok(head)
    }

    /// Restores the file aside, opens what came of it, and says how far it holds each book.
    fn prove(&self, file: &Path) -> Result<Vec<(ReplicaId, u64)>, BackupFailed> {
        let aside = self.data().join("verify");
        let proved = prove_aside(file, &aside, &self.keys().recovery);
        // A copy of everything is not left lying about; what could not be removed now is removed by the next.
        let _ = fs::remove_dir_all(&aside);
        proved.map_err(|error| BackupFailed::NotProved(Box::new(error)))
    }
}

/// Where a backup is made until it is proved.
fn part_of(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".part");
    PathBuf::from(name)
}

/// Opens the place where a backup is made, which is this one's alone until it is closed.
fn open_part(file: &Path, part: &Path) -> io::Result<File> {
    never_over(file)?;
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600);
    let out = options.open(part)?;
    out.try_lock().map_err(|_| {
        io::Error::new(
            io::ErrorKind::ResourceBusy,
            "another backup to this file is being made",
        )
    })?;
    out.set_len(0)?;
    Ok(out)
}

/// Gives a proved backup its name.
fn put_in_place(part: &Path, file: &Path) -> io::Result<()> {
    never_over(file)?;
    fs::rename(part, file)?;
    store::sync_parent(file)
}

/// A backup is never written over.
fn never_over(file: &Path) -> io::Result<()> {
    match fs::symlink_metadata(file) {
        Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Makes the data folder of a backup in `data`, which must not exist, and begins a new life of the log there.
///
/// `key` is the file with the recovery key. Without it the file is looked for under its own name beside the backup
/// and beside the new folder.
pub fn restore(file: &Path, data: &Path, key: Option<&Path>) -> Result<RestoreSummary, RestoreFailed> {
    if data.exists() {
        return Err(InitError::Exists {
            path: data.to_owned(),
        }
        .into());
    }
    let aside = store::aside(data, "restoring")?;
    let restored = restore_aside(file, data, &aside, key).and_then(|summary| {
        store::put_in_place(&aside, data).map_err(|error| RestoreFailed::io(data, error))?;
        Ok(summary)
    });
    if restored.is_err() {
        // What could not be restored is of no use.
        let _ = fs::remove_dir_all(&aside);
    }
    restored
}

fn restore_aside(
    file: &Path,
    data: &Path,
    aside: &Path,
    key: Option<&Path>,
) -> Result<RestoreSummary, RestoreFailed> {
    let mut opened = Opened::open(file, |name| find_key(name, file, data, key))?;
    opened.keys.write(&aside.join(store::KEYS))?;
    let mut config = Config::new(&opened.envelope.force, &opened.envelope.name);
    config.address.clone_from(&opened.envelope.address);
    let store = opened.restore_store(&ServerStore::store_dir(aside))?;
    let epoch = fresh_epoch()?;
    store.commit(move |tx| server::mint_epoch(tx, epoch))?;
    let (covered, officers) = store.read(|read| -> Result<_, StoreError> {
        Ok((server::positions(read)?, register::list::<Officer>(read)?.len()))
    })?;
    store.close()?;
    store::write_config(aside, &config)?;
    let (books, entries) = totals(&covered);
    Ok(RestoreSummary {
        data: data.to_owned(),
        force: config.force,
        officers: officers as u64,
        books,
        entries,
        taken_at_ms: opened.taken_at_ms,
        epoch: epoch.to_string(),
    })
}

fn prove_aside(
    file: &Path,
    aside: &Path,
    recovery: &Zeroizing<[u8; 32]>,
) -> Result<Vec<(ReplicaId, u64)>, RestoreFailed> {
    match fs::remove_dir_all(aside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(RestoreFailed::io(aside, error)),
        _ => {}
    }
    let mut opened = Opened::open(file, |_| Ok(recovery.clone()))?;
    let store = opened.restore_store(aside)?;
    let covered = store.read(|read| -> Result<_, StoreError> {
        for book in ledger::books(read)? {
            // The last entry of each is there, not only its number.
            ledger::log(read, book.replica(), book.held.max(1), 1)?;
        }
        server::positions(read)
    })?;
    store.close()?;
    Ok(covered)
}

/// Opens the backup of a force whose recovery key is known, up to the copy of the store in it.
pub(super) fn open_store_copy(
    file: &Path,
    recovery: &Zeroizing<[u8; 32]>,
) -> Result<BufReader<File>, RestoreFailed> {
    Opened::open(file, |_| Ok(recovery.clone())).map(|opened| opened.reader)
}

/// A backup whose keys have been opened; its store comes next.
struct Opened {
    reader: BufReader<File>,
    envelope: Envelope,
    keys: Keys,
    taken_at_ms: i64,
}

impl Opened {
    fn open(
        file: &Path,
        key: impl FnOnce(&[u8; NAME_BYTES]) -> Result<Zeroizing<[u8; 32]>, RestoreFailed>,
    ) -> Result<Self, RestoreFailed> {
        let opened = File::open(file).map_err(|error| RestoreFailed::io(file, error))?;
        let mut reader = BufReader::new(opened);
        let mut head = [0; HEAD_BYTES];
        reader
            .read_exact(&mut head)
            .map_err(|_| RestoreFailed::NotABackup)?;
        let mut rest = head.as_slice();
        let magic: [u8; 8] = take(&mut rest)?;
        let [format] = take(&mut rest)?;
        let name: [u8; NAME_BYTES] = take(&mut rest)?;
        let taken_at_ms = i64::from_be_bytes(take(&mut rest)?);
        let sealed_bytes = u32::from_be_bytes(take(&mut rest)?) as usize;
        if magic != *MAGIC {
            return Err(RestoreFailed::NotABackup);
        }
        if format != FORMAT {
            return Err(RestoreFailed::Format { format });
        }
        if sealed_bytes > SEALED_BYTES_MAX {
            return Err(RestoreFailed::Damaged);
        }
        let recovery = key(&name)?;
        let mut nonce = [0; 24];
        let mut sealed = vec![0; sealed_bytes];
        reader
            .read_exact(&mut nonce)
            .and_then(|()| reader.read_exact(&mut sealed))
            .map_err(|_| RestoreFailed::Damaged)?;
        let cipher = XChaCha20Poly1305::new(recovery.as_slice().into());
        let payload = Payload {
            msg: &sealed,
            aad: &head,
        };
        let plain = cipher
            .decrypt(XNonce::from_slice(&nonce), payload)
            .map(Zeroizing::new)
            .map_err(|_| RestoreFailed::Damaged)?;
        let envelope: Envelope = codec::decode(&plain).map_err(|_| RestoreFailed::Damaged)?;
        let keys = Keys::from_bundle(&envelope.keys, recovery)?;
        Ok(Self {
            reader,
            envelope,
            keys,
            taken_at_ms,
        })
    }

    fn restore_store(&mut self, dir: &Path) -> Result<Store, RestoreFailed> {
        let unlock = Unlock::Keystore(self.keys.store.clone());
        Store::restore(&mut self.reader, dir, &unlock, &store::store_options())?;
        let (store, _) = Store::open(dir, &unlock, store::store_options())
            .map_err(beatbook_store_sled::RestoreError::from)?;
        Ok(store)
    }
}

/// Why no backup was made. Nothing counts as secured by it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupFailed {
    /// The file could not be written.
    #[error("{}: {source}; no backup was made", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The keys could not be sealed.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// What it covers could not be noted.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// What was written does not restore.
    #[error(
        "the backup was written and does not restore ({0}); it was removed, check the disk and try again"
    )]
    NotProved(Box<RestoreFailed>),
    /// The store could not be read.
    #[error(transparent)]
    Read(#[from] beatbook_store_sled::BackupError),
    /// The journal could not be shortened.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a backup was not restored. Nothing was put in place.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreFailed {
    /// The keys in it do not open: it was changed, or the recovery key is another.
    #[error(
        "the backup does not open: it is damaged, or the recovery key is not the one it was made with; use another copy"
    )]
    Damaged,
    /// The backup was made by another release.
    #[error("the backup has format {format}, which this release does not read; use the release that made it")]
    Format {
        /// Its format.
        format: u8,
    },
    /// The new folder cannot be made.
    #[error(transparent)]
    Folder(#[from] InitError),
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The keys in it cannot be used.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The new life could not be written.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The recovery key was not found.
    #[error(
        "the recovery key {name} is neither beside the backup nor beside the new folder; give it with --key"
    )]
    NoKey {
        /// The name of its file.
        name: String,
    },
    /// The file is something else.
    #[error("the file is not a backup of beatbookd, or its beginning is lost; use another copy")]
    NotABackup,
    /// The store in it does not restore.
    #[error(transparent)]
    Restore(#[from] beatbook_store_sled::RestoreError),
    /// The restored store does not read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl RestoreFailed {
    fn io(path: &Path, source: io::Error) -> Self {
        Self::Io {
            path: path.to_owned(),
            source,
        }
    }
}

fn find_key(
    name: &[u8; NAME_BYTES],
    file: &Path,
    data: &Path,
    given: Option<&Path>,
) -> Result<Zeroizing<[u8; 32]>, RestoreFailed> {
    if let Some(path) = given {
        return Ok(keys::read_key(path)?);
    }
    let digits: String = name.iter().map(|byte| format!("{byte:02x}")).collect();
    let name = format!("recovery-{digits}.key");
    let beside = [file.with_file_name(&name), data.with_file_name(&name)];
    match beside.iter().find(|path| path.exists()) {
        Some(path) => Ok(keys::read_key(path)?),
        None => Err(RestoreFailed::NoKey { name }),
    }
}

/// The name of a recovery key as it lies in a backup.
fn name_bytes(recovery: &[u8; 32]) -> [u8; NAME_BYTES] {
    let name = keys::recovery_name(recovery);
    let digits = name.trim_start_matches("recovery-").trim_end_matches(".key");
    u32::from_str_radix(digits, 16).unwrap_or_default().to_be_bytes()
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], RestoreFailed> {
    let (taken, left) = rest.split_first_chunk::<N>().ok_or(RestoreFailed::NotABackup)?;
    *rest = left;
    Ok(*taken)
}

fn totals(covered: &[(ReplicaId, u64)]) -> (u64, u64) {
    (covered.len() as u64, covered.iter().map(|(_, held)| held).sum())
}

const MAGIC: &[u8; 8] = b"BEATBKP1";
const FORMAT: u8 = 1;
const NAME_BYTES: usize = 4;
const HEAD_BYTES: usize = 8 + 1 + NAME_BYTES + 8 + 4;
const TAG_BYTES: usize = 16;
const SEALED_BYTES_MAX: usize = 1 << 20;
