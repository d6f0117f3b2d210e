//! Certificates that are not what they should be: none is admitted.

use super::*;

/// A certificate of the force's own authority, but not one that it would issue to a device.
fn odd_identity(force: &Force, names: &[&str], usage: &[ExtendedKeyUsagePurpose]) -> ClientIdentity {
    let key = DeviceKey::generate().unwrap();
    let certificate = force.authority.sign_for_test(&odd(names, usage), &key).unwrap();
    forged(force, key, certificate)
}

/// An identity that no check of ours has seen.
fn forged(force: &Force, key: DeviceKey, certificate: Vec<u8>) -> ClientIdentity {
    let like = force.identity(ENROLMENT, Validity::device(now_s()));
    ClientIdentity {
        key,
        chain: vec![certificate],
        ..like
    }
}

fn odd(names: &[&str], usage: &[ExtendedKeyUsagePurpose]) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.extended_key_usages = usage.to_vec();
    let uri = |name: &&str| SanType::URI(Ia5String::try_from(*name).unwrap());
    params.subject_alt_names = names.iter().map(uri).collect();
    params
}

const URN: &str = "urn:uuid:00000000-0000-0000-0000-000000000007";

#[tokio::test]
async fn a_device_of_another_force_is_refused() {
    within(async {
        let (force, other) = (Force::new(), Force::new());
        // It even trusts our server, so only the server can stop it.
        let foreign = other.identity(ENROLMENT, Validity::device(now_s()));
        let identity = ClientIdentity {
            authority: force.authority.certificate().to_vec(),
            ..foreign
        };
        let closed = not_admitted(&force, &Dialer::new(identity).unwrap()).await;
        assert_eq!(closed, Closed::CertificateRefused);
    })
    .await;
}

#[tokio::test]
async fn a_device_without_a_certificate_is_refused() {
    within(async {
        let force = Force::new();
        let mut listener = force.listen();
        let verifier = Arc::new(ForceVerifier::new(force.authority.certificate()).unwrap());
        let mut tls = tls::client_builder(&tls::system_clock(), verifier)
            .unwrap()
            .with_no_client_auth();
        tls.alpn_protocols = vec![ALPN_SESSION.to_vec()];
        let crypto = Arc::new(tls::finish_client(tls).unwrap());
        let (quinn, endpoint) = dial(crypto, &address_of(&listener), DialOptions::default())
            .await
            .unwrap();
        let device = Connection::of_device(quinn, endpoint);
        assert_eq!(verdict(&device).await, Closed::CertificateMissing);
        assert_eq!(listener.counts().sessions, 0);
        let nobody = tokio::time::timeout(Duration::from_millis(20), listener.accept()).await;
        assert!(nobody.is_err());
    })
    .await;
}

#[tokio::test]
async fn an_expired_or_future_certificate_is_refused_as_such() {
    within(async {
        let force = Force::new();
        let now_s = now_s();
        for validity in [
            Validity {
                not_before_s: now_s - 1_000,
                not_after_s: now_s - 100,
            },
            Validity {
                not_before_s: now_s + 10_000,
                not_after_s: now_s + 20_000,
            },
        ] {
            let dialer = Dialer::new(force.identity(ENROLMENT, validity)).unwrap();
            assert_eq!(not_admitted(&force, &dialer).await, Closed::CertificateExpired);
        }
    })
    .await;
}

#[tokio::test]
async fn a_certificate_for_another_use_is_refused() {
    within(async {
        let force = Force::new();
        let usage = [ExtendedKeyUsagePurpose::ServerAuth];
        let dialer = Dialer::new(odd_identity(&force, &[URN], &usage)).unwrap();
        assert_eq!(not_admitted(&force, &dialer).await, Closed::CertificateRefused);
    })
    .await;
}

#[tokio::test]
async fn a_certificate_that_does_not_name_one_enrolment_is_refused() {
    within(async {
        let force = Force::new();
        let usage = [ExtendedKeyUsagePurpose::ClientAuth];
        for names in [&[][..], &[URN, URN], &["urn:uuid:7"], &["https://force.example/"]] {
            let dialer = Dialer::new(odd_identity(&force, names, &usage)).unwrap();
            assert_eq!(
                not_admitted(&force, &dialer).await,
                Closed::CertificateRefused,
                "{names:?}"
            );
        }
        // The same way of making one, with nothing odd, is admitted: the refusals above mean something.
        let mut listener = force.listen();
        let dialer = Dialer::new(odd_identity(&force, &[URN], &usage)).unwrap();
        let _device = dialer.dial(&address_of(&listener)).await.unwrap();
        assert_eq!(next_session(&mut listener).await.peer().enrolment, ENROLMENT);
    })
    .await;
}

#[tokio::test]
async fn a_self_signed_certificate_is_refused() {
    within(async {
        let force = Force::new();
        let key = DeviceKey::generate().unwrap();
        let pair = rcgen::KeyPair::try_from(key.to_pkcs8().as_slice()).unwrap();
        let certificate = odd(&[URN], &[ExtendedKeyUsagePurpose::ClientAuth])
            .self_signed(&pair)
            .unwrap();
        let identity = forged(&force, key, certificate.der().to_vec());
        let closed = not_admitted(&force, &Dialer::new(identity).unwrap()).await;
        assert_eq!(closed, Closed::CertificateRefused);
    })
    .await;
}

/// A device's certificate cannot sign others.
#[tokio::test]
async fn a_certificate_signed_by_a_device_is_refused() {
    within(async {
        let force = Force::new();
        let parent = force.identity(ENROLMENT, Validity::device(now_s()));
        let parent_pair = rcgen::KeyPair::try_from(parent.key.to_pkcs8().as_slice()).unwrap();
        let parent_der = rustls::pki_types::CertificateDer::from(parent.chain[0].clone());
        let issuer = rcgen::Issuer::from_ca_cert_der(&parent_der, parent_pair).unwrap();
        let key = DeviceKey::generate().unwrap();
        let pair = rcgen::KeyPair::try_from(key.to_pkcs8().as_slice()).unwrap();
        let params = odd(
            &["urn:uuid:00000000-0000-0000-0000-000000000008"],
            &[ExtendedKeyUsagePurpose::ClientAuth],
        );
        let certificate = params.signed_by(&pair, &issuer).unwrap().der().to_vec();
        let chain = vec![certificate, parent.chain[0].clone()];
        let identity = ClientIdentity { key, chain, ..parent };
        let closed = not_admitted(&force, &Dialer::new(identity).unwrap()).await;
        assert_eq!(closed, Closed::CertificateRefused);
    })
    .await;
}

/// Every one of these answers at the right address with something wrong in hand.
#[tokio::test]
async fn a_wrong_server_is_not_believed() {
    within(async {
        let force = Force::new();
        let key = || DeviceKey::generate().unwrap();
        let identity = |certificate: Vec<u8>, key: DeviceKey, force: &Force| ServerIdentity {
            chain: vec![certificate, force.authority.certificate().to_vec()],
            key: key.to_pkcs8(),
        };
        let named = |name: &str, usage| {
            let mut params = odd(&[], &[usage]);
            params.subject_alt_names = vec![SanType::DnsName(Ia5String::try_from(name).unwrap())];
            params
        };
        let right = tls::SERVER_NAME;
        let device_use = named(right, ExtendedKeyUsagePurpose::ClientAuth);
        let wrong_name = named("server.force.example", ExtendedKeyUsagePurpose::ServerAuth);
        let mut wrong = vec![Force::new().server];
        for params in [device_use, wrong_name] {
            let key = key();
            wrong.push(identity(
                force.authority.sign_for_test(&params, &key).unwrap(),
                key,
                &force,
            ));
        }
        // A lost phone as a server: its certificate is good, but not for that.
        let phone = force.identity(ENROLMENT, Validity::device(now_s()));
        wrong.push(identity(phone.chain[0].clone(), phone.key, &force));
        for (number, identity) in wrong.iter().enumerate() {
            let listener = Listener::bind(loopback(), identity, Limits::default()).unwrap();
            let dialled = force.dialer(ENROLMENT).dial(&address_of(&listener)).await;
            assert_eq!(dialled.map(|_| ()), Err(DialError::WrongServer), "{number}");
        }
        // One that has run out is told apart: it may be the device's clock that is wrong.
        let past = Validity {
            not_before_s: now_s() - 1_000,
            not_after_s: now_s() - 100,
        };
        let expired = force.authority.issue_server(&[], past).unwrap();
        let listener = Listener::bind(loopback(), &expired, Limits::default()).unwrap();
        let dialled = force.dialer(ENROLMENT).dial(&address_of(&listener)).await;
        assert_eq!(dialled.map(|_| ()), Err(DialError::ServerExpired));
        // And the same way of making one, with nothing wrong, is believed.
        let key = key();
        let params = named(right, ExtendedKeyUsagePurpose::ServerAuth);
        let good = identity(force.authority.sign_for_test(&params, &key).unwrap(), key, &force);
        let listener = Listener::bind(loopback(), &good, Limits::default()).unwrap();
        assert!(force.dialer(ENROLMENT).dial(&address_of(&listener)).await.is_ok());
    })
    .await;
}

/// A clock set back to 1970 must not keep notes on the phone; one far ahead sees an expired server.
#[tokio::test]
async fn a_device_whose_clock_is_behind_gets_through() {
    within(async {
        let force = Force::new();
        let mut listener = force.listen();
        let address = address_of(&listener);
        let dial_at = async |now_s: u64| {
            let identity = force.identity(ENROLMENT, Validity::device(super::now_s()));
            let clock: Clock = SetClock::at(now_s);
            Dialer::with_clock(identity, &clock).unwrap().dial(&address).await
        };
        let _device = dial_at(0).await.unwrap();
        next_session(&mut listener).await;
        let ahead = dial_at(now_s() + 11 * 365 * 86_400).await;
        assert_eq!(ahead.map(|_| ()), Err(DialError::ServerExpired));
    })
    .await;
}
