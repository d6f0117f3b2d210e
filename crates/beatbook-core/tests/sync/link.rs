//! One connection of the world: two session machines, the frames between them, the store operations under way.
//! Which of the possible things happens next is chosen by the world's seed.

use std::collections::VecDeque;

use beatbook_core::device::{self, DeviceOp};
use beatbook_core::ledger::LedgerError;
use beatbook_core::server::{self, ServerOp};
use beatbook_core::session::{
    Event, Initiator, InitiatorInput, InitiatorOutput, Responder, ResponderInput, ResponderOutput,
    SessionError,
};
use beatbook_core::store::Durable;
use beatbook_proto::{CloseCode, Frame, Signer};

use crate::world::{DeviceIndex, World};

/// Where a connection breaks: after so many frames delivered in a direction.
#[derive(Clone, Copy, Debug)]
pub struct Faults {
    /// Frames of the device that reach the server.
    pub up_max: usize,
    /// Frames of the server that reach the device.
    pub down_max: usize,
    /// How many bytes of entries go into one run.
    pub run_bytes: usize,
}

impl Faults {
    /// A connection that does not break.
    pub const NONE: Self = Self {
        up_max: usize::MAX,
        down_max: usize::MAX,
        run_bytes: 1 << 20,
    };
}

/// What a session did.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Kinds of the frames of the device, delivered or lost.
    pub up: Vec<u8>,
    /// Kinds of the frames of the server, delivered or lost.
    pub down: Vec<u8>,
    /// What the app was told.
    pub events: Vec<Event>,
    /// How the device ended it; `None` if the connection broke first.
    pub closed: Option<CloseCode>,
    /// The error that ended it, at the device or at the server.
    pub error: Option<SessionError>,
}

impl Outcome {
    /// True if the device ended the session with all done.
    pub fn is_done(&self) -> bool {
        self.closed == Some(CloseCode::DONE) && self.error.is_none()
    }
}

/// A connection.
pub struct Link {
    device: DeviceIndex,
    initiator: Initiator,
    responder: Responder,
    up: VecDeque<Vec<u8>>,
    down: VecDeque<Vec<u8>>,
    device_ops: VecDeque<DeviceOp>,
    server_ops: VecDeque<ServerOp>,
    delivered_up: usize,
    delivered_down: usize,
    faults: Faults,
    /// True once it has ended, however.
    pub ended: bool,
    /// Feeds that grew by this session since last asked.
    pub grown: Vec<std::collections::BTreeSet<Vec<u8>>>,
    /// What has happened.
    pub outcome: Outcome,
}

impl Link {
    /// Connects a device.
    pub fn new(world: &World, device: DeviceIndex, live: bool, faults: Faults) -> Self {
        let site = &world.devices[device];
        Self {
            device,
            initiator: Initiator::new(live, faults.run_bytes),
            responder: Responder::new(site.identity.enrolment, site.key.public_key()),
            up: VecDeque::new(),
            down: VecDeque::new(),
            device_ops: VecDeque::new(),
            server_ops: VecDeque::new(),
            delivered_up: 0,
            delivered_down: 0,
            faults,
            ended: false,
            grown: Vec::new(),
            outcome: Outcome::default(),
        }
    }

    /// True if the device has said that all is done.
    pub fn is_settled(&self) -> bool {
        self.initiator.is_settled()
    }

    /// Tells the device's machine that something was written.
    pub fn wrote(&mut self) {
        let handled = self.initiator.handle(InitiatorInput::Wrote);
        self.end_on_error(handled);
    }

    /// Tells the server's machine that feeds grew in another session.
    pub fn feeds_grew(&mut self, feeds: &std::collections::BTreeSet<Vec<u8>>) {
        let handled = self.responder.handle(ResponderInput::Grown(feeds.clone()));
        self.end_on_error(handled);
    }

    /// Does one of the things that can happen; `false` if nothing can.
    pub fn step(&mut self, world: &mut World) -> bool {
        self.drain();
        if self.ended {
            return false;
        }
        let possible: Vec<usize> = [
            !self.up.is_empty(),
            !self.down.is_empty(),
            !self.device_ops.is_empty(),
            !self.server_ops.is_empty(),
        ]
        .iter()
        .enumerate()
        .filter_map(|(choice, possible)| possible.then_some(choice))
        .collect();
        if possible.is_empty() {
            return false;
        }
        match possible[world.pick(possible.len())] {
            0 => self.deliver_up(),
            1 => self.deliver_down(),
            2 => {
                let reply = self.execute_device(world);
                let handled = self.initiator.handle(InitiatorInput::Reply(reply));
                self.end_on_error(handled);
            }
            _ => {
                let reply = self.execute_server(world);
                let handled = self.responder.handle(ResponderInput::Reply(reply));
                self.end_on_error(handled);
            }
        }
        self.drain();
        if self.ended {
            self.finish(world);
        }
        true
    }

    fn deliver_up(&mut self) {
        if self.delivered_up == self.faults.up_max {
            self.ended = true;
            return;
        }
        self.delivered_up += 1;
        let frame = Frame::decode_whole(&self.up.pop_front().unwrap()).unwrap();
        let handled = self.responder.handle(ResponderInput::Frame(frame));
        self.end_on_error(handled);
    }

    fn deliver_down(&mut self) {
        if self.delivered_down == self.faults.down_max {
            self.ended = true;
            return;
        }
        self.delivered_down += 1;
        let frame = Frame::decode_whole(&self.down.pop_front().unwrap()).unwrap();
        let handled = self.initiator.handle(InitiatorInput::Frame(frame));
        self.end_on_error(handled);
    }

    fn execute_device(&mut self, world: &mut World) -> Result<Durable<device::DeviceReply>, LedgerError> {
        let op = self.device_ops.pop_front().unwrap();
        world
            .with_env(self.device, |tx, env| device::execute(tx, env, op))
            .map(Durable::assert_stored)
    }

    fn execute_server(&mut self, world: &mut World) -> Result<Durable<server::ServerReply>, LedgerError> {
        let op = self.server_ops.pop_front().unwrap();
        world
            .at_server(|tx, env| server::execute(tx, env, op))
            .map(Durable::assert_stored)
    }

    /// Moves what the machines want into the queues.
    fn drain(&mut self) {
        while let Some(output) = self.initiator.poll_output() {
            match output {
                InitiatorOutput::Send(frame) => {
                    self.outcome.up.push(frame.kind());
                    self.up.push_back(frame.encode().unwrap());
                }
                InitiatorOutput::Store(op) => self.device_ops.push_back(*op),
                InitiatorOutput::Event(event) => self.outcome.events.push(event),
                InitiatorOutput::Close(code) => self.outcome.closed = Some(code),
            }
        }
        while let Some(output) = self.responder.poll_output() {
            match output {
                ResponderOutput::Send(frame) => {
                    self.outcome.down.push(frame.kind());
                    self.down.push_back(frame.encode().unwrap());
                }
                ResponderOutput::Store(op) => self.server_ops.push_back(*op),
                ResponderOutput::Grown(feeds) => {
                    // The committer tells every session, this one too.
                    self.grown.push(feeds.clone());
                    let handled = self.responder.handle(ResponderInput::Grown(feeds));
                    self.end_on_error(handled);
                }
                ResponderOutput::Close(_) => {}
            }
        }
    }

    /// After the end: what a side had received it may still have done, unheard by the other.
    fn finish(&mut self, world: &mut World) {
        while !self.server_ops.is_empty() && world.pick(2) == 0 {
            if self.execute_server(world).is_err() {
                break;
            }
        }
        while !self.device_ops.is_empty() && world.pick(2) == 0 {
            if self.execute_device(world).is_err() {
                break;
            }
        }
    }

    fn end_on_error(&mut self, handled: Result<(), SessionError>) {
        if let Err(error) = handled {
            self.ended = true;
            // The server hears the device's last word: that is no error.
            let last_word = matches!(
                error,
                SessionError::Closed {
                    code: CloseCode::DONE,
                    ..
                }
            );
            if !last_word {
                self.outcome.error = Some(error);
            }
        }
    }
}

impl World {
    /// One session to its end.
    pub fn sync_with(&mut self, device: DeviceIndex, faults: Faults) -> Outcome {
        let mut link = Link::new(self, device, false, faults);
        let mut steps = 0;
        while link.step(self) {
            steps += 1;
            assert!(
                steps < STEPS_MAX,
                "a session that does not end: {:?}",
                link.outcome
            );
        }
        assert!(
            link.ended || link.outcome.closed.is_some(),
            "a session that hangs: {:?}",
            link.outcome
        );
        link.outcome
    }

    /// One session over a good link; it has to end well.
    pub fn sync(&mut self, device: DeviceIndex) -> Outcome {
        let outcome = self.sync_with(device, Faults::NONE);
        assert!(outcome.is_done(), "a session that did not end well: {outcome:?}");
        outcome
    }

    /// Sessions of every device in turn until all is told.
    pub fn heal(&mut self) {
        for _ in 0..ROUNDS_TO_HEAL {
            for device in 0..self.devices.len() {
                self.sync(device);
            }
        }
    }
}

const STEPS_MAX: usize = 200_000;
/// A fork costs one session to notice and one to bring over; a move in answer to it another two.
const ROUNDS_TO_HEAL: usize = 4;
