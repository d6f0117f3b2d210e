//! The server's side of a session: greets, receipts runs once they are durable, serves feeds.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;

use beatbook_proto::frame::{Close, Feed, Hello, Offer, VERSION};
use beatbook_proto::{
    CloseCode, EnrolmentId, Entry, FeedItem, Frame, List, OfficerId, PublicKey, ReplicaId, Scope, Standing,
    Verdict,
};

use super::SessionError;
use crate::keys;
use crate::ledger::{FeedEnd, LedgerError, Stretches};
use crate::planted::{Bug, is_planted};
use crate::server::{FeedRequest, FeedStretch, Greeted, ServerOp, ServerReply};
use crate::store::Durable;

/// What happens to a [`Responder`].
#[derive(Debug)]
pub enum ResponderInput {
    /// A frame came.
    Frame(Frame),
    /// A store operation was done, or refused.
    Reply(Result<Durable<ServerReply>, LedgerError>),
    /// Feeds grew, by whatever session.
    Grown(BTreeSet<Vec<u8>>),
    /// The server goes away, or wants this session to end.
    Stop {
        /// Why.
        code: CloseCode,
        /// How long the device is to stay away, in milliseconds.
        retry_after_ms: u32,
    },
}

/// What a [`Responder`] wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResponderOutput {
    /// Send a frame.
    Send(Box<Frame>),
    /// Execute a store operation and feed the reply back. [`ServerOp::ReadFeed`] needs no commit.
    Store(Box<ServerOp>),
    /// Tell every session that these feeds grew.
    Grown(BTreeSet<Vec<u8>>),
    /// End the connection; nothing follows.
    Close(CloseCode),
}

/// The server's session machine. One per connection.
#[derive(Debug)]
pub struct Responder {
    peer: EnrolmentId,
    key: PublicKey,
    phase: Phase,
    outputs: VecDeque<ResponderOutput>,
    /// Runs that came before the register had been asked.
    early: Vec<Frame>,
    /// What their entries weigh.
    early_bytes: usize,
    feeds: Vec<FeedState>,
    officer: OfficerId,
    claims: BTreeMap<ReplicaId, u64>,
    own_sequence: u64,
    introduced: BTreeSet<ReplicaId>,
    granted: BTreeSet<Scope>,
    /// What was sent in whole runs, and is held there still.
    sent: Stretches,
    reading: Option<usize>,
    pending_ops: usize,
    /// Runs and parts of the peer that are being taken in.
    taking_in: usize,
    told_caught_up: bool,
    /// Answers to offers. Each goes out once the feeds are read to their end: a device that is told that nothing is lacked
    /// has then seen what it offered in a feed, and its cursor shows if that is lost again.
    answers: Vec<Frame>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    AwaitingHello,
    Greeting,
    Open,
    Closed,
}

#[derive(Debug)]
struct FeedState {
    scope: Scope,
    name: Vec<u8>,
    at: FeedEnd,
    behind: bool,
}

impl Responder {
    /// Starts a session with the enrolment that the certificate names and the key that it proved.
    pub fn new(peer: EnrolmentId, key: PublicKey) -> Self {
        Self {
            peer,
            key,
            phase: Phase::AwaitingHello,
            outputs: VecDeque::new(),
            early: Vec::new(),
            early_bytes: 0,
            feeds: Vec::new(),
            officer: OfficerId::default(),
            claims: BTreeMap::new(),
            own_sequence: 0,
            introduced: BTreeSet::new(),
            granted: BTreeSet::new(),
            sent: Stretches::default(),
            reading: None,
            pending_ops: 0,
            taking_in: 0,
            told_caught_up: false,
            answers: Vec::new(),
        }
    }

    /// Takes one input. An error ends the session: send its close code, keep nothing open.
    pub fn handle(&mut self, input: ResponderInput) -> Result<(), SessionError> {
        if self.phase == Phase::Closed {
            return Ok(());
        }
        match input {
            ResponderInput::Frame(frame) => self.frame(frame)?,
            ResponderInput::Reply(reply) => {
                self.pending_ops = self.pending_ops.saturating_sub(1);
                self.reply(reply?.into_inner())?;
            }
            ResponderInput::Grown(feeds) => {
                self.fall_behind(&feeds);
            }
            ResponderInput::Stop { code, retry_after_ms } => self.close(code, retry_after_ms),
        }
        self.serve();
        Ok(())
    }

    /// The next thing to do, in order.
    pub fn poll_output(&mut self) -> Option<ResponderOutput> {
        self.outputs.pop_front()
    }

    /// False while as much waits for the register as may: a shell reads no further frame until it is true again, so that
    /// a peer takes a bounded part of this side's memory however much it sends, and an honest one waits a moment.
    pub fn has_room(&self) -> bool {
        self.early_bytes < EARLY_BYTES_MAX
    }

    /// The officer whose device this is, once it was greeted.
    pub fn officer(&self) -> Option<OfficerId> {
        (self.phase == Phase::Open).then_some(self.officer)
    }

    fn frame(&mut self, frame: Frame) -> Result<(), SessionError> {
        match (self.phase, frame) {
            (_, Frame::Close(Close { code, retry_after_ms })) => {
                self.phase = Phase::Closed;
                return Err(SessionError::Closed { code, retry_after_ms });
            }
            (Phase::AwaitingHello, Frame::Hello(hello)) => self.hello(hello)?,
            (Phase::Greeting, frame @ (Frame::Run(_) | Frame::Offer(_) | Frame::Part(_))) => {
                if self.early.len() == EARLY_FRAMES_MAX {
                    return Err(SessionError::OutOfOrder(frame.kind()));
                }
                self.early_bytes = self.early_bytes.saturating_add(weight(&frame));
                self.early.push(frame);
            }
            (Phase::Open, Frame::Run(run)) => {
                let run = Box::new((*run).verify(&self.key)?);
                self.taking_in += 1;
                self.store(ServerOp::AcceptRun { peer: self.peer, run });
            }
            (Phase::Open, Frame::Part(part)) => {
                // Whose key proves it is known to the store; that the entries lead to the seal is seen here.
                let run = Box::new((*part).verify_root()?);
                self.taking_in += 1;
                self.store(ServerOp::AcceptPart(run));
            }
            (Phase::Open, Frame::Offer(Offer { stretches })) => self.store(ServerOp::Offered(stretches.0)),
            (_, other) => return Err(SessionError::OutOfOrder(other.kind())),
        }
        Ok(())
    }

    fn hello(&mut self, hello: Hello) -> Result<(), SessionError> {
        if !(hello.protocol_min..=hello.protocol_max).contains(&VERSION) {
            return Err(SessionError::Incompatible);
        }
        self.phase = Phase::Greeting;
        self.store(ServerOp::Greet {
            peer: self.peer,
            key: self.key.clone(),
            hello,
        });
        Ok(())
    }

    fn reply(&mut self, reply: ServerReply) -> Result<(), SessionError> {
        if let ServerReply::RunAccepted { .. } | ServerReply::RunGap | ServerReply::PartAccepted(_) = reply {
            self.taking_in = self.taking_in.saturating_sub(1);
        }
        match reply {
            ServerReply::Greeted(greeted) => self.greeted(*greeted)?,
            ServerReply::NotAdmitted => self.close(CloseCode::NOT_ADMITTED, 0),
            ServerReply::RunAccepted { receipt, grown } => {
                let taken = |verdict: &Verdict| verdict.standing == Standing::QUARANTINED_DOT_TAKEN;
                if !receipt.verdicts.iter().any(taken) {
                    // The device's book agrees with the server's up to here: it holds what it has sent.
                    let claim = self.claims.entry(receipt.claim.replica).or_insert(0);
                    *claim = receipt.claim.upto.max(*claim);
                }
                self.send(Frame::Receipt(Box::new(receipt)));
                self.grown(grown);
            }
            ServerReply::RunGap => {}
            ServerReply::PartAccepted(grown) => self.grown(grown),
            ServerReply::Wanted(stretches) => {
                self.answers.push(Frame::Want(Offer {
                    stretches: List(stretches),
                }));
                if self.answers.len() == ANSWERS_MAX {
                    self.answer();
                }
            }
            ServerReply::Feed(stretch) => self.fed(stretch),
        }
        Ok(())
    }

    fn greeted(&mut self, greeted: Greeted) -> Result<(), SessionError> {
        self.phase = Phase::Open;
        self.officer = greeted.officer;
        self.claims = greeted.claims;
        self.own_sequence = greeted.own_sequence;
        self.granted = greeted.welcome.scopes.iter().cloned().collect();
        for cursor in greeted.welcome.cursors.iter() {
            self.feeds.push(FeedState {
                scope: cursor.scope.clone(),
                name: keys::feed(&cursor.scope, greeted.officer),
                at: FeedEnd {
                    position: cursor.position,
                    hash: cursor.hash,
                },
                behind: !is_planted(Bug::CaughtUpTooEarly) || self.feeds.is_empty(),
            });
        }
        let mut cursors = greeted.welcome.cursors.iter();
        let own = cursors.find(|cursor| cursor.scope == Scope::Own).cloned();
        self.send(Frame::Welcome(Box::new(greeted.welcome)));
        for (part, cursor) in greeted.apart.into_iter().zip(core::iter::repeat(own)) {
            let Some(cursor) = cursor else { break };
            // SPEC R-FEED-4: a part that no item names is one that was kept apart.
            self.send(Frame::Feed(Box::new(Feed {
                from: cursor.position,
                items: List::default(),
                parts: List(alloc::vec![part]),
                openings: List::default(),
                labels: List::default(),
                cursor,
            })));
        }
        for verdicts in greeted.verdicts {
            self.send(Frame::Verdicts(verdicts));
        }
        self.early_bytes = 0;
        for frame in core::mem::take(&mut self.early) {
            self.frame(frame)?;
        }
        Ok(())
    }

    fn fed(&mut self, stretch: Option<Box<FeedStretch>>) {
        let Some(index) = self.reading.take() else { return };
        let Some(state) = self.feeds.get_mut(index) else {
            return;
        };
        // At the end of the feed there is nothing to say; growth told while the read was under way has set `behind`.
        if let Some(stretch) = stretch {
            state.at = stretch.to;
            // There may be more behind it.
            state.behind = true;
            if state.scope == Scope::Own {
                self.own_sequence = self.own_sequence.max(stretch.sequence);
            }
            let parts = stretch.feed.parts.iter();
            self.introduced.extend(parts.map(|part| part.seal.claim.replica));
            let mut items = stretch.feed.items.iter();
            if items.any(|item| matches!(item, FeedItem::Left(_))) {
                // What left may be purged there, and come back later: it is sent again.
                self.sent = Stretches::default();
            }
            for (replica, first, last) in stretch.whole {
                self.sent.add(replica, first, last);
            }
            self.send(Frame::Feed(Box::new(stretch.feed)));
        }
    }

    /// Reads the next feed that is behind, `own` first; one stretch at a time, so that a slow link holds back reading.
    /// What the peer has sent is taken in first: each run makes its feeds grow, and they are read once for all of them.
    fn serve(&mut self) {
        if self.phase != Phase::Open || self.reading.is_some() || self.taking_in > 0 {
            return;
        }
        let Some(index) = self.feeds.iter().position(|state| state.behind) else {
            self.answer();
            if !self.told_caught_up && self.pending_ops == 0 {
                self.told_caught_up = true;
                self.send(Frame::CaughtUp);
            }
            return;
        };
        self.told_caught_up = false;
        self.reading = Some(index);
        if let Some(state) = self.feeds.get_mut(index) {
            // Growth that is told while the read is under way sets it again.
            state.behind = false;
            let request = FeedRequest {
                officer: self.officer,
                scope: state.scope.clone(),
                from: state.at,
                claims: self.claims.clone(),
                own_sequence: self.own_sequence,
                introduced: self.introduced.clone(),
                granted: self.granted.clone(),
                sent: self.sent.clone(),
            };
            self.store(ServerOp::ReadFeed(request));
        }
    }

    /// SPEC 4.6: every Offer is answered, also where nothing is lacked.
    fn answer(&mut self) {
        for answer in core::mem::take(&mut self.answers) {
            self.send(answer);
        }
    }

    /// Feeds grew by this session: others hear of it through [`ResponderInput::Grown`], this one reads on at once, so that
    /// it does not say that it is caught up before it is.
    fn grown(&mut self, feeds: BTreeSet<Vec<u8>>) {
        self.fall_behind(&feeds);
        if !feeds.is_empty() {
            self.outputs.push_back(ResponderOutput::Grown(feeds));
        }
    }

    fn fall_behind(&mut self, feeds: &BTreeSet<Vec<u8>>) {
        for state in &mut self.feeds {
            state.behind |= feeds.contains(&state.name);
        }
    }

    fn close(&mut self, code: CloseCode, retry_after_ms: u32) {
        self.send(Frame::Close(Close { code, retry_after_ms }));
        self.outputs.push_back(ResponderOutput::Close(code));
        self.phase = Phase::Closed;
    }

    fn send(&mut self, frame: Frame) {
        self.outputs.push_back(ResponderOutput::Send(Box::new(frame)));
    }

    fn store(&mut self, op: ServerOp) {
        self.pending_ops += 1;
        self.outputs.push_back(ResponderOutput::Store(Box::new(op)));
    }
}

/// Bytes of entries in a frame.
fn weight(frame: &Frame) -> usize {
    match frame {
        Frame::Run(run) => run.entries.iter().map(Entry::byte_len).sum(),
        Frame::Part(part) => part.entries.iter().map(|(_, entry)| entry.byte_len()).sum(),
        _ => 0,
    }
}

/// Bytes of entries kept while the register is asked, from which on no more are taken in.
const EARLY_BYTES_MAX: usize = 4 << 20;
/// Most frames kept while the register is asked.
const EARLY_FRAMES_MAX: usize = 256;
/// Most answers held back until the feeds are read.
const ANSWERS_MAX: usize = 16;
