//! Copies of the index while the store is open: compaction into another folder.

use beatbook_core::store::StoreError;

use crate::error::OpenError;
use crate::index::{self, build_aside, index_path};
use crate::state::State;
use crate::store::opening::in_open;
use crate::store::shared::{Shared, closed};

/// What a backup holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BackupReport {
    /// The backup holds everything up to this sequence: what [`crate::Store::release`] may be given.
    pub sequence: u64,
    /// Rows in it.
    pub rows: u64,
    /// Its length.
    pub bytes: u64,
}

/// Copies the rows of the index into a new folder and switches to it. Runs on the committer's thread.
pub(super) fn compact(shared: &Shared) -> Result<(), StoreError> {
    let old_number = shared.state.lock().index;
    let number = old_number + 1;
    let cache_bytes = shared.options.cache_bytes;
    let copied = {
        let live = shared.live.read();
        let old = live.index.as_ref().ok_or_else(closed)?;
        build_aside(&shared.dir, number, &shared.seals, cache_bytes, |new| {
            old.copy_to(new).map_err(|error| in_open(&shared.dir, &error))?;
            let same = new
                .count()
                .map_err(|error| in_open(&shared.dir, &error))?
                .difference(&live.totals);
            match same {
                None => Ok(()),
                Some(_) => Err(OpenError::Index {
                    reason: "the copy differs from what it was made of".into(),
                }),
            }
        })
    };
    copied.map_err(|error| error.in_store())?;
    let path = index_path(&shared.dir, number);
    let new = index::open(&path, shared.seals.clone(), cache_bytes).map_err(|error| error.in_store())?;
    {
        let mut state = shared.state.lock();
        let later = State {
            index: number,
            ..state.clone()
        };
        later
            .write(shared.disk.as_ref(), &shared.dir, &shared.key)
            .map_err(|error| error.in_store())?;
        *state = later;
    }
    let old = shared.live.write().index.replace(new);
    drop(old);
    // The copy is whole, checked and durable, and the state names it.
    std::fs::remove_dir_all(index_path(&shared.dir, old_number))
        .map_err(|error| crate::error::io_error(&error))
}
