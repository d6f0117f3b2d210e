//! Seals bytes for the disk: XChaCha20-Poly1305 with the place as associated data.
//!
//! Bytes sealed for one place do not open in another, so nothing can be moved, and a flipped bit is an
//! error. Each use has its own subkey of the store key.

use std::io;
use std::sync::Arc;

use chacha20poly1305::aead::{Aead, AeadInPlace, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use crate::codec::Writer;
use crate::random::{Random, draw};

/// Length of a nonce.
pub(crate) const NONCE_BYTES: usize = 24;
/// What sealing adds to the plain bytes: nonce and tag.
pub(crate) const SEAL_BYTES: usize = NONCE_BYTES + 16;

/// The key that every key of the store is derived from, with the source of what is drawn under it.
#[derive(Clone)]
pub(crate) struct StoreKey {
    pub(crate) bytes: Zeroizing<[u8; 32]>,
    pub(crate) random: Arc<dyn Random>,
}

impl StoreKey {
    /// Draws a new key.
    pub(crate) fn draw(random: &Arc<dyn Random>) -> io::Result<Self> {
        let mut bytes = Zeroizing::new([0; 32]);
        random.fill(bytes.as_mut_slice())?;
        Ok(Self {
            bytes,
            random: Arc::clone(random),
        })
    }

    /// A known key over the system's source.
    #[cfg(test)]
    pub(crate) fn of(bytes: [u8; 32]) -> Self {
        Self {
            bytes: Zeroizing::new(bytes),
            random: Arc::new(crate::random::SystemRandom),
        }
    }

    /// Derives the key for one use.
    pub(crate) fn subkey(&self, purpose: Purpose) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(blake3::derive_key(purpose.context(), self.bytes.as_slice()))
    }

    /// The sealer for one use.
    pub(crate) fn sealer(&self, purpose: Purpose) -> Sealer {
        Sealer::new(&self.subkey(purpose), &self.random)
    }
}

/// What a subkey is for.
#[derive(Clone, Copy)]
pub(crate) enum Purpose {
    Anchor,
    Backup,
    Chain,
    Index,
    IndexNonce,
    Journal,
    SetHash,
    State,
}

impl Purpose {
    fn context(self) -> &'static str {
        match self {
            Self::Anchor => "beatbook store 2026-11 anchor v1",
            Self::Backup => "beatbook store 2026-11 backup v1",
            Self::Chain => "beatbook store 2026-11 journal chain v1",
            Self::Index => "beatbook store 2026-11 index v1",
            Self::IndexNonce => "beatbook store 2026-11 index nonce v1",
            Self::Journal => "beatbook store 2026-11 journal v1",
            Self::SetHash => "beatbook store 2026-11 set hash v1",
            Self::State => "beatbook store 2026-11 state v1",
        }
    }
}

/// Seals and opens bytes under one subkey.
#[derive(Clone)]
pub(crate) struct Sealer {
    cipher: XChaCha20Poly1305,
    random: Arc<dyn Random>,
}

impl Sealer {
    pub(crate) fn new(key: &[u8; 32], random: &Arc<dyn Random>) -> Self {
        Self {
            cipher: XChaCha20Poly1305::new(Key::from_slice(key)),
            random: Arc::clone(random),
        }
    }

    /// Seals `plain` under a random nonce: nonce, ciphertext, tag.
    pub(crate) fn seal(&self, place: &[u8], plain: &[u8]) -> Result<Vec<u8>, SealError> {
        self.seal_with(draw(self.random.as_ref())?, place, plain)
    }

    /// Seals `plain` under a nonce that the caller never uses for anything else.
    pub(crate) fn seal_with(
        &self,
        nonce: [u8; NONCE_BYTES],
        place: &[u8],
        plain: &[u8],
    ) -> Result<Vec<u8>, SealError> {
        let mut sealed = Writer::with_capacity(plain.len() + SEAL_BYTES);
        sealed.raw(&nonce).raw(plain);
        let mut sealed = sealed.finish();
        let (_, body) = sealed.split_at_mut(NONCE_BYTES);
        let tag = self
            .cipher
            .encrypt_in_place_detached(XNonce::from_slice(&nonce), place, body)
            .map_err(|_| SealError)?;
        sealed.extend_from_slice(&tag);
        Ok(sealed)
    }

    /// Opens what was sealed for `place`; `None` if a bit of it, or the place, is another.
    pub(crate) fn open(&self, place: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, body) = sealed.split_at_checked(NONCE_BYTES)?;
        self.cipher
            .decrypt(
                XNonce::from_slice(nonce),
                Payload {
                    msg: body,
                    aad: place,
                },
            )
            .ok()
    }
}

/// The random source failed, or the input was far beyond every limit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SealError;

impl From<io::Error> for SealError {
    fn from(_: io::Error) -> Self {
        Self
    }
}
