//! The device's side of a session: says hello, sends its news at once, keeps receipts, reads its feeds.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;

use beatbook_proto::frame::{Close, Hello, Offer, VERSION, Verdicts};
use beatbook_proto::limits::BOOKS_MAX;
use beatbook_proto::{CloseCode, Dot, Frame, List, RecordId, ReplicaId};

use super::SessionError;
use crate::device::{DeviceOp, DeviceReply, Prepared, Welcomed};
use crate::planted::{Bug, is_planted};
use crate::store::Durable;

/// What happens to an [`Initiator`].
#[derive(Debug)]
pub enum InitiatorInput {
    /// A frame came.
    Frame(Frame),
    /// A store operation was done, or refused.
    Reply(Result<Durable<DeviceReply>, crate::ledger::LedgerError>),
    /// Something was written on this device.
    Wrote,
    /// The app wants the session to end.
    Stop,
}

/// What an [`Initiator`] wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InitiatorOutput {
    /// Send a frame.
    Send(Box<Frame>),
    /// Execute a store operation and feed the reply back.
    Store(Box<DeviceOp>),
    /// Tell the app.
    Event(Event),
    /// End the connection; nothing follows.
    Close(CloseCode),
}

/// What an app may want to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The server answered; its clock, milliseconds since 1970.
    Welcomed {
        /// The server's clock.
        server_now_ms: i64,
    },
    /// The server went back in time: entries of this book are sent again.
    Rewound {
        /// The book.
        replica: ReplicaId,
        /// From after this entry on.
        after: u64,
    },
    /// The server knows another history of a book: new books were opened.
    Forked,
    /// Entries are safe: the server holds them.
    Safe {
        /// The book.
        replica: ReplicaId,
        /// Up to which entry.
        upto: u64,
    },
    /// Merged records changed.
    Changed(Vec<RecordId>),
    /// Records left this device.
    Purged(Vec<RecordId>),
    /// Entries that the server never saw were re-issued in the open books.
    Reissued(u64),
    /// News is sent and receipted, feeds are read to their end.
    CaughtUp,
}

/// The device's session machine. One per connection.
#[derive(Debug)]
pub struct Initiator {
    live: bool,
    phase: Phase,
    outputs: VecDeque<InitiatorOutput>,
    /// Books to send from, and after which entry.
    to_send: VecDeque<(ReplicaId, u64)>,
    /// A read of the next run is under way.
    reading_run: bool,
    /// The highest entry sent of each book.
    sent: BTreeMap<ReplicaId, u64>,
    /// Runs sent and not receipted, by their last entry.
    unreceipted: BTreeSet<(ReplicaId, u64)>,
    /// Store operations under way.
    pending_ops: usize,
    /// Books closed in this session: nothing of them is sent any more.
    forked: BTreeSet<ReplicaId>,
    /// What is held of others' books is to be offered until the server lacks nothing of it.
    offering: bool,
    /// More was set apart meanwhile: only the answer to one more offer says that the server has it.
    offer_again: bool,
    /// Offers that the server has not answered.
    unanswered: usize,
    /// What the server lacked by its answers in this round, and in the round before.
    lacking: [Vec<(Dot, u32)>; 2],
    reissue_due: bool,
    /// Books with verdicts, of which the server has not said yet how they stand.
    judged: Vec<(ReplicaId, u64)>,
    /// Books of whose verdicts it spoke.
    heard: BTreeSet<ReplicaId>,
    caught_up: bool,
    /// The app was told that all is done, and nothing has happened since.
    settled: bool,
    /// Something was written while the session prepared itself.
    wrote: bool,
    unpacked_bytes_max: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Preparing,
    Greeting,
    Open,
    Closed,
}

impl Initiator {
    /// Starts a session: once, or live. `unpacked_bytes_max` bounds the entries in one run: small on a slow link, so
    /// that a cut costs little.
    pub fn new(live: bool, unpacked_bytes_max: usize) -> Self {
        let mut session = Self {
            live,
            phase: Phase::Preparing,
            outputs: VecDeque::new(),
            to_send: VecDeque::new(),
            reading_run: false,
            sent: BTreeMap::new(),
            unreceipted: BTreeSet::new(),
            pending_ops: 0,
            forked: BTreeSet::new(),
            offering: false,
            offer_again: false,
            unanswered: 0,
            lacking: [Vec::new(), Vec::new()],
            reissue_due: false,
            judged: Vec::new(),
            heard: BTreeSet::new(),
            caught_up: false,
            settled: false,
            wrote: false,
            unpacked_bytes_max,
        };
        session.store(DeviceOp::Prepare { unpacked_bytes_max });
        session
    }

    /// Takes one input. An error ends the session: send its close code, keep nothing open.
    pub fn handle(&mut self, input: InitiatorInput) -> Result<(), SessionError> {
        if self.phase == Phase::Closed {
            return Ok(());
        }
        match input {
            InitiatorInput::Frame(frame) => self.frame(frame)?,
            InitiatorInput::Reply(reply) => {
                self.pending_ops = self.pending_ops.saturating_sub(1);
                self.reply(reply?.into_inner())?;
            }
            InitiatorInput::Wrote if self.phase == Phase::Preparing => self.wrote = true,
            InitiatorInput::Wrote => self.prepare(),
            InitiatorInput::Stop => self.close(CloseCode::DONE),
        }
        self.settle();
        Ok(())
    }

    /// The next thing to do, in order.
    pub fn poll_output(&mut self) -> Option<InitiatorOutput> {
        self.outputs.pop_front()
    }

    /// True once all news is receipted and all feeds are read.
    pub fn is_settled(&self) -> bool {
        self.settled
    }

    fn frame(&mut self, frame: Frame) -> Result<(), SessionError> {
        self.settled = false;
        match (self.phase, frame) {
            (_, Frame::Close(Close { code, retry_after_ms })) => {
                self.phase = Phase::Closed;
                return Err(SessionError::Closed { code, retry_after_ms });
            }
            (Phase::Greeting, Frame::Welcome(welcome)) => {
                if welcome.protocol != VERSION {
                    return Err(SessionError::Incompatible);
                }
                self.phase = Phase::Open;
                self.event(Event::Welcomed {
                    server_now_ms: welcome.now_ms,
                });
                self.store(DeviceOp::Welcome(*welcome));
            }
            (Phase::Open, Frame::Receipt(receipt)) => {
                if !receipt.verdicts.is_empty() {
                    self.heard.insert(receipt.claim.replica);
                }
                self.store(DeviceOp::Receipt(*receipt));
            }
            (Phase::Open, Frame::Feed(feed)) => self.store(DeviceOp::Feed(*feed)),
            (Phase::Open, Frame::Verdicts(verdicts)) => {
                self.heard.insert(verdicts.replica);
                self.store(DeviceOp::Verdicts(verdicts));
            }
            (Phase::Open, Frame::Want(Offer { stretches })) if self.unanswered > 0 => {
                self.unanswered -= 1;
                let [lacking, _] = &mut self.lacking;
                lacking.extend(stretches.iter().copied());
                if stretches.is_empty() {
                    self.round_of_offers();
                } else {
                    self.store(DeviceOp::Parts(stretches.0));
                }
            }
            (Phase::Open, Frame::CaughtUp) => self.caught_up = true,
            (_, other) => return Err(SessionError::OutOfOrder(other.kind())),
        }
        Ok(())
    }

    fn reply(&mut self, reply: DeviceReply) -> Result<(), SessionError> {
        match reply {
            DeviceReply::Prepared(prepared) => self.prepared(prepared),
            DeviceReply::NextRun(run) => {
                self.reading_run = false;
                if let Some(run) = run.filter(|run| !self.forked.contains(&run.seal.claim.replica)) {
                    let claim = &run.seal.claim;
                    let back = u64::from(is_planted(Bug::FrameOrderLost));
                    let (replica, last) = (claim.replica, claim.last.saturating_sub(back));
                    self.sent.insert(replica, last);
                    self.unreceipted.insert((replica, last));
                    self.send(Frame::Run(Box::new(run)));
                    // A rewind may have put the book back in line meanwhile.
                    if !self.to_send.iter().any(|(queued, _)| *queued == replica) {
                        self.to_send.push_front((replica, last));
                    }
                }
                self.read_next_run();
            }
            DeviceReply::Welcomed(welcomed) => self.welcomed(welcomed),
            DeviceReply::Receipted { replica, upto, taken } => {
                self.unreceipted
                    .retain(|(book, last)| *book != replica || *last > upto);
                if taken {
                    self.fork(replica);
                } else {
                    self.event(Event::Safe { replica, upto });
                }
                self.read_next_run();
            }
            DeviceReply::Fed(fed) => {
                for replica in fed.forked {
                    self.fork(replica);
                }
                if !fed.changed.is_empty() {
                    self.event(Event::Changed(fed.changed));
                }
                if !fed.purged.is_empty() {
                    self.event(Event::Purged(fed.purged));
                }
                if fed.reissued > 0 {
                    self.event(Event::Reissued(fed.reissued));
                    self.prepare();
                }
                if fed.displaced {
                    self.offer_all();
                }
            }
            DeviceReply::Offers(stretches) => self.offer(stretches),
            DeviceReply::Parts(parts) => {
                for part in parts {
                    self.send(Frame::Part(Box::new(part)));
                }
                self.round_of_offers();
            }
            DeviceReply::Apart(parts) => {
                for part in parts {
                    self.send(Frame::Part(Box::new(part)));
                }
            }
            DeviceReply::Reissued(count) => {
                if count > 0 {
                    self.event(Event::Reissued(count));
                    self.prepare();
                }
            }
            DeviceReply::Offered | DeviceReply::Verdicts => {}
        }
        Ok(())
    }

    fn prepared(&mut self, prepared: Prepared) {
        if self.phase == Phase::Preparing {
            self.phase = Phase::Greeting;
            let hello = Hello {
                protocol_min: VERSION,
                protocol_max: VERSION,
                features: 0,
                books: List(prepared.books),
                cursors: List(prepared.cursors),
                live: self.live,
            };
            self.send(Frame::Hello(hello));
            if core::mem::take(&mut self.wrote) {
                self.prepare();
            }
        }
        for (replica, receipted) in prepared.to_send {
            let after = self
                .sent
                .get(&replica)
                .map_or(receipted, |sent| receipted.max(*sent));
            if !self.to_send.iter().any(|(queued, _)| *queued == replica) {
                self.to_send.push_back((replica, after));
            }
        }
        if prepared.more {
            self.prepare();
        }
        self.read_next_run();
    }

    fn welcomed(&mut self, welcomed: Welcomed) {
        for (replica, after) in welcomed.rewound {
            self.unreceipted.retain(|(book, _)| *book != replica);
            self.to_send.retain(|(book, _)| *book != replica);
            self.sent.insert(replica, after);
            self.to_send.push_back((replica, after));
            self.event(Event::Rewound { replica, after });
        }
        self.reissue_due |= welcomed.reissue_due;
        for replica in welcomed.forked {
            self.fork(replica);
        }
        self.judged.extend(welcomed.judged);
        if welcomed.offers_due {
            self.offer_all();
        }
        self.read_next_run();
    }

    /// A book turned out to have another history at the server: all open books are closed, their successors are sent.
    fn fork(&mut self, replica: ReplicaId) {
        self.unreceipted.retain(|(book, _)| *book != replica);
        self.to_send.retain(|(book, _)| *book != replica);
        self.reissue_due = true;
        if self.forked.insert(replica) {
            self.event(Event::Forked);
            self.prepare();
        }
    }

    /// Hands in what was set apart, and begins to offer what is held of others' books.
    fn offer_all(&mut self) {
        self.store(DeviceOp::Apart);
        if core::mem::replace(&mut self.offering, true) {
            self.offer_again = true;
        } else {
            self.store(DeviceOp::Offers);
        }
    }

    /// Offers everything held of others' books, in frames of bounded size.
    fn offer(&mut self, stretches: Vec<(Dot, u32)>) {
        for chunk in stretches.chunks(BOOKS_MAX) {
            self.unanswered += 1;
            self.send(Frame::Offer(Offer {
                stretches: List(chunk.to_vec()),
            }));
        }
        self.round_of_offers();
    }

    /// Once every offer is answered and what was wanted is sent: offers again, until an answer shows that the server
    /// has it all, or will not have the rest. Only an answer to a later offer says that parts have become durable.
    fn round_of_offers(&mut self) {
        if self.unanswered > 0 || !self.offering {
            return;
        }
        let [lacking, before] = &mut self.lacking;
        if core::mem::take(&mut self.offer_again) {
            *before = core::mem::take(lacking);
            self.store(DeviceOp::Offers);
        } else if lacking.is_empty() || lacking == before {
            self.offering = false;
            self.store(DeviceOp::Offered);
        } else {
            *before = core::mem::take(lacking);
            self.store(DeviceOp::Offers);
        }
    }

    fn read_next_run(&mut self) {
        // A window, so that neither side holds more than so many runs for the other: before Welcome all of them wait.
        if self.reading_run || self.unreceipted.len() >= RUNS_IN_FLIGHT_MAX {
            return;
        }
        if let Some((replica, after)) = self.to_send.pop_front() {
            self.reading_run = true;
            self.store(DeviceOp::NextRun { replica, after });
        }
    }

    fn prepare(&mut self) {
        self.settled = false;
        self.store(DeviceOp::Prepare {
            unpacked_bytes_max: self.unpacked_bytes_max,
        });
    }

    /// Ends a session that has nothing left to do, or tells the app of a live one.
    fn settle(&mut self) {
        let idle = self.phase == Phase::Open
            && self.caught_up
            && self.pending_ops == 0
            && !self.offering
            && self.to_send.is_empty()
            && self.unreceipted.is_empty();
        if !idle || self.settled {
            return;
        }
        // What is offered comes first: an original that turns up need not be issued again.
        if core::mem::take(&mut self.reissue_due) {
            self.store(DeviceOp::Reissue);
            return;
        }
        let silent = core::mem::take(&mut self.judged).into_iter();
        for (replica, secured) in silent.filter(|(replica, _)| !self.heard.contains(replica)) {
            self.pending_ops += 1;
            self.outputs
                .push_back(InitiatorOutput::Store(Box::new(DeviceOp::Verdicts(Verdicts {
                    replica,
                    verdicts: List::default(),
                    secured,
                }))));
        }
        if self.pending_ops > 0 {
            return;
        }
        self.settled = true;
        self.event(Event::CaughtUp);
        if !self.live {
            self.close(CloseCode::DONE);
        }
    }

    fn close(&mut self, code: CloseCode) {
        self.send(Frame::Close(Close {
            code,
            retry_after_ms: 0,
        }));
        self.outputs.push_back(InitiatorOutput::Close(code));
        self.phase = Phase::Closed;
    }

    fn send(&mut self, frame: Frame) {
        self.outputs.push_back(InitiatorOutput::Send(Box::new(frame)));
    }

    fn store(&mut self, op: DeviceOp) {
        self.pending_ops += 1;
        self.outputs.push_back(InitiatorOutput::Store(Box::new(op)));
    }

    fn event(&mut self, event: Event) {
        self.outputs.push_back(InitiatorOutput::Event(event));
    }
}

/// Most runs sent and not receipted.
const RUNS_IN_FLIGHT_MAX: usize = 64;
