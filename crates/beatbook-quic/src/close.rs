//! Why a connection ended, sorted by whose doing it was.

use quinn::{ConnectionError, TransportErrorCode};

/// Close codes of this crate. Codes below [`codes::OWN_FIRST`] belong to the sessions above.
pub mod codes {
    /// The first code of this crate.
    pub const OWN_FIRST: u32 = 0x1000;
    /// A session needs a certificate, and none was shown.
    pub const CERTIFICATE_MISSING: u32 = 0x1001;
    /// The certificate has expired.
    pub const CERTIFICATE_EXPIRED: u32 = 0x1002;
    /// A newer session of the same enrolment took the place.
    pub const EVICTED: u32 = 0x1003;
    /// The enrolment exchange is over.
    pub const ENROLMENT_DONE: u32 = 0x1004;
    /// The enrolment request was malformed, too long or too slow.
    pub const ENROLMENT_REQUEST: u32 = 0x1005;
    /// The server is full.
    pub const BUSY: u32 = 0x1006;
}

/// Why a connection ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Closed {
    /// The peer closed it with a code of the session.
    #[error("the other side closed the connection (code {code})")]
    ByPeer {
        /// The code, as the session defines it.
        code: u32,
    },
    /// The server says that our certificate has expired. Renew it; what is not sent yet is kept.
    #[error(
        "the server says that this device's certificate has expired; renew the enrolment, or have the server's clock checked"
    )]
    CertificateExpired,
    /// The server wants a certificate and got none. Enrol first.
    #[error("the server wants a certificate and this device showed none; enrol first")]
    CertificateMissing,
    /// The peer does not accept our certificate: another authority, another use, or damaged.
    #[error("the other side does not accept our certificate; enrol again with this server")]
    CertificateRefused,
    /// A newer session of the same enrolment took this one's place. Do not reconnect at once.
    #[error("a newer session of the same enrolment took the place of this one")]
    Evicted,
    /// The two sides have no protocol in common. Update the older one.
    #[error("the two sides have no protocol version in common; update the older one")]
    Incompatible,
    /// This side closed it.
    #[error("this side closed the connection")]
    Locally,
    /// The other side restarted and knows nothing of the connection. Connect again.
    #[error("the other side restarted; connect again")]
    Lost,
    /// The server takes no more connections for the moment. Try again later.
    #[error("the server takes no more connections for the moment; try again later")]
    PeerBusy,
    /// By our clock the peer's certificate has expired. Most likely our clock is wrong.
    #[error(
        "by the clock of this device the certificate of the other side has expired; check the date of this device"
    )]
    PeerExpired,
    /// The peer broke the rules of the transport.
    #[error("the other side broke the rules of the transport (code {code:#x}); report it if it persists")]
    PeerMisbehaved {
        /// The transport's error code.
        code: u64,
    },
    /// We do not accept the peer's certificate: it is not who it should be.
    #[error(
        "the other side has no certificate of this force for this purpose; check the address and the network"
    )]
    PeerUntrusted,
    /// Nothing was heard for too long. Try again when there is signal.
    #[error("nothing was heard from the other side for too long; try again when there is signal")]
    TimedOut,
}

impl From<ConnectionError> for Closed {
    fn from(error: ConnectionError) -> Self {
        match error {
            ConnectionError::ApplicationClosed(close) => Self::from_peer_code(close.error_code.into_inner()),
            ConnectionError::CidsExhausted | ConnectionError::LocallyClosed => Self::Locally,
            ConnectionError::ConnectionClosed(close) => Self::from_peer_abort(close.error_code),
            ConnectionError::Reset => Self::Lost,
            ConnectionError::TimedOut => Self::TimedOut,
            ConnectionError::TransportError(error) => Self::from_own_abort(error.code),
            ConnectionError::VersionMismatch => Self::Incompatible,
        }
    }
}

impl Closed {
    fn from_peer_code(code: u64) -> Self {
        match u32::try_from(code) {
            Ok(codes::BUSY) => Self::PeerBusy,
            Ok(codes::CERTIFICATE_EXPIRED) => Self::CertificateExpired,
            Ok(codes::CERTIFICATE_MISSING) => Self::CertificateMissing,
            Ok(codes::EVICTED) => Self::Evicted,
            Ok(code) => Self::ByPeer { code },
            Err(_) => Self::PeerMisbehaved { code },
        }
    }

    /// The peer's TLS or QUIC gave up on us.
    fn from_peer_abort(code: TransportErrorCode) -> Self {
        match alert_of(code) {
            Some(ALERT_CERTIFICATE_EXPIRED) => Self::CertificateExpired,
            Some(ALERT_CERTIFICATE_REQUIRED) => Self::CertificateMissing,
            Some(ALERT_NO_PROTOCOL | ALERT_PROTOCOL_VERSION) => Self::Incompatible,
            Some(alert) if is_about_certificate(alert) => Self::CertificateRefused,
            None if code == TransportErrorCode::CONNECTION_REFUSED => Self::PeerBusy,
            _ => Self::PeerMisbehaved {
                code: u64::from(code),
            },
        }
    }

    /// Our TLS or QUIC gave up on the peer.
    fn from_own_abort(code: TransportErrorCode) -> Self {
        match alert_of(code) {
            Some(ALERT_NO_PROTOCOL | ALERT_PROTOCOL_VERSION) => Self::Incompatible,
            Some(ALERT_CERTIFICATE_EXPIRED) => Self::PeerExpired,
            Some(alert) if is_about_certificate(alert) => Self::PeerUntrusted,
            _ => Self::PeerMisbehaved {
                code: u64::from(code),
            },
        }
    }
}

/// The TLS alert inside a transport error code (RFC 9001 4.8).
fn alert_of(code: TransportErrorCode) -> Option<u8> {
    u64::from(code)
        .checked_sub(0x100)
        .and_then(|alert| u8::try_from(alert).ok())
}

/// Alerts of RFC 8446 6.2 that speak of a certificate: bad, unsupported, revoked, unknown, of an unknown
/// authority, access denied, and a signature that does not hold.
fn is_about_certificate(alert: u8) -> bool {
    matches!(alert, 42 | 43 | 44 | 46 | 48 | 49 | 51)
}

const ALERT_CERTIFICATE_EXPIRED: u8 = 45;
const ALERT_CERTIFICATE_REQUIRED: u8 = 116;
const ALERT_NO_PROTOCOL: u8 = 120;
const ALERT_PROTOCOL_VERSION: u8 = 70;
