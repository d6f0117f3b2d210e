//! Repairing a data folder whose store rotted at rest.

use std::io::Read;
use std::path::{Path, PathBuf};

use beatbook_core::server;
use beatbook_core::store::StoreError;
use beatbook_store_sled::{RepairError, Store, Unlock};
use serde::Serialize;

use crate::admin::backup::{RestoreFailed, open_store_copy};
use crate::keys::{Keys, KeysError};
use crate::store::{self, OpenError, ServerStore};

/// What a repair found and did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RepairSummary {
    /// What was damaged and has been mended.
    pub mended: Vec<MendedFile>,
    /// What no copy on this machine holds: devices are asked for it again.
    pub lost: Vec<LostFrames>,
    /// The new life of the log, where something was lost.
    pub epoch: Option<String>,
    /// Values whose seals opened after the repair.
    pub values: u64,
    /// Journal frames that were checked after the repair.
    pub frames: u64,
}

/// A file that was mended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct MendedFile {
    /// The file or folder.
    pub file: PathBuf,
    /// What was wrong with it.
    pub what: String,
    /// Where its content came from: `journal`, `index`, `copy` or `backup`.
    pub source: &'static str,
    /// Where the damaged one is kept.
    pub set_aside: Option<PathBuf>,
}

/// Journal frames that are lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LostFrames {
    /// Everything up to this frame is there.
    pub after: u64,
    /// The last frame that is in doubt.
    pub upto: u64,
    /// Who is asked for what was in them.
    pub source: &'static str,
}

/// Repairs the store of a data folder that no server serves, and checks all of it.
///
/// A backup of this force is needed where the index is lost and the journal was shortened after a backup. Where
/// something is lost all the same, a new epoch begins, and devices send again what they hold.
pub fn repair(data: &Path, backup: Option<&Path>) -> Result<RepairSummary, RepairFailed> {
    let keys = Keys::read(&data.join(store::KEYS))?;
    let unlock = Unlock::Keystore(keys.store.clone());
    let mut copy = backup
        .map(|file| open_store_copy(file, &keys.recovery))
        .transpose()?;
    let copy = copy.as_mut().map(|copy| copy as &mut dyn Read);
    let report = Store::repair(
        ServerStore::store_dir(data),
        &unlock,
        &store::store_options(),
        copy,
    )?;
    let mended = report.mended.into_iter().map(|mended| MendedFile {
        file: mended.file,
        what: mended.what,
        source: mended.source.as_str(),
        set_aside: mended.set_aside,
    });
    let lost = report.lost.iter().map(|lost| LostFrames {
        after: lost.after,
        upto: lost.upto,
        source: "devices",
    });
    // Opening begins the new epoch, here or at the next try.
    let opened = ServerStore::open(data)?;
    let epochs = opened.read(|read| server::epochs(read))?;
    opened.close()?;
    Ok(RepairSummary {
        mended: mended.collect(),
        lost: lost.collect(),
        epoch: epochs
            .filter(|_| report.opened.lost)
            .map(|epochs| epochs.current.to_string()),
        values: report.values,
        frames: report.frames,
    })
}

/// Why a data folder was not repaired. What is damaged lies where it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RepairFailed {
    /// The backup cannot be used.
    #[error(transparent)]
    Backup(#[from] RestoreFailed),
    /// The keys cannot be read.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// What was repaired does not open.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// No copy that is whole was found.
    #[error(transparent)]
    Repair(#[from] RepairError),
    /// The repaired store does not read or close.
    #[error(transparent)]
    Store(#[from] StoreError),
}
