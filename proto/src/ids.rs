//! Identifiers: what names a replica, an entry, a record, an officer, a field.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
        pub struct $name([u8; 16]);

        impl $name {
            /// Wraps sixteen bytes.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// The sixteen bytes, in the order they sort by.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }

            /// The identifier as a UUID.
            pub const fn uuid(&self) -> Uuid {
                Uuid::from_bytes(self.0)
            }
        }

        impl From<Uuid> for $name {
            fn from(uuid: Uuid) -> Self {
                Self(*uuid.as_bytes())
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self::from)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.uuid(), f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.uuid())
            }
        }
    };
}

uuid_id! {
    /// Names one append-only log of one enrolment: a book or a trace. A UUIDv7, never used for order.
    ReplicaId
}
uuid_id! {
    /// Names one officer on one device.
    EnrolmentId
}
uuid_id! {
    /// Names an officer, for ever; collar numbers are re-issued, this is not.
    OfficerId
}
uuid_id! {
    /// Names one unbroken life of a server's log; a restore starts another.
    EpochId
}

impl ReplicaId {
    /// The first four hexadecimal digits of the random part: how a book reads before it has a label.
    pub fn short(&self) -> String {
        let [.., a, b] = self.0;
        format!("{a:02x}{b:02x}")
    }
}

/// Names one revision for ever: the replica that wrote it and its entry number there.
///
/// ```
/// use beatbook_proto::{Dot, ReplicaId};
/// let dot = Dot { replica: ReplicaId::from_bytes([1; 16]), counter: 118 };
/// assert_eq!(Dot::from_key(&dot.key()), Some(dot));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Dot {
    /// The replica that wrote the entry.
    pub replica: ReplicaId,
    /// Its number: starts at 1, without gaps.
    pub counter: u64,
}

impl Dot {
    /// The sorting key of the dot: replica, then counter in big-endian order.
    pub fn key(&self) -> [u8; 24] {
        let mut key = [0; 24];
        let (replica, counter) = key.split_at_mut(16);
        replica.copy_from_slice(self.replica.as_bytes());
        counter.copy_from_slice(&self.counter.to_be_bytes());
        key
    }

    /// Reads a sorting key back.
    pub fn from_key(key: &[u8]) -> Option<Self> {
        let (replica, counter) = key.split_at_checked(16)?;
        Some(Self {
            replica: ReplicaId::from_bytes(replica.try_into().ok()?),
            counter: u64::from_be_bytes(counter.try_into().ok()?),
        })
    }
}

impl fmt::Display for Dot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.replica, self.counter)
    }
}

impl fmt::Debug for Dot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dot({}/{})", self.replica.short(), self.counter)
    }
}

/// Names a record: the dot of its first revision, so only the book's owner can create it.
pub type RecordId = Dot;

/// Names a field for ever, across all families. Unknown ones round-trip.
///
/// ```
/// use beatbook_proto::FieldId;
/// assert_eq!(beatbook_proto::field::BEAT, FieldId(1));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FieldId(pub u16);

#[cfg(test)]
mod tests;
