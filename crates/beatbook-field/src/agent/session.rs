//! One session: a loop that takes an input, feeds the machine, drains its outputs, and waits.

use std::pin::pin;
use std::time::Duration;

use beatbook_core::device::{DeviceOp, DeviceReply};
use beatbook_core::ledger;
use beatbook_core::session::{Event as Said, Initiator, InitiatorInput, InitiatorOutput, SessionError};
use beatbook_core::store::Read;
use beatbook_proto::frame::Close;
use beatbook_proto::{CloseCode, Frame, RecordId, ReplicaId};
use beatbook_quic::{Connection, FrameReceiver, FrameSender, SendError};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::error::SyncError;
use super::ops::Reply;
use super::report::{Counts, Step};
use crate::event::{Event, NewBook};
use crate::notebook::Notebook;
use crate::status::name_of;

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
    shown: mpsc::UnboundedSender<Shown>,
    /// Store operations under way.
    ops: usize,
    /// One of them is sealing what is pending.
    preparing: bool,
    counts: Counts,
    tell: F,
}

/// What is to be shown to the app, in order, by a thread that may wait for the disk.
enum Shown {
    Changed(Vec<RecordId>),
    Event(Event),
    Everything,
    Labelled(fn(String, u64) -> Event, ReplicaId, u64),
    Purged(Vec<RecordId>),
    Verdicts,
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
    let (shown, showing) = show(book);
    let mut sending = pin!(send_all(sender, outgoing));
    let mut wish = pin!(wishes());
    let mut writes = book.writes();
    let mut session = Session {
        book,
        machine: Initiator::new(plan.live, plan.run_bytes),
        frames,
        replies,
        shown,
        ops: 0,
        preparing: false,
        counts: Counts::default(),
        tell,
    };
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
                match wanted {
                    Wish::Cut => Err(SyncError::Stopped),
                    Wish::Stop => session.feed(InitiatorInput::Stop),
                }
            }
            Some(reply) = replied.recv() => session.replied(reply),
            permit = room.reserve(), if drained == Drained::Room => {
                drop(permit);
                Ok(())
            }
            frame = receiver.recv(), if session.ops < OPS_MAX => match frame {
                Ok(Some(frame)) => session.received(frame.as_bytes()),
                Ok(None) => Err(SyncError::Interrupted(beatbook_quic::Closed::Lost)),
                Err(error) => Err(error.into()),
            },
            Ok(()) = writes.changed(), if !session.preparing => session.feed(InitiatorInput::Wrote),
        };
        if let Err(error) = fed {
            break Err(error);
        }
    };
    let Session {
        frames,
        shown,
        counts,
        ..
    } = session;
    if let Err(error) = &ended {
        farewell(&frames, error);
    }
    // What was shown is in the index before the session is over; what was sent goes out, if the path still works.
    drop((frames, room, shown));
    if !gone {
        let _ = timeout(FAREWELL, &mut sending).await;
    }
    let _ = showing.await;
    ended.map(|()| counts)
}

impl<F: FnMut(Step, &Counts)> Session<'_, F> {
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
        match reply.as_deref() {
            Ok(DeviceReply::Prepared(_)) => self.preparing = false,
            Ok(DeviceReply::Verdicts | DeviceReply::Receipted { .. }) => self.show(Shown::Verdicts),
            _ => {}
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
                self.show(Shown::Labelled(
                    |book, upto| Event::Safe { book, upto },
                    replica,
                    upto,
                ));
                (self.tell)(Step::Safe, &self.counts);
            }
            Said::Rewound { replica, after } => {
                let event = |book, after| Event::WentBack { book, after };
                self.show(Shown::Labelled(event, replica, after));
            }
            Said::Forked => self.book.tell_new_book(NewBook::TakenAtServer),
            Said::Changed(records) => {
                self.counts.changed_records += records.len() as u64;
                self.show(Shown::Changed(records));
            }
            Said::Purged(records) => self.show(Shown::Purged(records)),
            Said::Reissued(entries) => {
                self.counts.reissued_entries += entries;
                self.show(Shown::Everything);
                self.show(Shown::Event(Event::Reissued { entries }));
            }
            Said::CaughtUp => {
                self.show(Shown::Event(Event::CaughtUp));
                (self.tell)(Step::CaughtUp, &self.counts);
            }
        }
    }

    fn show(&self, shown: Shown) {
        // Received until this session drops its end.
        let _ = self.shown.send(shown);
    }
}

/// Starts the thread that keeps index and app up to date, for as long as the sender lives.
fn show(book: &Notebook) -> (mpsc::UnboundedSender<Shown>, JoinHandle<()>) {
    let (sender, mut receiver) = mpsc::unbounded_channel();
    let book = book.clone();
    let showing = tokio::task::spawn_blocking(move || {
        while let Some(shown) = receiver.blocking_recv() {
            match shown {
                Shown::Changed(records) => book.refresh(&records),
                Shown::Event(event) => book.tell(event),
                Shown::Everything => book.refresh_all(),
                Shown::Labelled(event, replica, counter) => {
                    let name = book.store().read(|read| label_of(read, replica));
                    book.tell(event(name, counter));
                }
                Shown::Purged(records) => book.forget(&records),
                Shown::Verdicts => book.tell_quarantined(),
            }
        }
    });
    (sender, showing)
}

fn label_of(read: &dyn Read, replica: ReplicaId) -> String {
    let book = ledger::book(read, replica).ok().flatten();
    book.map_or_else(|| format!("new-{}", replica.short()), |book| name_of(&book))
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
