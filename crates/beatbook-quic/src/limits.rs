//! Limits of the transport: what a stranger may cost, and what a session may use.

use std::sync::Arc;
use std::time::Duration;

use quinn::{IdleTimeout, MtuDiscoveryConfig, TransportConfig, VarInt};

/// What a [`crate::Listener`] allows. The defaults suit a server for a force.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Connections whose handshake is not finished, from everybody; more are refused.
    pub handshakes_max: usize,
    /// The same from one network (an IPv4 /24 or an IPv6 /48).
    pub handshakes_per_network_max: usize,
    /// Unfinished handshakes from which on a peer must first prove its address (a QUIC Retry).
    pub retry_from_handshakes: usize,
    /// Time for a handshake, and for a whole enrolment exchange on top.
    pub handshake_timeout: Duration,
    /// Bytes held for one connection before it is looked at.
    pub incoming_bytes_max: u64,
    /// Bytes held for all connections before they are looked at.
    pub incoming_bytes_total_max: u64,
    /// Streams that a session may have open at once. An enrolment has one.
    pub streams_max: u32,
    /// Sessions of one enrolment at once; when one more comes, the oldest is closed. Two, so that a
    /// device that changes network need not wait for its old session to time out.
    pub sessions_per_enrolment_max: usize,
    /// Silence after which a connection is given up.
    pub idle_timeout: Duration,
    /// TLS sessions remembered for resumption. Each costs about two KiB; every handshake stores two.
    pub resumptions_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            handshakes_max: 1_024,
            handshakes_per_network_max: 512,
            retry_from_handshakes: 128,
            handshake_timeout: Duration::from_secs(10),
            incoming_bytes_max: 64 << 10,
            incoming_bytes_total_max: 16 << 20,
            streams_max: 4,
            sessions_per_enrolment_max: 2,
            idle_timeout: IDLE_TIMEOUT,
            resumptions_max: 16_384,
        }
    }
}

impl Limits {
    /// Transport settings of a server. A peer gets little until it has proved who it is: one stream and
    /// [`STRANGER_WINDOW_BYTES`] in flight; [`crate::server`] opens the window for a session.
    pub(crate) fn transport(&self) -> TransportConfig {
        let mut transport = both_sides(self.idle_timeout);
        transport
            .max_concurrent_bidi_streams(VarInt::from_u32(1))
            .receive_window(VarInt::from_u32(STRANGER_WINDOW_BYTES));
        transport
    }
}

/// Transport settings of a device. `keep_alive` holds a quiet connection open.
pub(crate) fn device_transport(idle_timeout: Duration, keep_alive: Option<Duration>) -> Arc<TransportConfig> {
    let mut transport = both_sides(idle_timeout);
    transport
        .max_concurrent_bidi_streams(VarInt::from_u32(0))
        .receive_window(VarInt::from_u32(SESSION_WINDOW_BYTES))
        .keep_alive_interval(keep_alive);
    Arc::new(transport)
}

fn both_sides(idle_timeout: Duration) -> TransportConfig {
    let mut transport = TransportConfig::default();
    let idle_ms = u32::try_from(idle_timeout.as_millis()).unwrap_or(u32::MAX);
    transport
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .max_idle_timeout(Some(IdleTimeout::from(VarInt::from_u32(idle_ms))))
        .stream_receive_window(VarInt::from_u32(STREAM_WINDOW_BYTES))
        .send_window(u64::from(SESSION_WINDOW_BYTES))
        .datagram_receive_buffer_size(None)
        // 1,200 passes everywhere; discovery then finds the 1,452 of Ethernet without IPv6 options.
        .initial_mtu(1_200)
        .mtu_discovery_config(Some(MtuDiscoveryConfig::default()));
    transport
}

pub(crate) const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes in flight towards us from a peer that has not proved who it is.
pub(crate) const STRANGER_WINDOW_BYTES: u32 = 64 << 10;
/// Bytes in flight on one stream: eight of the largest frames, so that a long fast path stays full.
pub(crate) const STREAM_WINDOW_BYTES: u32 = 8 << 20;
/// Bytes in flight in one session.
pub(crate) const SESSION_WINDOW_BYTES: u32 = 8 << 20;
