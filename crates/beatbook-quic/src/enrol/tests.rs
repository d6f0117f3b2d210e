//! Enrolment over real sockets: granted, refused, aimed at the wrong server, malformed, slow.

use uuid::Uuid;

use super::*;
use crate::client::ServerAddress;
use crate::fixtures::{Force, address_of, loopback, next_session, now_s, until, within};
use crate::{Accepted, Authority, ClientIdentity, DeviceKey, Dialer, Limits, Listener, Validity};

const ENROLMENT: Uuid = Uuid::from_u128(7);
const LIMIT: Duration = Duration::from_secs(20);

fn token_for(force: &Force, address: ServerAddress, secret: &Secret) -> Token {
    Token::new(address, force.authority.fingerprint().pin(), secret.clone())
}

async fn next_enrol(listener: &mut Listener) -> EnrolExchange {
    match listener.accept().await {
        Some(Accepted::Enrol(exchange)) => exchange,
        other => panic!("an enrolment was expected, not {other:?}"),
    }
}

fn granted(authority: &Authority, request: &[u8], extra: &[u8]) -> Grant {
    let certificate = authority
        .issue_device(request, ENROLMENT, Validity::device(now_s()))
        .unwrap();
    Grant {
        chain: vec![certificate],
        authority: authority.certificate().to_vec(),
        extra: extra.to_vec(),
    }
}

/// One enrolment against a server that answers as told.
async fn enrol_with(answer: impl AsyncFnOnce(&Force, EnrolExchange)) -> Result<Grant, EnrolError> {
    let force = Force::new();
    let mut listener = force.listen();
    let token = token_for(&force, address_of(&listener), &Secret::generate().unwrap());
    let request = DeviceKey::generate().unwrap().request().unwrap();
    let serve = async { answer(&force, next_enrol(&mut listener).await).await };
    tokio::join!(enrol(&token, &request, LIMIT), serve).0
}

#[tokio::test]
async fn a_token_becomes_a_session() {
    within(async {
        let force = Force::new();
        let mut listener = force.listen();
        let address = address_of(&listener);
        let secret = Secret::generate().unwrap();
        // Through the text form, as an officer would type it.
        let token = Token::parse(&token_for(&force, address.clone(), &secret).to_string()).unwrap();
        let key = DeviceKey::generate().unwrap();
        let request = key.request().unwrap();
        let serve = async {
            let exchange = next_enrol(&mut listener).await;
            assert_eq!(exchange.secret().digest(), secret.digest());
            assert_eq!(exchange.public_key(), key.public_key());
            assert!(exchange.remote_address().ip().is_loopback());
            let grant = granted(&force.authority, exchange.request(), b"extra for the shell");
            assert_eq!(exchange.grant(grant).await, Ok(()));
        };
        let (grant, ()) = tokio::join!(enrol(&token, &request, LIMIT), serve);
        let grant = grant.unwrap();
        assert_eq!(grant.extra, b"extra for the shell");

        let identity = ClientIdentity::new(key, grant.chain, grant.authority).unwrap();
        let _device = Dialer::new(identity).unwrap().dial(&address).await.unwrap();
        assert_eq!(next_session(&mut listener).await.peer().enrolment, ENROLMENT);
        assert_eq!(listener.counts().enrolments, 1);
    })
    .await;
}

#[tokio::test]
async fn every_refusal_arrives_as_it_was_meant() {
    within(async {
        let refusals = [
            Refusal::WrongToken,
            Refusal::Expired,
            Refusal::Used,
            Refusal::TooManyTries,
            Refusal::Internal,
            Refusal::BadRequest,
        ];
        for refusal in refusals {
            let refused = enrol_with(async |_: &Force, exchange: EnrolExchange| {
                assert_eq!(exchange.refuse(refusal).await, Ok(()));
            })
            .await;
            assert_eq!(refused, Err(EnrolError::Refused(refusal)));
        }
    })
    .await;
}

/// Refusals are numbers on the wire: a device in the field must still understand them.
#[test]
fn refusals_keep_their_numbers() {
    let all = [
        (Refusal::WrongToken, 0),
        (Refusal::Expired, 1),
        (Refusal::Used, 2),
        (Refusal::TooManyTries, 3),
        (Refusal::Internal, 4),
        (Refusal::BadRequest, 5),
    ];
    for (refusal, number) in all {
        assert_eq!(encode(&Reply::Refused(refusal)).unwrap(), [1, number]);
    }
    let asked = Request {
        secret: [9; 16],
        request: Bytes(vec![1, 2, 3]),
    };
    assert_eq!(encode(&asked).unwrap(), [&[9; 16][..], &[3, 1, 2, 3]].concat());
}

/// Somebody else answers at the address: the secret does not reach them.
#[tokio::test]
async fn a_server_that_is_not_pinned_never_sees_the_secret() {
    within(async {
        let (force, other) = (Force::new(), Force::new());
        let listener = other.listen();
        let token = token_for(&force, address_of(&listener), &Secret::generate().unwrap());
        let request = DeviceKey::generate().unwrap().request().unwrap();
        let refused = enrol(&token, &request, LIMIT).await;
        assert_eq!(refused, Err(EnrolError::Dial(DialError::WrongServer)));
        until(|| listener.counts().failed == 1).await;
        assert_eq!(listener.counts().enrolments, 0);
    })
    .await;
}

/// Showing the pinned certificate is not enough: it must have signed the server's.
#[tokio::test]
async fn showing_the_pinned_authority_is_not_enough() {
    within(async {
        let (force, other) = (Force::new(), Force::new());
        let mut impostor = other.server;
        let pinned = force.authority.certificate().to_vec();
        impostor.chain.insert(1, pinned.clone());
        let listener = Listener::bind(loopback(), &impostor, Limits::default()).unwrap();
        let token = token_for(&force, address_of(&listener), &Secret::generate().unwrap());
        let request = DeviceKey::generate().unwrap().request().unwrap();
        let refused = enrol(&token, &request, LIMIT).await;
        assert_eq!(refused, Err(EnrolError::Dial(DialError::WrongServer)));
        assert_eq!(listener.counts().enrolments, 0);
    })
    .await;
}

/// A device of the same force cannot play the server that others enrol with.
#[tokio::test]
async fn a_device_cannot_enrol_others() {
    within(async {
        let force = Force::new();
        let phone = force.identity(ENROLMENT, Validity::device(now_s()));
        let impostor = crate::ServerIdentity {
            chain: vec![phone.chain[0].clone(), force.authority.certificate().to_vec()],
            key: phone.key.to_pkcs8(),
        };
        let listener = Listener::bind(loopback(), &impostor, Limits::default()).unwrap();
        let token = token_for(&force, address_of(&listener), &Secret::generate().unwrap());
        let request = DeviceKey::generate().unwrap().request().unwrap();
        let refused = enrol(&token, &request, LIMIT).await;
        assert_eq!(refused, Err(EnrolError::Dial(DialError::WrongServer)));
    })
    .await;
}

/// The right authority, and a certificate for somebody else's key.
#[tokio::test]
async fn a_certificate_for_another_key_is_not_believed() {
    within(async {
        let believed = enrol_with(async |force: &Force, exchange: EnrolExchange| {
            let other = DeviceKey::generate().unwrap().request().unwrap();
            // The device closes without a word of thanks, or with it: either way it does not believe.
            let _ = exchange.grant(granted(&force.authority, &other, b"")).await;
        })
        .await;
        assert_eq!(believed, Err(EnrolError::ReplyUntrusted));
    })
    .await;
}

/// The right key, and an authority that the token does not pin.
#[tokio::test]
async fn an_authority_that_is_not_pinned_is_not_believed() {
    within(async {
        let believed = enrol_with(async |_: &Force, exchange: EnrolExchange| {
            let grant = granted(&Force::new().authority, exchange.request(), b"");
            let _ = exchange.grant(grant).await;
        })
        .await;
        assert_eq!(believed, Err(EnrolError::ReplyUntrusted));
    })
    .await;
}

#[tokio::test]
async fn a_reply_over_the_limit_is_not_sent() {
    within(async {
        let enrolled = enrol_with(async |_: &Force, exchange: EnrolExchange| {
            let authority = Force::new().authority;
            let grant = granted(&authority, exchange.request(), &[0; ENROL_BYTES_MAX]);
            assert_eq!(exchange.grant(grant).await, Err(EnrolReplyError::TooLarge));
        })
        .await;
        assert!(
            matches!(enrolled, Err(EnrolError::Closed(_) | EnrolError::ReplyMalformed)),
            "{enrolled:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn a_server_that_drops_the_exchange_leaves_an_error() {
    within(async {
        let enrolled = enrol_with(async |_: &Force, exchange: EnrolExchange| drop(exchange)).await;
        assert!(
            matches!(enrolled, Err(EnrolError::Closed(_) | EnrolError::ReplyMalformed)),
            "{enrolled:?}"
        );
    })
    .await;
}

/// What a stranger sends is bounded in size, form and time, and never reaches the shell if it is wrong.
#[tokio::test]
async fn malformed_requests_do_not_reach_the_shell() {
    within(async {
        let force = Force::new();
        let listener = force.listen();
        let good = DeviceKey::generate().unwrap().request().unwrap();
        let asked = |request: Vec<u8>| {
            codec::encode(&Request {
                secret: [1; 16],
                request: Bytes(request),
            })
            .unwrap()
        };
        let mut forged = good.clone();
        *forged.last_mut().unwrap() ^= 1;
        let mut trailing = asked(good.clone());
        trailing.push(0);
        let wrong = [
            vec![],
            vec![0xff; 100],
            asked(vec![]),
            trailing,
            vec![0; ENROL_BYTES_MAX + 1],
            asked(forged),
        ];
        for (number, bytes) in wrong.iter().enumerate() {
            let verifier = Arc::new(PinVerifier::new(force.authority.fingerprint().pin()));
            let crypto = Arc::new(tls::enrolling(verifier, &tls::system_clock()).unwrap());
            let (quinn, _endpoint) = dial(crypto, &address_of(&listener), DialOptions::default())
                .await
                .unwrap();
            let (mut send, mut recv) = quinn.open_bi().await.unwrap();
            // The server may have stopped listening before all of it is sent.
            let _ = send.write_all(bytes).await;
            let _ = send.finish();
            match recv.read_to_end(ENROL_BYTES_MAX).await {
                Ok(bytes) => {
                    assert_eq!(bytes, encode(&Reply::Refused(Refusal::BadRequest)).unwrap());
                    quinn.close(VarInt::from_u32(codes::ENROLMENT_DONE), b"done");
                }
                Err(_) => assert_eq!(
                    closed(&quinn),
                    Closed::ByPeer {
                        code: codes::ENROLMENT_REQUEST
                    }
                ),
            }
            until(|| listener.counts().failed == number as u64 + 1).await;
        }
        assert_eq!(listener.counts().enrolments, 0);
    })
    .await;
}

#[tokio::test]
async fn a_request_that_does_not_come_is_not_waited_for() {
    within(async {
        let force = Force::new();
        let limits = Limits {
            handshake_timeout: Duration::from_millis(200),
            ..Limits::default()
        };
        let listener = force.listen_with(limits);
        let verifier = Arc::new(PinVerifier::new(force.authority.fingerprint().pin()));
        let crypto = Arc::new(tls::enrolling(verifier, &tls::system_clock()).unwrap());
        let (quinn, _endpoint) = dial(crypto, &address_of(&listener), DialOptions::default())
            .await
            .unwrap();
        let (mut send, _recv) = quinn.open_bi().await.unwrap();
        send.write_all(&[1]).await.unwrap();
        let closed = Closed::from(quinn.closed().await);
        assert_eq!(
            closed,
            Closed::ByPeer {
                code: codes::ENROLMENT_REQUEST
            }
        );
    })
    .await;
}

/// A stranger has one stream; a second one is not opened until the first is done, and that is never.
#[tokio::test]
async fn a_stranger_has_one_stream() {
    within(async {
        let force = Force::new();
        let listener = force.listen();
        let verifier = Arc::new(PinVerifier::new(force.authority.fingerprint().pin()));
        let crypto = Arc::new(tls::enrolling(verifier, &tls::system_clock()).unwrap());
        let (quinn, _endpoint) = dial(crypto, &address_of(&listener), DialOptions::default())
            .await
            .unwrap();
        let (mut send, _recv) = quinn.open_bi().await.unwrap();
        send.write_all(&[1]).await.unwrap();
        let second = tokio::time::timeout(Duration::from_millis(50), quinn.open_bi()).await;
        assert!(second.is_err());
        assert!(
            tokio::time::timeout(Duration::from_millis(50), quinn.open_uni())
                .await
                .is_err()
        );
    })
    .await;
}

#[tokio::test]
async fn a_silent_server_is_given_up() {
    within(async {
        let force = Force::new();
        let silent = std::net::UdpSocket::bind(loopback()).unwrap();
        let address = ServerAddress::from(silent.local_addr().unwrap());
        let token = token_for(&force, address, &Secret::generate().unwrap());
        let request = DeviceKey::generate().unwrap().request().unwrap();
        let enrolled = enrol(&token, &request, Duration::from_millis(300)).await;
        assert_eq!(enrolled, Err(EnrolError::Dial(DialError::TimedOut)));
        let broken = enrol(&token, &request[1..], LIMIT).await;
        assert_eq!(broken, Err(EnrolError::Identity(IdentityError::RequestMalformed)));
    })
    .await;
}

#[test]
fn debug_shows_no_secret() {
    let grant = Grant {
        chain: vec![vec![1]],
        authority: vec![2],
        extra: b"Priya".to_vec(),
    };
    assert_eq!(
        format!("{grant:?}"),
        "Grant { certificates: 1, extra_bytes: 5, .. }"
    );
}
