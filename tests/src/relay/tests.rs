//! The relay against plain sockets: what it passes, swallows, repeats and turns round.

use std::collections::BTreeSet;

use super::*;

/// A device and a server with the relay between them.
struct Ends {
    device: UdpSocket,
    server: UdpSocket,
    relay: Relay,
}

impl Ends {
    fn new(seed: u64) -> Self {
        let server = socket();
        let relay = Relay::to(server.local_addr().expect("bound"), seed);
        let device = socket();
        Self {
            device,
            server,
            relay,
        }
    }

    fn up(&self, byte: u8) {
        self.device
            .send_to(&[byte], self.relay.address())
            .expect("loopback takes it");
    }

    /// Waits for one datagram at the server; returns its byte and where it came from.
    fn wait_up(&self) -> (u8, SocketAddr) {
        crate::wait_for("a datagram at the server", || receive(&self.server))
    }
}

#[test]
fn passes_both_ways_and_counts() {
    let ends = Ends::new(1);
    ends.up(7);
    let (byte, from) = ends.wait_up();
    assert_eq!(byte, 7);
    ends.server.send_to(&[8], from).expect("loopback takes it");
    let (answer, relay) = crate::wait_for("the answer", || receive(&ends.device));
    assert_eq!((answer, relay), (8, ends.relay.address()));
    let counts = ends.relay.counts();
    assert_eq!((counts.up, counts.down), (1, 1));
    assert_eq!((counts.up_bytes, counts.down_bytes, counts.swallowed), (1, 1, 0));
}

#[test]
fn a_cut_flow_stays_dead_and_a_new_one_passes() {
    let ends = Ends::new(2);
    ends.up(1);
    ends.wait_up();
    ends.relay.cut();
    ends.up(2);
    crate::wait_true("the datagram swallowed", || ends.relay.counts().swallowed == 1);
    ends.relay.mend();
    ends.up(3);
    crate::wait_true("the dead flow swallowed", || ends.relay.counts().swallowed == 2);
    let elsewhere = socket();
    elsewhere
        .send_to(&[4], ends.relay.address())
        .expect("loopback takes it");
    assert_eq!(ends.wait_up().0, 4);
}

#[test]
fn cuts_after_so_many_datagrams_and_bytes() {
    let ends = Ends::new(3);
    ends.relay.cut_after_datagrams(2);
    for byte in 1..=3 {
        ends.up(byte);
    }
    crate::wait_true("the cut", || ends.relay.is_cut());
    assert_eq!((ends.wait_up().0, ends.wait_up().0), (1, 2));
    assert_eq!(ends.relay.counts().up, 2);

    let ends = Ends::new(3);
    ends.relay.cut_after_bytes(Direction::Up, 1);
    ends.up(1);
    ends.up(2);
    crate::wait_true("the cut", || ends.relay.is_cut());
    assert_eq!(ends.relay.counts().up_bytes, 1);
}

#[test]
fn bad_weather_loses_repeats_and_turns_round() {
    let ends = Ends::new(4);
    ends.relay.set_weather(Weather {
        loss_permille: 200,
        duplicate_permille: 200,
        reorder_permille: 300,
        delay_ms_max: 3,
    });
    for byte in 0..200 {
        ends.up(byte);
    }
    crate::wait_true("every datagram judged", || {
        let counts = ends.relay.counts();
        counts.up == 200
    });
    let mut came = Vec::new();
    crate::wait_true("the last postponed one", || {
        while let Ok((byte, _)) = receive(&ends.server) {
            came.push(byte);
        }
        ends.relay.link.state().postponed.is_empty()
    });
    while let Ok((byte, _)) = receive(&ends.server) {
        came.push(byte);
    }
    let different: BTreeSet<u8> = came.iter().copied().collect();
    assert!(different.len() < 200, "some are lost");
    assert!(came.len() > different.len(), "some come twice");
    assert!(!came.is_sorted(), "some are overtaken");
    assert_eq!(ends.relay.counts().swallowed as usize, 200 - different.len());
}

fn socket() -> UdpSocket {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
    socket
        .set_read_timeout(Some(TICK))
        .expect("a socket takes a timeout");
    socket
}

fn receive(socket: &UdpSocket) -> Result<(u8, SocketAddr), String> {
    let mut byte = [0];
    let (_, from) = socket.recv_from(&mut byte).map_err(|error| error.to_string())?;
    Ok((byte[0], from))
}
