//! The key pair of an enrolment, and the request for a certificate that proves its possession.

use std::fmt;

use rcgen::{CertificateParams, DistinguishedName, KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData};
use zeroize::Zeroizing;

use super::IdentityError;

/// A P-256 key pair. It never leaves the device but through [`DeviceKey::to_pkcs8`], for sealing.
pub struct DeviceKey {
    pair: KeyPair,
    public: DevicePublicKey,
}

impl DeviceKey {
    /// Makes a new key.
    pub fn generate() -> Result<Self, IdentityError> {
        let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(|_| IdentityError::Random)?;
        Self::from_pair(pair)
    }

    /// Reads a key that [`DeviceKey::to_pkcs8`] wrote.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, IdentityError> {
        let der = rustls::pki_types::PrivatePkcs8KeyDer::from(der);
        let pair = KeyPair::from_pkcs8_der_and_sign_algo(&der, &PKCS_ECDSA_P256_SHA256)
            .map_err(|_| IdentityError::KeyMalformed)?;
        Self::from_pair(pair)
    }

    pub(super) fn from_pair(pair: KeyPair) -> Result<Self, IdentityError> {
        if !pair.is_compatible(&PKCS_ECDSA_P256_SHA256) {
            return Err(IdentityError::KeyMalformed);
        }
        let public = DevicePublicKey::from_sec1(pair.public_key_raw())?;
        Ok(Self { pair, public })
    }

    /// The key as PKCS#8 DER, wiped from memory when dropped. Seal it before it is written anywhere.
    pub fn to_pkcs8(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.pair.serialize_der())
    }

    /// The public half.
    pub fn public_key(&self) -> DevicePublicKey {
        self.public
    }

    /// A certificate request, DER, signed by this key: it proves that whoever asks holds it. It names
    /// nobody; the authority decides what the certificate says.
    pub fn request(&self) -> Result<Vec<u8>, IdentityError> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        let request = params
            .serialize_request(&self.pair)
            .map_err(|_| IdentityError::Signing)?;
        Ok(request.der().to_vec())
    }

    pub(super) fn pair(&self) -> &KeyPair {
        &self.pair
    }
}

impl fmt::Debug for DeviceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceKey")
            .field("public", &self.public)
            .finish_non_exhaustive()
    }
}

/// The public half of a P-256 key pair.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct DevicePublicKey([u8; DevicePublicKey::BYTES]);

impl DevicePublicKey {
    /// Length of an uncompressed point, in bytes.
    pub const BYTES: usize = 65;

    /// Reads an uncompressed SEC1 point. Whether it lies on the curve is checked by whoever uses it.
    pub fn from_sec1(bytes: &[u8]) -> Result<Self, IdentityError> {
        let point: [u8; Self::BYTES] = bytes.try_into().map_err(|_| IdentityError::KeyMalformed)?;
        // SEC1 2.3.3: 4 marks an uncompressed point.
        (bytes.first() == Some(&4))
            .then_some(Self(point))
            .ok_or(IdentityError::KeyMalformed)
    }

    /// The point, SEC1 uncompressed.
    pub fn as_sec1(&self) -> &[u8; Self::BYTES] {
        &self.0
    }

    /// The point, SEC1 compressed.
    pub fn to_compressed(&self) -> [u8; 33] {
        let [_, x @ .., last] = self.0;
        let mut compressed = [0; 33];
        // SEC1 2.3.3: 2 for an even y, 3 for an odd one.
        let sign = 2 + (last & 1);
        compressed
            .iter_mut()
            .zip(std::iter::once(sign).chain(x))
            .for_each(|(to, from)| *to = from);
        compressed
    }
}

impl fmt::Debug for DevicePublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DevicePublicKey(")?;
        super::write_hex(f, self.0.get(1..9).unwrap_or_default())?;
        f.write_str("..)")
    }
}

/// A public key as the certificate maker wants it.
pub(super) struct RequestedKey(pub(super) DevicePublicKey);

impl PublicKeyData for RequestedKey {
    fn der_bytes(&self) -> &[u8] {
        self.0.as_sec1()
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        &PKCS_ECDSA_P256_SHA256
    }
}
