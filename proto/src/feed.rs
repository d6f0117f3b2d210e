//! Scopes, cursors and feed items: the server's numbered sequence of changes, and a place in it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::bounded::Code;
use crate::ids::{Dot, EpochId, RecordId};
use crate::merkle::Hash;

/// What governs who may pull a record. Each scope has its own feed.
///
/// ```
/// use beatbook_proto::{Code, Scope};
/// let beat = Scope::Beat { beat: Code::new("52/C02").unwrap(), class: 1 };
/// assert_eq!(beat.to_string(), "52/C02 (sensitive)");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Scope {
    /// The books of the officer who asks.
    Own,
    /// Vocabularies, beats, tasks, policy.
    Reference,
    /// The records of one beat in one access class.
    Beat {
        /// Force and neighbourhood, such as `52/C02`.
        beat: Code,
        /// 0 for OFFICIAL, 1 for OFFICIAL-SENSITIVE.
        class: u8,
    },
}

impl Scope {
    /// The sorting key of the scope. No scope's key begins another's, so keys may be prefixes (R-FEED-3).
    pub fn key(&self) -> Vec<u8> {
        match self {
            Self::Own => vec![0],
            Self::Reference => vec![1],
            Self::Beat { beat, class } => {
                let beat = beat.as_str().as_bytes();
                // A code is at most 64 bytes long; the length keeps `52/C0` apart from `52/C02`.
                let mut key = vec![2, *class, u8::try_from(beat.len()).unwrap_or(u8::MAX)];
                key.extend_from_slice(beat);
                key
            }
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own => f.write_str("own"),
            Self::Reference => f.write_str("reference"),
            Self::Beat { beat, class: 0 } => write!(f, "{beat}"),
            Self::Beat { beat, .. } => write!(f, "{beat} (sensitive)"),
        }
    }
}

/// A place in a feed, tagged by the server that gave it (R-CUR-1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// Which feed.
    pub scope: Scope,
    /// The life of the server's log.
    pub epoch: EpochId,
    /// How many items have been read.
    pub position: u64,
    /// The feed hash at that position.
    pub hash: Hash,
    /// The server's own tag over the above: only it can make or check one.
    pub tag: [u8; 16],
}

/// One step of a feed. Positions count entries and departures one by one (R-FEED-2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FeedItem {
    /// `count` entries from `first` on, whose bytes are in part number `part` of the frame.
    Entries {
        /// Index into the parts of the frame.
        part: u16,
        /// The first counter.
        first: u64,
        /// How many consecutive ones.
        count: u32,
    },
    /// Entries that the reader already holds, or needs no more: their record has left the scope.
    Held {
        /// The first of them.
        first: Dot,
        /// How many consecutive ones.
        count: u32,
    },
    /// The record is no longer in this scope.
    Left(RecordId),
}

/// The feed hash after an entry (R-FEED-1).
pub fn hash_after_entry(hash: &Hash, dot: Dot) -> Hash {
    Hash::of(FEED_DOMAIN, &[&hash.0, &[0], &dot.key()])
}

/// The feed hash after a departure (R-FEED-1).
pub fn hash_after_departure(hash: &Hash, record: RecordId) -> Hash {
    Hash::of(FEED_DOMAIN, &[&hash.0, &[1], &record.key()])
}

const FEED_DOMAIN: &str = "beatbook 2026-11 feed v1";

#[cfg(test)]
mod tests;
