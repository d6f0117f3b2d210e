//! Resumed sessions: cheaper, never less checked.

use super::*;

/// Waits until the device holds a ticket, which comes after the handshake: a frame back is a sign.
async fn exchange_a_frame(device: &Connection, listener: &mut Listener) -> Session {
    let (mut sender, mut receiver) = device.open_frames().await.unwrap();
    sender.send(frame(1, b"x")).await.unwrap();
    let session = next_session(listener).await;
    let (mut back, mut from_device) = session.accept_frames().await.unwrap();
    let got = from_device.recv().await.unwrap().unwrap();
    back.send(got.into_bytes()).await.unwrap();
    assert_eq!(receiver.recv().await.unwrap().unwrap().payload(), b"x");
    session
}

#[tokio::test]
async fn a_resumed_session_still_knows_its_peer() {
    within(async {
        let force = Force::new();
        let mut listener = force.listen();
        let dialer = force.dialer(ENROLMENT);
        for round in 1..=5 {
            let device = dialer.dial(&address_of(&listener)).await.unwrap();
            let session = exchange_a_frame(&device, &mut listener).await;
            assert_eq!(session.peer(), dialer.peer());
            device.close_and_wait(0, "done").await;
            let counts = listener.counts();
            assert_eq!((counts.sessions, counts.full_handshakes), (round, 1));
        }
        // Another dialer of the same enrolment has no ticket: the saving above is real.
        let _device = force
            .dialer(ENROLMENT)
            .dial(&address_of(&listener))
            .await
            .unwrap();
        next_session(&mut listener).await;
        assert_eq!(listener.counts().full_handshakes, 2);
    })
    .await;
}

/// The verifier does not run on a resumed session: a certificate that ran out meanwhile is refused.
#[tokio::test]
async fn resumption_does_not_outlive_the_certificate() {
    within(async {
        let force = Force::new();
        let clock = SetClock::at(now_s());
        let mut listener =
            Listener::bind_with_clock(loopback(), &force.server, Limits::default(), clock.clone()).unwrap();
        let validity = Validity {
            not_before_s: now_s() - 10,
            not_after_s: now_s() + 1_000,
        };
        let dialer = Dialer::new(force.identity(ENROLMENT, validity)).unwrap();
        let device = dialer.dial(&address_of(&listener)).await.unwrap();
        let _session = exchange_a_frame(&device, &mut listener).await;

        clock.set(validity.not_after_s);
        let device = dialer.dial(&address_of(&listener)).await.unwrap();
        let _session = exchange_a_frame(&device, &mut listener).await;
        clock.set(validity.not_after_s + 1);
        let device = dialer.dial(&address_of(&listener)).await.unwrap();
        assert_eq!(verdict(&device).await, Closed::CertificateExpired);
        // All but the first were resumed, so it was not the verifier that refused.
        assert_eq!(listener.counts().full_handshakes, 1);
        assert_eq!(listener.counts().sessions, 2);
    })
    .await;
}

/// An enrolling stranger gets a ticket; it opens no session.
#[tokio::test]
async fn a_ticket_of_an_enrolment_opens_no_session() {
    within(async {
        let force = Force::new();
        let listener = force.listen();
        let address = address_of(&listener);
        let verifier = Arc::new(ForceVerifier::new(force.authority.certificate()).unwrap());
        let mut stranger = tls::client_builder(&tls::system_clock(), verifier)
            .unwrap()
            .with_no_client_auth();
        stranger.resumption = Resumption::in_memory_sessions(8);
        stranger.alpn_protocols = vec![ALPN_ENROL.to_vec()];
        let mut intruder = stranger.clone();
        intruder.alpn_protocols = vec![ALPN_SESSION.to_vec()];

        let crypto = Arc::new(tls::finish_client(stranger).unwrap());
        let (quinn, _endpoint) = dial(crypto, &address, DialOptions::default()).await.unwrap();
        // The server answers a malformed request by closing, after it has sent its tickets.
        let (mut send, _recv) = quinn.open_bi().await.unwrap();
        send.write_all(b"nonsense").await.unwrap();
        send.finish().unwrap();
        let closed = Closed::from(quinn.closed().await);
        assert_eq!(
            closed,
            Closed::ByPeer {
                code: codes::ENROLMENT_REQUEST
            }
        );

        let crypto = Arc::new(tls::finish_client(intruder).unwrap());
        let (quinn, endpoint) = dial(crypto, &address, DialOptions::default()).await.unwrap();
        let device = Connection::of_device(quinn, endpoint);
        assert_eq!(verdict(&device).await, Closed::CertificateMissing);
        assert_eq!(listener.counts().sessions, 0);
    })
    .await;
}

/// After the server has a new certificate, nothing older is resumed: devices are checked in full again.
#[tokio::test]
async fn a_new_server_certificate_ends_resumption() {
    within(async {
        let force = Force::new();
        let mut listener = force.listen();
        let dialer = force.dialer(ENROLMENT);
        let device = dialer.dial(&address_of(&listener)).await.unwrap();
        let _session = exchange_a_frame(&device, &mut listener).await;
        listener.replace_identity(&force.server).unwrap();
        let device = dialer.dial(&address_of(&listener)).await.unwrap();
        let _session = exchange_a_frame(&device, &mut listener).await;
        assert_eq!(listener.counts().full_handshakes, 2);
    })
    .await;
}
