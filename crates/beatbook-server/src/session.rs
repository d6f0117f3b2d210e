//! One session: carries frames and store replies to the core's machine, and its wishes to the transport and the store.
//!
//! Every queue is bounded: frames are read only while few operations are under way and little waits to be sent, and
//! the next stretch of a feed is read only when all before it has been handed to the transport. So a slow device
//! holds back itself and nobody else.

mod ops;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use beatbook_core::ledger::LedgerError;
use beatbook_core::server::{FeedRequest, ServerOp, ServerReply};
use beatbook_core::session::{Responder, ResponderInput, ResponderOutput, SessionError};
use beatbook_core::store::Durable;
use beatbook_proto::frame::Close;
use beatbook_proto::{CloseCode, EnrolmentId, Frame, OfficerId, PublicKey, Scope};
use beatbook_quic::{FrameReceiver, FrameSender, RawFrame, RecvError, Session};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until, timeout};

use crate::growth::Subscription;
use crate::metrics::count;
use crate::server::Shared;

/// Drives a session to its end.
pub(crate) async fn run(session: Session, shared: Arc<Shared>) {
    let metrics = shared.store.metrics().clone();
    let peer = EnrolmentId::from(session.peer().enrolment);
    metrics.sessions.inc();
    metrics.sessions_open.inc();
    let end = drive(&session, peer, &shared).await;
    metrics.sessions_open.dec();
    if end.code == CloseCode::NOT_ADMITTED {
        metrics.not_admitted.inc();
    }
    session.close(u32::from(end.code.0), end.code.sentence());
    match end.error {
        Some(error) if end.code != CloseCode::DONE => {
            tracing::info!(enrolment = %peer, code = end.code.0, %error, "session ended");
        }
        _ => tracing::debug!(enrolment = %peer, code = end.code.0, "session ended"),
    }
}

/// How a session ended.
struct End {
    code: CloseCode,
    error: Option<SessionError>,
}

impl End {
    fn with(code: CloseCode) -> Self {
        Self { code, error: None }
    }
}

async fn drive(session: &Session, peer: EnrolmentId, shared: &Arc<Shared>) -> End {
    let Ok(key) = PublicKey::p256_from_sec1(session.peer().public_key.as_sec1()) else {
        return End::with(CloseCode::NOT_ADMITTED);
    };
    let mut stop = shared.stop.subscribe();
    let opened = tokio::select! {
        opened = timeout(FIRST_FRAME_TIMEOUT, session.accept_frames()) => opened,
        _ = stop.wait_for(|stop| *stop) => return End::with(CloseCode::GOING_AWAY),
    };
    let Ok(Ok((sender, mut receiver))) = opened else {
        return End::with(CloseCode::OUT_OF_ORDER);
    };
    let (frames, queue) = mpsc::channel(SEND_QUEUE_MAX);
    let writer = tokio::spawn(write(sender, queue));
    let mut driver = Driver::new(peer, key, shared.clone(), frames);
    let end = match driver.run(&mut receiver).await {
        Ok(code) => End::with(code),
        Err(error) => {
            let code = error.close_code();
            driver.farewell(&error).await;
            End {
                code,
                error: Some(error),
            }
        }
    };
    // The writer ends when the queue has; a device that does not read is not waited for.
    drop(driver);
    let patience = match *stop.borrow() {
        true => STOP_TIMEOUT,
        false => FAREWELL_TIMEOUT,
    };
    let _ = timeout(patience, writer).await;
    end
}

/// Hands frames to the transport in order, and ends the stream after the last.
async fn write(mut sender: FrameSender, mut queue: mpsc::Receiver<Vec<u8>>) {
    while let Some(frame) = queue.recv().await {
        if sender.send(frame).await.is_err() {
            return;
        }
    }
    if sender.finish().await.is_ok() {
        // The connection is closed next, and a close overtakes what has not arrived.
        let _ = sender.drained().await;
    }
}

/// What comes back to a session from the store.
enum Returned {
    /// The register was asked again: what it grants, if it admits.
    Register(Option<Vec<Scope>>),
    /// A store operation is done.
    Reply(Result<Durable<ServerReply>, LedgerError>),
}

/// A session's machine and what surrounds it.
struct Driver {
    machine: Responder,
    peer: EnrolmentId,
    key: PublicKey,
    shared: Arc<Shared>,
    frames: mpsc::Sender<Vec<u8>>,
    /// Frames that wait for a place in the writer's queue.
    outgoing: VecDeque<Vec<u8>>,
    returned: mpsc::UnboundedReceiver<Returned>,
    returns: mpsc::UnboundedSender<Returned>,
    /// Store operations under way; bounds what may lie in `returned`.
    under_way: usize,
    /// Bytes of entries in them.
    held_bytes: Arc<AtomicUsize>,
    /// A feed to be read when everything before it has been handed over.
    wanted: Option<FeedRequest>,
    subscription: Option<Subscription>,
    /// What Welcome granted.
    scopes: Vec<Scope>,
    register: watch::Receiver<u64>,
    asking_register: bool,
    stop: watch::Receiver<bool>,
    closing: Option<CloseCode>,
}

/// What a session waits for.
enum Woken {
    Frame(Result<Option<RawFrame>, RecvError>),
    Grown(std::collections::BTreeSet<Vec<u8>>),
    Register,
    Returned(Returned),
    Room,
    Stopping,
    Overdue,
    WriterGone,
}

impl Driver {
    fn new(peer: EnrolmentId, key: PublicKey, shared: Arc<Shared>, frames: mpsc::Sender<Vec<u8>>) -> Self {
        let (returns, returned) = mpsc::unbounded_channel();
        Self {
            machine: Responder::new(peer, key.clone()),
            register: shared.store.register_changes(),
            stop: shared.stop.subscribe(),
            peer,
            key,
            shared,
            frames,
            outgoing: VecDeque::new(),
            returned,
            returns,
            under_way: 0,
            held_bytes: Arc::default(),
            wanted: None,
            subscription: None,
            scopes: Vec::new(),
            asking_register: false,
            closing: None,
        }
    }

    async fn run(&mut self, receiver: &mut FrameReceiver) -> Result<CloseCode, SessionError> {
        let mut ticks = interval_at(Instant::now() + REGISTER_INTERVAL, REGISTER_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let began = Instant::now();
        let mut stopping = false;
        // Meant only once this session has been told to end because the server stops.
        let mut leave_at = began;
        loop {
            if let Some(code) = self.closing.filter(|_| self.outgoing.is_empty()) {
                return Ok(code);
            }
            // What is being stored is receipted first.
            if stopping && self.under_way == 0 && self.closing.is_none() {
                self.end_with(CloseCode::GOING_AWAY)?;
                leave_at = Instant::now() + STOP_TIMEOUT;
                continue;
            }
            if self.outgoing.is_empty()
                && let Some(request) = self.wanted.take()
            {
                self.read_feed(request);
            }
            let takes_frames = !stopping
                && self.closing.is_none()
                && self.under_way < OPS_MAX
                && self.machine.has_room()
                && self.held_bytes.load(Ordering::Relaxed) < HELD_BYTES_MAX
                && self.outgoing.len() < OUTGOING_MAX;
            let woken = tokio::select! {
                Some(returned) = self.returned.recv() => Woken::Returned(returned),
                permit = self.frames.reserve(), if !self.outgoing.is_empty() => match permit {
                    Ok(permit) => {
                        if let Some(frame) = self.outgoing.pop_front() {
                            permit.send(frame);
                        }
                        Woken::Room
                    }
                    Err(_) => Woken::WriterGone,
                },
                grown = grown(self.subscription.as_ref()) => Woken::Grown(grown),
                frame = receiver.recv(), if takes_frames => Woken::Frame(frame),
                Ok(()) = self.register.changed() => Woken::Register,
                _ = ticks.tick() => Woken::Register,
                _ = self.stop.wait_for(|stop| *stop), if !stopping => Woken::Stopping,
                () = sleep_until(leave_at), if stopping && self.closing.is_some() => Woken::Overdue,
            };
            match woken {
                Woken::Frame(Ok(Some(frame))) => self.take_frame(&frame)?,
                // The device ended its stream, or is gone: nothing more can come, and nothing need be said.
                Woken::Frame(Ok(None)) | Woken::WriterGone => return Ok(CloseCode::DONE),
                Woken::Frame(Err(error)) => {
                    tracing::debug!(enrolment = %self.peer, %error, "a device is gone");
                    return Ok(close_code_of(&error));
                }
                Woken::Grown(feeds) => self.feed(ResponderInput::Grown(feeds))?,
                Woken::Register if self.subscription.is_some() => self.ask_register(),
                // A device that has been let in and then says nothing.
                Woken::Register if began.elapsed() > REGISTER_INTERVAL => return Ok(CloseCode::OUT_OF_ORDER),
                Woken::Register | Woken::Room => {}
                Woken::Returned(returned) => self.take_returned(returned)?,
                Woken::Stopping => {
                    stopping = true;
                    leave_at = Instant::now() + STOP_TIMEOUT;
                }
                // Its network is gone, or it does not read: it finds out from the next session.
                Woken::Overdue => return Ok(CloseCode::GOING_AWAY),
            }
        }
    }

    /// Tells a device that broke the protocol why it is left.
    async fn farewell(&mut self, error: &SessionError) {
        if matches!(error, SessionError::Closed { .. }) {
            return;
        }
        let close = Frame::Close(Close {
            code: error.close_code(),
            retry_after_ms: 0,
        });
        if let Ok(frame) = close.encode() {
            // A device that does not read is not waited for.
            let _ = timeout(FAREWELL_TIMEOUT, self.frames.send(frame)).await;
        }
    }

    fn take_frame(&mut self, raw: &RawFrame) -> Result<(), SessionError> {
        self.shared
            .store
            .metrics()
            .received_bytes
            .inc_by(count(raw.as_bytes().len()));
        let frame = Frame::decode_whole(raw.as_bytes())?;
        self.feed(ResponderInput::Frame(frame))
    }

    fn take_returned(&mut self, returned: Returned) -> Result<(), SessionError> {
        match returned {
            Returned::Reply(reply) => {
                self.under_way = self.under_way.saturating_sub(1);
                self.feed(ResponderInput::Reply(reply))
            }
            Returned::Register(granted) => {
                self.asking_register = false;
                match granted {
                    None => self.end_with(CloseCode::NOT_ADMITTED),
                    // What may be read has changed: the device comes back at once and is told by Welcome.
                    Some(scopes) if scopes != self.scopes => self.end_with(CloseCode::GOING_AWAY),
                    Some(_) => Ok(()),
                }
            }
        }
    }

    fn end_with(&mut self, code: CloseCode) -> Result<(), SessionError> {
        let stopping = *self.shared.stop.borrow();
        let retry_after_ms = match code {
            CloseCode::GOING_AWAY if stopping => self.shared.retry_after_ms(),
            _ => 0,
        };
        self.feed(ResponderInput::Stop { code, retry_after_ms })
    }

    /// Gives the machine an input and does what it then wants.
    fn feed(&mut self, input: ResponderInput) -> Result<(), SessionError> {
        let handled = self.machine.handle(input);
        while let Some(output) = self.machine.poll_output() {
            match output {
                ResponderOutput::Send(frame) => self.send(&frame),
                ResponderOutput::Store(op) => match *op {
                    ServerOp::ReadFeed(request) => self.wanted = Some(request),
                    op => self.commit(op),
                },
                ResponderOutput::Grown(feeds) => self.shared.growth.tell(&feeds),
                ResponderOutput::Close(code) => self.closing = Some(code),
            }
        }
        handled
    }

    fn send(&mut self, frame: &Frame) {
        if let Frame::Welcome(welcome) = frame {
            self.scopes = welcome.scopes.to_vec();
            if let Some(officer) = self.machine.officer() {
                let feeds = self
                    .scopes
                    .iter()
                    .map(|scope| feed_name(scope, officer))
                    .collect();
                let session = self.shared.next_session();
                self.subscription = Some(self.shared.growth.subscribe(session, feeds));
            }
        }
        let metrics = self.shared.store.metrics();
        match frame.encode() {
            Ok(bytes) => {
                if matches!(frame, Frame::Feed(_)) {
                    metrics.feed_bytes.inc_by(count(bytes.len()));
                }
                metrics.sent_bytes.inc_by(count(bytes.len()));
                self.outgoing.push_back(bytes);
            }
            Err(error) => {
                tracing::error!(enrolment = %self.peer, kind = frame.kind(), %error, "a frame does not encode");
                self.closing = Some(CloseCode::STORE);
            }
        }
    }
}

/// Growth of the feeds that a session reads; before it reads any, never.
async fn grown(subscription: Option<&Subscription>) -> std::collections::BTreeSet<Vec<u8>> {
    match subscription {
        Some(subscription) => subscription.grown().await,
        None => std::future::pending().await,
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

fn close_code_of(error: &RecvError) -> CloseCode {
    match error {
        RecvError::TooLarge { .. } => CloseCode::LIMIT,
        RecvError::TooSlow => CloseCode::BUSY,
        _ => CloseCode::DONE,
    }
}

/// Store operations of one session at once.
const OPS_MAX: usize = 32;
/// Bytes of entries in the operations of one session from which on it takes no more in: many small runs, few large ones.
const HELD_BYTES_MAX: usize = 16 << 20;
/// Frames to be sent from which on none are read.
const OUTGOING_MAX: usize = 64;
/// Frames between a session and its writer.
const SEND_QUEUE_MAX: usize = 4;
/// How long a device has to open its stream.
const FIRST_FRAME_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a device has to read the last frames.
const FAREWELL_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a device has to read the last frames when the server stops, and others wait for that.
const STOP_TIMEOUT: Duration = Duration::from_secs(1);
/// How often the register is asked without a reason: postings begin and end by the clock.
const REGISTER_INTERVAL: Duration = Duration::from_secs(30);
