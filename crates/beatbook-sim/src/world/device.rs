//! A device: its disk, its store, its clock, and what a shell does around the core: lease, open, close, die.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use beatbook_core::device::{DeviceEnv, reopen_after_loss, reopen_books};
use beatbook_core::ledger::{self, Book, CheckNothing, Identity, LedgerError};
use beatbook_core::store::{Durable, StoreError, Transaction};
use beatbook_proto::{Code, EnrolmentId, ReplicaId, Signer, SigningKey};
use beatbook_store_sled::{
    AnchorPlace, AnchorState, Leases, ModelEngine, OpenError, OpenReport, Options, Solo, Unlock,
};

use super::agent::Agent;
use super::mending::Held;
use super::shift::Work;
use super::{Event, World, site};
use crate::clock::Clock;
use crate::disk::{Image, Loss, SimDisk};
use crate::fact::{DeviceIndex, OpenedWhy, RegisterChange, SessionEnd, What};
use crate::fault::FaultKind;
use crate::link::Weather;
use crate::mark::Mark;
use crate::observe::Enrolled;
use crate::plan::DevicePlan;
use crate::random::Random;

/// One device.
pub(super) struct Device {
    pub(super) enrolled: Enrolled,
    pub(super) identity: Identity,
    pub(super) key: SigningKey,
    pub(super) key_seed: [u8; 32],
    pub(super) plan: DevicePlan,
    pub(super) disk: SimDisk,
    pub(super) draws: Arc<Draws>,
    pub(super) store: Option<Solo>,
    pub(super) clock: Clock,
    pub(super) random: Random,
    /// Counts deaths: what was meant for an earlier life has no effect.
    pub(super) life: u64,
    pub(super) agent: Agent,
    pub(super) weather: Weather,
    pub(super) work: Work,
    /// The officer is on duty.
    pub(super) on_duty: bool,
    /// It sleeps until then.
    pub(super) asleep_until_ms: i64,
    /// Copies taken of it, with their time and what was in them.
    pub(super) copies: Vec<Copied>,
    /// How its disk loses writes when the process dies next; `None` if only the process dies.
    pub(super) loss: Option<Loss>,
    /// A fault has harmed what is on its disk: that it does not open is no surprise.
    pub(super) harmed: bool,
    /// What it held when its process last ended after that.
    pub(super) held: Option<Held>,
    /// Milliseconds that an operation of its disk takes.
    pub(super) disk_ms: i64,
    /// It does only what the story of a cell tells.
    pub(super) scripted: bool,
    /// The books open in it, as last told.
    pub(super) open: Option<[ReplicaId; 2]>,
    /// The life in which its store failed while the app went on.
    failed_in: Option<u64>,
}

/// A copy of a store.
pub(super) struct Copied {
    pub(super) at_ms: i64,
    pub(super) image: Image,
    pub(super) contents: std::collections::BTreeSet<super::acted::Content>,
}

/// Where a store draws its keys and nonces: from the seed.
#[derive(Debug)]
pub(super) struct Draws(Mutex<Random>);

impl Draws {
    pub(super) fn new(random: Random) -> Arc<Self> {
        Arc::new(Self(Mutex::new(random)))
    }
}

impl beatbook_store_sled::Random for Draws {
    fn fill(&self, bytes: &mut [u8]) -> std::io::Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).fill(bytes);
        Ok(())
    }
}

impl Device {
    pub(super) fn is_up(&self) -> bool {
        self.store.is_some()
    }

    pub(super) fn options(&self) -> Options {
        options(&self.disk, &self.draws, AnchorPlace::At(ANCHOR.into()))
    }

    pub(super) fn unlock(&self) -> Unlock {
        Unlock::keystore(self.key_seed)
    }
}

/// Options of a store on a simulated disk: small segments, so that a day has many of them.
pub(super) fn options(disk: &SimDisk, draws: &Arc<Draws>, anchor: AnchorPlace) -> Options {
    Options {
        anchor,
        segment_bytes: 24 << 10,
        checkpoint_bytes: 40 << 10,
        free_bytes_min: 1 << 20,
        disk: Arc::new(disk.clone()),
        engine: Arc::new(ModelEngine {
            buffer_bytes: 2 << 10,
        }),
        random: draws.clone(),
        ..Options::default()
    }
}

impl World<'_> {
    /// Enrols a new device of an officer of the plan; its books are open.
    pub(super) fn add_device(&mut self, plan: DevicePlan) -> usize {
        let index = self.devices.len();
        let seed = self.plan.seed;
        let mut random = Random::indexed(seed, "device's own", index as u64);
        let key_seed: [u8; 32] = random.bytes();
        let key = key_of(&key_seed, plan.p256);
        let enrolment = EnrolmentId::from_bytes(self.fresh_id());
        self.admit(enrolment, plan.officer, key.public_key());
        let device = self.device_with(index, plan, (key_seed, key), enrolment, random);
        self.devices.push(device);
        // On a full disk it is entered later.
        if self.write_register().is_some() {
            let (device, change) = (DeviceIndex(index), |device| RegisterChange::Enrolled {
                device,
                enrolment,
            });
            self.tell(What::RegisterChanged {
                change: change(device),
            });
        }
        self.found_device(index);
        index
    }

    /// A device with an empty disk.
    pub(super) fn device_with(
        &mut self,
        index: usize,
        plan: DevicePlan,
        (key_seed, key): ([u8; 32], SigningKey),
        enrolment: EnrolmentId,
        random: Random,
    ) -> Device {
        let (seed, officer) = (self.plan.seed, self.truth.officers[plan.officer].id);
        let identity = Identity {
            force: code("52"),
            officer,
            enrolment,
            key: key.public_key(),
        };
        let enrolled = Enrolled {
            officer,
            officer_index: plan.officer,
            enrolment,
            key: key.public_key(),
            copy_of: None,
            given_up: false,
        };
        let lane = index as u64;
        Device {
            enrolled,
            identity,
            key,
            key_seed,
            weather: self.weather_of(&plan, lane),
            agent: Agent::new(plan.live),
            plan,
            disk: SimDisk::new(Random::indexed(seed, "disk", lane)),
            draws: Draws::new(Random::indexed(seed, "store", lane)),
            store: None,
            clock: Clock::default(),
            random,
            life: 0,
            work: Work::default(),
            on_duty: false,
            asleep_until_ms: 0,
            copies: Vec::new(),
            loss: None,
            harmed: false,
            held: None,
            disk_ms: 2,
            scripted: false,
            open: None,
            failed_in: None,
        }
    }

    fn found_device(&mut self, index: usize) {
        let device = &mut self.devices[index];
        let made = Solo::create(STORE, &device.unlock(), device.options());
        match made {
            Ok((store, _)) => device.store = Some(store),
            Err(error) => {
                self.broken(OPENS, format!("device {index}: a new store is not made: {error}"));
                return;
            }
        }
        let opened = self.device_commit(index, |tx, env, leases| {
            ledger::open_books(tx, env.identity, env.fresh, env.now)?;
            cover(leases, tx)
        });
        match opened {
            Some(Ok(_)) => self.tell_books(index, OpenedWhy::FirstUse),
            other => self.broken(OPENS, format!("device {index}: no first book: {other:?}")),
        }
    }

    /// Runs `work` in a commit of a device's store. `None` where it is down, or died over it.
    pub(super) fn device_commit<T, E: From<StoreError>>(
        &mut self,
        index: usize,
        work: impl FnOnce(&mut Transaction<'_>, &DeviceEnv<'_>, &Leases) -> Result<T, E>,
    ) -> Option<Result<Durable<T>, E>> {
        let fresh = [self.fresh_id(), self.fresh_id()].map(ReplicaId::from_bytes);
        let now_ms = self.now_ms;
        let device = &mut self.devices[index];
        let store = device.store.as_mut()?;
        let (leases, seed) = (store.leases(), device.random.bytes());
        let env = DeviceEnv {
            identity: &device.identity,
            signer: &device.key,
            server_key: &self.server.public,
            // The server has judged what it sends.
            check: &CheckNothing,
            seed,
            fresh,
            now: device.clock.stamp(now_ms),
        };
        let leased = |leases: &Leases, open: Option<[ReplicaId; 2]>| {
            open.map(|open| open.map(|replica| leases.leased(*replica.as_bytes()).unwrap_or(0)))
        };
        let before = leased(&leases, device.open);
        let done = store.commit(|tx| work(tx, &env, &leases));
        if device.disk.is_dead() {
            self.device_dies(index);
            return None;
        }
        let after = leased(&leases, self.devices[index].open);
        if before != after
            && let (Some(open), Some(before), Some(after)) = (self.devices[index].open, before, after)
        {
            for ((replica, before), after) in open.into_iter().zip(before).zip(after) {
                if after > before {
                    self.reach(Mark::LeaseRaised);
                    self.tell(What::LeaseRaised {
                        device: DeviceIndex(index),
                        replica,
                        upto: after,
                    });
                }
            }
        }
        Some(done)
    }

    /// What a shell does about a failure of its store: a full disk passes, anything else needs the store opened again.
    pub(super) fn device_store_failed(&mut self, index: usize, error: &StoreError) {
        if matches!(error, StoreError::DiskFull) || !self.devices[index].is_up() {
            return;
        }
        if matches!(error, StoreError::Corrupt { .. }) {
            self.reach(Mark::DamageNoticed);
            self.tell(What::DamageNoticed {
                site: site(index),
                said: error.to_string(),
            });
        }
        let delay = self.devices[index].random.between(1_000, 60_000) as i64;
        self.kill_device(index, None, delay);
    }

    /// What an app does about a write that failed. One that goes on is started again after a while: until then its store has
    /// to refuse what it is asked to keep.
    pub(super) fn device_write_failed(&mut self, index: usize, error: &StoreError) {
        let passes = matches!(error, StoreError::DiskFull | StoreError::Corrupt { .. });
        if !self.plan.goes_on || passes || !self.devices[index].is_up() {
            return self.device_store_failed(index, error);
        }
        let life = self.devices[index].life;
        if self.devices[index].failed_in.replace(life) != Some(life) {
            let delay = self.devices[index].random.between(1_000, 60 * 60_000) as i64;
            self.after(delay, Event::Restart { device: index, life });
        }
    }

    /// Someone starts an app again whose store has failed.
    pub(super) fn restart(&mut self, index: usize, life: u64) {
        if self.devices[index].life == life && self.devices[index].is_up() {
            self.kill_device(index, None, 1_000);
        }
    }

    /// The process has died at an operation of its disk.
    pub(super) fn device_dies(&mut self, index: usize) {
        let loss = self.devices[index].loss;
        let delay = self.devices[index].random.between(500, 20 * 60_000) as i64;
        self.kill_device(index, loss, delay);
    }

    /// The process ends: killed, or with power cut in this way. It starts again after a while.
    pub(super) fn kill_device(&mut self, index: usize, loss: Option<Loss>, boot_in_ms: i64) {
        self.note_held(site(index));
        let device = &mut self.devices[index];
        device.store = None;
        match loss {
            Some(loss) => device.disk.cut_power(loss),
            None => {
                device.disk.kill();
                0
            }
        };
        device.loss = None;
        device.life += 1;
        device.agent.stop();
        device.work.forms_are_lost();
        let life = device.life;
        self.tell(What::Crashed {
            site: site(index),
            power: loss.is_some(),
        });
        let held: Vec<u64> = self
            .sessions
            .iter()
            .filter(|(_, session)| session.device == index)
            .map(|(id, _)| *id)
            .collect();
        for id in held {
            self.near_dropped(id, SessionEnd::Dropped, false);
            if let Some(session) = self.sessions.get_mut(&id) {
                session.ops.clear();
            }
            // The server hears nothing more of it, and finds out when it has waited long enough.
            self.after(
                IDLE_TIMEOUT_MS,
                Event::Lost {
                    session: id,
                    at_server: true,
                },
            );
        }
        self.after(
            boot_in_ms,
            Event::Boot {
                site: site(index),
                life,
            },
        );
    }

    /// The process starts and opens its store.
    pub(super) fn boot_device(&mut self, index: usize, life: u64) {
        let device = &mut self.devices[index];
        if device.life != life || device.is_up() || device.enrolled.given_up {
            return;
        }
        if self.plan.has(FaultKind::KillInRecovery) && !self.healing && device.random.percent(40) {
            let after = device.random.below(40);
            device.disk.die_after(after, device.random.percent(50));
            device.loss = device.random.percent(50).then_some(Loss::Sectors);
        }
        let opened = Solo::open(STORE, &device.unlock(), device.options());
        if device.disk.is_dead() {
            drop(opened);
            self.reach(Mark::KilledInRecovery);
            self.tell(What::FaultInjected {
                kind: FaultKind::KillInRecovery,
                site: site(index),
                detail: "while its store was opened".to_owned(),
            });
            self.device_dies(index);
            return;
        }
        device.disk.forgive();
        match opened {
            Ok((store, report)) => {
                device.store = Some(store);
                self.device_opened(index, &report);
            }
            Err(error) => self.device_refused(index, &error),
        }
    }

    fn device_opened(&mut self, index: usize, report: &OpenReport) {
        if report.cut_bytes > 0 && report.replayed > 0 {
            self.reach(Mark::ReplayedAfterTornTail);
        }
        let lost = report.rebuilt.as_ref().and_then(|rebuilt| rebuilt.lost_before);
        if let Some(rebuilt) = &report.rebuilt {
            self.reach(Mark::IndexRebuilt);
            let said = format!("the index was made anew: {}", rebuilt.why);
            self.tell(What::DamageNoticed {
                site: site(index),
                said,
            });
        }
        self.tell_fallen_back(site(index), report);
        self.tell(What::Reopened {
            site: site(index),
            report: told(report),
        });
        if lost.is_some() && !report.lost {
            self.broken(
                OPENS,
                format!("device {index}: the journal does not reach back, and nobody asked to go on"),
            );
        }
        if self.open_books(index).is_none() {
            // A notebook says that it is not enrolled: what is left is from before that.
            return self.device_is_no_notebook(index, report.lost);
        }
        let why = match report.anchor {
            _ if report.lost => Some(OpenedWhy::Repaired),
            AnchorState::Mismatch { .. } | AnchorState::Missing => Some(OpenedWhy::AnchorMismatch),
            AnchorState::Matches if self.is_over_lease(index) => Some(OpenedWhy::BeyondLease),
            _ => None,
        };
        if let Some(why) = why {
            if why != OpenedWhy::Repaired {
                self.reach(Mark::AnchorMismatch);
            }
            if !self.renew_books(index, why) {
                return;
            }
        }
        if self.devices[index].on_duty {
            self.start_agent(index);
        }
    }

    /// `lost` where a repair said that something is in no copy: the opening of its books may be part of it.
    fn device_is_no_notebook(&mut self, index: usize, lost: bool) {
        if !self.devices[index].harmed && !lost {
            return self.broken(OPENS, format!("device {index}: an unharmed store holds no book"));
        }
        self.reach(Mark::DamageNoticed);
        self.tell(What::DamageNoticed {
            site: site(index),
            said: "it holds no book".to_owned(),
        });
        self.devices[index].store = None;
        self.replace_device(index);
    }

    /// Opens new books, as the field does where a store may have issued numbers that it does not remember.
    fn renew_books(&mut self, index: usize, why: OpenedWhy) -> bool {
        let renewed = self.device_commit(index, |tx, env, _| match why {
            OpenedWhy::Repaired => reopen_after_loss(tx, env),
            _ => reopen_books(tx, env),
        });
        if !self.went_well(index, renewed) {
            return false;
        }
        // Only then: a crash in between shows the mismatch again.
        let device = &mut self.devices[index];
        let adopted = device.store.as_mut().map(Solo::adopt_anchor);
        if device.disk.is_dead() {
            self.device_dies(index);
            return false;
        }
        if let Some(Err(error)) = adopted {
            self.device_store_failed(index, &error);
            return false;
        }
        let covered = self.device_commit(index, |tx, _, leases| cover(leases, tx));
        if !self.went_well(index, covered) {
            return false;
        }
        self.tell_books(index, why);
        true
    }

    fn went_well(&mut self, index: usize, done: Option<Result<Durable<()>, LedgerError>>) -> bool {
        match done {
            None => false,
            Some(Ok(_)) => true,
            Some(Err(LedgerError::Store(error))) => {
                // Opening ends here; it is tried again.
                let error = match error {
                    StoreError::DiskFull => StoreError::Io {
                        reason: "full while opening".to_owned(),
                    },
                    other => other,
                };
                self.device_store_failed(index, &error);
                false
            }
            Some(Err(error)) => {
                self.broken(OPENS, format!("device {index}: books are not opened: {error}"));
                false
            }
        }
    }

    fn is_over_lease(&self, index: usize) -> bool {
        let Some(store) = &self.devices[index].store else {
            return false;
        };
        let Ok(books) = store.read(ledger::own_books) else {
            return false;
        };
        let over = |book: &Book| {
            let leased = store.leased(*book.replica().as_bytes()).unwrap_or(0);
            !book.closed && book.held > leased.max(1)
        };
        books.iter().any(over)
    }

    /// A store did not open.
    fn device_refused(&mut self, index: usize, error: &OpenError) {
        let said = error.to_string();
        self.tell(What::OpenRefused {
            site: site(index),
            said: said.clone(),
        });
        // A disk that is full, or failed once, is tried again.
        let failed = self.devices[index].disk.take_failed_syncs() > 0;
        let full = self.devices[index].disk_is_full() || failed;
        if !self.devices[index].harmed && !full {
            self.broken(
                OPENS,
                format!("device {index}: an unharmed store does not open: {said}"),
            );
            return;
        }
        if full {
            let life = self.devices[index].life;
            self.after(
                60_000,
                Event::Boot {
                    site: site(index),
                    life,
                },
            );
            return;
        }
        self.reach(Mark::DamageNoticed);
        self.tell(What::DamageNoticed {
            site: site(index),
            said,
        });
        // Some officers ask for another device at once.
        let repairs = self.healing || self.devices[index].random.percent(70);
        if !(repairs && self.repair_device(index)) {
            self.replace_device(index);
        }
    }

    /// Tells which books are open, where that has changed.
    pub(super) fn tell_books(&mut self, index: usize, why: OpenedWhy) {
        let open = self.open_books(index);
        if let Some(replicas) = open.filter(|_| open != self.devices[index].open) {
            self.devices[index].open = open;
            self.tell(What::BooksOpened {
                device: DeviceIndex(index),
                replicas,
                why,
            });
        }
    }

    fn open_books(&self, index: usize) -> Option<[ReplicaId; 2]> {
        let store = self.devices[index].store.as_ref()?;
        let own = store.read(ledger::own_books).ok()?;
        let mut open = own.iter().filter(|book| !book.closed).map(Book::replica);
        // Books stand before traces; those that carry on another's re-issues are not written to by the officer.
        Some([open.next()?, open.next_back()?])
    }
}

/// As the field does: every number used is leased, and some more, before the commit ends.
pub(super) fn cover(leases: &Leases, tx: &Transaction<'_>) -> Result<(), LedgerError> {
    for book in ledger::own_books(tx)?.iter().filter(|book| !book.closed) {
        cover_book(leases, book)?;
    }
    Ok(())
}

pub(super) fn cover_book(leases: &Leases, book: &Book) -> Result<(), LedgerError> {
    let replica = *book.replica().as_bytes();
    let leased = leases.leased(replica).unwrap_or(0);
    if leased >= book.held.saturating_add(MARGIN) {
        return Ok(());
    }
    match leases.lease(replica, book.held.saturating_add(AHEAD)) {
        // The lease goes on for a while.
        Err(_) if leased >= book.held => Ok(()),
        leased => Ok(leased?),
    }
}

/// An Ed25519 key, or a P-256 key as a phone's secure hardware has it.
pub(super) fn key_of(seed: &[u8; 32], p256: bool) -> SigningKey {
    let mut der = P256_PKCS8_HEAD.to_vec();
    der.extend_from_slice(seed);
    let key = p256.then(|| SigningKey::p256_from_pkcs8(&der).ok()).flatten();
    key.unwrap_or_else(|| SigningKey::ed25519_from_seed(seed))
}

pub(super) fn code(word: &str) -> Code {
    Code::new(word).unwrap_or_else(|_| unreachable!("the simulator's own words are codes"))
}

/// What the open report says, for the story.
pub(super) fn told(report: &OpenReport) -> String {
    format!(
        "anchor {:?}, {} bytes cut, {} replayed{}, sequence {}",
        report.anchor,
        report.cut_bytes,
        report.replayed,
        if report.rebuilt.is_some() {
            ", index made anew"
        } else {
            ""
        },
        report.sequence
    )
}

impl Device {
    pub(super) fn disk_is_full(&self) -> bool {
        use beatbook_store_sled::Disk;
        self.disk.free_bytes(Path::new(STORE)).is_ok_and(|free| free == 0)
    }
}

/// The name of the promise that a store opens.
pub(super) const OPENS: &str = "a store opens after whatever was survived";
/// Where a store is on its disk.
pub(super) const STORE: &str = "/book";
/// Where its anchor is.
pub(super) const ANCHOR: &str = "/anchor";
/// How long a connection is silent before a side takes it for gone.
pub(super) const IDLE_TIMEOUT_MS: i64 = 30_000;
/// How many numbers are leased ahead, and from which rest on: fewer than the field does, so that a day needs several.
const AHEAD: u64 = 16;
const MARGIN: u64 = 8;
/// The shortest PKCS#8 form of a P-256 secret, up to the secret itself.
const P256_PKCS8_HEAD: [u8; 35] = [
    0x30, 0x41, 0x02, 0x01, 0x00, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06,
    0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x04, 0x27, 0x30, 0x25, 0x02, 0x01, 0x01, 0x04,
    0x20,
];
