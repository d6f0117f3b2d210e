//! The vault: the store key, wrapped by a PIN and a device secret or by a key from a keystore.
//!
//! A new PIN wraps the same store key again, so no data is rewritten. The file is kept twice, because a flipped
//! bit in the only copy would cost the whole store; the copies are always replaced together.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use argon2::{Algorithm, Argon2, Params, Version};
use zeroize::Zeroizing;

use crate::codec::{Reader, Writer};
use crate::disk::{Disk, write_atomic};
use crate::error::OpenError;
use crate::random::{Random, draw};
use crate::seal::{SEAL_BYTES, Sealer, StoreKey};
use crate::store::{Mended, RepairSource};

#[cfg(test)]
mod tests;

const MAGIC: &[u8; 8] = b"BEATVLT1";
/// The names of the two copies.
pub(crate) const COPIES: [&str; 2] = ["vault", "vault.copy"];
const SECRET_MAGIC: &[u8; 8] = b"BEATSEC1";
const CHECKSUM_BYTES: usize = 4;
/// More than this is no cost that a release has ever used.
const PIN_MEMORY_KIB_MAX: u32 = 1 << 20;
const PIN_PASSES_MAX: u32 = 64;

/// What opens a store.
#[derive(Clone)]
#[non_exhaustive]
pub enum Unlock {
    /// A key from the phone's keystore, or from a file that only the server reads.
    Keystore(Zeroizing<[u8; 32]>),
    /// What the officer types. It opens the store only together with the device's secret file.
    Pin(Zeroizing<String>),
}

impl Unlock {
    /// Opens with a PIN.
    pub fn pin(pin: impl Into<String>) -> Self {
        Self::Pin(Zeroizing::new(pin.into()))
    }

    /// Opens with a key.
    pub fn keystore(key: [u8; 32]) -> Self {
        Self::Keystore(Zeroizing::new(key))
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Keystore(_) => Kind::Keystore,
            Self::Pin(_) => Kind::Pin,
        }
    }
}

impl fmt::Debug for Unlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Keystore(_) => "Keystore(..)",
            Self::Pin(_) => "Pin(..)",
        })
    }
}

/// What one guess of a PIN costs: the parameters of Argon2id. They are kept in the vault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PinCost {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

impl Default for PinCost {
    fn default() -> Self {
        Self {
            memory_kib: 19 * 1024,
            passes: 2,
            lanes: 1,
        }
    }
}

/// A vault as it is on disk.
#[derive(Clone)]
pub(crate) struct Vault {
    kind: Kind,
    cost: PinCost,
    salt: [u8; 16],
    pub(crate) store_id: [u8; 16],
    wrapped: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Pin = 1,
    Keystore = 2,
}

impl Vault {
    /// Wraps `key` for a store.
    pub(crate) fn wrap(
        key: &StoreKey,
        store_id: [u8; 16],
        unlock: &Unlock,
        cost: PinCost,
        secret: &Path,
        disk: &dyn Disk,
    ) -> Result<Self, OpenError> {
        let salt = draw(key.random.as_ref()).map_err(|_| OpenError::Random)?;
        let mut vault = Self {
            kind: unlock.kind(),
            cost,
            salt,
            store_id,
            wrapped: Vec::new(),
        };
        let sealer = vault.wrapping(unlock, secret, disk, &key.random)?;
        vault.wrapped = sealer
            .seal(&vault.head(), key.bytes.as_slice())
            .map_err(|_| OpenError::Random)?;
        Ok(vault)
    }

    /// Unwraps the store key.
    pub(crate) fn open(
        &self,
        unlock: &Unlock,
        secret: &Path,
        disk: &dyn Disk,
        random: &Arc<dyn Random>,
    ) -> Result<StoreKey, OpenError> {
        if unlock.kind() != self.kind {
            let needed = if self.kind == Kind::Pin { "a PIN" } else { "a key" };
            return Err(OpenError::WrongKind { needed });
        }
        let plain = self
            .wrapping(unlock, secret, disk, random)?
            .open(&self.head(), &self.wrapped);
        let plain = Zeroizing::new(plain.ok_or(OpenError::WrongPin)?);
        let key = plain.as_slice().try_into().map_err(|_| OpenError::WrongPin)?;
        Ok(StoreKey {
            bytes: Zeroizing::new(key),
            random: Arc::clone(random),
        })
    }

    /// Reads the vault of a store, and mends the copy that is missing or differs.
    pub(crate) fn read(disk: &dyn Disk, dir: &Path) -> Result<Self, OpenError> {
        Self::read_and_mend(disk, dir).map(|(vault, _)| vault)
    }

    /// As [`Vault::read`], with the copies that were mended.
    pub(crate) fn read_and_mend(disk: &dyn Disk, dir: &Path) -> Result<(Self, Vec<Mended>), OpenError> {
        let [first, second] = COPIES.map(|name| disk.read(&dir.join(name)));
        let path = dir.join(COPIES[0]);
        let found = [&first, &second]
            .into_iter()
            .flatten()
            .find_map(|bytes| Self::decode(bytes));
        let Some(vault) = found else {
            return Err(match first {
                Err(error) => OpenError::io(&path, error),
                Ok(_) => OpenError::damaged(&path, 0, "neither copy of the vault holds"),
            });
        };
        let bytes = vault.encode();
        let mut mended = Vec::new();
        for (name, copy) in COPIES.iter().zip([first, second]) {
            let what = match copy {
                Ok(copy) if copy == bytes => continue,
                Ok(_) => "it does not hold",
                Err(_) => "the file is missing",
            };
            let path = dir.join(name);
            write_atomic(disk, &path, &bytes).map_err(|error| OpenError::io(&path, error))?;
            mended.push(Mended::new(&path, what, RepairSource::Copy));
        }
        Ok((vault, mended))
    }

    /// Writes both copies. The first, which is read first, comes last: until then the old PIN opens, and a copy that
    /// differs is mended.
    pub(crate) fn write(&self, disk: &dyn Disk, dir: &Path) -> Result<(), OpenError> {
        for name in COPIES.iter().rev() {
            let path = dir.join(name);
            write_atomic(disk, &path, &self.encode()).map_err(|error| OpenError::io(&path, error))?;
        }
        Ok(())
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = self.head();
        bytes.extend_from_slice(&self.wrapped);
        bytes.extend_from_slice(&crc32fast::hash(&bytes).to_be_bytes());
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (body, checksum) = bytes.split_at_checked(bytes.len().checked_sub(CHECKSUM_BYTES)?)?;
        if checksum != crc32fast::hash(body).to_be_bytes() {
            return None;
        }
        let mut reader = Reader::new(body);
        if reader.array()? != *MAGIC {
            return None;
        }
        let kind = match reader.u8()? {
            1 => Kind::Pin,
            2 => Kind::Keystore,
            _ => return None,
        };
        let cost = PinCost {
            memory_kib: reader.u32()?,
            passes: reader.u32()?,
            lanes: reader.u32()?,
        };
        let (salt, store_id) = (reader.array()?, reader.array()?);
        let wrapped = reader.raw(SEAL_BYTES + 32)?.to_vec();
        reader.end()?;
        Some(Self {
            kind,
            cost,
            salt,
            store_id,
            wrapped,
        })
    }

    fn head(&self) -> Vec<u8> {
        let mut out = Writer::with_capacity(128);
        out.raw(MAGIC).u8(self.kind as u8);
        out.u32(self.cost.memory_kib)
            .u32(self.cost.passes)
            .u32(self.cost.lanes);
        out.raw(&self.salt).raw(&self.store_id);
        out.finish()
    }

    /// The key that wraps: slow for a PIN, and never without the secret of the device.
    fn wrapping(
        &self,
        unlock: &Unlock,
        secret: &Path,
        disk: &dyn Disk,
        random: &Arc<dyn Random>,
    ) -> Result<Sealer, OpenError> {
        let mut hasher = blake3::Hasher::new_derive_key("beatbook store 2026-11 vault v1");
        hasher.update(&[self.kind as u8]).update(&self.salt);
        match unlock {
            Unlock::Keystore(key) => {
                hasher.update(key.as_slice());
            }
            Unlock::Pin(pin) => {
                let secret = read_secret(disk, secret)?;
                hasher
                    .update(secret.as_slice())
                    .update(stretch(pin, &self.salt, self.cost)?.as_slice());
            }
        }
        let key = Zeroizing::new(*hasher.finalize().as_bytes());
        Ok(Sealer::new(&key, random))
    }
}

/// Makes the device's secret, unless there is one.
pub(crate) fn ensure_secret(disk: &dyn Disk, random: &dyn Random, path: &Path) -> Result<(), OpenError> {
    let copies = secret_copies(path);
    if copies.iter().any(|copy| disk.exists(copy)) {
        return Ok(());
    }
    let secret = Zeroizing::new(draw::<32>(random).map_err(|_| OpenError::Random)?);
    let mut out = Writer::default();
    out.raw(SECRET_MAGIC).raw(secret.as_slice());
    let mut bytes = Zeroizing::new(out.finish());
    let checksum = crc32fast::hash(&bytes);
    bytes.extend_from_slice(&checksum.to_be_bytes());
    for copy in &copies {
        write_atomic(disk, copy, &bytes).map_err(|error| OpenError::io(copy, error))?;
    }
    Ok(())
}

/// Makes a copy of the device's secret that is damaged or missing again from the other: without it a PIN opens
/// nothing, whatever else is whole. Where neither holds, opening says so.
pub(crate) fn mend_secret(disk: &dyn Disk, path: &Path) -> Result<Vec<Mended>, OpenError> {
    let copies = secret_copies(path);
    let held = copies.iter().find_map(|copy| {
        let bytes = Zeroizing::new(disk.read(copy).ok()?);
        secret_in(&bytes).map(|_| bytes)
    });
    let Some(held) = held else { return Ok(Vec::new()) };
    let mut mended = Vec::new();
    for copy in &copies {
        let what = match disk.read(copy).map(Zeroizing::new) {
            Ok(bytes) if secret_in(&bytes).is_some() => continue,
            Ok(_) => "it does not hold",
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => "the file is missing",
            Err(error) => return Err(OpenError::io(copy, error)),
        };
        write_atomic(disk, copy, &held).map_err(|error| OpenError::io(copy, error))?;
        mended.push(Mended::new(copy, what, RepairSource::Copy));
    }
    Ok(mended)
}

/// The file beside the store that takes `suffix`.
pub(crate) fn beside(dir: &Path, suffix: &str) -> PathBuf {
    let mut name = dir.components().as_path().as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// The names of the two copies of a device's secret.
fn secret_copies(path: &Path) -> [PathBuf; 2] {
    [path.to_path_buf(), beside(path, ".copy")]
}

fn read_secret(disk: &dyn Disk, path: &Path) -> Result<Zeroizing<[u8; 32]>, OpenError> {
    let mut failed = None;
    for copy in secret_copies(path) {
        match disk.read(&copy).map(Zeroizing::new) {
            Ok(bytes) => {
                if let Some(secret) = secret_in(&bytes) {
                    return Ok(secret);
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => failed = Some(OpenError::io(&copy, error)),
        }
    }
    Err(failed.unwrap_or_else(|| OpenError::DeviceSecret {
        path: path.to_path_buf(),
    }))
}

/// The secret in the bytes of its file, if they hold.
fn secret_in(bytes: &[u8]) -> Option<Zeroizing<[u8; 32]>> {
    let (body, checksum) = bytes.split_at_checked(bytes.len().checked_sub(CHECKSUM_BYTES)?)?;
    if checksum != crc32fast::hash(body).to_be_bytes() {
        return None;
    }
    let mut reader = Reader::new(body);
    if reader.array()? != *SECRET_MAGIC {
        return None;
    }
    reader.array().map(Zeroizing::new)
}

fn stretch(pin: &str, salt: &[u8; 16], cost: PinCost) -> Result<Zeroizing<[u8; 32]>, OpenError> {
    let mut key = Zeroizing::new([0; 32]);
    if cost.memory_kib > PIN_MEMORY_KIB_MAX || cost.passes > PIN_PASSES_MAX {
        return Err(OpenError::PinCost);
    }
    Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(32))
        .map(|params| Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
        .and_then(|argon| argon.hash_password_into(pin.as_bytes(), salt, key.as_mut_slice()))
        .map_err(|_| OpenError::PinCost)?;
    Ok(key)
}
