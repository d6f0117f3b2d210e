//! The journal: append-only segments of sealed, chained frames. It is the truth; the index follows it.
//!
//! A frame is durable when [`Journal::append`] returns: one write and one fsync for a group. A segment that
//! is full ends in a footer, which is written only after the next segment exists with its name durable.
//! Holds nothing about what the rows mean, and nothing of the index.

pub(crate) mod frame;
pub(crate) mod segment;
pub(crate) mod survey;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use beatbook_core::planted::{Bug, is_planted};

use crate::disk::{Disk, DiskFile, write_atomic};
use crate::error::{OpenError, is_full};
use crate::journal::frame::{Chain, Commit, Entry, Keys, Opening, Place};
use crate::journal::segment::{HEADER_BYTES, Header, Walk};
use crate::state::State;
use crate::totals::Totals;

/// An open journal, owned by the one thread that writes.
pub(crate) struct Journal {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    keys: Keys,
    file: Box<dyn DiskFile>,
    /// Number and sequence before the first frame of each segment, the open one last.
    segments: Vec<(u32, u64)>,
    /// Durable length of the open segment.
    length: u64,
    sequence: u64,
    chain: Chain,
    segment_bytes: u64,
}

/// What opening a journal found.
pub(crate) struct Recovered {
    /// Commits after the last checkpoint.
    pub(crate) replay: Vec<(u64, Commit)>,
    /// Totals that the index has after the replay.
    pub(crate) totals: Totals,
    pub(crate) opening: Option<Opening>,
    /// Bytes of a torn tail that were cut.
    pub(crate) cut_bytes: u64,
    /// True where there is no frame at all: a store that was only just made.
    pub(crate) is_new: bool,
}

/// Why nothing was appended.
#[derive(Debug)]
pub(crate) enum AppendError {
    /// No space: the journal is as it was, and the next append may go through.
    Full,
    /// It cannot be known what is on disk: the store must be opened anew.
    Unknown(String),
}

impl Journal {
    /// Makes the first segment of a journal whose first frame follows `after`.
    pub(crate) fn create(disk: &dyn Disk, dir: &Path, number: u32, after: u64) -> Result<(), OpenError> {
        disk.create_dir(dir).map_err(|error| OpenError::io(dir, error))?;
        let header = Header {
            number,
            after,
            chain: [0; 32],
        };
        let path = segment_path(dir, number);
        write_atomic(disk, &path, &header.encode()).map_err(|error| OpenError::io(&path, error))
    }

    /// Opens a journal, cuts a torn tail, and reads everything from the last checkpoint on.
    pub(crate) fn open(
        disk: Arc<dyn Disk>,
        dir: &Path,
        keys: Keys,
        state: &State,
        segment_bytes: u64,
    ) -> Result<(Self, Recovered), OpenError> {
        clear_leftovers(disk.as_ref(), dir, state.base_segment)?;
        let numbers = segment_numbers(disk.as_ref(), dir, state.base_segment)?;
        let source = Source {
            disk: disk.as_ref(),
            dir,
            keys: &keys,
        };
        let (mut walks, cut_bytes, removed) = source.tail(&numbers, state)?;
        let kept = numbers.len() - usize::from(removed);
        let mut segments = Vec::with_capacity(kept);
        for number in numbers.iter().take(kept) {
            segments.push((*number, source.header(*number)?.after));
        }
        walks.reverse();
        let last = walks
            .last()
            .ok_or_else(|| OpenError::damaged(dir, 0, "no segment"))?;
        if state.closed.is_none() {
            source.renew(last, numbers.get(kept.wrapping_sub(2)).copied())?;
        }
        let path = segment_path(dir, last.header.number);
        let journal = Self {
            file: disk.open(&path).map_err(|error| OpenError::io(&path, error))?,
            segments,
            length: last.good_bytes as u64,
            sequence: last.sequence,
            chain: last.chain,
            segment_bytes,
            dir: dir.to_path_buf(),
            keys: keys.clone(),
            disk: Arc::clone(&disk),
        };
        let mut recovered = Recovered::from_walks(walks, dir)?;
        recovered.cut_bytes = cut_bytes;
        recovered.is_new &= state.base_sequence == journal.sequence;
        Ok((journal, recovered))
    }

    /// Appends the entries as one write and one fsync, and returns the sequence of the last.
    pub(crate) fn append(&mut self, entries: &[Entry]) -> Result<u64, AppendError> {
        if self.length >= self.segment_bytes {
            self.rotate()?;
        }
        self.append_here(entries)
    }

    /// Sequence of the last durable frame.
    pub(crate) fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Chain after the last durable frame.
    pub(crate) fn chain(&self) -> Chain {
        self.chain
    }

    /// The first segment that is still needed, if all frames up to `upto` may go.
    pub(crate) fn first_needed(&self, upto: u64) -> (u32, u64) {
        let mut first = self.segments.first().copied().unwrap_or((1, 0));
        for (number, after) in &self.segments {
            if *after <= upto {
                first = (*number, *after);
            }
        }
        first
    }

    /// Removes the segments before `number`. The caller has made durable that the journal begins there.
    pub(crate) fn drop_before(&mut self, number: u32) -> io::Result<()> {
        while let Some((first, _)) = self.segments.first().copied()
            && first < number
        {
            self.disk.remove(&segment_path(&self.dir, first))?;
            self.segments.remove(0);
        }
        self.disk.sync_dir(&self.dir)
    }

    fn append_here(&mut self, entries: &[Entry]) -> Result<u64, AppendError> {
        let (mut bytes, mut sequence, mut chain) = (Vec::new(), self.sequence, self.chain);
        for entry in entries {
            sequence += 1;
            let place = Place {
                segment: self.number(),
                sequence,
                previous: chain,
            };
            let (frame, after) = self
                .keys
                .frame(place, &entry.encode())
                .map_err(|_| AppendError::Unknown("a frame could not be sealed".into()))?;
            bytes.extend_from_slice(&frame);
            chain = after;
        }
        self.write(&bytes)?;
        self.length += bytes.len() as u64;
        self.sequence = sequence;
        self.chain = chain;
        Ok(sequence)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), AppendError> {
        if let Err(error) = self.file.append(bytes) {
            // A part may be in the file: the next frame must follow the last good one.
            if let Err(second) = self.file.truncate(self.length) {
                return Err(AppendError::Unknown(format!(
                    "{error}, and cutting it back: {second}"
                )));
            }
            return Err(if is_full(&error) {
                AppendError::Full
            } else {
                AppendError::Unknown(error.to_string())
            });
        }
        // After a failed fsync the system may have dropped the pages: asking again would say yes to nothing.
        if is_planted(Bug::FsyncSkipped) {
            return Ok(());
        }
        match self.file.sync() {
            Err(error) if !is_planted(Bug::FsyncErrorIgnored) => Err(AppendError::Unknown(error.to_string())),
            _ => Ok(()),
        }
    }

    /// Makes the next segment, then writes the footer: a footer without a next segment is a lost segment.
    fn rotate(&mut self) -> Result<(), AppendError> {
        let sequence = self.sequence + 1;
        let place = Place {
            segment: self.number(),
            sequence,
            previous: self.chain,
        };
        let (footer, chain) = self
            .keys
            .frame(place, &Entry::Footer.encode())
            .map_err(|_| AppendError::Unknown("a footer could not be sealed".into()))?;
        let header = Header {
            number: self.number() + 1,
            after: sequence,
            chain,
        };
        let path = segment_path(&self.dir, header.number);
        let next =
            write_atomic(self.disk.as_ref(), &path, &header.encode()).and_then(|()| self.disk.open(&path));
        // The open segment is untouched, and a segment left behind is replaced by the next try.
        let next = next.map_err(|error| {
            if is_full(&error) {
                AppendError::Full
            } else {
                AppendError::Unknown(error.to_string())
            }
        })?;
        self.write(&footer)?;
        self.file = next;
        self.segments.push((header.number, sequence));
        self.length = HEADER_BYTES as u64;
        self.sequence = sequence;
        self.chain = chain;
        Ok(())
    }

    fn number(&self) -> u32 {
        self.segments.last().map_or(0, |(number, _)| *number)
    }
}

impl Recovered {
    /// Reads what the last segments say, oldest first.
    fn from_walks(walks: Vec<Walk>, dir: &Path) -> Result<Self, OpenError> {
        let mut found = Self {
            replay: Vec::new(),
            totals: Totals::default(),
            opening: None,
            cut_bytes: 0,
            is_new: true,
        };
        for walk in walks {
            let path = segment_path(dir, walk.header.number);
            let mut has_rows = false;
            for (sequence, entry) in walk.entries {
                found.is_new = false;
                match entry {
                    Entry::Open(opening) => found.opening = Some(opening),
                    Entry::Checkpoint(opening, totals) => {
                        found.opening = Some(opening);
                        found.totals = *totals;
                        found.replay.clear();
                        has_rows = false;
                    }
                    Entry::Commit(_) if is_planted(Bug::ReplaySkipped) && found.replay.len() % 4 == 3 => {}
                    Entry::Commit(commit) => {
                        let mut reader = crate::codec::Reader::new(&commit.totals);
                        found
                            .totals
                            .decode_over(&mut reader)
                            .ok_or_else(|| OpenError::damaged(&path, 0, "totals do not decode"))?;
                        found.replay.push((sequence, commit));
                    }
                    Entry::Rows(_) => has_rows = true,
                    Entry::Footer | Entry::End => {}
                }
            }
            if has_rows {
                return Err(OpenError::damaged(
                    &path,
                    0,
                    "rows without the checkpoint after them",
                ));
            }
        }
        Ok(found)
    }
}

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
    fn tail(&self, numbers: &[u32], state: &State) -> Result<(Vec<Walk>, u64, bool), OpenError> {
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
    fn renew(&self, last: &Walk, before: Option<u32>) -> Result<(), OpenError> {
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

    fn header(&self, number: u32) -> Result<Header, OpenError> {
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

/// Path of a segment.
pub(crate) fn segment_path(dir: &Path, number: u32) -> PathBuf {
    dir.join(format!("{number:08}.seg"))
}

/// Removes what a kill left behind: files that never got their name, and segments that were released.
fn clear_leftovers(disk: &dyn Disk, dir: &Path, base: u32) -> Result<(), OpenError> {
    for name in disk.list(dir).map_err(|error| OpenError::io(dir, error))? {
        let number = name
            .strip_suffix(".seg")
            .and_then(|number| number.parse::<u32>().ok());
        if name.ends_with(".tmp") || number.is_some_and(|number| number < base) {
            let path = dir.join(name);
            disk.remove(&path).map_err(|error| OpenError::io(&path, error))?;
        }
    }
    Ok(())
}

/// Numbers of the segments from `base` on, which must be without a gap.
fn segment_numbers(disk: &dyn Disk, dir: &Path, base: u32) -> Result<Vec<u32>, OpenError> {
    let names = disk.list(dir).map_err(|error| OpenError::io(dir, error))?;
    let numbers = names
        .iter()
        .filter_map(|name| name.strip_suffix(".seg")?.parse::<u32>().ok());
    let mut numbers: Vec<u32> = numbers.filter(|number| *number >= base).collect();
    numbers.sort_unstable();
    for (expected, at) in (base..).zip(0..numbers.len().max(1)) {
        if numbers.get(at) != Some(&expected) {
            return Err(OpenError::damaged(
                &segment_path(dir, expected),
                0,
                "the segment is missing",
            ));
        }
    }
    Ok(numbers)
}
