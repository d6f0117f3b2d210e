//! Revisions: one immutable change to one record, and the entry of a book that carries it.
//!
//! An [`Entry`] keeps header and body as the bytes that were received: hashes and signatures speak of
//! bytes, and what this build cannot read still travels on unchanged (R-REV-1).

use serde::{Deserialize, Serialize};

use crate::bounded::{Bytes, Code, List, Text, bytes_within};
use crate::codec::{self, CodecError};
use crate::ids::{Dot, EnrolmentId, FieldId, OfficerId, RecordId, ReplicaId};
use crate::limits::{BODY_BYTES_MAX, HEADER_BYTES_MAX, HEADER_BYTES_MIN, OPS_MAX};
use crate::merkle::{self, Commitment, Salt};
use crate::run::Proof;
use crate::seal::{PublicKey, Seal};
use crate::value::{self, FieldOp};
use crate::vector::VersionVector;

/// What a revision does to its record. A number on the wire; unknown ones round-trip (R-REV-2).
///
/// ```
/// use beatbook_proto::RevisionKind;
/// assert!(RevisionKind::AMEND.needs_reason() && !RevisionKind::SIGN.needs_reason());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RevisionKind(pub u8);

impl RevisionKind {
    /// Opens a book; its body is an [`Opening`].
    pub const OPEN: Self = Self(0);
    /// Founds a record.
    pub const CREATE: Self = Self(1);
    /// Corrects fields, with a reason.
    pub const AMEND: Self = Self(2);
    /// Adds what came to mind later; never conflicts.
    pub const SUPPLEMENT: Self = Self(3);
    /// Strikes text through, with a reason and initials.
    pub const STRIKE: Self = Self(4);
    /// Signs the record as it was read; never conflicts.
    pub const SIGN: Self = Self(5);
    /// Moves a state machine of the record.
    pub const STATE: Self = Self(6);
    /// Adds a remark beside the record; never conflicts.
    pub const ANNOTATE: Self = Self(7);
    /// Settles siblings: names the dots that it settles, and a reason.
    pub const RESOLVE: Self = Self(8);
    /// Abandons a draft: the entry keeps its number.
    pub const VOID: Self = Self(9);
    /// Carries an entry of a closed book under a new dot; its body is an [`Original`].
    pub const REISSUE: Self = Self(10);

    /// True if the law of the notebook asks for a reason.
    pub const fn needs_reason(self) -> bool {
        matches!(self, Self::AMEND | Self::STRIKE | Self::VOID | Self::RESOLVE)
    }
}

/// What everyone may need to know of a revision without opening it.
///
/// ```
/// use beatbook_proto::{Code, Header, RevisionKind, VersionVector, codec};
/// let header = Header {
///     record: None,
///     family: Code::new("NOTE").unwrap(),
///     kind: RevisionKind::CREATE,
///     schema: 1,
///     context: VersionVector::new(),
///     prior: 0,
///     lamport: 1,
///     fields: vec![].into(),
/// };
/// assert_eq!(codec::decode::<Header>(&codec::encode(&header).unwrap()), Ok(header));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The record that it changes; `None` where it founds one, named by its own dot (R-REV-3).
    pub record: Option<RecordId>,
    /// What kind of record it is. Open: unknown families round-trip.
    pub family: Code,
    /// What it does to the record.
    pub kind: RevisionKind,
    /// The schema version its author wrote under.
    pub schema: u16,
    /// The version vector of the record as its author had read it.
    pub context: VersionVector,
    /// The same book's latest earlier entry on this record, 0 if none (R-REV-4).
    pub prior: u64,
    /// One more than the highest Lamport number that the context covers.
    pub lamport: u64,
    /// The fields that the body touches, ascending; what a body touches beyond them is set aside (R-REV-8).
    pub fields: List<FieldId, OPS_MAX>,
}

/// Where a device had its time from.
///
/// ```
/// use beatbook_proto::ClockSource;
/// let bytes = beatbook_proto::codec::encode(&ClockSource(9)).unwrap();
/// assert_eq!(beatbook_proto::codec::decode(&bytes), Ok(ClockSource(9)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ClockSource(pub u8);

impl ClockSource {
    /// The device's own clock, nothing known of it.
    pub const DEVICE: Self = Self(0);
    /// Kept by network time.
    pub const NETWORK: Self = Self(1);
    /// From a satellite fix.
    pub const GNSS: Self = Self(2);
}

/// A device's own claim of when it recorded something. Displayed and flagged, never compared for order.
///
/// ```
/// use beatbook_proto::{ClockSource, Stamp, codec};
/// let stamp = Stamp { utc_ms: 0, offset_min: 60, source: ClockSource::NETWORK, uncertainty_ms: 250 };
/// assert_eq!(codec::decode(&codec::encode(&stamp).unwrap()), Ok(stamp));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Stamp {
    /// Milliseconds since 1970-01-01T00:00:00Z by the device's clock.
    pub utc_ms: i64,
    /// Offset of local time from UTC, in minutes.
    pub offset_min: i16,
    /// Where the time came from.
    pub source: ClockSource,
    /// How far it may be off, in milliseconds.
    pub uncertainty_ms: u32,
}

/// What an ordinary revision says.
///
/// ```
/// use beatbook_proto::{Body, ClockSource, FieldId, FieldOp, Stamp, Value, codec};
/// let stamp = Stamp { utc_ms: 0, offset_min: 0, source: ClockSource::DEVICE, uncertainty_ms: 0 };
/// let ops = vec![(FieldId(16), FieldOp::Set(Value::Bool(true)))].into();
/// let body = Body { recorded_at: stamp, reason: None, settles: vec![].into(), ops };
/// assert_eq!(codec::decode::<Body>(&codec::encode(&body).unwrap()), Ok(body));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Body {
    /// When the device recorded it, by its own clock.
    pub recorded_at: Stamp,
    /// Why; required for amend, strike, void and resolve (R-REV-6).
    pub reason: Option<Text>,
    /// For a resolution: the dots that it settles.
    pub settles: List<Dot, OPS_MAX>,
    /// What it does to which fields, applied in order; at most [`VALUES_MAX`](crate::limits::VALUES_MAX)
    /// values in all (R-LIM-13).
    #[serde(
        serialize_with = "value::serialize_ops",
        deserialize_with = "value::deserialize_ops"
    )]
    pub ops: List<(FieldId, FieldOp), OPS_MAX>,
}

/// Which of an enrolment's two logs a replica is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ReplicaKind {
    /// What the officer writes.
    Book,
    /// What the device records.
    Trace,
}

/// The body of a book's first entry: who writes in it, and under which key its runs are sealed (R-REV-5).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opening {
    /// Always [`Opening::DOMAIN`].
    pub domain: Code,
    /// The force's two-digit code.
    pub force: Code,
    /// The replica that it opens.
    pub replica: ReplicaId,
    /// Book or trace.
    pub kind: ReplicaKind,
    /// The officer who writes in it.
    pub officer: OfficerId,
    /// The enrolment it belongs to.
    pub enrolment: EnrolmentId,
    /// The key its runs are sealed with.
    pub key: PublicKey,
    /// The book that this one follows after a restore, if any.
    pub follows: Option<ReplicaId>,
    /// When the device opened it, by its own clock.
    pub opened_at: Stamp,
}

impl Opening {
    /// The word that ties an opening to this product and format.
    pub const DOMAIN: &str = "beatbook/1";
}

/// The body of a re-issue: the original entry with its place, unchanged, and the proof of it where one exists. The header
/// beside it is the original's (R-REV-7).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Original {
    /// The dot it was first written under.
    pub dot: Dot,
    /// The entry as it was.
    pub entry: Entry,
    /// Its salt, where it had been sealed.
    pub salt: Option<Salt>,
    /// The seal of its run, where it had been sealed.
    pub seal: Option<Seal>,
    /// What completes the root of that seal.
    pub proof: Option<Proof>,
}

/// One entry of a book, as bytes.
///
/// ```
/// use beatbook_proto::{Entry, RunSecret, ReplicaId, codec::CodecError};
/// let entry = Entry { header: b"of a newer peer".to_vec().into(), body: vec![].into() };
/// assert_eq!(entry.header(), Err(CodecError::Malformed));
/// // It is held, proved and passed on all the same.
/// let salt = |counter| RunSecret([3; 32]).salt(ReplicaId::from_bytes([1; 16]), counter);
/// assert_ne!(entry.commitment(&salt(1)), entry.commitment(&salt(2)));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The encoded [`Header`].
    #[serde(deserialize_with = "bytes_within::<HEADER_BYTES_MIN, HEADER_BYTES_MAX, _>")]
    pub header: Bytes,
    /// The encoded [`Body`], [`Opening`] or [`Original`].
    #[serde(deserialize_with = "bytes_within::<0, BODY_BYTES_MAX, _>")]
    pub body: Bytes,
}

impl Entry {
    /// Encodes an ordinary revision; over a limit is an error.
    pub fn new<B: Serialize>(header: &Header, body: &B) -> Result<Self, CodecError> {
        let entry = Self {
            header: codec::encode(header)?.into(),
            body: codec::encode(body)?.into(),
        };
        entry.check_size()?;
        Ok(entry)
    }

    /// Decodes the header.
    pub fn header(&self) -> Result<Header, CodecError> {
        self.check_size()?;
        codec::decode(&self.header)
    }

    /// Decodes the body of an ordinary revision.
    pub fn body(&self) -> Result<Body, CodecError> {
        self.check_size()?;
        codec::decode(&self.body)
    }

    /// Decodes the body of an [`RevisionKind::OPEN`] entry.
    pub fn opening(&self) -> Result<Opening, CodecError> {
        self.check_size()?;
        codec::decode(&self.body)
    }

    /// Decodes the body of an [`RevisionKind::REISSUE`] entry.
    pub fn original(&self) -> Result<Original, CodecError> {
        self.check_size()?;
        codec::decode(&self.body)
    }

    /// The commitment to this entry under `salt`.
    pub fn commitment(&self, salt: &Salt) -> Commitment {
        merkle::commit(salt, &self.header, &self.body)
    }

    /// Bytes of header and body together.
    pub fn byte_len(&self) -> usize {
        self.header.len().saturating_add(self.body.len())
    }

    /// Checks header and body against their limits (R-LIM-5).
    pub fn check_size(&self) -> Result<(), CodecError> {
        if self.header.len() < HEADER_BYTES_MIN {
            return Err(CodecError::Malformed);
        }
        let fits = self.header.len() <= HEADER_BYTES_MAX && self.body.len() <= BODY_BYTES_MAX;
        fits.then_some(()).ok_or(CodecError::TooLarge)
    }
}

/// An entry read: its dot, header and body together. What merging works on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision {
    /// The entry's dot.
    pub dot: Dot,
    /// The decoded header.
    pub header: Header,
    /// The decoded body.
    pub body: Body,
}

impl Revision {
    /// Reads an entry that carries an ordinary revision.
    pub fn read(dot: Dot, entry: &Entry) -> Result<Self, CodecError> {
        Ok(Self {
            dot,
            header: entry.header()?,
            body: entry.body()?,
        })
    }

    /// The record that it belongs to: its own dot where it founds one.
    pub fn record(&self) -> RecordId {
        self.header.record.unwrap_or(self.dot)
    }
}
