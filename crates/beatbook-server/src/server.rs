//! The server: listens, drives a session for each device, and stops in good order.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use beatbook_core::store::StoreError;
use beatbook_proto::CloseCode;
use beatbook_quic::{Accepted, BindError, Limits, Listener};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

use crate::enrolment::{self, Tries};
use crate::growth::Growth;
use crate::http;
use crate::keys;
use crate::session;
use crate::store::ServerStore;

/// How a server is started.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServeOptions {
    /// Where devices are heard.
    pub listen: SocketAddr,
    /// Where health and metrics are served, if they are.
    pub metrics: Option<SocketAddr>,
    /// What devices may cost.
    pub limits: Limits,
    /// How long devices are asked to stay away when the server stops; up to twice that, at random.
    pub retry_after: Duration,
}

impl ServeOptions {
    /// As `beatbookd serve` does on an address, without metrics.
    pub fn new(listen: SocketAddr) -> Self {
        Self {
            listen,
            metrics: None,
            limits: Limits::default(),
            retry_after: Duration::from_secs(2),
        }
    }

    /// On a port of the loopback that the system chooses, without metrics: for a demonstration and for tests.
    pub fn loopback() -> Self {
        Self::new(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
    }
}

/// A server that listens. Stop it with [`Server::stop`]; dropping it cuts every session, which loses nothing that was
/// receipted.
#[derive(Debug)]
pub struct Server {
    shared: Arc<Shared>,
    local_addr: SocketAddr,
    metrics_addr: Option<SocketAddr>,
    acceptor: JoinHandle<()>,
    http: Option<JoinHandle<()>>,
}

/// What the tasks of a server share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) store: ServerStore,
    pub(crate) growth: Arc<Growth>,
    pub(crate) stop: watch::Sender<bool>,
    retry_after: Duration,
    sessions: AtomicU64,
    ready: Arc<AtomicBool>,
    tries: Tries,
}

impl Shared {
    /// A number for a session, never used twice.
    pub(crate) fn next_session(&self) -> u64 {
        self.sessions.fetch_add(1, Ordering::Relaxed)
    }

    /// How long a device is to stay away: never the same for all, so that they do not come back at once.
    pub(crate) fn retry_after_ms(&self) -> u32 {
        let base = u32::try_from(self.retry_after.as_millis()).unwrap_or(u32::MAX);
        let random = keys::random::<4>().map_or(0, |bytes| u32::from_be_bytes(*bytes));
        base.saturating_add(random.checked_rem(base).unwrap_or(0))
    }
}

impl Server {
    /// Binds the ports and begins to take devices.
    pub async fn start(store: ServerStore, options: ServeOptions) -> Result<Self, StartError> {
        let listener = Listener::bind(options.listen, &store.keys().identity, options.limits)?;
        let local_addr = listener.local_addr();
        let shared = Arc::new(Shared {
            store,
            growth: Arc::default(),
            stop: watch::Sender::new(false),
            retry_after: options.retry_after,
            sessions: AtomicU64::new(0),
            ready: Arc::new(AtomicBool::new(true)),
            tries: Tries::default(),
        });
        let (metrics_addr, http) = match options.metrics {
            Some(address) => {
                let started = http::serve(
                    address,
                    shared.store.clone(),
                    shared.ready.clone(),
                    shared.stop.subscribe(),
                );
                let (address, task) = started
                    .await
                    .map_err(|source| StartError::Metrics { address, source })?;
                (Some(address), Some(task))
            }
            None => (None, None),
        };
        tracing::info!(%local_addr, "listening");
        let acceptor = tokio::spawn(accept(listener, shared.clone()));
        Ok(Self {
            shared,
            local_addr,
            metrics_addr,
            acceptor,
            http,
        })
    }

    /// Where devices are heard, with the port that the system chose if none was asked for.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Where health and metrics are served.
    pub fn metrics_addr(&self) -> Option<SocketAddr> {
        self.metrics_addr
    }

    /// The store that it serves, for administration beside it.
    pub fn store(&self) -> &ServerStore {
        &self.shared.store
    }

    /// Takes no more devices, lets what is being stored be receipted, tells every device to come back later, and
    /// closes the store.
    pub async fn stop(self) -> Result<(), StopError> {
        let store = self.stop_listening().await;
        tokio::task::spawn_blocking(move || store.close())
            .await
            .map_err(|_| StopError::Cancelled)?
            .map_err(StopError::Store)
    }

    /// As [`Server::stop`], and leaves the store open.
    pub async fn stop_listening(mut self) -> ServerStore {
        self.shared.ready.store(false, Ordering::Release);
        self.shared.stop.send_replace(true);
        if timeout(DRAIN_TIMEOUT, &mut self.acceptor).await.is_err() {
            tracing::warn!("sessions did not end in time and were cut");
            self.acceptor.abort();
        }
        if let Some(http) = self.http.take() {
            http.abort();
        }
        self.shared.store.clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.acceptor.abort();
        if let Some(http) = &self.http {
            http.abort();
        }
    }
}

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The port for devices cannot be had.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The port for health and metrics cannot be had.
    #[error("cannot serve metrics on {address}: {source}; choose another with --metrics, or turn them off")]
    Metrics {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Why a server did not stop in good order. What was receipted is safe all the same.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StopError {
    /// The runtime ended first.
    #[error("the runtime ended before the store was closed; the next start checks it")]
    Cancelled,
    /// The store did not close.
    #[error(transparent)]
    Store(StoreError),
}

/// Takes devices until the server stops, and then waits for their sessions.
async fn accept(mut listener: Listener, shared: Arc<Shared>) {
    let mut sessions = JoinSet::new();
    let mut stop = shared.stop.subscribe();
    loop {
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => break,
            accepted = listener.accept() => match accepted {
                Some(Accepted::Session(session)) => {
                    sessions.spawn(session::run(session, shared.clone()));
                }
                Some(Accepted::Enrol(exchange)) => {
                    let shared = shared.clone();
                    sessions.spawn(async move {
                        enrolment::answer(exchange, shared.store.clone(), &shared.tries).await;
                    });
                }
                Some(_) => tracing::warn!("a connection of an unknown kind was dropped"),
                None => break,
            },
            Some(_) = sessions.join_next() => {}
        }
    }
    while sessions.join_next().await.is_some() {}
    listener
        .shut_down(u32::from(CloseCode::GOING_AWAY.0), "going away")
        .await;
}

/// How long sessions have to end when the server stops.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(20);
