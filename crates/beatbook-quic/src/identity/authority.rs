//! The force's own certificate authority: it issues servers and devices and nobody else.

use std::fmt;
use std::net::IpAddr;

use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertificateSigningRequestParams, DistinguishedName,
    DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
    PublicKeyData, SanType, SerialNumber, date_time_ymd,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateSigningRequestDer};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::device_key::RequestedKey;
use super::{DeviceKey, DevicePublicKey, Fingerprint, IdentityError, ServerIdentity, Validity, peer};
use crate::tls::SERVER_NAME;

/// A certificate authority with its P-256 key. Whoever holds it can enrol devices: keep it on the server
/// only, readable by the server only.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: Vec<u8>,
    certificate_pem: String,
}

impl Authority {
    /// Makes a new authority for a force. `force_code` goes into its certificate: a public code of the
    /// organisation, never a person.
    pub fn create(force_code: &str, validity: Validity) -> Result<Self, IdentityError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(|_| IdentityError::Random)?;
        let mut params = blank(validity)?;
        params
            .distinguished_name
            .push(DnType::CommonName, "Beatbook authority");
        params
            .distinguished_name
            .push(DnType::OrganizationName, force_code);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key).map_err(|_| IdentityError::Signing)?;
        Ok(Self {
            certificate: certificate.der().to_vec(),
            certificate_pem: certificate.pem(),
            issuer: Issuer::new(params, key),
        })
    }

    /// Reads an authority that [`Authority::to_pem`] wrote.
    pub fn from_pem(pem: &str) -> Result<Self, IdentityError> {
        let certificate = CertificateDer::from_pem_slice(pem.as_bytes())
            .map_err(|_| IdentityError::CertificateMalformed)?;
        let split = pem.find(KEY_LABEL).ok_or(IdentityError::KeyMalformed)?;
        let (certificate_pem, key_pem) = pem.split_at(split);
        let key = KeyPair::from_pem(key_pem).map_err(|_| IdentityError::KeyMalformed)?;
        if peer::public_key_of(&certificate)? != DevicePublicKey::from_sec1(key.public_key_raw())? {
            return Err(IdentityError::KeyMismatch);
        }
        let issuer =
            Issuer::from_ca_cert_der(&certificate, key).map_err(|_| IdentityError::CertificateMalformed)?;
        Ok(Self {
            issuer,
            certificate: certificate.to_vec(),
            certificate_pem: certificate_pem.to_owned(),
        })
    }

    /// The certificate and the private key as PEM, wiped from memory when dropped.
    pub fn to_pem(&self) -> Zeroizing<String> {
        let key = Zeroizing::new(self.issuer.key().serialize_pem());
        Zeroizing::new(format!("{}{}", self.certificate_pem, key.as_str()))
    }

    /// The authority's certificate, DER.
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// The authority's certificate as PEM, without the key.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// The fingerprint that enrolment tokens pin.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.certificate)
    }

    /// Makes a key and a certificate for a server.
    ///
    /// Devices check the fixed name that every server of every force has; `names` (host names and
    /// addresses) are for an operator's own tools.
    pub fn issue_server(&self, names: &[&str], validity: Validity) -> Result<ServerIdentity, IdentityError> {
        let key = DeviceKey::generate()?;
        let mut params = blank(validity)?;
        params.subject_alt_names.push(SanType::DnsName(ia5(SERVER_NAME)?));
        for name in names {
            params.subject_alt_names.push(match name.parse::<IpAddr>() {
                Ok(address) => SanType::IpAddress(address),
                Err(_) => SanType::DnsName(host_name(name)?),
            });
        }
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let certificate = self.sign(&params, key.pair())?;
        Ok(ServerIdentity {
            chain: vec![certificate.der().to_vec(), self.certificate.clone()],
            key: key.to_pkcs8(),
        })
    }

    /// Issues a device's certificate, DER, for the key of a certificate request.
    ///
    /// The request must be signed by its own key; whatever else it asks for is ignored.
    pub fn issue_device(
        &self,
        request: &[u8],
        enrolment: Uuid,
        validity: Validity,
    ) -> Result<Vec<u8>, IdentityError> {
        let key = requested_key(request)?;
        let mut params = blank(validity)?;
        params
            .subject_alt_names
            .push(SanType::URI(ia5(&enrolment.urn().to_string())?));
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        Ok(self.sign(&params, &RequestedKey(key))?.der().to_vec())
    }

    #[cfg(test)]
    pub(crate) fn sign_for_test(
        &self,
        params: &CertificateParams,
        key: &DeviceKey,
    ) -> Result<Vec<u8>, IdentityError> {
        Ok(self.sign(params, key.pair())?.der().to_vec())
    }

    fn sign(
        &self,
        params: &CertificateParams,
        key: &impl PublicKeyData,
    ) -> Result<Certificate, IdentityError> {
        params
            .signed_by(key, &self.issuer)
            .map_err(|_| IdentityError::Signing)
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority")
            .field("fingerprint", &self.fingerprint())
            .finish_non_exhaustive()
    }
}

/// The key of a certificate request, once its own signature holds.
pub(crate) fn requested_key(request: &[u8]) -> Result<DevicePublicKey, IdentityError> {
    let request = CertificateSigningRequestDer::from(request);
    let parsed =
        CertificateSigningRequestParams::from_der(&request).map_err(|_| IdentityError::RequestMalformed)?;
    if *parsed.public_key.algorithm() != PKCS_ECDSA_P256_SHA256 {
        return Err(IdentityError::RequestMalformed);
    }
    DevicePublicKey::from_sec1(parsed.public_key.der_bytes()).map_err(|_| IdentityError::RequestMalformed)
}

/// Parameters with nobody's name in them, a random serial number and checked times.
fn blank(validity: Validity) -> Result<CertificateParams, IdentityError> {
    let validity = validity.check()?;
    let mut serial = [0; 16];
    getrandom::fill(&mut serial).map_err(|_| IdentityError::Random)?;
    // RFC 5280 4.1.2.2: a positive number that is not zero.
    if let Some(first) = serial.first_mut() {
        *first = (*first & 0x7f) | 0x40;
    }
    let epoch = date_time_ymd(1970, 1, 1);
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    params.not_before = epoch + std::time::Duration::from_secs(validity.not_before_s);
    params.not_after = epoch + std::time::Duration::from_secs(validity.not_after_s);
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

fn host_name(name: &str) -> Result<Ia5String, IdentityError> {
    let labels = name.split('.');
    let label_holds = |label: &str| {
        let body = label
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        (1..=63).contains(&label.len()) && body && !label.starts_with('-') && !label.ends_with('-')
    };
    if name.len() > 253 || !labels.into_iter().all(label_holds) {
        return Err(IdentityError::NameMalformed);
    }
    ia5(name)
}

fn ia5(text: &str) -> Result<Ia5String, IdentityError> {
    Ia5String::try_from(text).map_err(|_| IdentityError::NameMalformed)
}

const KEY_LABEL: &str = "-----BEGIN PRIVATE KEY-----";
