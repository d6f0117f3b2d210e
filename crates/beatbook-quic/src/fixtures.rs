//! A force with a server and devices, for tests. Everything runs on the loopback.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::pki_types::UnixTime;
use rustls::time_provider::TimeProvider;
use uuid::Uuid;

use crate::connection::Session;
use crate::{
    Accepted, Authority, ClientIdentity, Connection, DeviceKey, Dialer, Limits, Listener, ServerAddress,
    ServerIdentity, Validity,
};

/// A force: its authority and one server's identity.
pub(crate) struct Force {
    pub(crate) authority: Authority,
    pub(crate) server: ServerIdentity,
}

impl Force {
    pub(crate) fn new() -> Self {
        let authority = Authority::create("52", Validity::authority(now_s())).unwrap();
        let server = authority
            .issue_server(&["127.0.0.1"], Validity::server(now_s()))
            .unwrap();
        Self { authority, server }
    }

    pub(crate) fn listen(&self) -> Listener {
        self.listen_with(Limits::default())
    }

    pub(crate) fn listen_with(&self, limits: Limits) -> Listener {
        Listener::bind(loopback(), &self.server, limits).unwrap()
    }

    pub(crate) fn identity(&self, enrolment: Uuid, validity: Validity) -> ClientIdentity {
        let key = DeviceKey::generate().unwrap();
        let certificate = self
            .authority
            .issue_device(&key.request().unwrap(), enrolment, validity)
            .unwrap();
        ClientIdentity::new(key, vec![certificate], self.authority.certificate().to_vec()).unwrap()
    }

    pub(crate) fn dialer(&self, enrolment: Uuid) -> Dialer {
        Dialer::new(self.identity(enrolment, Validity::device(now_s()))).unwrap()
    }
}

/// A device and its session at a server.
pub(crate) struct Pair {
    pub(crate) listener: Listener,
    pub(crate) device: Connection,
    pub(crate) session: Session,
}

pub(crate) async fn pair() -> Pair {
    let force = Force::new();
    let mut listener = force.listen();
    let device = force
        .dialer(Uuid::from_u128(1))
        .dial(&address_of(&listener))
        .await
        .unwrap();
    let session = next_session(&mut listener).await;
    Pair {
        listener,
        device,
        session,
    }
}

pub(crate) async fn next_session(listener: &mut Listener) -> Session {
    match listener.accept().await {
        Some(Accepted::Session(session)) => session,
        other => panic!("a session was expected, not {other:?}"),
    }
}

pub(crate) fn address_of(listener: &Listener) -> ServerAddress {
    ServerAddress::from(listener.local_addr())
}

pub(crate) fn loopback() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

/// A frame with a prefix that is true.
pub(crate) fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = u32::try_from(payload.len()).unwrap().to_be_bytes().to_vec();
    bytes.extend_from_slice(&[1, kind]);
    bytes.extend_from_slice(payload);
    bytes
}

/// Runs a test with a deadline: a test that waits for what never comes must fail, not hang.
pub(crate) async fn within<T>(test: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), test)
        .await
        .expect("the test took too long")
}

/// Waits until a condition holds.
pub(crate) async fn until(mut holds: impl FnMut() -> bool) {
    within(async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
}

pub(crate) fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// A clock that shows what it is told.
#[derive(Debug)]
pub(crate) struct SetClock(AtomicU64);

impl SetClock {
    pub(crate) fn at(now_s: u64) -> Arc<Self> {
        Arc::new(Self(AtomicU64::new(now_s)))
    }

    pub(crate) fn set(&self, now_s: u64) {
        self.0.store(now_s, Ordering::SeqCst);
    }
}

impl TimeProvider for SetClock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_secs(
            self.0.load(Ordering::SeqCst),
        )))
    }
}
