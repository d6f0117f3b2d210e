//! A server's store without its shell: runs of devices, verified and taken in by the core, receipts and all.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use beatbook_core::device::{self, DeviceEnv, DeviceOp, DeviceReply};
use beatbook_core::ledger::{self, CheckNothing, Identity, LedgerError};
use beatbook_core::register::{self, Enrolment, Officer, Posting};
use beatbook_core::server::{self, ServerEnv, ServerOp, ServerReply};
use beatbook_core::store::{MemoryStore, Transaction};
use beatbook_proto::{
    ClockSource, Code, EnrolmentId, EpochId, OfficerId, ReplicaId, Signer, SigningKey, Stamp, VerifiedRun,
};
use beatbook_store_sled::{AnchorPlace, OpenReport, Store, Unlock};
use beatbook_tests::note_draft;

use super::{Marks, Refused, Side, Site, Step, full_or, not_opened, options, refused, token_of, words};

struct Server {
    store: Store,
    report: OpenReport,
    root: PathBuf,
    restored: Option<PathBuf>,
}

/// Makes the store, and begins the first life of its log.
pub(super) fn make(site: &Site) -> Result<Box<dyn Side>, Refused> {
    let (store, report) = Store::create(site.store(), &unlock(), options(AnchorPlace::Nowhere))
        .map_err(|error| not_opened(&error))?;
    Server::of(store, report, site)
}

/// Opens the store.
pub(super) fn open(site: &Site) -> Result<Box<dyn Side>, Refused> {
    let (store, report) = Store::open(site.store(), &unlock(), options(AnchorPlace::Nowhere))
        .map_err(|error| not_opened(&error))?;
    Server::of(store, report, site)
}

/// Reads every backup that was finished, and returns the tokens in it.
pub(super) fn read_backup(file: &Path, site: &Site) -> Result<Vec<String>, String> {
    let dir = site.root.join("proved");
    let mut source = File::open(file).map_err(|error| error.to_string())?;
    Store::restore(&mut source, &dir, &unlock(), &options(AnchorPlace::Nowhere))
        .map_err(|error| error.to_string())?;
    let (store, _) =
        Store::open(&dir, &unlock(), options(AnchorPlace::Nowhere)).map_err(|error| error.to_string())?;
    let tokens = tokens(&store);
    store.close().map_err(|error| error.to_string())?;
    fs::remove_dir_all(dir).map_err(|error| error.to_string())?;
    tokens
}

impl Server {
    fn of(store: Store, report: OpenReport, site: &Site) -> Result<Box<dyn Side>, Refused> {
        // A life of the log that a kill did not let begin begins here.
        let begun = store.commit(|tx: &mut Transaction<'_>| {
            if server::epochs(tx)?.is_none() {
                server::mint_epoch(tx, EpochId::from_bytes([0xe0; 16]))?;
            }
            Ok::<_, LedgerError>(())
        });
        begun.map_err(ledger_refused)?;
        Ok(Box::new(Self {
            store,
            report,
            root: site.root.clone(),
            restored: None,
        }))
    }

    /// Writes a backup, makes it durable, and lets go of what it covers, as the server's shell does.
    fn backup(&mut self, number: usize) -> Result<(), Refused> {
        let io = |error: std::io::Error| full_or(&error);
        let path = self.root.join(format!("backup-{number}"));
        let mut file = File::create(&path).map_err(io)?;
        let report = self
            .store
            .backup(&mut file, &mut |_| {})
            .map_err(|error| full_or(&error))?;
        file.sync_all().map_err(io)?;
        File::open(&self.root)
            .and_then(|folder| folder.sync_all())
            .map_err(io)?;
        self.restored = Some(path);
        self.store
            .release(report.sequence)
            .map_err(|error| refused(&error))
    }
}

impl Side for Server {
    fn write(&mut self, token: &str) -> Result<(), Refused> {
        accept(&self.store, token)
    }

    fn gather(&mut self, tokens: &[String], marks: &Marks) -> Result<(), Refused> {
        let store = &self.store;
        let outcomes: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = tokens
                .chunks(tokens.len().div_ceil(SESSIONS))
                .map(|mine| {
                    scope.spawn(move || {
                        for token in mine {
                            match marks.attempt(token, || accept(store, token)) {
                                // The next may find room.
                                Ok(()) | Err(Refused::Full) => {}
                                Err(unknown) => return Err(unknown),
                            }
                        }
                        Ok(())
                    })
                })
                .collect();
            threads
                .into_iter()
                .map(|thread| {
                    thread
                        .join()
                        .unwrap_or_else(|_| Err(Refused::Unknown("a session panicked".to_owned())))
                })
                .collect()
        });
        outcomes.into_iter().collect()
    }

    fn act(&mut self, step: Step, number: usize) -> Result<(), Refused> {
        let done = match step {
            Step::Checkpoint => self.store.checkpoint(),
            Step::Release => self.store.release(self.store.sequence()),
            Step::Compact => self.store.compact(),
            Step::Backup => return self.backup(number),
            other => {
                return Err(Refused::Unknown(format!(
                    "a server does not know the step {other:?}"
                )));
            }
        };
        done.map_err(|error| refused(&error))
    }

    fn tokens(&self) -> Result<Vec<String>, String> {
        tokens(&self.store)
    }

    fn verify(&self, _made: bool) -> Result<(), String> {
        self.store.verify().map(|_| ()).map_err(|error| error.to_string())
    }

    fn report(&self) -> Option<OpenReport> {
        Some(self.report.clone())
    }

    fn close(self: Box<Self>) -> Result<(), Refused> {
        self.store.close().map_err(|error| refused(&error))
    }
}

/// The tokens of all records, after a look at every entry of every book.
fn tokens(store: &Store) -> Result<Vec<String>, String> {
    store.read(|read| {
        let told = |error: beatbook_core::store::StoreError| error.to_string();
        for book in ledger::books(read).map_err(told)? {
            let log = ledger::log(read, book.replica(), 1, usize::MAX).map_err(told)?;
            if log.len() as u64 != book.held {
                return Err(format!(
                    "a book says {} entries and holds {}",
                    book.held,
                    log.len()
                ));
            }
        }
        let heads = ledger::heads(read, None, usize::MAX).map_err(told)?;
        heads
            .iter()
            .map(|head| {
                let body = head.field(beatbook_records::field::BODY);
                let texts = body.into_iter().flat_map(|field| field.register());
                let mut texts = texts.filter_map(|(_, value)| match value {
                    beatbook_proto::Value::Text(text) => Some(text.as_str().to_owned()),
                    _ => None,
                });
                token_of(&texts.next().unwrap_or_default())
            })
            .collect()
    })
}

/// A device of its own writes one entry; the server enrols it and takes its run in.
pub(super) fn accept(store: &Store, token: &str) -> Result<(), Refused> {
    let (sender, run) = sent(token).map_err(|error| Refused::Unknown(error.to_string()))?;
    let stored = store.commit(move |tx: &mut Transaction<'_>| {
        register::put(tx, &sender.officer)?;
        register::put(tx, &sender.posting)?;
        register::put(tx, &sender.enrolment)?;
        let signer = SigningKey::ed25519_from_seed(&[0x5e; 32]);
        let env = ServerEnv {
            signer: &signer,
            check: &CheckNothing,
            tag_key: &[0x7a; 32],
            now_ms: NOW_MS,
            fresh_epoch: EpochId::from_bytes([0xe1; 16]),
        };
        let op = ServerOp::AcceptRun {
            peer: sender.enrolment.id,
            run: Box::new(run),
        };
        match server::execute(tx, &env, op)? {
            ServerReply::RunAccepted { receipt, .. } => Ok(receipt.claim.upto),
            _ => Err(LedgerError::NoBook),
        }
    });
    match stored.map_err(ledger_refused)?.into_inner() {
        2 => Ok(()),
        upto => Err(Refused::Unknown(format!("the receipt says {upto} of 2 entries"))),
    }
}

struct Sender {
    officer: Officer,
    posting: Posting,
    enrolment: Enrolment,
}

impl Sender {
    /// What the register says of the device of a token.
    fn of(identity: &Identity, token: &str) -> Self {
        let officer = identity.officer;
        Self {
            officer: Officer {
                id: officer,
                collar: token.to_owned(),
                name: "Sam Pike".to_owned(),
                role: code("PCSO"),
                added_at_ms: NOW_MS,
            },
            posting: Posting {
                officer,
                beats: vec![code("52/C02")],
                from_ms: 0,
                until_ms: None,
            },
            enrolment: Enrolment {
                id: identity.enrolment,
                officer,
                label: "phone".to_owned(),
                key: Some(identity.key.clone()),
                issued_at_ms: 0,
                enrolled_at_ms: Some(0),
                revoked_at_ms: None,
                last_contact_ms: None,
            },
        }
    }
}

/// The run of a device whose one entry bears the token. The device follows from the token.
fn sent(token: &str) -> Result<(Sender, VerifiedRun), LedgerError> {
    let seed = *beatbook_proto::Hash::of("beatbook tests sender v1", &[token.as_bytes()])
        .0
        .first_chunk::<32>()
        .unwrap_or(&[0; 32]);
    let id = *seed.first_chunk::<16>().unwrap_or(&[0; 16]);
    let key = SigningKey::ed25519_from_seed(&seed);
    let officer = OfficerId::from_bytes(id);
    let identity = Identity {
        force: code("52"),
        officer,
        enrolment: EnrolmentId::from_bytes(id),
        key: key.public_key(),
    };
    let other = id.map(|byte| byte ^ 0xff);
    let env = DeviceEnv {
        identity: &identity,
        signer: &key,
        server_key: &SigningKey::ed25519_from_seed(&[0x5e; 32]).public_key(),
        check: &CheckNothing,
        seed,
        fresh: [ReplicaId::from_bytes(id), ReplicaId::from_bytes(other)],
        now: Stamp {
            utc_ms: NOW_MS,
            offset_min: 0,
            source: ClockSource::DEVICE,
            uncertainty_ms: 0,
        },
    };
    let base = MemoryStore::default();
    let mut tx = Transaction::new(&base);
    device::reopen_books(&mut tx, &env)?;
    ledger::write(&mut tx, note_draft(officer, &words(token)))?;
    let prepare = DeviceOp::Prepare {
        unpacked_bytes_max: 1 << 20,
    };
    device::execute(&mut tx, &env, prepare)?;
    let next = DeviceOp::NextRun {
        replica: env.fresh[0],
        after: 0,
    };
    let DeviceReply::NextRun(Some(run)) = device::execute(&mut tx, &env, next)? else {
        return Err(LedgerError::NoBook);
    };
    Ok((Sender::of(&identity, token), run.verify(&key.public_key())?))
}

fn ledger_refused(error: LedgerError) -> Refused {
    match error {
        LedgerError::Store(error) => refused(&error),
        other => Refused::Unknown(other.to_string()),
    }
}

fn unlock() -> Unlock {
    Unlock::keystore([9; 32])
}

fn code(word: &str) -> Code {
    Code::new(word).expect("a word")
}

const NOW_MS: i64 = 1_794_060_000_000;
/// Sessions that write at once.
const SESSIONS: usize = 4;
