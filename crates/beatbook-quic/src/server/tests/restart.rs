//! A server that was killed and started again: its devices hear of it with their next packet.

use std::net::SocketAddr;
use std::sync::mpsc;
use std::thread;

use super::*;

/// A server in a runtime of its own, that ends as a killed process does: without a word to anybody.
struct Killable {
    runtime: tokio::runtime::Runtime,
    address: SocketAddr,
}

impl Killable {
    /// Binds the address as soon as it is free, and takes sessions until it is killed.
    fn wait_bound(force: &Force, address: SocketAddr) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let deadline = std::time::Instant::now() + Duration::from_secs(30);
        let bind = || {
            let _inside = runtime.enter();
            Listener::bind(address, &force.server, Limits::default())
        };
        let listener = loop {
            match bind() {
                Ok(listener) => break listener,
                Err(error) if std::time::Instant::now() > deadline => panic!("{error}"),
                Err(_) => thread::yield_now(),
            }
        };
        let address = listener.local_addr();
        let (began, begins) = mpsc::channel();
        runtime.spawn(async move {
            let mut listener = listener;
            let mut sessions = Vec::new();
            began.send(()).unwrap();
            while let Some(accepted) = listener.accept().await {
                sessions.push(accepted);
            }
        });
        begins.recv().unwrap();
        Self { runtime, address }
    }

    fn kill(self) {
        self.runtime.shutdown_timeout(Duration::from_secs(10));
    }
}

// Invariant: a device does not wait for the idle time-out to hear that its server restarted.
#[test]
fn a_device_hears_with_its_next_packet_that_the_server_restarted() {
    let force = Force::new();
    let server = Killable::wait_bound(&force, loopback());
    let devices = tokio::runtime::Runtime::new().unwrap();
    let options = DialOptions {
        keep_alive: Some(Duration::from_millis(50)),
        ..DialOptions::default()
    };
    let address = ServerAddress::from(server.address);
    let dialer = force.dialer(ENROLMENT);
    let device = devices
        .block_on(within(dialer.dial_with(&address, options)))
        .unwrap();
    assert_eq!(device.close_reason(), None);

    let bound = server.address;
    server.kill();
    let restarted = Killable::wait_bound(&force, bound);
    assert_eq!(devices.block_on(within(device.closed())), Closed::Lost);
    // The same port, the same key, and another connection: nothing stands in the way of the next one.
    let again = devices.block_on(within(dialer.dial_with(&address, options)));
    assert_eq!(again.unwrap().close_reason(), None);
    restarted.kill();
}

/// Another force's server on the same port cannot end what it does not know.
#[test]
fn another_server_on_the_port_resets_nothing() {
    let force = Force::new();
    let server = Killable::wait_bound(&force, loopback());
    let devices = tokio::runtime::Runtime::new().unwrap();
    let options = DialOptions {
        keep_alive: Some(Duration::from_millis(50)),
        idle_timeout: Duration::from_secs(2),
        ..DialOptions::default()
    };
    let address = ServerAddress::from(server.address);
    let dialer = force.dialer(ENROLMENT);
    let device = devices
        .block_on(within(dialer.dial_with(&address, options)))
        .unwrap();
    let bound = server.address;
    server.kill();
    let stranger = Killable::wait_bound(&Force::new(), bound);
    assert_eq!(devices.block_on(within(device.closed())), Closed::TimedOut);
    stranger.kill();
}
