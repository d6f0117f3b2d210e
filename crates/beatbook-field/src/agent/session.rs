//! One session: a loop that takes an input, feeds the machine, drains its outputs, and waits.

use std::pin::pin;
use std::time::Duration;

use beatbook_core::device::{DeviceOp, DeviceReply};
use beatbook_core::session::{Event as Said, Initiator, InitiatorInput, InitiatorOutput, SessionError};
use beatbook_proto::frame::Close;
use beatbook_proto::{CloseCode, Frame};
use beatbook_quic::{Closed, Connection, FrameReceiver, FrameSender, RawFrame, RecvError, SendError};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::error::SyncError;
use super::ops::Reply;
use super::report::{Counts, Step};
use crate::event::{Event, NewBook};
use crate::notebook::Notebook;
use crate::show::Shown;

/// How a session is to be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    /// Stay, and be fed as things happen.
    pub(super) live: bool,
    /// Bytes of entries in one run before compression.
    pub(super) run_bytes: usize,
}

/// What the owner of a session wants of it meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// End it at once: the network is another.
    Cut,
    /// End it in good order.
    Stop,
}

/// A session in progress.
struct Session<'a, F> {
    book: &'a Notebook,
    machine: Initiator,
    frames: mpsc::Sender<Vec<u8>>,
    replies: mpsc::UnboundedSender<Reply>,
    /// Store operations under way.
    ops: usize,
    /// One of them is sealing what is pending.
    preparing: bool,
    counts: Counts,
    tell: F,
}

/// What a drained machine waits for.
#[derive(PartialEq, Eq)]
enum Drained {
    Closed,
    Input,
    Room,
}

/// Runs a session to its end. `wishes` resolves when the owner wants something of it; dropping the future at any
/// point loses nothing.
pub(super) async fn run<W: Future<Output = Wish>>(
    book: &Notebook,
    connection: &Connection,
    plan: Plan,
    wishes: impl Fn() -> W,
    tell: impl FnMut(Step, &Counts),
) -> Result<Counts, SyncError> {
    let (sender, mut receiver) = connection.open_frames().await?;
    let (frames, outgoing) = mpsc::channel(FRAMES_MAX);
    let room = frames.clone();
    let (replies, mut replied) = mpsc::unbounded_channel();
    let mut sending = pin!(send_all(sender, outgoing));
    let mut wish = pin!(wishes());
    let mut writes = book.writes();
    let mut session = Session::new(book, plan, frames, replies, tell);
    let (mut wished, mut gone) = (false, false);
    let ended = loop {
        let drained = match session.drain() {
            Ok(Drained::Closed) => break Ok(()),
            Ok(drained) => drained,
            Err(error) => break Err(error),
        };
        let fed = tokio::select! {
            biased;
            sent = &mut sending => {
                gone = true;
                let why = sent.err().map_or(SyncError::Stopped, SyncError::from);
                Err(session.last_words(&mut receiver, why).await)
            }
            wanted = &mut wish, if !wished => {
                wished = true;
                session.wished(wanted)
            }
            Some(reply) = replied.recv() => session.replied(reply),
            permit = room.reserve(), if drained == Drained::Room => {
                drop(permit);
                Ok(())
            }
            frame = receiver.recv(), if session.ops < OPS_MAX => session.arrived(frame),
            Ok(()) = writes.changed(), if !session.preparing => session.feed(InitiatorInput::Wrote),
        };
        if let Err(error) = fed {
            break Err(error);
        }
    };
    let Session { frames, counts, .. } = session;
    if let Err(error) = &ended {
        farewell(&frames, error);
    }
    drop((frames, room));
    if !gone {
        // What was sent goes out, if the path still works.
        let _ = timeout(FAREWELL, &mut sending).await;
    }
    book.shown().await;
    ended.map(|()| counts)
}

impl<'a, F: FnMut(Step, &Counts)> Session<'a, F> {
    fn new(
        book: &'a Notebook,
        plan: Plan,
        frames: mpsc::Sender<Vec<u8>>,
        replies: mpsc::UnboundedSender<Reply>,
        tell: F,
    ) -> Self {
        Self {
            book,
            machine: Initiator::new(plan.live, plan.run_bytes),
            frames,
            replies,
            ops: 0,
            preparing: false,
            counts: Counts::default(),
            tell,
        }
    }

    fn wished(&mut self, wish: Wish) -> Result<(), SyncError> {
        match wish {
            Wish::Cut => Err(SyncError::Stopped),
            Wish::Stop => self.feed(InitiatorInput::Stop),
        }
    }

    fn arrived(&mut self, frame: Result<Option<RawFrame>, RecvError>) -> Result<(), SyncError> {
        match frame? {
            Some(frame) => self.received(frame.as_bytes()),
            None => Err(SyncError::Interrupted(Closed::Lost)),
        }
    }

    fn feed(&mut self, input: InitiatorInput) -> Result<(), SyncError> {
        Ok(self.machine.handle(input)?)
    }

    fn received(&mut self, bytes: &[u8]) -> Result<(), SyncError> {
        let frame = Frame::decode_whole(bytes).map_err(SessionError::from)?;
        match &frame {
            Frame::Feed(feed) => {
                self.counts.received_entries += feed
                    .parts
                    .iter()
                    .map(|part| part.entries.len() as u64)
                    .sum::<u64>();
                (self.tell)(Step::Received, &self.counts);
            }
            Frame::Receipt(_) => self.counts.receipts += 1,
            _ => {}
        }
        self.feed(InitiatorInput::Frame(frame))
    }

    /// Where nothing more can be sent, the server may have said why before it went.
    async fn last_words(&mut self, receiver: &mut FrameReceiver, why: SyncError) -> SyncError {
        while let Ok(Ok(Some(frame))) = timeout(FAREWELL, receiver.recv()).await {
            if let Err(said) = self.received(frame.as_bytes()) {
                return said;
            }
        }
        why
    }

    fn replied(&mut self, reply: Reply) -> Result<(), SyncError> {
        self.ops = self.ops.saturating_sub(1);
        if matches!(reply.as_deref(), Ok(DeviceReply::Prepared(_))) {
            self.preparing = false;
        }
        self.feed(InitiatorInput::Reply(reply))
    }

    /// Does what the machine wants, as long as frames find room.
    fn drain(&mut self) -> Result<Drained, SyncError> {
        loop {
            if self.frames.capacity() == 0 {
                return Ok(Drained::Room);
            }
            match self.machine.poll_output() {
                None => return Ok(Drained::Input),
                Some(InitiatorOutput::Send(frame)) => self.send(&frame)?,
                Some(InitiatorOutput::Store(op)) => {
                    self.ops += 1;
                    self.preparing |= matches!(*op, DeviceOp::Prepare { .. });
                    self.book.submit(*op, self.replies.clone());
                }
                Some(InitiatorOutput::Event(said)) => self.said(said),
                Some(InitiatorOutput::Close(_)) => return Ok(Drained::Closed),
            }
        }
    }

    fn send(&mut self, frame: &Frame) -> Result<(), SyncError> {
        let bytes = frame.encode().map_err(|_| SyncError::Refused(CloseCode::LIMIT))?;
        if let Frame::Run(run) = frame {
            self.counts.sent_entries += run.entries.len() as u64;
            self.counts.sent_runs += 1;
            (self.tell)(Step::Sent, &self.counts);
        }
        // There is room: it was looked at before the machine was asked.
        let _ = self.frames.try_send(bytes);
        Ok(())
    }

    fn said(&mut self, said: Said) {
        match said {
            Said::Welcomed { server_now_ms } => {
                self.counts.clock_offset_ms = Some(server_now_ms - crate::clock::now().utc_ms);
                (self.tell)(Step::Welcomed, &self.counts);
            }
            Said::Safe { replica, upto } => {
                let event = |book, upto| Event::Safe { book, upto };
                self.book.show(Shown::Named(event, replica, upto));
                (self.tell)(Step::Safe, &self.counts);
            }
            Said::Rewound { replica, after } => {
                let event = |book, after| Event::WentBack { book, after };
                self.book.show(Shown::Named(event, replica, after));
            }
            Said::Forked => self.book.tell_new_book(NewBook::TakenAtServer),
            // The index learnt of these when they were durable.
            Said::Changed(records) => self.counts.changed_records += records.len() as u64,
            Said::Purged(_) => {}
            Said::Reissued(entries) => self.counts.reissued_entries += entries,
            Said::CaughtUp => {
                self.book.show(Shown::Event(Event::CaughtUp));
                (self.tell)(Step::CaughtUp, &self.counts);
            }
        }
    }
}

async fn send_all(mut sender: FrameSender, mut frames: mpsc::Receiver<Vec<u8>>) -> Result<(), SendError> {
    while let Some(frame) = frames.recv().await {
        sender.send(frame).await?;
    }
    sender.finish().await
}

/// Tells the server why this side gives up, where it is for this side to say.
fn farewell(frames: &mpsc::Sender<Vec<u8>>, error: &SyncError) {
    let code = match error {
        SyncError::ServerMisbehaved(error) => error.close_code(),
        SyncError::Incompatible => CloseCode::INCOMPATIBLE,
        SyncError::Store(_) => CloseCode::STORE,
        _ => return,
    };
    let close = Frame::Close(Close {
        code,
        retry_after_ms: 0,
    });
    if let Ok(bytes) = close.encode() {
        let _ = frames.try_send(bytes);
    }
}

/// Frames handed to the transport and not yet taken by it: memory for a slow link.
const FRAMES_MAX: usize = 8;
/// Store operations under way from which on no more frames are taken in.
const OPS_MAX: usize = 32;
/// How long the last frames may take to go out.
const FAREWELL: Duration = Duration::from_secs(2);
