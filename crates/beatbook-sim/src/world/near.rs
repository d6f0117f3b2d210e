//! The device's side of a session: a loop around the core's `Initiator`, as the field's agent runs it.
//!
//! Takes an input, feeds the machine, drains its outputs. Frames go out while the link takes them; operations of the
//! store that write are carried out in order and outlive the session, those that read are carried out beside them.

use beatbook_core::device::{self, DeviceOp, DeviceReply};
use beatbook_core::ledger::LedgerError;
use beatbook_core::session::{Event as Said, Initiator, InitiatorInput, InitiatorOutput, SessionError};
use beatbook_core::store::{Durable, Transaction};
use beatbook_proto::frame::Close;
use beatbook_proto::{CloseCode, Frame};

use super::agent::store_error;
use super::device::{IDLE_TIMEOUT_MS, cover};
use super::{Event, World, session_index};
use crate::fact::{DeviceIndex, SessionEnd, What};
use crate::link::Parcel;
use crate::mark::Mark;

/// The device's side.
pub(super) struct Near {
    machine: Initiator,
    /// Store operations under way.
    ops: usize,
    /// One of them seals what is pending.
    preparing: bool,
    /// Something was written that the machine was not told of.
    pub(super) wrote: bool,
}

/// How the device's side ended.
#[derive(Debug)]
pub(super) enum NearEnd {
    /// The server closed, and how long it wishes to be left alone.
    ByPeer(CloseCode, u32),
    /// This side closed in good order.
    Done,
    /// Another session of this enrolment took the place.
    Evicted,
    /// The server broke the protocol, or this side's store failed.
    Failed(SessionError),
    /// The connection is gone.
    Lost,
    /// The stream was reset.
    Reset,
    /// The app wanted it.
    Stopped,
}

impl Near {
    pub(super) fn new(machine: Initiator) -> Self {
        Self {
            machine,
            ops: 0,
            preparing: false,
            wrote: false,
        }
    }
}

impl World<'_> {
    /// Does what the machine wants, as long as frames find room; then takes what has arrived.
    pub(super) fn near_drain(&mut self, number: u64) {
        loop {
            let Some(session) = self.sessions.get_mut(&number) else {
                return;
            };
            let Some(near) = session.near.as_mut() else { return };
            if session.up.has_room()
                && let Some(output) = near.machine.poll_output()
            {
                self.near_output(number, output);
                continue;
            }
            // Frames are read while few operations are under way.
            let asleep = self.devices[session.device].asleep_until_ms > self.now_ms;
            if !session.up.has_room() || near.ops >= OPS_MAX || asleep {
                return;
            }
            let Some(parcel) = session.down.inbox.pop_front() else {
                return;
            };
            self.near_parcel(number, parcel);
            self.far_pump(number);
        }
    }

    fn near_output(&mut self, number: u64, output: InitiatorOutput) {
        match output {
            InitiatorOutput::Send(frame) => match frame.encode() {
                Ok(bytes) => self.near_sends(number, &frame, bytes),
                Err(error) => self.broken(FRAMES, format!("a device's frame does not encode: {error}")),
            },
            InitiatorOutput::Store(op) => self.near_submits(number, *op),
            InitiatorOutput::Event(said) => self.near_said(number, said),
            InitiatorOutput::Close(_) => self.near_ends(number, NearEnd::Done),
        }
    }

    fn near_sends(&mut self, number: u64, frame: &Frame, bytes: Vec<u8>) {
        let again = matches!(frame, Frame::Run(_)).then(|| bytes.clone());
        match frame {
            Frame::Offer(offer) if !offer.stretches.is_empty() => self.reach(Mark::Offered),
            _ => {}
        }
        self.send_up(number, Parcel::Frame(bytes));
        let duplicates = self
            .sessions
            .get(&number)
            .is_some_and(|session| session.duplicates);
        if let Some(bytes) = again.filter(|_| duplicates) {
            *self
                .ended
                .faults
                .entry(crate::fault::FaultKind::Duplication)
                .or_default() += 1;
            self.send_up(number, Parcel::Frame(bytes));
        }
    }

    pub(super) fn send_up(&mut self, number: u64, parcel: Parcel) {
        let Some(session) = self.sessions.get_mut(&number) else {
            return;
        };
        let device = &mut self.devices[session.device];
        session
            .up
            .send(parcel, true, self.now_ms, &device.weather, &mut device.random);
        self.expect(number, true);
    }

    fn near_submits(&mut self, number: u64, op: DeviceOp) {
        let Some(session) = self.sessions.get_mut(&number) else {
            return;
        };
        if let Some(near) = session.near.as_mut() {
            near.ops += 1;
            near.preparing |= matches!(op, DeviceOp::Prepare { .. });
        }
        let disk_ms = self.devices[session.device].disk_ms;
        if matches!(
            op,
            DeviceOp::NextRun { .. } | DeviceOp::Offers | DeviceOp::Parts(_)
        ) {
            self.after(
                1,
                Event::DeviceRead {
                    session: number,
                    op: Box::new(op),
                },
            );
            return;
        }
        session.ops.push_back(op);
        self.after(disk_ms, Event::DeviceCommit { session: number });
    }

    /// The committer takes the next operation, whether or not the session is still there.
    pub(super) fn device_commits(&mut self, number: u64) {
        let Some(session) = self.sessions.get_mut(&number) else {
            return;
        };
        let index = session.device;
        if self.devices[index].life != session.life || !self.devices[index].is_up() {
            session.ops.clear();
            self.forget(number);
            return;
        }
        let Some(op) = session.ops.pop_front() else { return };
        let issues = !matches!(op, DeviceOp::Prepare { .. } | DeviceOp::Verdicts(_));
        let asked = op.clone();
        let reply = self.device_commit(index, |tx, env, leases| {
            let reply = device::execute(tx, env, op)?;
            if issues {
                cover(leases, tx)?;
            }
            Ok::<_, LedgerError>(reply)
        });
        let Some(reply) = reply else { return };
        if let Ok(reply) = &reply {
            self.device_has_done(index, &asked, reply);
        }
        if let Err(LedgerError::Store(error)) = &reply {
            self.device_write_failed(index, error);
        }
        self.near_replied(number, reply, matches!(asked, DeviceOp::Prepare { .. }));
        self.forget(number);
    }

    pub(super) fn device_reads(&mut self, number: u64, op: DeviceOp) {
        let Some(session) = self.sessions.get(&number) else {
            return;
        };
        let index = session.device;
        if self.devices[index].life != session.life {
            return;
        }
        let device = &self.devices[index];
        let Some(store) = &device.store else { return };
        let env = beatbook_core::device::DeviceEnv {
            identity: &device.identity,
            signer: &device.key,
            server_key: &self.server.public,
            check: &beatbook_core::ledger::CheckNothing,
            seed: [0; 32],
            fresh: Default::default(),
            now: device.clock.stamp(self.now_ms),
        };
        let reply = store.read(|read| device::execute(&mut Transaction::new(read), &env, op));
        // What is read is durable: a store shows nothing else.
        self.near_replied(number, reply.map(Durable::assert_stored), false);
    }

    fn near_replied(
        &mut self,
        number: u64,
        reply: Result<Durable<DeviceReply>, LedgerError>,
        prepared: bool,
    ) {
        let Some(near) = self
            .sessions
            .get_mut(&number)
            .and_then(|session| session.near.as_mut())
        else {
            return;
        };
        near.ops = near.ops.saturating_sub(1);
        if prepared {
            near.preparing = false;
        }
        self.near_feed(number, InitiatorInput::Reply(reply));
        self.near_hears_of_write(number);
        self.near_drain(number);
    }

    pub(super) fn near_hears_of_write(&mut self, number: u64) {
        let Some(near) = self
            .sessions
            .get_mut(&number)
            .and_then(|session| session.near.as_mut())
        else {
            return;
        };
        if near.wrote && !near.preparing {
            near.wrote = false;
            self.reach(Mark::WroteWhileLive);
            self.near_feed(number, InitiatorInput::Wrote);
            self.near_drain(number);
        }
    }

    pub(super) fn near_feed(&mut self, number: u64, input: InitiatorInput) {
        let Some(near) = self
            .sessions
            .get_mut(&number)
            .and_then(|session| session.near.as_mut())
        else {
            return;
        };
        if let Err(error) = near.machine.handle(input) {
            self.near_ends(
                number,
                match error {
                    SessionError::Closed { code, retry_after_ms } => NearEnd::ByPeer(code, retry_after_ms),
                    other => NearEnd::Failed(other),
                },
            );
        }
    }

    fn near_parcel(&mut self, number: u64, parcel: Parcel) {
        match parcel {
            Parcel::Frame(bytes) => match Frame::decode_whole(&bytes) {
                Ok(frame) => self.near_feed(number, InitiatorInput::Frame(frame)),
                Err(error) => self.near_ends(number, NearEnd::Failed(error.into())),
            },
            Parcel::Fin(CloseCode::DONE) => self.near_ends(number, NearEnd::Lost),
            Parcel::Fin(code) => self.near_ends(number, NearEnd::ByPeer(code, 0)),
            Parcel::Reset => {
                self.reach(Mark::SessionCutMidFrame);
                self.near_ends(number, NearEnd::Reset);
            }
        }
    }

    fn near_said(&mut self, number: u64, said: Said) {
        let Some(session) = self.sessions.get(&number) else {
            return;
        };
        let device = DeviceIndex(session.device);
        match said {
            Said::Safe { replica, upto } => self.tell(What::SafeShown {
                device,
                replica,
                upto,
            }),
            Said::Rewound { replica, after } => {
                self.reach(Mark::Rewound);
                self.news += 1;
                self.tell(What::Rewound {
                    device,
                    replica,
                    after,
                });
            }
            Said::CaughtUp => {
                self.devices[device.0].agent.settled = true;
                self.tell(What::CaughtUp { device });
            }
            // Told when they were durable.
            Said::Forked | Said::Changed(_) | Said::Purged(_) | Said::Reissued(_) | Said::Welcomed { .. } => {
            }
        }
    }

    /// The device's side ends: what it has to say goes out, and its agent decides what comes next.
    pub(super) fn near_ends(&mut self, number: u64, end: NearEnd) {
        let Some(session) = self.sessions.get_mut(&number) else {
            return;
        };
        if session.near.take().is_none() {
            return;
        }
        let (index, live) = (session.device, session.live);
        match &end {
            // The server hears nothing, and finds out by that.
            NearEnd::Lost | NearEnd::Evicted => self.after(
                IDLE_TIMEOUT_MS,
                Event::Lost {
                    session: number,
                    at_server: true,
                },
            ),
            NearEnd::Failed(error) => {
                let code = error.close_code();
                if let Ok(bytes) = Frame::Close(Close {
                    code,
                    retry_after_ms: 0,
                })
                .encode()
                {
                    self.send_up(number, Parcel::Frame(bytes));
                }
                self.send_up(number, Parcel::Fin(code));
            }
            _ => self.send_up(number, Parcel::Fin(CloseCode::DONE)),
        }
        let told = match &end {
            NearEnd::ByPeer(code, _) => SessionEnd::ByPeer(*code),
            NearEnd::Done => SessionEnd::Done(CloseCode::DONE),
            NearEnd::Failed(error) => SessionEnd::Failed {
                code: error.close_code(),
                said: error.to_string(),
            },
            NearEnd::Stopped => SessionEnd::Dropped,
            NearEnd::Evicted | NearEnd::Lost | NearEnd::Reset => SessionEnd::Lost,
        };
        if live && matches!(&end, NearEnd::ByPeer(CloseCode::GOING_AWAY, _)) {
            self.reach(Mark::SessionToldToReturn);
        }
        let (device, session) = (DeviceIndex(index), session_index(number));
        self.tell(What::SessionEnded {
            session,
            device,
            at_server: false,
            end: told,
        });
        let failed_store = match &end {
            NearEnd::Failed(error) => store_error(error).cloned(),
            _ => None,
        };
        if self.devices[index].agent.session == Some(number) {
            self.agent_after(index, &end);
        }
        if let Some(error) = failed_store {
            self.device_write_failed(index, &error);
        }
        self.forget(number);
    }

    /// The device's side is gone without a word: its process died, or its task was dropped.
    pub(super) fn near_dropped(&mut self, number: u64, end: SessionEnd, says_so: bool) {
        let Some(session) = self.sessions.get_mut(&number) else {
            return;
        };
        if session.near.take().is_none() {
            return;
        }
        let device = DeviceIndex(session.device);
        if says_so {
            self.send_up(number, Parcel::Fin(CloseCode::DONE));
        }
        self.tell(What::SessionEnded {
            session: session_index(number),
            device,
            at_server: false,
            end,
        });
    }

    /// The device finds out that the connection is gone.
    pub(super) fn near_lost(&mut self, number: u64) {
        let Some(session) = self.sessions.get_mut(&number) else {
            return;
        };
        if session.near.is_none() {
            return;
        }
        let asleep = self.devices[session.device].asleep_until_ms;
        if asleep > self.now_ms {
            self.at(
                asleep + 1,
                Event::Lost {
                    session: number,
                    at_server: false,
                },
            );
            return;
        }
        session.down.lose();
        let end = if session.evicted {
            NearEnd::Evicted
        } else {
            NearEnd::Lost
        };
        if session.far.is_none() {
            self.reach(Mark::EndHeardLate);
        }
        self.near_ends(number, end);
    }

    /// Puts the next arrival of a pipe on the calendar.
    pub(super) fn expect(&mut self, number: u64, up: bool) {
        let Some(session) = self.sessions.get_mut(&number) else {
            return;
        };
        let pipe = if up { &mut session.up } else { &mut session.down };
        if let (false, Some(at)) = (pipe.expected, pipe.next_at_ms()) {
            pipe.expected = true;
            self.at(at, Event::Arrive { session: number, up });
        }
    }

    /// What a pipe carries arrives, unless the way is blocked.
    pub(super) fn arrive(&mut self, number: u64, up: bool) {
        let Some(session) = self.sessions.get_mut(&number) else {
            return;
        };
        let weather = &self.devices[session.device].weather;
        let pipe = if up { &mut session.up } else { &mut session.down };
        pipe.expected = false;
        match weather.blocked_until(up, self.now_ms) {
            Some(until_ms) => pipe.hold_until(until_ms + 1),
            None => pipe.arrive(self.now_ms),
        }
        // Where nobody reads any more, nothing waits to be read.
        let read = if up {
            session.far.is_some()
        } else {
            session.near.is_some()
        };
        if !read {
            pipe.inbox.clear();
        }
        self.expect(number, up);
        match up {
            true => self.far_pump(number),
            false => self.near_drain(number),
        }
        // The sender may have waited for room.
        match up {
            true => self.near_drain(number),
            false => self.far_pump(number),
        }
        self.forget(number);
    }

    /// Forgets a session of which nothing is left.
    pub(super) fn forget(&mut self, number: u64) {
        let Some(session) = self.sessions.get(&number) else {
            return;
        };
        let dials = self.devices[session.device].agent.session == Some(number);
        if session.near.is_none() && session.far.is_none() && session.ops.is_empty() && !dials {
            self.sessions.remove(&number);
        }
    }
}

/// Store operations under way from which on no more frames are taken in.
const OPS_MAX: usize = 32;
const FRAMES: &str = "frames encode and decode";
