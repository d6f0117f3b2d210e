//! Keys, signatures, seals of books and receipts of the server. Algorithm-agile (R-SIG-1).

use std::fmt;

use ed25519_dalek::Signer as _;
use p256::ecdsa::signature::Verifier as _;
use p256::pkcs8::DecodePrivateKey as _;
use serde::{Deserialize, Serialize};

use crate::bounded::{Bytes, List, bytes_within};
use crate::codec;
use crate::ids::{EpochId, ReplicaId};
use crate::limits::{KEY_BYTES_MAX, RUN_ENTRIES_MAX, SIGNATURE_BYTES_MAX};
use crate::merkle::Hash;

#[cfg(feature = "remember-verified")]
mod remembered;

#[cfg(feature = "remember-verified")]
pub use remembered::RememberVerified;

/// The hash that names a seal.
pub type SealHash = Hash;

/// Which signature scheme a key or signature is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256: what phones' secure hardware has.
    P256,
    /// Ed25519.
    Ed25519,
}

/// A verifying key.
///
/// ```
/// use beatbook_proto::{Signer, SigningKey};
/// let key = SigningKey::ed25519_from_seed(&[9; 32]);
/// let signature = key.sign(b"seen").unwrap();
/// assert!(key.public_key().verify(b"seen", &signature).is_ok());
/// assert!(key.public_key().verify(b"seem", &signature).is_err());
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PublicKey {
    /// Its scheme.
    pub algorithm: Algorithm,
    /// P-256: the compressed SEC1 point (33 bytes). Ed25519: 32 bytes.
    #[serde(deserialize_with = "bytes_within::<0, KEY_BYTES_MAX, _>")]
    pub bytes: Bytes,
}

/// A signature: 64 bytes for either scheme.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// Its scheme.
    pub algorithm: Algorithm,
    /// P-256: `r || s`. Ed25519: as in RFC 8032.
    #[serde(deserialize_with = "bytes_within::<0, SIGNATURE_BYTES_MAX, _>")]
    pub bytes: Bytes,
}

/// A key or signature did not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// The key does not decode.
    #[error("not a key of its scheme")]
    Key,
    /// The signature is not one by this key over these bytes.
    #[error("signature does not verify")]
    Signature,
}

/// Signs for an enrolment or a server; a phone's secure hardware can stand behind it.
pub trait Signer: Send + Sync {
    /// The verifying key.
    fn public_key(&self) -> PublicKey;
    /// Signs `message`.
    fn sign(&self, message: &[u8]) -> Result<Signature, SignatureError>;
}

/// A signing key held in memory. Deterministic: RFC 6979 for P-256, RFC 8032 for Ed25519.
///
/// ```
/// use beatbook_proto::{Algorithm, Signer, SigningKey};
/// let key = SigningKey::ed25519_from_seed(&[9; 32]);
/// assert_eq!(key.public_key().algorithm, Algorithm::Ed25519);
/// assert_eq!(format!("{key:?}"), "SigningKey(..)");
/// ```
pub enum SigningKey {
    /// A P-256 key.
    P256(Box<p256::ecdsa::SigningKey>),
    /// An Ed25519 key.
    Ed25519(Box<ed25519_dalek::SigningKey>),
}

impl SigningKey {
    /// Reads a P-256 key from PKCS#8 DER.
    pub fn p256_from_pkcs8(der: &[u8]) -> Result<Self, SignatureError> {
        let key = p256::ecdsa::SigningKey::from_pkcs8_der(der).map_err(|_| SignatureError::Key)?;
        Ok(Self::P256(Box::new(key)))
    }

    /// Makes an Ed25519 key from its 32-byte seed.
    pub fn ed25519_from_seed(seed: &[u8; 32]) -> Self {
        Self::Ed25519(Box::new(ed25519_dalek::SigningKey::from_bytes(seed)))
    }
}

impl Signer for SigningKey {
    fn public_key(&self) -> PublicKey {
        match self {
            Self::P256(key) => {
                let point = key.verifying_key().to_encoded_point(true);
                PublicKey {
                    algorithm: Algorithm::P256,
                    bytes: Bytes(point.as_bytes().to_vec()),
                }
            }
            Self::Ed25519(key) => {
                let bytes = key.verifying_key().to_bytes().to_vec();
                PublicKey {
                    algorithm: Algorithm::Ed25519,
                    bytes: Bytes(bytes),
                }
            }
        }
    }

    fn sign(&self, message: &[u8]) -> Result<Signature, SignatureError> {
        Ok(match self {
            Self::P256(key) => {
                let signature: p256::ecdsa::Signature =
                    key.try_sign(message).map_err(|_| SignatureError::Signature)?;
                Signature {
                    algorithm: Algorithm::P256,
                    bytes: Bytes(signature.to_bytes().to_vec()),
                }
            }
            Self::Ed25519(key) => {
                let signature = key.try_sign(message).map_err(|_| SignatureError::Signature)?;
                Signature {
                    algorithm: Algorithm::Ed25519,
                    bytes: Bytes(signature.to_bytes().to_vec()),
                }
            }
        })
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(..)")
    }
}

impl PublicKey {
    /// Reads a P-256 key from any SEC1 form of its point.
    pub fn p256_from_sec1(point: &[u8]) -> Result<Self, SignatureError> {
        let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(point).map_err(|_| SignatureError::Key)?;
        let point = key.to_encoded_point(true);
        Ok(Self {
            algorithm: Algorithm::P256,
            bytes: Bytes(point.as_bytes().to_vec()),
        })
    }

    /// Verifies a signature over `message` (R-SIG-2, R-SIG-3).
    pub fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), SignatureError> {
        if self.algorithm != signature.algorithm {
            return Err(SignatureError::Signature);
        }
        #[cfg(feature = "remember-verified")]
        return remembered::once(self, message, signature, || {
            self.verify_signature(message, signature)
        });
        #[cfg(not(feature = "remember-verified"))]
        self.verify_signature(message, signature)
    }

    fn verify_signature(&self, message: &[u8], signature: &Signature) -> Result<(), SignatureError> {
        match self.algorithm {
            Algorithm::P256 => {
                // One spelling a key: a second form of a point would be another key to compare by bytes.
                if self.bytes.len() != KEY_BYTES_MAX {
                    return Err(SignatureError::Key);
                }
                let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(&self.bytes)
                    .map_err(|_| SignatureError::Key)?;
                let signature = p256::ecdsa::Signature::from_slice(&signature.bytes)
                    .map_err(|_| SignatureError::Signature)?;
                key.verify(message, &signature)
                    .map_err(|_| SignatureError::Signature)
            }
            Algorithm::Ed25519 => {
                let bytes: &[u8; 32] = self.bytes.as_ref().try_into().map_err(|_| SignatureError::Key)?;
                let key = ed25519_dalek::VerifyingKey::from_bytes(bytes).map_err(|_| SignatureError::Key)?;
                let signature = ed25519_dalek::Signature::from_slice(&signature.bytes)
                    .map_err(|_| SignatureError::Signature)?;
                key.verify_strict(message, &signature)
                    .map_err(|_| SignatureError::Signature)
            }
        }
    }

    /// A short fingerprint for people and logs.
    pub fn fingerprint(&self) -> String {
        Hash::of(KEY_DOMAIN, &[&[self.algorithm as u8], &self.bytes]).short()
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({:?}, {})", self.algorithm, self.fingerprint())
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature({:?})", self.algorithm)
    }
}

/// What a seal says of a run (R-SEAL-1).
///
/// ```
/// use beatbook_proto::{Hash, ReplicaId, SealClaim, Signer, SigningKey};
/// let key = SigningKey::ed25519_from_seed(&[9; 32]);
/// let claim = SealClaim {
///     replica: ReplicaId::from_bytes([1; 16]),
///     first: 1,
///     last: 3,
///     root: Hash([7; 32]),
///     previous: SealClaim::NO_SEAL,
/// };
/// assert_eq!(claim.entries(), 3);
/// assert!(claim.sign(&key).unwrap().verify(&key.public_key()).is_ok());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealClaim {
    /// The book.
    pub replica: ReplicaId,
    /// Its first entry in the run.
    pub first: u64,
    /// Its last entry in the run.
    pub last: u64,
    /// Root of the tree over the commitments of the run.
    pub root: Hash,
    /// Hash of the seal before it, [`SealClaim::NO_SEAL`] for the first.
    pub previous: SealHash,
}

impl SealClaim {
    /// Stands for the seal before the first.
    pub const NO_SEAL: SealHash = Hash([0; 32]);

    /// The hash that names the seal and chains the next one to it (R-SEAL-3).
    pub fn hash(&self) -> SealHash {
        Hash::of(SEAL_DOMAIN, &[&self.message()])
    }

    /// Number of entries sealed, 0 if the claim is upside down.
    pub fn entries(&self) -> u64 {
        match self.last.checked_sub(self.first) {
            Some(span) if self.first > 0 => span.saturating_add(1),
            _ => 0,
        }
    }

    /// Signs the claim.
    pub fn sign(self, signer: &dyn Signer) -> Result<Seal, SignatureError> {
        let signature = signer.sign(&self.message())?;
        Ok(Seal {
            claim: self,
            signature,
        })
    }

    fn message(&self) -> Vec<u8> {
        signed_message(SEAL_DOMAIN, self)
    }
}

/// An enrolment key's signature over a run's claim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seal {
    /// What is sealed.
    pub claim: SealClaim,
    /// The signature over it.
    pub signature: Signature,
}

impl Seal {
    /// Verifies the signature.
    pub fn verify(&self, key: &PublicKey) -> Result<(), SignatureError> {
        key.verify(&self.claim.message(), &self.signature)
    }

    /// The hash that names the seal.
    pub fn hash(&self) -> SealHash {
        self.claim.hash()
    }
}

/// What the server says of one entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Verdict {
    /// Which entry of the book.
    pub counter: u64,
    /// How it stands.
    pub standing: Standing,
}

/// How an entry stands at the server. A number on the wire: grows, and unknown ones round-trip.
///
/// ```
/// use beatbook_proto::Standing;
/// assert!(Standing::QUARANTINED_MALFORMED.is_quarantined() && !Standing::WAITING.is_quarantined());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Standing(pub u8);

impl Standing {
    /// Accepted and folded.
    pub const KEPT: Self = Self(0);
    /// Held until what its context covers has come.
    pub const WAITING: Self = Self(1);
    /// Held apart: its bytes do not read as a revision, or break a rule of its family.
    pub const QUARANTINED_MALFORMED: Self = Self(2);
    /// Held apart: its author may not write this.
    pub const QUARANTINED_NOT_PERMITTED: Self = Self(3);
    /// Held apart: another entry had been accepted under the same dot.
    pub const QUARANTINED_DOT_TAKEN: Self = Self(4);
    /// Erased by law.
    pub const ERASED: Self = Self(5);

    /// True if the entry is held apart for a person to look at.
    pub const fn is_quarantined(self) -> bool {
        matches!(
            self,
            Self::QUARANTINED_MALFORMED | Self::QUARANTINED_NOT_PERMITTED | Self::QUARANTINED_DOT_TAKEN
        )
    }
}

/// What the server signs when a run is durable (R-RCP-1).
///
/// ```
/// use beatbook_proto::{EpochId, Hash, Receipt, ReceiptClaim, ReplicaId, Signer, SigningKey};
/// let server = SigningKey::ed25519_from_seed(&[5; 32]);
/// let claim = ReceiptClaim {
///     replica: ReplicaId::from_bytes([1; 16]),
///     upto: 3,
///     seal: Hash([7; 32]),
///     received_at_ms: 0,
///     sequence: 1,
///     epoch: EpochId::from_bytes([4; 16]),
/// };
/// let (claim, signature) = claim.sign(&server).unwrap();
/// let receipt = Receipt { claim, signature, verdicts: vec![].into(), secured: 0 };
/// assert!(receipt.verify(&server.public_key()).is_ok());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiptClaim {
    /// The book.
    pub replica: ReplicaId,
    /// Every entry up to this one is held by the server.
    pub upto: u64,
    /// The seal that ends there.
    pub seal: SealHash,
    /// The server's clock, milliseconds since 1970-01-01T00:00:00Z.
    pub received_at_ms: i64,
    /// The server's own sequence number of the acceptance.
    pub sequence: u64,
    /// The life of the server's log that it was accepted in.
    pub epoch: EpochId,
}

/// The server's signed word that it holds a book up to an entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// What it says.
    pub claim: ReceiptClaim,
    /// The server's signature over it.
    pub signature: Signature,
    /// Entries of the run that are not simply kept.
    pub verdicts: List<Verdict, RUN_ENTRIES_MAX>,
    /// Up to which entry of the book a verified backup or a second node holds it too.
    pub secured: u64,
}

impl ReceiptClaim {
    /// Signs the claim.
    pub fn sign(self, signer: &dyn Signer) -> Result<(Self, Signature), SignatureError> {
        let signature = signer.sign(&signed_message(RECEIPT_DOMAIN, &self))?;
        Ok((self, signature))
    }
}

impl Receipt {
    /// Verifies the server's signature.
    pub fn verify(&self, key: &PublicKey) -> Result<(), SignatureError> {
        key.verify(&signed_message(RECEIPT_DOMAIN, &self.claim), &self.signature)
    }
}

/// A domain, a zero byte and the encoded claim: what is signed can be nothing else.
fn signed_message<T: Serialize>(domain: &str, claim: &T) -> Vec<u8> {
    let mut message = domain.as_bytes().to_vec();
    message.push(0);
    // Claims hold fixed-size fields only, so encoding them cannot fail.
    message.extend(codec::encode(claim).unwrap_or_default());
    message
}

const SEAL_DOMAIN: &str = "beatbook 2026-11 seal v1";
const RECEIPT_DOMAIN: &str = "beatbook 2026-11 receipt v1";
const KEY_DOMAIN: &str = "beatbook 2026-11 key v1";

#[cfg(test)]
mod tests;
