//! A server and two officers' devices in memory, for targets that drive the session machines and the ledger.
//!
//! A store operation is executed on what is durable, and is durable itself only once it is committed: so a target can
//! lose what was under way, and see whether anything was told too early.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use beatbook_core::device::{self, DeviceEnv, DeviceOp, DeviceReply};
use beatbook_core::ledger::{self, CheckNothing, Draft, Identity, LedgerError, ReadToken};
use beatbook_core::merge::Head;
use beatbook_core::register::{self, Enrolment, Officer, Posting};
use beatbook_core::server::{self, ServerEnv, ServerOp, ServerReply};
use beatbook_core::session::{
    Initiator, InitiatorInput, InitiatorOutput, Responder, ResponderInput, ResponderOutput,
};
use beatbook_core::store::{Durable, MemoryStore, Transaction, WriteSet};
use beatbook_proto::{
    ClockSource, Code, Dot, EnrolmentId, Entry, EpochId, FieldId, FieldOp, Frame, OfficerId, PublicKey,
    ReplicaId, ReplicaKind, RevisionKind, Signer, SigningKey, Stamp, Text, Value, field,
};

/// Where a device stands in [`World::devices`].
pub(crate) type DeviceIndex = usize;

/// Who a device is: the same in every world.
pub(crate) struct Bearer {
    pub(crate) identity: Identity,
    pub(crate) key: SigningKey,
}

/// One server and the devices around it.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) server: MemoryStore,
    pub(crate) devices: [MemoryStore; 2],
    /// All that was ever acknowledged to an officer.
    pub(crate) written: BTreeMap<Dot, Entry>,
    ids: u64,
    now_ms: i64,
}

impl World {
    /// Both devices have opened their books; the server has not heard of them.
    pub(crate) fn new() -> Self {
        START.get_or_init(Self::made).clone()
    }

    /// Runs an operation of a device on what is durable there, and returns the writes that would make it so.
    pub(crate) fn execute_device(
        &mut self,
        index: DeviceIndex,
        op: DeviceOp,
    ) -> Result<(DeviceReply, WriteSet), LedgerError> {
        self.with_env(index, |tx, env| device::execute(tx, env, op))
    }

    /// Runs an operation of the server on what is durable there.
    pub(crate) fn execute_server(&mut self, op: ServerOp) -> Result<(ServerReply, WriteSet), LedgerError> {
        self.at_server(|tx, env| server::execute(tx, env, op))
    }

    /// Writes an entry on a device: founds a record, or changes one as the device shows it.
    pub(crate) fn write(
        &mut self,
        index: DeviceIndex,
        on: Option<&Head>,
        (kind, ops): (RevisionKind, Vec<(FieldId, FieldOp)>),
    ) -> Result<Dot, LedgerError> {
        let draft = Draft {
            log: ReplicaKind::Book,
            token: on.map(ReadToken::of),
            family: on.map_or_else(|| code("NOTE"), |head| head.family.clone()),
            kind,
            schema: 1,
            recorded_at: stamp(self.now_ms),
            reason: Text::new("put right"),
            ops,
        };
        let (written, writes) = self.with_env(index, |tx, _| ledger::write(tx, draft))?;
        self.devices[index].apply(&writes);
        let stored = ledger::entry(&self.devices[index], written.dot)?.ok_or(LedgerError::NoBook)?;
        let before = self.written.insert(written.dot, stored.entry);
        assert!(before.is_none(), "a dot was given twice: {:?}", written.dot);
        Ok(written.dot)
    }

    /// Posts an officer to beats.
    pub(crate) fn post(&mut self, index: DeviceIndex, beats: &[&str]) {
        let row = Posting {
            officer: bearers()[index].identity.officer,
            beats: beats.iter().map(|beat| code(beat)).collect(),
            from_ms: 0,
            until_ms: None,
        };
        let (_, writes) = self
            .at_server(|tx, _| register::put(tx, &row))
            .expect("a posting is entered");
        self.server.apply(&writes);
    }

    /// One session to its end over a good link; `false` if the device did not get all done.
    pub(crate) fn sync(&mut self, index: DeviceIndex) -> bool {
        let bearer = &bearers()[index];
        let mut phone = Initiator::new(false, 1 << 20);
        let mut server = Responder::new(bearer.identity.enrolment, bearer.key.public_key());
        for _ in 0..STEPS_MAX {
            let mut quiet = true;
            while let Some(output) = phone.poll_output() {
                quiet = false;
                match output {
                    InitiatorOutput::Send(frame) if matches!(*frame, Frame::Close(_)) => {
                        return phone.is_settled();
                    }
                    InitiatorOutput::Send(frame) => {
                        if server.handle(ResponderInput::Frame(*frame)).is_err() {
                            return false;
                        }
                    }
                    InitiatorOutput::Store(op) => {
                        let done = self.execute_device(index, *op).map(|(reply, writes)| {
                            self.devices[index].apply(&writes);
                            Durable::assert_stored(reply)
                        });
                        if phone.handle(InitiatorInput::Reply(done)).is_err() {
                            return false;
                        }
                    }
                    InitiatorOutput::Event(_) | InitiatorOutput::Close(_) => {}
                }
            }
            while let Some(output) = server.poll_output() {
                quiet = false;
                match output {
                    ResponderOutput::Send(frame) => {
                        if phone.handle(InitiatorInput::Frame(*frame)).is_err() {
                            return false;
                        }
                    }
                    ResponderOutput::Store(op) => {
                        let done = self.execute_server(*op).map(|(reply, writes)| {
                            self.server.apply(&writes);
                            Durable::assert_stored(reply)
                        });
                        if server.handle(ResponderInput::Reply(done)).is_err() {
                            return false;
                        }
                    }
                    ResponderOutput::Grown(_) | ResponderOutput::Close(_) => {}
                }
            }
            assert!(!quiet, "a session that hangs");
        }
        panic!("a session that does not end");
    }

    fn with_env<T>(
        &mut self,
        index: DeviceIndex,
        work: impl FnOnce(&mut Transaction<'_>, &DeviceEnv<'_>) -> Result<T, LedgerError>,
    ) -> Result<(T, WriteSet), LedgerError> {
        self.now_ms += 1;
        let mut seed = [0; 32];
        seed[..16].copy_from_slice(&self.fresh_bytes());
        let fresh = [self.fresh_bytes(), self.fresh_bytes()].map(ReplicaId::from_bytes);
        let Bearer { identity, key } = &bearers()[index];
        let env = DeviceEnv {
            identity,
            signer: key,
            server_key: &server_key().1,
            check: &CheckNothing,
            seed,
            fresh,
            now: stamp(self.now_ms),
        };
        let mut tx = Transaction::new(&self.devices[index]);
        let done = work(&mut tx, &env)?;
        Ok((done, tx.into_writes()))
    }

    fn at_server<T>(
        &mut self,
        work: impl FnOnce(&mut Transaction<'_>, &ServerEnv<'_>) -> Result<T, LedgerError>,
    ) -> Result<(T, WriteSet), LedgerError> {
        self.now_ms += 1;
        let fresh_epoch = EpochId::from_bytes(self.fresh_bytes());
        let env = ServerEnv {
            signer: &server_key().0,
            check: &CheckNothing,
            tag_key: &[0x7a; 32],
            now_ms: self.now_ms,
            fresh_epoch,
        };
        let mut tx = Transaction::new(&self.server);
        let done = work(&mut tx, &env)?;
        Ok((done, tx.into_writes()))
    }

    fn fresh_bytes(&mut self) -> [u8; 16] {
        self.ids += 1;
        let mut bytes = [0x42; 16];
        bytes[8..].copy_from_slice(&self.ids.to_be_bytes());
        bytes
    }

    fn made() -> Self {
        let mut world = Self {
            server: MemoryStore::default(),
            devices: [MemoryStore::default(), MemoryStore::default()],
            written: BTreeMap::new(),
            ids: 0,
            now_ms: 1_700_000_000_000,
        };
        let (_, writes) = world
            .at_server(|tx, env| server::mint_epoch(tx, env.fresh_epoch))
            .expect("a server starts");
        world.server.apply(&writes);
        for (index, bearer) in bearers().iter().enumerate() {
            let officer = Officer {
                id: bearer.identity.officer,
                collar: format!("{}", 7001 + index),
                name: "An Officer".to_owned(),
                role: code("PCSO"),
                added_at_ms: 0,
            };
            let enrolment = Enrolment {
                id: bearer.identity.enrolment,
                officer: bearer.identity.officer,
                label: "a device".to_owned(),
                key: Some(bearer.key.public_key()),
                issued_at_ms: 0,
                enrolled_at_ms: Some(0),
                revoked_at_ms: None,
                last_contact_ms: None,
            };
            let rows = world.at_server(|tx, _| {
                register::put(tx, &officer)?;
                register::put(tx, &enrolment)
            });
            let (_, writes) = rows.expect("the register takes a row");
            world.server.apply(&writes);
            world.post(index, &[BEAT]);
            let (_, writes) = world.with_env(index, device::reopen_books).expect("books open");
            world.devices[index].apply(&writes);
        }
        world
    }
}

/// Operations of a note that lies in the beat of both officers.
pub(crate) fn note(words: &str) -> Vec<(FieldId, FieldOp)> {
    vec![
        (field::BEAT, FieldOp::Set(Value::Code(code(BEAT)))),
        (
            SUBJECT,
            FieldOp::Set(Value::Text(Text::new(words).unwrap_or_default())),
        ),
    ]
}

/// A register, a second one, and a list.
pub(crate) const SUBJECT: FieldId = FieldId(40);
/// The beat of both officers.
pub(crate) const BEAT: &str = "52/C02";

/// The bearers of both devices.
pub(crate) fn bearers() -> &'static [Bearer; 2] {
    BEARERS.get_or_init(|| {
        [1_u8, 2].map(|number| {
            let key = SigningKey::ed25519_from_seed(&[number; 32]);
            let identity = Identity {
                force: code("52"),
                officer: OfficerId::from_bytes([0x30 + number; 16]),
                enrolment: EnrolmentId::from_bytes([0x40 + number; 16]),
                key: key.public_key(),
            };
            Bearer { identity, key }
        })
    })
}

/// A code.
pub(crate) fn code(word: &str) -> Code {
    Code::new(word).expect("a word of the targets is a code")
}

/// A moment of a device's clock.
pub(crate) fn stamp(utc_ms: i64) -> Stamp {
    Stamp {
        utc_ms,
        offset_min: 0,
        source: ClockSource::DEVICE,
        uncertainty_ms: 0,
    }
}

/// What an honest side sends is encoded within the limits, and reads as it was.
pub(crate) fn through_bytes(frame: &Frame) -> Frame {
    let bytes = frame.encode().expect("an honest side's frame encodes");
    let read = Frame::decode_whole(&bytes).expect("an honest side's frame reads");
    assert_eq!(&read, frame, "a frame reads otherwise than it was meant");
    read
}

fn server_key() -> &'static (SigningKey, PublicKey) {
    SERVER_KEY.get_or_init(|| {
        let key = SigningKey::ed25519_from_seed(&[0x5e; 32]);
        let public = key.public_key();
        (key, public)
    })
}

static START: OnceLock<World> = OnceLock::new();
static BEARERS: OnceLock<[Bearer; 2]> = OnceLock::new();
static SERVER_KEY: OnceLock<(SigningKey, PublicKey)> = OnceLock::new();
const STEPS_MAX: usize = 20_000;
