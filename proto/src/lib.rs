//! The nouns and the bytes of Beatbook: identifiers, version vectors, revisions, runs, seals,
//! receipts and frames, with every limit checked before allocation.
//!
//! `SPEC.md` beside this crate is the contract; each rule has a tag (`R-..`) that the code and the
//! golden vectors name. Holds no clock, no random source and no I/O.
//!
//! ```
//! use beatbook_proto::{Code, Dot, FieldId, FieldOp, ReplicaId, Value, VersionVector};
//!
//! let phone = ReplicaId::from_bytes([1; 16]);
//! let mut seen = VersionVector::new();
//! seen.cover(Dot { replica: phone, counter: 7 });
//! assert!(seen.covers(Dot { replica: phone, counter: 3 }));
//!
//! let op = FieldOp::Set(Value::Code(Code::new("OBSERVATION").unwrap()));
//! let bytes = beatbook_proto::codec::encode(&(FieldId(16), op.clone())).unwrap();
//! let back: (FieldId, FieldOp) = beatbook_proto::codec::decode(&bytes).unwrap();
//! assert_eq!(back, (FieldId(16), op));
//! ```

#![cfg_attr(
    not(test),
    deny(
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unwrap_used
    )
)]

pub mod codec;
pub mod feed;
pub mod field;
pub mod frame;
pub mod limits;
pub mod merkle;
pub mod track;

mod bounded;
mod close;
mod ids;
mod revision;
mod run;
mod seal;
mod value;
mod vector;

pub use bounded::{Bytes, Code, InvalidCode, List, Text};
pub use close::CloseCode;
pub use feed::{Cursor, FeedItem, Scope};
pub use frame::Frame;
pub use ids::{Dot, EnrolmentId, EpochId, FieldId, OfficerId, RecordId, ReplicaId};
pub use merkle::{Commitment, Hash, RunSecret, Salt};
pub use revision::{
    Body, ClockSource, Entry, Header, Opening, Original, ReplicaKind, Revision, RevisionKind, Stamp,
};
pub use run::{Part, Proof, ProofError, Run, VerifiedEntry, VerifiedRun};
#[cfg(feature = "remember-verified")]
pub use seal::RememberVerified;
pub use seal::{
    Algorithm, PublicKey, Receipt, ReceiptClaim, Seal, SealClaim, SealHash, Signature, SignatureError,
    Signer, SigningKey, Standing, Verdict,
};
pub use value::{BlobRef, FieldOp, Instant, Point, Value};
pub use vector::{Causality, VersionVector};
