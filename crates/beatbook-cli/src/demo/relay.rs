//! The network of the demonstration: carries datagrams between devices and server, counts them, and can be cut.

use std::collections::hash_map::{Entry, HashMap};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

/// A relay on loopback. Dropping it ends it.
pub(crate) struct Relay {
    address: SocketAddr,
    line: Arc<Line>,
    task: JoinHandle<()>,
}

/// What the tasks of a relay share.
struct Line {
    front: UdpSocket,
    server: SocketAddr,
    cut: AtomicBool,
    bytes_up: AtomicU64,
    bytes_down: AtomicU64,
    /// Datagrams that did not pass because the network was cut.
    lost: AtomicU64,
}

impl Relay {
    /// Listens, and passes everything on to `server`.
    pub(crate) async fn start(server: SocketAddr) -> io::Result<Self> {
        let front = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = front.local_addr()?;
        let line = Arc::new(Line {
            front,
            server,
            cut: AtomicBool::new(false),
            bytes_up: AtomicU64::new(0),
            bytes_down: AtomicU64::new(0),
            lost: AtomicU64::new(0),
        });
        let task = tokio::spawn(carry(line.clone()));
        Ok(Self { address, line, task })
    }

    /// What devices dial.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Cuts the network, or restores it: while it is cut nothing passes in either direction.
    pub(crate) fn cut(&self, cut: bool) {
        self.line.cut.store(cut, Ordering::Release);
    }

    /// Bytes that passed so far, to the server and from it.
    pub(crate) fn bytes(&self) -> (u64, u64) {
        (
            self.line.bytes_up.load(Ordering::Relaxed),
            self.line.bytes_down.load(Ordering::Relaxed),
        )
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Line {
    fn passes(&self, count: &AtomicU64, bytes: usize) -> bool {
        let passes = !self.cut.load(Ordering::Acquire);
        match passes {
            true => count.fetch_add(bytes as u64, Ordering::Relaxed),
            false => self.lost.fetch_add(1, Ordering::Relaxed),
        };
        passes
    }
}

/// Passes on what devices send; each gets a socket of its own towards the server, so that answers find the way back.
async fn carry(line: Arc<Line>) {
    let mut backs: HashMap<SocketAddr, (Arc<UdpSocket>, Answers)> = HashMap::new();
    let mut datagram = vec![0; DATAGRAM_BYTES_MAX];
    loop {
        // An error is one datagram lost, as on any network.
        let Ok((length, device)) = line.front.recv_from(&mut datagram).await else {
            continue;
        };
        let Some(bytes) = datagram
            .get(..length)
            .filter(|_| line.passes(&line.bytes_up, length))
        else {
            continue;
        };
        let back = match backs.entry(device) {
            Entry::Occupied(known) => known.get().0.clone(),
            Entry::Vacant(place) => {
                let Ok(back) = back_socket(line.server).await else {
                    continue;
                };
                let answers = Answers(tokio::spawn(answer(line.clone(), back.clone(), device)));
                place.insert((back, answers)).0.clone()
            }
        };
        // Lost on the way, as above.
        let _ = back.send(bytes).await;
    }
}

async fn back_socket(server: SocketAddr) -> io::Result<Arc<UdpSocket>> {
    let back = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    back.connect(server).await?;
    Ok(Arc::new(back))
}

async fn answer(line: Arc<Line>, back: Arc<UdpSocket>, device: SocketAddr) {
    let mut datagram = vec![0; DATAGRAM_BYTES_MAX];
    loop {
        let Ok(length) = back.recv(&mut datagram).await else {
            // The server is not there at this moment; the device will ask again.
            tokio::task::yield_now().await;
            continue;
        };
        if let Some(bytes) = datagram
            .get(..length)
            .filter(|_| line.passes(&line.bytes_down, length))
        {
            let _ = line.front.send_to(bytes, device).await;
        }
    }
}

/// A task that ends when the relay does.
struct Answers(JoinHandle<()>);

impl Drop for Answers {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The largest datagram that there is.
const DATAGRAM_BYTES_MAX: usize = 65_535;

#[cfg(test)]
mod tests;
