//! A connection whose handshake is over, seen from either side.

use std::fmt;
use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use quinn::VarInt;

use crate::close::Closed;
use crate::frames::{FrameReceiver, FrameSender};
use crate::identity::PeerIdentity;
use crate::server::Registration;

/// A connection. Clones are the same connection; it is closed when the last clone and the last frame
/// sender and receiver are dropped, or by [`Connection::close`].
///
/// On a device: the server has proved who it is. Whether the server admits the device shows with the
/// first frame received, because TLS 1.3 lets a client speak before its certificate is judged:
/// [`crate::RecvError::Closed`] then says why it was not admitted.
#[derive(Clone)]
pub struct Connection {
    inner: Arc<Inner>,
}

/// What the clones of a connection and its streams share.
pub(crate) struct Inner {
    quinn: quinn::Connection,
    /// On a server: its place in the register of sessions, given up on drop.
    _registration: Option<Registration>,
    /// On a device: the endpoint of this connection alone.
    endpoint: Option<quinn::Endpoint>,
}

impl Inner {
    pub(crate) fn of_server(quinn: quinn::Connection, registration: Registration) -> Self {
        Self {
            quinn,
            _registration: Some(registration),
            endpoint: None,
        }
    }

    pub(crate) fn close(&self, code: u32, reason: &'static str) {
        self.quinn.close(VarInt::from_u32(code), reason.as_bytes());
    }
}

impl Connection {
    pub(crate) fn of_device(quinn: quinn::Connection, endpoint: quinn::Endpoint) -> Self {
        Self {
            inner: Arc::new(Inner {
                quinn,
                _registration: None,
                endpoint: Some(endpoint),
            }),
        }
    }

    /// Opens the stream for frames, on a device. The server notices it with the first frame.
    pub async fn open_frames(&self) -> Result<(FrameSender, FrameReceiver), Closed> {
        let (send, recv) = self.inner.quinn.open_bi().await?;
        Ok((
            FrameSender::new(send, self.inner.clone()),
            FrameReceiver::new(recv, self.inner.clone()),
        ))
    }

    /// Closes the connection at once. The peer sees the code; the reason goes with it and must be fixed
    /// text. What was sent and not yet acknowledged may not arrive.
    pub fn close(&self, code: u32, reason: &'static str) {
        self.inner.close(code, reason);
    }

    /// Closes the connection and waits until the peer has had time to hear of it. A program that is about
    /// to exit calls this, or the server keeps the session until it times out.
    pub async fn close_and_wait(&self, code: u32, reason: &'static str) {
        self.close(code, reason);
        if let Some(endpoint) = &self.inner.endpoint {
            // Three probe timeouts of the path at most; then there is nobody to wait for.
            let _ = tokio::time::timeout(CLOSE_TIMEOUT, endpoint.wait_idle()).await;
        }
    }

    /// Waits until the connection has ended, and says why.
    pub async fn closed(&self) -> Closed {
        self.inner.quinn.closed().await.into()
    }

    /// Why the connection ended; `None` while it lives.
    pub fn close_reason(&self) -> Option<Closed> {
        self.inner.quinn.close_reason().map(Closed::from)
    }

    /// Where the peer is.
    pub fn remote_address(&self) -> SocketAddr {
        self.inner.quinn.remote_address()
    }

    /// What the connection has cost so far.
    pub fn traffic(&self) -> Traffic {
        let stats = self.inner.quinn.stats();
        Traffic {
            sent_bytes: stats.udp_tx.bytes,
            received_bytes: stats.udp_rx.bytes,
            sent_datagrams: stats.udp_tx.datagrams,
            received_datagrams: stats.udp_rx.datagrams,
            lost_packets: stats.path.lost_packets,
            rtt: stats.path.rtt,
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("remote", &self.remote_address())
            .finish_non_exhaustive()
    }
}

/// A connection of a device, as its server sees it: with a certificate that has been checked.
///
/// The certificate says which enrolment it is; whether that enrolment is still admitted is for the
/// register to say, on every session, as a resumed one is not checked by TLS again.
#[derive(Clone, Debug)]
pub struct Session {
    connection: Connection,
    peer: PeerIdentity,
}

impl Session {
    pub(crate) fn new(inner: Arc<Inner>, peer: PeerIdentity) -> Self {
        Self {
            connection: Connection { inner },
            peer,
        }
    }

    /// Who the device is.
    pub fn peer(&self) -> &PeerIdentity {
        &self.peer
    }

    /// Waits for the device to open its stream for frames. Give it a deadline.
    pub async fn accept_frames(&self) -> Result<(FrameSender, FrameReceiver), Closed> {
        let inner = &self.connection.inner;
        let (send, recv) = inner.quinn.accept_bi().await?;
        Ok((
            FrameSender::new(send, inner.clone()),
            FrameReceiver::new(recv, inner.clone()),
        ))
    }
}

impl Deref for Session {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

/// What a connection has cost, counted at the UDP socket: headers of QUIC included, those of UDP and IP
/// not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traffic {
    /// Bytes sent.
    pub sent_bytes: u64,
    /// Bytes received.
    pub received_bytes: u64,
    /// Datagrams sent.
    pub sent_datagrams: u64,
    /// Datagrams received.
    pub received_datagrams: u64,
    /// Packets that were sent and never acknowledged.
    pub lost_packets: u64,
    /// The round trip as measured.
    pub rtt: Duration,
}

const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);
