//! Byte strings, texts, codes and lists whose length is checked before anything is allocated.
//!
//! Decoding borrows from the input slice first, so a length that the input does not hold is refused
//! before memory is taken for it; lists grow item by item and never trust a declared length.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use serde::de::{DeserializeOwned, Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::limits::{CODE_BYTES_MAX, TEXT_CHARS_MAX};
use crate::merkle::Hash;

/// A byte string. `Debug` shows its length and a short hash only.
///
/// ```
/// let shown = format!("{:?}", beatbook_proto::Bytes(b"seen at the corner".to_vec()));
/// assert!(shown.starts_with("Bytes(18 bytes, ") && !shown.contains("corner"));
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Bytes(pub Vec<u8>);

impl Deref for Bytes {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        redacted(f, "Bytes", &self.0)
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        bytes_within::<0, { usize::MAX }, D>(deserializer)
    }
}

/// Decodes a byte string of `MIN` to `MAX` bytes, looking at its length before copying it.
pub(crate) fn bytes_within<'de, const MIN: usize, const MAX: usize, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Bytes, D::Error> {
    struct BytesVisitor<const MIN: usize, const MAX: usize>;
    impl<'de, const MIN: usize, const MAX: usize> Visitor<'de> for BytesVisitor<MIN, MAX> {
        type Value = Bytes;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "a byte string of {MIN} to {MAX} bytes")
        }
        fn visit_borrowed_bytes<E: Error>(self, bytes: &'de [u8]) -> Result<Bytes, E> {
            if (MIN..=MAX).contains(&bytes.len()) {
                Ok(Bytes(bytes.to_vec()))
            } else {
                Err(E::invalid_length(bytes.len(), &self))
            }
        }
    }
    deserializer.deserialize_bytes(BytesVisitor::<MIN, MAX>)
}

/// A text of at most [`TEXT_CHARS_MAX`] characters. `Debug` shows its length and a short hash only.
///
/// ```
/// use beatbook_proto::{Text, limits::TEXT_CHARS_MAX};
/// assert_eq!(Text::new("gate left open").unwrap().as_str(), "gate left open");
/// assert!(Text::new("x".repeat(TEXT_CHARS_MAX + 1)).is_none());
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Text(String);

impl Text {
    /// Wraps a text; `None` if it is longer than [`TEXT_CHARS_MAX`] characters.
    pub fn new(text: impl Into<String>) -> Option<Self> {
        let text = text.into();
        (text.chars().count() <= TEXT_CHARS_MAX).then_some(Self(text))
    }

    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        redacted(f, "Text", self.0.as_bytes())
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(StrVisitor).and_then(|text| {
            if text.len() > 4 * TEXT_CHARS_MAX {
                return Err(D::Error::custom("text longer than the limit"));
            }
            Self::new(text).ok_or_else(|| D::Error::custom("text longer than the limit"))
        })
    }
}

/// A word of an open vocabulary: 1 to [`CODE_BYTES_MAX`] printable ASCII characters without spaces.
///
/// A code that this build does not know round-trips unchanged.
///
/// ```
/// use beatbook_proto::Code;
/// assert_eq!(Code::new("OBSERVATION").unwrap().as_str(), "OBSERVATION");
/// assert!(Code::new("two words").is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(String);

/// A code was empty, too long, or held a character other than printable ASCII without spaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a code is 1 to {CODE_BYTES_MAX} printable ASCII characters without spaces")]
pub struct InvalidCode;

impl Code {
    /// Checks and wraps a code.
    pub fn new(code: impl Into<String>) -> Result<Self, InvalidCode> {
        let code = code.into();
        let fits = (1..=CODE_BYTES_MAX).contains(&code.len());
        (fits && code.bytes().all(|byte| byte.is_ascii_graphic()))
            .then_some(Self(code))
            .ok_or(InvalidCode)
    }

    /// The code itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(deserializer.deserialize_str(StrVisitor)?).map_err(D::Error::custom)
    }
}

/// A list of at most `MAX` items.
///
/// ```
/// use beatbook_proto::{List, codec};
/// let three: List<u8, 3> = vec![1, 2, 3].into();
/// let bytes = codec::encode(&three).unwrap();
/// assert!(codec::decode::<List<u8, 3>>(&bytes).is_ok());
/// assert!(codec::decode::<List<u8, 2>>(&bytes).is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct List<T, const MAX: usize>(pub Vec<T>);

impl<T, const MAX: usize> Default for List<T, MAX> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T, const MAX: usize> Deref for List<T, MAX> {
    type Target = Vec<T>;
    fn deref(&self) -> &Vec<T> {
        &self.0
    }
}

impl<T, const MAX: usize> From<Vec<T>> for List<T, MAX> {
    fn from(items: Vec<T>) -> Self {
        Self(items)
    }
}

impl<T, const MAX: usize> FromIterator<T> for List<T, MAX> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        Self(items.into_iter().collect())
    }
}

impl<T, const MAX: usize> IntoIterator for List<T, MAX> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<T: Serialize, const MAX: usize> Serialize for List<T, MAX> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.len() > MAX {
            return Err(serde::ser::Error::custom("list longer than the limit"));
        }
        serializer.collect_seq(&self.0)
    }
}

impl<'de, T: DeserializeOwned, const MAX: usize> Deserialize<'de> for List<T, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ListVisitor<T, const MAX: usize>(PhantomData<T>);
        impl<'de, T: DeserializeOwned, const MAX: usize> Visitor<'de> for ListVisitor<T, MAX> {
            type Value = List<T, MAX>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a list of at most {MAX} items")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<List<T, MAX>, A::Error> {
                if seq.size_hint().is_some_and(|len| len > MAX) {
                    return Err(A::Error::custom("list longer than the limit"));
                }
                let mut items = Vec::new();
                loop {
                    make_room(&mut items, seq.size_hint());
                    match seq.next_element()? {
                        Some(_) if items.len() == MAX => {
                            return Err(A::Error::custom("list longer than the limit"));
                        }
                        Some(item) => items.push(item),
                        None => return Ok(List(items)),
                    }
                }
            }
        }
        deserializer.deserialize_seq(ListVisitor(PhantomData))
    }
}

/// Makes room for the next of `left` declared items.
///
/// Grows by a quarter of what has been read and never past what is declared: a false length costs
/// little, a true one leaves no slack (R-LIM-13 relies on it).
pub(crate) fn make_room<T>(items: &mut Vec<T>, left: Option<usize>) {
    let left = left.unwrap_or(usize::MAX);
    if left > 0 && items.len() == items.capacity() {
        items.reserve_exact(left.min((items.len() / 4).max(ROOM_MIN)));
    }
}

/// Writes length and a short hash in place of private bytes.
pub(crate) fn redacted(f: &mut fmt::Formatter<'_>, name: &str, bytes: &[u8]) -> fmt::Result {
    let hash = Hash(*blake3::hash(bytes).as_bytes());
    write!(f, "{name}({} bytes, {})", bytes.len(), hash.short())
}

struct StrVisitor;

impl<'de> Visitor<'de> for StrVisitor {
    type Value = &'de str;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }
    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<&'de str, E> {
        Ok(text)
    }
}

const ROOM_MIN: usize = 4;
