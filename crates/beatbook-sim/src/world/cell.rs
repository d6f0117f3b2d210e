//! A cell of the restore matrix: its story, told into a world that goes on around it. Officers work, links break and
//! machines die while copies are taken, stores go back, and everyone is in touch again.
//!
//! The phone does nothing of its own until the story is over: what it writes and when it syncs is what the cell is about.
//! What its copies and its server go back to is taken at a durable point that the seed chooses within the moment.

mod acts;

use beatbook_core::ledger;
use beatbook_proto::RecordId;

use super::acted::contents;
use super::device::{ANCHOR, Copied};
use super::{World, site};
use crate::fact::{Site, What};
use crate::fault::FaultKind;
use crate::matrix::{Cell, DeviceSide, Moment, ServerSide};
use crate::random::Random;

/// What the story of a cell remembers.
struct Story {
    cell: Cell,
    random: Random,
    /// The other machine that runs with a copy of the phone.
    twin: Option<usize>,
    /// The copy of the phone.
    copy: Option<Copied>,
    /// The place of the server's copy among its backups, or among the images of its disk.
    server_copy: Option<usize>,
    contact: Option<RecordId>,
}

impl World<'_> {
    /// Plays a cell up to where everyone is left to themselves again.
    pub(super) fn play(&mut self, cell: Cell) {
        let mut story = Story {
            cell,
            random: Random::new(self.plan.seed, "cell"),
            twin: None,
            copy: None,
            server_copy: None,
            contact: None,
        };
        self.hold(PHONE);
        let first = story.random.between(0, 60) as i64 * MINUTE_MS;
        self.pass_until(self.now_ms + DUTY_MS + first);
        self.earlier_life(&mut story);
        self.later_life(&mut story);
        self.linger(&mut story);
        self.strike_server(&mut story);
        self.strike_device(&mut story);
        if cell.moment == Moment::RestoredTwice {
            self.sync(PHONE);
            self.note(PHONE, &mut story);
            self.strike_device(&mut story);
        }
        if cell.server == ServerSide::BothInARow {
            self.sync(PHONE);
            self.sync(COLLEAGUE);
            self.roll_back_to_copy(&story);
        }
        if cell.in_flight {
            self.note(PHONE, &mut story);
            self.note(COLLEAGUE, &mut story);
        }
        if let Some(twin) = story.twin {
            self.note(twin, &mut story);
        }
        self.staged("the story is over: everyone goes on by themselves");
        for index in 0..self.devices.len() {
            self.let_go(index);
        }
    }

    /// A person is told of every book that was closed; where a copy stands against a later life of it, one was.
    pub(super) fn check_told(&mut self, cell: Cell) {
        let must = match cell.device {
            DeviceSide::Nothing => false,
            DeviceSide::Restored | DeviceSide::AnchorLost => true,
            DeviceSide::CopiedWhole | DeviceSide::Cloned | DeviceSide::RolledBackOpen => {
                cell.server == ServerSide::Nothing
            }
        };
        let phone = self.devices[PHONE].enrolled.enrolment;
        let told = self.devices.iter().any(|device| {
            let own = device.store.as_ref().map(|store| store.read(ledger::own_books));
            let closed = own.is_some_and(|own| own.is_ok_and(|own| own.iter().any(|book| book.closed)));
            device.enrolled.enrolment == phone && closed
        });
        if must && !told {
            self.broken(TOLD, format!("{}: no book was closed", cell.name()));
        }
    }

    /// Up to the moment at which the copies are taken.
    fn earlier_life(&mut self, story: &mut Story) {
        let cell = story.cell;
        self.note(PHONE, story);
        if cell.moment != Moment::BeforeFirstSync {
            self.sync(PHONE);
            self.sync(COLLEAGUE);
        }
        match cell.moment {
            Moment::SentNoReceipt => {
                self.copy_server(story);
                self.note(PHONE, story);
                self.send_without_receipt();
            }
            Moment::BetweenReceiptAndBackup => {
                self.copy_server(story);
                self.note(PHONE, story);
                self.sync(PHONE);
            }
            Moment::HalfResolved => {
                (0..self.devices.len()).for_each(|index| self.hold(index));
                self.conflict(story);
                self.copy_server(story);
            }
            Moment::DuringReissue => {
                self.note(PHONE, story);
                self.take_copy(story, false);
                self.linger(story);
                self.put_phone_back(story, false);
                self.until_all_up();
                self.copy_server(story);
            }
            Moment::BeforeFirstSync | Moment::AfterReceipt | Moment::RestoredTwice => self.copy_server(story),
        }
        if cell.in_flight && cell.moment != Moment::BeforeFirstSync {
            self.note(PHONE, story);
        }
        self.take_copy(story, cell.device == DeviceSide::RolledBackOpen);
        self.staged("the copies are taken");
    }

    /// What comes after the copies, and is forgotten by whoever goes back to them.
    fn later_life(&mut self, story: &mut Story) {
        if let Some(contact) = story.contact {
            self.resolve(contact);
            (0..self.devices.len())
                .filter(|index| *index != PHONE)
                .for_each(|index| self.let_go(index));
        }
        self.linger(story);
        self.note(PHONE, story);
        self.sync(PHONE);
        self.sync(COLLEAGUE);
        self.note(PHONE, story);
        self.sync(PHONE);
    }

    fn strike_server(&mut self, story: &mut Story) {
        let Some(copy) = story.server_copy else { return };
        self.until_all_up();
        if story.cell.server == ServerSide::RolledBack {
            self.put_image_in_place(copy);
        } else {
            self.put_server_back_to(copy);
            if self.until("the server is up", |world| world.server.is_up()) {
                story.server_copy = self.take_image();
            }
        }
        self.until_all_up();
    }

    fn roll_back_to_copy(&mut self, story: &Story) {
        self.until_all_up();
        if let Some(copy) = story.server_copy {
            self.put_image_in_place(copy);
        }
        self.until_all_up();
    }

    fn strike_device(&mut self, story: &mut Story) {
        self.until_all_up();
        match story.cell.device {
            DeviceSide::Nothing => {}
            DeviceSide::Restored => self.put_phone_back(story, false),
            DeviceSide::CopiedWhole | DeviceSide::RolledBackOpen => self.put_phone_back(story, true),
            DeviceSide::Cloned => {
                if let (None, Some(copy)) = (story.twin, &story.copy) {
                    let (image, at_ms) = (copy.image.clone(), copy.at_ms);
                    self.fault(
                        FaultKind::StoreCloned,
                        site(PHONE),
                        "a copy of it runs too".to_owned(),
                    );
                    let twin = self.copy_device_as(PHONE, &image, true);
                    self.tell(What::Restored {
                        site: site(twin),
                        copied_at_ms: at_ms,
                        unnoticed: true,
                    });
                    self.hold(twin);
                    story.twin = Some(twin);
                }
            }
            DeviceSide::AnchorLost => {
                self.fault(
                    FaultKind::MissingFile,
                    site(PHONE),
                    "its anchor is gone".to_owned(),
                );
                self.kill_device(PHONE, None, 1_000);
                self.devices[PHONE].disk.lose_file(ANCHOR.as_ref());
            }
        }
        self.until_all_up();
    }

    /// Puts the phone back to the copy of the story.
    fn put_phone_back(&mut self, story: &Story, with_anchor: bool) {
        let Some(copy) = &story.copy else { return };
        if !self.may_be_reduced_to(site(PHONE), &copy.contents) {
            return;
        }
        let (image, at_ms) = (copy.image.clone(), copy.at_ms);
        self.put_device_back_to(PHONE, (&image, at_ms), with_anchor);
    }

    /// Copies the phone: with its store closed, or in the middle of a session.
    fn take_copy(&mut self, story: &mut Story, open: bool) {
        self.until("the phone is up", |world| world.devices[PHONE].is_up());
        if open && story.cell.moment != Moment::BeforeFirstSync && !story.cell.in_flight {
            // As a snapshot of a running machine: so many steps into a session.
            self.devices[PHONE].agent.held = false;
            self.start_agent(PHONE);
            let steps = story.random.below(40);
            for _ in 0..steps {
                if self.violation.is_some() || !self.step() {
                    return;
                }
            }
            self.until("the phone is up", |world| world.devices[PHONE].is_up());
        } else if !open {
            self.rest(PHONE);
            if story.random.percent(50) {
                self.open_anew();
            }
        }
        let device = &self.devices[PHONE];
        let Some(store) = &device.store else { return };
        story.copy = Some(Copied {
            at_ms: self.now_ms,
            image: device.disk.image(),
            contents: store.read(contents),
        });
        self.hold(PHONE);
        if !open {
            // The next opening is what tells the copy from the store.
            self.open_anew();
        }
    }

    fn copy_server(&mut self, story: &mut Story) {
        self.until("the server is up", |world| world.server.is_up());
        story.server_copy = match story.cell.server {
            ServerSide::Nothing => None,
            ServerSide::RolledBack => self.take_image(),
            ServerSide::Restored | ServerSide::BothInARow => self.take_backup(),
        };
    }

    /// The server's backup, proved; the place that it has.
    fn take_backup(&mut self) -> Option<usize> {
        for _ in 0..TRIES_MAX {
            let before = self.server.backups.len();
            self.back_up_now();
            if self.server.backups.len() > before {
                return Some(before);
            }
            self.until("the server is up", |world| world.server.is_up());
        }
        self.broken(PLAYED, "no backup is made".to_owned());
        None
    }

    fn take_image(&mut self) -> Option<usize> {
        let store = self.server.store.as_ref()?;
        let held = store.read(contents);
        let image = self.server.disk.image();
        self.server
            .images
            .push((self.now_ms, image, held, self.truth.clone()));
        self.staged("the server's disk is copied");
        Some(self.server.images.len() - 1)
    }

    fn put_server_back_to(&mut self, chosen: usize) {
        let kept = self.server.backups[chosen].contents.clone();
        if self.may_be_reduced_to(Site::Server, &kept) {
            let age = (self.now_ms - self.server.backups[chosen].at_ms) / MINUTE_MS;
            self.fault(
                FaultKind::ServerRestored,
                Site::Server,
                format!("a backup {age} min old"),
            );
            self.put_server_back(chosen);
        }
    }
}

/// Whose phone it is about.
const PHONE: usize = 0;
/// Who reads and writes on the same beat.
const COLLEAGUE: usize = 1;
/// The first shift has begun.
const DUTY_MS: i64 = 9 * 60 * MINUTE_MS;
const MINUTE_MS: i64 = 60_000;
/// A machine that dies over a write is asked again so often.
const TRIES_MAX: usize = 40;
const PLAYED: &str = "a cell of the restore matrix is played as it is told";
const TOLD: &str = "a person is told of every book that was closed";
