//! One cell, played with real programs: a server, an officer's phone, a colleague on the beat who reads and writes, and a
//! sergeant's desk that reads.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use beatbook_tests::{
    Canaries, Device, Enrolment, Force, Ledger, Relay, Running, assert_each_once, copy_folder, wait_for,
};
use serde_json::Value;

use beatbook_sim::matrix::{Cell, DeviceSide, Moment, ServerSide};

/// Plays a cell; panics where something of it does not heal. Returns how many rounds of sessions it took.
pub fn play(cell: Cell) -> usize {
    let mut scene = Scene::new(cell);
    scene.earlier_life();
    scene.later_life();
    scene.strike_server();
    scene.strike_device();
    if cell.moment == Moment::RestoredTwice {
        scene.sync(Who::Phone);
        scene.note(Who::Phone);
        scene.strike_device();
    }
    if cell.server == ServerSide::BothInARow {
        scene.sync(Who::Phone);
        scene.sync(Who::Colleague);
        scene.roll_back_again();
    }
    if cell.in_flight {
        scene.note(Who::Phone);
        scene.note(Who::Colleague);
    }
    if scene.twin.is_some() {
        scene.note(Who::Twin);
    }
    scene.heal()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    Colleague,
    Phone,
    Twin,
}

/// Words, by who holds them.
#[derive(Clone, Debug, Default)]
struct Held {
    phone: BTreeSet<String>,
    colleague: BTreeSet<String>,
    twin: BTreeSet<String>,
    server: BTreeSet<String>,
}

struct Scene {
    cell: Cell,
    force: Force,
    relay: Option<Relay>,
    phone: Device,
    colleague: Device,
    desk: Device,
    twin: Option<Device>,
    canaries: Canaries,
    held: Held,
    /// The copy of the phone's folder, and the words in it.
    phone_copy: Option<(PathBuf, BTreeSet<String>)>,
    /// The copy of the server's data or its backup, and the words in it.
    server_copy: Option<(PathBuf, BTreeSet<String>)>,
    contact: Option<String>,
}

impl Scene {
    fn new(cell: Cell) -> Self {
        let force = Force::staffed();
        let relay = (cell.moment == Moment::SentNoReceipt).then(|| Relay::to(force.address(), 1));
        let phone = force.enrol_as(&Enrolment {
            collar: "9123",
            address: relay.as_ref().map(Relay::address),
            name: "phone",
        });
        let colleague = force.enrol("colleague", "8841");
        let desk = force.enrol("desk", "214");
        Self {
            cell,
            force,
            relay,
            phone,
            colleague,
            desk,
            twin: None,
            canaries: Canaries::new(),
            held: Held::default(),
            phone_copy: None,
            server_copy: None,
            contact: None,
        }
    }

    /// Up to the moment at which the copies are taken.
    fn earlier_life(&mut self) {
        if self.cell.moment == Moment::BeforeFirstSync {
            self.note(Who::Phone);
            self.copy_server();
            self.copy_phone();
            return;
        }
        self.note(Who::Phone);
        self.sync(Who::Phone);
        self.sync(Who::Colleague);
        match self.cell.moment {
            Moment::SentNoReceipt => {
                self.copy_server();
                self.note(Who::Phone);
                self.send_without_receipt();
            }
            Moment::BetweenReceiptAndBackup => {
                self.copy_server();
                self.note(Who::Phone);
                self.sync(Who::Phone);
            }
            Moment::HalfResolved => {
                self.conflict();
                self.copy_server();
            }
            Moment::DuringReissue => {
                self.note(Who::Phone);
                let before = self.force.path("before");
                copy_folder(self.phone.store(), &before);
                put_back(self.phone.store(), &before);
                // The status opens the store, which finds the older copy out and opens new books.
                self.phone.status();
                self.copy_server();
            }
            Moment::BeforeFirstSync | Moment::AfterReceipt | Moment::RestoredTwice => self.copy_server(),
        }
        if self.cell.in_flight {
            self.note(Who::Phone);
        }
        self.copy_phone();
    }

    /// What comes after the copies, and is forgotten by whoever goes back to them.
    fn later_life(&mut self) {
        if let Some(contact) = self.contact.clone() {
            self.resolve(&contact);
        }
        self.note(Who::Phone);
        self.sync(Who::Phone);
        self.sync(Who::Colleague);
        self.note(Who::Phone);
        self.sync(Who::Phone);
    }

    fn strike_server(&mut self) {
        let Some((copy, words)) = self.server_copy.clone() else {
            return;
        };
        self.force.stop();
        if self.cell.server == ServerSide::RolledBack {
            self.force.move_to(copy);
        } else {
            let target = self.force.path("restored");
            self.force.restore(&copy, &target).done();
            self.force.move_to(target.clone());
            let again = self.force.path("just restored");
            copy_folder(&target, &again);
            self.server_copy = Some((again, words.clone()));
        }
        self.force.serve();
        self.held.server = words;
    }

    fn roll_back_again(&mut self) {
        let (copy, words) = self
            .server_copy
            .clone()
            .expect("a server that was restored has a copy");
        self.force.stop();
        self.force.move_to(copy);
        self.force.serve();
        self.held.server = words;
    }

    fn strike_device(&mut self) {
        let (copy, words) = self.phone_copy.clone().expect("the phone was copied");
        match self.cell.device {
            DeviceSide::Nothing => return,
            DeviceSide::Restored => put_back(self.phone.store(), &copy.join("store")),
            DeviceSide::CopiedWhole | DeviceSide::RolledBackOpen => put_back(self.phone.folder(), &copy),
            DeviceSide::Cloned => {
                if self.twin.is_none() {
                    let twin = self.force.device("twin");
                    put_back(twin.folder(), &copy);
                    self.held.twin = words;
                    self.twin = Some(twin);
                }
                return;
            }
            DeviceSide::AnchorLost => {
                let anchor = self.phone.folder().join("store.anchor");
                if let Err(error) = fs::remove_file(&anchor) {
                    panic!("the phone has no anchor at {}: {error}", anchor.display());
                }
                return;
            }
        }
        self.held.phone = words;
    }

    /// Rounds of sessions until everyone agrees; then every demand of the matrix.
    fn heal(&mut self) -> usize {
        let held = &self.held;
        let demanded: BTreeSet<String> = [&held.phone, &held.colleague, &held.twin, &held.server]
            .into_iter()
            .flatten()
            .cloned()
            .collect();
        let devices: Vec<Device> = [&self.phone]
            .into_iter()
            .chain(&self.twin)
            .chain([&self.colleague, &self.desk])
            .cloned()
            .collect();
        let mut rounds = 0;
        loop {
            rounds += 1;
            let listings: Vec<Vec<Value>> = devices.iter().map(Device::pull).collect();
            let agreed = listings.iter().all(|listing| is_whole(listing, &demanded))
                && listings
                    .iter()
                    .all(|listing| merged(listing) == merged(&listings[0]));
            let pending = |record: &Value| record.get("safety") == Some(&Value::from("pending"));
            let safe = !listings.iter().flatten().any(pending);
            if agreed && safe && devices.iter().all(|device| device.count("pending") == 0) {
                break;
            }
            if rounds == ROUNDS_MAX {
                for listing in &listings {
                    assert_each_once(listing, &demanded);
                    assert_eq!(merged(listing), merged(&listings[0]), "they do not show the same");
                }
                panic!("entries are still pending after {rounds} rounds");
            }
        }
        self.check_told();
        self.force.admin(&["check"]).done();
        rounds
    }

    /// Where a book was closed, a person is told so.
    fn check_told(&self) {
        let closed = |device: &Device| {
            let status = device.status();
            let books = status
                .get("books")
                .and_then(Value::as_array)
                .cloned()
                .unwrap_or_default();
            books
                .iter()
                .any(|book| book.get("open") == Some(&Value::Bool(false)))
        };
        let must = match self.cell.device {
            DeviceSide::Nothing => return,
            DeviceSide::Restored | DeviceSide::AnchorLost => true,
            // With the server as it was, the later life of the other copy stands against this one.
            DeviceSide::CopiedWhole | DeviceSide::Cloned | DeviceSide::RolledBackOpen => {
                self.cell.server == ServerSide::Nothing
            }
        };
        let told = closed(&self.phone) || self.twin.as_ref().is_some_and(closed);
        assert!(
            told || !must,
            "a book parted and nobody was told: {}",
            self.phone.status()
        );
    }

    fn note(&mut self, who: Who) {
        let word = self.canaries.word();
        self.device(who).note(&word);
        self.words(who).insert(word);
    }

    fn sync(&mut self, who: Who) {
        self.device(who).sync();
        let mut all = self.held.server.clone();
        all.append(self.words(who));
        self.words(who).clone_from(&all);
        self.held.server = all;
    }

    /// A session over a link that breaks on the way: the run may have come, the receipt has not.
    fn send_without_receipt(&mut self) {
        let relay = self.relay.as_ref().expect("the phone dials a relay in this cell");
        relay.cut_after_datagrams(CUT_AFTER);
        let mut syncing = Running::start(self.phone.command(&["sync"]));
        wait_for("the cut or the end", || match syncing.ended() {
            Some(_) => Ok(()),
            None if relay.is_cut() => Ok(()),
            None => Err(format!("{:?}", relay.counts())),
        });
        syncing.kill();
        relay.mend();
    }

    /// A contact of which phone and colleague have written one field apart from each other.
    fn conflict(&mut self) {
        let word = self.canaries.word();
        let set = format!("operation={word}");
        self.phone
            .run(&["contact", "--strand", "CONSULT", "--beat", "C02", "--set", &set])
            .done();
        self.held.phone.insert(word.clone());
        self.sync(Who::Phone);
        self.sync(Who::Colleague);
        for (device, value) in [(&self.phone, "one"), (&self.colleague, "another")] {
            let record = device.reference(&word);
            let set = format!("incident_ref={value}");
            device
                .run(&["amend", &record, "--set", &set, "--reason", "seen again"])
                .done();
        }
        for who in [Who::Phone, Who::Colleague, Who::Phone] {
            self.sync(who);
        }
        assert_eq!(self.phone.conflicts().len(), 1, "two readings wait for a person");
        self.contact = Some(word);
    }

    fn resolve(&self, contact: &str) {
        let record = self.phone.reference(contact);
        self.phone
            .run(&[
                "resolve",
                &record,
                "--keep",
                "1",
                "--reason",
                "checked at the door",
            ])
            .done();
    }

    fn copy_server(&mut self) {
        let copy = self.force.path("server copy");
        match self.cell.server {
            ServerSide::Nothing => return,
            ServerSide::RolledBack => {
                self.force.stop();
                copy_folder(self.force.data(), &copy);
                self.force.serve();
            }
            ServerSide::Restored | ServerSide::BothInARow => {
                let file = copy.to_str().expect("plain names");
                self.force.admin(&["backup", file]).done();
            }
        }
        self.server_copy = Some((copy, self.held.server.clone()));
    }

    fn copy_phone(&mut self) {
        let copy = self.force.path("phone copy");
        if self.cell.device == DeviceSide::RolledBackOpen {
            let open = Ledger::open(&self.phone);
            copy_folder(self.phone.folder(), &copy);
            drop(open);
        } else {
            copy_folder(self.phone.folder(), &copy);
        }
        self.phone_copy = Some((copy, self.held.phone.clone()));
    }

    fn device(&self, who: Who) -> &Device {
        match who {
            Who::Colleague => &self.colleague,
            Who::Phone => &self.phone,
            Who::Twin => self.twin.as_ref().expect("the phone was cloned"),
        }
    }

    fn words(&mut self, who: Who) -> &mut BTreeSet<String> {
        match who {
            Who::Colleague => &mut self.held.colleague,
            Who::Phone => &mut self.held.phone,
            Who::Twin => &mut self.held.twin,
        }
    }
}

/// Puts a copy in the place of a folder.
fn put_back(folder: &Path, copy: &Path) {
    if folder.exists() {
        fs::remove_dir_all(folder).expect("the store is closed");
    }
    copy_folder(copy, folder);
}

/// True if each word is in exactly one record.
fn is_whole(listing: &[Value], words: &BTreeSet<String>) -> bool {
    let lines: Vec<String> = listing.iter().map(Value::to_string).collect();
    let count = |word: &String| lines.iter().filter(|line| line.contains(word.as_str())).count();
    words.iter().all(|word| count(word) == 1)
}

/// A listing by the full references of its records: whose own book it is leaves force and collar out. Panics where one
/// reference stands for two records.
fn merged(listing: &[Value]) -> BTreeMap<String, String> {
    let mut records = BTreeMap::new();
    for record in listing {
        let text = |key: &str| record.get(key).and_then(Value::as_str).unwrap_or_default();
        let (reference, collar) = (text("record"), text("collar"));
        let full = match reference.split('/').count() {
            2 => format!("52/{collar}/{reference}"),
            _ => reference.to_owned(),
        };
        let mut rest = record.clone();
        if let Some(rest) = rest.as_object_mut() {
            // Whose it is, and how far that device knows it covered.
            for of_device in ["record", "own", "safety"] {
                rest.remove(of_device);
            }
        }
        let twice = records.insert(full.clone(), rest.to_string());
        assert!(twice.is_none(), "{full} stands for two records");
    }
    records
}

/// Sessions of everyone that may pass until all is healed.
const ROUNDS_MAX: usize = 4;
/// Enough for the handshake and the first flight, not for a receipt.
const CUT_AFTER: u64 = 7;
