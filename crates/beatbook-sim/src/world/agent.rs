//! The agent of a device: dials when something is to be said or time has come, backs off when nobody answers.
//!
//! Mirrors the field's agent over the core's `retry`; sessions themselves are in `near` and `far`.

use beatbook_core::ledger::LedgerError;
use beatbook_core::retry::Backoff;
use beatbook_core::session::{Initiator, InitiatorInput, Responder, SessionError};
use beatbook_proto::CloseCode;

use super::device::IDLE_TIMEOUT_MS;
use super::far::Far;
use super::near::{Near, NearEnd};
use super::{Event, Session, World, session_index};
use crate::fact::{DeviceIndex, What};
use crate::fault::FaultKind;
use crate::link::{Pipe, Weather};
use crate::mark::Mark;
use crate::plan::{Country, DevicePlan};
use crate::random::Random;

/// What an agent knows.
#[derive(Debug)]
pub(super) struct Agent {
    pub(super) running: bool,
    /// Out of touch, because the story of a cell wants it so.
    pub(super) held: bool,
    /// Stays in session.
    pub(super) live: bool,
    /// The app says that there is a network.
    available: bool,
    backoff: Backoff,
    /// The session that it dials or holds.
    pub(super) session: Option<u64>,
    /// The wake that counts; earlier ones are void.
    wake: u64,
    /// Caught up, and did not fail, since it was last set to false: for healing.
    pub(super) settled: bool,
}

impl Agent {
    pub(super) fn new(live: bool) -> Self {
        Self {
            running: false,
            held: false,
            live,
            available: true,
            backoff: Backoff::default(),
            session: None,
            wake: 0,
            settled: false,
        }
    }

    /// The process that it ran in is gone.
    pub(super) fn stop(&mut self) {
        self.running = false;
        self.session = None;
        self.wake += 1;
        self.backoff.reset();
    }
}

impl World<'_> {
    pub(super) fn start_agent(&mut self, index: usize) {
        let agent = &mut self.devices[index].agent;
        agent.running = true;
        agent.backoff.reset();
        self.nudge(index);
    }

    /// Tries at once, whatever it waits for.
    pub(super) fn nudge(&mut self, index: usize) {
        self.devices[index].agent.backoff.reset();
        self.wake_in(index, 0, false);
    }

    fn wake_in(&mut self, index: usize, delay_ms: i64, waited: bool) {
        let agent = &mut self.devices[index].agent;
        agent.wake += 1;
        let wake = agent.wake;
        self.after(
            delay_ms,
            Event::Wake {
                device: index,
                wake,
                waited,
            },
        );
    }

    pub(super) fn wake(&mut self, index: usize, wake: u64, waited: bool) {
        let device = &self.devices[index];
        let agent = &device.agent;
        if agent.wake != wake || !agent.running || agent.held || agent.session.is_some() || !device.is_up() {
            return;
        }
        if device.asleep_until_ms > self.now_ms {
            let rest = device.asleep_until_ms - self.now_ms;
            self.wake_in(index, rest, waited);
            return;
        }
        if !agent.available && !waited {
            self.agent_failed(index, 0);
            return;
        }
        self.dial(index);
    }

    fn dial(&mut self, index: usize) {
        let device = &mut self.devices[index];
        self.sessions_begun += 1;
        let number = self.sessions_begun;
        device.agent.session = Some(number);
        let (open, rtt) = (device.weather.is_open(self.now_ms), device.weather.rtt_ms);
        let session = Session {
            device: index,
            life: device.life,
            peer: device.enrolled.enrolment,
            live: device.agent.live && !self.healing,
            near: None,
            far: None,
            up: Pipe::default(),
            down: Pipe::default(),
            ops: std::collections::VecDeque::new(),
            loses_receipt: false,
            evicted: false,
            duplicates: self.plan.has(FaultKind::Duplication) && device.random.percent(30) && !self.healing,
        };
        self.sessions.insert(number, session);
        let reached = open && self.server.is_up();
        let delay = if reached {
            (rtt * 3 / 2 + 2) as i64
        } else {
            DIAL_TIMEOUT_MS
        };
        self.after(delay, Event::Dialled { session: number });
    }

    /// A dial has come through, or nobody answered.
    pub(super) fn dialled(&mut self, number: u64) {
        let Some(session) = self.sessions.get(&number) else {
            return;
        };
        let index = session.device;
        let device = &self.devices[index];
        if device.life != session.life || device.agent.session != Some(number) || !device.is_up() {
            self.sessions.remove(&number);
            return;
        }
        if !device.weather.is_open(self.now_ms) || !self.server.is_up() {
            self.sessions.remove(&number);
            self.devices[index].agent.session = None;
            self.agent_failed(index, 0);
            return;
        }
        let (live, run_bytes, key) = (session.live, device.plan.run_bytes, device.enrolled.key.clone());
        self.tell(What::SessionBegan {
            session: session_index(number),
            device: DeviceIndex(index),
            live,
        });
        self.evict_beside(number);
        if let Some(session) = self.sessions.get_mut(&number) {
            session.far = Some(Far::new(Responder::new(session.peer, key.clone()), key));
            session.near = Some(Near::new(Initiator::new(live, run_bytes)));
        }
        self.near_drain(number);
    }

    /// An enrolment has two places at the server; the oldest of three gives way.
    fn evict_beside(&mut self, number: u64) {
        let Some(peer) = self.sessions.get(&number).map(|session| session.peer) else {
            return;
        };
        let others: Vec<u64> = self
            .sessions
            .iter()
            .filter(|(id, session)| **id != number && session.peer == peer && session.far.is_some())
            .map(|(id, _)| *id)
            .collect();
        if !others.is_empty() {
            self.reach(Mark::TwoSessionsOfOne);
        }
        if others.len() >= SESSIONS_OF_ONE_MAX
            && let Some(oldest) = others.first()
        {
            if let Some(session) = self.sessions.get_mut(oldest) {
                session.evicted = true;
            }
            self.far_ends(*oldest, None);
            self.after(
                self.way_ms(*oldest),
                Event::Lost {
                    session: *oldest,
                    at_server: false,
                },
            );
        }
    }

    fn way_ms(&self, number: u64) -> i64 {
        let session = self.sessions.get(&number);
        session.map_or(0, |session| {
            (self.devices[session.device].weather.rtt_ms / 2) as i64
        })
    }

    /// The officer wrote: a session sends it, a resting agent dials.
    pub(super) fn agent_hears_of_write(&mut self, index: usize) {
        let agent = &self.devices[index].agent;
        match agent.session {
            Some(session) => {
                if let Some(near) = self
                    .sessions
                    .get_mut(&session)
                    .and_then(|session| session.near.as_mut())
                {
                    near.wrote = true;
                }
                self.near_hears_of_write(session);
            }
            // After a failure a write waits like everything else.
            None if agent.running && agent.backoff.failures() == 0 => self.wake_in(index, 0, false),
            None => {}
        }
    }

    /// What an agent does after a session.
    pub(super) fn agent_after(&mut self, index: usize, end: &NearEnd) {
        let agent = &mut self.devices[index].agent;
        agent.session = None;
        if !agent.running {
            return;
        }
        match end {
            NearEnd::Done => {
                agent.backoff.reset();
                let (live, rest) = (agent.live, self.devices[index].plan.rest_min as i64 * 60_000);
                // While healing, a round ends when everyone has said that there is no more.
                if !self.healing {
                    self.wake_in(index, if live { 0 } else { rest }, true);
                }
            }
            NearEnd::Stopped => self.wake_in(index, 0, false),
            NearEnd::Evicted => self.agent_failed(index, EVICTED_RETRY_MS),
            NearEnd::Lost | NearEnd::Reset => self.agent_failed(index, 0),
            NearEnd::ByPeer(code, retry_after_ms) => match *code {
                CloseCode::DONE => self.agent_failed(index, 0),
                CloseCode::BUSY | CloseCode::GOING_AWAY | CloseCode::STORE => {
                    self.agent_failed(index, *retry_after_ms);
                }
                CloseCode::NOT_ADMITTED => {
                    self.reach(Mark::NotAdmitted);
                    self.agent_failed(index, LASTING_RETRY_MS);
                }
                _ => self.agent_failed(index, LASTING_RETRY_MS),
            },
            NearEnd::Failed(_) => self.agent_failed(index, LASTING_RETRY_MS),
        }
    }

    fn agent_failed(&mut self, index: usize, hold_ms: u32) {
        let device = &mut self.devices[index];
        let random = device.random.bits() as u32;
        device.agent.backoff.hold(hold_ms);
        let mut delay = device.agent.backoff.next_delay_ms(random) as i64;
        if delay > BACKOFF_MS_MAX {
            self.broken(
                "sync 6: back-off has a bound",
                format!("device {index} waits {delay} ms"),
            );
        }
        if !self.devices[index].agent.available {
            delay = OFFLINE_PROBE_MS;
        }
        self.wake_in(index, delay, true);
    }

    /// The link that a device has where it is carried, and the faults that last as long as the world.
    pub(super) fn weather_of(&self, plan: &DevicePlan, lane: u64) -> Weather {
        let mut random = Random::indexed(self.plan.seed, "weather", lane);
        let mut weather = Weather::GOOD;
        if plan.country == Country::Station {
            (weather.rtt_ms, weather.jitter_ms) = (15, 5);
            (weather.up_kbit, weather.down_kbit) = (20_000, 40_000);
        }
        if plan.country == Country::Rural && random.percent(40) {
            (weather.rtt_ms, weather.jitter_ms) = (150, 80);
            (weather.up_kbit, weather.down_kbit) = (256, 1_000);
        }
        if self.plan.has(FaultKind::Delay) {
            (weather.rtt_ms, weather.jitter_ms) = (600, 300);
        }
        if self.plan.has(FaultKind::BandwidthCap) {
            (weather.up_kbit, weather.down_kbit) = (30, 80);
        }
        if self.plan.has(FaultKind::UniformLoss) {
            weather.loss = random.between(10, 100);
        }
        if self.plan.has(FaultKind::BurstLoss) {
            (weather.loss, weather.bursts) = (random.between(5, 50), true);
        }
        weather
    }

    /// Coverage comes or goes, as it does where the device is carried.
    pub(super) fn weather(&mut self, index: usize) {
        if self.healing || !self.devices[index].on_duty {
            return;
        }
        let device = &mut self.devices[index];
        let random = &mut device.random;
        let (without_min, with_min) = match device.plan.country {
            Country::Rural => (random.around(12), random.around(40)),
            Country::Urban => (random.around(3), random.around(240)),
            Country::Station => return,
        };
        let until_ms = self.now_ms + without_min as i64 * 60_000;
        self.block_link(index, true, true, until_ms);
        // The app knows of it, or not.
        if self.devices[index].random.percent(50) {
            self.devices[index].agent.available = false;
            if let Some(session) = self.devices[index].agent.session {
                self.near_ends(session, NearEnd::Stopped);
            }
        }
        self.after(
            (without_min + with_min) as i64 * 60_000,
            Event::Weather { device: index },
        );
        self.after(
            without_min as i64 * 60_000,
            Event::Mend {
                mend: super::Mend::Link(index),
            },
        );
    }

    /// Nothing passes for a while; sides that hear nothing for long take the connection for gone.
    pub(super) fn block_link(&mut self, index: usize, up: bool, down: bool, until_ms: i64) {
        let weather = &mut self.devices[index].weather;
        if up {
            weather.up_blocked_until_ms = weather.up_blocked_until_ms.max(until_ms);
        }
        if down {
            weather.down_blocked_until_ms = weather.down_blocked_until_ms.max(until_ms);
        }
        if until_ms - self.now_ms < IDLE_TIMEOUT_MS {
            return;
        }
        let open: Vec<u64> = self
            .sessions
            .iter()
            .filter(|(_, session)| session.device == index)
            .map(|(id, _)| *id)
            .collect();
        for session in open {
            if up {
                self.after(
                    IDLE_TIMEOUT_MS,
                    Event::Lost {
                        session,
                        at_server: true,
                    },
                );
            }
            if down {
                self.after(
                    IDLE_TIMEOUT_MS,
                    Event::Lost {
                        session,
                        at_server: false,
                    },
                );
            }
        }
    }

    /// The network is back, and the app says so.
    pub(super) fn link_is_back(&mut self, index: usize) {
        if self.devices[index].weather.is_open(self.now_ms) && !self.devices[index].agent.available {
            self.devices[index].agent.available = true;
            self.nudge(index);
        }
    }

    /// The app goes to the background, or the shift is over: a session ends in good order.
    pub(super) fn stop_agent(&mut self, index: usize) {
        let agent = &mut self.devices[index].agent;
        agent.running = false;
        agent.wake += 1;
        if let Some(session) = agent.session {
            self.near_feed(session, InitiatorInput::Stop);
            self.near_drain(session);
        }
        self.devices[index].agent.session = None;
    }
}

/// Whose doing it is that a session failed on the device's side.
pub(super) fn store_error(error: &SessionError) -> Option<&beatbook_core::store::StoreError> {
    match error {
        SessionError::Ledger(LedgerError::Store(error)) => Some(error),
        _ => None,
    }
}

/// Sessions of one enrolment at the server.
const SESSIONS_OF_ONE_MAX: usize = 2;
const DIAL_TIMEOUT_MS: i64 = 10_000;
const EVICTED_RETRY_MS: u32 = 30_000;
const LASTING_RETRY_MS: u32 = 120_000;
const OFFLINE_PROBE_MS: i64 = 60_000;
/// As the core promises: the longest step, or the longest wish of a server.
const BACKOFF_MS_MAX: i64 = 15 * 60_000;
