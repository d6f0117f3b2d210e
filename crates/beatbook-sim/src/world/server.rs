//! The server: its disk, its store, its one committer, its backups.

use std::cell::RefCell;
use std::sync::Arc;

use beatbook_core::ledger::{self, LedgerError};
use beatbook_core::server::{self, ServerOp, ServerReply};
use beatbook_core::store::{Durable, Read, StoreError, Transaction};
use beatbook_proto::frame::{Hello, Welcome};
use beatbook_proto::{EnrolmentId, EpochId, PublicKey, ReplicaId, Signer, SigningKey, Standing, Verdict};
use beatbook_server::policy::{self, Desk};
use beatbook_store_sled::{AnchorPlace, Job, OpenError, Solo, Store, Unlock};

use super::device::{Draws, OPENS, STORE, options, told};
use super::mending::Held;
use super::register::Truth;
use super::{Event, World, session_index};
use crate::clock::Clock;
use crate::disk::{Image, Loss, SimDisk};
use crate::fact::{Compared, DeviceIndex, Site, What};
use crate::fault::FaultKind;
use crate::mark::Mark;
use crate::random::Random;

/// The one server.
pub(super) struct Server {
    pub(super) key: SigningKey,
    pub(super) public: PublicKey,
    pub(super) tag_key: [u8; 32],
    pub(super) disk: SimDisk,
    draws: Arc<Draws>,
    pub(super) store: Option<Solo>,
    pub(super) clock: Clock,
    pub(super) random: Random,
    pub(super) life: u64,
    jobs: Vec<Asked>,
    /// Its committer is on the calendar.
    commits: bool,
    pub(super) loss: Option<Loss>,
    /// A fault has harmed what is on its disk.
    pub(super) harmed: bool,
    /// What it held when its process last ended after that.
    pub(super) held: Option<Held>,
    pub(super) disk_ms: i64,
    pub(super) backups: Vec<Backup>,
    /// Images of its disk, for a rollback that nothing announces.
    pub(super) images: Vec<(
        i64,
        Image,
        std::collections::BTreeSet<super::acted::Content>,
        Truth,
    )>,
    epoch: Option<EpochId>,
}

/// A backup, proved.
pub(super) struct Backup {
    pub(super) at_ms: i64,
    pub(super) bytes: Vec<u8>,
    pub(super) contents: std::collections::BTreeSet<super::acted::Content>,
}

/// An operation that waits for the committer.
struct Asked {
    session: u64,
    peer: EnrolmentId,
    key: PublicKey,
    op: ServerOp,
}

impl Server {
    pub(super) fn new(seed: u64) -> Self {
        let mut random = Random::new(seed, "server");
        let key = SigningKey::ed25519_from_seed(&random.bytes());
        Self {
            public: key.public_key(),
            key,
            tag_key: random.bytes(),
            disk: SimDisk::new(Random::new(seed, "server's disk")),
            draws: Draws::new(Random::new(seed, "server's store")),
            store: None,
            clock: Clock::default(),
            random,
            life: 0,
            jobs: Vec::new(),
            commits: false,
            loss: None,
            harmed: false,
            held: None,
            disk_ms: 2,
            backups: Vec::new(),
            images: Vec::new(),
            epoch: None,
        }
    }

    pub(super) fn is_up(&self) -> bool {
        self.store.is_some()
    }

    fn options(&self) -> beatbook_store_sled::Options {
        options(&self.disk, &self.draws, AnchorPlace::Nowhere)
    }
}

impl World<'_> {
    /// Makes the server: an empty store, the first epoch, the register.
    pub(super) fn found_server(&mut self) {
        match Solo::create(STORE, &unlock(), self.server.options()) {
            Ok((store, _)) => self.server.store = Some(store),
            Err(error) => {
                self.broken(OPENS, format!("the server's new store is not made: {error}"));
                return;
            }
        }
        self.mint_epoch();
        if !matches!(self.write_register(), Some(Ok(()))) {
            self.broken(OPENS, "the first register is not written".to_owned());
        }
    }

    pub(super) fn mint_epoch(&mut self) -> bool {
        let epoch = EpochId::from_bytes(self.fresh_id());
        let minted = self.server_commit(move |tx| server::mint_epoch(tx, epoch));
        if !matches!(minted, Some(Ok(()))) {
            return false;
        }
        self.server.epoch = Some(epoch);
        self.tell(What::EpochMinted {
            epoch,
            by_itself: false,
        });
        true
    }

    /// Runs `work` in a commit of the server's store. `None` where it is down, or died over it.
    pub(super) fn server_commit<T>(
        &mut self,
        work: impl FnOnce(&mut Transaction<'_>) -> Result<T, LedgerError>,
    ) -> Option<Result<T, LedgerError>> {
        let store = self.server.store.as_mut()?;
        let done = store.commit(work).map(Durable::into_inner);
        if self.server.disk.is_dead() {
            self.server_dies();
            return None;
        }
        if let Err(LedgerError::Store(error)) = &done {
            self.server_store_failed(error);
        }
        Some(done)
    }

    pub(super) fn server_submits(&mut self, session: u64, peer: EnrolmentId, key: PublicKey, op: ServerOp) {
        self.server.jobs.push(Asked {
            session,
            peer,
            key,
            op,
        });
        if !std::mem::replace(&mut self.server.commits, true) {
            let (delay, life) = (self.server.disk_ms, self.server.life);
            self.after(delay, Event::ServerCommit { life });
        }
    }

    /// The committer takes what has gathered: one frame, one fsync, then the answers in order.
    pub(super) fn server_commits(&mut self, life: u64) {
        if self.server.life != life {
            return;
        }
        self.server.commits = false;
        let asked = std::mem::take(&mut self.server.jobs);
        if asked.iter().any(|job| job.session != asked[0].session) {
            self.reach(Mark::GroupCommit);
        }
        let epochs: Vec<EpochId> = asked
            .iter()
            .map(|_| EpochId::from_bytes(self.fresh_id()))
            .collect();
        let now_ms = self.server.clock.shows(self.now_ms);
        let answers = RefCell::new(Vec::new());
        let Server {
            store, key, tag_key, ..
        } = &mut self.server;
        let Some(store) = store.as_mut() else { return };
        let jobs = asked.iter().zip(&epochs).map(|(job, epoch)| {
            let desk = Desk {
                signer: key,
                tag_key,
                now_ms,
                fresh_epoch: *epoch,
            };
            Job::new(
                move |tx| policy::execute(tx, &desk, (job.peer, &job.key), job.op.clone()),
                |answer| answers.borrow_mut().push(answer),
            )
        });
        store.commit_group(jobs.collect());
        let answers: Vec<Result<Durable<ServerReply>, LedgerError>> = answers.into_inner();
        if self.server.disk.is_dead() {
            if answers.iter().any(Result::is_ok) {
                self.reach(Mark::ServerDiedAfterCommit);
            }
            self.server_dies();
            return;
        }
        let failed = answers.iter().find_map(|answer| match answer {
            Err(LedgerError::Store(error)) => Some(error.clone()),
            _ => None,
        });
        if answers.len() != asked.len() {
            self.broken(
                "every job of a group is answered",
                format!("{} of {}", answers.len(), asked.len()),
            );
        }
        for (job, answer) in asked.into_iter().zip(answers) {
            if let Ok(reply) = &answer {
                self.server_has_done(&job, reply);
            }
            self.far_replied(job.session, answer);
        }
        if let Some(error) = failed {
            self.server_store_failed(&error);
        }
    }

    /// Tells what a commit of the server made durable.
    fn server_has_done(&mut self, job: &Asked, reply: &ServerReply) {
        let device = self
            .sessions
            .get(&job.session)
            .map(|session| DeviceIndex(session.device));
        match (reply, &job.op) {
            (ServerReply::RunAccepted { grown, .. }, ServerOp::AcceptRun { run, .. }) => {
                self.news += u64::from(!grown.is_empty());
                let claim = &run.seal().claim;
                if let Some(device) = device {
                    self.tell(What::RunAccepted {
                        session: session_index(job.session),
                        device,
                        replica: claim.replica,
                        run: (claim.first, claim.last),
                    });
                }
            }
            (ServerReply::PartAccepted(grown), _) => self.news += u64::from(!grown.is_empty()),
            (ServerReply::Greeted(greeted), op) => {
                if let (Some(device), ServerOp::Greet { hello, .. }) = (device, op) {
                    let books = compared(hello, &greeted.welcome);
                    self.tell(What::Greeted { device, books });
                }
                let epoch = greeted.welcome.epoch;
                if self.server.epoch.replace(epoch) != Some(epoch) {
                    self.news += 1;
                    self.reach(Mark::EpochMintedByItself);
                    self.tell(What::EpochMinted {
                        epoch,
                        by_itself: true,
                    });
                }
            }
            _ => {}
        }
    }

    pub(super) fn marks_of_verdicts(&mut self, verdicts: &[Verdict]) {
        for verdict in verdicts {
            match verdict.standing {
                Standing::WAITING => self.reach(Mark::Waiting),
                Standing::QUARANTINED_DOT_TAKEN => self.reach(Mark::DotTaken),
                standing if standing.is_quarantined() => self.reach(Mark::Quarantined),
                _ => {}
            }
        }
    }

    /// What a shell does about a failure of the server's store: a full disk passes, else it is opened again.
    fn server_store_failed(&mut self, error: &StoreError) {
        if matches!(error, StoreError::DiskFull) || !self.server.is_up() {
            return;
        }
        if matches!(error, StoreError::Corrupt { .. }) {
            self.reach(Mark::DamageNoticed);
            self.tell(What::DamageNoticed {
                site: Site::Server,
                said: error.to_string(),
            });
        }
        let delay = self.server.random.between(5_000, 120_000) as i64;
        self.kill_server(None, delay);
    }

    fn server_dies(&mut self) {
        let loss = self.server.loss;
        let delay = self.server.random.between(1_000, 15 * 60_000) as i64;
        self.kill_server(loss, delay);
    }

    /// The process ends; every session loses its server's side without a word.
    pub(super) fn kill_server(&mut self, loss: Option<Loss>, boot_in_ms: i64) {
        self.note_held(Site::Server);
        self.server.store = None;
        match loss {
            Some(loss) => {
                self.server.disk.cut_power(loss);
            }
            None => self.server.disk.kill(),
        }
        self.server.loss = None;
        self.server.life += 1;
        self.server.jobs.clear();
        self.server.commits = false;
        let life = self.server.life;
        self.tell(What::Crashed {
            site: Site::Server,
            power: loss.is_some(),
        });
        let held: Vec<u64> = self.sessions.keys().copied().collect();
        for session in held {
            self.far_ends(session, None);
            // A server that is back answers packets of its former life with a reset; else silence tells.
            let heard = self.server.random.between(500, 30_000) as i64;
            self.after(
                heard,
                Event::Lost {
                    session,
                    at_server: false,
                },
            );
        }
        self.after(
            boot_in_ms,
            Event::Boot {
                site: Site::Server,
                life,
            },
        );
    }

    pub(super) fn boot_server(&mut self, life: u64) {
        if self.server.life != life || self.server.is_up() {
            return;
        }
        if self.plan.has(FaultKind::KillInRecovery) && !self.healing && self.server.random.percent(40) {
            let after = self.server.random.below(60);
            self.server.disk.die_after(after, self.server.random.percent(50));
            self.server.loss = self.server.random.percent(50).then_some(Loss::Sectors);
        }
        let opened = Solo::open(STORE, &unlock(), self.server.options());
        if self.server.disk.is_dead() {
            drop(opened);
            self.reach(Mark::KilledInRecovery);
            self.tell(What::FaultInjected {
                kind: FaultKind::KillInRecovery,
                site: Site::Server,
                detail: "while its store was opened".to_owned(),
            });
            self.server_dies();
            return;
        }
        self.server.disk.forgive();
        match opened {
            Ok((store, report)) => {
                self.server.store = Some(store);
                if report.cut_bytes > 0 && report.replayed > 0 {
                    self.reach(Mark::ReplayedAfterTornTail);
                }
                if let Some(rebuilt) = &report.rebuilt {
                    self.reach(Mark::IndexRebuilt);
                    let said = format!("the index was made anew: {}", rebuilt.why);
                    self.tell(What::DamageNoticed {
                        site: Site::Server,
                        said,
                    });
                }
                self.tell_fallen_back(Site::Server, &report);
                self.tell(What::Reopened {
                    site: Site::Server,
                    report: told(&report),
                });
                // An administrator enters again what a crash or a restore has taken from the register.
                self.write_register();
            }
            Err(error) => self.server_refused(&error),
        }
    }

    fn server_refused(&mut self, error: &OpenError) {
        let said = error.to_string();
        self.tell(What::OpenRefused {
            site: Site::Server,
            said: said.clone(),
        });
        use beatbook_store_sled::Disk;
        let full = self
            .server
            .disk
            .free_bytes(STORE.as_ref())
            .is_ok_and(|free| free == 0);
        if full || self.server.disk.take_failed_syncs() > 0 {
            let life = self.server.life;
            self.after(
                60_000,
                Event::Boot {
                    site: Site::Server,
                    life,
                },
            );
            return;
        }
        if !self.server.harmed {
            self.broken(
                OPENS,
                format!("the server's unharmed store does not open: {said}"),
            );
            return;
        }
        self.reach(Mark::DamageNoticed);
        self.tell(What::DamageNoticed {
            site: Site::Server,
            said,
        });
        self.restore_server_from_backup();
    }

    /// Makes a backup, proves it by restoring it aside, and marks what it covers as secured: as `beatbookd` does.
    pub(super) fn back_up(&mut self) {
        if self.healing {
            return;
        }
        let again = self.server.random.around(180) as i64 * 60_000;
        self.after(again, Event::Backup);
        self.back_up_now();
    }

    /// Makes a backup, unless the server is down or dies over it.
    pub(super) fn back_up_now(&mut self) {
        let Some(store) = &self.server.store else { return };
        let mut bytes = Vec::new();
        let made = store.backup(&mut bytes, &mut |_| {});
        let contents = store.read(super::acted::contents);
        if self.server.disk.is_dead() {
            self.server_dies();
            return;
        }
        let Ok(report) = made else {
            return;
        };
        let proved = self.restored_aside(&bytes);
        let positions = match proved.map(|store| store.read(server_positions)) {
            Some(Ok(positions)) => positions,
            _ => {
                self.broken(OPENS, "a backup that was just made does not restore".to_owned());
                return;
            }
        };
        let covered = positions.clone();
        if !matches!(
            self.server_commit(move |tx| server::mark_secured(tx, &covered)),
            Some(Ok(()))
        ) {
            return;
        }
        if let Some(store) = self.server.store.as_mut() {
            let released = store.release(report.sequence);
            if self.server.disk.is_dead() {
                self.server_dies();
                return;
            }
            if let Err(error) = released {
                self.server_store_failed(&error);
            }
        }
        self.reach(Mark::Secured);
        let at_ms = self.now_ms;
        self.server.backups.push(Backup {
            at_ms,
            bytes,
            contents,
        });
        self.tell(What::BackedUp { positions });
    }

    fn restored_aside(&mut self, bytes: &[u8]) -> Option<Solo> {
        let seed = self.server.random.bits();
        let disk = SimDisk::new(Random::new(seed, "aside"));
        let draws = Draws::new(Random::new(seed, "aside's store"));
        let options = || options(&disk, &draws, AnchorPlace::Nowhere);
        Store::restore(&mut &*bytes, STORE, &unlock(), &options()).ok()?;
        Solo::open(STORE, &unlock(), options())
            .ok()
            .map(|(store, _)| store)
    }

    /// Puts the newest backup in place on an empty disk and begins a new epoch, as `beatbookd restore` does.
    pub(super) fn put_backup_in_place(&mut self, number: usize) -> bool {
        let seed = self.server.random.bits();
        self.server.disk = SimDisk::new(Random::new(seed, "server's new disk"));
        let Some(backup) = self.server.backups.get(number) else {
            return false;
        };
        let restored = Store::restore(&mut &*backup.bytes, STORE, &unlock(), &self.server.options());
        let opened = Solo::open(STORE, &unlock(), self.server.options());
        match (restored, opened) {
            (Ok(_), Ok((store, _))) => self.server.store = Some(store),
            (restored, opened) => {
                let said = format!(
                    "a proved backup does not restore: {restored:?}, {:?}",
                    opened.err()
                );
                self.broken(OPENS, said);
                return false;
            }
        }
        self.server.harmed = false;
        self.mint_epoch() && self.write_register().is_some()
    }
}

/// The books of a greeting, each as it was claimed and as it was answered.
fn compared(hello: &Hello, welcome: &Welcome) -> Vec<Compared> {
    let answered = welcome.books.iter();
    let both = answered.filter_map(|answered| {
        let claim = hello
            .books
            .iter()
            .find(|claim| claim.replica == answered.claim.replica)?;
        Some(Compared {
            claimed: (claim.counter, claim.seal),
            answered: answered.clone(),
        })
    });
    both.collect()
}

/// How far each book is held, its last entry read.
fn server_positions(read: &dyn Read) -> Result<Vec<(ReplicaId, u64)>, StoreError> {
    for book in ledger::books(read)? {
        ledger::log(read, book.replica(), book.held.max(1), 1)?;
    }
    server::positions(read)
}

fn unlock() -> Unlock {
    Unlock::keystore([0x5e; 32])
}
