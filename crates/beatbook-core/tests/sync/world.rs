//! A world in one thread: real session machines over stores in memory, frames through their bytes, every order of
//! events from a seed. Holds no expectations: see `checks`.

use std::collections::{BTreeMap, BTreeSet};

use beatbook_core::device::{self, DeviceEnv};
use beatbook_core::ledger::{self, Check, CheckNothing, Draft, Identity, LedgerError, ReadToken, Written};
use beatbook_core::merge::Head;
use beatbook_core::register::{self, Enrolment, Officer, Posting};
use beatbook_core::server::{self, ServerEnv};
use beatbook_core::store::{MemoryStore, Read, Transaction};
use beatbook_proto::{
    ClockSource, Code, Dot, EnrolmentId, Entry, EpochId, FieldId, FieldOp, OfficerId, RecordId, ReplicaId,
    ReplicaKind, RevisionKind, Signer, SigningKey, Stamp, Text, Value, field,
};

/// A field that holds a register in every scenario.
pub const SUBJECT: FieldId = FieldId(40);
/// A second register.
pub const PLACE: FieldId = FieldId(41);
/// A list.
pub const LINES: FieldId = FieldId(42);

/// Where a device stands in [`World::devices`].
pub type DeviceIndex = usize;

/// One officer's device.
pub struct Device {
    /// Who writes on it.
    pub identity: Identity,
    /// The enrolment's key.
    pub key: SigningKey,
    /// Its store.
    pub store: MemoryStore,
}

/// One server and the devices around it.
pub struct World {
    /// The server's store.
    pub server: MemoryStore,
    /// The server's receipt key.
    pub server_key: SigningKey,
    /// The devices.
    pub devices: Vec<Device>,
    /// All that was ever acknowledged to an officer, under the dot that it was given.
    pub written: BTreeMap<Dot, Entry>,
    /// The same dot given twice with different bytes: must stay empty.
    pub dots_reused: Vec<Dot>,
    /// What devices held rightfully before their posting ended.
    pub may_have_held: BTreeSet<(DeviceIndex, Dot)>,
    /// The server's clock, milliseconds.
    pub now_ms: i64,
    /// What the server asks about revisions.
    pub rules: &'static dyn Check,
    ids: u64,
    random: u64,
}

impl World {
    /// A server that has just started, whose every choice follows from `seed`.
    pub fn new(seed: u64) -> Self {
        let mut world = Self {
            server: MemoryStore::default(),
            server_key: SigningKey::ed25519_from_seed(&[0x5e; 32]),
            devices: Vec::new(),
            written: BTreeMap::new(),
            dots_reused: Vec::new(),
            may_have_held: BTreeSet::new(),
            now_ms: 1_700_000_000_000,
            rules: &CheckNothing,
            ids: 0,
            random: seed,
        };
        world.restart_epoch();
        world
    }

    /// Starts another life of the server's log, as `restore` does.
    pub fn restart_epoch(&mut self) {
        let fresh = EpochId::from_bytes(self.fresh_bytes());
        let mut tx = Transaction::new(&self.server);
        server::mint_epoch(&mut tx, fresh).unwrap();
        let writes = tx.into_writes();
        self.server.apply(&writes);
    }

    /// Enters an officer with a role and a posting to beats.
    pub fn officer(&mut self, role: &str, beats: &[&str]) -> OfficerId {
        let id = OfficerId::from_bytes(self.fresh_bytes());
        let row = Officer {
            id,
            collar: format!("{}", 7000 + self.ids),
            name: "An Officer".to_owned(),
            role: code(role),
            added_at_ms: self.now_ms,
        };
        self.register(&row);
        self.post(id, beats);
        id
    }

    /// Replaces the postings of an officer.
    pub fn post(&mut self, officer: OfficerId, beats: &[&str]) {
        let row = Posting {
            officer,
            beats: beats.iter().map(|beat| code(beat)).collect(),
            from_ms: 0,
            until_ms: None,
        };
        self.register(&row);
    }

    /// Enrols a device for an officer; its books are open.
    pub fn device(&mut self, officer: OfficerId) -> DeviceIndex {
        let bytes = self.fresh_bytes();
        let mut seed = [0x11; 32];
        seed[..16].copy_from_slice(&bytes);
        // Every second device signs as a phone's secure hardware does.
        let key = if self.devices.len().is_multiple_of(2) {
            SigningKey::ed25519_from_seed(&seed)
        } else {
            p256_from_seed(&seed)
        };
        let enrolment = EnrolmentId::from_bytes(bytes);
        let row = Enrolment {
            id: enrolment,
            officer,
            label: "a device".to_owned(),
            key: Some(key.public_key()),
            issued_at_ms: 0,
            enrolled_at_ms: Some(0),
            revoked_at_ms: None,
            last_contact_ms: None,
        };
        self.register(&row);
        let identity = Identity {
            force: code("52"),
            officer,
            enrolment,
            key: key.public_key(),
        };
        self.devices.push(Device {
            identity,
            key,
            store: MemoryStore::default(),
        });
        let index = self.devices.len() - 1;
        self.reopen(index);
        index
    }

    /// What a device does when it finds that its store went back in time: it opens new books.
    pub fn reopen(&mut self, device: DeviceIndex) {
        self.with_env(device, device::reopen_books).unwrap();
    }

    /// A copy of a device: the folder was copied, and both run.
    pub fn copy_device(&mut self, device: DeviceIndex) -> DeviceIndex {
        let original = &self.devices[device];
        let SigningKey::Ed25519(key) = &original.key else {
            panic!("scenarios copy devices with Ed25519 keys");
        };
        let copy = Device {
            identity: original.identity.clone(),
            key: SigningKey::Ed25519(key.clone()),
            store: original.store.clone(),
        };
        self.devices.push(copy);
        self.devices.len() - 1
    }

    /// Writes a draft and notes what was acknowledged.
    pub fn write(&mut self, device: DeviceIndex, draft: Draft) -> Result<Written, LedgerError> {
        let written = self.with_env(device, |tx, _| ledger::write(tx, draft))?;
        self.note(device, written.dot);
        Ok(written)
    }

    /// Founds a record with a beat and a subject.
    pub fn found(&mut self, device: DeviceIndex, family: &str, beat: &str, subject: &str) -> RecordId {
        let ops = vec![
            (field::BEAT, FieldOp::Set(Value::Code(code(beat)))),
            (SUBJECT, set(subject)),
        ];
        let draft = self.draft(family, RevisionKind::CREATE, None, ops);
        self.write(device, draft).unwrap().record
    }

    /// Changes a record as the device shows it.
    pub fn amend(
        &mut self,
        device: DeviceIndex,
        record: RecordId,
        ops: Vec<(FieldId, FieldOp)>,
    ) -> Result<Written, LedgerError> {
        self.change(device, record, RevisionKind::AMEND, ops)
    }

    /// Changes a record with a kind of revision, as the device shows it.
    pub fn change(
        &mut self,
        device: DeviceIndex,
        record: RecordId,
        kind: RevisionKind,
        ops: Vec<(FieldId, FieldOp)>,
    ) -> Result<Written, LedgerError> {
        let token = ReadToken::of(&self.head(device, record).expect("the device shows the record"));
        let draft = self.draft("NOTE", kind, Some(token), ops);
        self.write(device, draft)
    }

    /// A draft with a reason, at the next moment of the device's clock.
    pub fn draft(
        &mut self,
        family: &str,
        kind: RevisionKind,
        token: Option<ReadToken>,
        ops: Vec<(FieldId, FieldOp)>,
    ) -> Draft {
        self.now_ms += 1;
        Draft {
            log: ReplicaKind::Book,
            token,
            family: code(family),
            kind,
            schema: 1,
            recorded_at: stamp(self.now_ms),
            reason: Some(Text::new("put right").unwrap()),
            ops,
        }
    }

    /// Seals what is pending without a session.
    pub fn prepare(&mut self, device: DeviceIndex) {
        let op = device::DeviceOp::Prepare {
            unpacked_bytes_max: 1 << 20,
        };
        self.with_env(device, |tx, env| device::execute(tx, env, op))
            .unwrap();
    }

    /// Runs `work` in a transaction of a device's store and makes it durable.
    pub fn with_env<T>(
        &mut self,
        device: DeviceIndex,
        work: impl FnOnce(&mut Transaction<'_>, &DeviceEnv<'_>) -> Result<T, LedgerError>,
    ) -> Result<T, LedgerError> {
        let mut seed = [0; 32];
        seed[..16].copy_from_slice(&self.fresh_bytes());
        let fresh = [self.fresh_bytes(), self.fresh_bytes()].map(ReplicaId::from_bytes);
        let server_key = self.server_key.public_key();
        let now = stamp(self.now_ms);
        let Device { identity, key, store } = &mut self.devices[device];
        let env = DeviceEnv {
            identity,
            signer: key,
            server_key: &server_key,
            check: &CheckNothing,
            seed,
            fresh,
            now,
        };
        let mut tx = Transaction::new(store);
        let done = work(&mut tx, &env)?;
        let writes = tx.into_writes();
        store.apply(&writes);
        Ok(done)
    }

    /// Runs `work` in a transaction of the server's store and makes it durable.
    pub fn at_server<T>(
        &mut self,
        work: impl FnOnce(&mut Transaction<'_>, &ServerEnv<'_>) -> Result<T, LedgerError>,
    ) -> Result<T, LedgerError> {
        self.now_ms += 1;
        let fresh_epoch = EpochId::from_bytes(self.fresh_bytes());
        let env = ServerEnv {
            signer: &self.server_key,
            check: self.rules,
            tag_key: &[0x7a; 32],
            now_ms: self.now_ms,
            fresh_epoch,
        };
        let mut tx = Transaction::new(&self.server);
        let done = work(&mut tx, &env)?;
        let writes = tx.into_writes();
        self.server.apply(&writes);
        Ok(done)
    }

    /// A number below `bound`.
    pub fn pick(&mut self, bound: usize) -> usize {
        // A full-period generator with a mixed output; the order of events needs no better.
        self.random = self
            .random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let mixed = (self.random ^ (self.random >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        ((mixed >> 33) as usize) % bound.max(1)
    }

    /// The merged record as a device shows it.
    pub fn head(&self, device: DeviceIndex, record: RecordId) -> Option<Head> {
        shown(&self.devices[device].store, record)
    }

    /// The merged record at the server.
    pub fn server_head(&self, record: RecordId) -> Option<Head> {
        shown(&self.server, record)
    }

    /// The device's open book.
    pub fn book(&self, device: DeviceIndex) -> ledger::Book {
        let own = ledger::own_books(&self.devices[device].store).unwrap();
        own.into_iter()
            .find(|book| !book.closed && book.kind() == ReplicaKind::Book)
            .unwrap()
    }

    fn note(&mut self, device: DeviceIndex, dot: Dot) {
        let stored = ledger::entry(&self.devices[device].store, dot).unwrap().unwrap();
        if let Some(other) = self.written.insert(dot, stored.entry.clone())
            && other != stored.entry
        {
            self.dots_reused.push(dot);
        }
    }

    fn register<R: register::Row>(&mut self, row: &R) {
        let mut tx = Transaction::new(&self.server);
        register::put(&mut tx, row).unwrap();
        let writes = tx.into_writes();
        self.server.apply(&writes);
    }

    fn fresh_bytes(&mut self) -> [u8; 16] {
        self.ids += 1;
        let mut bytes = [0x42; 16];
        bytes[8..].copy_from_slice(&self.ids.to_be_bytes());
        bytes
    }
}

/// The values of a text register, with siblings in order.
pub fn texts(head: &Head, field: FieldId) -> Vec<String> {
    let values = head.field(field).into_iter().flat_map(|field| field.register());
    let texts: BTreeSet<String> = values
        .map(|(_, value)| match value {
            Value::Text(text) => text.as_str().to_owned(),
            other => format!("{other:?}"),
        })
        .collect();
    texts.into_iter().collect()
}

/// Writes a text register.
pub fn set(text: &str) -> FieldOp {
    FieldOp::Set(Value::Text(Text::new(text).unwrap()))
}

/// Writes a code register.
pub fn set_code(word: &str) -> FieldOp {
    FieldOp::Set(Value::Code(code(word)))
}

/// A code.
pub fn code(word: &str) -> Code {
    Code::new(word).unwrap()
}

/// A record under the name that it answers to.
fn shown(store: &MemoryStore, record: RecordId) -> Option<Head> {
    let record = ledger::record_name(store, record).unwrap();
    ledger::head(store as &dyn Read, record).unwrap()
}

fn stamp(utc_ms: i64) -> Stamp {
    Stamp {
        utc_ms,
        offset_min: 0,
        source: ClockSource::DEVICE,
        uncertainty_ms: 0,
    }
}

/// A P-256 key whose secret is the seed, in the shortest PKCS#8 form.
fn p256_from_seed(seed: &[u8; 32]) -> SigningKey {
    let mut der = vec![
        0x30, 0x41, 0x02, 0x01, 0x00, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06,
        0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x04, 0x27, 0x30, 0x25, 0x02, 0x01, 0x01, 0x04,
        0x20,
    ];
    der.extend_from_slice(seed);
    SigningKey::p256_from_pkcs8(&der).unwrap()
}
