//! An index that ran out of room: let go, opened again and brought up to the journal, without closing the store.
//!
//! An engine that met a full disk may take nothing more until it is opened anew. The journal has every commit, so
//! nothing is lost meanwhile: reads and commits are told that the disk is full, and each commit tries again.

use std::sync::Arc;

use beatbook_core::store::StoreError;

use crate::error::OpenError;
use crate::index::{Index, Shelf};
use crate::journal::Source;
use crate::journal::frame::Entry;
use crate::store::committer::Committer;
use crate::store::opening::in_open;
use crate::store::shared::latched;
use crate::totals::Totals;

impl Committer {
    /// Lets go of an index that takes nothing more for want of room.
    pub(crate) fn give_up_index(&mut self) {
        let index = self.shared.live.write().index.take();
        drop(index);
    }

    /// Opens the index again where it was let go; says [`StoreError::DiskFull`] where there is no room yet.
    pub(crate) fn heal(&mut self) -> Result<(), StoreError> {
        self.shared.check()?;
        if !self.shared.waits_for_room() {
            return Ok(());
        }
        self.give_up_index();
        match self.reopened() {
            Ok(index) => {
                self.shared.live.write().index = Some(index);
                tracing::info!("the index was opened again: there is room");
                Ok(())
            }
            Err(OpenError::DiskFull) => Err(StoreError::DiskFull),
            Err(error) => Err(self.shared.latch(latched(format!(
                "the index could not be opened again after the disk was full: {error}"
            )))),
        }
    }

    /// The index as it is on disk, with every commit since the last checkpoint.
    fn reopened(&self) -> Result<Index, OpenError> {
        let shared = Arc::clone(&self.shared);
        let state = shared.state.lock().clone();
        let shelf = Shelf {
            dir: &shared.dir,
            options: &shared.options,
            seals: &shared.seals,
        };
        let index = shelf.open(state.index)?;
        let journal = shared.journal_dir.clone();
        let source = Source {
            disk: shared.disk.as_ref(),
            dir: &journal,
            keys: &shared.journal_keys,
        };
        let after = self.checkpointed.max(state.base_sequence);
        source.each(
            &state,
            (after, self.journal.sequence()),
            &mut |sequence, entry| {
                let Entry::Commit(commit) = entry else {
                    return Ok(());
                };
                index
                    .plan(&commit.salt, &commit.writes, &mut Totals::default())
                    .and_then(|plan| index.apply(plan, sequence))
                    .map_err(|error| in_open(&shared.dir, &error))
            },
        )?;
        let totals = index.count().map_err(|error| in_open(&shared.dir, &error))?;
        if totals.difference(&shared.live.read().totals).is_some() {
            return Err(OpenError::Index {
                reason: "rows are missing or changed".into(),
            });
        }
        Ok(index)
    }
}
