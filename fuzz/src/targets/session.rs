//! Two session machines, their stores, and all that may happen to what passes between them: frames in any order, lost,
//! repeated, changed and made up; operations that fail, and crashes before they are durable. Nothing panics, nothing is
//! told before it is durable, and when it has become quiet all that was acknowledged is at the server.

use std::collections::{BTreeSet, VecDeque};

use beatbook_core::device::DeviceOp;
use beatbook_core::ledger::{self, LedgerError};
use beatbook_core::server::ServerOp;
use beatbook_core::session::{
    Event, Initiator, InitiatorInput, InitiatorOutput, Responder, ResponderInput, ResponderOutput,
    SessionError,
};
use beatbook_core::store::{Durable, MemoryStore, StoreError};
use beatbook_proto::frame::{BookClaim, Close, Hello, Offer, Verdicts};
use beatbook_proto::{
    CloseCode, Cursor, Dot, Entry, EpochId, FieldOp, Frame, Hash, List, ReplicaId, ReplicaKind, RevisionKind,
    Scope, Signer, Standing, Text, Value, Verdict,
};

use crate::input::{Input, change};
use crate::samples::{self, Thing};
use crate::world::{SUBJECT, World, bearers, note, through_bytes};

/// Steps, one choice after another.
pub(super) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let mut play = Play::new(input.flag());
    for _ in 0..STEPS_MAX {
        if input.is_spent() {
            break;
        }
        play.step(&mut input);
        play.drain();
    }
    play.heal();
}

/// A session that goes well, with a crash, with a revoked posting, and with a frame of every kind made up.
pub(super) fn seeds() -> Vec<Vec<u8>> {
    let well: Vec<u8> = [4, 0, 0].into_iter().chain([2, 0, 3, 1].repeat(30)).collect();
    let mut seeds: Vec<Vec<u8>> = [0_u8, 1].map(|live| [&[live], well.as_slice()].concat()).to_vec();
    for event in 4..18 {
        let half = &well[..well.len() / 2];
        seeds.push([&[0], half, &[event, 1, 2, 3], &well].concat());
    }
    for sample in samples::all() {
        if let Thing::Frame(frame) = sample.thing
            && let Ok(bytes) = frame.encode()
        {
            let length = u8::try_from(bytes.len().min(255)).unwrap_or(255);
            let made_up =
                |event: u8| [&[0], &well[..11], &[event, 0, length], bytes.as_slice(), &well].concat();
            seeds.extend([made_up(8), made_up(9)]);
        }
    }
    seeds
}

/// Two machines and what is between them.
struct Play {
    world: World,
    live: bool,
    initiator: Initiator,
    responder: Responder,
    up: VecDeque<Frame>,
    down: VecDeque<Frame>,
    device_ops: VecDeque<DeviceOp>,
    server_ops: VecDeque<ServerOp>,
    /// An end has been reached by a side: it says nothing more.
    device_ended: bool,
    server_ended: bool,
}

impl Play {
    fn new(live: bool) -> Self {
        let world = World::new();
        let (initiator, responder) = machines(live);
        Self {
            world,
            live,
            initiator,
            responder,
            up: VecDeque::new(),
            down: VecDeque::new(),
            device_ops: VecDeque::new(),
            server_ops: VecDeque::new(),
            device_ended: false,
            server_ended: false,
        }
    }

    fn step(&mut self, input: &mut Input<'_>) {
        match input.byte() % 18 {
            0 => {
                if self.responder.has_room()
                    && let Some(frame) = self.up.pop_front()
                {
                    self.at_server(ResponderInput::Frame(through_bytes(&frame)));
                }
            }
            1 => {
                if let Some(frame) = self.down.pop_front() {
                    self.at_device(InitiatorInput::Frame(through_bytes(&frame)));
                }
            }
            2 => self.device_op(),
            3 => self.server_op(),
            4 => self.write(input),
            5 | 6 => self.crash(input),
            7 => self.connect(),
            8 => {
                if let Ok(frame) = Frame::decode_whole(input.bytes(1_000)) {
                    self.at_server(ResponderInput::Frame(frame));
                }
            }
            9 => {
                if let Ok(frame) = Frame::decode_whole(input.bytes(1_000)) {
                    self.at_device(InitiatorInput::Frame(frame));
                }
            }
            10 => {
                if let Some(frame) = self.up.pop_front().and_then(|frame| changed(&frame, input)) {
                    self.at_server(ResponderInput::Frame(frame));
                }
            }
            11 => {
                if let Some(frame) = self.down.pop_front().and_then(|frame| changed(&frame, input)) {
                    self.at_device(InitiatorInput::Frame(frame));
                }
            }
            12 => repeat(&mut self.up, input),
            13 => repeat(&mut self.down, input),
            14 => self.fail(input),
            15 => self.at_server(ResponderInput::Grown(BTreeSet::from([input.bytes(8).to_vec()]))),
            16 => {
                let beats: &[&str] = if input.flag() { &["52/C02"] } else { &["52/C09"] };
                self.world.post(0, beats);
            }
            _ => self.made_up(input),
        }
    }

    /// Executes the next operation of the device, makes it durable, and answers.
    fn device_op(&mut self) {
        if let Some(op) = self.device_ops.pop_front() {
            let done = self.world.execute_device(0, op).map(|(reply, writes)| {
                self.world.devices[0].apply(&writes);
                Durable::assert_stored(reply)
            });
            self.at_device(InitiatorInput::Reply(done));
        }
    }

    fn server_op(&mut self) {
        if let Some(op) = self.server_ops.pop_front() {
            let done = self.world.execute_server(op).map(|(reply, writes)| {
                self.world.server.apply(&writes);
                Durable::assert_stored(reply)
            });
            self.at_server(ResponderInput::Reply(done));
        }
    }

    /// The next operation is refused: nothing was written.
    fn fail(&mut self, input: &mut Input<'_>) {
        let refused = LedgerError::Store(StoreError::DiskFull);
        if input.flag() {
            if self.device_ops.pop_front().is_some() {
                self.at_device(InitiatorInput::Reply(Err(refused)));
            }
        } else if self.server_ops.pop_front().is_some() {
            self.at_server(ResponderInput::Reply(Err(refused)));
        }
    }

    /// A side dies: what it was doing is lost, or durable and never told. The connection is gone.
    fn crash(&mut self, input: &mut Input<'_>) {
        if input.flag()
            && let Some(op) = self.server_ops.pop_front()
            && let Ok((_, writes)) = self.world.execute_server(op)
        {
            self.world.server.apply(&writes);
        }
        if input.flag()
            && let Some(op) = self.device_ops.pop_front()
            && let Ok((_, writes)) = self.world.execute_device(0, op)
        {
            self.world.devices[0].apply(&writes);
        }
        self.connect();
    }

    fn connect(&mut self) {
        (self.initiator, self.responder) = machines(self.live);
        self.up.clear();
        self.down.clear();
        self.device_ops.clear();
        self.server_ops.clear();
        (self.device_ended, self.server_ended) = (false, false);
    }

    fn write(&mut self, input: &mut Input<'_>) {
        let heads = ledger::heads(&self.world.devices[0], None, usize::MAX).expect("records are listed");
        let on = heads.get(input.below(heads.len() + 1));
        let what = match on {
            None => (RevisionKind::CREATE, note("all quiet")),
            Some(_) => {
                let text = Text::new(format!("text {}", input.byte() % 3)).unwrap_or_default();
                (
                    RevisionKind::AMEND,
                    vec![(SUBJECT, FieldOp::Set(Value::Text(text)))],
                )
            }
        };
        // What the ledger refuses, as for a record that left the beat, changes nothing.
        if self.world.write(0, on, what).is_ok() {
            self.at_device(InitiatorInput::Wrote);
        }
    }

    /// A frame that no honest side would send, of what both know.
    fn made_up(&mut self, input: &mut Input<'_>) {
        let books = ledger::own_books(&self.world.devices[0]).expect("books are listed");
        let replica = match input.below(books.len() + 1) {
            place if place < books.len() => books[place].replica(),
            _ => ReplicaId::from_bytes([input.byte(); 16]),
        };
        let dot = Dot {
            replica,
            counter: input.number(),
        };
        let count = u32::try_from(input.number()).unwrap_or(u32::MAX);
        let stretches = Offer {
            stretches: List(vec![(dot, count)]),
        };
        let cursor = Cursor {
            scope: Scope::Own,
            epoch: EpochId::from_bytes([input.byte(); 16]),
            position: input.number(),
            hash: Hash::default(),
            tag: [0; 16],
        };
        match input.byte() % 6 {
            0 => self.at_server(ResponderInput::Frame(Frame::Offer(stretches))),
            1 => self.at_device(InitiatorInput::Frame(Frame::Want(stretches))),
            2 => {
                let claim = BookClaim {
                    replica,
                    counter: dot.counter,
                    seal: Hash([input.byte(); 32]),
                    kind: ReplicaKind::Book,
                };
                let hello = Hello {
                    protocol_min: 0,
                    protocol_max: input.byte(),
                    features: u64::MAX,
                    books: List(vec![claim, claim]),
                    cursors: List(vec![cursor.clone(), cursor]),
                    live: true,
                };
                self.at_server(ResponderInput::Frame(Frame::Hello(hello)));
            }
            3 => {
                let verdict = Verdict {
                    counter: dot.counter,
                    standing: Standing(input.byte()),
                };
                let verdicts = Verdicts {
                    replica,
                    verdicts: List(vec![verdict, verdict]),
                    secured: input.number(),
                };
                self.at_device(InitiatorInput::Frame(Frame::Verdicts(verdicts)));
            }
            _ => self.ended_early(input),
        }
    }

    /// A side says that it ends, or is told to.
    fn ended_early(&mut self, input: &mut Input<'_>) {
        let close = Frame::Close(Close {
            code: CloseCode(u16::from(input.byte())),
            retry_after_ms: u32::MAX,
        });
        match input.byte() % 3 {
            0 => self.at_server(ResponderInput::Frame(close)),
            1 => self.at_device(InitiatorInput::Frame(close)),
            _ => {
                let code = CloseCode::GOING_AWAY;
                self.at_server(ResponderInput::Stop {
                    code,
                    retry_after_ms: 1,
                });
                self.at_device(InitiatorInput::Stop);
            }
        }
    }

    fn at_device(&mut self, input: InitiatorInput) {
        let ended = self.device_ended;
        let handled = self.initiator.handle(input);
        if ended {
            // A shell ends with the first error; whatever still comes is the machine's to bear.
            return;
        }
        self.device_ended = ends(handled);
    }

    fn at_server(&mut self, input: ResponderInput) {
        let ended = self.server_ended;
        let handled = self.responder.handle(input);
        if ended {
            return;
        }
        self.server_ended = ends(handled);
    }

    /// Takes what the machines want, and checks what they tell.
    fn drain(&mut self) {
        while let Some(output) = self.initiator.poll_output() {
            match output {
                InitiatorOutput::Send(frame) => self.up.push_back(*frame),
                InitiatorOutput::Store(op) => self.device_ops.push_back(*op),
                InitiatorOutput::Event(Event::Safe { replica, upto }) => self.check_safe(replica, upto),
                InitiatorOutput::Event(_) => {}
                InitiatorOutput::Close(_) => self.device_ended = true,
            }
        }
        let mut grown = Vec::new();
        while let Some(output) = self.responder.poll_output() {
            match output {
                ResponderOutput::Send(frame) => {
                    if let Frame::Receipt(receipt) = &*frame {
                        let (replica, counter) = (receipt.claim.replica, receipt.claim.upto);
                        check_held(&self.world.server, Dot { replica, counter }, "receipted");
                    }
                    self.down.push_back(*frame);
                }
                ResponderOutput::Store(op) => self.server_ops.push_back(*op),
                ResponderOutput::Grown(feeds) => grown.push(feeds),
                ResponderOutput::Close(_) => self.server_ended = true,
            }
        }
        for feeds in grown {
            self.at_server(ResponderInput::Grown(feeds));
        }
        let queued = [
            self.up.len(),
            self.down.len(),
            self.device_ops.len(),
            self.server_ops.len(),
        ];
        assert!(
            queued.iter().all(|length| *length < QUEUE_MAX),
            "a queue without a bound: {queued:?}"
        );
    }

    /// What an officer is told is safe is durable on the device, and held by the server.
    fn check_safe(&self, replica: ReplicaId, upto: u64) {
        let book = ledger::book(&self.world.devices[0], replica).expect("a book reads");
        let receipted = book.map_or(0, |book| book.receipted);
        assert!(receipted >= upto, "told as safe before the receipt was durable");
        for counter in 1..=upto {
            check_held(&self.world.server, Dot { replica, counter }, "safe");
        }
    }

    /// Quiet comes: good links, and the posting as it was. Everything ever acknowledged gets to the server.
    fn heal(&mut self) {
        self.world.post(0, &["52/C02"]);
        let settled = (0..ROUNDS_MAX).any(|_| self.world.sync(0) && self.world.sync(0) && self.world.sync(1));
        assert!(settled, "sessions over a good link that are never done");
        let kept = kept(&self.world.server);
        for (dot, entry) in &self.world.written {
            assert!(kept.contains(&whole(entry)), "{dot:?} is lost");
        }
    }
}

fn machines(live: bool) -> (Initiator, Responder) {
    let bearer = &bearers()[0];
    let responder = Responder::new(bearer.identity.enrolment, bearer.key.public_key());
    (Initiator::new(live, 400), responder)
}

fn ends(handled: Result<(), SessionError>) -> bool {
    match handled {
        Ok(()) => false,
        Err(error) => {
            assert!(!error.to_string().is_empty() && !error.close_code().sentence().is_empty());
            true
        }
    }
}

fn changed(frame: &Frame, input: &mut Input<'_>) -> Option<Frame> {
    let mut bytes = frame.encode().expect("an honest side's frame encodes");
    change(input, &mut bytes);
    Frame::decode_whole(&bytes).ok()
}

fn repeat(queue: &mut VecDeque<Frame>, input: &mut Input<'_>) {
    let place = input.below(queue.len());
    if let Some(frame) = queue.get(place).cloned() {
        if input.flag() {
            queue.remove(place);
        }
        queue.push_front(frame);
    }
}

/// What is told as held is in the durable state: under its dot, or apart under the same dot.
fn check_held(server: &MemoryStore, dot: Dot, what: &str) {
    let entry = ledger::entry(server, dot).expect("an entry reads");
    let apart = || {
        ledger::quarantined(server)
            .expect("the quarantine reads")
            .iter()
            .any(|entry| entry.dot == dot)
    };
    assert!(
        entry.is_some() || apart(),
        "{what} before it was durable: {dot:?}"
    );
}

/// Every entry that the server holds, and what it carries.
fn kept(server: &MemoryStore) -> BTreeSet<Vec<u8>> {
    let mut kept = BTreeSet::new();
    let mut keep = |mut entry: Entry| {
        kept.insert(whole(&entry));
        while entry
            .header()
            .is_ok_and(|header| header.kind == RevisionKind::REISSUE)
        {
            let Ok(original) = entry.original() else { break };
            entry = original.entry;
            kept.insert(whole(&entry));
        }
    };
    for book in ledger::books(server).expect("books are listed") {
        for (_, stored) in ledger::log(server, book.replica(), 1, usize::MAX).expect("a book reads") {
            keep(stored.entry);
        }
    }
    for quarantined in ledger::quarantined(server).expect("the quarantine reads") {
        keep(quarantined.entry);
    }
    kept
}

fn whole(entry: &Entry) -> Vec<u8> {
    [entry.header.0.as_slice(), &[0xff], &entry.body.0].concat()
}

const STEPS_MAX: usize = 400;
const QUEUE_MAX: usize = 10_000;
/// A made-up answer costs the sessions that find out: a fork, its re-issues, an offer that leads nowhere.
const ROUNDS_MAX: usize = 8;
