//! The dialling side: finds the server, proves who it is, and remembers how to be quicker next time.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use quinn::crypto::rustls::QuicClientConfig;
use tokio::net::lookup_host;
use tokio::time::{Instant, timeout, timeout_at};

use crate::close::Closed;
use crate::connection::Connection;
use crate::identity::{ClientIdentity, IdentityError, PeerIdentity};
use crate::limits::{IDLE_TIMEOUT, device_transport};
use crate::tls::{self, Clock, SERVER_NAME};

/// Dials a server as one enrolment. Keep it: it remembers what makes the next handshake cheaper, in
/// memory only.
pub struct Dialer {
    crypto: Arc<QuicClientConfig>,
    peer: PeerIdentity,
}

impl Dialer {
    /// Makes a dialer. It trusts only servers of the identity's authority.
    pub fn new(identity: ClientIdentity) -> Result<Self, IdentityError> {
        Self::with_clock(identity, &tls::system_clock())
    }

    pub(crate) fn with_clock(identity: ClientIdentity, clock: &Clock) -> Result<Self, IdentityError> {
        Ok(Self {
            peer: *identity.peer(),
            crypto: Arc::new(tls::client(&identity, clock)?),
        })
    }

    /// Connects, with the default options.
    pub async fn dial(&self, address: &ServerAddress) -> Result<Connection, DialError> {
        self.dial_with(address, DialOptions::default()).await
    }

    /// Connects from a fresh UDP port, so that a change of network needs no more than another dial.
    ///
    /// When it returns, the server has proved who it is. Its verdict on our certificate comes with the
    /// first frame received: see [`Connection`]. Dropping the future gives up.
    pub async fn dial_with(
        &self,
        address: &ServerAddress,
        options: DialOptions,
    ) -> Result<Connection, DialError> {
        let (quinn, endpoint) = dial(self.crypto.clone(), address, options).await?;
        Ok(Connection::of_device(quinn, endpoint))
    }

    /// What servers read from the certificate of this dialer.
    pub fn peer(&self) -> &PeerIdentity {
        &self.peer
    }
}

impl fmt::Debug for Dialer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialer")
            .field("enrolment", &self.peer.enrolment)
            .finish_non_exhaustive()
    }
}

/// How to dial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DialOptions {
    /// Time for finding the name and for the handshake, over all addresses of the name.
    pub timeout: Duration,
    /// Silence after which the connection is given up. The smaller of both sides' counts.
    pub idle_timeout: Duration,
    /// For live sessions: how often to say something when there is nothing to say. Well under half of
    /// `idle_timeout`; each one may wake the radio.
    pub keep_alive: Option<Duration>,
}

impl DialOptions {
    /// For a session that stays open and is fed as things happen.
    pub fn live() -> Self {
        Self {
            keep_alive: Some(Duration::from_secs(12)),
            ..Self::default()
        }
    }
}

impl Default for DialOptions {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(10),
            idle_timeout: IDLE_TIMEOUT,
            keep_alive: None,
        }
    }
}

/// Where a server is: a host name or an IP address, and a UDP port. Written `host:port`, or
/// `[address]:port` for IPv6.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ServerAddress {
    host: String,
    port: u16,
}

impl ServerAddress {
    /// Checks and wraps a host and a port.
    pub fn new(host: &str, port: u16) -> Result<Self, ServerAddressError> {
        if port == 0 {
            return Err(ServerAddressError::Port);
        }
        let label_holds = |label: &str| {
            let body = label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
            (1..=63).contains(&label.len()) && body
        };
        let is_name = host.len() <= 253 && host.split('.').all(label_holds);
        if !is_name && host.parse::<IpAddr>().is_err() {
            return Err(ServerAddressError::Host);
        }
        Ok(Self {
            host: host.to_ascii_lowercase(),
            port,
        })
    }

    /// The host name, or the address without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The UDP port.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl From<SocketAddr> for ServerAddress {
    fn from(address: SocketAddr) -> Self {
        Self {
            host: address.ip().to_string(),
            port: address.port(),
        }
    }
}

impl FromStr for ServerAddress {
    type Err = ServerAddressError;

    fn from_str(text: &str) -> Result<Self, ServerAddressError> {
        let (host, port) = text.trim().rsplit_once(':').ok_or(ServerAddressError::Port)?;
        let port = port.parse().map_err(|_| ServerAddressError::Port)?;
        match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            Some(address) if address.parse::<Ipv6Addr>().is_ok() => Self::new(address, port),
            None if !host.contains(':') => Self::new(host, port),
            _ => Err(ServerAddressError::Host),
        }
    }
}

impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') {
            write!(f, "[{host}]:{port}")
        } else {
            write!(f, "{host}:{port}")
        }
    }
}

impl fmt::Debug for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Why a text is not the address of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ServerAddressError {
    /// The host is neither a name nor an address.
    #[error(
        "the server's host is neither a name nor an address; write host:port, or [address]:port for IPv6"
    )]
    Host,
    /// The port is missing, zero, or not a number.
    #[error("the server's port is missing or not a number from 1 to 65535; write host:port")]
    Port,
}

/// Why a server was not reached.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DialError {
    /// The server says that our certificate has expired.
    #[error(
        "the server says that this device's certificate has expired; renew the enrolment, or have the server's clock checked"
    )]
    CertificateExpired,
    /// The server does not accept our certificate.
    #[error("the server does not accept this device's certificate; enrol again")]
    CertificateRefused,
    /// The connection ended during the handshake for another reason.
    #[error(transparent)]
    Closed(Closed),
    /// The two sides have no protocol in common. Update the older one.
    #[error("app and server have no protocol version in common; update the older one")]
    Incompatible,
    /// The server takes no more connections for the moment.
    #[error("the server takes no more connections for the moment; try again later")]
    ServerBusy,
    /// By this device's clock the server's certificate has expired. A server's lasts for years: check the clock.
    #[error(
        "by the clock of this device the server's certificate has expired; check the date of this device, then tell the force administrator"
    )]
    ServerExpired,
    /// Nobody answered. There is no signal, or no server at that address.
    #[error("the server did not answer; check the signal and the address, and try again")]
    TimedOut,
    /// No packet could be sent at all: there is no network.
    #[error("there is no network on the way to the server ({kind}); it will work again when there is")]
    Unreachable {
        /// What the operating system said.
        kind: std::io::ErrorKind,
    },
    /// The host name cannot be found. There is no signal, or it is wrong.
    #[error("the server's name cannot be found; check the signal and the name")]
    UnknownHost,
    /// Whoever answered has no certificate of this force's authority. Somebody may be in between.
    #[error("whoever answered at that address is not this force's server; check the address and the network")]
    WrongServer,
}

impl From<Closed> for DialError {
    fn from(closed: Closed) -> Self {
        match closed {
            Closed::CertificateExpired => Self::CertificateExpired,
            Closed::CertificateMissing | Closed::CertificateRefused => Self::CertificateRefused,
            Closed::Incompatible => Self::Incompatible,
            Closed::PeerBusy => Self::ServerBusy,
            Closed::PeerExpired => Self::ServerExpired,
            Closed::PeerUntrusted => Self::WrongServer,
            Closed::TimedOut => Self::TimedOut,
            other => Self::Closed(other),
        }
    }
}

/// Tries the addresses of a host one after the other, each with its share of the time that is left.
pub(crate) async fn dial(
    crypto: Arc<QuicClientConfig>,
    address: &ServerAddress,
    options: DialOptions,
) -> Result<(quinn::Connection, quinn::Endpoint), DialError> {
    let deadline = Instant::now() + options.timeout;
    let found = timeout_at(deadline, lookup_host((address.host(), address.port()))).await;
    let addresses: Vec<SocketAddr> = match found {
        Ok(Ok(found)) => found.take(ADDRESSES_MAX).collect(),
        Ok(Err(_)) => return Err(DialError::UnknownHost),
        Err(_) => return Err(DialError::TimedOut),
    };
    let mut config = quinn::ClientConfig::new(crypto);
    config.transport_config(device_transport(options.idle_timeout, options.keep_alive));
    let mut failed = DialError::UnknownHost;
    let mut left = u32::try_from(addresses.len()).unwrap_or(u32::MAX);
    for remote in addresses {
        let share = deadline.saturating_duration_since(Instant::now()) / left.max(1);
        left = left.saturating_sub(1);
        match timeout(share, dial_one(config.clone(), remote)).await {
            Ok(Ok(dialled)) => return Ok(dialled),
            Ok(Err(error)) => failed = error,
            Err(_) => failed = DialError::TimedOut,
        }
    }
    Err(failed)
}

async fn dial_one(
    config: quinn::ClientConfig,
    remote: SocketAddr,
) -> Result<(quinn::Connection, quinn::Endpoint), DialError> {
    let local: IpAddr = match remote.ip() {
        // A socket for the loopback should not be reachable from anywhere else.
        ip if ip.is_loopback() => ip,
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let unreachable = |error: std::io::Error| DialError::Unreachable { kind: error.kind() };
    let endpoint = quinn::Endpoint::client(SocketAddr::new(local, 0)).map_err(unreachable)?;
    let unreachable = |_| DialError::Unreachable {
        kind: std::io::ErrorKind::NetworkUnreachable,
    };
    let connecting = endpoint
        .connect_with(config, remote, SERVER_NAME)
        .map_err(unreachable)?;
    match connecting.await {
        Ok(quinn) => Ok((quinn, endpoint)),
        Err(error) => Err(Closed::from(error).into()),
    }
}

/// Addresses of one name that are tried.
const ADDRESSES_MAX: usize = 6;

#[cfg(test)]
mod tests;
