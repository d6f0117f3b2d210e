//! Reading the segments of a journal as they lie on the disk: in order, from the last checkpoint, or all of them.
//!
//! Every fault is an error here; what is left of a damaged journal is for the survey.

use std::path::Path;

use beatbook_core::planted::{Bug, is_planted};

use crate::disk::{Disk, write_atomic};
use crate::error::OpenError;
use crate::journal::frame::{Chain, Entry, Keys};
use crate::journal::segment::{HEADER_BYTES, Header, Walk};
use crate::journal::{segment_numbers, segment_path};
use crate::state::State;

/// Segments as they are on disk, to be read.
pub(crate) struct Source<'a> {
    pub(crate) disk: &'a dyn Disk,
    pub(crate) dir: &'a Path,
    pub(crate) keys: &'a Keys,
}

impl Source<'_> {
    /// Walks every frame after `after` up to `upto`, oldest first; every fault is an error.
    pub(crate) fn each(
        &self,
        state: &State,
        (after, upto): (u64, u64),
        visit: &mut dyn FnMut(u64, Entry) -> Result<(), OpenError>,
    ) -> Result<u64, OpenError> {
        let numbers = segment_numbers(self.disk, self.dir, state.base_segment)?;
        let mut previous: Option<(u64, Chain)> = None;
        for (at, number) in numbers.iter().enumerate() {
            let is_last = at + 1 == numbers.len();
            if let Some(next) = numbers.get(at + 1)
                && self.header(*next)?.after <= after
            {
                continue;
            }
            let walk = self.walk(*number, upto)?;
            let path = segment_path(self.dir, *number);
            if let Some(fault) = walk.fault {
                return Err(OpenError::damaged(&path, walk.good_bytes as u64, fault.what));
            }
            if previous.is_some_and(|end| end != (walk.header.after, walk.header.chain)) {
                return Err(OpenError::damaged(
                    &path,
                    0,
                    "does not follow the segment before it",
                ));
            }
            previous = Some((walk.sequence, walk.chain));
            let ended = walk.sequence >= upto;
            if !ended && (is_last || !walk.has_footer()) {
                return Err(OpenError::damaged(
                    &path,
                    walk.good_bytes as u64,
                    "frames are missing",
                ));
            }
            for (sequence, entry) in walk.entries {
                if sequence > after {
                    visit(sequence, entry)?;
                }
            }
            if ended {
                break;
            }
        }
        Ok(previous.map_or(after, |(sequence, _)| sequence))
    }

    /// True where the journal begins with the rows of everything that came before it.
    pub(crate) fn begins_with_rows(&self, state: &State) -> bool {
        let first = state.base_sequence.saturating_add(1);
        self.walk(state.base_segment, first)
            .is_ok_and(|walk| matches!(walk.entries.first(), Some((_, Entry::Rows(_)))))
    }

    /// Walks back from the last segment to the one with the last checkpoint, newest first.
    pub(super) fn tail(&self, numbers: &[u32], state: &State) -> Result<(Vec<Walk>, u64, bool), OpenError> {
        let mut left = numbers.to_vec();
        let mut removed = false;
        let mut last = self.pop(&mut left)?;
        if last.entries.is_empty() && last.fault.is_none() && !left.is_empty() {
            let before = self.pop(&mut left)?;
            if follows(&last, &before) {
                left.push(before.header.number);
            } else {
                // The next segment was made, and the kill came before the footer.
                self.drop_unused(&last, state)?;
                removed = true;
                last = before;
            }
        }
        let cut_bytes = self.settle_end(&mut last, state)?;
        let mut walks = vec![last];
        while let Some(newer) = walks.last()
            && !newer.has_checkpoint()
            && !left.is_empty()
        {
            let walk = self.pop(&mut left)?;
            let path = segment_path(self.dir, walk.header.number);
            if let Some(fault) = walk.fault {
                return Err(OpenError::damaged(&path, walk.good_bytes as u64, fault.what));
            }
            if !follows(newer, &walk) {
                return Err(OpenError::damaged(
                    &path,
                    walk.good_bytes as u64,
                    "frames are missing at its end",
                ));
            }
            walks.push(walk);
        }
        Ok((walks, cut_bytes, removed))
    }

    fn pop(&self, left: &mut Vec<u32>) -> Result<Walk, OpenError> {
        let number = left
            .pop()
            .ok_or_else(|| OpenError::damaged(self.dir, 0, "no segment"))?;
        self.walk(number, u64::MAX)
    }

    fn drop_unused(&self, walk: &Walk, state: &State) -> Result<(), OpenError> {
        let path = segment_path(self.dir, walk.header.number);
        if state.closed.is_some() {
            return Err(OpenError::damaged(
                &path,
                0,
                "does not follow the segment before it",
            ));
        }
        self.disk
            .remove(&path)
            .map_err(|error| OpenError::io(&path, error))?;
        self.disk
            .sync_dir(self.dir)
            .map_err(|error| OpenError::io(self.dir, error))
    }

    /// Cuts a torn tail where no end frame was due; anything else that is not whole is an error.
    fn settle_end(&self, last: &mut Walk, state: &State) -> Result<u64, OpenError> {
        let path = segment_path(self.dir, last.header.number);
        let at = last.good_bytes as u64;
        if last.has_footer() {
            return Err(OpenError::damaged(&path, at, "the segment after it is missing"));
        }
        if let Some((sequence, chain)) = state.closed {
            if let Some(fault) = last.fault {
                return Err(OpenError::damaged(&path, at, fault.what));
            }
            if (last.sequence, last.chain) != (sequence, chain) {
                return Err(OpenError::damaged(
                    &path,
                    at,
                    "frames before the end frame are missing",
                ));
            }
            return Ok(0);
        }
        let Some(fault) = last.fault.take() else {
            return Ok(0);
        };
        if fault.in_the_middle {
            return Err(OpenError::damaged(&path, at, fault.what));
        }
        if is_planted(Bug::TornTailNotCut) {
            return Ok(0);
        }
        let io = |error| OpenError::io(&path, error);
        let length = self.disk.len(&path).map_err(io)?;
        self.disk
            .open(&path)
            .and_then(|mut file| file.truncate(at))
            .map_err(io)?;
        Ok(length - at)
    }

    /// Writes what an unfinished run wrote last into new files.
    ///
    /// Its last sync may have failed: then the system shows bytes that are not on the disk, and a later sync of the
    /// same file would say yes to nothing. Every earlier sync had done well, or it would have been the last.
    pub(super) fn renew(&self, last: &Walk, before: Option<u32>) -> Result<(), OpenError> {
        let mut doubtful = vec![last.header.number];
        // Its footer was the last thing written.
        if last.entries.is_empty() {
            doubtful.extend(before);
        }
        for number in doubtful {
            let path = segment_path(self.dir, number);
            let bytes = self.disk.read(&path);
            bytes
                .and_then(|bytes| write_atomic(self.disk, &path, &bytes))
                .map_err(|error| OpenError::io(&path, error))?;
        }
        Ok(())
    }

    fn walk(&self, number: u32, upto: u64) -> Result<Walk, OpenError> {
        let path = segment_path(self.dir, number);
        let bytes = self
            .disk
            .read(&path)
            .map_err(|error| OpenError::io(&path, error))?;
        let walk = Walk::over(&bytes, self.keys, upto).map_err(|what| OpenError::damaged(&path, 0, what))?;
        if walk.header.number != number {
            return Err(OpenError::damaged(&path, 0, "holds another segment"));
        }
        Ok(walk)
    }

    pub(super) fn header(&self, number: u32) -> Result<Header, OpenError> {
        let path = segment_path(self.dir, number);
        let bytes = self
            .disk
            .read_head(&path, HEADER_BYTES)
            .map_err(|error| OpenError::io(&path, error))?;
        Header::decode(&bytes).map_err(|what| OpenError::damaged(&path, 0, what))
    }
}

fn follows(newer: &Walk, older: &Walk) -> bool {
    older.has_footer() && (newer.header.after, newer.header.chain) == (older.sequence, older.chain)
}
