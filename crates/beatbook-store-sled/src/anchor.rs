//! The anchor outside the store: it shows that a store is an older copy of itself, or one of two copies.
//!
//! Each open draws a fresh open id and writes it to the anchor as the next one, to the journal, and then
//! confirms it in the anchor, so that a crash in between is no mismatch. The anchor also holds how far the
//! counters of each replica have been leased. What a mismatch means is for the core to decide: until the
//! anchor is adopted, every open reports it again and no lease is given.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use beatbook_core::planted::{Bug, is_planted};

use crate::codec::{Reader, Writer};
use crate::disk::{Disk, write_atomic};
use crate::error::OpenError;
use crate::journal::frame::Opening;
use crate::seal::{Purpose, Sealer, StoreKey};

const PLACE: &[u8] = b"anchor v1";

/// Where the anchor of a store is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum AnchorPlace {
    /// In this file, which no backup of the device carries.
    At(PathBuf),
    /// In the file `<store>.anchor` beside the store.
    #[default]
    Beside,
    /// Nowhere: a server is anchored by its devices.
    Nowhere,
}

/// What the anchor said when the store was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AnchorState {
    /// The store had no anchor before, and has one from here on.
    Fresh,
    /// The store is the one that was opened last.
    Matches,
    /// The store is an older copy, or one of two: its replica must not write on.
    Mismatch {
        /// What differs.
        why: &'static str,
    },
    /// The store has had an anchor, and it is gone or does not open: the store may be a copy.
    Missing,
    /// The store was opened without an anchor.
    Unused,
}

impl AnchorState {
    /// True where counters may be leased.
    pub fn is_trusted(self) -> bool {
        matches!(self, Self::Fresh | Self::Matches)
    }
}

/// The anchor of an open store.
pub(crate) struct Anchor {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    sealer: Sealer,
    held: Held,
    pub(crate) state: AnchorState,
}

/// What the file holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Held {
    store_id: [u8; 16],
    current: [u8; 16],
    next: Option<[u8; 16]>,
    leases: BTreeMap<[u8; 16], u64>,
}

impl Anchor {
    /// Reads the anchor and compares it with the opening that the journal ends with.
    pub(crate) fn read(
        disk: Arc<dyn Disk>,
        path: PathBuf,
        key: &StoreKey,
        store_id: [u8; 16],
        prior: Option<Opening>,
    ) -> Result<Self, OpenError> {
        let sealer = key.sealer(Purpose::Anchor);
        let had_one = prior.is_some_and(|prior| prior.anchored);
        let fresh = Held {
            store_id,
            ..Held::default()
        };
        let (state, held) = match disk.read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && had_one => (AnchorState::Missing, fresh),
            Err(error) if error.kind() == io::ErrorKind::NotFound => (AnchorState::Fresh, fresh),
            Err(error) => return Err(OpenError::io(&path, error)),
            Ok(_) if !had_one => (AnchorState::Fresh, fresh),
            Ok(bytes) => match sealer.open(PLACE, &bytes).and_then(|plain| Held::decode(&plain)) {
                // Damaged, or put there for another store: it says nothing of this one.
                None => (AnchorState::Missing, fresh),
                Some(held) => (held.judge(store_id, prior), held),
            },
        };
        Ok(Self {
            disk,
            path,
            sealer,
            held,
            state,
        })
    }

    /// Announces the next open id. The journal takes it, and then [`Anchor::confirm`].
    pub(crate) fn announce(&mut self, prior: [u8; 16], next: [u8; 16]) -> Result<(), OpenError> {
        self.replace(Held {
            current: prior,
            next: Some(next),
            ..self.held.clone()
        })
    }

    /// Takes the announced open id as the current one.
    pub(crate) fn confirm(&mut self, current: [u8; 16]) -> Result<(), OpenError> {
        self.replace(Held {
            current,
            next: None,
            ..self.held.clone()
        })
    }

    /// Raises the lease of a replica, durably. A lease never falls.
    pub(crate) fn lease(&mut self, replica: [u8; 16], counter: u64) -> Result<(), OpenError> {
        if self.leased(replica).is_some_and(|leased| leased >= counter) || is_planted(Bug::LeaseNotRaised) {
            return Ok(());
        }
        let mut held = self.held.clone();
        held.leases.insert(replica, counter);
        self.replace(held)
    }

    /// How far the counters of a replica have been leased.
    pub(crate) fn leased(&self, replica: [u8; 16]) -> Option<u64> {
        self.held.leases.get(&replica).copied()
    }

    fn replace(&mut self, held: Held) -> Result<(), OpenError> {
        let sealed = self
            .sealer
            .seal(PLACE, &held.encode())
            .map_err(|_| OpenError::Random)?;
        write_atomic(self.disk.as_ref(), &self.path, &sealed)
            .map_err(|error| OpenError::io(&self.path, error))?;
        self.held = held;
        Ok(())
    }
}

impl Held {
    fn judge(&self, store_id: [u8; 16], prior: Option<Opening>) -> AnchorState {
        let Some(prior) = prior else {
            return AnchorState::Fresh;
        };
        if self.store_id != store_id {
            return AnchorState::Mismatch {
                why: "the anchor is that of another store",
            };
        }
        if self.current == prior.id || self.next == Some(prior.id) || is_planted(Bug::AnchorNotCompared) {
            return AnchorState::Matches;
        }
        AnchorState::Mismatch {
            why: "the store is not the one that was opened last: an older copy, or one of two",
        }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.raw(&self.store_id)
            .raw(&self.current)
            .u8(u8::from(self.next.is_some()));
        out.raw(&self.next.unwrap_or_default())
            .u32(self.leases.len() as u32);
        for (replica, counter) in &self.leases {
            out.raw(replica).u64(*counter);
        }
        out.finish()
    }

    pub(crate) fn decode(plain: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(plain);
        let (store_id, current) = (reader.array()?, reader.array()?);
        let has_next = reader.u8()? != 0;
        let next = reader.array()?;
        let mut leases = BTreeMap::new();
        for _ in 0..reader.u32()? {
            leases.insert(reader.array()?, reader.u64()?);
        }
        reader.end()?;
        Some(Self {
            store_id,
            current,
            next: has_next.then_some(next),
            leases,
        })
    }
}
