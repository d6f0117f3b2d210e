//! Values and field operations: what a revision says about the fields of its record.

use std::fmt;

use serde::ser::Error as _;
use serde::{Deserialize, Serialize, Serializer};

use crate::bounded::{Bytes, Code, List, Text, redacted};
use crate::codec;
use crate::ids::{Dot, FieldId, OfficerId};
use crate::limits::{ITEMS_MAX, NESTING_MAX, OPS_MAX, TRACK_BYTES_MAX, VALUES_MAX};
use crate::merkle::Hash;

mod decode;

pub(crate) use decode::deserialize_ops;

/// A moment as the field means it: UTC in milliseconds, with the offset it was read at.
///
/// ```
/// let noon_in_summer = beatbook_proto::Instant { utc_ms: 1_782_903_600_000, offset_min: 60 };
/// assert_eq!(noon_in_summer.utc_ms % 86_400_000, 11 * 3_600_000);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Instant {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub utc_ms: i64,
    /// Offset of local time from UTC, in minutes.
    pub offset_min: i16,
}

/// A WGS84 position, degrees times 10^7. `Debug` does not show where.
///
/// ```
/// let bandstand = beatbook_proto::Point { lat_e7: 538_000_000, lon_e7: -15_000_000 };
/// assert_eq!(format!("{bandstand:?}"), "Point(..)");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Point {
    /// Latitude, degrees times 10^7, north positive.
    pub lat_e7: i32,
    /// Longitude, degrees times 10^7, east positive.
    pub lon_e7: i32,
}

impl fmt::Debug for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Point(..)")
    }
}

/// Names bytes kept outside the record: a photo, a scan, a recording.
///
/// ```
/// use beatbook_proto::{BlobRef, Code, Hash, codec};
/// let media = Code::new("image/jpeg").unwrap();
/// let photo = BlobRef { hash: Hash([7; 32]), length: 48_213, media };
/// assert_eq!(codec::decode(&codec::encode(&photo).unwrap()), Ok(photo));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BlobRef {
    /// BLAKE3 of the original bytes.
    pub hash: Hash,
    /// Length of the original, in bytes.
    pub length: u64,
    /// Media type word, such as `image/jpeg`.
    pub media: Code,
}

/// A value of a field. A closed enum: it grows at the end only, and nests at most [`NESTING_MAX`] deep.
///
/// `Debug` shows the variant, the length and a short hash only.
///
/// ```
/// use beatbook_proto::{FieldId, Value, codec};
/// let fix = Value::Group(vec![(FieldId(1), Value::Int(12)), (FieldId(2), Value::Bool(true))].into());
/// assert_eq!((fix.depth(), fix.member(FieldId(1))), (2, Some(&Value::Int(12))));
/// assert_eq!(codec::decode::<Value>(&codec::encode(&fix).unwrap()).unwrap(), fix);
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Value {
    /// Yes or no.
    Bool(bool),
    /// A whole number; the field names its unit.
    Int(i64),
    /// Free text.
    Text(Text),
    /// A word of an open vocabulary.
    Code(Code),
    /// A moment.
    Instant(Instant),
    /// A calendar day, in days since 1970-01-01.
    Date(i32),
    /// A position.
    Point(Point),
    /// Delta-coded positions; see [`crate::track`].
    Track(Bytes),
    /// Another record.
    Record(Dot),
    /// An officer.
    Officer(OfficerId),
    /// Bytes kept outside the record.
    Blob(Box<BlobRef>),
    /// Fields that mean something only together, in one register.
    Group(List<(FieldId, Value), ITEMS_MAX>),
    /// Values in order.
    List(List<Value, ITEMS_MAX>),
}

impl Value {
    /// The member `field` of a group.
    pub fn member(&self, field: FieldId) -> Option<&Value> {
        match self {
            Self::Group(members) => members
                .iter()
                .find(|(id, _)| *id == field)
                .map(|(_, value)| value),
            _ => None,
        }
    }

    /// How deep the value nests: 1 for a plain value.
    pub fn depth(&self) -> usize {
        let inner = match self {
            Self::Group(members) => members.iter().map(|(_, value)| value.depth()).max(),
            Self::List(items) => items.iter().map(Self::depth).max(),
            _ => None,
        };
        inner.unwrap_or(0).saturating_add(1)
    }

    /// How many values it is made of, itself counted.
    fn count(&self) -> usize {
        match self {
            Self::Group(members) => members.iter().map(|(_, value)| value.count()).sum::<usize>() + 1,
            Self::List(items) => items.iter().map(Self::count).sum::<usize>() + 1,
            _ => 1,
        }
    }

    /// True if no track in it is longer than a reader takes.
    fn tracks_fit(&self) -> bool {
        match self {
            Self::Track(track) => track.len() <= TRACK_BYTES_MAX,
            Self::Group(members) => members.iter().all(|(_, value)| value.tracks_fit()),
            Self::List(items) => items.iter().all(Self::tracks_fit),
            _ => true,
        }
    }

    const fn name(&self) -> &'static str {
        match self {
            Self::Bool(_) => "Value::Bool",
            Self::Int(_) => "Value::Int",
            Self::Text(_) => "Value::Text",
            Self::Code(_) => "Value::Code",
            Self::Instant(_) => "Value::Instant",
            Self::Date(_) => "Value::Date",
            Self::Point(_) => "Value::Point",
            Self::Track(_) => "Value::Track",
            Self::Record(_) => "Value::Record",
            Self::Officer(_) => "Value::Officer",
            Self::Blob(_) => "Value::Blob",
            Self::Group(_) => "Value::Group",
            Self::List(_) => "Value::List",
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        redacted(f, self.name(), &codec::encode(self).unwrap_or_default())
    }
}

/// How a revision changes one field; the variant chooses how the field merges. Grows at the end only.
///
/// `Debug` shows no value.
///
/// ```
/// use beatbook_proto::{FieldOp, Value};
/// let op = FieldOp::Add(Value::Int(7));
/// assert!(format!("{op:?}").starts_with("Add(Value::Int("));
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum FieldOp {
    /// Writes a multi-value register: concurrent values are kept as siblings.
    Set(Value),
    /// Adds to an observed-remove set; a concurrent add wins over a remove.
    Add(Value),
    /// Removes from a set what the context covers.
    Remove(Value),
    /// Appends to a list ordered by Lamport number, then dot.
    Append(Value),
    /// Adds to a counter.
    Increment(i64),
    /// Raises a maximum.
    Max(i64),
    /// Clears what the context covers, whatever the lattice.
    Clear,
}

impl FieldOp {
    /// The value that it carries, if any.
    fn value(&self) -> Option<&Value> {
        match self {
            Self::Set(value) | Self::Add(value) | Self::Remove(value) | Self::Append(value) => Some(value),
            Self::Increment(_) | Self::Max(_) | Self::Clear => None,
        }
    }
}

impl fmt::Debug for FieldOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Set(value) => write!(f, "Set({value:?})"),
            Self::Add(value) => write!(f, "Add({value:?})"),
            Self::Remove(value) => write!(f, "Remove({value:?})"),
            Self::Append(value) => write!(f, "Append({value:?})"),
            Self::Increment(_) => f.write_str("Increment(..)"),
            Self::Max(_) => f.write_str("Max(..)"),
            Self::Clear => f.write_str("Clear"),
        }
    }
}

/// Refuses to write what a reader would refuse to read (R-LIM-8, R-LIM-10, R-LIM-13).
pub(crate) fn serialize_ops<S: Serializer>(
    ops: &List<(FieldId, FieldOp), OPS_MAX>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let values = || ops.iter().filter_map(|(_, op)| op.value());
    let count: usize = ops.iter().map(|(_, op)| op.value().map_or(1, Value::count)).sum();
    if count > VALUES_MAX {
        return Err(S::Error::custom("more values than the limit"));
    }
    if values().any(|value| value.depth() > NESTING_MAX) {
        return Err(S::Error::custom("values nest deeper than the limit"));
    }
    if !values().all(Value::tracks_fit) {
        return Err(S::Error::custom("track longer than the limit"));
    }
    ops.serialize(serializer)
}
