//! The small files: the format, the vault and the state.

use std::path::Path;

use crate::disk::Disk;
use crate::error::OpenError;
use crate::journal::frame::{Entry, Keys};
use crate::journal::segment::{HEADER_BYTES, Header, Walk};
use crate::journal::segment_path;
use crate::seal::StoreKey;
use crate::state::{State, check_format, format_path, journal_dir, journal_number, state_path, write_format};
use crate::store::repair::{Mended, RepairSource};
use crate::store::{Options, Unlock};
use crate::vault::{Vault, mend_secret};

/// Makes the small files whole again, where the rest of the store says what belongs in them.
pub(super) fn mend(
    dir: &Path,
    unlock: &Unlock,
    options: &Options,
    mended: &mut Vec<Mended>,
) -> Result<(), OpenError> {
    let disk = options.disk.as_ref();
    let format = match check_format(disk, dir) {
        Err(OpenError::Damaged { what, .. }) => Some(what),
        checked => checked.map(|()| None)?,
    };
    let (vault, copies) = Vault::read_and_mend(disk, dir)?;
    mended.extend(copies);
    if matches!(unlock, Unlock::Pin(_)) {
        mended.extend(mend_secret(disk, &options.secret_path(dir))?);
    }
    let key = vault.open(unlock, &options.secret_path(dir), disk, &options.random)?;
    match State::read(disk, dir, &key) {
        Ok(_) => {}
        Err(OpenError::Damaged { what, .. }) => {
            let state = derive(disk, dir, &key)?;
            state.write(disk, dir, &key)?;
            mended.push(Mended::new(&state_path(dir), what, RepairSource::Journal));
        }
        Err(error) => return Err(error),
    }
    if let Some(what) = format {
        // The vault and the journal are of this release: they have been read.
        write_format(disk, dir)?;
        mended.push(Mended::new(&format_path(dir), what, RepairSource::Journal));
    }
    Ok(())
}

/// The number of the index that the state names.
pub(super) fn index_named(dir: &Path, unlock: &Unlock, options: &Options) -> Result<u32, OpenError> {
    Ok(key_and_state(dir, unlock, options)?.2.index)
}

pub(super) fn key_and_state(
    dir: &Path,
    unlock: &Unlock,
    options: &Options,
) -> Result<(Vault, StoreKey, State), OpenError> {
    let disk = options.disk.as_ref();
    let vault = Vault::read(disk, dir)?;
    let key = vault.open(unlock, &options.secret_path(dir), disk, &options.random)?;
    let state = State::read(disk, dir, &key)?;
    Ok((vault, key, state))
}

/// What the folders say that the state was.
fn derive(disk: &dyn Disk, dir: &Path, key: &StoreKey) -> Result<State, OpenError> {
    let io = |error| OpenError::io(dir, error);
    let names = disk.list(dir).map_err(io)?;
    let journals = names.iter().filter_map(|name| journal_number(name));
    let journal = journals.max().unwrap_or(0);
    let indexes = names
        .iter()
        .filter_map(|name| name.strip_prefix("index-")?.parse::<u32>().ok());
    let index = indexes.max().unwrap_or(1);
    let folder = journal_dir(dir, journal);
    let segments = disk.list(&folder).unwrap_or_default();
    let mut numbers: Vec<u32> = segments
        .iter()
        .filter_map(|name| name.strip_suffix(".seg")?.parse().ok())
        .collect();
    numbers.sort_unstable();
    let base_segment = numbers.first().copied().unwrap_or(1);
    let head = disk.read_head(&segment_path(&folder, base_segment), HEADER_BYTES);
    let base = head.ok().and_then(|bytes| Header::decode(&bytes).ok());
    let mut state = State {
        base_segment,
        base_sequence: base.map_or(0, |header| header.after),
        index,
        journal,
        // Without an end frame it cannot be told whether the journal was once longer.
        lost: true,
        // What no index has applied: where no commit is found, none may pass for the last one of a store that was closed.
        applied: u64::MAX,
        ..State::default()
    };
    let last = numbers
        .last()
        .and_then(|number| disk.read(&segment_path(&folder, *number)).ok());
    let walk = last.and_then(|bytes| Walk::over(&bytes, &Keys::new(key), u64::MAX).ok());
    let commits = walk.iter().flat_map(|walk| &walk.entries);
    let mut commits = commits.filter(|(_, entry)| matches!(entry, Entry::Commit(_)));
    if let Some((sequence, _)) = commits.next_back() {
        state.applied = *sequence;
    }
    if let Some(walk) = walk
        && walk.fault.is_none()
        && let Some((sequence, Entry::End)) = walk.entries.last()
    {
        state.closed = Some((*sequence, walk.chain));
        state.lost = false;
    }
    Ok(state)
}
