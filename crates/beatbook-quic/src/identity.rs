//! Who is who: the force's authority, the keys and certificates of devices and servers, and what a
//! certificate says of its bearer.
//!
//! Certificates hold no personal name: a device's says only which enrolment it is. Reads no clock;
//! every time comes from the caller.

mod authority;
mod device_key;
mod peer;

use std::fmt;
use std::time::Duration;

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

pub use authority::Authority;
pub use device_key::{DeviceKey, DevicePublicKey};
pub use peer::PeerIdentity;

pub(crate) use authority::requested_key;
pub(crate) use peer::not_before_s;

/// What a device shows to a server: its key, its certificate and the authority it trusts.
pub struct ClientIdentity {
    pub(crate) key: DeviceKey,
    pub(crate) chain: Vec<Vec<u8>>,
    pub(crate) authority: Vec<u8>,
    pub(crate) peer: PeerIdentity,
}

impl ClientIdentity {
    /// Puts together a key, its certificate chain (the device's own first) and the authority's
    /// certificate, all DER, and checks that they belong together.
    pub fn new(key: DeviceKey, chain: Vec<Vec<u8>>, authority: Vec<u8>) -> Result<Self, IdentityError> {
        let own = chain.first().ok_or(IdentityError::CertificateMissing)?;
        let peer = PeerIdentity::from_certificate(own)?;
        if peer.public_key != key.public_key() {
            return Err(IdentityError::KeyMismatch);
        }
        peer::check_certificate(&authority)?;
        Ok(Self {
            key,
            chain,
            authority,
            peer,
        })
    }

    /// What a server reads from this identity.
    pub fn peer(&self) -> &PeerIdentity {
        &self.peer
    }

    /// The key of this identity.
    pub fn key(&self) -> &DeviceKey {
        &self.key
    }
}

impl fmt::Debug for ClientIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientIdentity")
            .field("enrolment", &self.peer.enrolment)
            .finish_non_exhaustive()
    }
}

/// What a server shows to devices: its key and certificate, and the authority that issues both sides.
pub struct ServerIdentity {
    /// The server's certificate, then the authority's, DER.
    pub(crate) chain: Vec<Vec<u8>>,
    pub(crate) key: Zeroizing<Vec<u8>>,
}

impl ServerIdentity {
    /// Puts together a server's certificate, its PKCS#8 key and the authority's certificate, all DER.
    ///
    /// Use it for an identity that was stored; [`Authority::issue_server`] makes a new one.
    pub fn from_der(certificate: &[u8], key: &[u8], authority: &[u8]) -> Result<Self, IdentityError> {
        peer::check_certificate(certificate)?;
        peer::check_certificate(authority)?;
        let own = DeviceKey::from_pkcs8(key)?;
        if peer::public_key_of(certificate)? != own.public_key() {
            return Err(IdentityError::KeyMismatch);
        }
        Ok(Self {
            chain: vec![certificate.to_vec(), authority.to_vec()],
            key: own.to_pkcs8(),
        })
    }

    /// The server's certificate, DER.
    pub fn certificate(&self) -> &[u8] {
        self.chain.first().map_or(&[], Vec::as_slice)
    }

    /// The server's private key, PKCS#8 DER. Keep it where only the server can read.
    pub fn key(&self) -> &[u8] {
        &self.key
    }

    /// The authority's certificate, DER.
    pub fn authority(&self) -> &[u8] {
        self.chain.last().map_or(&[], Vec::as_slice)
    }
}

impl fmt::Debug for ServerIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerIdentity").finish_non_exhaustive()
    }
}

/// SHA-256 of a certificate's DER bytes, the same that `openssl x509 -fingerprint -sha256` shows.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Takes the fingerprint of a certificate.
    pub fn of(certificate: &[u8]) -> Self {
        Self(Sha256::digest(certificate).into())
    }

    /// The part of it that an enrolment token carries.
    pub fn pin(&self) -> Pin {
        let mut pin = [0; Pin::BYTES];
        pin.iter_mut().zip(self.0).for_each(|(to, from)| *to = from);
        Pin(pin)
    }

    /// All 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(f, &self.0)
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(f, &self.0)
    }
}

/// The first 16 bytes of an authority's [`Fingerprint`].
///
/// 128 bits are enough: an attacker needs a second certificate with the same pin as the force's own,
/// and the force's own is not of the attacker's making. The token stays short enough to type.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Pin(pub [u8; Pin::BYTES]);

impl Pin {
    /// Length of a pin, in bytes.
    pub const BYTES: usize = 16;
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(f, &self.0)
    }
}

/// From when until when a certificate holds, in seconds since 1970 (UTC).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// The first second at which it holds.
    pub not_before_s: u64,
    /// The last second at which it holds.
    pub not_after_s: u64,
}

impl Validity {
    /// For an authority: 20 years.
    pub fn authority(now_s: u64) -> Self {
        Self::days(now_s, 20 * 365)
    }

    /// For a server: 10 years. A device whose clock is wrong must still reach its server, and a server
    /// is replaced by a new certificate, not by waiting.
    pub fn server(now_s: u64) -> Self {
        Self::days(now_s, 10 * 365)
    }

    /// For a device: 14 days.
    pub fn device(now_s: u64) -> Self {
        Self::days(now_s, 14)
    }

    /// So many days from now, and from an hour ago, because two servers' clocks differ.
    pub fn days(now_s: u64, days: u64) -> Self {
        let not_after_s = now_s.saturating_add(Duration::from_secs(days.saturating_mul(86_400)).as_secs());
        Self {
            not_before_s: now_s.saturating_sub(3_600),
            not_after_s,
        }
    }

    fn check(self) -> Result<Self, IdentityError> {
        // The last second that an X.509 time can spell: the end of the year 9999.
        let spelt = self.not_after_s <= 253_402_300_799;
        (spelt && self.not_before_s < self.not_after_s)
            .then_some(self)
            .ok_or(IdentityError::Validity)
    }
}

/// Why a key, a certificate or a request for one could not be made or read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// A certificate's bytes are damaged or are not a certificate. Enrol again, or restore the file.
    #[error("the certificate is damaged; enrol again or restore it")]
    CertificateMalformed,
    /// There is no certificate to show. Enrol first.
    #[error("there is no certificate; enrol first")]
    CertificateMissing,
    /// A device's certificate names no enrolment, or more than one. Issue a new one.
    #[error("the certificate does not name exactly one enrolment; issue a new one")]
    EnrolmentMissing,
    /// A key is damaged, or is not a P-256 key in PKCS#8.
    #[error("the key is damaged or is not a P-256 key; enrol again or restore it")]
    KeyMalformed,
    /// A certificate and a key do not belong together. Use the files that were made together.
    #[error("the certificate belongs to another key; use the two that were made together")]
    KeyMismatch,
    /// A name for the server is neither a host name nor an address.
    #[error("a server name is neither a host name nor an address; correct it")]
    NameMalformed,
    /// The operating system gave no random bytes. Try again.
    #[error("the operating system gave no random bytes; try again")]
    Random,
    /// A certificate request is damaged, or is not signed by the key that it names.
    #[error("the certificate request is damaged or is not signed by its own key; make a new one")]
    RequestMalformed,
    /// A certificate could not be signed.
    #[error("the certificate could not be signed; check the authority's key")]
    Signing,
    /// The times of a certificate are in the wrong order or cannot be spelt.
    #[error("the certificate would end before it begins, or after the year 9999; correct the times")]
    Validity,
}

fn write_hex(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

#[cfg(test)]
mod tests;
