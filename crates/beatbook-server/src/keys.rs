//! The keys of a force's server: made once by `init`, readable by the server alone, carried sealed in backups.

use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use beatbook_proto::{Bytes, Hash, SigningKey, codec};
use beatbook_quic::{Authority, IdentityError, ServerIdentity, Validity};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

#[cfg(test)]
mod tests;

/// Everything secret of a server.
pub(crate) struct Keys {
    /// Issues certificates to devices and servers.
    pub(crate) authority: Authority,
    /// What this server shows to devices.
    pub(crate) identity: ServerIdentity,
    /// Signs receipts.
    pub(crate) receipts: SigningKey,
    /// Tags cursors.
    pub(crate) cursors: Zeroizing<[u8; 32]>,
    /// Opens the store.
    pub(crate) store: Zeroizing<[u8; 32]>,
    /// Opens backups: the one key that must also be kept elsewhere.
    pub(crate) recovery: Zeroizing<[u8; 32]>,
    receipt_seed: Zeroizing<[u8; 32]>,
}

/// The keys as they lie in a backup.
#[derive(Serialize, Deserialize)]
struct Bundle {
    authority: Bytes,
    certificate: Bytes,
    key: Bytes,
    receipts: [u8; 32],
    cursors: [u8; 32],
    store: [u8; 32],
}

impl Drop for Bundle {
    fn drop(&mut self) {
        self.authority.0.zeroize();
        self.key.0.zeroize();
        self.receipts.zeroize();
        self.cursors.zeroize();
        self.store.zeroize();
    }
}

impl Keys {
    /// Makes new keys for a force.
    pub(crate) fn create(force: &str, now_s: u64) -> Result<Self, KeysError> {
        let authority = Authority::create(force, Validity::authority(now_s))?;
        let identity = authority.issue_server(&["127.0.0.1", "localhost"], Validity::server(now_s))?;
        Ok(Self::assemble(
            authority,
            identity,
            [random()?, random()?, random()?, random()?],
        ))
    }

    /// Writes them to a new folder that only the owner may enter.
    pub(crate) fn write(&self, dir: &Path) -> Result<(), KeysError> {
        fs::DirBuilder::new()
            .mode(0o700)
            .create(dir)
            .map_err(|error| KeysError::io(dir, error))?;
        write_secret(&dir.join(AUTHORITY), self.authority.to_pem().as_bytes())?;
        write_secret(&dir.join(CERTIFICATE), self.identity.certificate())?;
        write_secret(&dir.join(KEY), self.identity.key())?;
        for (name, key) in [
            (RECEIPTS, &self.receipt_seed),
            (CURSORS, &self.cursors),
            (STORE, &self.store),
            (RECOVERY, &self.recovery),
        ] {
            write_secret(&dir.join(name), hex(key.as_slice()).as_bytes())?;
        }
        write_secret(&dir.join(SUMS), sums(dir)?.as_bytes())?;
        fs::File::open(dir)
            .and_then(|dir| dir.sync_all())
            .map_err(|error| KeysError::io(dir, error))
    }

    /// Reads what [`Keys::write`] wrote.
    pub(crate) fn read(dir: &Path) -> Result<Self, KeysError> {
        check_sums(dir)?;
        let file = |name: &str| {
            let path = dir.join(name);
            fs::read(&path)
                .map(Zeroizing::new)
                .map_err(|error| KeysError::io(&path, error))
        };
        let pem = Zeroizing::new(String::from_utf8_lossy(&file(AUTHORITY)?).into_owned());
        let authority = Authority::from_pem(&pem)?;
        let identity = ServerIdentity::from_der(&file(CERTIFICATE)?, &file(KEY)?, authority.certificate())?;
        let key = |name: &str| read_key(&dir.join(name));
        Ok(Self::assemble(
            authority,
            identity,
            [key(RECEIPTS)?, key(CURSORS)?, key(STORE)?, key(RECOVERY)?],
        ))
    }

    /// All but the recovery key, for a backup that the recovery key seals.
    pub(crate) fn to_bundle(&self) -> Result<Zeroizing<Vec<u8>>, KeysError> {
        let bundle = Bundle {
            authority: Bytes(self.authority.to_pem().as_bytes().to_vec()),
            certificate: Bytes(self.identity.certificate().to_vec()),
            key: Bytes(self.identity.key().to_vec()),
            receipts: *self.receipt_seed,
            cursors: *self.cursors,
            store: *self.store,
        };
        codec::encode(&bundle)
            .map(Zeroizing::new)
            .map_err(|_| KeysError::Bundle)
    }

    /// Reads a bundle from a backup.
    pub(crate) fn from_bundle(bytes: &[u8], recovery: Zeroizing<[u8; 32]>) -> Result<Self, KeysError> {
        let bundle: Bundle = codec::decode(bytes).map_err(|_| KeysError::Bundle)?;
        let pem = std::str::from_utf8(&bundle.authority).map_err(|_| KeysError::Bundle)?;
        let authority = Authority::from_pem(pem)?;
        let identity = ServerIdentity::from_der(&bundle.certificate, &bundle.key, authority.certificate())?;
        let keys = [bundle.receipts, bundle.cursors, bundle.store, *recovery].map(Zeroizing::new);
        Ok(Self::assemble(authority, identity, keys))
    }

    fn assemble(
        authority: Authority,
        identity: ServerIdentity,
        [receipt_seed, cursors, store, recovery]: [Zeroizing<[u8; 32]>; 4],
    ) -> Self {
        Self {
            authority,
            identity,
            receipts: SigningKey::ed25519_from_seed(&receipt_seed),
            cursors,
            store,
            recovery,
            receipt_seed,
        }
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(..)")
    }
}

/// Why keys could not be made, read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeysError {
    /// The keys in a backup do not read.
    #[error("the keys in the backup do not read; use another copy of it")]
    Bundle,
    /// A file is not what its sum says: a flipped bit makes another key of a key.
    #[error("{} is damaged, or its line in {SUMS} beside it is; restore the file from a copy, or the whole folder from a backup with beatbookd restore", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// A key or certificate does not hold.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A key file does not hold 64 hexadecimal digits.
    #[error("{} is not a key of 64 hexadecimal digits; restore the file from a copy", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
    },
    /// The system gave no random bytes.
    #[error("the system gave no random bytes; try again")]
    Random,
}

impl KeysError {
    pub(crate) fn io(path: &Path, source: io::Error) -> Self {
        Self::Io {
            path: path.to_owned(),
            source,
        }
    }
}

/// A line for each file of keys: 32 hexadecimal digits of a keyed hash, and its name.
fn sums(dir: &Path) -> Result<String, KeysError> {
    let mut lines = String::new();
    for name in [AUTHORITY, CERTIFICATE, KEY, RECEIPTS, CURSORS, STORE, RECOVERY] {
        let path = dir.join(name);
        let bytes = fs::read(&path)
            .map(Zeroizing::new)
            .map_err(|error| KeysError::io(&path, error))?;
        // Of a secret the sum says nothing that could be guessed from: keys are random.
        for byte in Hash::of(SUM_DOMAIN, &[name.as_bytes(), &bytes]).0.iter().take(16) {
            lines.push_str(&format!("{byte:02x}"));
        }
        lines.push_str(&format!("  {name}\n"));
    }
    Ok(lines)
}

/// Compares the files of keys with their sums. A folder of an earlier release has none.
fn check_sums(dir: &Path) -> Result<(), KeysError> {
    let path = dir.join(SUMS);
    let told = match fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        read => read.map_err(|error| KeysError::io(&path, error))?,
    };
    let found = sums(dir)?;
    let mut told = told.split_inclusive(|byte| *byte == b'\n');
    let damaged = found
        .split_inclusive('\n')
        .find(|line| told.next() != Some(line.as_bytes()));
    match damaged.and_then(|line| line.split_whitespace().nth(1)) {
        Some(name) => Err(KeysError::Damaged { path: dir.join(name) }),
        None if told.next().is_some() => Err(KeysError::Damaged { path }),
        None => Ok(()),
    }
}

/// Random bytes from the operating system.
pub(crate) fn random<const N: usize>() -> Result<Zeroizing<[u8; N]>, KeysError> {
    let mut bytes = Zeroizing::new([0; N]);
    getrandom::fill(bytes.as_mut_slice()).map_err(|_| KeysError::Random)?;
    Ok(bytes)
}

/// Reads a key of 64 hexadecimal digits.
pub(crate) fn read_key(path: &Path) -> Result<Zeroizing<[u8; 32]>, KeysError> {
    let text = fs::read_to_string(path).map_err(|error| KeysError::io(path, error))?;
    unhex(Zeroizing::new(text).trim()).ok_or_else(|| KeysError::Malformed {
        path: path.to_owned(),
    })
}

/// Writes a file that only the owner may read, and makes it durable. It must not exist.
pub(crate) fn write_secret(path: &Path, bytes: &[u8]) -> Result<(), KeysError> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let written = options.open(path).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.map_err(|error| KeysError::io(path, error))
}

/// The name under which a recovery key is known: it says nothing of the key.
pub(crate) fn recovery_name(key: &[u8; 32]) -> String {
    let name: String = Hash::of("beatbook 2026-11 recovery key name v1", &[key])
        .0
        .iter()
        .take(4)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("recovery-{name}.key")
}

/// Lower-case hexadecimal digits and a line end.
pub(crate) fn hex(bytes: &[u8]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(bytes.len() * 2 + 1));
    for byte in bytes {
        for nibble in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0'));
        }
    }
    text.push('\n');
    text
}

fn unhex(text: &str) -> Option<Zeroizing<[u8; 32]>> {
    let mut key = Zeroizing::new([0; 32]);
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (at, byte) in key.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(at * 2..at * 2 + 2)?, 16).ok()?;
    }
    Some(key)
}

const AUTHORITY: &str = "authority.pem";
const CERTIFICATE: &str = "server.crt";
const KEY: &str = "server.key";
const RECEIPTS: &str = "receipts.key";
const CURSORS: &str = "cursors.key";
const STORE: &str = "store.key";
const SUMS: &str = "sums";
const SUM_DOMAIN: &str = "beatbook 2026-11 server key file sum v1";
pub(crate) const RECOVERY: &str = "recovery.key";
