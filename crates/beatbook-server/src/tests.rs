//! A force on the loopback with devices that are the core's own machine: what the crate's tests run against.

mod backups;
mod sessions;

use std::sync::Arc;
use std::time::Duration;

use beatbook_core::device::{self, DeviceEnv};
use beatbook_core::ledger::{self, CheckNothing, Draft, Identity, ReadToken, Written};
use beatbook_core::register::EnrolledAs;
use beatbook_core::session::{Event, Initiator, InitiatorInput, InitiatorOutput, SessionError};
use beatbook_core::store::{Durable, MemoryStore, Transaction};
use beatbook_proto::{
    ClockSource, CloseCode, Code, FieldId, FieldOp, Frame, Instant, PublicKey, RecordId, ReplicaId,
    ReplicaKind, RevisionKind, SigningKey, Stamp, Text, codec,
};
use beatbook_quic::{ClientIdentity, DeviceKey, Dialer, EnrolError, ServerAddress, Token};
use beatbook_records::build::{Note, Setting};
use beatbook_records::vocabulary::NoteKind;

use crate::store::now_ms;
use crate::{InitOptions, NewBeat, NewOfficer, ServeOptions, Server, ServerStore};

/// A force with beats C02 and C03: PCSO 9123 and sergeant 214 on C02, PCSO 7001 on C03.
pub(crate) fn force() -> (tempfile::TempDir, ServerStore) {
    let folder = tempfile::tempdir().unwrap();
    let options = InitOptions::new(folder.path().join("force"), "52", "Avon and Somerset");
    let store = ServerStore::init(&options).unwrap();
    let beats = [
        NewBeat::new("C02", "Stokes Croft", "Ashley"),
        NewBeat::new("C03", "Montpelier", "Ashley"),
    ];
    store.import_beats(&beats).unwrap();
    for (collar, name, role, beat) in [
        ("9123", "Sam Pike", "PCSO", "C02"),
        ("214", "Ros Hale", "sergeant", "C02"),
        ("7001", "Tom Reed", "PCSO", "C03"),
    ] {
        store
            .add_officer(&NewOfficer::new(collar, name, role).on_beats([beat]))
            .unwrap();
    }
    (folder, store)
}

/// A force whose server runs.
pub(crate) struct Running {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) server: Server,
}

impl Running {
    pub(crate) async fn start() -> Self {
        let (folder, store) = blocking(force).await;
        Self {
            folder,
            server: Server::start(store, ServeOptions::loopback()).await.unwrap(),
        }
    }

    pub(crate) fn address(&self) -> ServerAddress {
        self.server.local_addr().into()
    }

    pub(crate) async fn token(&self, collar: &'static str) -> Token {
        let (store, address) = (self.server.store().clone(), self.address());
        blocking(move || store.issue_device(collar, "phone", &address, None).unwrap().token).await
    }

    pub(crate) async fn enrol(&self, collar: &'static str) -> Device {
        Device::enrol(&self.token(collar).await).await.unwrap()
    }

    /// Does something with the store where it may block.
    pub(crate) async fn with_store<T: Send + 'static>(
        &self,
        f: impl FnOnce(&ServerStore) -> T + Send + 'static,
    ) -> T {
        let store = self.server.store().clone();
        blocking(move || f(&store)).await
    }
}

/// A device with its store in memory.
pub(crate) struct Device {
    pub(crate) told: EnrolledAs,
    pub(crate) store: MemoryStore,
    identity: Identity,
    signer: SigningKey,
    dialer: Dialer,
    address: ServerAddress,
    seeds: u8,
}

/// How a session of a device ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) events: Vec<Event>,
    pub(crate) error: Option<SessionError>,
}

impl Ended {
    pub(crate) fn closed_with(&self) -> Option<(CloseCode, u32)> {
        match &self.error {
            Some(SessionError::Closed { code, retry_after_ms }) => Some((*code, *retry_after_ms)),
            _ => None,
        }
    }
}

impl Device {
    pub(crate) async fn enrol(token: &Token) -> Result<Self, EnrolError> {
        let key = DeviceKey::generate().unwrap();
        Self::enrol_with(token, key).await
    }

    pub(crate) async fn enrol_with(token: &Token, key: DeviceKey) -> Result<Self, EnrolError> {
        let grant = beatbook_quic::enrol(token, &key.request().unwrap(), Duration::from_secs(30)).await?;
        let told: EnrolledAs = codec::decode(&grant.extra).unwrap();
        let signer = SigningKey::p256_from_pkcs8(&key.to_pkcs8()).unwrap();
        let public = PublicKey::p256_from_sec1(key.public_key().as_sec1()).unwrap();
        let identity = ClientIdentity::new(key, grant.chain, grant.authority).unwrap();
        let mut device = Self {
            identity: Identity {
                force: told.force.clone(),
                officer: told.officer,
                enrolment: told.enrolment,
                key: public,
            },
            told,
            store: MemoryStore::default(),
            signer,
            dialer: Dialer::new(identity).unwrap(),
            address: token.address().clone(),
            seeds: 0,
        };
        let identity = device.identity.clone();
        let fresh = [device.fresh_replica(), device.fresh_replica()];
        device.commit(|tx| ledger::open_books(tx, &identity, fresh, stamp()).unwrap());
        Ok(device)
    }

    pub(crate) fn note(&mut self, text: &str) -> Written {
        let note = Note::new(Setting::at("52/C02", instant()), NoteKind::Observation, text);
        let ops = note.ops().unwrap();
        self.write(None, RevisionKind::CREATE, None, ops)
    }

    pub(crate) fn write(
        &mut self,
        token: Option<ReadToken>,
        kind: RevisionKind,
        reason: Option<&str>,
        ops: Vec<(FieldId, FieldOp)>,
    ) -> Written {
        let draft = Draft {
            log: ReplicaKind::Book,
            token,
            family: Code::new("NOTE").unwrap(),
            kind,
            schema: 1,
            recorded_at: stamp(),
            reason: reason.map(|reason| Text::new(reason).unwrap()),
            ops,
        };
        self.commit(|tx| ledger::write(tx, draft).unwrap())
    }

    pub(crate) fn token_of(&self, record: RecordId) -> ReadToken {
        ReadToken::of(&ledger::head(&self.store, record).unwrap().unwrap())
    }

    pub(crate) fn holds(&self, record: RecordId) -> bool {
        ledger::head(&self.store, record).unwrap().is_some()
    }

    pub(crate) fn status(&self) -> ledger::Status {
        ledger::status(&self.store).unwrap()
    }

    /// One session to its end.
    pub(crate) async fn sync(&mut self) -> Ended {
        self.session(false, |_| false).await
    }

    /// A live session until the device is content, or the server ends it.
    pub(crate) async fn live(&mut self, content: impl FnMut(&Self) -> bool) -> Ended {
        self.session(true, content).await
    }

    async fn session(&mut self, live: bool, content: impl FnMut(&Self) -> bool) -> Ended {
        tokio::time::timeout(Duration::from_secs(60), self.run(live, content))
            .await
            .expect("the session took too long")
    }

    async fn run(&mut self, live: bool, mut content: impl FnMut(&Self) -> bool) -> Ended {
        let connection = self.dialer.dial(&self.address).await.unwrap();
        let (mut sender, mut receiver) = connection.open_frames().await.unwrap();
        let mut machine = Initiator::new(live, 64 << 10);
        let mut ended = Ended {
            events: Vec::new(),
            error: None,
        };
        let mut input: Option<InitiatorInput> = None;
        loop {
            if let Some(input) = input.take()
                && let Err(error) = machine.handle(input)
            {
                ended.error = Some(error);
                return ended;
            }
            while let Some(output) = machine.poll_output() {
                match output {
                    // A server that has gone is noticed by reading.
                    InitiatorOutput::Send(frame) => drop(sender.send(frame.encode().unwrap()).await),
                    InitiatorOutput::Store(op) => {
                        let reply = self.execute(*op);
                        if let Err(error) = machine.handle(InitiatorInput::Reply(reply)) {
                            ended.error = Some(error);
                            return ended;
                        }
                    }
                    InitiatorOutput::Event(event) => ended.events.push(event),
                    InitiatorOutput::Close(code) => {
                        if sender.finish().await.is_ok() {
                            let _ = sender.drained().await;
                        }
                        connection.close_and_wait(u32::from(code.0), "done").await;
                        return ended;
                    }
                }
            }
            if content(self) {
                input = Some(InitiatorInput::Stop);
                continue;
            }
            match receiver.recv().await {
                Ok(Some(raw)) => {
                    input = Some(InitiatorInput::Frame(
                        Frame::decode_whole(raw.as_bytes()).unwrap(),
                    ));
                }
                // The server's close may overtake its last frame.
                Ok(None) | Err(_) => return ended,
            }
        }
    }

    fn execute(&mut self, op: device::DeviceOp) -> Result<Durable<device::DeviceReply>, ledger::LedgerError> {
        let fresh = [self.fresh_replica(), self.fresh_replica()];
        let (identity, server_key) = (self.identity.clone(), self.told.server_key.clone());
        let env = DeviceEnv {
            identity: &identity,
            signer: &self.signer,
            server_key: &server_key,
            check: &CheckNothing,
            seed: [self.seeds; 32],
            fresh,
            now: stamp(),
        };
        let mut tx = Transaction::new(&self.store);
        let reply = device::execute(&mut tx, &env, op)?;
        let writes = tx.into_writes();
        self.store.apply(&writes);
        Ok(Durable::assert_stored(reply))
    }

    fn commit<T>(&mut self, job: impl FnOnce(&mut Transaction<'_>) -> T) -> T {
        let mut tx = Transaction::new(&self.store);
        let done = job(&mut tx);
        let writes = tx.into_writes();
        self.store.apply(&writes);
        done
    }

    fn fresh_replica(&mut self) -> ReplicaId {
        self.seeds = self.seeds.wrapping_add(1);
        ReplicaId::from(crate::store::fresh_id().unwrap())
    }
}

/// Runs what blocks on a thread for it.
pub(crate) async fn blocking<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(f).await.unwrap()
}

/// Waits until a condition holds.
pub(crate) async fn wait_until(mut holds: impl FnMut() -> bool) {
    let waited = tokio::time::timeout(Duration::from_secs(60), async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    waited.await.expect("waited too long");
}

/// A flag that a live device raises when it is under way.
pub(crate) fn flag() -> (
    Arc<std::sync::atomic::AtomicBool>,
    Arc<std::sync::atomic::AtomicBool>,
) {
    let flag = Arc::new(std::sync::atomic::AtomicBool::new(false));
    (flag.clone(), flag)
}

fn instant() -> Instant {
    Instant {
        utc_ms: now_ms(),
        offset_min: 0,
    }
}

fn stamp() -> Stamp {
    Stamp {
        utc_ms: now_ms(),
        offset_min: 0,
        source: ClockSource::DEVICE,
        uncertainty_ms: 500,
    }
}
