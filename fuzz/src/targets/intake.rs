//! A rogue device's books: whatever an enrolment key may seal, taken in by a server and read by another officer's device.
//! Each entry gets one verdict, taking it in twice changes nothing, the other officer loses nothing, and both sides show
//! the same of every record.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use beatbook_core::ledger;
use beatbook_core::merge::Head;
use beatbook_core::register::{self, Officer};
use beatbook_core::server::ServerOp;
use beatbook_core::store::Table;
use beatbook_proto::{
    Body, Code, Commitment, Dot, Entry, FieldId, FieldOp, Header, List, Opening, Original, RecordId,
    ReplicaId, ReplicaKind, RevisionKind, Run, RunSecret, SealClaim, SealHash, Signer, Standing, Text, Value,
    VersionVector, field, merkle,
};

use crate::input::Input;
use crate::world::{BEAT, SUBJECT, World, bearers, code, note, stamp};

/// One entry after another, sealed and taken in whenever the input says so.
pub(super) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let mut rogue = Rogue::new();
    while !input.is_spent() && rogue.counter < ENTRIES_MAX {
        rogue.step(&mut input);
    }
    rogue.seal();
    rogue.check();
}

/// Honest entries of every kind, contexts that run over, re-issues of re-issues, and entries that do not read.
pub(super) fn seeds() -> Vec<Vec<u8>> {
    let founded = [0, 0, 0, 1, 0, 1, 0, 0];
    let mut seeds = Vec::new();
    for kind in 0..12 {
        for follow in 0..8 {
            let amend = [follow, 1, 1, kind, 0, 2, 40, 3, 1, 2];
            seeds.push([founded.as_slice(), &amend, &[8], &amend, &[9, 0], &amend].concat());
        }
    }
    for wide in [239, 240, 247, 248, 255] {
        seeds.push(
            [
                founded.as_slice(),
                &[1, 1, 1, 2, 1, 2, 0, wide, 1, wide, wide, wide, 1, 40, 3],
            ]
            .concat(),
        );
    }
    seeds
}

/// A book that is written by hand, and the world that it is brought into.
struct Rogue {
    world: World,
    counter: u64,
    first: u64,
    pending: Vec<Entry>,
    previous: SealHash,
    runs: Vec<Run>,
    known: Vec<Dot>,
}

impl Rogue {
    fn new() -> Self {
        let world = START.get_or_init(start).clone();
        let known = world.written.keys().copied().collect();
        let mut rogue = Self {
            world,
            counter: 0,
            first: 1,
            pending: Vec::new(),
            previous: SealClaim::NO_SEAL,
            runs: Vec::new(),
            known,
        };
        rogue.append(opening());
        rogue
    }

    fn step(&mut self, input: &mut Input<'_>) {
        match input.byte() % 10 {
            0..=4 => {
                let entry = self.revision(input);
                self.append(entry);
            }
            5 => {
                let entry = self.reissue(input);
                self.append(entry);
            }
            6 => {
                let header = [input.bytes(32), &[0; 9]].concat();
                let body = input.bytes(64).to_vec();
                self.append(Entry {
                    header: header.into(),
                    body: body.into(),
                });
            }
            7 => self.append(opening()),
            8 => self.seal(),
            _ => {
                self.seal();
                self.other_works(input);
            }
        }
    }

    /// A revision: as its author would write it after reading the server's log, or with any of it made up.
    fn revision(&mut self, input: &mut Input<'_>) -> Entry {
        let made_up = input.byte();
        let record = input.below(self.known.len() + 1);
        let record = self.known.get(record).copied().filter(|_| made_up & 1 == 1);
        let kind = RevisionKind(input.byte() % 12);
        let mut header = header(record, kind);
        if let Some(head) = record.and_then(|record| self.head_at_server(record)) {
            header.record = Some(head.record);
            header.family = head.family.clone();
            header.context = head.vector.clone();
            header.prior = head.prior(BOOK);
            header.lamport = 1 + head.lamport;
        }
        if made_up & 2 == 2 {
            header.context = self.context(input);
        }
        if made_up & 4 == 4 {
            header.prior = input.number();
        }
        if made_up & 8 == 8 {
            header.lamport = input.number();
        }
        if made_up & 16 == 16 {
            header.record = Some(self.dot(input));
        }
        Entry::new(&header, &body(input)).unwrap_or_else(|_| opening())
    }

    /// An envelope around an entry of another book, or around another envelope.
    fn reissue(&mut self, input: &mut Input<'_>) -> Entry {
        let dot = self.dot(input);
        let mut entry = match ledger::entry(&self.world.server, dot).expect("an entry reads") {
            Some(stored) if input.flag() => stored.entry,
            _ => self.revision(input),
        };
        for depth in 0..=input.byte() % 3 {
            let dot = if depth == 0 { dot } else { self.dot(input) };
            let header = header(None, RevisionKind::REISSUE);
            let original = Original {
                dot,
                entry,
                salt: None,
                seal: None,
                proof: None,
            };
            entry = Entry::new(&header, &original).unwrap_or_else(|_| opening());
        }
        entry
    }

    fn context(&mut self, input: &mut Input<'_>) -> VersionVector {
        (0..input.below(5)).map(|_| self.dot(input)).collect()
    }

    fn dot(&mut self, input: &mut Input<'_>) -> Dot {
        let place = input.below(self.known.len() + 2);
        let replica = self
            .known
            .get(place)
            .map_or(ReplicaId::from_bytes([0x99; 16]), |dot| dot.replica);
        match input.flag() {
            true => Dot {
                replica,
                counter: input.number(),
            },
            false => self.known.get(place).copied().unwrap_or(Dot {
                replica: BOOK,
                counter: 1,
            }),
        }
    }

    /// What the record shows once all that was written is taken in.
    fn head_at_server(&mut self, record: RecordId) -> Option<Head> {
        self.seal();
        let record = ledger::record_name(&self.world.server, record).expect("a name reads");
        ledger::head(&self.world.server, record).expect("a head reads")
    }

    fn append(&mut self, entry: Entry) {
        self.counter += 1;
        self.known.push(Dot {
            replica: BOOK,
            counter: self.counter,
        });
        self.pending.push(entry);
    }

    /// Seals what is pending and brings it to the server.
    fn seal(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        let entries: List<Entry, { beatbook_proto::limits::RUN_ENTRIES_MAX }> =
            std::mem::take(&mut self.pending).into();
        let commitments: Vec<Commitment> = (self.first..)
            .zip(entries.iter())
            .map(|(counter, entry)| entry.commitment(&SECRET.salt(BOOK, counter)))
            .collect();
        let claim = SealClaim {
            replica: BOOK,
            first: self.first,
            last: self.counter,
            root: merkle::root(&commitments),
            previous: self.previous,
        };
        (self.first, self.previous) = (self.counter + 1, claim.hash());
        let seal = claim.sign(&bearers()[0].key).expect("a key in memory signs");
        let run = Run {
            seal,
            secret: SECRET,
            entries,
        };
        self.accept(&run);
        self.runs.push(run);
    }

    fn accept(&mut self, run: &Run) -> Vec<(Table, Vec<u8>)> {
        let peer = bearers()[0].identity.enrolment;
        let run = run.clone().verify(&bearers()[0].key.public_key());
        let run = Box::new(run.expect("what was sealed proves itself"));
        let (_, writes) = self
            .world
            .execute_server(ServerOp::AcceptRun { peer, run })
            .expect("a sealed run of an own book is taken in, whatever is in it");
        self.world.server.apply(&writes);
        writes
            .iter()
            .map(|(table, key, _)| (table, key.to_vec()))
            .collect()
    }

    /// The other officer reads, and writes on what there is.
    fn other_works(&mut self, input: &mut Input<'_>) {
        assert!(self.world.sync(1), "a rogue device ends the session of another");
        let heads = ledger::heads(&self.world.devices[1], None, usize::MAX).expect("records are listed");
        let on = heads.get(input.below(heads.len() + 1));
        let text = Text::new(format!("text {}", input.byte() % 3)).unwrap_or_default();
        let what = match on {
            None => (RevisionKind::CREATE, note("all quiet")),
            Some(_) => (
                RevisionKind::AMEND,
                vec![(SUBJECT, FieldOp::Set(Value::Text(text)))],
            ),
        };
        // A conflict, a frozen record: refused, and nothing is written.
        if let Ok(dot) = self.world.write(1, on, what) {
            self.known.push(dot);
        }
        assert!(self.world.sync(1), "a rogue device ends the session of another");
    }

    fn check(&mut self) {
        for _ in 0..2 {
            assert!(self.world.sync(1), "a rogue device ends the session of another");
        }
        self.check_verdicts();
        self.check_nothing_lost();
        self.check_heads();
        for run in self.runs.clone() {
            let writes = self.accept(&run);
            let other = writes.iter().find(|(table, _)| *table != Table::Meta);
            assert_eq!(other, None, "taken in again, and something changed");
        }
    }

    /// Every entry has one standing, and it is the verdict that its book carries.
    fn check_verdicts(&self) {
        for book in ledger::books(&self.world.server).expect("books are listed") {
            let entries =
                ledger::log(&self.world.server, book.replica(), 1, usize::MAX).expect("a book reads");
            for (dot, stored) in entries {
                let verdicts = book
                    .verdicts
                    .iter()
                    .filter(|verdict| verdict.counter == dot.counter);
                let found: Vec<Standing> = verdicts.map(|verdict| verdict.standing).collect();
                let expected: Vec<Standing> = Some(stored.standing)
                    .into_iter()
                    .filter(|standing| *standing != Standing::KEPT)
                    .collect();
                assert_eq!(found, expected, "the verdict on {dot:?}");
            }
        }
    }

    /// What the other officer wrote is at the server, as it was written.
    fn check_nothing_lost(&self) {
        for (dot, entry) in &self.world.written {
            let there = ledger::entry(&self.world.server, *dot).expect("an entry reads");
            assert_eq!(
                there.map(|stored| stored.entry).as_ref(),
                Some(entry),
                "{dot:?} is lost"
            );
        }
    }

    /// Whoever may read a record shows what the server shows.
    fn check_heads(&self) {
        let officer = bearers()[1].identity.officer;
        let row: Option<Officer> =
            register::get(&self.world.server, officer.as_bytes()).expect("the register reads");
        let row = row.expect("the officer is in the register");
        let granted = register::scopes_granted(&self.world.server, &row, 0).expect("the register reads");
        let granted: BTreeSet<_> = granted.into_iter().collect();
        for head in ledger::heads(&self.world.server, None, usize::MAX).expect("records are listed") {
            if ledger::scopes_of(&head)
                .iter()
                .all(|scope| !granted.contains(scope))
            {
                continue;
            }
            let shown = ledger::head(&self.world.devices[1], head.record).expect("a head reads");
            assert_eq!(
                shown.as_ref().map(plain),
                Some(plain(&head)),
                "{:?} is shown otherwise",
                head.record
            );
        }
    }
}

/// A head without what each store keeps beside the merged state.
fn plain(head: &Head) -> Head {
    let mut plain = head.clone();
    plain.scopes.clear();
    plain.frozen = false;
    plain
}

/// The other officer has a note at the server, and both have read all there is.
fn start() -> World {
    let mut world = World::new();
    let written = world.write(1, None, (RevisionKind::CREATE, note("all quiet")));
    assert!(
        written.is_ok() && world.sync(1) && world.sync(0),
        "the world begins well"
    );
    world
}

fn opening() -> Entry {
    let identity = &bearers()[0].identity;
    let opening = Opening {
        domain: code(Opening::DOMAIN),
        force: identity.force.clone(),
        replica: BOOK,
        kind: ReplicaKind::Book,
        officer: identity.officer,
        enrolment: identity.enrolment,
        key: identity.key.clone(),
        follows: None,
        opened_at: stamp(0),
    };
    Entry::new(&header(None, RevisionKind::OPEN), &opening).expect("an opening fits an entry")
}

fn header(record: Option<Dot>, kind: RevisionKind) -> Header {
    Header {
        record,
        family: if kind == RevisionKind::OPEN {
            code("BOOK")
        } else {
            code("NOTE")
        },
        kind,
        schema: 1,
        context: VersionVector::new(),
        prior: 0,
        lamport: 1,
        fields: List(vec![]),
    }
}

fn body(input: &mut Input<'_>) -> Body {
    let ops = (0..=input.below(3)).map(|_| (field_of(input.byte()), op_of(input)));
    let mut ops: Vec<(FieldId, FieldOp)> = ops.collect();
    if input.byte() < 200 {
        ops.push((field::BEAT, FieldOp::Set(Value::Code(code(BEAT)))));
    }
    let reason = Text::new(if input.byte() < 240 { "put right" } else { " " });
    Body {
        recorded_at: stamp(i64::MIN),
        reason,
        settles: List(vec![]),
        ops: List(ops),
    }
}

fn field_of(choice: u8) -> FieldId {
    match choice {
        250.. => field::BEAT,
        240.. => field::MARKING,
        _ => FieldId(40 + u16::from(choice % 3)),
    }
}

fn op_of(input: &mut Input<'_>) -> FieldOp {
    let choice = input.byte();
    let value = match choice >> 4 {
        0..=9 => Value::Text(Text::new(format!("text {}", choice % 4)).unwrap_or_default()),
        10 => Value::Code(code(BEAT)),
        11 => Value::Code(Code::new("52/C09").unwrap_or_else(|_| code("X"))),
        12 => Value::Code(code("OFFICIAL_SENSITIVE")),
        _ => Value::Int(i64::from(choice % 3)),
    };
    match choice % 9 {
        0..=3 => FieldOp::Set(value),
        4 => FieldOp::Add(value),
        5 => FieldOp::Remove(value),
        6 => FieldOp::Append(value),
        7 => FieldOp::Increment(i64::MIN),
        _ => FieldOp::Clear,
    }
}

static START: OnceLock<World> = OnceLock::new();
const BOOK: ReplicaId = ReplicaId::from_bytes([0x77; 16]);
const SECRET: RunSecret = RunSecret([0x5a; 32]);
const ENTRIES_MAX: u64 = 24;
