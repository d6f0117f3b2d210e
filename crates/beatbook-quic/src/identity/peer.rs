//! Reads from a certificate who its bearer is. Trust is decided elsewhere, by the TLS verifier.

use uuid::Uuid;
use x509_parser::oid_registry::{OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use super::{DevicePublicKey, IdentityError};

/// Who is at the other end of a session, as its certificate says. Known on resumed sessions too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerIdentity {
    /// Which enrolment it is.
    pub enrolment: Uuid,
    /// The enrolment's public key: the one that its certificate was issued for.
    pub public_key: DevicePublicKey,
    /// The last second at which the certificate holds, since 1970 (UTC).
    pub not_after_s: u64,
}

impl PeerIdentity {
    /// Reads a device's certificate, DER. Says nothing of who signed it.
    pub fn from_certificate(certificate: &[u8]) -> Result<Self, IdentityError> {
        let certificate = parse(certificate)?;
        let names = certificate
            .subject_alternative_name()
            .map_err(|_| IdentityError::CertificateMalformed)?
            .ok_or(IdentityError::EnrolmentMissing)?;
        // Exactly one name, and it is the enrolment: a certificate that says more was not issued by us.
        let [GeneralName::URI(uri)] = names.value.general_names.as_slice() else {
            return Err(IdentityError::EnrolmentMissing);
        };
        let spelt = uri
            .strip_prefix("urn:uuid:")
            .ok_or(IdentityError::EnrolmentMissing)?;
        let enrolment = Uuid::try_parse(spelt).map_err(|_| IdentityError::EnrolmentMissing)?;
        let not_after_s = u64::try_from(certificate.validity().not_after.timestamp())
            .map_err(|_| IdentityError::CertificateMalformed)?;
        Ok(Self {
            enrolment,
            public_key: key_of(&certificate)?,
            not_after_s,
        })
    }
}

/// The P-256 key that a certificate was issued for.
pub(super) fn public_key_of(certificate: &[u8]) -> Result<DevicePublicKey, IdentityError> {
    key_of(&parse(certificate)?)
}

/// Checks that the bytes are one certificate and nothing else.
pub(super) fn check_certificate(certificate: &[u8]) -> Result<(), IdentityError> {
    parse(certificate).map(|_| ())
}

/// The first second at which a certificate holds, since 1970.
pub(crate) fn not_before_s(certificate: &[u8]) -> Result<u64, IdentityError> {
    u64::try_from(parse(certificate)?.validity().not_before.timestamp())
        .map_err(|_| IdentityError::CertificateMalformed)
}

fn parse(certificate: &[u8]) -> Result<X509Certificate<'_>, IdentityError> {
    match X509Certificate::from_der(certificate) {
        Ok(([], parsed)) => Ok(parsed),
        _ => Err(IdentityError::CertificateMalformed),
    }
}

fn key_of(certificate: &X509Certificate<'_>) -> Result<DevicePublicKey, IdentityError> {
    let info = certificate.public_key();
    let curve = info
        .algorithm
        .parameters
        .as_ref()
        .and_then(|parameters| parameters.as_oid().ok());
    if info.algorithm.algorithm != OID_KEY_TYPE_EC_PUBLIC_KEY || curve != Some(OID_EC_P256) {
        return Err(IdentityError::KeyMalformed);
    }
    DevicePublicKey::from_sec1(&info.subject_public_key.data)
}
