//! The restore matrix in memory: what happens to a device's store, to the server, at which moment, with or without
//! unsynced work; every pair of copies taken at any durable point of that moment. Nothing acknowledged that anyone
//! still holds is lost, no dot is given twice where it could be known, and everyone agrees in a bounded number of
//! sessions. `BEATBOOK_MATRIX_SEEDS` sets how many seeds each cell gets; without it every second cell gets one.

use std::collections::{BTreeMap, BTreeSet};

use beatbook_core::ledger;
use beatbook_core::merge::Head;
use beatbook_core::store::MemoryStore;
use beatbook_proto::{Dot, Entry, FieldOp, RecordId, RevisionKind, Text, Value};

use crate::link::{Faults, Link, Outcome};
use crate::world::{DeviceIndex, LINES, SUBJECT, World, set};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DeviceSide {
    Nothing,
    Restored,
    CopiedWhole,
    Cloned,
    RolledBackOpen,
    AnchorLost,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ServerSide {
    Nothing,
    Restored,
    RolledBack,
    BothInARow,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    BeforeFirstSync,
    AfterReceipt,
    SentNoReceipt,
    BetweenReceiptAndBackup,
    HalfResolved,
    DuringReissue,
    RestoredTwice,
}

#[derive(Clone, Copy, Debug)]
struct Cell {
    device: DeviceSide,
    server: ServerSide,
    moment: Moment,
    in_flight: bool,
    seed: u64,
}

const DEVICE_SIDES: [DeviceSide; 6] = [
    DeviceSide::Nothing,
    DeviceSide::Restored,
    DeviceSide::CopiedWhole,
    DeviceSide::Cloned,
    DeviceSide::RolledBackOpen,
    DeviceSide::AnchorLost,
];
const SERVER_SIDES: [ServerSide; 4] = [
    ServerSide::Nothing,
    ServerSide::Restored,
    ServerSide::RolledBack,
    ServerSide::BothInARow,
];
const MOMENTS: [Moment; 7] = [
    Moment::BeforeFirstSync,
    Moment::AfterReceipt,
    Moment::SentNoReceipt,
    Moment::BetweenReceiptAndBackup,
    Moment::HalfResolved,
    Moment::DuringReissue,
    Moment::RestoredTwice,
];

#[test]
fn every_cell_heals() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let asked = number("BEATBOOK_MATRIX_SEEDS");
    let seeds: u64 = asked.unwrap_or(1);
    let mut place = 0_usize;
    let first: u64 = number("BEATBOOK_MATRIX_FIRST_SEED").unwrap_or(0);
    let only = std::env::var("BEATBOOK_MATRIX_CELL").unwrap_or_default();
    let mut failed: BTreeMap<String, (u64, String)> = BTreeMap::new();
    for device in DEVICE_SIDES {
        for server in SERVER_SIDES {
            for moment in MOMENTS {
                place += 1;
                for in_flight in [false, true] {
                    let name = format!("{device:?} {server:?} {moment:?} in_flight={in_flight}");
                    // Work in flight and none, in turn, so that every side meets both at some moment.
                    let skipped = asked.is_none() && (place + usize::from(in_flight)).is_multiple_of(2);
                    if skipped || !name.contains(&only) {
                        continue;
                    }
                    for seed in first..first + seeds {
                        let cell = Cell {
                            device,
                            server,
                            moment,
                            in_flight,
                            seed,
                        };
                        if let Err(why) = std::panic::catch_unwind(|| run(cell)) {
                            let why = why.downcast_ref::<String>().cloned();
                            let row = failed
                                .entry(name.clone())
                                .or_insert_with(|| (0, format!("seed {seed}: {}", why.unwrap_or_default())));
                            row.0 += 1;
                        }
                    }
                }
            }
        }
    }
    let told: Vec<String> = failed
        .iter()
        .map(|(cell, (count, why))| format!("{cell}: {count} of {seeds}; {why}"))
        .collect();
    assert!(
        failed.is_empty(),
        "{} cells fail:\n{}",
        failed.len(),
        told.join("\n")
    );
}

/// A world with what a cell needs beside it.
struct Scene {
    world: World,
    cell: Cell,
    /// The device to which it happens.
    phone: DeviceIndex,
    /// A second device of the same officer.
    laptop: DeviceIndex,
    /// A colleague on the beat.
    reader: DeviceIndex,
    desk: DeviceIndex,
    twin: Option<DeviceIndex>,
    contact: Option<RecordId>,
    /// Words acknowledged to someone that some store still holds.
    demanded: BTreeSet<String>,
    words: u64,
    /// Durable points of the phone and of the server in the window of the moment.
    phone_points: Vec<MemoryStore>,
    server_points: Vec<MemoryStore>,
    recording: bool,
    forks_told: u64,
    /// Dot to entry, over all that the server and readers ever held.
    seen: BTreeMap<Dot, Entry>,
    dots_reused: BTreeSet<Dot>,
}

fn run(cell: Cell) {
    let mut scene = Scene::new(cell);
    scene.earlier_life();
    scene.strike();
    if cell.moment == Moment::RestoredTwice || cell.server == ServerSide::BothInARow {
        scene.some_sessions(3);
        if cell.moment == Moment::RestoredTwice {
            let phone = scene.phone;
            scene.note(phone);
            scene.strike_device();
            scene.keep_demanded();
        }
        if cell.server == ServerSide::BothInARow {
            scene.strike_server_again();
            scene.keep_demanded();
        }
    }
    if cell.in_flight {
        for device in [scene.phone, scene.reader].into_iter().chain(scene.twin) {
            scene.note(device);
        }
    }
    scene.some_sessions(4);
    scene.world.heal();
    scene.look();
    scene.check();
}

impl Scene {
    fn new(cell: Cell) -> Self {
        let mut world = World::new(cell.seed);
        let beats: &[&str] = &["52/C02"];
        let (ann, bob, sergeant) = (
            world.officer("PCSO", beats),
            world.officer("PCSO", beats),
            world.officer("SGT", beats),
        );
        let (phone, laptop) = (world.device(ann), world.device(ann));
        let (reader, desk) = (world.device(bob), world.device(sergeant));
        Self {
            world,
            cell,
            phone,
            laptop,
            reader,
            desk,
            twin: None,
            contact: None,
            demanded: BTreeSet::new(),
            words: 0,
            phone_points: Vec::new(),
            server_points: Vec::new(),
            recording: false,
            forks_told: 0,
            seen: BTreeMap::new(),
            dots_reused: BTreeSet::new(),
        }
    }

    /// Up to the fault: the window of the moment in which copies are taken, and what came after it.
    fn earlier_life(&mut self) {
        let (phone, reader) = (self.phone, self.reader);
        let moment = self.cell.moment;
        if moment != Moment::BeforeFirstSync {
            self.note(phone);
            self.contact = Some(self.world.found(phone, "CONTACT", "52/C02", "at first"));
            for device in [phone, self.laptop, reader, self.desk] {
                self.sync(device);
            }
        }
        match moment {
            Moment::BeforeFirstSync => {
                self.record();
                self.note(phone);
                self.note(phone);
                self.stop_recording();
            }
            Moment::AfterReceipt | Moment::RestoredTwice => {
                self.record();
                if self.cell.in_flight {
                    self.note(phone);
                }
                self.stop_recording();
            }
            Moment::SentNoReceipt => self.sent_without_receipt(),
            Moment::BetweenReceiptAndBackup => self.between_receipt_and_backup(),
            Moment::HalfResolved => self.half_resolved(),
            Moment::DuringReissue => self.during_reissue(),
        }
        self.note(phone);
        if self.contact.is_some() {
            self.line(phone);
        }
        self.sync(phone);
        self.sync(reader);
        if self.contact.is_some() && self.world.pick(2) == 0 {
            self.line(reader);
        }
        if self.world.pick(2) == 0 {
            self.note(phone);
            self.sync(phone);
        }
    }

    fn sent_without_receipt(&mut self) {
        let phone = self.phone;
        self.note(phone);
        self.line(phone);
        self.record();
        let down_max = self.world.pick(3);
        let faults = Faults {
            down_max,
            run_bytes: [1, 300, 1 << 20][self.world.pick(3)],
            ..Faults::NONE
        };
        self.sync_with(phone, faults);
        self.stop_recording();
    }

    fn between_receipt_and_backup(&mut self) {
        let phone = self.phone;
        self.record();
        self.stop_recording();
        let backup = std::mem::take(&mut self.server_points);
        self.note(phone);
        self.line(phone);
        self.record();
        self.sync(phone);
        if self.cell.in_flight {
            self.note(phone);
        }
        self.stop_recording();
        self.server_points = backup;
    }

    fn half_resolved(&mut self) {
        let (phone, reader) = (self.phone, self.reader);
        let contact = self.contact.unwrap();
        for (device, text) in [(phone, "one reading"), (reader, "another reading")] {
            self.world
                .amend(device, contact, vec![(SUBJECT, set(text))])
                .unwrap();
        }
        for device in [phone, reader, phone] {
            self.sync(device);
        }
        self.record();
        self.resolve(phone);
        let up_max = self.world.pick(6);
        self.sync_with(
            phone,
            Faults {
                up_max,
                ..Faults::NONE
            },
        );
        self.stop_recording();
    }

    fn during_reissue(&mut self) {
        let phone = self.phone;
        self.note(phone);
        self.line(phone);
        self.world.reopen(phone);
        self.record();
        let up_max = self.world.pick(10);
        let faults = Faults {
            up_max,
            run_bytes: 1,
            ..Faults::NONE
        };
        self.sync_with(phone, faults);
        self.sync_with(phone, faults);
        self.stop_recording();
    }

    fn strike(&mut self) {
        self.strike_device();
        if self.cell.server != ServerSide::Nothing {
            self.world.server = self.point_of_server();
        }
        let announced = match self.cell.server {
            ServerSide::Restored => true,
            ServerSide::BothInARow => self.world.pick(2) == 0,
            _ => false,
        };
        if announced {
            self.world.restart_epoch();
        }
        self.server_points = vec![self.world.server.clone()];
        self.keep_demanded();
    }

    fn strike_device(&mut self) {
        let phone = self.phone;
        let point = self.world.pick(self.phone_points.len());
        let copy = self.phone_points[point].clone();
        match self.cell.device {
            DeviceSide::Nothing => {}
            DeviceSide::Restored => {
                self.world.devices[phone].store = copy;
                self.world.reopen(phone);
            }
            DeviceSide::CopiedWhole | DeviceSide::RolledBackOpen => {
                self.world.devices[phone].store = copy;
            }
            DeviceSide::Cloned => {
                if self.twin.is_none() {
                    let twin = self.world.copy_device(phone);
                    self.world.devices[twin].store = copy;
                    self.twin = Some(twin);
                }
            }
            DeviceSide::AnchorLost => self.world.reopen(phone),
        }
    }

    /// The server goes back once more, this time in the other way.
    fn strike_server_again(&mut self) {
        self.world.server = self.point_of_server();
        if self.world.pick(2) == 0 {
            self.world.restart_epoch();
        }
    }

    fn point_of_server(&mut self) -> MemoryStore {
        let point = self.world.pick(self.server_points.len());
        self.server_points[point].clone()
    }

    /// Sessions of anyone, over links that may break.
    fn some_sessions(&mut self, count: usize) {
        for _ in 0..count {
            let device = self.world.pick(self.world.devices.len());
            let mut faults = Faults::NONE;
            match self.world.pick(4) {
                0 => faults.up_max = self.world.pick(10),
                1 => faults.down_max = self.world.pick(10),
                _ => {}
            }
            self.sync_with(device, faults);
            if self.cell.in_flight && self.world.pick(3) == 0 {
                self.note(device);
            }
        }
    }

    fn note(&mut self, device: DeviceIndex) {
        let word = self.word();
        self.world.found(device, "NOTE", "52/C02", &word);
        self.demanded.insert(word);
        self.point();
    }

    fn line(&mut self, device: DeviceIndex) {
        let word = self.word();
        let line = FieldOp::Append(Value::Text(Text::new(word.as_str()).unwrap()));
        let contact = self.contact.unwrap();
        if self
            .world
            .change(device, contact, RevisionKind::SUPPLEMENT, vec![(LINES, line)])
            .is_ok()
        {
            self.demanded.insert(word);
        }
        self.point();
    }

    fn resolve(&mut self, device: DeviceIndex) {
        let contact = self.contact.unwrap();
        self.world
            .change(
                device,
                contact,
                RevisionKind::RESOLVE,
                vec![(SUBJECT, set("settled"))],
            )
            .unwrap();
        self.point();
    }

    fn word(&mut self) -> String {
        self.words += 1;
        format!("word-{:04}-", self.words)
    }

    fn sync(&mut self, device: DeviceIndex) {
        let outcome = self.sync_with(device, Faults::NONE);
        assert!(outcome.is_done(), "a session that did not end well: {outcome:?}");
    }

    fn sync_with(&mut self, device: DeviceIndex, faults: Faults) -> Outcome {
        let mut link = Link::new(&self.world, device, false, faults);
        while link.step(&mut self.world) {
            self.point();
        }
        let outcome = link.outcome;
        assert!(outcome.error.is_none(), "a side misbehaved: {outcome:?}");
        let told = outcome
            .events
            .iter()
            .filter(|event| matches!(event, beatbook_core::session::Event::Forked));
        self.forks_told += told.count() as u64;
        self.look();
        outcome
    }

    fn record(&mut self) {
        self.recording = true;
        self.phone_points.clear();
        self.server_points.clear();
        self.point();
    }

    fn stop_recording(&mut self) {
        self.recording = false;
    }

    fn point(&mut self) {
        if self.recording {
            self.phone_points
                .push(self.world.devices[self.phone].store.clone());
            self.server_points.push(self.world.server.clone());
        }
    }

    /// Notes what the server and the readers name by each dot.
    fn look(&mut self) {
        let mut all = vec![(entries(&self.world.server), BTreeSet::new())];
        for device in &self.world.devices {
            let own = ledger::own_books(&device.store).unwrap();
            let own = own.into_iter().map(|book| book.replica()).collect();
            all.push((entries(&device.store), own));
        }
        for (held, own) in all {
            for (dot, entry) in held {
                if own.contains(&dot.replica) {
                    continue;
                }
                let first = self.seen.entry(dot).or_insert_with(|| entry.clone());
                if *first != entry {
                    self.dots_reused.insert(dot);
                }
            }
        }
    }

    /// Takes out of the demand what no store holds any more.
    fn keep_demanded(&mut self) {
        let mut held = raw(&self.world.server);
        for device in &self.world.devices {
            held.extend(raw(&device.store));
        }
        let has = |word: &str| held.iter().any(|bytes| contains(bytes, word.as_bytes()));
        self.demanded.retain(|word| has(word));
        self.world
            .written
            .retain(|_, entry| held.iter().any(|bytes| contains(bytes, &entry.body)));
        // Given twice where nothing could tell: the copies of one store.
        self.world.dots_reused.clear();
    }

    fn check(&mut self) {
        if self.copied_unseen() {
            self.world.dots_reused.clear();
        }
        self.check_words("the server", &self.world.server.clone());
        for index in 0..self.world.devices.len() {
            let store = self.world.devices[index].store.clone();
            self.check_words(&format!("device {index}"), &store);
        }
        self.world.check_healed();
        // Where a copy shows nothing and the server has forgotten, nobody can know what was given: a dot is then given
        // twice, once in each life of the log, and only the later one holds it in the end.
        if !self.copied_unseen() || self.cell.server == ServerSide::Nothing {
            assert!(self.dots_reused.is_empty(), "dots reused: {:?}", self.dots_reused);
        }
    }

    /// Where a word is, for the message of a failure.
    fn story_of(&self, word: &str) -> String {
        let mut told = Vec::new();
        let stores = std::iter::once(("server".to_owned(), &self.world.server));
        let devices = self.world.devices.iter().enumerate();
        let devices = devices.map(|(index, device)| (format!("device {index}"), &device.store));
        for (place, store) in stores.chain(devices) {
            for (dot, entry) in entries(store) {
                if contains(&entry.body, word.as_bytes()) {
                    let stored = ledger::entry(store, dot).unwrap().unwrap();
                    told.push(format!(
                        "{place}: {dot:?} {:?} {}",
                        stored.standing, stored.sequence
                    ));
                }
            }
            for apart in ledger::quarantined(store).unwrap() {
                if contains(&apart.entry.body, word.as_bytes()) {
                    told.push(format!("{place}: {:?} apart", apart.dot));
                }
            }
            for book in ledger::books(store).unwrap() {
                told.push(format!(
                    "  {place} {} own {} closed {} held {} sealed {} receipted {} settled {}",
                    book.replica().short(),
                    book.own,
                    book.closed,
                    book.held,
                    book.sealed,
                    book.receipted,
                    book.settled
                ));
            }
        }
        told.join("\n")
    }

    fn copied_unseen(&self) -> bool {
        use DeviceSide::{Cloned, CopiedWhole, RolledBackOpen};
        matches!(self.cell.device, Cloned | CopiedWhole | RolledBackOpen)
    }

    fn check_words(&self, place: &str, store: &MemoryStore) {
        let heads: Vec<Head> = ledger::heads(store, None, usize::MAX).unwrap();
        for word in &self.demanded {
            let showing = heads.iter().filter(|head| shows(head, word)).count();
            assert_eq!(
                showing,
                1,
                "{place} shows {word} in {showing} records\n{}",
                self.story_of(word)
            );
        }
    }
}

fn shows(head: &Head, word: &str) -> bool {
    let is = |value: &Value| matches!(value, Value::Text(text) if text.as_str() == word);
    let subject = head.field(SUBJECT).into_iter().flat_map(|field| field.register());
    let lines = head.field(LINES).into_iter().flat_map(|field| field.lines());
    subject.chain(lines).filter(|(_, value)| is(value)).count() == 1
}

fn entries(store: &MemoryStore) -> BTreeMap<Dot, Entry> {
    let books = ledger::books(store).unwrap().into_iter();
    let logs = books.map(|book| ledger::log(store, book.replica(), 1, usize::MAX).unwrap());
    logs.flatten().map(|(dot, stored)| (dot, stored.entry)).collect()
}

/// The bodies of all that a store holds, quarantine included.
fn raw(store: &MemoryStore) -> Vec<Vec<u8>> {
    let apart = ledger::quarantined(store).unwrap().into_iter();
    let held = entries(store).into_values();
    held.chain(apart.map(|apart| apart.entry))
        .map(|entry| entry.body.to_vec())
        .collect()
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    part.is_empty() || bytes.windows(part.len()).any(|window| window == part)
}
