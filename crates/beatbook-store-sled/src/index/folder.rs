//! The folders of indexes: made whole aside, named only when durable, set aside and never deleted when damaged.

use std::path::{Path, PathBuf};

use beatbook_core::store::StoreError;

use crate::aside::set_aside;
use crate::disk::Disk;
use crate::error::OpenError;
use crate::index::{Index, Seals};
use crate::store::Options;

/// Path of the index folder with a number.
pub(crate) fn index_path(dir: &Path, number: u32) -> PathBuf {
    dir.join(format!("index-{number:04}"))
}

/// The index folders of one store.
#[derive(Clone, Copy)]
pub(crate) struct Shelf<'a> {
    /// Folder of the store.
    pub(crate) dir: &'a Path,
    pub(crate) options: &'a Options,
    pub(crate) seals: &'a Seals,
}

impl Shelf<'_> {
    /// Opens the index with a number.
    pub(crate) fn open(&self, number: u32) -> Result<Index, OpenError> {
        self.open_at(&index_path(self.dir, number))
    }

    /// Makes an index in a folder aside, fills it, makes it durable, and gives it its name.
    pub(crate) fn build_aside<T, E: From<OpenError>>(
        &self,
        number: u32,
        fill: impl FnOnce(&Index) -> Result<T, E>,
    ) -> Result<T, E> {
        let path = index_path(self.dir, number);
        let aside = path.with_extension("building");
        let io = |error| OpenError::io(&aside, error);
        let disk = self.disk();
        // What an earlier try left was never part of the store.
        if disk.exists(&aside) {
            disk.remove_dir_all(&aside).map_err(io)?;
        }
        let index = self.open_at(&aside)?;
        let filled = fill(&index).and_then(|filled| {
            index.flush().map_err(|error| in_open(&error))?;
            Ok(filled)
        })?;
        index.close()?;
        // A folder of this name was never named in the state, so it has never been the index.
        if disk.exists(&path) {
            disk.remove_dir_all(&path).map_err(io)?;
        }
        disk.rename(&aside, &path).map_err(io)?;
        disk.sync_dir(self.dir).map_err(io)?;
        Ok(filled)
    }

    /// Moves an index that cannot be used out of the way, and returns where it is.
    pub(crate) fn set_aside(&self, number: u32) -> Result<PathBuf, OpenError> {
        set_aside(self.disk(), self.dir, &index_path(self.dir, number))
    }

    /// Removes the folders that a kill left between making an index and naming it in the state. The damaged ones
    /// are elsewhere, set aside.
    pub(crate) fn clear_leftovers(&self, number: u32) -> Result<(), OpenError> {
        let named = index_path(self.dir, number);
        let io = |error| OpenError::io(self.dir, error);
        for name in self.disk().list(self.dir).map_err(io)? {
            let path = self.dir.join(&name);
            if name.starts_with("index-") && path != named {
                self.disk().remove_dir_all(&path).map_err(io)?;
            }
        }
        Ok(())
    }

    fn open_at(&self, path: &Path) -> Result<Index, OpenError> {
        let options = self.options;
        Ok(Index {
            rows: options.engine.open(&options.disk, path, options.cache_bytes)?,
            seals: self.seals.clone(),
        })
    }

    fn disk(&self) -> &dyn Disk {
        self.options.disk.as_ref()
    }
}

fn in_open(error: &StoreError) -> OpenError {
    match error {
        StoreError::DiskFull => OpenError::DiskFull,
        other => OpenError::Index {
            reason: other.to_string(),
        },
    }
}
