//! A small world in memory for the tests of the checkers: real writes and real sessions, and stores that a test can
//! tamper with.

use std::collections::{BTreeMap, BTreeSet};

use beatbook_core::device::{self, DeviceEnv};
use beatbook_core::ledger::{self, CheckNothing, Draft, Identity, ReadToken, StoredEntry};
use beatbook_core::register::{self, Beat, Enrolment, Officer, Posting};
use beatbook_core::server::{self, ServerEnv};
use beatbook_core::session::{
    Initiator, InitiatorInput, InitiatorOutput, Responder, ResponderInput, ResponderOutput,
};
use beatbook_core::store::{Durable, MemoryStore, Read, Table, Transaction};
use beatbook_proto::{
    ClockSource, Code, Cursor, Dot, EnrolmentId, EpochId, FieldId, FieldOp, OfficerId, PublicKey, RecordId,
    ReplicaId, ReplicaKind, RevisionKind, Scope, Signer, SigningKey, Stamp, Text, Value, codec, field,
};

use super::{Check, Trace};
use crate::fact::{DeviceIndex, Fact, What, Wrote};
use crate::observe::{Enrolled, Violation, WorldView};
use crate::plan::{BEGINS_AT_MS, Plan, Size};

/// The field that tests write texts to.
pub(crate) const TEXT: FieldId = FieldId(40);
/// The beat of every record.
pub(crate) const BEAT: &str = "52/C02";

/// A world of a few devices of one officer each, all on one beat.
pub(crate) struct World {
    pub(crate) server: MemoryStore,
    pub(crate) devices: Vec<MemoryStore>,
    pub(crate) granted: BTreeMap<OfficerId, Vec<Scope>>,
    pub(crate) out: BTreeSet<EnrolmentId>,
    pub(crate) disk: Vec<(String, Vec<u8>)>,
    pub(crate) now_ms: i64,
    enrolled: Vec<Enrolled>,
    identities: Vec<Identity>,
    keys: Vec<SigningKey>,
    public: PublicKey,
    plan: Plan,
    events: u64,
}

impl World {
    pub(crate) fn new(devices: usize) -> Self {
        let server_key = SigningKey::ed25519_from_seed(&[0x11; 32]);
        let mut world = Self {
            server: MemoryStore::default(),
            devices: Vec::new(),
            granted: BTreeMap::new(),
            out: BTreeSet::new(),
            disk: Vec::new(),
            now_ms: BEGINS_AT_MS,
            enrolled: Vec::new(),
            identities: Vec::new(),
            keys: Vec::new(),
            public: server_key.public_key(),
            plan: Plan::from_seed(1, Size::Small),
            events: 0,
        };
        world.at_server_do(|tx| {
            let row = Beat {
                id: code(BEAT),
                name: "Castle".into(),
                neighbourhood: "Centre".into(),
                boundary: String::new(),
            };
            register::put(tx, &row).unwrap();
        });
        (0..devices).for_each(|index| world.enrol(index as u8));
        world
    }

    fn enrol(&mut self, index: u8) {
        let key = SigningKey::ed25519_from_seed(&[index + 1; 32]);
        let officer = OfficerId::from_bytes([index + 0x20; 16]);
        let enrolment = EnrolmentId::from_bytes([index + 0x40; 16]);
        let public = key.public_key();
        self.at_server_do(|tx| {
            let (collar, name) = (format!("70{index:02}"), "A. Officer".to_owned());
            let row = Officer {
                id: officer,
                collar,
                name,
                role: code("PCSO"),
                added_at_ms: 0,
            };
            register::put(tx, &row).unwrap();
            register::put(
                tx,
                &Posting {
                    officer,
                    beats: vec![code(BEAT)],
                    from_ms: 0,
                    until_ms: None,
                },
            )
            .unwrap();
            let row = Enrolment {
                id: enrolment,
                officer,
                label: "phone".into(),
                key: Some(public.clone()),
                issued_at_ms: 0,
                enrolled_at_ms: Some(0),
                revoked_at_ms: None,
                last_contact_ms: None,
            };
            register::put(tx, &row).unwrap();
        });
        let scope = Scope::Beat {
            beat: code(BEAT),
            class: 0,
        };
        self.granted
            .insert(officer, vec![Scope::Own, Scope::Reference, scope]);
        self.enrolled.push(Enrolled {
            officer,
            officer_index: usize::from(index),
            enrolment,
            key: public.clone(),
            copy_of: None,
            given_up: false,
        });
        self.identities.push(Identity {
            force: code("52"),
            officer,
            enrolment,
            key: public,
        });
        self.keys.push(key);
        self.devices.push(MemoryStore::default());
        self.on_device_do(usize::from(index), |tx, env| {
            device::reopen_books(tx, env).unwrap()
        });
    }

    /// Changes a device's store.
    pub(crate) fn on_device_do<T>(
        &mut self,
        device: usize,
        work: impl FnOnce(&mut Transaction<'_>, &DeviceEnv<'_>) -> T,
    ) -> T {
        self.events += 1;
        let fresh = |kind: u8| {
            ReplicaId::from_bytes([
                kind,
                self.events as u8,
                device as u8,
                7,
                7,
                7,
                7,
                7,
                7,
                7,
                7,
                7,
                7,
                7,
                7,
                7,
            ])
        };
        let env = DeviceEnv {
            identity: &self.identities[device],
            signer: &self.keys[device],
            server_key: &self.public,
            check: &CheckNothing,
            seed: [self.events as u8; 32],
            fresh: [fresh(1), fresh(2)],
            now: stamp(self.now_ms),
        };
        let mut tx = Transaction::new(&self.devices[device]);
        let done = work(&mut tx, &env);
        let writes = tx.into_writes();
        self.devices[device].apply(&writes);
        done
    }

    /// Changes the server's store.
    pub(crate) fn at_server_do<T>(&mut self, work: impl FnOnce(&mut Transaction<'_>) -> T) -> T {
        let mut tx = Transaction::new(&self.server);
        let done = work(&mut tx);
        let writes = tx.into_writes();
        self.server.apply(&writes);
        done
    }

    /// Founds a record and tells of it.
    pub(crate) fn found(&mut self, device: usize, text: &str) -> Fact {
        let beat = (field::BEAT, FieldOp::Set(Value::Code(code(BEAT))));
        self.write(device, None, RevisionKind::CREATE, vec![beat, set(text)])
    }

    /// Changes a record as a device shows it, and tells of it.
    pub(crate) fn amend(&mut self, device: usize, record: RecordId, text: &str) -> Fact {
        let head = ledger::head(&self.devices[device], record).unwrap().unwrap();
        self.write(
            device,
            Some(ReadToken::of(&head)),
            RevisionKind::AMEND,
            vec![set(text)],
        )
    }

    /// Changes a record that stands in two versions, by settling them.
    pub(crate) fn amend_any(&mut self, device: usize, record: RecordId, text: &str) -> Fact {
        let head = ledger::head(&self.devices[device], record).unwrap().unwrap();
        self.write(
            device,
            Some(ReadToken::of(&head)),
            RevisionKind::RESOLVE,
            vec![set(text)],
        )
    }

    /// What the server keeps under a dot.
    pub(crate) fn server_value(&self, dot: Dot) -> StoredEntry {
        ledger::entry(&self.server, dot).unwrap().unwrap()
    }

    /// The cursors that a device keeps.
    pub(crate) fn cursors(&self, device: usize) -> Vec<Cursor> {
        let rows = self.devices[device]
            .scan(Table::Cursors, &[], &[u8::MAX; 64], usize::MAX)
            .unwrap();
        rows.iter()
            .map(|(_, bytes)| codec::decode(bytes).unwrap())
            .collect()
    }

    /// Writes, and tells of it.
    pub(crate) fn write(
        &mut self,
        device: usize,
        token: Option<ReadToken>,
        kind: RevisionKind,
        ops: Vec<(FieldId, FieldOp)>,
    ) -> Fact {
        let context = token
            .as_ref()
            .map(|token| token.vector.clone())
            .unwrap_or_default();
        let recorded_at = stamp(self.now_ms);
        let written = self.on_device_do(device, |tx, _| {
            let draft = Draft {
                log: ReplicaKind::Book,
                token,
                family: code("NOTE"),
                kind,
                schema: 1,
                recorded_at,
                reason: Text::new("as was said"),
                ops,
            };
            ledger::write(tx, draft).unwrap()
        });
        let stored = ledger::entry(&self.devices[device], written.dot)
            .unwrap()
            .unwrap();
        self.fact(What::Wrote(Box::new(Wrote {
            device: DeviceIndex(device),
            officer: self.enrolled[device].officer,
            dot: written.dot,
            record: written.record,
            kind,
            log: ReplicaKind::Book,
            read: context.clone(),
            context,
            entry: stored.entry,
            token: format!("canary-{}-{}", device, written.dot.counter),
            poison: false,
        })))
    }

    /// A fact of this moment.
    pub(crate) fn fact(&self, what: What) -> Fact {
        Fact {
            event: self.events,
            at_ms: self.now_ms,
            what,
        }
    }

    /// That the server took in what a dot names.
    pub(crate) fn accepted(&self, device: usize, dot: Dot) -> Fact {
        self.fact(What::RunAccepted {
            session: crate::fact::SessionIndex(0),
            device: DeviceIndex(device),
            replica: dot.replica,
            run: (dot.counter, dot.counter),
        })
    }

    /// One session to its end.
    pub(crate) fn sync(&mut self, device: usize) {
        let mut initiator = Initiator::new(false, 1 << 20);
        let mut responder =
            Responder::new(self.enrolled[device].enrolment, self.enrolled[device].key.clone());
        let mut done = false;
        while !done {
            while let Some(output) = initiator.poll_output() {
                match output {
                    InitiatorOutput::Send(frame) if matches!(*frame, beatbook_proto::Frame::Close(_)) => {
                        done = true
                    }
                    InitiatorOutput::Send(frame) => responder.handle(ResponderInput::Frame(*frame)).unwrap(),
                    InitiatorOutput::Store(op) => {
                        let reply =
                            self.on_device_do(device, |tx, env| device::execute(tx, env, *op).unwrap());
                        initiator
                            .handle(InitiatorInput::Reply(Ok(Durable::assert_stored(reply))))
                            .unwrap();
                    }
                    InitiatorOutput::Event(_) | InitiatorOutput::Close(_) => {}
                }
            }
            while let Some(output) = responder.poll_output() {
                match output {
                    ResponderOutput::Send(frame) => initiator.handle(InitiatorInput::Frame(*frame)).unwrap(),
                    ResponderOutput::Store(op) => {
                        let signer = SigningKey::ed25519_from_seed(&[0x11; 32]);
                        let now_ms = self.now_ms;
                        let reply = self.at_server_do(|tx| {
                            let env = ServerEnv {
                                signer: &signer,
                                check: &CheckNothing,
                                tag_key: &TAG_KEY,
                                now_ms,
                                fresh_epoch: EpochId::from_bytes([9; 16]),
                            };
                            server::execute(tx, &env, *op).unwrap()
                        });
                        responder
                            .handle(ResponderInput::Reply(Ok(Durable::assert_stored(reply))))
                            .unwrap();
                    }
                    ResponderOutput::Grown(_) | ResponderOutput::Close(_) => {}
                }
            }
        }
    }
}

impl WorldView for World {
    fn plan(&self) -> &Plan {
        &self.plan
    }

    fn now_ms(&self) -> i64 {
        self.now_ms
    }

    fn event(&self) -> u64 {
        self.events
    }

    fn devices(&self) -> usize {
        self.devices.len()
    }

    fn device(&self, device: DeviceIndex) -> &Enrolled {
        &self.enrolled[device.0]
    }

    fn read_device(&self, device: DeviceIndex, read: &mut dyn FnMut(&dyn Read)) -> bool {
        read(&self.devices[device.0]);
        true
    }

    fn read_server(&self, read: &mut dyn FnMut(&dyn Read)) -> bool {
        read(&self.server);
        true
    }

    fn granted(&self, officer: OfficerId) -> Vec<Scope> {
        self.granted.get(&officer).cloned().unwrap_or_default()
    }

    fn is_admitted(&self, enrolment: EnrolmentId) -> bool {
        !self.out.contains(&enrolment)
    }

    fn server_key(&self) -> &PublicKey {
        &self.public
    }

    fn tag_key(&self) -> &[u8; 32] {
        &TAG_KEY
    }

    fn disk_digest(&self) -> u64 {
        0
    }

    fn disk_bytes(&self, _device: DeviceIndex) -> Vec<(String, Vec<u8>)> {
        self.disk.clone()
    }
}

/// The dot of a fact that tells of a write.
pub(crate) fn dot_of(fact: &Fact) -> Dot {
    match &fact.what {
        What::Wrote(wrote) => wrote.dot,
        other => panic!("not a write: {other}"),
    }
}

/// Tells a checker facts, in order, as the observer of all of them does.
pub(crate) fn tell(
    check: &mut dyn Check,
    trace: &mut Trace,
    world: &World,
    facts: &[Fact],
) -> Result<(), Violation> {
    for fact in facts {
        trace.take(fact, world);
        check.fact(fact, trace, world)?;
    }
    Ok(())
}

/// Writes a text.
pub(crate) fn set(text: &str) -> (FieldId, FieldOp) {
    (TEXT, FieldOp::Set(Value::Text(Text::new(text).unwrap())))
}

/// A code.
pub(crate) fn code(word: &str) -> Code {
    Code::new(word).unwrap()
}

fn stamp(utc_ms: i64) -> Stamp {
    Stamp {
        utc_ms,
        offset_min: 0,
        source: ClockSource::DEVICE,
        uncertainty_ms: 0,
    }
}

const TAG_KEY: [u8; 32] = [0x7a; 32];
