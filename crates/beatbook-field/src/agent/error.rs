//! Why a session with the server failed, sorted by whose doing it was, with what to do.

use beatbook_core::ledger::LedgerError;
use beatbook_core::session::SessionError;
use beatbook_core::store::StoreError;
use beatbook_proto::CloseCode;
use beatbook_quic::{Closed, DialError, RecvError, SendError};

/// Why the server was not reached, or a session with it ended early. Nothing is lost: what is not receipted stays on
/// this device and is sent again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SyncError {
    /// The agent of this notebook, or another call, is in a session.
    #[error("this notebook is syncing already; its agent sends by itself")]
    AlreadySyncing,
    /// The app asked for the end.
    #[error("syncing was stopped")]
    Stopped,
    /// There is no signal, or no server at that address.
    #[error("the server was not reached: {0}")]
    Unreachable(DialError),
    /// The connection was cut.
    #[error("the connection was cut: {0}")]
    Interrupted(Closed),
    /// The server is busy or going away, and asks to be left alone for a while.
    #[error("{code}")]
    ServerBusy {
        /// What it said.
        code: CloseCode,
        /// How long it wishes to be left alone, in milliseconds.
        retry_after_ms: u32,
    },
    /// The server does not let this device in: revoked, expired, or of another force.
    #[error(
        "the server does not let this device in ({reason}); everything written stays here: ask the force administrator"
    )]
    NotAdmitted {
        /// What the server said.
        reason: String,
    },
    /// By this device's clock the server's certificate has expired: most likely the clock is wrong.
    #[error(
        "by the clock of this device the server's certificate has expired: check the date of this device, then tell the force administrator; everything written stays here"
    )]
    ServerExpired,
    /// Whoever answered is not the force's server.
    #[error(
        "whoever answered is not this force's server; check the address and the network, and tell the force administrator if it stays so"
    )]
    WrongServer,
    /// App and server speak no protocol in common.
    #[error("app and server have no protocol version in common; update the older one")]
    Incompatible,
    /// The server says that this device broke the protocol.
    #[error("the server refused what this device sent ({0}); update the app, and report it if it stays so")]
    Refused(CloseCode),
    /// The server broke the protocol.
    #[error("the server broke the protocol ({0}); update app and server, and report it if it stays so")]
    ServerMisbehaved(SessionError),
    /// The store of this device failed.
    #[error(transparent)]
    Store(StoreError),
}

/// Whose doing an error is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Blame {
    /// The app that called.
    Caller,
    /// This device: its disk, its store, or its clock.
    Device,
    /// The network between.
    Network,
    /// The register of the force: the device is not admitted.
    Register,
    /// The server.
    Server,
    /// Different versions of app and server.
    Versions,
}

impl SyncError {
    /// Whose doing it is.
    pub fn blame(&self) -> Blame {
        match self {
            Self::AlreadySyncing | Self::Stopped => Blame::Caller,
            Self::ServerExpired | Self::Store(_) => Blame::Device,
            Self::Interrupted(_) | Self::Unreachable(_) => Blame::Network,
            Self::NotAdmitted { .. } => Blame::Register,
            Self::ServerBusy { .. } | Self::ServerMisbehaved(_) | Self::WrongServer => Blame::Server,
            Self::Incompatible | Self::Refused(_) => Blame::Versions,
        }
    }

    /// True where trying again soon, with nothing changed, may well succeed.
    pub fn is_passing(&self) -> bool {
        matches!(self.blame(), Blame::Network) || matches!(self, Self::ServerBusy { .. })
    }

    /// How long the server wishes to be left alone, in milliseconds.
    pub fn retry_after_ms(&self) -> u32 {
        match self {
            Self::ServerBusy { retry_after_ms, .. } => *retry_after_ms,
            // Another session of this enrolment took the place: to dial at once would throw that one out.
            Self::Interrupted(Closed::Evicted) => EVICTED_RETRY_MS,
            error if error.is_passing() => 0,
            _ => LASTING_RETRY_MS,
        }
    }
}

impl From<DialError> for SyncError {
    fn from(error: DialError) -> Self {
        match error {
            DialError::CertificateExpired | DialError::CertificateRefused => Self::NotAdmitted {
                reason: error.to_string(),
            },
            DialError::Closed(closed) => closed.into(),
            DialError::Incompatible => Self::Incompatible,
            DialError::ServerBusy => Self::ServerBusy {
                code: CloseCode::BUSY,
                retry_after_ms: 0,
            },
            DialError::ServerExpired => Self::ServerExpired,
            DialError::WrongServer => Self::WrongServer,
            other => Self::Unreachable(other),
        }
    }
}

impl From<Closed> for SyncError {
    fn from(closed: Closed) -> Self {
        match closed {
            Closed::ByPeer { code } => of_code(code, 0),
            Closed::CertificateExpired | Closed::CertificateMissing | Closed::CertificateRefused => {
                Self::NotAdmitted {
                    reason: closed.to_string(),
                }
            }
            Closed::Incompatible => Self::Incompatible,
            Closed::PeerBusy => Self::ServerBusy {
                code: CloseCode::BUSY,
                retry_after_ms: 0,
            },
            Closed::PeerExpired => Self::ServerExpired,
            Closed::PeerUntrusted => Self::WrongServer,
            other => Self::Interrupted(other),
        }
    }
}

impl From<RecvError> for SyncError {
    fn from(error: RecvError) -> Self {
        match error {
            RecvError::Closed(closed) => closed.into(),
            RecvError::Reset { code } => of_code(u32::try_from(code).unwrap_or(u32::MAX), 0),
            RecvError::TooLarge { announced } => {
                let length = usize::try_from(announced).unwrap_or(usize::MAX);
                let error = beatbook_proto::frame::FrameError::TooLong(length);
                Self::ServerMisbehaved(error.into())
            }
            _ => Self::Interrupted(Closed::Lost),
        }
    }
}

impl From<SendError> for SyncError {
    fn from(error: SendError) -> Self {
        match error {
            SendError::Closed(closed) => closed.into(),
            SendError::Stopped { code } => of_code(u32::try_from(code).unwrap_or(u32::MAX), 0),
            // Our own frames are within the limits: the core cuts them so.
            _ => Self::Refused(CloseCode::LIMIT),
        }
    }
}

impl From<SessionError> for SyncError {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::Closed { code, retry_after_ms } => of_code(u32::from(code.0), retry_after_ms),
            SessionError::Incompatible => Self::Incompatible,
            SessionError::Ledger(LedgerError::Store(error)) => Self::Store(error),
            other => Self::ServerMisbehaved(other),
        }
    }
}

impl From<StoreError> for SyncError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// What a close code of the server means to a device.
fn of_code(code: u32, retry_after_ms: u32) -> SyncError {
    let code = CloseCode(u16::try_from(code).unwrap_or(u16::MAX));
    match code {
        CloseCode::NOT_ADMITTED => SyncError::NotAdmitted {
            reason: code.sentence().to_owned(),
        },
        // The server was done before we were: its process ended.
        CloseCode::DONE => SyncError::Interrupted(Closed::Lost),
        CloseCode::BUSY | CloseCode::GOING_AWAY | CloseCode::STORE => {
            SyncError::ServerBusy { code, retry_after_ms }
        }
        CloseCode::INCOMPATIBLE => SyncError::Incompatible,
        other => SyncError::Refused(other),
    }
}

const EVICTED_RETRY_MS: u32 = 30_000;
/// What does not pass by itself is tried now and then: an administrator may have mended it.
const LASTING_RETRY_MS: u32 = 120_000;

#[cfg(test)]
mod tests {
    use super::{Blame, SyncError};
    use beatbook_proto::CloseCode;
    use beatbook_quic::{Closed, DialError};

    #[test]
    fn errors_are_sorted_by_blame_and_say_what_to_do() {
        let refused = SyncError::from(Closed::ByPeer {
            code: u32::from(CloseCode::NOT_ADMITTED.0),
        });
        assert_eq!(refused.blame(), Blame::Register);
        assert!(refused.to_string().contains("ask the force administrator"));
        assert!(!refused.is_passing() && refused.retry_after_ms() > 60_000);

        let cut = SyncError::from(Closed::TimedOut);
        assert_eq!((cut.blame(), cut.retry_after_ms()), (Blame::Network, 0));
        assert!(SyncError::from(DialError::UnknownHost).is_passing());
        assert_eq!(SyncError::from(DialError::WrongServer).blame(), Blame::Server);
        let clock = SyncError::from(Closed::PeerExpired);
        assert_eq!(clock.blame(), Blame::Device);
        assert!(clock.to_string().contains("check the date") && !clock.is_passing());
        assert!(SyncError::from(Closed::Evicted).retry_after_ms() > 0);
    }
}
