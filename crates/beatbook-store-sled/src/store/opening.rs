//! Making and opening a store: lock, format, key, journal, index, anchor, in this order.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use beatbook_core::planted::{Bug, is_planted};
use beatbook_core::store::StoreError;

use crate::anchor::{Anchor, AnchorState};
use crate::aside::set_aside;
use crate::disk::{Disk, DiskLock, LockError, sync_parent};
use crate::error::OpenError;
use crate::index::{Index, Seals, Shelf, index_path};
use crate::journal::frame::{Entry, Keys, Opening};
use crate::journal::{AppendError, Journal, Recovered, Source};
use crate::random::draw;
use crate::seal::StoreKey;
use crate::state::{State, check_format, journal_number, write_format};
use crate::store::Options;
use crate::store::committer::Committer;
use crate::store::repair::Mended;
use crate::store::report::{OpenReport, Rebuilt};
use crate::store::shared::{Live, Parts, Shared};
use crate::totals::Totals;
use crate::vault::{Unlock, Vault, beside, ensure_secret, mend_secret};

/// Makes a store aside and gives it its name, so that a kill leaves a whole store or none.
pub(super) fn create(dir: &Path, unlock: &Unlock, options: &Options) -> Result<(), OpenError> {
    let disk = options.disk.as_ref();
    let aside = prepare(disk, dir)?;
    let secret = options.secret_path(dir);
    if matches!(unlock, Unlock::Pin(_)) {
        ensure_secret(disk, options.random.as_ref(), &secret)?;
    }
    let key = StoreKey::draw(&options.random).map_err(|_| OpenError::Random)?;
    let store_id = draw(options.random.as_ref()).map_err(|_| OpenError::Random)?;
    let vault = Vault::wrap(&key, store_id, unlock, options.pin_cost, &secret, disk)?;
    let state = State {
        base_segment: 1,
        base_sequence: 0,
        index: 1,
        ..State::default()
    };
    lay_out(&aside, &vault, &key, &state, options)?;
    put_in_place(disk, &aside, dir)
}

/// Makes the folder aside, after checking that nothing is in the way.
pub(super) fn prepare(disk: &dyn Disk, dir: &Path) -> Result<PathBuf, OpenError> {
    let io = |error| OpenError::io(dir, error);
    match disk.list(dir) {
        Ok(names) if names.is_empty() => {}
        Ok(_) => {
            return Err(OpenError::AlreadyExists {
                path: dir.to_path_buf(),
            });
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(io(error)),
    }
    let aside = beside(dir, ".making");
    if disk.exists(&aside) {
        disk.remove_dir_all(&aside).map_err(io)?;
    }
    disk.create_dir(&aside).map_err(io)?;
    Ok(aside)
}

/// Writes the files of a store whose journal is empty.
pub(super) fn lay_out(
    aside: &Path,
    vault: &Vault,
    key: &StoreKey,
    state: &State,
    options: &Options,
) -> Result<(), OpenError> {
    let disk = options.disk.as_ref();
    vault.write(disk, aside)?;
    state.write(disk, aside, key)?;
    Journal::create(
        disk,
        &state.journal_dir(aside),
        state.base_segment,
        state.base_sequence,
    )?;
    write_format(disk, aside)
}

/// Renames a whole store to its name.
pub(super) fn put_in_place(disk: &dyn Disk, aside: &Path, dir: &Path) -> Result<(), OpenError> {
    let io = |error| OpenError::io(dir, error);
    disk.sync_dir(aside).map_err(io)?;
    // An empty folder in its place gives way.
    disk.rename(aside, dir).map_err(io)?;
    sync_parent(disk, dir).map_err(io)
}

/// Takes the lock of the store in `dir`.
pub(super) fn lock(disk: &dyn Disk, dir: &Path) -> Result<Box<dyn DiskLock>, OpenError> {
    let path = dir.join("lock");
    disk.lock(&path).map_err(|error| match error {
        LockError::Held { pid } => OpenError::Locked { pid },
        LockError::Io(error) => OpenError::io(&path, error),
    })
}

pub(super) fn open(
    dir: &Path,
    unlock: &Unlock,
    options: Options,
) -> Result<(Committer, OpenReport), OpenError> {
    let disk = options.disk.as_ref();
    check_format(disk, dir)?;
    let lock = lock(disk, dir)?;
    let (vault, mut mended) = Vault::read_and_mend(disk, dir)?;
    if matches!(unlock, Unlock::Pin(_)) {
        mended.extend(mend_secret(disk, &options.secret_path(dir))?);
    }
    let key = vault.open(unlock, &options.secret_path(dir), disk, &options.random)?;
    let state = State::read(disk, dir, &key)?;
    let keys = Keys::new(&key);
    let (journal, recovered) = Journal::open(
        Arc::clone(&options.disk),
        &state.journal_dir(dir),
        keys.clone(),
        &state,
        options.segment_bytes,
    )?;
    let seals = Seals::new(&key);
    let shelf = Shelf {
        dir,
        options: &options,
        seals: &seals,
    };
    let mut work = Work {
        shelf,
        keys: &keys,
        state,
    };
    let opened = work.index(&recovered, journal.sequence())?;
    let mut state = work.state;
    state.closed = None;
    // Before the first append: from here on a torn tail is possible.
    state.write(disk, dir, &key)?;
    shelf.clear_leftovers(state.index)?;
    clear_journals(disk, dir, state.journal)?;
    let mut anchor = read_anchor(dir, &options, &key, vault.store_id, recovered.opening)?;
    if let Some(anchor) = anchor.as_mut().filter(|_| state.lost) {
        anchor.state = AnchorState::Mismatch {
            why: "a repair of the store lost something",
        };
    }
    let live = Live {
        index: Some(opened.index),
        totals: opened.totals,
        sequence: 0,
    };
    let shared = Shared::new(Parts {
        dir: dir.to_path_buf(),
        options,
        key,
        live,
        anchor,
        state,
    });
    let committer = Committer {
        shared: Arc::new(shared),
        journal,
        opening: Opening::default(),
        checkpointed: 0,
        since_checkpoint: 0,
        released: 0,
        lock,
    };
    begin(committer, &recovered, opened.rebuilt, mended)
}

/// Sets journals aside that a kill in a repair left beside the one that the state names.
fn clear_journals(disk: &dyn Disk, dir: &Path, named: u32) -> Result<(), OpenError> {
    for name in disk.list(dir).map_err(|error| OpenError::io(dir, error))? {
        if journal_number(&name).is_some_and(|number| number != named) {
            set_aside(disk, dir, &dir.join(name))?;
        }
    }
    Ok(())
}

/// Reads the anchor of a store that has one.
fn read_anchor(
    dir: &Path,
    options: &Options,
    key: &StoreKey,
    store_id: [u8; 16],
    opening: Option<Opening>,
) -> Result<Option<Anchor>, OpenError> {
    options
        .anchor_path(dir)
        .map(|path| Anchor::read(Arc::clone(&options.disk), path, key, store_id, opening))
        .transpose()
}

/// Announces this opening and makes lasting what it had to mend.
fn begin(
    mut committer: Committer,
    recovered: &Recovered,
    rebuilt: Option<Rebuilt>,
    mended: Vec<Mended>,
) -> Result<(Committer, OpenReport), OpenError> {
    let anchor = announce(&mut committer, recovered.opening.unwrap_or_default())?;
    if rebuilt.is_some() || !recovered.replay.is_empty() {
        let dir = committer.shared.dir.clone();
        committer.checkpoint().map_err(|error| in_open(&dir, &error))?;
    }
    let sequence = committer.journal.sequence();
    committer.shared.live.write().sequence = sequence;
    let report = OpenReport {
        anchor,
        cut_bytes: recovered.cut_bytes,
        replayed: recovered.replay.len() as u64,
        rebuilt,
        mended,
        lost: committer.shared.state.lock().lost,
        sequence,
    };
    Ok((committer, report))
}

/// Writes a fresh open id to the anchor, to the journal, and confirms it in the anchor.
fn announce(committer: &mut Committer, prior: Opening) -> Result<AnchorState, OpenError> {
    let shared = Arc::clone(&committer.shared);
    let mut anchor = shared.anchor.lock();
    let id = draw(shared.key.random.as_ref()).map_err(|_| OpenError::Random)?;
    let trusted = anchor.as_mut().filter(|anchor| anchor.state.is_trusted());
    let opening = Opening {
        id,
        anchored: prior.anchored || trusted.is_some(),
    };
    if let Some(anchor) = trusted {
        anchor.announce(prior.id, id)?;
    }
    committer
        .journal
        .append(&[Entry::Open(opening)])
        .map_err(|error| match error {
            AppendError::Full => OpenError::DiskFull,
            AppendError::Unknown(reason) => OpenError::io(&shared.journal_dir, io::Error::other(reason)),
        })?;
    committer.opening = opening;
    match anchor.as_mut() {
        Some(anchor) if anchor.state.is_trusted() => anchor.confirm(id)?,
        _ => {}
    }
    Ok(anchor.as_ref().map_or(AnchorState::Unused, |anchor| anchor.state))
}

/// The index as opening leaves it.
struct Opened {
    index: Index,
    totals: Totals,
    rebuilt: Option<Rebuilt>,
}

/// What opening an index works with.
struct Work<'a> {
    shelf: Shelf<'a>,
    keys: &'a Keys,
    state: State,
}

impl Work<'_> {
    /// Opens the index and brings it up to the journal, or makes it anew.
    fn index(&mut self, recovered: &Recovered, end: u64) -> Result<Opened, OpenError> {
        let path = index_path(self.shelf.dir, self.state.index);
        if recovered.is_new && !self.disk().exists(&path) {
            self.shelf
                .build_aside(self.state.index, |_| Ok::<_, OpenError>(()))?;
        }
        let why = match self.try_index(&path, recovered, end) {
            Ok(index) => {
                return Ok(Opened {
                    index: self.trusted(index)?,
                    totals: recovered.totals,
                    rebuilt: None,
                });
            }
            Err(error) if is_passing(&error) || self.is_needed(&error) => return Err(error),
            Err(OpenError::Index { reason }) => reason,
            Err(error) => error.to_string(),
        };
        tracing::warn!(%why, "the index cannot be used and is made anew from the journal");
        self.rebuild(why, &path, recovered, end)
    }

    fn try_index(&self, path: &Path, recovered: &Recovered, end: u64) -> Result<Index, OpenError> {
        let lost = |reason: &str| OpenError::Index {
            reason: reason.into(),
        };
        if !self.disk().is_dir(path) {
            return Err(lost("the folder is missing"));
        }
        let index = self.shelf.open(self.state.index)?;
        if index.applied().map_err(|error| in_open(path, &error))? > end {
            // Not the index is at fault here: it proves that the journal once was longer.
            return Err(OpenError::damaged(
                &self.journal_dir(),
                0,
                "frames are missing at its end",
            ));
        }
        for (sequence, commit) in &recovered.replay {
            index
                .plan(&commit.salt, &commit.writes, &mut Totals::default())
                .and_then(|plan| index.apply(plan, *sequence))
                .map_err(|error| in_open(path, &error))?;
        }
        let totals = index.count().map_err(|error| in_open(path, &error))?;
        if totals.difference(&recovered.totals).is_some() && !is_planted(Bug::TotalsNotChecked) {
            return Err(lost("rows are missing or changed"));
        }
        Ok(index)
    }

    /// True where a failure of the system keeps back an index that the journal alone cannot replace.
    fn is_needed(&self, error: &OpenError) -> bool {
        let is_partial = self.state.base_sequence > 0 && !self.shelf.options.repair;
        is_partial && matches!(error, OpenError::Io { .. })
    }

    /// The index itself, or a copy of it where what is read of it may not be on the disk.
    fn trusted(&mut self, index: Index) -> Result<Index, OpenError> {
        if !index.is_doubtful() {
            return Ok(index);
        }
        tracing::warn!("a sync of the index failed before: it is written anew");
        let number = self.state.index + 1;
        self.shelf.build_aside(number, |new| {
            index
                .copy_to(new)
                .map_err(|error| in_open(self.shelf.dir, &error))
        })?;
        // Named with the rest of the opening; the old folder goes then.
        self.state.index = number;
        self.shelf.open(number)
    }

    fn rebuild(
        &mut self,
        why: String,
        old: &Path,
        recovered: &Recovered,
        end: u64,
    ) -> Result<Opened, OpenError> {
        let base = self.state.base_sequence;
        let reaches_back = base == 0 || self.source(&self.journal_dir()).begins_with_rows(&self.state);
        if !reaches_back && !self.shelf.options.repair {
            return Err(OpenError::NeedsRepair {
                index: old.to_path_buf(),
                why,
                lost_before: base,
            });
        }
        let (damaged, number) = (self.state.index, self.state.index + 1);
        let totals = self.build(number, base, end)?;
        if reaches_back && totals.difference(&recovered.totals).is_some() {
            return Err(OpenError::damaged(
                &self.journal_dir(),
                0,
                "an index made from it differs from what the journal says",
            ));
        }
        // Written with the rest of the opening. A kill before that comes here again and loses nothing.
        self.state.index = number;
        Ok(Opened {
            index: self.shelf.open(number)?,
            totals,
            rebuilt: Some(Rebuilt {
                why,
                set_aside: self
                    .disk()
                    .exists(old)
                    .then(|| self.shelf.set_aside(damaged))
                    .transpose()?,
                lost_before: (!reaches_back).then_some(base),
            }),
        })
    }

    fn build(&self, number: u32, base: u64, end: u64) -> Result<Totals, OpenError> {
        let journal = self.journal_dir();
        let source = self.source(&journal);
        self.shelf.build_aside(number, |index| {
            let mut totals = Totals::default();
            source.each(&self.state, (base, end), &mut |sequence, entry| {
                replay(index, sequence, entry, &mut totals).map_err(|error| in_open(self.shelf.dir, &error))
            })?;
            Ok(totals)
        })
    }

    fn journal_dir(&self) -> PathBuf {
        self.state.journal_dir(self.shelf.dir)
    }

    fn source<'b>(&'b self, journal: &'b Path) -> Source<'b> {
        Source {
            disk: self.disk(),
            dir: journal,
            keys: self.keys,
        }
    }

    fn disk(&self) -> &dyn Disk {
        self.shelf.options.disk.as_ref()
    }
}

/// Brings an index that holds everything before `sequence` past it, and moves `totals` with it.
pub(super) fn replay(
    index: &Index,
    sequence: u64,
    entry: Entry,
    totals: &mut Totals,
) -> Result<(), StoreError> {
    match entry {
        Entry::Commit(commit) => {
            let plan = index.plan(&commit.salt, &commit.writes, totals)?;
            index.apply(plan, sequence)
        }
        Entry::Rows(rows) => {
            index.count_in(&rows, totals);
            index.insert_rows(rows)
        }
        Entry::Checkpoint(..) | Entry::End | Entry::Footer | Entry::Open(_) => Ok(()),
    }
}

/// True where making the index anew would not help: try again when the cause is gone.
pub(super) fn is_passing(error: &OpenError) -> bool {
    match error {
        OpenError::DiskFull | OpenError::Damaged { .. } => true,
        OpenError::Io { source, .. } => matches!(
            source.kind(),
            io::ErrorKind::PermissionDenied | io::ErrorKind::OutOfMemory | io::ErrorKind::WouldBlock
        ),
        _ => false,
    }
}

pub(super) fn in_open(path: &Path, error: &StoreError) -> OpenError {
    match error {
        StoreError::DiskFull => OpenError::DiskFull,
        StoreError::Corrupt { .. } | StoreError::Latched { .. } => OpenError::Index {
            reason: error.to_string(),
        },
        other => OpenError::io(path, io::Error::other(other.to_string())),
    }
}
