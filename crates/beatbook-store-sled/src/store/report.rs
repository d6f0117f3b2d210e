//! What a store tells of itself: what opening found, what checking found, and how large it is.

use std::path::PathBuf;

use crate::anchor::AnchorState;
use crate::error::OpenError;
use crate::index::index_path;
use crate::journal::Source;
use crate::store::repair::Mended;
use crate::store::shared::{Shared, closed};

/// What opening a store found and did.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OpenReport {
    /// What the anchor outside the store said.
    pub anchor: AnchorState,
    /// Bytes of a write that a kill had torn, never acknowledged, and cut off.
    pub cut_bytes: u64,
    /// Commits that the journal had and the index had not been made durable with.
    pub replayed: u64,
    /// Set where the index was lost and made anew.
    pub rebuilt: Option<Rebuilt>,
    /// Small files that were damaged and have been mended.
    pub mended: Vec<Mended>,
    /// A repair lost something that nobody has dealt with: it stays set until the anchor is adopted. On a device its
    /// anchor does not match for as long; a server begins a new epoch.
    pub lost: bool,
    /// Sequence of the last journal frame.
    pub sequence: u64,
}

/// An index that was made anew from the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rebuilt {
    /// What was wrong with the old one.
    pub why: String,
    /// Where the old one is, if there was one.
    pub set_aside: Option<PathBuf>,
    /// The journal held nothing up to this sequence: fetch again what came before.
    pub lost_before: Option<u64>,
}

/// What checking a whole store found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct VerifyReport {
    /// Values whose seal opened.
    pub values: u64,
    /// Journal frames whose seal opened and whose chain held.
    pub frames: u64,
    /// Sequence up to which the store was checked.
    pub sequence: u64,
}

/// How large a store is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Size {
    /// Bytes of the journal on disk.
    pub journal_bytes: u64,
    /// Bytes of the index on disk.
    pub index_bytes: u64,
    /// Bytes of keys and sealed values that are read.
    pub live_bytes: u64,
    /// Rows of all tables.
    pub rows: u64,
}

pub(super) fn size(shared: &Shared) -> Size {
    let totals = shared.live.read().totals;
    Size {
        journal_bytes: shared.disk.disk_bytes(&shared.journal_dir),
        index_bytes: shared
            .disk
            .disk_bytes(&index_path(&shared.dir, shared.state.lock().index)),
        live_bytes: totals.live_bytes(),
        rows: totals.rows(),
    }
}

pub(super) fn verify(shared: &Shared) -> Result<VerifyReport, OpenError> {
    let in_index = |error: beatbook_core::store::StoreError| OpenError::Index {
        reason: error.to_string(),
    };
    shared.check().map_err(in_index)?;
    let live = shared.live.read();
    let index = live.index.as_ref().ok_or_else(|| in_index(closed()))?;
    let path = index_path(&shared.dir, shared.state.lock().index);
    let damaged = |what| OpenError::damaged(&path, 0, what);
    if index
        .count()
        .map_err(in_index)?
        .difference(&live.totals)
        .is_some()
    {
        return Err(damaged("rows are missing or changed"));
    }
    let values = index.open_all().map_err(|_| damaged("a value does not open"))?;
    let state = shared.state.lock().clone();
    let dir = &shared.journal_dir;
    let source = Source {
        disk: shared.disk.as_ref(),
        dir,
        keys: &shared.journal_keys,
    };
    let mut frames = 0;
    source.each(&state, (state.base_sequence, live.sequence), &mut |_, _| {
        frames += 1;
        Ok(())
    })?;
    Ok(VerifyReport {
        values,
        frames,
        sequence: live.sequence,
    })
}
