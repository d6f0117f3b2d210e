//! Who is shaking hands and who is in session: the counts behind the limits.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use uuid::Uuid;

use crate::connection::Inner;

/// Unfinished handshakes, in all and by network.
pub(super) struct Handshakes {
    max: usize,
    per_network_max: usize,
    under_way: Mutex<UnderWay>,
}

#[derive(Default)]
struct UnderWay {
    all: usize,
    by_network: HashMap<IpAddr, usize>,
}

impl Handshakes {
    pub(super) fn new(max: usize, per_network_max: usize) -> Arc<Self> {
        Arc::new(Self {
            max,
            per_network_max,
            under_way: Mutex::default(),
        })
    }

    /// Counts one more, unless that would be over a limit.
    pub(super) fn admit(self: &Arc<Self>, peer: IpAddr) -> Option<HandshakePermit> {
        let network = network_of(peer);
        let mut under_way = lock(&self.under_way);
        let from_network = under_way.by_network.get(&network).copied().unwrap_or_default();
        if under_way.all >= self.max || from_network >= self.per_network_max {
            return None;
        }
        under_way.all += 1;
        under_way.by_network.insert(network, from_network + 1);
        Some(HandshakePermit {
            handshakes: self.clone(),
            network,
        })
    }

    pub(super) fn under_way(&self) -> usize {
        lock(&self.under_way).all
    }
}

/// One unfinished handshake; dropping it says that it is over.
pub(super) struct HandshakePermit {
    handshakes: Arc<Handshakes>,
    network: IpAddr,
}

impl Drop for HandshakePermit {
    fn drop(&mut self) {
        let mut under_way = lock(&self.handshakes.under_way);
        under_way.all = under_way.all.saturating_sub(1);
        if let Some(from_network) = under_way.by_network.get_mut(&self.network) {
            *from_network = from_network.saturating_sub(1);
            if *from_network == 0 {
                under_way.by_network.remove(&self.network);
            }
        }
    }
}

/// The sessions of each enrolment, oldest first.
pub(super) struct Sessions {
    per_enrolment_max: usize,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    next_id: u64,
    by_enrolment: HashMap<Uuid, VecDeque<(u64, Weak<Inner>)>>,
}

impl Sessions {
    pub(super) fn new(per_enrolment_max: usize) -> Arc<Self> {
        Arc::new(Self {
            per_enrolment_max: per_enrolment_max.max(1),
            open: Mutex::default(),
        })
    }

    /// Enters a session, and takes out the oldest of the enrolment if it was one too many. The caller
    /// closes that one, outside the lock: its drop comes back here.
    pub(super) fn register(
        self: &Arc<Self>,
        enrolment: Uuid,
        session: Weak<Inner>,
    ) -> (Registration, Option<Arc<Inner>>) {
        let mut open = lock(&self.open);
        let id = open.next_id;
        open.next_id += 1;
        let of_enrolment = open.by_enrolment.entry(enrolment).or_default();
        of_enrolment.push_back((id, session));
        let evicted = if of_enrolment.len() > self.per_enrolment_max {
            of_enrolment.pop_front().and_then(|(_, oldest)| oldest.upgrade())
        } else {
            None
        };
        (
            Registration {
                sessions: self.clone(),
                enrolment,
                id,
            },
            evicted,
        )
    }

    #[cfg(test)]
    pub(super) fn enrolments(&self) -> usize {
        lock(&self.open).by_enrolment.len()
    }
}

/// A session's entry among [`Sessions`]; dropping it takes the entry out.
pub(crate) struct Registration {
    sessions: Arc<Sessions>,
    enrolment: Uuid,
    id: u64,
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut open = lock(&self.sessions.open);
        if let Some(of_enrolment) = open.by_enrolment.get_mut(&self.enrolment) {
            of_enrolment.retain(|(id, _)| *id != self.id);
            if of_enrolment.is_empty() {
                open.by_enrolment.remove(&self.enrolment);
            }
        }
    }
}

/// An IPv4 /24 or an IPv6 /48: what one party can easily have many addresses of.
fn network_of(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V4(address) => {
            let [a, b, c, _] = address.octets();
            IpAddr::from([a, b, c, 0])
        }
        IpAddr::V6(address) => {
            let [a, b, c, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0))
        }
    }
}

/// A count cannot be left half done, so a panic elsewhere does not spoil it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
