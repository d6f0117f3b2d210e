//! Decoding values and operations: depth and number of values are counted, never the stack or a
//! declared length trusted (R-LIM-8, R-LIM-13). Unknown tags are refused (R-COD-4).

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, EnumAccess, Error, SeqAccess, VariantAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::{FieldOp, Value};
use crate::bounded::{Bytes, List, bytes_within, make_room};
use crate::ids::FieldId;
use crate::limits::{ITEMS_MAX, NESTING_MAX, OPS_MAX, TRACK_BYTES_MAX, VALUES_MAX};

/// Decodes the operations of one body under one count of values.
pub(crate) fn deserialize_ops<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<List<(FieldId, FieldOp), OPS_MAX>, D::Error> {
    let left = Cell::new(VALUES_MAX);
    let ops = ItemsSeed::<_, OPS_MAX>(PairSeed(OpSeed {
        budget: Budget(&left),
    }));
    ops.deserialize(deserializer).map(List)
}

impl<'de> Deserialize<'de> for FieldOp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let left = Cell::new(VALUES_MAX);
        OpSeed {
            budget: Budget(&left),
        }
        .deserialize(deserializer)
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let left = Cell::new(VALUES_MAX);
        let seed = ValueSeed {
            depth_left: NESTING_MAX,
            budget: Budget(&left),
        };
        seed.deserialize(deserializer)
    }
}

/// How many values may still come.
#[derive(Clone, Copy)]
struct Budget<'b>(&'b Cell<usize>);

impl Budget<'_> {
    fn spend<E: Error>(self) -> Result<(), E> {
        let left = self.0.get().checked_sub(1);
        self.0
            .set(left.ok_or_else(|| E::custom("more values than the limit"))?);
        Ok(())
    }
}

/// Decodes an operation.
#[derive(Clone, Copy)]
struct OpSeed<'b> {
    budget: Budget<'b>,
}

impl<'de> DeserializeSeed<'de> for OpSeed<'_> {
    type Value = FieldOp;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<FieldOp, D::Error> {
        deserializer.deserialize_enum("FieldOp", &OP_VARIANTS, self)
    }
}

impl<'de> Visitor<'de> for OpSeed<'_> {
    type Value = FieldOp;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an operation")
    }

    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<FieldOp, A::Error> {
        let value = ValueSeed {
            depth_left: NESTING_MAX,
            budget: self.budget,
        };
        let (tag, variant) = data.variant::<u32>()?;
        if tag > 3 {
            self.budget.spend()?;
        }
        Ok(match tag {
            0 => FieldOp::Set(variant.newtype_variant_seed(value)?),
            1 => FieldOp::Add(variant.newtype_variant_seed(value)?),
            2 => FieldOp::Remove(variant.newtype_variant_seed(value)?),
            3 => FieldOp::Append(variant.newtype_variant_seed(value)?),
            4 => FieldOp::Increment(variant.newtype_variant()?),
            5 => FieldOp::Max(variant.newtype_variant()?),
            6 => {
                variant.unit_variant()?;
                FieldOp::Clear
            }
            _ => return Err(A::Error::custom("unknown kind of operation")),
        })
    }
}

/// Decodes a value that may nest `depth_left` deep.
#[derive(Clone, Copy)]
struct ValueSeed<'b> {
    depth_left: usize,
    budget: Budget<'b>,
}

impl<'de> DeserializeSeed<'de> for ValueSeed<'_> {
    type Value = Value;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.budget.spend()?;
        deserializer.deserialize_enum("Value", &VALUE_VARIANTS, self)
    }
}

impl<'de> Visitor<'de> for ValueSeed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<Value, A::Error> {
        let too_deep = || A::Error::custom("values nest deeper than the limit");
        let inner = Self {
            depth_left: self.depth_left.checked_sub(1).ok_or_else(too_deep)?,
            ..self
        };
        let (tag, variant) = data.variant::<u32>()?;
        Ok(match tag {
            0 => Value::Bool(variant.newtype_variant()?),
            1 => Value::Int(variant.newtype_variant()?),
            2 => Value::Text(variant.newtype_variant()?),
            3 => Value::Code(variant.newtype_variant()?),
            4 => Value::Instant(variant.newtype_variant()?),
            5 => Value::Date(variant.newtype_variant()?),
            6 => Value::Point(variant.newtype_variant()?),
            7 => Value::Track(variant.newtype_variant::<TrackBytes>()?.0),
            8 => Value::Record(variant.newtype_variant()?),
            9 => Value::Officer(variant.newtype_variant()?),
            10 => Value::Blob(Box::new(variant.newtype_variant()?)),
            11 => {
                let members = ItemsSeed::<_, ITEMS_MAX>(PairSeed(inner));
                Value::Group(List(variant.newtype_variant_seed(members)?))
            }
            12 => {
                let items = ItemsSeed::<_, ITEMS_MAX>(inner);
                Value::List(List(variant.newtype_variant_seed(items)?))
            }
            _ => return Err(A::Error::custom("unknown kind of value")),
        })
    }
}

struct TrackBytes(Bytes);

impl<'de> Deserialize<'de> for TrackBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        bytes_within::<0, TRACK_BYTES_MAX, D>(deserializer).map(Self)
    }
}

/// Decodes a field id and what belongs to it.
#[derive(Clone, Copy)]
struct PairSeed<S>(S);

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for PairSeed<S> {
    type Value = (FieldId, S::Value);
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_tuple(2, self)
    }
}

impl<'de, S: DeserializeSeed<'de>> Visitor<'de> for PairSeed<S> {
    type Value = (FieldId, S::Value);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field and what belongs to it")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let missing = || A::Error::custom("a field without what belongs to it");
        let field = seq.next_element()?.ok_or_else(missing)?;
        let rest = seq.next_element_seed(self.0)?.ok_or_else(missing)?;
        Ok((field, rest))
    }
}

/// Decodes at most `MAX` items, each by the same seed.
struct ItemsSeed<S, const MAX: usize>(S);

impl<'de, S: DeserializeSeed<'de> + Copy, const MAX: usize> DeserializeSeed<'de> for ItemsSeed<S, MAX> {
    type Value = Vec<S::Value>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, S: DeserializeSeed<'de> + Copy, const MAX: usize> Visitor<'de> for ItemsSeed<S, MAX> {
    type Value = Vec<S::Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list of at most {MAX} items")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        if seq.size_hint().is_none_or(|len| len > MAX) {
            return Err(A::Error::custom("list longer than the limit"));
        }
        let mut items = Vec::new();
        loop {
            make_room(&mut items, seq.size_hint());
            match seq.next_element_seed(self.0)? {
                Some(item) => items.push(item),
                None => return Ok(items),
            }
        }
    }
}

const OP_VARIANTS: [&str; 7] = ["Set", "Add", "Remove", "Append", "Increment", "Max", "Clear"];
const VALUE_VARIANTS: [&str; 13] = [
    "Bool", "Int", "Text", "Code", "Instant", "Date", "Point", "Track", "Record", "Officer", "Blob", "Group",
    "List",
];
