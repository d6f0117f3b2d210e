//! Repairing a store that is damaged at rest: from the copy that is still whole, and saying which that was.
//!
//! The index is a copy of the journal and the journal of the index; the vault is kept twice; the other small files
//! follow from these. Nothing that is damaged is deleted: it is set aside. What no copy in the folder holds is told
//! as [`Lost`], and the store says so at every open until the core has dealt with it.

mod salvage;
mod small;

use std::io::Read;
use std::path::{Path, PathBuf};

use crate::error::{OpenError, RepairError};
use crate::store::opening::lock;
use crate::store::repair::salvage::Salvage;
use crate::store::{OpenReport, Options, Solo, Store};
use crate::vault::Unlock;

/// Where the content of something that was mended came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum RepairSource {
    /// A backup of the store, with what the journal held after it.
    Backup,
    /// A second copy of the same file.
    Copy,
    /// The index, checked against its own totals.
    Index,
    /// The journal.
    Journal,
}

impl RepairSource {
    /// The word for reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Backup => "backup",
            Self::Copy => "copy",
            Self::Index => "index",
            Self::Journal => "journal",
        }
    }
}

/// Something that was damaged and has been mended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mended {
    /// The file or folder.
    pub file: PathBuf,
    /// What was wrong with it.
    pub what: String,
    /// Where its content was taken from.
    pub source: RepairSource,
    /// Where the damaged one is, if it was kept.
    pub set_aside: Option<PathBuf>,
}

impl Mended {
    pub(crate) fn new(file: &Path, what: impl Into<String>, source: RepairSource) -> Self {
        Self {
            file: file.to_path_buf(),
            what: what.into(),
            source,
            set_aside: None,
        }
    }
}

/// Journal frames that no copy in the folder holds, or of which it cannot be proved that the index took them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lost {
    /// Everything up to this sequence is there.
    pub after: u64,
    /// The last sequence that is known to have been written and is in doubt. One more than `after` also where the end of
    /// the journal is gone and nothing says how long it was.
    pub upto: u64,
}

/// What a repair found and did.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RepairReport {
    /// What was mended; empty where nothing was damaged.
    pub mended: Vec<Mended>,
    /// What could not be brought back from the folder: a device gets it from its server, a server from its devices.
    pub lost: Vec<Lost>,
    /// What the last open said, after the repair.
    pub opened: OpenReport,
    /// Values whose seals opened after the repair.
    pub values: u64,
    /// Journal frames that were checked after the repair.
    pub frames: u64,
}

impl Store {
    /// Repairs the closed store in `dir` and checks all of it; a store without damage is only checked.
    ///
    /// `backup` is read where neither the index nor the journal reaches back to the start. Where something was lost,
    /// [`OpenReport::lost`] is set at every open until the anchor is adopted.
    pub fn repair(
        dir: impl AsRef<Path>,
        unlock: &Unlock,
        options: &Options,
        backup: Option<&mut dyn Read>,
    ) -> Result<RepairReport, RepairError> {
        let dir = dir.as_ref();
        let options = Options {
            repair: false,
            ..options.clone()
        };
        let (mut mended, mut lost) = (Vec::new(), Vec::new());
        {
            let _held = lock(options.disk.as_ref(), dir)?;
            small::mend(dir, unlock, &options, &mut mended)?;
        }
        let checked = match check(dir, unlock, &options) {
            Err(error) if error.is_damage() || matches!(error, OpenError::Io { .. }) => {
                tracing::warn!(%error, "the store is damaged and is made whole from what is left");
                Salvage::take(dir, unlock, &options)?.run(&error, backup, &mut mended, &mut lost)?;
                check(dir, unlock, &options)?
            }
            checked => checked?,
        };
        mended.extend(checked.opened.mended.iter().cloned());
        if let Some(rebuilt) = &checked.opened.rebuilt {
            mended.push(Mended {
                set_aside: rebuilt.set_aside.clone(),
                ..Mended::new(&checked.index, rebuilt.why.clone(), RepairSource::Journal)
            });
        }
        Ok(RepairReport {
            mended,
            lost,
            opened: checked.opened,
            values: checked.values,
            frames: checked.frames,
        })
    }
}

/// A store that opened, held what it promises, and was closed.
struct Checked {
    opened: OpenReport,
    index: PathBuf,
    values: u64,
    frames: u64,
}

fn check(dir: &Path, unlock: &Unlock, options: &Options) -> Result<Checked, OpenError> {
    let named = small::index_named(dir, unlock, options)?;
    let (store, opened) = Solo::open(dir, unlock, options.clone())?;
    let verified = store.verify();
    let closed = store.close();
    let verified = verified?;
    closed.map_err(|error| super::opening::in_open(dir, &error))?;
    Ok(Checked {
        opened,
        index: crate::index::index_path(dir, named),
        values: verified.values,
        frames: verified.frames,
    })
}
