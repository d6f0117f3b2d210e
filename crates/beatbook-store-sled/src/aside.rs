//! Moving what is damaged out of the way: into the folder `aside`, from which the store deletes nothing.

use std::path::{Path, PathBuf};

use crate::disk::Disk;
use crate::error::OpenError;

/// Name of the folder in a store that holds what was damaged.
pub(crate) const ASIDE: &str = "aside";

/// Moves a file or a folder of the store in `dir` out of the way, durably, and returns where it is.
pub(crate) fn set_aside(disk: &dyn Disk, dir: &Path, damaged: &Path) -> Result<PathBuf, OpenError> {
    let io = |error| OpenError::io(damaged, error);
    let name = damaged
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let holder = dir.join(ASIDE);
    disk.create_dir(&holder).map_err(io)?;
    let mut try_number = 0_u32;
    let target = loop {
        let target = holder.join(format!("{name}.{try_number}"));
        if !disk.exists(&target) {
            break target;
        }
        try_number += 1;
    };
    disk.rename(damaged, &target).map_err(io)?;
    for folder in [holder.as_path(), damaged.parent().unwrap_or(dir), dir] {
        disk.sync_dir(folder).map_err(io)?;
    }
    Ok(target)
}
