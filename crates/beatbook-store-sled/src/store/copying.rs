//! Copies of a store that is open: backups and their restoring, and compaction into another folder.
//!
//! A backup does not stop commits. It copies the rows in small reads, then the journal's commits since it began:
//! replaying those over the rows gives exactly the state at its end, and the totals prove it.

use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;

use beatbook_core::store::StoreError;

use crate::backup::{BackupReader, BackupWriter, Chunk, Ending};
use crate::error::{BackupError, OpenError, RestoreError};
use crate::index::{Index, Proof, Seals, Shelf, index_path};
use crate::journal::frame::{Entry, Keys, Opening};
use crate::journal::{Journal, Source};
use crate::random::draw;
use crate::seal::{Purpose, StoreKey};
use crate::state::State;
use crate::store::opening::{in_open, lay_out, prepare, put_in_place};
use crate::store::shared::Shared;
use crate::store::{Options, Store};
use crate::totals::Totals;
use crate::vault::{Unlock, Vault};

/// Rows that are copied while commits wait.
const ROWS_AT_ONCE: usize = 256;

/// What a backup holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BackupReport {
    /// The backup holds everything up to this sequence: what [`Store::release`] may be given once it is safe.
    pub sequence: u64,
    /// Rows that were copied.
    pub rows: u64,
    /// Its length.
    pub bytes: u64,
}

/// How far a backup has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BackupProgress {
    /// Rows copied so far.
    pub rows: u64,
    /// Rows that the store had when the backup began.
    pub rows_total: u64,
}

/// What was restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RestoreReport {
    /// The store is what it was at this sequence.
    pub sequence: u64,
    /// Rows in it.
    pub rows: u64,
}

impl Store {
    /// Writes a sealed, self-checking copy of all tables to `out` while commits go on.
    ///
    /// It opens with the PIN or key of this store and, for a PIN, the device's secret. The caller makes `out`
    /// durable before relying on it.
    pub fn backup(
        &self,
        out: &mut dyn Write,
        progress: &mut dyn FnMut(BackupProgress),
    ) -> Result<BackupReport, BackupError> {
        backup(self.shared(), out, progress)
    }

    /// Makes the store of a backup in `dir`, which must be empty or not exist. It is not opened.
    ///
    /// Everything is read, opened and checked before the store is put in place. Its anchor will not match: it is
    /// an older copy.
    pub fn restore(
        source: &mut dyn Read,
        dir: impl AsRef<Path>,
        unlock: &Unlock,
        options: &Options,
    ) -> Result<RestoreReport, RestoreError> {
        let (dir, disk) = (dir.as_ref(), options.disk.as_ref());
        let aside = prepare(disk, dir)?;
        let restored = restore_aside(source, (dir, &aside), unlock, options)
            .and_then(|report| Ok(put_in_place(disk, &aside, dir).map(|()| report)?));
        if restored.is_err() {
            // What could not be restored is of no use; the next try removes what this leaves.
            let _ = disk.remove_dir_all(&aside);
        }
        restored
    }
}

/// Writes a backup of an open store; see [`Store::backup`].
pub(super) fn backup(
    shared: &Shared,
    out: &mut dyn Write,
    progress: &mut dyn FnMut(BackupProgress),
) -> Result<BackupReport, BackupError> {
    shared.check()?;
    let vault = {
        let _alone = shared.vault.lock();
        Vault::read(shared.disk.as_ref(), &shared.dir).map_err(|error| error.in_store())?
    };
    let id = draw(shared.key.random.as_ref()).map_err(|_| crate::error::no_random())?;
    let hold = Hold::take(shared);
    let mut writer = BackupWriter::start(out, &shared.key, &vault, id)?;
    writer.chunk(&Chunk::Start(hold.after))?;
    let rows = copy_rows(shared, &mut writer, progress)?;
    let ending = copy_commits(shared, &mut writer, hold.after)?;
    writer.chunk(&Chunk::End(Box::new(ending)))?;
    Ok(BackupReport {
        sequence: ending.sequence,
        rows,
        bytes: writer.finish()?,
    })
}

/// Keeps the journal's frames after a sequence for as long as it lives.
struct Hold<'a> {
    shared: &'a Shared,
    after: u64,
}

impl<'a> Hold<'a> {
    fn take(shared: &'a Shared) -> Self {
        let mut holds = shared.holds.lock();
        let after = shared.live.read().sequence;
        holds.push(after);
        Self { shared, after }
    }
}

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        let mut holds = self.shared.holds.lock();
        if let Some(at) = holds.iter().position(|after| *after == self.after) {
            holds.swap_remove(at);
        }
    }
}

fn copy_rows(
    shared: &Shared,
    writer: &mut BackupWriter<'_>,
    progress: &mut dyn FnMut(BackupProgress),
) -> Result<u64, BackupError> {
    let rows_total = shared.live.read().totals.rows();
    let (mut after, mut copied) = (None::<Vec<u8>>, 0);
    loop {
        let rows = {
            let live = shared.live.read();
            shared.check()?;
            live.index
                .as_ref()
                .ok_or(StoreError::DiskFull)?
                .rows_after(after.as_deref(), ROWS_AT_ONCE)?
        };
        let Some((last, _)) = rows.last() else {
            return Ok(copied);
        };
        after = Some(last.clone());
        copied += rows.len() as u64;
        writer.chunk(&Chunk::Rows(rows))?;
        progress(BackupProgress {
            rows: copied,
            rows_total,
        });
    }
}

/// Copies the commits after `after`, and says where that ends.
fn copy_commits(shared: &Shared, writer: &mut BackupWriter<'_>, after: u64) -> Result<Ending, BackupError> {
    let (sequence, totals) = {
        let live = shared.live.read();
        (live.sequence, live.totals)
    };
    // Segments are removed only under this lock.
    let state = shared.state.lock();
    let dir = &shared.journal_dir;
    let source = Source {
        disk: shared.disk.as_ref(),
        dir,
        keys: &shared.journal_keys,
    };
    let mut failed = None;
    let walked = source.each(&state, (after, sequence), &mut |sequence, entry| {
        if let Entry::Commit(commit) = entry
            && failed.is_none()
        {
            failed = writer.chunk(&Chunk::Commit(sequence, commit)).err();
        }
        Ok(())
    });
    walked.map_err(|error| error.in_store())?;
    match failed {
        Some(error) => Err(error),
        None => Ok(Ending {
            sequence,
            anchored: shared.anchor.lock().is_some(),
            totals,
        }),
    }
}

fn restore_aside(
    source: &mut dyn Read,
    (dir, aside): (&Path, &Path),
    unlock: &Unlock,
    options: &Options,
) -> Result<RestoreReport, RestoreError> {
    let mut reader = BackupReader::start(source)?;
    let vault = reader.vault.clone();
    let key = vault.open(
        unlock,
        &options.secret_path(dir),
        options.disk.as_ref(),
        &options.random,
    )?;
    let shelf = Shelf {
        dir: aside,
        options,
        seals: &Seals::new(&key),
    };
    // A new open id: this store is not the one that its anchor means.
    let id = draw(options.random.as_ref()).map_err(|_| OpenError::Random)?;
    let (ending, opening) = shelf.build_aside(1, |index| {
        let ending = fill(index, &mut reader, &key)?;
        let opening = Opening {
            id,
            anchored: ending.anchored,
        };
        index.prove(&Proof {
            sequence: ending.sequence,
            applied: index.applied()?,
            opening,
            totals: ending.totals,
        })?;
        Ok::<_, RestoreError>((ending, opening))
    })?;
    let state = State {
        base_segment: 1,
        base_sequence: ending.sequence,
        index: 1,
        ..State::default()
    };
    lay_out(aside, &vault, &key, &state, options)?;
    let (mut journal, _) = Journal::open(
        Arc::clone(&options.disk),
        &state.journal_dir(aside),
        Keys::new(&key),
        &state,
        options.segment_bytes,
    )?;
    journal
        .append(&[Entry::Checkpoint(opening, Box::new(ending.totals))])
        .map_err(|_| OpenError::DiskFull)?;
    Ok(RestoreReport {
        sequence: ending.sequence,
        rows: ending.totals.rows(),
    })
}

/// Fills an empty index from a backup and checks that the result is what the backup says.
pub(super) fn fill(
    index: &Index,
    reader: &mut BackupReader<'_>,
    key: &StoreKey,
) -> Result<Ending, RestoreError> {
    let sealer = key.sealer(Purpose::Backup);
    let Chunk::Start(mut last) = reader.chunk(&sealer)? else {
        return Err(reader.damaged("it does not begin with its start"));
    };
    loop {
        match reader.chunk(&sealer)? {
            Chunk::Start(_) => return Err(reader.damaged("it begins twice")),
            Chunk::Rows(rows) => index.insert_rows(rows)?,
            Chunk::Commit(sequence, commit) => {
                let plan = index.plan(&commit.salt, &commit.writes, &mut Totals::default())?;
                index.apply(plan, sequence)?;
                last = sequence;
            }
            Chunk::End(ending) => {
                if last > ending.sequence || index.count()?.difference(&ending.totals).is_some() {
                    return Err(reader.damaged("its rows are not those that its end names"));
                }
                return Ok(*ending);
            }
        }
    }
}

/// Copies the rows of the index into a new folder and switches to it. Runs on the committer's thread.
pub(super) fn compact(shared: &Shared) -> Result<(), StoreError> {
    let old_number = shared.state.lock().index;
    let number = old_number + 1;
    let shelf = Shelf {
        dir: &shared.dir,
        options: &shared.options,
        seals: &shared.seals,
    };
    let copied: Result<(), OpenError> = {
        let live = shared.live.read();
        let old = live.index.as_ref().ok_or(StoreError::DiskFull)?;
        shelf.build_aside(number, |new| {
            old.copy_to(new).map_err(|error| in_open(&shared.dir, &error))?;
            let count = new.count().map_err(|error| in_open(&shared.dir, &error))?;
            if count.difference(&live.totals).is_some() {
                return Err(OpenError::Index {
                    reason: "the copy differs from what it was made of".into(),
                });
            }
            Ok(())
        })
    };
    copied.map_err(|error| error.in_store())?;
    let new = shelf.open(number).map_err(|error| error.in_store())?;
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
    shared
        .disk
        .remove_dir_all(&index_path(&shared.dir, old_number))
        .map_err(|error| crate::error::io_error(&error))
}
