//! Faults of processes, networks, clocks and identities: when one is due, which, and to whom.
//!
//! Faults of disks are in `damage`, stores that go back in time in `rewind`.

use beatbook_proto::Signer;

use super::near::NearEnd;
use super::{Event, Mend, World, site};
use crate::disk::{Image, Loss};
use crate::fact::{DeviceIndex, SessionEnd, Site, What};
use crate::fault::FaultKind;
use crate::plan::DevicePlan;

impl World<'_> {
    /// Puts the first fault on the calendar, and sets what lasts as long as the world.
    pub(super) fn plan_faults(&mut self) {
        for kind in [
            FaultKind::BandwidthCap,
            FaultKind::BurstLoss,
            FaultKind::Delay,
            FaultKind::UniformLoss,
        ] {
            if self.has(kind) {
                self.fault(kind, Site::Server, "on every link".to_owned());
            }
        }
        if self.has(FaultKind::ClockSkew) {
            for index in 0..self.devices.len() {
                let years = self.devices[index].random.between(0, 20) as i64 - 10;
                self.move_clock(FaultKind::ClockSkew, site(index), years * YEAR_MS);
            }
        }
        let wants_copies = [
            FaultKind::DeviceRestored,
            FaultKind::DotReuse,
            FaultKind::SameIdentityTwice,
        ];
        if wants_copies.into_iter().any(|kind| self.has(kind)) {
            for device in 0..self.devices.len() {
                let first = (8 * 60 + self.devices[device].random.around(120)) as i64 * MINUTE_MS;
                self.after(first, Event::Copy { device });
            }
        }
        if !self.plan.faults.is_empty() {
            self.after(8 * 60 * MINUTE_MS, Event::Fault);
        }
    }

    /// A fault is due: one of the plan's kinds, where it can happen.
    pub(super) fn fault_due(&mut self) {
        if self.healing {
            return;
        }
        let busy = self.devices.iter().any(|device| device.on_duty);
        let gap = self.random.around(self.plan.fault_gap_min).max(1) as i64;
        self.after(gap * MINUTE_MS, Event::Fault);
        if !busy && !self.random.percent(5) {
            return;
        }
        let kinds: Vec<FaultKind> = self.plan.faults.iter().copied().collect();
        // Some kinds find nobody to happen to; another gets its turn.
        for _ in 0..4 {
            if let Some(kind) = self.random.choose(&kinds).copied()
                && self.inject(kind)
            {
                return;
            }
        }
    }

    fn inject(&mut self, kind: FaultKind) -> bool {
        match kind {
            FaultKind::KillAtOp | FaultKind::KillInWrite | FaultKind::KillInRecovery => {
                self.inject_kill(kind)
            }
            FaultKind::LoseUnsynced | FaultKind::TornWrite | FaultKind::ReorderUnsynced => {
                self.inject_power_cut(kind)
            }
            FaultKind::Suspend | FaultKind::MonotonicStops => self.inject_sleep(kind),
            FaultKind::CancelledSession
            | FaultKind::LostAck
            | FaultKind::Rebind
            | FaultKind::Reorder
            | FaultKind::StatelessReset
            | FaultKind::StreamReset => self.inject_cut(kind),
            FaultKind::PartitionBoth | FaultKind::PartitionOneWay | FaultKind::UdpBlocked => {
                self.inject_partition(kind)
            }
            FaultKind::SwizzleClog => self.inject_swizzle(),
            FaultKind::ClockFrozen
            | FaultKind::ClockJumpBack
            | FaultKind::ClockJumpForward
            | FaultKind::ClockReset => self.inject_clock(kind),
            FaultKind::PostingChanged
            | FaultKind::RoleChanged
            | FaultKind::Revoked
            | FaultKind::ReenrolNewKey => self.inject_identity(kind),
            FaultKind::DeviceRestored
            | FaultKind::DotReuse
            | FaultKind::SameIdentityTwice
            | FaultKind::ServerRestored
            | FaultKind::ServerRolledBack
            | FaultKind::StoreCloned => self.inject_rewind(kind),
            FaultKind::BitFlip
            | FaultKind::DiskFull
            | FaultKind::LyingSync
            | FaultKind::MisdirectedWrite
            | FaultKind::MissingFile
            | FaultKind::StalledDisk
            | FaultKind::SyncErrorOnce
            | FaultKind::TruncatedFile => self.inject_damage(kind),
            // These last as long as the world, or are part of what is written and sent.
            FaultKind::BandwidthCap
            | FaultKind::BurstLoss
            | FaultKind::ClockSkew
            | FaultKind::Delay
            | FaultKind::Duplication
            | FaultKind::OversizedBatch
            | FaultKind::PoisonRecord
            | FaultKind::UniformLoss
            | FaultKind::UnknownContent => false,
        }
    }

    pub(super) fn fault(&mut self, kind: FaultKind, site: Site, detail: String) {
        self.tell(What::FaultInjected { kind, site, detail });
    }

    /// The server once in four, else a device that is up.
    pub(super) fn somewhere(&mut self) -> Option<Site> {
        if self.random.one_in(4) {
            return self.server.is_up().then_some(Site::Server);
        }
        self.some_device().map(site)
    }

    /// A device that is up, and rather one that is used at this time.
    pub(super) fn some_device(&mut self) -> Option<usize> {
        let up = |on_duty: bool| {
            let devices = self.devices.iter().enumerate();
            let fits = devices.filter(|(_, device)| device.is_up() && (device.on_duty || !on_duty));
            fits.map(|(index, _)| index).collect::<Vec<usize>>()
        };
        let (used, all) = (up(true), up(false));
        let among = if used.is_empty() || self.random.one_in(10) {
            all
        } else {
            used
        };
        self.random.choose(&among).copied()
    }

    /// A session in which both sides are there.
    fn some_session(&mut self) -> Option<u64> {
        let open = self.sessions.iter().filter(|(_, session)| session.near.is_some());
        let open: Vec<u64> = open.map(|(number, _)| *number).collect();
        self.random.choose(&open).copied()
    }

    fn inject_kill(&mut self, kind: FaultKind) -> bool {
        let Some(place) = self.somewhere() else {
            return false;
        };
        let (after, inside) = (self.random.below(30), kind == FaultKind::KillInWrite);
        let disk = match place {
            Site::Device(device) => &self.devices[device.0].disk,
            Site::Server => &self.server.disk,
        };
        if kind == FaultKind::KillInRecovery {
            let delay = self.random.between(1_000, 60_000) as i64;
            self.kill(place, None, delay);
            return true;
        }
        disk.die_after(after, inside);
        self.fault(kind, place, format!("in {after} operations"));
        true
    }

    fn kill(&mut self, place: Site, loss: Option<Loss>, boot_in_ms: i64) {
        match place {
            Site::Device(device) => self.kill_device(device.0, loss, boot_in_ms),
            Site::Server => self.kill_server(loss, boot_in_ms),
        }
    }

    fn inject_power_cut(&mut self, kind: FaultKind) -> bool {
        let Some(place) = self.somewhere() else {
            return false;
        };
        let loss = match kind {
            FaultKind::LoseUnsynced => Loss::All,
            FaultKind::ReorderUnsynced => Loss::Sectors,
            _ => Loss::Torn,
        };
        if self.random.percent(30) {
            self.fault(kind, place, "power goes".to_owned());
            let delay = self.random.between(1_000, 20 * 60_000) as i64;
            self.kill(place, Some(loss), delay);
            return true;
        }
        let (after, inside) = (self.random.below(40), self.random.percent(60));
        match place {
            Site::Device(device) => {
                let device = &mut self.devices[device.0];
                device.disk.die_after(after, inside);
                device.loss = Some(loss);
            }
            Site::Server => {
                self.server.disk.die_after(after, inside);
                self.server.loss = Some(loss);
            }
        }
        self.fault(kind, place, format!("power goes in {after} operations"));
        true
    }

    fn inject_sleep(&mut self, kind: FaultKind) -> bool {
        let Some(index) = self.some_device() else {
            return false;
        };
        let asleep_ms = match self.random.weighted(&[3, 4, 2, 1]) {
            0 => self.random.between(1, 1_000),
            1 => self.random.between(1_000, 30 * 60_000),
            2 => self.random.between(1, 24) * 3_600_000,
            _ => self.random.between(1, 14) * 24 * 3_600_000,
        } as i64;
        let until_ms = self.now_ms + asleep_ms;
        self.devices[index].asleep_until_ms = until_ms;
        self.fault(kind, site(index), format!("sleeps for {} s", asleep_ms / 1_000));
        let held = self.sessions_of(index);
        for session in held {
            if asleep_ms > super::device::IDLE_TIMEOUT_MS {
                self.after(
                    super::device::IDLE_TIMEOUT_MS,
                    Event::Lost {
                        session,
                        at_server: true,
                    },
                );
            }
            // On waking, what has arrived is read; or the connection is found to be gone. Timers that stopped meanwhile
            // fire that much later.
            let late = if kind == FaultKind::MonotonicStops {
                super::device::IDLE_TIMEOUT_MS
            } else {
                1
            };
            if asleep_ms > super::device::IDLE_TIMEOUT_MS {
                self.at(
                    until_ms + late,
                    Event::Lost {
                        session,
                        at_server: false,
                    },
                );
            }
            self.at(until_ms + 1, Event::Arrive { session, up: false });
        }
        true
    }

    pub(super) fn sessions_of(&self, index: usize) -> Vec<u64> {
        let of = self
            .sessions
            .iter()
            .filter(|(_, session)| session.device == index);
        of.map(|(number, _)| *number).collect()
    }

    /// A connection ends in a way that its sides did not choose.
    fn inject_cut(&mut self, kind: FaultKind) -> bool {
        let Some(number) = self.some_session() else {
            return false;
        };
        let index = self.sessions[&number].device;
        self.fault(kind, site(index), format!("session {number}"));
        match kind {
            FaultKind::LostAck => {
                if let Some(session) = self.sessions.get_mut(&number) {
                    session.loses_receipt = true;
                }
            }
            FaultKind::CancelledSession => {
                self.near_dropped(number, SessionEnd::Dropped, true);
                if self.devices[index].agent.session == Some(number) {
                    self.agent_after(index, &NearEnd::Stopped);
                }
            }
            // The device dials anew at once; what it had sent is still on its way, and arrives beside the new session.
            FaultKind::Reorder | FaultKind::Rebind => {
                let until_ms = self.now_ms + self.random.between(1_000, 25_000) as i64;
                if let Some(session) = self.sessions.get_mut(&number) {
                    session.up.hold_until(until_ms);
                    session.down.lose();
                }
                self.near_ends_unheard(number, NearEnd::Stopped);
                self.after(
                    super::device::IDLE_TIMEOUT_MS,
                    Event::Lost {
                        session: number,
                        at_server: true,
                    },
                );
            }
            FaultKind::StreamReset => {
                let now_ms = self.now_ms;
                let up = self.random.percent(50);
                if let Some(session) = self.sessions.get_mut(&number) {
                    let pipe = if up { &mut session.up } else { &mut session.down };
                    pipe.reset(now_ms);
                }
                self.expect(number, up);
                let other = super::device::IDLE_TIMEOUT_MS;
                self.after(
                    other,
                    Event::Lost {
                        session: number,
                        at_server: !up,
                    },
                );
            }
            _ => {
                let (device, server) = (self.random.percent(70), self.random.percent(50));
                self.cut_connection(number, device, server);
            }
        }
        true
    }

    /// The device's side ends, and the server hears nothing of it.
    fn near_ends_unheard(&mut self, number: u64, end: NearEnd) {
        let Some(session) = self.sessions.get(&number) else {
            return;
        };
        let index = session.device;
        self.near_dropped(number, SessionEnd::Lost, false);
        if self.devices[index].agent.session == Some(number) {
            self.agent_after(index, &end);
        }
    }

    /// The connection is gone with all that was under way. A side that is not told finds out by silence.
    pub(super) fn cut_connection(&mut self, number: u64, tells_device: bool, tells_server: bool) {
        let Some(session) = self.sessions.get_mut(&number) else {
            return;
        };
        session.up.lose();
        session.down.lose();
        for (tells, at_server) in [(tells_device, false), (tells_server, true)] {
            let delay = if tells { 5 } else { super::device::IDLE_TIMEOUT_MS };
            self.after(
                delay,
                Event::Lost {
                    session: number,
                    at_server,
                },
            );
        }
    }

    fn inject_partition(&mut self, kind: FaultKind) -> bool {
        let Some(index) = self.some_device() else {
            return false;
        };
        let length_ms = match kind {
            FaultKind::UdpBlocked => self.random.between(1, 6) * 3_600_000,
            _ => self.random.between(1_000, 40 * 60_000),
        } as i64;
        let (up, down) = match kind {
            FaultKind::PartitionOneWay => [(true, false), (false, true)][self.random.below(2) as usize],
            _ => (true, true),
        };
        let until_ms = self.now_ms + length_ms;
        self.fault(kind, site(index), format!("for {} s", length_ms / 1_000));
        self.block_link(index, up, down, until_ms);
        self.at(
            until_ms,
            Event::Mend {
                mend: Mend::Link(index),
            },
        );
        true
    }

    /// Every link is cut at some time and mended at another, in random order.
    fn inject_swizzle(&mut self) -> bool {
        self.fault(
            FaultKind::SwizzleClog,
            Site::Server,
            "every link in turn".to_owned(),
        );
        for index in 0..self.devices.len() {
            let until_ms = self.now_ms + self.random.between(1_000, 15 * 60_000) as i64;
            self.block_link(index, true, true, until_ms);
            self.at(
                until_ms,
                Event::Mend {
                    mend: Mend::Link(index),
                },
            );
        }
        true
    }

    fn inject_clock(&mut self, kind: FaultKind) -> bool {
        let Some(place) = self.somewhere() else {
            return false;
        };
        let by_ms = match kind {
            FaultKind::ClockJumpBack => -(self.random.between(1, 1_440) as i64 * MINUTE_MS),
            FaultKind::ClockJumpForward => self.random.between(1, 365 * 1_440) as i64 * MINUTE_MS,
            FaultKind::ClockReset => {
                let shows = match place {
                    Site::Device(device) => self.devices[device.0].clock.shows(self.now_ms),
                    Site::Server => self.server.clock.shows(self.now_ms),
                };
                -shows
            }
            _ => {
                let hours = self.random.between(1, 8) as i64;
                let now_ms = self.now_ms;
                match place {
                    Site::Device(device) => self.devices[device.0].clock.freeze(now_ms),
                    Site::Server => self.server.clock.freeze(now_ms),
                }
                self.fault(kind, place, format!("stands for {hours} h"));
                self.after(
                    hours * 60 * MINUTE_MS,
                    Event::Mend {
                        mend: Mend::Clock(place),
                    },
                );
                return true;
            }
        };
        self.move_clock(kind, place, by_ms);
        true
    }

    fn move_clock(&mut self, kind: FaultKind, place: Site, by_ms: i64) {
        match place {
            Site::Device(device) => self.devices[device.0].clock.jump(by_ms),
            Site::Server => self.server.clock.jump(by_ms),
        }
        self.fault(kind, place, format!("by {} s", by_ms / 1_000));
        self.tell(What::ClockMoved { site: place, by_ms });
    }

    fn inject_identity(&mut self, kind: FaultKind) -> bool {
        if !self.server.is_up() {
            return false;
        }
        let Some(index) = self.some_device() else {
            return false;
        };
        let (officer, enrolment) = (
            self.devices[index].plan.officer,
            self.devices[index].enrolled.enrolment,
        );
        match kind {
            FaultKind::PostingChanged => {
                let mut beats = self.truth.officers[officer].beats.clone();
                let beat = self.random.below(self.plan.beats.len() as u64) as usize;
                if !beats.remove(&beat) {
                    beats.insert(beat);
                }
                self.fault(
                    kind,
                    site(index),
                    format!("officer {officer}: {} beats", beats.len()),
                );
                self.post(officer, beats);
            }
            FaultKind::RoleChanged => {
                let role = match self.truth.officers[officer].role.as_str() {
                    "PCSO" => "SGT",
                    _ => "PCSO",
                };
                self.fault(kind, site(index), format!("officer {officer} is {role}"));
                self.promote(officer, role);
            }
            FaultKind::Revoked => {
                // One in a world, and never the last.
                let admitted = self
                    .devices
                    .iter()
                    .filter(|device| self.truth.is_admitted(device.enrolled.enrolment));
                let told = self.ended.faults.get(&kind).copied().unwrap_or(0);
                if admitted.count() < 2 || told > 0 {
                    return false;
                }
                self.fault(kind, site(index), "its enrolment".to_owned());
                self.revoke(enrolment);
            }
            _ => {
                if !self.may_have_another() {
                    return false;
                }
                self.fault(kind, site(index), "its officer has a new device".to_owned());
                if self.random.percent(50) {
                    self.revoke(enrolment);
                }
                let plan = self.devices[index].plan.clone();
                self.enrol_another(plan);
            }
        }
        true
    }

    /// True while the world has room for another device.
    pub(super) fn may_have_another(&self) -> bool {
        self.devices.len() < self.plan.devices.len() + DEVICES_MORE_MAX
    }

    /// An officer gets another device, and goes on duty with it.
    pub(super) fn enrol_another(&mut self, plan: DevicePlan) {
        if !self.server.is_up() {
            return;
        }
        let index = self.add_device(DevicePlan {
            absent_days: 0,
            first_day: 0,
            ..plan
        });
        self.plan_shifts_of(index);
        self.on_duty(index, true);
    }

    /// A device that cannot be used any more: its officer enrols anew, and what it had sent is at the server.
    pub(super) fn replace_device(&mut self, index: usize) {
        let device = &mut self.devices[index];
        device.enrolled.given_up = true;
        device.agent.stop();
        device.on_duty = false;
        let (plan, enrolment) = (device.plan.clone(), device.enrolled.enrolment);
        self.tell(What::GivenUp {
            device: DeviceIndex(index),
        });
        let copies = self
            .devices
            .iter()
            .filter(|other| other.enrolled.enrolment == enrolment && !other.enrolled.given_up);
        if copies.count() == 0 && self.server.is_up() {
            self.revoke(enrolment);
        }
        if !self.healing {
            self.enrol_another(plan);
        }
    }

    /// A second machine with a copy of a device's disk.
    pub(super) fn copy_device(&mut self, from: usize, with_anchor: bool) -> usize {
        let image = self.devices[from].disk.image();
        self.copy_device_as(from, &image, with_anchor)
    }

    /// A second machine with what a device's disk was.
    pub(super) fn copy_device_as(&mut self, from: usize, image: &Image, with_anchor: bool) -> usize {
        let index = self.devices.len();
        let original = &self.devices[from];
        let (plan, enrolment, seed) = (
            original.plan.clone(),
            original.enrolled.enrolment,
            original.key_seed,
        );
        let key = super::device::key_of(&seed, plan.p256);
        debug_assert!(key.public_key() == original.enrolled.key);
        let random = crate::random::Random::indexed(self.plan.seed, "copy's own", index as u64);
        let mut device = self.device_with(index, plan, (seed, key), enrolment, random);
        device.enrolled.copy_of = Some(DeviceIndex(from));
        device.clock = self.devices[from].clock;
        device.harmed = self.devices[from].harmed;
        let folder = (!with_anchor).then(|| std::path::Path::new(super::device::STORE));
        device.disk.put_back(image, folder);
        device.on_duty = true;
        let life = device.life;
        self.devices.push(device);
        self.tell(What::Copied {
            from: DeviceIndex(from),
            to: DeviceIndex(index),
        });
        self.after(
            1_000,
            Event::Boot {
                site: site(index),
                life,
            },
        );
        self.plan_shifts_of(index);
        index
    }

    /// What a fault began ends.
    pub(super) fn mend(&mut self, mend: &Mend) {
        match mend {
            Mend::Link(index) => self.link_is_back(*index),
            Mend::Clock(Site::Device(device)) => self.devices[device.0].clock.thaw(self.now_ms),
            Mend::Clock(Site::Server) => self.server.clock.thaw(self.now_ms),
            Mend::Disk(place) => self.mend_disk(*place),
        }
    }
}

const DEVICES_MORE_MAX: usize = 3;
const MINUTE_MS: i64 = 60_000;
const YEAR_MS: i64 = 365 * 24 * 60 * MINUTE_MS;
