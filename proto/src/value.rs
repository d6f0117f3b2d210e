//! Values and field operations: what a revision says about the fields of its record.

use std::fmt;

use serde::de::{DeserializeSeed, EnumAccess, Error, SeqAccess, VariantAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::bounded::{Bytes, Code, List, Text};
use crate::ids::{Dot, FieldId, OfficerId};
use crate::limits::{ITEMS_MAX, NESTING_MAX, TRACK_BYTES_MAX};
use crate::merkle::Hash;

/// A moment as the field means it: UTC in milliseconds, with the offset it was read at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Instant {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub utc_ms: i64,
    /// Offset of local time from UTC, in minutes.
    pub offset_min: i16,
}

/// A WGS84 position, degrees times 10^7.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Point {
    /// Latitude, degrees times 10^7, north positive.
    pub lat_e7: i32,
    /// Longitude, degrees times 10^7, east positive.
    pub lon_e7: i32,
}

/// Names bytes kept outside the record: a photo, a scan, a recording.
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
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
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
    Blob(BlobRef),
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
        1 + inner.unwrap_or(0)
    }
}

/// How a revision changes one field; the variant chooses how the field merges. Grows at the end only.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
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

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        ValueSeed { left: NESTING_MAX }.deserialize(deserializer)
    }
}

/// Decodes a value that may nest `left` deep: the depth is counted, never the stack trusted (R-LIM-8).
#[derive(Clone, Copy)]
struct ValueSeed {
    left: usize,
}

impl<'de> DeserializeSeed<'de> for ValueSeed {
    type Value = Value;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        if self.left == 0 {
            return Err(D::Error::custom("values nest deeper than the limit"));
        }
        deserializer.deserialize_enum("Value", &VARIANTS, self)
    }
}

impl<'de> Visitor<'de> for ValueSeed {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<Value, A::Error> {
        let inner = Self { left: self.left - 1 };
        let (tag, variant) = data.variant::<u32>()?;
        Ok(match tag {
            0 => Value::Bool(variant.newtype_variant()?),
            1 => Value::Int(variant.newtype_variant()?),
            2 => Value::Text(variant.newtype_variant()?),
            3 => Value::Code(variant.newtype_variant()?),
            4 => Value::Instant(variant.newtype_variant()?),
            5 => Value::Date(variant.newtype_variant()?),
            6 => Value::Point(variant.newtype_variant()?),
            7 => {
                let track: Bytes = variant.newtype_variant()?;
                if track.len() > TRACK_BYTES_MAX {
                    return Err(A::Error::custom("track longer than the limit"));
                }
                Value::Track(track)
            }
            8 => Value::Record(variant.newtype_variant()?),
            9 => Value::Officer(variant.newtype_variant()?),
            10 => Value::Blob(variant.newtype_variant()?),
            11 => Value::Group(List(variant.newtype_variant_seed(ItemsSeed(MemberSeed(inner)))?)),
            12 => Value::List(List(variant.newtype_variant_seed(ItemsSeed(inner))?)),
            _ => return Err(A::Error::custom("unknown kind of value")),
        })
    }
}

#[derive(Clone, Copy)]
struct MemberSeed(ValueSeed);

impl<'de> DeserializeSeed<'de> for MemberSeed {
    type Value = (FieldId, Value);
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_tuple(2, self)
    }
}

impl<'de> Visitor<'de> for MemberSeed {
    type Value = (FieldId, Value);
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field and its value")
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let missing = || A::Error::custom("member without a value");
        let field = seq.next_element()?.ok_or_else(missing)?;
        let value = seq.next_element_seed(self.0)?.ok_or_else(missing)?;
        Ok((field, value))
    }
}

struct ItemsSeed<S>(S);

impl<'de, S: DeserializeSeed<'de> + Copy> DeserializeSeed<'de> for ItemsSeed<S> {
    type Value = Vec<S::Value>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, S: DeserializeSeed<'de> + Copy> Visitor<'de> for ItemsSeed<S> {
    type Value = Vec<S::Value>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of values")
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        if seq.size_hint().is_some_and(|len| len > ITEMS_MAX) {
            return Err(A::Error::custom("list longer than the limit"));
        }
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(self.0)? {
            items.push(item);
        }
        Ok(items)
    }
}

const VARIANTS: [&str; 13] = [
    "Bool", "Int", "Text", "Code", "Instant", "Date", "Point", "Track", "Record", "Officer", "Blob", "Group",
    "List",
];
