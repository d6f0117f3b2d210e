//! Frames: what travels in a session, each with a length, version and kind outside the codec.
//!
//! A frame is a prefix of [`PREFIX_LEN`] bytes (payload length, big-endian u32; protocol version; kind) and a
//! payload. Bit 7 of the kind says that the payload is zstd-compressed (R-FRM-1).

use serde::{Deserialize, Serialize};

use crate::bounded::{Code, List};
use crate::close::CloseCode;
use crate::codec::{self, CodecError};
use crate::feed::{Cursor, FeedItem, Scope};
use crate::ids::{Dot, EpochId, ReplicaId};
use crate::limits::{
    BOOKS_MAX, FEED_ITEMS_MAX, FRAME_BYTES_MAX, PARTS_MAX, RUN_ENTRIES_MAX, SCOPES_MAX, UNPACKED_BYTES_MAX,
};
use crate::revision::ReplicaKind;
use crate::run::{Part, Run};
use crate::seal::{Receipt, SealHash, Verdict};

/// Length of a frame's prefix, in bytes.
pub const PREFIX_LEN: usize = 6;
/// The protocol version that this build speaks.
pub const VERSION: u8 = 1;

/// A frame of a session. Kinds are numbers that only grow.
///
/// ```
/// use beatbook_proto::{CloseCode, Frame, frame::Close};
/// let close = Frame::Close(Close { code: CloseCode::BUSY, retry_after_ms: 30_000 });
/// let bytes = close.encode().unwrap();
/// assert_eq!(Frame::decode_whole(&bytes), Ok(close));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Frame {
    /// The device speaks first (R-FRM-5).
    Hello(Hello),
    /// A whole run of one of the device's books.
    Run(Box<Run>),
    /// The server's answer to Hello.
    Welcome(Box<Welcome>),
    /// A run is durable at the server.
    Receipt(Box<Receipt>),
    /// Changes in a scope.
    Feed(Box<Feed>),
    /// Standings of entries that changed later.
    Verdicts(Verdicts),
    /// Every feed has been sent to its end.
    CaughtUp,
    /// The session ends.
    Close(Close),
    /// What the device holds of others' books, offered after the server went back in time.
    Offer(Offer),
    /// Which of it the server lacks.
    Want(Offer),
    /// A part of another's run, re-offered.
    Part(Box<Part>),
}

/// How far a side holds a book.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BookClaim {
    /// The book.
    pub replica: ReplicaId,
    /// Its last sealed entry held, without gaps before it.
    pub counter: u64,
    /// The hash of the seal that ends there.
    pub seal: SealHash,
    /// Book or trace: the server labels them apart at first contact.
    pub kind: ReplicaKind,
}

/// The device's first frame.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Oldest protocol version spoken.
    pub protocol_min: u8,
    /// Newest protocol version spoken.
    pub protocol_max: u8,
    /// Feature bits; unknown ones are ignored.
    pub features: u64,
    /// The device's own books as it holds them, sealed.
    pub books: List<BookClaim, BOOKS_MAX>,
    /// Where it stands in the feeds it has read.
    pub cursors: List<Cursor, SCOPES_MAX>,
    /// True to stay and be fed as things happen.
    pub live: bool,
}

/// How far the server holds a book of this officer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BookPosition {
    /// What it holds.
    pub claim: BookClaim,
    /// Up to which entry it is secured.
    pub secured: u64,
    /// The label given at first contact, such as `B07`.
    pub label: Option<Code>,
    /// Whether the device claimed another history for this book: it must open a new one.
    pub forked: bool,
}

/// The server's answer to Hello.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// The protocol version chosen.
    pub protocol: u8,
    /// The life of the server's log.
    pub epoch: EpochId,
    /// The version of the access policy in force; 0 until policies are versioned.
    pub policy: u64,
    /// The books of this officer that the server knows, the device's own first.
    pub books: List<BookPosition, BOOKS_MAX>,
    /// The scopes granted.
    pub scopes: List<Scope, SCOPES_MAX>,
    /// The feeds, as the server would have the device continue them.
    pub cursors: List<Cursor, SCOPES_MAX>,
    /// The server's clock, milliseconds since 1970-01-01T00:00:00Z.
    pub now_ms: i64,
    /// True if the server went back in time and wants to be offered what others wrote.
    pub wants_offers: bool,
}

/// Changes `from + 1 ..= to` of a scope's feed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Feed {
    /// The position before the first item.
    pub from: u64,
    /// What happened, in order.
    pub items: List<FeedItem, FEED_ITEMS_MAX>,
    /// The entries that the items speak of, and the rest of runs that go whole (R-FEED-5); a part that no item names was
    /// kept apart at the server (R-FEED-4).
    pub parts: List<Part, PARTS_MAX>,
    /// Openings of books that the reader has not seen: their keys prove the parts.
    pub openings: List<Part, PARTS_MAX>,
    /// Labels of the books that the items speak of.
    pub labels: List<(ReplicaId, Code), BOOKS_MAX>,
    /// The place after the last item.
    pub cursor: Cursor,
}

/// Standings that changed after their receipt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdicts {
    /// The book.
    pub replica: ReplicaId,
    /// How its entries stand now.
    pub verdicts: List<Verdict, RUN_ENTRIES_MAX>,
    /// Up to which entry the book is secured.
    pub secured: u64,
}

/// The end of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Close {
    /// Why.
    pub code: CloseCode,
    /// How long to stay away, in milliseconds; 0 for no wish.
    pub retry_after_ms: u32,
}

/// Stretches of books.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// First dot and number of consecutive entries of each stretch.
    pub stretches: List<(Dot, u32), BOOKS_MAX>,
}

/// A frame's prefix, read.
///
/// ```
/// use beatbook_proto::frame::{Frame, Prefix};
/// let prefix = Prefix::read(&[0, 0, 0, 0, 1, 7]).unwrap();
/// assert_eq!(Frame::decode(prefix, &[]), Ok(Frame::CaughtUp));
/// assert!(Prefix::read(&[0xff; 6]).is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix {
    /// Payload length, in bytes.
    pub length: usize,
    /// Protocol version.
    pub version: u8,
    /// Kind of frame, with the compression bit.
    pub kind: u8,
}

/// Why a frame was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The prefix declares more than [`FRAME_BYTES_MAX`] (R-LIM-1).
    #[error("frame of {0} bytes is over the limit of {FRAME_BYTES_MAX}")]
    TooLong(usize),
    /// The frame is of another protocol version (R-FRM-2).
    #[error("frame of protocol version {0}, this side speaks {VERSION}")]
    Version(u8),
    /// The kind is unknown (R-FRM-3).
    #[error("frame of unknown kind {0}")]
    Kind(u8),
    /// The payload did not decode.
    #[error("frame of kind {kind}: {source}")]
    Payload {
        /// The frame's kind.
        kind: u8,
        /// What did not hold.
        source: CodecError,
    },
}

impl Prefix {
    /// Reads a prefix and checks the length it declares, before anything is allocated for it.
    pub fn read(bytes: &[u8; PREFIX_LEN]) -> Result<Self, FrameError> {
        let [a, b, c, d, version, kind] = *bytes;
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        if length > FRAME_BYTES_MAX {
            return Err(FrameError::TooLong(length));
        }
        Ok(Self {
            length,
            version,
            kind,
        })
    }
}

impl Frame {
    /// The number of the frame's kind.
    pub fn kind(&self) -> u8 {
        match self {
            Self::Hello(_) => 1,
            Self::Run(_) => 2,
            Self::Welcome(_) => 3,
            Self::Receipt(_) => 4,
            Self::Feed(_) => 5,
            Self::Verdicts(_) => 6,
            Self::CaughtUp => 7,
            Self::Close(_) => 8,
            Self::Offer(_) => 9,
            Self::Want(_) => 10,
            Self::Part(_) => 11,
        }
    }

    /// Encodes the frame with its prefix.
    pub fn encode(&self) -> Result<Vec<u8>, CodecError> {
        let mut payload = match self {
            Self::Hello(hello) => codec::encode(hello),
            Self::Run(run) => codec::encode(run),
            Self::Welcome(welcome) => codec::encode(welcome),
            Self::Receipt(receipt) => codec::encode(receipt),
            Self::Feed(feed) => codec::encode(feed),
            Self::Verdicts(verdicts) => codec::encode(verdicts),
            Self::CaughtUp => Ok(Vec::new()),
            Self::Close(close) => codec::encode(close),
            Self::Offer(offer) | Self::Want(offer) => codec::encode(offer),
            Self::Part(part) => codec::encode(part),
        }?;
        if payload.len() > UNPACKED_BYTES_MAX {
            return Err(CodecError::TooLarge);
        }
        let mut kind = self.kind();
        if payload.len() >= PACK_BYTES_MIN {
            let packed = codec::pack(&payload);
            if packed.len() < payload.len() && !packed.is_empty() {
                payload = packed;
                kind |= PACKED;
            }
        }
        if payload.len() > FRAME_BYTES_MAX {
            return Err(CodecError::TooLarge);
        }
        let mut bytes = Vec::with_capacity(PREFIX_LEN + payload.len());
        bytes.extend_from_slice(
            &u32::try_from(payload.len())
                .map_err(|_| CodecError::TooLarge)?
                .to_be_bytes(),
        );
        bytes.extend_from_slice(&[VERSION, kind]);
        bytes.extend_from_slice(&payload);
        Ok(bytes)
    }

    /// Decodes a payload that came behind `prefix`.
    pub fn decode(prefix: Prefix, payload: &[u8]) -> Result<Self, FrameError> {
        if prefix.version != VERSION {
            return Err(FrameError::Version(prefix.version));
        }
        let kind = prefix.kind & !PACKED;
        let fault = |source| FrameError::Payload { kind, source };
        let unpacked;
        let payload = if prefix.kind & PACKED == 0 {
            payload
        } else {
            unpacked = codec::unpack(payload).map_err(fault)?;
            &unpacked
        };
        Ok(match kind {
            1 => Self::Hello(codec::decode(payload).map_err(fault)?),
            2 => Self::Run(Box::new(codec::decode(payload).map_err(fault)?)),
            3 => Self::Welcome(Box::new(codec::decode(payload).map_err(fault)?)),
            4 => Self::Receipt(Box::new(codec::decode(payload).map_err(fault)?)),
            5 => Self::Feed(Box::new(codec::decode(payload).map_err(fault)?)),
            6 => Self::Verdicts(codec::decode(payload).map_err(fault)?),
            7 if payload.is_empty() => Self::CaughtUp,
            7 => return Err(fault(CodecError::Trailing(payload.len()))),
            8 => Self::Close(codec::decode(payload).map_err(fault)?),
            9 => Self::Offer(codec::decode(payload).map_err(fault)?),
            10 => Self::Want(codec::decode(payload).map_err(fault)?),
            11 => Self::Part(Box::new(codec::decode(payload).map_err(fault)?)),
            other => return Err(FrameError::Kind(other)),
        })
    }

    /// Decodes a whole frame, prefix included.
    pub fn decode_whole(bytes: &[u8]) -> Result<Self, FrameError> {
        let short = FrameError::Payload {
            kind: 0,
            source: CodecError::Malformed,
        };
        let (prefix, payload) = bytes.split_first_chunk::<PREFIX_LEN>().ok_or(short)?;
        let prefix = Prefix::read(prefix)?;
        if payload.len() != prefix.length {
            return Err(short);
        }
        Self::decode(prefix, payload)
    }
}

/// Bit of the kind that marks a compressed payload.
const PACKED: u8 = 0x80;
/// Smaller payloads do not gain by compression.
const PACK_BYTES_MIN: usize = 128;
