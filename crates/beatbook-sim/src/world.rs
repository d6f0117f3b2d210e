//! The world: a calendar of events in simulated time, the machines that they happen to, and the observers who are told.
//!
//! One thread, one seed. An event changes one machine or one link and puts what follows on the calendar. What devices
//! do is in `device` and `near`, what the server does in `server` and `far`, work in `shift`, faults in `faults` and
//! `damage`, what becomes of harmed stores in `mending`, the end in `heal`; a cell of the restore matrix is told by `cell`.

mod acted;
mod agent;
mod cell;
mod damage;
mod device;
mod far;
mod faults;
mod heal;
mod mending;
mod near;
mod register;
mod rewind;
mod server;
mod shift;
mod view;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use beatbook_core::device::DeviceOp;
use beatbook_core::server::FeedRequest;
use beatbook_proto::{Dot, EnrolmentId};

use crate::ended::Ended;
use crate::fact::{DeviceIndex, Fact, SessionIndex, Site, What};
use crate::fault::FaultKind;
use crate::link::Pipe;
use crate::mark::Mark;
use crate::observe::{Observer, Violation};
use crate::plan::{BEGINS_AT_MS, Plan};
use crate::random::Random;

use device::Device;
use far::Far;
use near::Near;
use register::Truth;
use server::Server;
use shift::Form;

/// Runs the world of a plan to its end: days of work under faults, then healing, then quiet.
pub fn run(plan: &Plan, observers: &mut [&mut dyn Observer]) -> Ended {
    let mut world = World::new(plan.clone());
    for observer in observers.iter_mut() {
        world.observers.push(&mut **observer);
    }
    world.run();
    world.into_ended()
}

/// Everything there is.
pub(crate) struct World<'o> {
    plan: Plan,
    observers: Vec<&'o mut dyn Observer>,
    violation: Option<Violation>,
    now_ms: i64,
    event: u64,
    /// Entries of the calendar so far: what is due at the same time happens in the order in which it was put there.
    entered: u64,
    calendar: BinaryHeap<Reverse<Due>>,
    devices: Vec<Device>,
    server: Server,
    sessions: BTreeMap<u64, Session>,
    sessions_begun: u64,
    truth: Truth,
    random: Random,
    /// What officers were told is kept, by content; what a fault was allowed to destroy is taken out.
    acknowledged: BTreeMap<acted::Content, Dot>,
    ended: Ended,
    /// When the last shift is over.
    work_ends_ms: i64,
    /// Faults have stopped and nobody writes.
    healing: bool,
    /// Counts what changed while healing: when nothing does for a round, all is quiet.
    news: u64,
    ids: u64,
    texts: u64,
}

/// What is on the calendar.
struct Due {
    at_ms: i64,
    entered: u64,
    event: Event,
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        (self.at_ms, self.entered) == (other.at_ms, other.entered)
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at_ms, self.entered).cmp(&(other.at_ms, other.entered))
    }
}

/// What can happen. Devices by place in the world, sessions by number; `life` tells a machine from its former lives.
enum Event {
    /// The officer does something.
    Act { device: usize },
    /// What a pipe carries arrives.
    Arrive { session: u64, up: bool },
    /// The server is backed up.
    Backup,
    /// A machine starts again.
    Boot { site: Site, life: u64 },
    /// A device is copied, for a restore to come.
    Copy { device: usize },
    /// The committer of a device takes its next operation.
    DeviceCommit { session: u64 },
    /// A read of a device's store is done.
    DeviceRead { session: u64, op: Box<DeviceOp> },
    /// A dial has come through, or has not.
    Dialled { session: u64 },
    /// A fault is due.
    Fault,
    /// Feeds of a session have grown.
    Grown { session: u64 },
    /// A side finds out that the connection is gone.
    Lost { session: u64, at_server: bool },
    /// The end of what a fault began.
    Mend { mend: Mend },
    /// A shift begins, or ends.
    OnDuty { device: usize, on: bool },
    /// A session asks the register whether it is still admitted.
    Register { session: u64 },
    /// An app whose store failed is started again.
    Restart { device: usize, life: u64 },
    /// A form that was open is saved.
    Save {
        device: usize,
        life: u64,
        form: Box<Form>,
    },
    /// The server's committer takes what has gathered.
    ServerCommit { life: u64 },
    /// A read of the server's store is done.
    ServerRead { session: u64, request: Box<FeedRequest> },
    /// An agent tries again.
    Wake { device: usize, wake: u64, waited: bool },
    /// Coverage comes or goes.
    Weather { device: usize },
}

/// What is mended.
enum Mend {
    /// A clock goes on.
    Clock(Site),
    /// A disk takes bytes, answers quickly, and tells the truth.
    Disk(Site),
    /// A link is as it was.
    Link(usize),
}

/// One connection of a device with the server, from dialling to the end of both sides.
struct Session {
    device: usize,
    /// The life of the device that dialled.
    life: u64,
    peer: EnrolmentId,
    live: bool,
    near: Option<Near>,
    far: Option<Far>,
    up: Pipe,
    down: Pipe,
    /// Operations of the device's store under way: they outlive the session that asked for them.
    ops: std::collections::VecDeque<DeviceOp>,
    /// The connection breaks when the next receipt is sent.
    loses_receipt: bool,
    /// Runs are carried twice.
    duplicates: bool,
    /// Another session of the enrolment has its place.
    evicted: bool,
}

impl<'o> World<'o> {
    fn new(plan: Plan) -> Self {
        let seed = plan.seed;
        let truth = Truth::of(&plan);
        let server = Server::new(seed);
        Self {
            plan,
            observers: Vec::new(),
            violation: None,
            now_ms: BEGINS_AT_MS,
            event: 0,
            entered: 0,
            calendar: BinaryHeap::new(),
            devices: Vec::new(),
            server,
            sessions: BTreeMap::new(),
            sessions_begun: 0,
            truth,
            random: Random::new(seed, "world"),
            acknowledged: BTreeMap::new(),
            ended: Ended::default(),
            work_ends_ms: BEGINS_AT_MS,
            healing: false,
            news: 0,
            ids: 0,
            texts: 0,
        }
    }

    fn run(&mut self) {
        self.found_server();
        for index in 0..self.plan.devices.len() {
            let plan = self.plan.devices[index].clone();
            self.add_device(plan);
        }
        self.plan_days();
        self.plan_faults();
        if let Some(cell) = self.plan.cell {
            self.play(cell);
        }
        let last = self.plan.events_max.unwrap_or(u64::MAX);
        while self.violation.is_none() && self.event < last && self.is_working() && self.step() {}
        if self.violation.is_none() {
            self.heal();
        }
        if let Some(cell) = self.plan.cell.filter(|_| self.violation.is_none()) {
            self.check_told(cell);
        }
        self.ended.simulated_ms = (self.now_ms - BEGINS_AT_MS) as u64;
    }

    fn into_ended(mut self) -> Ended {
        self.ended.events = self.event;
        self.ended.device_days = self.plan.device_days();
        self.ended.sessions = self.sessions_begun;
        self.ended.violation = self.violation;
        self.ended
    }

    /// True while a shift is on or to come.
    fn is_working(&self) -> bool {
        self.next_at_ms()
            .is_some_and(|at| at <= self.work_ends_ms + EVENING_MS)
    }

    fn next_at_ms(&self) -> Option<i64> {
        self.calendar.peek().map(|due| due.0.at_ms)
    }

    /// Lets the next event happen; false where none is left, or where the world has had more of them than any that comes
    /// to rest.
    fn step(&mut self) -> bool {
        let most = self.plan.events_bound(self.devices.len());
        if self.event >= most {
            self.broken(
                ENDS,
                format!("{most} events have happened, and it is still not at rest"),
            );
            return false;
        }
        let Some(Reverse(due)) = self.calendar.pop() else {
            return false;
        };
        self.now_ms = self.now_ms.max(due.at_ms);
        self.event += 1;
        self.happen(due.event);
        self.observe(|observer, world| observer.step(world));
        true
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Act { device } => self.act(device),
            Event::Arrive { session, up } => self.arrive(session, up),
            Event::Backup => self.back_up(),
            Event::Boot { site, life } => self.boot(site, life),
            Event::Copy { device } => self.copy(device),
            Event::DeviceCommit { session } => self.device_commits(session),
            Event::DeviceRead { session, op } => self.device_reads(session, *op),
            Event::Dialled { session } => self.dialled(session),
            Event::Fault => self.fault_due(),
            Event::Grown { session } => self.far_grown(session),
            Event::Lost {
                session,
                at_server: true,
            } => self.far_lost(session),
            Event::Lost {
                session,
                at_server: false,
            } => self.near_lost(session),
            Event::Mend { mend } => self.mend(&mend),
            Event::OnDuty { device, on } => self.on_duty(device, on),
            Event::Register { session } => self.far_asks_register(session),
            Event::Restart { device, life } => self.restart(device, life),
            Event::Save { device, life, form } => self.save(device, life, *form),
            Event::ServerCommit { life } => self.server_commits(life),
            Event::ServerRead { session, request } => self.server_reads(session, &request),
            Event::Wake { device, wake, waited } => self.wake(device, wake, waited),
            Event::Weather { device } => self.weather(device),
        }
    }

    fn boot(&mut self, site: Site, life: u64) {
        match site {
            Site::Device(device) => self.boot_device(device.0, life),
            Site::Server => self.boot_server(life),
        }
    }

    /// Puts an event on the calendar.
    fn after(&mut self, delay_ms: i64, event: Event) {
        self.at(self.now_ms + delay_ms.max(0), event);
    }

    fn at(&mut self, at_ms: i64, event: Event) {
        self.entered += 1;
        self.calendar.push(Reverse(Due {
            at_ms,
            entered: self.entered,
            event,
        }));
    }

    /// Tells every observer.
    fn tell(&mut self, what: What) {
        if let What::FaultInjected { kind, .. } = &what {
            *self.ended.faults.entry(*kind).or_default() += 1;
        }
        let fact = Fact {
            event: self.event,
            at_ms: self.now_ms,
            what,
        };
        self.observe(|observer, world| observer.fact(&fact, world));
    }

    fn observe(&mut self, mut ask: impl FnMut(&mut dyn Observer, &Self) -> Result<(), Violation>) {
        if self.violation.is_some() {
            return;
        }
        // An observer looks into the world while it is told, so it stands outside of it meanwhile.
        let mut observers = std::mem::take(&mut self.observers);
        let mut found = None;
        for observer in &mut observers {
            if let Err(violation) = ask(&mut **observer, self) {
                found.get_or_insert(violation);
            }
        }
        self.observers = observers;
        self.violation = found;
    }

    /// Notes what may not happen in any world.
    fn broken(&mut self, invariant: &'static str, what: String) {
        self.violation.get_or_insert(Violation { invariant, what });
    }

    fn reach(&mut self, mark: Mark) {
        self.ended.marks.reach(mark);
    }

    fn has(&self, kind: FaultKind) -> bool {
        self.plan.has(kind)
    }

    /// Bytes that were never drawn before.
    fn fresh_id(&mut self) -> [u8; 16] {
        self.ids += 1;
        let mut bytes: [u8; 16] = self.random.bytes();
        bytes[..4].copy_from_slice(&(self.ids as u32).to_be_bytes());
        // The marks of a UUID of version 7.
        bytes[6] = 0x70 | (bytes[6] & 0x0f);
        bytes[8] = 0x80 | (bytes[8] & 0x3f);
        bytes
    }
}

fn site(device: usize) -> Site {
    Site::Device(DeviceIndex(device))
}

fn session_index(session: u64) -> SessionIndex {
    SessionIndex(session)
}

/// What is left to send after the last shift has this long.
const EVENING_MS: i64 = 3_600_000;
/// Broken by a world that goes on for ever: counted in events, so that a seed ends in the same place on any machine.
const ENDS: &str = "trust 16: a world comes to rest in a bound of events";

#[cfg(test)]
mod tests;
