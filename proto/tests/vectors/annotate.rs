//! Writes bytes with a comment beside each: a second encoder of the format, written from SPEC.md alone,
//! so that the vectors are also checked against it.

use std::fmt;

use serde::ser::{self, Serialize};

/// Encoded bytes, piece by piece, each with what it says.
#[derive(Default)]
pub struct Rows {
    rows: Vec<Row>,
    path: Vec<String>,
}

/// One piece.
pub struct Row {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// What it says.
    pub says: String,
}

impl Rows {
    /// Encodes a value.
    pub fn of<T: Serialize + ?Sized>(value: &T) -> Vec<Row> {
        let mut rows = Self::default();
        value
            .serialize(&mut rows)
            .expect("the format spells every sample");
        rows.rows
    }

    fn row(&mut self, bytes: Vec<u8>, says: impl fmt::Display) {
        let path = self.path.join(".");
        let says = if path.is_empty() {
            says.to_string()
        } else {
            format!("{path}: {says}")
        };
        self.rows.push(Row { bytes, says });
    }

    fn within<T: Serialize + ?Sized>(&mut self, name: String, value: &T) -> Result<(), Refused> {
        self.path.push(name);
        value.serialize(&mut *self)?;
        self.path.pop();
        Ok(())
    }

    fn parts(&mut self, is_tuple: bool) -> Parts<'_> {
        let start = self.rows.len();
        Parts {
            rows: self,
            index: 0,
            start,
            is_tuple,
        }
    }
}

/// SPEC 2: up to 250 in one byte, else a marker and 2, 4 or 8 bytes, little-endian.
fn varint(number: u64) -> Vec<u8> {
    if let Ok(byte @ 0..=250) = u8::try_from(number) {
        vec![byte]
    } else if let Ok(short) = u16::try_from(number) {
        [&[251][..], &short.to_le_bytes()].concat()
    } else if let Ok(word) = u32::try_from(number) {
        [&[252][..], &word.to_le_bytes()].concat()
    } else {
        [&[253][..], &number.to_le_bytes()].concat()
    }
}

fn zigzag(number: i64) -> Vec<u8> {
    varint(number.cast_unsigned() << 1 ^ (number >> 63).cast_unsigned())
}

/// A kind of data that the format does not have.
#[derive(Debug)]
pub struct Refused(String);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}

impl ser::Error for Refused {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

/// The members of something that has several.
pub struct Parts<'r> {
    rows: &'r mut Rows,
    index: usize,
    start: usize,
    is_tuple: bool,
}

impl Parts<'_> {
    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refused> {
        let name = format!("{}", self.index);
        self.index += 1;
        self.rows.within(name, value)
    }

    fn done(self) -> Result<(), Refused> {
        let fixed_bytes = self.is_tuple && self.index >= 16;
        if fixed_bytes {
            let bytes: Vec<u8> = self
                .rows
                .rows
                .drain(self.start..)
                .flat_map(|row| row.bytes)
                .collect();
            let says = format!("{} bytes", bytes.len());
            self.rows.row(bytes, says);
        }
        Ok(())
    }
}

macro_rules! plain {
    ($($name:ident: $type:ty => $encode:expr),* $(,)?) => {
        $(fn $name(self, number: $type) -> Result<(), Refused> {
            self.row($encode(number.into()), number);
            Ok(())
        })*
    };
}

macro_rules! absent {
    ($($name:ident($($type:ty),*) -> $ok:ty),* $(,)?) => {
        $(fn $name(self, $(_: $type),*) -> Result<$ok, Refused> {
            Err(Refused(format!("{} is not of the format", stringify!($name))))
        })*
    };
}

impl<'r> ser::Serializer for &'r mut Rows {
    type Ok = ();
    type Error = Refused;
    type SerializeSeq = Parts<'r>;
    type SerializeTuple = Parts<'r>;
    type SerializeTupleStruct = Parts<'r>;
    type SerializeTupleVariant = Parts<'r>;
    type SerializeMap = ser::Impossible<(), Refused>;
    type SerializeStruct = Parts<'r>;
    type SerializeStructVariant = Parts<'r>;

    plain! {
        serialize_i16: i16 => zigzag,
        serialize_i32: i32 => zigzag,
        serialize_i64: i64 => zigzag,
        serialize_u16: u16 => varint,
        serialize_u32: u32 => varint,
        serialize_u64: u64 => varint,
    }

    absent! {
        serialize_i8(i8) -> (),
        serialize_f32(f32) -> (),
        serialize_f64(f64) -> (),
        serialize_char(char) -> (),
        serialize_unit() -> (),
        serialize_unit_struct(&'static str) -> (),
        serialize_map(Option<usize>) -> ser::Impossible<(), Refused>,
    }

    fn serialize_bool(self, yes: bool) -> Result<(), Refused> {
        self.row(vec![u8::from(yes)], yes);
        Ok(())
    }

    fn serialize_u8(self, byte: u8) -> Result<(), Refused> {
        self.row(vec![byte], byte);
        Ok(())
    }

    fn serialize_str(self, text: &str) -> Result<(), Refused> {
        self.row(
            varint(text.len() as u64),
            format_args!("{} bytes of text", text.len()),
        );
        self.row(text.into(), text.escape_default());
        Ok(())
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<(), Refused> {
        self.row(varint(bytes.len() as u64), format_args!("{} bytes", bytes.len()));
        self.row(bytes.to_vec(), "the bytes");
        Ok(())
    }

    fn serialize_none(self) -> Result<(), Refused> {
        self.row(vec![0], "absent");
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Refused> {
        self.row(vec![1], "present");
        value.serialize(self)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Refused> {
        value.serialize(self)
    }

    fn serialize_unit_variant(self, _: &'static str, tag: u32, name: &'static str) -> Result<(), Refused> {
        self.row(varint(tag.into()), name);
        Ok(())
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        tag: u32,
        name: &'static str,
        value: &T,
    ) -> Result<(), Refused> {
        self.row(varint(tag.into()), name);
        value.serialize(self)
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Parts<'r>, Refused> {
        let len = len.ok_or_else(|| Refused("a list without its length".to_owned()))?;
        self.row(varint(len as u64), format_args!("{len} items"));
        Ok(self.parts(false))
    }

    fn serialize_tuple(self, _: usize) -> Result<Parts<'r>, Refused> {
        Ok(self.parts(true))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Parts<'r>, Refused> {
        Ok(self.parts(false))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        tag: u32,
        name: &'static str,
        _: usize,
    ) -> Result<Parts<'r>, Refused> {
        self.row(varint(tag.into()), name);
        Ok(self.parts(false))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Parts<'r>, Refused> {
        Ok(self.parts(false))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        tag: u32,
        name: &'static str,
        _: usize,
    ) -> Result<Parts<'r>, Refused> {
        self.row(varint(tag.into()), name);
        Ok(self.parts(false))
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

macro_rules! parts {
    ($($trait:ident::$method:ident),*) => {
        $(impl ser::$trait for Parts<'_> {
            type Ok = ();
            type Error = Refused;
            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refused> {
                self.item(value)
            }
            fn end(self) -> Result<(), Refused> {
                self.done()
            }
        })*
    };
}

macro_rules! named_parts {
    ($($trait:ident),*) => {
        $(impl ser::$trait for Parts<'_> {
            type Ok = ();
            type Error = Refused;
            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), Refused> {
                self.rows.within(name.to_owned(), value)
            }
            fn end(self) -> Result<(), Refused> {
                Ok(())
            }
        })*
    };
}

parts!(
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field
);
named_parts!(SerializeStruct, SerializeStructVariant);
