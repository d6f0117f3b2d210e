//! The journal: append-only segments of sealed, chained frames. It is the truth; the index follows it.
//!
//! A frame is durable when [`Journal::append`] returns: one write and one fsync for a group. A segment that
//! is full ends in a footer, which is written only after the next segment exists with its name durable.
//! Holds nothing about what the rows mean, and nothing of the index.

pub(crate) mod frame;
pub(crate) mod segment;
mod source;
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

pub(crate) use source::Source;

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
