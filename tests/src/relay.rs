//! A bad link: a relay of datagrams between devices and a server, on loopback only.
//!
//! Each device that dials gets a flow of its own. A cut kills the flows that are there: their datagrams are swallowed
//! for ever, as when a phone leaves coverage and comes back elsewhere; while the link is down, nothing passes at all. One
//! direction alone can be down. A rebind gives every flow another port towards the server, as a box that translates
//! addresses does when it forgets. What happens to single datagrams is the [`Weather`]'s.

mod weather;

use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::seed::Seed;
use weather::{Cause, Fate, Sky};

pub use weather::{Bursts, Direction, Pipe, Weather};

#[cfg(test)]
mod tests;

/// What has passed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Datagrams from devices.
    pub up: u64,
    /// Datagrams from the server.
    pub down: u64,
    /// Bytes from devices.
    pub up_bytes: u64,
    /// Bytes from the server.
    pub down_bytes: u64,
    /// Datagrams swallowed, whatever the cause.
    pub swallowed: u64,
    /// Those of them that met a link, a direction or a flow that was down.
    pub cut_off: u64,
    /// Those of them that were lost by chance, alone or in a burst.
    pub lost: u64,
    /// Those of them for which the queue was full.
    pub overflowed: u64,
    /// Those of them that were too long.
    pub too_long: u64,
    /// Datagrams that passed late: for the way, the queue, or to be overtaken.
    pub late: u64,
    /// Datagrams held back for later ones to overtake.
    pub held_back: u64,
    /// Datagrams that passed twice.
    pub twice: u64,
    /// Flows that got another port.
    pub rebound: u64,
}

impl Counts {
    fn cut_off(&mut self) {
        self.swallowed += 1;
        self.cut_off += 1;
    }
}

/// A relay. It ends when dropped.
pub struct Relay {
    address: SocketAddr,
    link: Arc<Link>,
    threads: Vec<JoinHandle<()>>,
}

impl Relay {
    /// Opens a relay to a server.
    pub fn to(server: SocketAddr, seed: u64) -> Self {
        assert!(server.ip().is_loopback(), "the relay never leaves this machine");
        let front = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        front
            .set_read_timeout(Some(TICK))
            .expect("a socket takes a timeout");
        let address = front.local_addr().expect("a bound socket has an address");
        let link = Arc::new(Link {
            front,
            server,
            state: Mutex::new(State::new(seed)),
            later: Condvar::new(),
        });
        let (upward, postponed) = (Arc::clone(&link), Arc::clone(&link));
        let threads = vec![
            thread::spawn(move || upward.run_up()),
            thread::spawn(move || postponed.run_later()),
        ];
        Self {
            address,
            link,
            threads,
        }
    }

    /// Where devices dial.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Says what happens to datagrams from here on.
    pub fn set_weather(&self, weather: Weather) {
        self.link.state().sky.weather = weather;
    }

    /// Takes the link down: all that is under way dies, and nothing new passes.
    pub fn cut(&self) {
        self.link.state().cut();
    }

    /// Takes one direction down: its datagrams vanish, the others go on, and no flow dies of it.
    pub fn cut_one_way(&self, direction: Direction) {
        self.link.state().deaf = Some(direction);
    }

    /// Takes the link up, in both directions. Flows that were cut stay dead.
    pub fn mend(&self) {
        let mut state = self.link.state();
        state.down = false;
        state.deaf = None;
        state.cut_after = None;
    }

    /// Gives every flow another port towards the server; what the server still sends to the old ones is lost.
    pub fn rebind(&self) {
        let mut state = self.link.state();
        let devices: Vec<SocketAddr> = state.flows.keys().copied().collect();
        state.counts.rebound += devices.len() as u64;
        for device in devices {
            self.link.open_flow(&mut state, device);
        }
    }

    /// Takes the link down once so many more datagrams, of both directions, have passed.
    pub fn cut_after_datagrams(&self, count: u64) {
        self.link.state().cut_after = Some(Budget::Datagrams(count));
    }

    /// Takes the link down once so many more bytes have passed in one direction.
    pub fn cut_after_bytes(&self, direction: Direction, bytes: u64) {
        self.link.state().cut_after = Some(Budget::Bytes(direction, bytes));
    }

    /// Whether the link is down.
    pub fn is_cut(&self) -> bool {
        self.link.state().down
    }

    /// What has passed so far.
    pub fn counts(&self) -> Counts {
        self.link.state().counts
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let flows = {
            let mut state = self.link.state();
            state.ended = true;
            std::mem::take(&mut state.readers)
        };
        self.link.later.notify_all();
        for thread in self.threads.drain(..).chain(flows) {
            // A reader that panicked has said so already.
            let _ = thread.join();
        }
    }
}

/// What the threads share.
struct Link {
    front: UdpSocket,
    server: SocketAddr,
    state: Mutex<State>,
    /// Told when something was postponed, or all is over.
    later: Condvar,
}

impl Link {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics with it")
    }

    /// Takes in what devices send.
    fn run_up(self: &Arc<Self>) {
        let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
        while !self.state().ended {
            let (length, device) = match self.front.recv_from(&mut buffer) {
                Ok(received) => received,
                Err(error) if is_pause(&error) => continue,
                Err(error) => panic!("the relay cannot receive: {error}"),
            };
            let Some(back) = self.flow_of(device) else {
                continue;
            };
            let letter = Letter {
                direction: Direction::Up,
                device,
                back,
                bytes: buffer[..length].to_vec(),
            };
            self.pass(letter);
        }
    }

    /// The socket of a device's flow; a new device gets one. `None` where the flow is dead or the link is down.
    fn flow_of(self: &Arc<Self>, device: SocketAddr) -> Option<Arc<UdpSocket>> {
        let mut state = self.state();
        if state.down || state.dead.contains(&device) {
            state.counts.cut_off();
            return None;
        }
        if let Some(back) = state.flows.get(&device) {
            return Some(Arc::clone(back));
        }
        Some(self.open_flow(&mut state, device))
    }

    /// Opens a socket for a device's flow in the place of the one that it may have, and reads what comes back by it.
    fn open_flow(self: &Arc<Self>, state: &mut State, device: SocketAddr) -> Arc<UdpSocket> {
        let back = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        back.set_read_timeout(Some(TICK))
            .expect("a socket takes a timeout");
        let back = Arc::new(back);
        state.flows.insert(device, Arc::clone(&back));
        let (link, socket) = (Arc::clone(self), Arc::clone(&back));
        state
            .readers
            .push(thread::spawn(move || link.run_down(device, &socket)));
        back
    }

    /// Takes in what the server answers to one device.
    fn run_down(&self, device: SocketAddr, back: &Arc<UdpSocket>) {
        let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
        loop {
            {
                let state = self.state();
                if state.ended || !state.is_flow(device, back) {
                    return;
                }
            }
            let (length, from) = match back.recv_from(&mut buffer) {
                Ok(received) => received,
                Err(error) if is_pause(&error) => continue,
                Err(error) => panic!("the relay cannot receive: {error}"),
            };
            if from == self.server {
                self.pass(Letter {
                    direction: Direction::Down,
                    device,
                    back: Arc::clone(back),
                    bytes: buffer[..length].to_vec(),
                });
            }
        }
    }

    /// Decides over one datagram.
    fn pass(&self, letter: Letter) {
        let mut state = self.state();
        if !state.admits(&letter) {
            state.counts.cut_off();
            return;
        }
        let now = Instant::now();
        let State { sky, seed, .. } = &mut *state;
        let due = match sky.judge(letter.direction, letter.bytes.len(), now, seed) {
            Fate::Passes { due, held_back } => {
                state.counts.held_back += u64::from(held_back);
                due
            }
            Fate::Swallowed(cause) => {
                state.counts.swallowed += 1;
                match cause {
                    Cause::Chance => state.counts.lost += 1,
                    Cause::Length => state.counts.too_long += 1,
                    Cause::Queue => state.counts.overflowed += 1,
                }
                return;
            }
        };
        state.counts.twice += u64::from(due.len() > 1);
        state.counts.late += u64::from(due.iter().any(|due| *due > now));
        for due in due {
            if due <= now {
                self.send(&letter);
                continue;
            }
            state.order += 1;
            let postponed = Postponed {
                due,
                order: state.order,
                letter: letter.clone(),
            };
            state.postponed.push(postponed);
        }
        drop(state);
        self.later.notify_all();
    }

    /// Sends what was postponed, when it is due.
    fn run_later(&self) {
        let mut state = self.state();
        while !state.ended {
            let now = Instant::now();
            while let Some(first) = state.postponed.peek() {
                if first.due > now {
                    break;
                }
                let Some(first) = state.postponed.pop() else { break };
                if state.is_flow(first.letter.device, &first.letter.back) {
                    self.send(&first.letter);
                }
            }
            let pause = state
                .postponed
                .peek()
                .map_or(TICK, |first| first.due.saturating_duration_since(now).min(TICK));
            state = self
                .later
                .wait_timeout(state, pause)
                .expect("nobody panics with it")
                .0;
        }
    }

    fn send(&self, letter: &Letter) {
        // A peer that is gone is a datagram that is lost.
        let _ = match letter.direction {
            Direction::Down => self.front.send_to(&letter.bytes, letter.device),
            Direction::Up => letter.back.send_to(&letter.bytes, self.server),
        };
    }
}

struct State {
    seed: Seed,
    sky: Sky,
    down: bool,
    /// The direction that is down by itself.
    deaf: Option<Direction>,
    ended: bool,
    cut_after: Option<Budget>,
    counts: Counts,
    flows: BTreeMap<SocketAddr, Arc<UdpSocket>>,
    /// Devices whose flow was cut: what they still send on it goes nowhere.
    dead: BTreeSet<SocketAddr>,
    readers: Vec<JoinHandle<()>>,
    postponed: BinaryHeap<Postponed>,
    order: u64,
}

impl State {
    fn new(seed: u64) -> Self {
        Self {
            seed: Seed::of(seed),
            sky: Sky::of(Weather::default()),
            down: false,
            deaf: None,
            ended: false,
            cut_after: None,
            counts: Counts::default(),
            flows: BTreeMap::new(),
            dead: BTreeSet::new(),
            readers: Vec::new(),
            postponed: BinaryHeap::new(),
            order: 0,
        }
    }

    fn cut(&mut self) {
        self.down = true;
        self.cut_after = None;
        self.dead.extend(std::mem::take(&mut self.flows).into_keys());
        self.postponed.clear();
    }

    /// Whether this is the socket of a device's flow: not one that was cut, or was bound again since.
    fn is_flow(&self, device: SocketAddr, back: &Arc<UdpSocket>) -> bool {
        self.flows
            .get(&device)
            .is_some_and(|flow| Arc::ptr_eq(flow, back))
    }

    /// Counts a datagram that passes; cuts the link when what may pass has passed.
    fn admits(&mut self, letter: &Letter) -> bool {
        let length = letter.bytes.len() as u64;
        let spent = match &mut self.cut_after {
            Some(Budget::Datagrams(left)) => take(left, 1),
            Some(Budget::Bytes(direction, left)) if *direction == letter.direction => take(left, length),
            _ => true,
        };
        if !spent {
            self.cut();
        }
        let deaf = self.deaf == Some(letter.direction);
        if self.down || deaf || !self.is_flow(letter.device, &letter.back) {
            return false;
        }
        let (datagrams, bytes) = match letter.direction {
            Direction::Down => (&mut self.counts.down, &mut self.counts.down_bytes),
            Direction::Up => (&mut self.counts.up, &mut self.counts.up_bytes),
        };
        *datagrams += 1;
        *bytes += length;
        true
    }
}

/// What may still pass before the link goes down.
enum Budget {
    Bytes(Direction, u64),
    Datagrams(u64),
}

/// A datagram and its way.
#[derive(Clone)]
struct Letter {
    direction: Direction,
    device: SocketAddr,
    back: Arc<UdpSocket>,
    bytes: Vec<u8>,
}

struct Postponed {
    due: Instant,
    order: u64,
    letter: Letter,
}

impl Ord for Postponed {
    /// The earliest is the greatest: that is what a heap gives first.
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (other.due, other.order).cmp(&(self.due, self.order))
    }
}

impl PartialOrd for Postponed {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Eq for Postponed {}

impl PartialEq for Postponed {
    fn eq(&self, other: &Self) -> bool {
        (self.due, self.order) == (other.due, other.order)
    }
}

fn take(left: &mut u64, amount: u64) -> bool {
    let enough = *left >= amount;
    *left = left.saturating_sub(amount);
    enough
}

/// Nothing came, or an earlier datagram met a closed port: neither ends the relay.
fn is_pause(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock
            | io::ErrorKind::TimedOut
            | io::ErrorKind::Interrupted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
    )
}

/// How often a thread looks whether all is over.
const TICK: Duration = Duration::from_millis(20);
const DATAGRAM_BYTES_MAX: usize = 65_535;
