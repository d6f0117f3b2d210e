//! The listening side: takes connections, lets each prove who it is, and hands over those that did.
//!
//! A connection costs little until it is proved: unfinished handshakes are counted, in all and by
//! network; from some number on peers must first prove their address, above the limit they are refused.

mod register;

use std::fmt;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use quinn::crypto::rustls::HandshakeData;
use quinn::{Connecting, VarInt};
use rustls::pki_types::CertificateDer;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tracing::debug;

pub(crate) use register::Registration;
use register::{HandshakePermit, Handshakes, Sessions};

use crate::close::{Closed, codes};
use crate::connection::{Inner, Session};
use crate::enrol::EnrolExchange;
use crate::identity::{Fingerprint, IdentityError, PeerIdentity, ServerIdentity};
use crate::limits::{Limits, SESSION_WINDOW_BYTES};
use crate::reset;
use crate::tls::{self, ALPN_ENROL, ALPN_SESSION, Clock, DeviceVerifier};

/// A UDP port on which devices are heard. Dropping it closes every connection that came through it;
/// [`Listener::shut_down`] does so in good order.
pub struct Listener {
    endpoint: quinn::Endpoint,
    local_addr: SocketAddr,
    shared: Arc<Shared>,
    accepted: mpsc::Receiver<Accepted>,
    acceptor: JoinHandle<()>,
}

impl Listener {
    /// Binds a UDP port and begins to listen. Must be called within a tokio runtime.
    pub fn bind(address: SocketAddr, identity: &ServerIdentity, limits: Limits) -> Result<Self, BindError> {
        Self::bind_with_clock(address, identity, limits, tls::system_clock())
    }

    pub(crate) fn bind_with_clock(
        address: SocketAddr,
        identity: &ServerIdentity,
        limits: Limits,
        clock: Clock,
    ) -> Result<Self, BindError> {
        let verifier = Arc::new(DeviceVerifier::new(identity.authority())?);
        let config = tls::server(identity, &limits, &clock, verifier.clone())?;
        let runtime = quinn::default_runtime().ok_or_else(|| io::Error::other("no runtime"))?;
        let socket = UdpSocket::bind(address)?;
        let endpoint = quinn::Endpoint::new(reset::endpoint_config(identity), Some(config), socket, runtime)?;
        let local_addr = endpoint.local_addr()?;
        let (handover, accepted) = mpsc::channel(HANDOVER_MAX);
        let shared = Arc::new(Shared {
            authority: Fingerprint::of(identity.authority()),
            handshakes: Handshakes::new(limits.handshakes_max, limits.handshakes_per_network_max),
            sessions: Sessions::new(limits.sessions_per_enrolment_max),
            counters: Counters::default(),
            limits,
            clock,
            verifier,
        });
        let acceptor = tokio::spawn(take_incoming(endpoint.clone(), shared.clone(), handover));
        Ok(Self {
            endpoint,
            local_addr,
            shared,
            accepted,
            acceptor,
        })
    }

    /// Waits for the next device that has proved who it is, or that asks to be enrolled. `None` when the
    /// listener has stopped. Cancel-safe.
    ///
    /// Whoever does not come back for the next one soon stops new devices from getting in.
    pub async fn accept(&mut self) -> Option<Accepted> {
        self.accepted.recv().await
    }

    /// Shows a new certificate from now on; sessions go on. Devices resume no older session after this.
    /// The authority must be the same: a new authority needs a new listener.
    pub fn replace_identity(&self, identity: &ServerIdentity) -> Result<(), BindError> {
        let Shared {
            limits,
            clock,
            verifier,
            ..
        } = &*self.shared;
        if Fingerprint::of(identity.authority()) != self.shared.authority {
            return Err(BindError::OtherAuthority);
        }
        let config = tls::server(identity, limits, clock, verifier.clone())?;
        self.endpoint.set_server_config(Some(config));
        Ok(())
    }

    /// Takes no more connections, closes those there are with this code, and waits until the peers have
    /// had time to hear of it.
    pub async fn shut_down(self, code: u32, reason: &'static str) {
        self.acceptor.abort();
        self.endpoint.close(VarInt::from_u32(code), reason.as_bytes());
        // Nobody is owed more than this; whoever does not hear it notices by time-out.
        let _ = timeout(self.shared.limits.handshake_timeout, self.endpoint.wait_idle()).await;
    }

    /// The address that it listens on, with the port that the system chose if none was asked for.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// What has happened so far.
    pub fn counts(&self) -> ListenerCounts {
        let counters = &self.shared.counters;
        ListenerCounts {
            sessions: counters.sessions.load(Ordering::Relaxed),
            full_handshakes: self.shared.verifier.verified(),
            enrolments: counters.enrolments.load(Ordering::Relaxed),
            evicted: counters.evicted.load(Ordering::Relaxed),
            failed: counters.failed.load(Ordering::Relaxed),
            refused: counters.refused.load(Ordering::Relaxed),
            retried: counters.retried.load(Ordering::Relaxed),
            open: self.endpoint.open_connections(),
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.acceptor.abort();
        self.endpoint.close(VarInt::from_u32(0), b"");
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener")
            .field("local_addr", &self.local_addr)
            .finish_non_exhaustive()
    }
}

/// A connection that a [`Listener`] hands over.
#[derive(Debug)]
#[non_exhaustive]
pub enum Accepted {
    /// A device that has no certificate yet and shows a token.
    Enrol(EnrolExchange),
    /// A device that has shown its certificate.
    Session(Session),
}

/// What has happened at a [`Listener`] since it was bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListenerCounts {
    /// Sessions handed over, or waiting to be.
    pub sessions: u64,
    /// Certificates checked in full; the other sessions were resumed.
    pub full_handshakes: u64,
    /// Enrolment requests handed over, or waiting to be.
    pub enrolments: u64,
    /// Sessions closed because the same enrolment opened a newer one.
    pub evicted: u64,
    /// Handshakes and enrolment requests that failed or took too long.
    pub failed: u64,
    /// Connections refused because too many were unfinished.
    pub refused: u64,
    /// Connections asked to prove their address first.
    pub retried: u64,
    /// Connections open at this moment, unfinished ones included.
    pub open: usize,
}

/// Why a listener could not be bound.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// The address cannot be had: it is in use, not of this machine, or needs more rights.
    #[error("cannot listen on that address: {0}; choose another, or stop the program that uses it")]
    Address(#[from] std::io::Error),
    /// The server's key and certificates do not work.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The certificate to show from now on is of another authority. Bind a new listener for it.
    #[error("the new certificate is of another authority; restart the server to change the authority")]
    OtherAuthority,
}

struct Shared {
    authority: Fingerprint,
    limits: Limits,
    clock: Clock,
    verifier: Arc<DeviceVerifier>,
    handshakes: Arc<Handshakes>,
    sessions: Arc<Sessions>,
    counters: Counters,
}

#[derive(Default)]
struct Counters {
    sessions: AtomicU64,
    enrolments: AtomicU64,
    evicted: AtomicU64,
    failed: AtomicU64,
    refused: AtomicU64,
    retried: AtomicU64,
}

async fn take_incoming(endpoint: quinn::Endpoint, shared: Arc<Shared>, handover: mpsc::Sender<Accepted>) {
    while let Some(incoming) = endpoint.accept().await {
        let network = incoming.remote_address().ip();
        let Some(permit) = shared.handshakes.admit(network) else {
            count(&shared.counters.refused);
            incoming.refuse();
            continue;
        };
        let unproved = !incoming.remote_address_validated();
        if unproved && shared.handshakes.under_way() > shared.limits.retry_from_handshakes {
            count(&shared.counters.retried);
            // Only an address that was proved already cannot be asked again, and that was looked at.
            let _ = incoming.retry();
            continue;
        }
        match incoming.accept() {
            Ok(connecting) => {
                tokio::spawn(shake_hands(connecting, shared.clone(), permit, handover.clone()));
            }
            Err(_) => count(&shared.counters.failed),
        }
    }
}

/// Sees one connection through to being handed over. The permit is held until then: a shell that does
/// not come for its connections slows down new ones and not the memory.
async fn shake_hands(
    connecting: Connecting,
    shared: Arc<Shared>,
    permit: HandshakePermit,
    handover: mpsc::Sender<Accepted>,
) {
    let remote = connecting.remote_address();
    let limit = shared.limits.handshake_timeout;
    let admitted = match timeout(limit, connecting).await {
        Ok(Ok(quinn)) => admit(quinn, &shared).await,
        Ok(Err(error)) => Err(Closed::from(error)),
        Err(_) => Err(Closed::TimedOut),
    };
    match admitted {
        // The receiver is gone only when the listener is, and then the connection closes by its drop.
        Ok(accepted) => drop(handover.send(accepted).await),
        Err(closed) => {
            count(&shared.counters.failed);
            debug!(%remote, %closed, "connection not admitted");
        }
    }
    drop(permit);
}

/// The one place where it is decided what an authenticated or anonymous connection may become.
async fn admit(quinn: quinn::Connection, shared: &Arc<Shared>) -> Result<Accepted, Closed> {
    match protocol_of(&quinn).as_deref() {
        Some(ALPN_SESSION) => admit_session(quinn, shared),
        Some(ALPN_ENROL) => {
            let exchange = timeout(
                shared.limits.handshake_timeout,
                EnrolExchange::receive(quinn.clone()),
            )
            .await;
            let Ok(Ok(exchange)) = exchange else {
                close(&quinn, codes::ENROLMENT_REQUEST, b"enrolment request");
                return Err(Closed::ByPeer {
                    code: codes::ENROLMENT_REQUEST,
                });
            };
            count(&shared.counters.enrolments);
            Ok(Accepted::Enrol(exchange))
        }
        _ => {
            close(&quinn, codes::OWN_FIRST, b"protocol");
            Err(Closed::Incompatible)
        }
    }
}

fn admit_session(quinn: quinn::Connection, shared: &Arc<Shared>) -> Result<Accepted, Closed> {
    let Some(peer) = peer_of(&quinn) else {
        close(&quinn, codes::CERTIFICATE_MISSING, b"certificate missing");
        return Err(Closed::CertificateMissing);
    };
    // A resumed session has not been through the verifier: its certificate may have run out since.
    let now_s = shared.clock.current_time().map_or(u64::MAX, |now| now.as_secs());
    if peer.not_after_s < now_s {
        close(&quinn, codes::CERTIFICATE_EXPIRED, b"certificate expired");
        return Err(Closed::CertificateExpired);
    }
    quinn.set_receive_window(VarInt::from_u32(SESSION_WINDOW_BYTES));
    quinn.set_max_concurrent_bi_streams(VarInt::from_u32(shared.limits.streams_max));
    let mut evicted = None;
    let inner = Arc::new_cyclic(|inner: &Weak<Inner>| {
        let (registration, oldest) = shared.sessions.register(peer.enrolment, inner.clone());
        evicted = oldest;
        Inner::of_server(quinn, registration)
    });
    if let Some(oldest) = evicted {
        count(&shared.counters.evicted);
        oldest.close(codes::EVICTED, "newer session");
    }
    count(&shared.counters.sessions);
    Ok(Accepted::Session(Session::new(inner, peer)))
}

fn protocol_of(quinn: &quinn::Connection) -> Option<Vec<u8>> {
    quinn.handshake_data()?.downcast::<HandshakeData>().ok()?.protocol
}

/// The verified certificate of the peer; on a resumed session the one that was verified back then.
fn peer_of(quinn: &quinn::Connection) -> Option<PeerIdentity> {
    let chain = quinn
        .peer_identity()?
        .downcast::<Vec<CertificateDer<'static>>>()
        .ok()?;
    PeerIdentity::from_certificate(chain.first()?).ok()
}

fn close(quinn: &quinn::Connection, code: u32, reason: &'static [u8]) {
    quinn.close(VarInt::from_u32(code), reason);
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// Connections that wait to be taken by the shell.
const HANDOVER_MAX: usize = 64;

#[cfg(test)]
mod tests;
