//! Who gets in and who does not, over real sockets: certificates, protocols, resumption, limits, clocks.

use std::time::Duration;

use rcgen::string::Ia5String;
use rcgen::{CertificateParams, DistinguishedName, ExtendedKeyUsagePurpose, SanType};
use rustls::client::Resumption;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::*;
use crate::client::dial;
use crate::fixtures::{Force, SetClock, address_of, frame, loopback, next_session, now_s, until, within};
use crate::tls::{ForceVerifier, PinVerifier};
use crate::{
    ClientIdentity, Connection, DeviceKey, DialError, DialOptions, Dialer, RecvError, ServerAddress, Validity,
};

const ENROLMENT: Uuid = Uuid::from_u128(7);

mod certificates;
mod restart;
mod resumption;

/// Why the server did not let a connection be a session, as the device hears it.
async fn verdict(device: &Connection) -> Closed {
    let Ok((mut sender, mut receiver)) = device.open_frames().await else {
        return device.closed().await;
    };
    // The verdict may come before or after the first frame is on its way.
    let _ = sender.send(frame(1, b"hello")).await;
    match receiver.recv().await {
        Err(RecvError::Closed(closed)) => closed,
        other => panic!("the connection should have been closed, not {other:?}"),
    }
}

async fn not_admitted(force: &Force, dialer: &Dialer) -> Closed {
    let listener = force.listen();
    let device = dialer.dial(&address_of(&listener)).await.unwrap();
    let closed = verdict(&device).await;
    until(|| listener.counts().failed == 1).await;
    assert_eq!(listener.counts().sessions, 0);
    closed
}

#[tokio::test]
async fn both_sides_know_each_other() {
    within(async {
        let force = Force::new();
        let mut listener = force.listen();
        let dialer = force.dialer(ENROLMENT);
        let device = dialer.dial(&address_of(&listener)).await.unwrap();
        let session = next_session(&mut listener).await;
        assert_eq!(session.peer(), dialer.peer());
        assert_eq!(session.peer().enrolment, ENROLMENT);
        assert_eq!(device.remote_address(), listener.local_addr());
        assert!(device.close_reason().is_none() && session.close_reason().is_none());
        assert_eq!(listener.counts().full_handshakes, 1);
    })
    .await;
}

/// No name in what an onlooker sees: every server of every force is asked for by the same name.
#[tokio::test]
async fn the_server_name_on_the_wire_tells_nothing() {
    within(async {
        let force = Force::new();
        let verifier = Arc::new(DeviceVerifier::new(force.server.authority()).unwrap());
        let config = tls::server(&force.server, &Limits::default(), &tls::system_clock(), verifier).unwrap();
        let endpoint = quinn::Endpoint::server(config, loopback()).unwrap();
        let address = ServerAddress::from(endpoint.local_addr().unwrap());
        let dialer = force.dialer(ENROLMENT);
        let serve = async {
            let quinn = endpoint.accept().await.unwrap().await.unwrap();
            quinn
                .handshake_data()
                .unwrap()
                .downcast::<HandshakeData>()
                .unwrap()
                .server_name
        };
        let (name, _device) = tokio::join!(serve, dialer.dial(&address));
        assert_eq!(name.as_deref(), Some("server.beatbook.internal"));
    })
    .await;
}

#[tokio::test]
async fn another_protocol_is_refused() {
    within(async {
        let force = Force::new();
        let listener = force.listen();
        for protocols in [vec![b"h3".to_vec()], vec![b"beatbook/2".to_vec()], vec![]] {
            let verifier = Arc::new(ForceVerifier::new(force.authority.certificate()).unwrap());
            let mut tls = tls::client_builder(&tls::system_clock(), verifier)
                .unwrap()
                .with_no_client_auth();
            tls.alpn_protocols = protocols.clone();
            let crypto = Arc::new(tls::finish_client(tls).unwrap());
            let dialled = dial(crypto, &address_of(&listener), DialOptions::default()).await;
            let error = match dialled {
                Ok((quinn, _)) => Closed::from(quinn.closed().await).into(),
                Err(error) => error,
            };
            assert_eq!(error, DialError::Incompatible, "{protocols:?}");
        }
        assert_eq!(listener.counts().sessions, 0);
    })
    .await;
}

/// QUIC knows no TLS 1.2; nor do our settings, should anybody put them on TCP.
#[test]
fn tls_1_2_is_impossible() {
    let force = Force::new();
    let verifier = Arc::new(DeviceVerifier::new(force.server.authority()).unwrap());
    let server = tls::server_tls(&force.server, &Limits::default(), &tls::system_clock(), verifier).unwrap();
    let mut server = rustls::ServerConnection::new(Arc::new(server)).unwrap();
    let verifier = Arc::new(ForceVerifier::new(force.authority.certificate()).unwrap());
    let mut old = rustls::ClientConfig::builder_with_provider(tls::provider())
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    old.alpn_protocols = vec![ALPN_SESSION.to_vec()];

    let name = rustls::pki_types::ServerName::try_from(tls::SERVER_NAME).unwrap();
    let mut client = rustls::ClientConnection::new(Arc::new(old), name).unwrap();
    let mut hello = Vec::new();
    client.write_tls(&mut hello).unwrap();
    server.read_tls(&mut hello.as_slice()).unwrap();
    let refused = server.process_new_packets().unwrap_err();
    let reason = rustls::PeerIncompatible::Tls13RequiredForQuic;
    assert!(
        matches!(&refused, rustls::Error::PeerIncompatible(why) if *why != reason),
        "refused for {refused:?}"
    );
}

#[tokio::test]
async fn one_session_too_many_closes_the_oldest_of_that_enrolment() {
    within(async {
        let force = Force::new();
        let mut listener = force.listen();
        let (dialer, other) = (force.dialer(ENROLMENT), force.dialer(Uuid::from_u128(8)));
        let address = address_of(&listener);
        let _bystander = other.dial(&address).await.unwrap();
        let bystander = next_session(&mut listener).await;
        let mut open = Vec::new();
        for _ in 0..3 {
            let device = dialer.dial(&address).await.unwrap();
            open.push((device, next_session(&mut listener).await));
        }
        assert_eq!(open[0].0.closed().await, Closed::Evicted);
        assert_eq!(open[0].1.closed().await, Closed::Locally);
        assert!(
            open[1..]
                .iter()
                .all(|(device, _)| device.close_reason().is_none())
        );
        assert!(bystander.close_reason().is_none());
        assert_eq!(listener.counts().evicted, 1);

        // A place is given up when the session is dropped, and the register keeps nothing.
        drop(open.pop());
        let device = dialer.dial(&address).await.unwrap();
        open.push((device, next_session(&mut listener).await));
        assert!(open[1].0.close_reason().is_none());
        assert_eq!(listener.shared.sessions.enrolments(), 2);
        drop((open, bystander));
        assert_eq!(listener.shared.sessions.enrolments(), 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_devices_at_once() {
    within(async {
        const DEVICES: u128 = 100;
        let force = Force::new();
        let mut listener = force.listen();
        let address = address_of(&listener);
        let mut devices = JoinSet::new();
        for number in 0..DEVICES {
            let (dialer, address) = (force.dialer(Uuid::from_u128(number)), address.clone());
            devices.spawn(async move {
                let device = dialer.dial(&address).await.unwrap();
                let (mut sender, mut receiver) = device.open_frames().await.unwrap();
                sender.send(frame(1, &number.to_be_bytes())).await.unwrap();
                let echo = receiver.recv().await.unwrap().unwrap();
                assert_eq!(echo.payload(), number.to_be_bytes());
                device.close_and_wait(0, "done").await;
            });
        }
        let serve = async {
            let mut sessions = JoinSet::new();
            for _ in 0..DEVICES {
                let session = next_session(&mut listener).await;
                sessions.spawn(async move {
                    let (mut sender, mut receiver) = session.accept_frames().await.unwrap();
                    let frame = receiver.recv().await.unwrap().unwrap();
                    // The bytes are of the device that the certificate names.
                    assert_eq!(frame.payload(), session.peer().enrolment.as_bytes());
                    sender.send(frame.into_bytes()).await.unwrap();
                    assert_eq!(session.closed().await, Closed::ByPeer { code: 0 });
                });
            }
            while let Some(served) = sessions.join_next().await {
                served.unwrap();
            }
        };
        let dial = async {
            while let Some(dialled) = devices.join_next().await {
                dialled.unwrap();
            }
        };
        tokio::join!(serve, dial);
        let counts = listener.counts();
        assert_eq!(
            (counts.sessions, counts.failed, counts.refused),
            (DEVICES as u64, 0, 0)
        );
    })
    .await;
}

/// One half-open connection fills a server that has room for one; when it is gone, there is room again.
#[tokio::test]
async fn too_many_unfinished_handshakes_are_refused() {
    within(async {
        let force = Force::new();
        let room_for_one = [
            Limits {
                handshakes_max: 1,
                ..Limits::default()
            },
            Limits {
                handshakes_per_network_max: 1,
                ..Limits::default()
            },
        ];
        for limits in room_for_one {
            let mut listener = force.listen_with(limits);
            let address = address_of(&listener);
            let verifier = Arc::new(PinVerifier::new(force.authority.fingerprint().pin()));
            let crypto = Arc::new(tls::enrolling(verifier, &tls::system_clock()).unwrap());
            let (half_open, _endpoint) = dial(crypto, &address, DialOptions::default()).await.unwrap();
            let dialled = force.dialer(ENROLMENT).dial(&address).await;
            assert_eq!(dialled.map(|_| ()), Err(DialError::ServerBusy));
            assert_eq!(listener.counts().refused, 1);
            half_open.close(VarInt::from_u32(0), b"");
            until(|| listener.counts().failed == 1 && listener.shared.handshakes.under_way() == 0).await;
            let _device = force.dialer(ENROLMENT).dial(&address).await.unwrap();
            next_session(&mut listener).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_busy_server_asks_for_proof_of_address() {
    within(async {
        let force = Force::new();
        let mut listener = force.listen_with(Limits {
            retry_from_handshakes: 0,
            ..Limits::default()
        });
        let _device = force
            .dialer(ENROLMENT)
            .dial(&address_of(&listener))
            .await
            .unwrap();
        let session = next_session(&mut listener).await;
        assert_eq!(session.peer().enrolment, ENROLMENT);
        assert_eq!(listener.counts().retried, 1);
    })
    .await;
}

#[test]
fn handshakes_are_counted_by_network() {
    let handshakes = Handshakes::new(5, 2);
    let at = |text: &str| handshakes.admit(text.parse().unwrap());
    let held = [at("10.0.0.1"), at("10.0.0.2")];
    assert!(at("10.0.0.3").is_none() && at("::ffff:10.0.0.4").is_none());
    let more = [at("10.0.1.1"), at("fd00:1:2:3::1"), at("fd00:1:2:4::1")];
    assert!(more.iter().chain(&held).all(Option::is_some));
    assert!(at("10.9.9.9").is_none(), "over the limit for all");
    drop(held);
    assert_eq!(handshakes.under_way(), 3);
    assert!(at("10.0.0.3").is_some());
    drop(more);
    assert_eq!(handshakes.under_way(), 0);
}

/// Noise at the port changes nothing for those who mean it.
#[tokio::test]
async fn noise_is_ignored() {
    within(async {
        let force = Force::new();
        let mut listener = force.listen();
        let socket = std::net::UdpSocket::bind(loopback()).unwrap();
        for size in [0_usize, 1, 21, 100, 1_200, 1_472] {
            for fill in [0x00_u8, 0x40, 0xc3, 0xff] {
                socket.send_to(&vec![fill; size], listener.local_addr()).unwrap();
            }
        }
        let _device = force
            .dialer(ENROLMENT)
            .dial(&address_of(&listener))
            .await
            .unwrap();
        next_session(&mut listener).await;
    })
    .await;
}

#[tokio::test]
async fn shutting_down_tells_the_devices() {
    within(async {
        let force = Force::new();
        let mut listener = force.listen();
        let address = address_of(&listener);
        let device = force.dialer(ENROLMENT).dial(&address).await.unwrap();
        let session = next_session(&mut listener).await;
        listener.shut_down(1, "going away").await;
        assert_eq!(device.closed().await, Closed::ByPeer { code: 1 });
        assert_eq!(session.closed().await, Closed::Locally);
        let options = DialOptions {
            timeout: Duration::from_millis(300),
            ..DialOptions::default()
        };
        let dialled = force.dialer(ENROLMENT).dial_with(&address, options).await;
        assert!(
            matches!(
                dialled,
                Err(DialError::TimedOut | DialError::Closed(Closed::Lost))
            ),
            "{dialled:?}"
        );
    })
    .await;
}

/// A program that closes and exits leaves no session behind that must time out.
#[tokio::test]
async fn a_device_that_closes_and_exits_is_heard() {
    within(async {
        let force = Force::new();
        let mut listener = force.listen();
        let address = address_of(&listener);
        let dialer = force.dialer(ENROLMENT);
        let (admitted, wait) = tokio::sync::oneshot::channel::<()>();
        let program = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let device = dialer.dial(&address).await.unwrap();
                wait.await.unwrap();
                device.close_and_wait(3, "done").await;
            });
        });
        let session = next_session(&mut listener).await;
        admitted.send(()).unwrap();
        assert_eq!(session.closed().await, Closed::ByPeer { code: 3 });
        program.join().unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_session_has_a_few_streams_and_no_more() {
    within(async {
        let force = Force::new();
        let mut listener = force.listen();
        let device = force
            .dialer(ENROLMENT)
            .dial(&address_of(&listener))
            .await
            .unwrap();
        let _session = next_session(&mut listener).await;
        let mut open = Vec::new();
        for _ in 0..Limits::default().streams_max {
            open.push(device.open_frames().await.unwrap());
        }
        let one_more = tokio::time::timeout(Duration::from_millis(50), device.open_frames()).await;
        assert!(one_more.is_err());
    })
    .await;
}

#[tokio::test]
async fn a_new_certificate_is_shown_and_sessions_go_on() {
    within(async {
        let force = Force::new();
        let mut listener = force.listen();
        let address = address_of(&listener);
        let device = force.dialer(ENROLMENT).dial(&address).await.unwrap();
        let _session = next_session(&mut listener).await;
        let renewed = force
            .authority
            .issue_server(&[], Validity::server(now_s()))
            .unwrap();
        listener.replace_identity(&renewed).unwrap();
        let _other = force.dialer(Uuid::from_u128(8)).dial(&address).await.unwrap();
        next_session(&mut listener).await;
        assert!(device.close_reason().is_none());
        let foreign = Force::new().server;
        assert!(matches!(
            listener.replace_identity(&foreign),
            Err(BindError::OtherAuthority)
        ));
    })
    .await;
}

#[tokio::test]
async fn a_port_in_use_is_told() {
    let force = Force::new();
    let listener = force.listen();
    let second = Listener::bind(listener.local_addr(), &force.server, Limits::default());
    assert!(matches!(second, Err(BindError::Address(_))));
}

#[tokio::test]
async fn a_live_session_outlives_the_idle_time() {
    within(async {
        let force = Force::new();
        let idle_timeout = Duration::from_millis(600);
        let mut listener = force.listen_with(Limits {
            idle_timeout,
            ..Limits::default()
        });
        let address = address_of(&listener);
        let live = DialOptions {
            keep_alive: Some(Duration::from_millis(50)),
            ..DialOptions::default()
        };
        let live = force.dialer(ENROLMENT).dial_with(&address, live).await.unwrap();
        let _live = next_session(&mut listener).await;
        let idle = force.dialer(Uuid::from_u128(8)).dial(&address).await.unwrap();
        let _idle = next_session(&mut listener).await;
        // The idle one, opened later, times out while the live one lives.
        assert_eq!(idle.closed().await, Closed::TimedOut);
        assert!(live.close_reason().is_none());
    })
    .await;
}
