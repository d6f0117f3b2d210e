//! The verbs of Beatbook, pure: local writes, merge, sessions, recovery and retry.
//!
//! Reads no clock, no random source, no file and no socket: time, replies and randomness come in as inputs, wishes go
//! out as outputs, and [`store`] is a port. A shell is a loop: take an output, carry a frame or execute a store
//! operation, make it durable, feed the reply back.
//!
//! Two replicas of one record, a phone and the server, through the session machines:
//!
//! ```
//! use beatbook_core::device::{self, DeviceEnv};
//! use beatbook_core::ledger::{self, CheckNothing, Draft, Identity};
//! use beatbook_core::register::{self, Enrolment, Officer};
//! use beatbook_core::server::{self, ServerEnv};
//! use beatbook_core::session::*;
//! use beatbook_core::store::{Durable, MemoryStore, Transaction};
//! use beatbook_proto::*;
//!
//! let key = SigningKey::ed25519_from_seed(&[1; 32]);
//! let server_key = SigningKey::ed25519_from_seed(&[2; 32]);
//! let receipts = server_key.public_key();
//! let (officer, enrolment) = (OfficerId::from_bytes([3; 16]), EnrolmentId::from_bytes([4; 16]));
//! let now = Stamp { utc_ms: 0, offset_min: 0, source: ClockSource::DEVICE, uncertainty_ms: 0 };
//!
//! // The server knows the officer and the enrolment's key.
//! let mut there = MemoryStore::default();
//! let mut tx = Transaction::new(&there);
//! let (collar, name, role) = ("7001".into(), "A. Officer".into(), Code::new("PCSO")?);
//! register::put(&mut tx, &Officer { id: officer, collar, name, role, added_at_ms: 0 })?;
//! register::put(&mut tx, &Enrolment {
//!     id: enrolment, officer, label: "phone".into(), key: Some(key.public_key()), issued_at_ms: 0,
//!     enrolled_at_ms: Some(0), revoked_at_ms: None, last_contact_ms: None,
//! })?;
//! let writes = tx.into_writes();
//! there.apply(&writes);
//!
//! // The phone opens its book and writes a note, offline.
//! let identity = Identity { force: Code::new("52")?, officer, enrolment, key: key.public_key() };
//! let env = DeviceEnv {
//!     identity: &identity, signer: &key, server_key: &receipts, check: &CheckNothing, seed: [5; 32],
//!     fresh: [ReplicaId::from_bytes([6; 16]), ReplicaId::from_bytes([7; 16])], now,
//! };
//! let mut here = MemoryStore::default();
//! let mut tx = Transaction::new(&here);
//! device::reopen_books(&mut tx, &env)?;
//! let note = ledger::write(&mut tx, Draft {
//!     log: ReplicaKind::Book, token: None, family: Code::new("NOTE")?, kind: RevisionKind::CREATE, schema: 1,
//!     recorded_at: now, reason: None,
//!     ops: vec![(FieldId(40), FieldOp::Set(Value::Text(Text::new("All quiet.").ok_or("too long")?)))],
//! })?;
//! let writes = tx.into_writes();
//! here.apply(&writes);
//!
//! // One session. The link is a variable; a store that applies a write set is durable.
//! let mut phone = Initiator::new(false, 1 << 20);
//! let mut server = Responder::new(enrolment, key.public_key());
//! let (mut safe, mut done) = (0, false);
//! while !done {
//!     while let Some(output) = phone.poll_output() {
//!         match output {
//!             InitiatorOutput::Send(frame) if matches!(*frame, Frame::Close(_)) => done = true,
//!             InitiatorOutput::Send(frame) => server.handle(ResponderInput::Frame(*frame))?,
//!             InitiatorOutput::Store(op) => {
//!                 let mut tx = Transaction::new(&here);
//!                 let reply = device::execute(&mut tx, &env, *op)?;
//!                 let writes = tx.into_writes();
//!                 here.apply(&writes);
//!                 phone.handle(InitiatorInput::Reply(Ok(Durable::assert_stored(reply))))?;
//!             }
//!             InitiatorOutput::Event(Event::Safe { upto, .. }) => safe = safe.max(upto),
//!             InitiatorOutput::Event(_) | InitiatorOutput::Close(_) => {}
//!         }
//!     }
//!     while let Some(output) = server.poll_output() {
//!         match output {
//!             ResponderOutput::Send(frame) => phone.handle(InitiatorInput::Frame(*frame))?,
//!             ResponderOutput::Store(op) => {
//!                 let env = ServerEnv {
//!                     signer: &server_key, check: &CheckNothing, tag_key: &[8; 32], now_ms: 1,
//!                     fresh_epoch: EpochId::from_bytes([9; 16]),
//!                 };
//!                 let mut tx = Transaction::new(&there);
//!                 let reply = server::execute(&mut tx, &env, *op)?;
//!                 let writes = tx.into_writes();
//!                 there.apply(&writes);
//!                 server.handle(ResponderInput::Reply(Ok(Durable::assert_stored(reply))))?;
//!             }
//!             ResponderOutput::Grown(_) | ResponderOutput::Close(_) => {}
//!         }
//!     }
//! }
//!
//! // The opening and the note are safe, and both sides show the same.
//! assert_eq!(safe, 2);
//! assert_eq!(ledger::head(&there, note.record)?, ledger::head(&here, note.record)?);
//! assert!(ledger::head(&there, note.record)?.is_some());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![no_std]

extern crate alloc;

pub mod device;
mod keys;
pub mod ledger;
pub mod merge;
pub mod planted;
pub mod register;
pub mod retry;
pub mod server;
pub mod session;
pub mod store;
