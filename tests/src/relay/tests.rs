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
    assert_eq!(ends.relay.counts().cut_off, 2);
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
        ..Weather::default()
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
    let counts = ends.relay.counts();
    assert_eq!(counts.lost as usize, 200 - different.len());
    assert_eq!(counts.swallowed, counts.lost);
    assert!(
        counts.held_back > 0 && counts.held_back <= counts.late,
        "{counts:?}"
    );
}

#[test]
fn one_direction_down_leaves_the_other() {
    let ends = Ends::new(5);
    ends.up(1);
    let (_, from) = ends.wait_up();
    ends.relay.cut_one_way(Direction::Down);
    ends.server.send_to(&[2], from).expect("loopback takes it");
    crate::wait_true("the answer swallowed", || ends.relay.counts().swallowed == 1);
    ends.up(3);
    assert_eq!(ends.wait_up().0, 3, "upwards it passes");
    ends.relay.mend();
    ends.server.send_to(&[4], from).expect("loopback takes it");
    assert_eq!(crate::wait_for("the answer", || receive(&ends.device)).0, 4);
}

#[test]
fn a_rebound_flow_comes_from_another_port_and_hears_there() {
    let ends = Ends::new(6);
    ends.up(1);
    let (_, before) = ends.wait_up();
    ends.relay.rebind();
    ends.up(2);
    let (byte, after) = ends.wait_up();
    assert_eq!(byte, 2);
    assert_ne!(before, after);
    ends.server.send_to(&[3], after).expect("loopback takes it");
    assert_eq!(crate::wait_for("the answer", || receive(&ends.device)).0, 3);
    assert_eq!(ends.relay.counts().rebound, 1);
}

#[test]
fn long_datagrams_vanish_and_short_ones_pass() {
    let ends = Ends::new(7);
    ends.relay.set_weather(Weather {
        bytes_max: Some(1_200),
        ..Weather::default()
    });
    ends.device
        .send_to(&[0; 1_201], ends.relay.address())
        .expect("loopback takes it");
    crate::wait_true("the long one swallowed", || ends.relay.counts().too_long == 1);
    ends.up(1);
    assert_eq!(ends.wait_up().0, 1);
}

/// The long run and the mean burst are what was asked for, and a burst is not chance by another name.
#[test]
fn bursts_have_the_loss_and_the_length_asked_for() {
    let bursts = Bursts {
        loss_permille: 50,
        mean_datagrams: 4,
    };
    let mut sky = Sky::of(Weather {
        bursts: Some(bursts),
        ..Weather::default()
    });
    let (mut seed, now) = (Seed::of(8), Instant::now());
    let fates: Vec<bool> = (0..200_000)
        .map(|_| sky.judge(Direction::Up, 100, now, &mut seed) != passes(now))
        .collect();
    let lost = fates.iter().filter(|lost| **lost).count();
    let bursts = fates.windows(2).filter(|pair| !pair[0] && pair[1]).count();
    assert!((9_000..11_000).contains(&lost), "one in twenty: {lost}");
    let mean = lost * 100 / bursts;
    assert!((370..430).contains(&mean), "four in a row: {mean} hundredths");
}

#[test]
fn a_pipe_is_as_wide_as_asked_for_and_its_queue_overflows() {
    let pipe = Pipe {
        up_kbit_s: 80,
        down_kbit_s: 8,
        queue_bytes: 3_000,
    };
    let mut sky = Sky::of(Weather {
        pipe: Some(pipe),
        ..Weather::default()
    });
    let (mut seed, now) = (Seed::of(9), Instant::now());
    let after = |ms| passes(now + Duration::from_millis(ms));
    // 1,000 bytes take 100 ms at 80 kbit/s, and three of them fill the queue.
    for ms in [100, 200, 300] {
        assert_eq!(sky.judge(Direction::Up, 1_000, now, &mut seed), after(ms));
    }
    assert_eq!(
        sky.judge(Direction::Up, 1_000, now, &mut seed),
        Fate::Swallowed(Cause::Queue)
    );
    assert_eq!(sky.judge(Direction::Down, 1_000, now, &mut seed), after(1_000));
    let later = now + Duration::from_millis(100);
    let due = passes(now + Duration::from_millis(400));
    assert_eq!(sky.judge(Direction::Up, 1_000, later, &mut seed), due);
}

/// Passes once, and keeps its place.
fn passes(due: Instant) -> Fate {
    Fate::Passes {
        due: vec![due],
        held_back: false,
    }
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
