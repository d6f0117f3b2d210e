//! The server's side of a session: a loop around the core's `Responder`, as `beatbookd` runs it.
//!
//! Frames are read while few operations are under way and little waits to be sent; the next stretch of a feed is
//! read when all before it has been handed to the link. Commits are in `server`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use beatbook_core::ledger::LedgerError;
use beatbook_core::server::{FeedRequest, ServerOp, ServerReply};
use beatbook_core::session::{Responder, ResponderInput, ResponderOutput, SessionError};
use beatbook_core::store::Durable;
use beatbook_proto::frame::Close;
use beatbook_proto::{
    CloseCode, Dot, Entry, FeedItem, Frame, OfficerId, PublicKey, ReplicaId, Scope, Standing,
};
use beatbook_server::policy;

use super::device::IDLE_TIMEOUT_MS;
use super::{Event, Session, World, session_index};
use crate::fact::{DeviceIndex, SessionEnd, What};
use crate::link::Parcel;
use crate::mark::Mark;

/// The server's side.
pub(super) struct Far {
    machine: Responder,
    pub(super) key: PublicKey,
    under_way: usize,
    outgoing: VecDeque<(Frame, Vec<u8>)>,
    /// A feed to be read when everything before it has been handed over.
    wanted: Option<FeedRequest>,
    /// Names of the feeds that it reads, once it was greeted.
    reads: Option<BTreeSet<Vec<u8>>>,
    grown: BTreeSet<Vec<u8>>,
    scopes: Vec<Scope>,
    closing: Option<CloseCode>,
    /// Runs taken in, by their last entry, with their first.
    pub(super) runs: BTreeMap<(ReplicaId, u64), u64>,
    /// The entries of these runs, as they came.
    came: BTreeMap<Dot, Entry>,
}

impl Far {
    pub(super) fn new(machine: Responder, key: PublicKey) -> Self {
        Self {
            machine,
            key,
            under_way: 0,
            outgoing: VecDeque::new(),
            wanted: None,
            reads: None,
            grown: BTreeSet::new(),
            scopes: Vec::new(),
            closing: None,
            runs: BTreeMap::new(),
            came: BTreeMap::new(),
        }
    }
}

impl Session {
    /// True once the server has greeted the device.
    pub(super) fn is_served(&self) -> bool {
        self.far.as_ref().is_some_and(|far| far.reads.is_some())
    }
}

impl World<'_> {
    fn far(&mut self, number: u64) -> Option<&mut Far> {
        self.sessions.get_mut(&number)?.far.as_mut()
    }

    /// Sends what waits, reads what is wanted, takes what has arrived: until the side waits for something.
    pub(super) fn far_pump(&mut self, number: u64) {
        loop {
            let Some(session) = self.sessions.get_mut(&number) else {
                return;
            };
            let Some(far) = session.far.as_mut() else { return };
            // A device that has closed reads no more, and what waits for it would wait for ever.
            let closed = session
                .up
                .inbox
                .iter()
                .any(|parcel| !matches!(parcel, Parcel::Frame(_)));
            if closed && !session.down.has_room() {
                self.far_ends(number, None);
                return;
            }
            if session.down.has_room()
                && let Some((frame, bytes)) = far.outgoing.pop_front()
            {
                self.far_sends(number, &frame, bytes);
                continue;
            }
            if far.outgoing.is_empty() {
                if let Some(code) = far.closing {
                    self.far_ends(number, Some(code));
                    return;
                }
                if let Some(request) = far.wanted.take() {
                    far.under_way += 1;
                    let request = Box::new(request);
                    self.after(
                        1,
                        Event::ServerRead {
                            session: number,
                            request,
                        },
                    );
                    continue;
                }
            }
            let takes = far.closing.is_none()
                && far.under_way < OPS_MAX
                && far.outgoing.len() < OUTGOING_MAX
                && far.machine.has_room();
            if !takes {
                return;
            }
            let Some(parcel) = session.up.inbox.pop_front() else {
                return;
            };
            self.far_parcel(number, parcel);
            self.near_drain(number);
        }
    }

    fn far_parcel(&mut self, number: u64, parcel: Parcel) {
        match parcel {
            Parcel::Frame(bytes) => match Frame::decode_whole(&bytes) {
                Ok(frame) => self.far_feed(number, ResponderInput::Frame(frame)),
                Err(error) => self.far_failed(number, &error.into()),
            },
            // The device ended its stream, or is gone: nothing more can come, and nothing need be said.
            Parcel::Fin(_) | Parcel::Reset => self.far_ends(number, None),
        }
    }

    /// Gives the machine an input and does what it then wants.
    pub(super) fn far_feed(&mut self, number: u64, input: ResponderInput) {
        let Some(far) = self.far(number) else { return };
        let handled = far.machine.handle(input);
        let mut outputs = Vec::new();
        while let Some(output) = far.machine.poll_output() {
            outputs.push(output);
        }
        for output in outputs {
            self.far_output(number, output);
        }
        if let Err(error) = handled {
            self.far_failed(number, &error);
        }
    }

    fn far_output(&mut self, number: u64, output: ResponderOutput) {
        match output {
            ResponderOutput::Send(frame) => self.far_queues(number, *frame),
            ResponderOutput::Store(op) => match *op {
                ServerOp::ReadFeed(request) => {
                    if let Some(far) = self.far(number) {
                        far.wanted = Some(request);
                    }
                }
                op => self.far_commits(number, op),
            },
            ResponderOutput::Grown(feeds) => self.feeds_grew(&feeds),
            ResponderOutput::Close(code) => {
                if let Some(far) = self.far(number) {
                    far.closing = Some(code);
                }
            }
        }
    }

    fn far_commits(&mut self, number: u64, op: ServerOp) {
        let Some(session) = self.sessions.get_mut(&number) else {
            return;
        };
        let Some(far) = session.far.as_mut() else { return };
        far.under_way += 1;
        if let ServerOp::AcceptRun { run, .. } = &op {
            let claim = &run.seal().claim;
            let entries = run.entries().iter();
            far.came
                .extend(entries.map(|verified| (verified.dot, verified.entry.clone())));
            if far
                .runs
                .insert((claim.replica, claim.last), claim.first)
                .is_some()
            {
                self.ended.marks.reach(Mark::DuplicateRun);
            }
        }
        let (peer, key) = (session.peer, far.key.clone());
        self.server_submits(number, peer, key, op);
    }

    fn far_queues(&mut self, number: u64, frame: Frame) {
        let Some(far) = self.far(number) else { return };
        if let Frame::Welcome(welcome) = &frame {
            far.scopes = welcome.scopes.to_vec();
            if let Some(officer) = far.machine.officer() {
                far.reads = Some(far.scopes.iter().map(|scope| feed_name(scope, officer)).collect());
            }
        }
        if let Frame::Feed(feed) = &frame {
            let (cursor, dots, beside) = (feed.cursor.clone(), dots_of(feed), beside_of(feed));
            let Some(session) = self.sessions.get(&number) else {
                return;
            };
            let device = DeviceIndex(session.device);
            self.tell(What::FeedRead {
                session: session_index(number),
                device,
                cursor,
                dots,
                beside,
            });
        }
        let Some(far) = self.far(number) else { return };
        match frame.encode() {
            Ok(bytes) => far.outgoing.push_back((frame, bytes)),
            Err(error) => self.broken(
                "frames encode",
                format!("a server's frame does not encode: {error}"),
            ),
        }
    }

    /// Hands a frame to the link. What it says is durable.
    fn far_sends(&mut self, number: u64, frame: &Frame, bytes: Vec<u8>) {
        let Some(session) = self.sessions.get(&number) else {
            return;
        };
        let (device, index) = (DeviceIndex(session.device), session_index(number));
        let (live, loses) = (session.live, session.loses_receipt);
        match frame {
            Frame::Receipt(receipt) => {
                let claim = receipt.claim;
                let runs = session.far.as_ref().map(|far| &far.runs);
                let first = runs.and_then(|runs| runs.get(&(claim.replica, claim.upto)));
                let run = (first.copied().unwrap_or(claim.upto), claim.upto);
                let verdicts = receipt.verdicts.to_vec();
                let taken = verdicts
                    .iter()
                    .filter(|verdict| verdict.standing == Standing::QUARANTINED_DOT_TAKEN);
                let came = session.far.as_ref().map(|far| &far.came);
                let apart = taken.filter_map(|verdict| {
                    let dot = Dot {
                        replica: claim.replica,
                        counter: verdict.counter,
                    };
                    Some((dot, came?.get(&dot)?.clone()))
                });
                let apart = apart.collect();
                self.marks_of_verdicts(&verdicts);
                self.tell(What::ReceiptSent {
                    session: index,
                    replica: claim.replica,
                    run,
                    verdicts,
                    apart,
                });
                if loses {
                    self.reach(Mark::ReceiptLost);
                    self.cut_connection(number, true, true);
                    return;
                }
            }
            Frame::Feed(feed) => {
                if live {
                    self.reach(Mark::LiveFed);
                }
                let (dots, beside) = (dots_of(feed), beside_of(feed));
                self.tell(What::FeedSent {
                    session: index,
                    device,
                    cursor: feed.cursor.clone(),
                    dots,
                    beside,
                });
            }
            _ => {}
        }
        let Some(session) = self.sessions.get_mut(&number) else {
            return;
        };
        let device = &mut self.devices[session.device];
        session.down.send(
            Parcel::Frame(bytes),
            false,
            self.now_ms,
            &device.weather,
            &mut device.random,
        );
        self.expect(number, false);
    }

    /// A commit or a read of this session is done.
    pub(super) fn far_replied(&mut self, number: u64, reply: Result<Durable<ServerReply>, LedgerError>) {
        let Some(far) = self.far(number) else { return };
        far.under_way = far.under_way.saturating_sub(1);
        self.far_feed(number, ResponderInput::Reply(reply));
        self.far_pump(number);
        self.forget(number);
    }

    pub(super) fn server_reads(&mut self, number: u64, request: &FeedRequest) {
        let Some(session) = self.sessions.get(&number) else {
            return;
        };
        let (Some(far), Some(store)) = (&session.far, &self.server.store) else {
            return;
        };
        let now_ms = self.server.clock.shows(self.now_ms);
        let tag_key = &self.server.tag_key;
        let read =
            store.read(|read| policy::read_stretch(read, tag_key, now_ms, (session.peer, &far.key), request));
        // What a store shows to readers is durable.
        self.far_replied(
            number,
            read.map(Durable::assert_stored).map_err(LedgerError::from),
        );
    }

    /// Every session that reads one of these feeds is woken, once however often it grows before that.
    fn feeds_grew(&mut self, feeds: &BTreeSet<Vec<u8>>) {
        let mut woken = Vec::new();
        for (number, session) in &mut self.sessions {
            let Some(far) = session.far.as_mut() else { continue };
            let Some(reads) = &far.reads else { continue };
            let fresh: Vec<Vec<u8>> = feeds.intersection(reads).cloned().collect();
            if fresh.is_empty() {
                continue;
            }
            if far.grown.is_empty() {
                woken.push(*number);
            }
            far.grown.extend(fresh);
        }
        for session in woken {
            self.after(0, Event::Grown { session });
        }
    }

    pub(super) fn far_grown(&mut self, number: u64) {
        let Some(far) = self.far(number) else { return };
        let grown = std::mem::take(&mut far.grown);
        self.far_feed(number, ResponderInput::Grown(grown));
        self.far_pump(number);
    }

    /// Asks the register what it grants to a session that is open.
    pub(super) fn far_asks_register(&mut self, number: u64) {
        let Some(session) = self.sessions.get(&number) else {
            return;
        };
        let (Some(far), Some(store)) = (&session.far, &self.server.store) else {
            return;
        };
        let now_ms = self.server.clock.shows(self.now_ms);
        let granted = store.read(|read| policy::scopes(read, session.peer, &far.key, now_ms));
        let code = match granted {
            Ok(None) => CloseCode::NOT_ADMITTED,
            // What may be read has changed: the device comes back at once and is told by Welcome.
            Ok(Some(scopes)) if scopes != far.scopes => CloseCode::GOING_AWAY,
            Ok(Some(_)) => return,
            Err(error) => {
                self.far_feed(number, ResponderInput::Reply(Err(error.into())));
                return;
            }
        };
        self.far_feed(
            number,
            ResponderInput::Stop {
                code,
                retry_after_ms: 0,
            },
        );
        self.far_pump(number);
    }

    /// Tells a device that broke the protocol why it is left.
    fn far_failed(&mut self, number: u64, error: &SessionError) {
        let Some(session) = self.sessions.get(&number) else {
            return;
        };
        if session.far.is_none() {
            return;
        }
        let device = DeviceIndex(session.device);
        let code = error.close_code();
        let end = match error {
            SessionError::Closed { code, .. } => SessionEnd::ByPeer(*code),
            other => SessionEnd::Failed {
                code,
                said: other.to_string(),
            },
        };
        self.tell(What::SessionEnded {
            session: session_index(number),
            device,
            at_server: true,
            end,
        });
        if let Some(session) = self.sessions.get_mut(&number) {
            session.far = None;
            session.up.inbox.clear();
        }
        if !matches!(error, SessionError::Closed { .. })
            && let Ok(bytes) = Frame::Close(Close {
                code,
                retry_after_ms: 0,
            })
            .encode()
        {
            self.send_down(number, Parcel::Frame(bytes));
        }
        self.send_down(number, Parcel::Fin(code));
        self.forget(number);
    }

    /// The server's side ends; with a code, it says so.
    pub(super) fn far_ends(&mut self, number: u64, code: Option<CloseCode>) {
        let Some(session) = self.sessions.get_mut(&number) else {
            return;
        };
        if session.far.take().is_none() {
            return;
        }
        // Nobody reads what the device still sends; it must not wait for room.
        session.up.inbox.clear();
        let device = DeviceIndex(session.device);
        let end = code.map_or(SessionEnd::Lost, SessionEnd::Done);
        self.tell(What::SessionEnded {
            session: session_index(number),
            device,
            at_server: true,
            end,
        });
        if let Some(code) = code {
            self.send_down(number, Parcel::Fin(code));
        }
        self.forget(number);
    }

    fn send_down(&mut self, number: u64, parcel: Parcel) {
        let Some(session) = self.sessions.get_mut(&number) else {
            return;
        };
        let device = &mut self.devices[session.device];
        session
            .down
            .send(parcel, false, self.now_ms, &device.weather, &mut device.random);
        self.expect(number, false);
    }

    /// The server finds out that the connection is gone.
    pub(super) fn far_lost(&mut self, number: u64) {
        let Some(session) = self.sessions.get_mut(&number) else {
            return;
        };
        if session.far.is_none() {
            return;
        }
        session.up.lose();
        if session.near.is_none() {
            self.reach(Mark::EndHeardLate);
        }
        self.far_ends(number, None);
        self.after(
            IDLE_TIMEOUT_MS,
            Event::Lost {
                session: number,
                at_server: false,
            },
        );
    }
}

/// The name of a feed, as the core tells its growth: `own` is one feed per officer.
fn feed_name(scope: &Scope, officer: OfficerId) -> Vec<u8> {
    let mut name = scope.key();
    if *scope == Scope::Own {
        name.extend_from_slice(officer.as_bytes());
    }
    name
}

/// The entries whose bytes are in a feed.
pub(super) fn dots_of(feed: &beatbook_proto::frame::Feed) -> Vec<Dot> {
    let parts = feed.parts.iter().chain(feed.openings.iter());
    let mut dots: Vec<Dot> = parts
        .flat_map(|part| {
            let replica = part.seal.claim.replica;
            part.entries.iter().map(move |(counter, _)| Dot {
                replica,
                counter: *counter,
            })
        })
        .collect();
    dots.sort();
    dots.dedup();
    dots
}

/// The entries of a frame that no item names, other than openings and what was kept apart (R-FEED-4).
fn beside_of(feed: &beatbook_proto::frame::Feed) -> Vec<Dot> {
    let mut named: BTreeMap<u16, BTreeSet<u64>> = BTreeMap::new();
    for item in feed.items.iter() {
        if let FeedItem::Entries { part, first, count } = item {
            let counters = (0..u64::from(*count)).map(|step| first.saturating_add(step));
            named.entry(*part).or_default().extend(counters);
        }
    }
    let mut beside = Vec::new();
    for (part, named) in named {
        let Some(part) = feed.parts.get(usize::from(part)) else {
            continue;
        };
        let replica = part.seal.claim.replica;
        let others = part.entries.iter().map(|(counter, _)| *counter);
        let others = others.filter(|counter| !named.contains(counter));
        beside.extend(others.map(|counter| Dot { replica, counter }));
    }
    beside.sort();
    beside
}

/// Store operations of one session at once.
const OPS_MAX: usize = 32;
/// Frames to be sent from which on none are read.
const OUTGOING_MAX: usize = 64;
