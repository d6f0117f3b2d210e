//! One type for all that is encoded, so that a test can walk every kind in the same way.

use beatbook_proto::frame::Frame;
use beatbook_proto::track::{self, TrackPoint};
use beatbook_proto::{
    Body, Cursor, FieldOp, Header, Opening, Original, Part, Receipt, Run, Seal, Value, VersionVector, codec,
};

/// Something that is encoded.
#[derive(Clone, Debug, PartialEq)]
pub enum Thing {
    Body(Body),
    Cursor(Cursor),
    Frame(Frame),
    Header(Header),
    Op(FieldOp),
    Opening(Opening),
    Original(Box<Original>),
    Part(Box<Part>),
    Receipt(Receipt),
    Run(Box<Run>),
    Seal(Seal),
    Track(Vec<TrackPoint>),
    Value(Value),
    Vector(VersionVector),
}

/// Which of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Body,
    Cursor,
    Frame,
    Header,
    Op,
    Opening,
    Original,
    Part,
    Receipt,
    Run,
    Seal,
    Track,
    Value,
    Vector,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 14] = [
        Self::Body,
        Self::Cursor,
        Self::Frame,
        Self::Header,
        Self::Op,
        Self::Opening,
        Self::Original,
        Self::Part,
        Self::Receipt,
        Self::Run,
        Self::Seal,
        Self::Track,
        Self::Value,
        Self::Vector,
    ];

    /// Decodes bytes as one of this kind, and says why not.
    pub fn decode(self, bytes: &[u8]) -> Result<Thing, String> {
        let said = |error: codec::CodecError| error.to_string();
        match self {
            Self::Body => codec::decode(bytes).map(Thing::Body).map_err(said),
            Self::Cursor => codec::decode(bytes).map(Thing::Cursor).map_err(said),
            Self::Frame => Frame::decode_whole(bytes)
                .map(Thing::Frame)
                .map_err(|error| error.to_string()),
            Self::Header => codec::decode(bytes).map(Thing::Header).map_err(said),
            Self::Op => codec::decode(bytes).map(Thing::Op).map_err(said),
            Self::Opening => codec::decode(bytes).map(Thing::Opening).map_err(said),
            Self::Original => codec::decode(bytes).map(Thing::Original).map_err(said),
            Self::Part => codec::decode(bytes).map(Thing::Part).map_err(said),
            Self::Receipt => codec::decode(bytes).map(Thing::Receipt).map_err(said),
            Self::Run => codec::decode(bytes).map(Thing::Run).map_err(said),
            Self::Seal => codec::decode(bytes).map(Thing::Seal).map_err(said),
            Self::Track => track::decode(bytes)
                .map(Thing::Track)
                .map_err(|error| error.to_string()),
            Self::Value => codec::decode(bytes).map(Thing::Value).map_err(said),
            Self::Vector => codec::decode(bytes).map(Thing::Vector).map_err(said),
        }
    }
}

impl Thing {
    /// Its kind.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Body(_) => Kind::Body,
            Self::Cursor(_) => Kind::Cursor,
            Self::Frame(_) => Kind::Frame,
            Self::Header(_) => Kind::Header,
            Self::Op(_) => Kind::Op,
            Self::Opening(_) => Kind::Opening,
            Self::Original(_) => Kind::Original,
            Self::Part(_) => Kind::Part,
            Self::Receipt(_) => Kind::Receipt,
            Self::Run(_) => Kind::Run,
            Self::Seal(_) => Kind::Seal,
            Self::Track(_) => Kind::Track,
            Self::Value(_) => Kind::Value,
            Self::Vector(_) => Kind::Vector,
        }
    }

    /// Its bytes.
    pub fn bytes(&self) -> Vec<u8> {
        let bytes = match self {
            Self::Body(body) => codec::encode(body),
            Self::Cursor(cursor) => codec::encode(cursor),
            Self::Frame(frame) => frame.encode(),
            Self::Header(header) => codec::encode(header),
            Self::Op(op) => codec::encode(op),
            Self::Opening(opening) => codec::encode(opening),
            Self::Original(original) => codec::encode(original),
            Self::Part(part) => codec::encode(part),
            Self::Receipt(receipt) => codec::encode(receipt),
            Self::Run(run) => codec::encode(run),
            Self::Seal(seal) => codec::encode(seal),
            Self::Track(points) => return track::encode(points).expect("a sample encodes").0,
            Self::Value(value) => codec::encode(value),
            Self::Vector(vector) => codec::encode(vector),
        };
        bytes.expect("a sample encodes")
    }
}
