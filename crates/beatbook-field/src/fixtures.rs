//! For tests: a force with a small server in memory, devices of its officers, a disk that fails when told to.

mod disk;
mod server;

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use beatbook_core::register::EnrolledAs;
use beatbook_proto::{Algorithm, Bytes, Code, EnrolmentId, OfficerId, PublicKey};
use beatbook_quic::{Authority, DeviceKey, ServerAddress, Validity};
use beatbook_records::build::{Contact, Note, Setting};
use beatbook_records::vocabulary::NoteKind;
use beatbook_store_sled::{Options, Unlock};
use tempfile::TempDir;
use tokio::time::timeout;
use uuid::Uuid;

use crate::{Credentials, Notebook, Read, Written};

pub(crate) use disk::FaultyDisk;
pub(crate) use server::Server;

/// The beat that everyone here works.
pub(crate) const BEAT: &str = "52/C02";

/// A notebook in a folder of its own.
pub(crate) struct Device {
    pub(crate) folder: TempDir,
    pub(crate) disk: FaultyDisk,
    book: Option<Notebook>,
}

impl Device {
    /// A device that has never seen a server.
    pub(crate) fn alone() -> Self {
        let authority = Authority::create("52", Validity::authority(now_s())).unwrap();
        let key = PublicKey {
            algorithm: Algorithm::Ed25519,
            bytes: Bytes(vec![7; 32]),
        };
        let told = told(Uuid::from_u128(1), Uuid::from_u128(100), "9123", key);
        let nowhere = ServerAddress::new("127.0.0.1", 9).unwrap();
        Self::with(&credentials(&authority, told, nowhere))
    }

    pub(crate) fn with(credentials: &Credentials) -> Self {
        let (folder, disk) = (TempDir::new().unwrap(), FaultyDisk::default());
        let mut device = Self {
            folder,
            disk,
            book: None,
        };
        let book = Notebook::create(device.path(), &unlock(), device.options(), credentials);
        device.book = Some(book.unwrap());
        device
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    pub(crate) fn options(&self) -> Options {
        Options {
            disk: self.disk.shared(),
            ..Options::default()
        }
    }

    pub(crate) fn book(&self) -> &Notebook {
        self.book.as_ref().unwrap()
    }

    pub(crate) fn close(&mut self) {
        self.book.take().unwrap().close().unwrap();
    }

    pub(crate) fn open(&mut self) -> &Notebook {
        self.book = Some(Notebook::open(self.path(), &unlock(), self.options()).unwrap());
        self.book()
    }

    pub(crate) fn note(&self, body: &str) -> Written {
        let setting = Setting::at(BEAT, self.book().now());
        let note = Note::new(setting, NoteKind::Observation, body);
        self.book().notes().write(note).unwrap()
    }

    pub(crate) fn contact(&self, summary: &str) -> Written {
        let mut contact = Contact::at(Setting::at(BEAT, self.book().now()));
        contact.summary = Some(summary.into());
        self.book().contacts().record(contact).unwrap()
    }

    pub(crate) fn read(&self, written: &Written) -> Read {
        self.book().read(written.record).unwrap()
    }
}

pub(crate) fn told(enrolment: Uuid, officer: Uuid, collar: &str, server_key: PublicKey) -> EnrolledAs {
    EnrolledAs {
        enrolment: EnrolmentId::from(enrolment),
        officer: OfficerId::from(officer),
        collar: collar.into(),
        name: "Sam Example".into(),
        role: Code::new("PCSO").unwrap(),
        force: Code::new("52").unwrap(),
        force_name: "Example Constabulary".into(),
        server_key,
        beats: vec![Code::new(BEAT).unwrap()],
    }
}

pub(crate) fn credentials(authority: &Authority, told: EnrolledAs, server: ServerAddress) -> Credentials {
    let key = DeviceKey::generate().unwrap();
    let request = key.request().unwrap();
    let certificate = authority.issue_device(&request, told.enrolment.uuid(), Validity::device(now_s()));
    Credentials {
        told,
        key,
        chain: vec![certificate.unwrap()],
        authority: authority.certificate().to_vec(),
        server,
    }
}

pub(crate) fn unlock() -> Unlock {
    Unlock::keystore([7; 32])
}

/// Runs a test with a deadline: a test that waits for what never comes must fail, not hang.
pub(crate) async fn within<T>(test: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(60), test)
        .await
        .expect("the test took too long")
}

/// Waits until a condition holds.
pub(crate) async fn wait_until(mut holds: impl FnMut() -> bool) {
    within(async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

pub(crate) fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}
