//! TLS settings: version 1.3 only, the ring provider by name, and the verifiers of both sides.
//!
//! One UDP port serves two protocols, and TLS asks for a client certificate before the application
//! knows which. So the verifier lets a peer come without a certificate, checks in full any certificate
//! that is shown, and [`crate::server`] admits a session only with one.

mod verify;

use std::sync::Arc;

use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use rustls::client::Resumption;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::ServerSessionMemoryCache;
use rustls::time_provider::{DefaultTimeProvider, TimeProvider};

pub(crate) use verify::{DeviceVerifier, ForceVerifier, PinVerifier};

use crate::identity::{ClientIdentity, IdentityError, ServerIdentity};
use crate::limits::Limits;

/// Where certificates and tickets get the time from.
pub(crate) type Clock = Arc<dyn TimeProvider>;

pub(crate) fn system_clock() -> Clock {
    Arc::new(DefaultTimeProvider)
}

/// Settings of a server for both protocols, and the verifier, which counts full handshakes.
pub(crate) fn server(
    identity: &ServerIdentity,
    limits: &Limits,
    clock: &Clock,
    verifier: Arc<DeviceVerifier>,
) -> Result<quinn::ServerConfig, IdentityError> {
    let tls = server_tls(identity, limits, clock, verifier)?;
    let crypto = QuicServerConfig::try_from(tls).map_err(|_| IdentityError::CertificateMalformed)?;
    let mut config = quinn::ServerConfig::with_crypto(Arc::new(crypto));
    config
        .max_incoming(limits.handshakes_max)
        .incoming_buffer_size(limits.incoming_bytes_max)
        .incoming_buffer_size_total(limits.incoming_bytes_total_max)
        .transport_config(Arc::new(limits.transport()));
    Ok(config)
}

pub(crate) fn server_tls(
    identity: &ServerIdentity,
    limits: &Limits,
    clock: &Clock,
    verifier: Arc<DeviceVerifier>,
) -> Result<rustls::ServerConfig, IdentityError> {
    let chain = identity
        .chain
        .iter()
        .map(|der| CertificateDer::from(der.clone()))
        .collect();
    let mut tls = rustls::ServerConfig::builder_with_details(provider(), clock.clone())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|_| IdentityError::KeyMalformed)?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, private_key(&identity.key))
        .map_err(|_| IdentityError::KeyMismatch)?;
    tls.alpn_protocols = vec![ALPN_SESSION.to_vec(), ALPN_ENROL.to_vec()];
    tls.session_storage = ServerSessionMemoryCache::new(limits.resumptions_max);
    // Early data can be replayed: it stays off until something above is proof against that.
    tls.max_early_data_size = 0;
    Ok(tls)
}

/// Settings of a device for sessions. Tickets for resumption live in memory, in the settings.
pub(crate) fn client(identity: &ClientIdentity, clock: &Clock) -> Result<QuicClientConfig, IdentityError> {
    let verifier = Arc::new(ForceVerifier::new(&identity.authority)?);
    let chain = identity
        .chain
        .iter()
        .map(|der| CertificateDer::from(der.clone()))
        .collect();
    let mut tls = client_builder(clock, verifier)?
        .with_client_auth_cert(chain, private_key(&identity.key.to_pkcs8()))
        .map_err(|_| IdentityError::KeyMismatch)?;
    tls.alpn_protocols = vec![ALPN_SESSION.to_vec()];
    tls.resumption = Resumption::in_memory_sessions(RESUMPTIONS_MAX);
    finish_client(tls)
}

/// Settings of a device that has no certificate yet.
pub(crate) fn enrolling(
    verifier: Arc<PinVerifier>,
    clock: &Clock,
) -> Result<QuicClientConfig, IdentityError> {
    let mut tls = client_builder(clock, verifier)?.with_no_client_auth();
    tls.alpn_protocols = vec![ALPN_ENROL.to_vec()];
    tls.resumption = Resumption::disabled();
    finish_client(tls)
}

pub(crate) fn finish_client(tls: rustls::ClientConfig) -> Result<QuicClientConfig, IdentityError> {
    QuicClientConfig::try_from(tls).map_err(|_| IdentityError::CertificateMalformed)
}

pub(crate) fn client_builder(
    clock: &Clock,
    verifier: Arc<dyn ServerCertVerifier>,
) -> Result<rustls::ConfigBuilder<rustls::ClientConfig, rustls::client::WantsClientCert>, IdentityError> {
    Ok(
        rustls::ClientConfig::builder_with_details(provider(), clock.clone())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(|_| IdentityError::KeyMalformed)?
            .dangerous()
            .with_custom_certificate_verifier(verifier),
    )
}

/// Named everywhere: a process-wide default provider would be a hidden switch.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

pub(crate) fn private_key(pkcs8: &[u8]) -> PrivateKeyDer<'static> {
    PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(pkcs8.to_vec()))
}

/// The name that every server's certificate has and every device asks for: it tells an onlooker nothing.
pub(crate) const SERVER_NAME: &str = "server.beatbook.internal";
/// Sessions: both sides show a certificate.
pub(crate) const ALPN_SESSION: &[u8] = b"beatbook/1";
/// Enrolment: the device shows a token.
pub(crate) const ALPN_ENROL: &[u8] = b"beatbook-enrol/1";
/// Servers whose tickets a device remembers: there is one name, a few tickets each.
const RESUMPTIONS_MAX: usize = 8;
