//! The verifiers of both sides. All of them leave signatures, chains, names and uses to webpki and add
//! what only we know: the pin, the enrolment in a device's certificate, and clocks that are wrong.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme,
};

use super::provider;
use crate::identity::{self, Fingerprint, IdentityError, PeerIdentity, Pin};

/// A server's check of a device's certificate: signed by the authority, in time, for clients, and it
/// names exactly one enrolment. A resumed session does not come here.
pub(crate) struct DeviceVerifier {
    webpki: Arc<dyn ClientCertVerifier>,
    verified: AtomicU64,
}

impl DeviceVerifier {
    pub(crate) fn new(authority: &[u8]) -> Result<Self, IdentityError> {
        let webpki = WebPkiClientVerifier::builder_with_provider(roots(authority)?, provider())
            .clear_root_hint_subjects()
            .allow_unauthenticated()
            .build()
            .map_err(|_| IdentityError::CertificateMalformed)?;
        Ok(Self {
            webpki,
            verified: AtomicU64::new(0),
        })
    }

    /// How many certificates were checked in full and found good.
    pub(crate) fn verified(&self) -> u64 {
        self.verified.load(Ordering::Relaxed)
    }
}

impl ClientCertVerifier for DeviceVerifier {
    fn client_auth_mandatory(&self) -> bool {
        // An enrolling device has none yet; who opens a session without one is closed by `server`.
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.webpki.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.webpki.verify_client_cert(end_entity, intermediates, now)?;
        PeerIdentity::from_certificate(end_entity)
            .map_err(|_| Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))?;
        self.verified.fetch_add(1, Ordering::Relaxed);
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.webpki.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.webpki.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.webpki.supported_verify_schemes()
    }
}

impl fmt::Debug for DeviceVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceVerifier").finish_non_exhaustive()
    }
}

/// A device's check of its server: signed by the authority it enrolled with, for servers.
#[derive(Debug)]
pub(crate) struct ForceVerifier {
    webpki: Arc<WebPkiServerVerifier>,
}

impl ForceVerifier {
    pub(crate) fn new(authority: &[u8]) -> Result<Self, IdentityError> {
        Ok(Self {
            webpki: webpki_server(authority)?,
        })
    }
}

impl ServerCertVerifier for ForceVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let now = not_before_its_time(end_entity, now);
        self.webpki
            .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.webpki.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.webpki.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.webpki.supported_verify_schemes()
    }
}

/// A device's check of the server it enrols with: among the certificates shown is one that the token
/// pins, and it has signed the server's.
#[derive(Debug)]
pub(crate) struct PinVerifier {
    pin: Pin,
    schemes: Vec<SignatureScheme>,
    /// The authority that the pin led to; set by the handshake.
    found: Mutex<Option<Vec<u8>>>,
}

impl PinVerifier {
    pub(crate) fn new(pin: Pin) -> Self {
        let schemes = provider().signature_verification_algorithms.supported_schemes();
        Self {
            pin,
            schemes,
            found: Mutex::new(None),
        }
    }

    /// The pinned authority's certificate, DER, once a handshake has succeeded.
    pub(crate) fn found(&self) -> Option<Vec<u8>> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ServerCertVerifier for PinVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let pinned = intermediates
            .iter()
            .find(|shown| Fingerprint::of(shown).pin() == self.pin);
        let authority = pinned.ok_or(Error::InvalidCertificate(CertificateError::UnknownIssuer))?;
        let webpki =
            webpki_server(authority).map_err(|_| Error::InvalidCertificate(CertificateError::BadEncoding))?;
        let now = not_before_its_time(end_entity, now);
        let verified =
            webpki.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)?;
        *self.found.lock().unwrap_or_else(PoisonError::into_inner) = Some(authority.to_vec());
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = provider().signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, &algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = provider().signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes.clone()
    }
}

/// A device's clock may be years behind (a flat battery), and its notes must still get through. That a
/// certificate is used before its time is no danger when its authority is pinned; after its time, it is.
fn not_before_its_time(certificate: &CertificateDer<'_>, now: UnixTime) -> UnixTime {
    let begin_s = identity::not_before_s(certificate).unwrap_or_default();
    UnixTime::since_unix_epoch(Duration::from_secs(now.as_secs().max(begin_s)))
}

fn webpki_server(authority: &[u8]) -> Result<Arc<WebPkiServerVerifier>, IdentityError> {
    WebPkiServerVerifier::builder_with_provider(roots(authority)?, provider())
        .build()
        .map_err(|_| IdentityError::CertificateMalformed)
}

fn roots(authority: &[u8]) -> Result<Arc<RootCertStore>, IdentityError> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from(authority.to_vec()))
        .map_err(|_| IdentityError::CertificateMalformed)?;
    Ok(Arc::new(roots))
}
