//! What can still be read of a journal that is damaged: every frame that authenticates, wherever it lies.
//!
//! A frame is sealed for its segment, its sequence and the hash before it, all of which it carries: so it proves
//! itself without the frames around it. Holds no decision about what to do with them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::error::OpenError;
use crate::journal::frame::{Entry, is_later_frame};
use crate::journal::segment::{HEADER_BYTES, Header, Walk};
use crate::journal::{Source, segment_path};
use crate::state::State;

/// What was found of a journal.
pub(crate) struct Survey {
    /// Frames after the sequence asked for, by sequence.
    pub(crate) frames: BTreeMap<u64, Entry>,
    pub(crate) damage: Vec<Damage>,
    /// The highest sequence that anything in it names.
    pub(crate) top: u64,
    /// True where the journal went on beyond what is left of it, and nothing says how far.
    pub(crate) is_open_ended: bool,
    /// A number that no segment has had.
    pub(crate) next_segment: u32,
}

/// A place in a journal that does not hold.
#[derive(Clone, Debug)]
pub(crate) struct Damage {
    pub(crate) file: PathBuf,
    pub(crate) offset: u64,
    pub(crate) what: &'static str,
}

impl Source<'_> {
    /// Reads what is left of the segments that `state` names; frames up to `after` are not kept.
    pub(crate) fn survey(&self, state: &State, after: u64) -> Result<Survey, OpenError> {
        let base = state.base_segment;
        let mut survey = Survey {
            frames: BTreeMap::new(),
            damage: Vec::new(),
            top: state.base_sequence,
            is_open_ended: true,
            next_segment: base,
        };
        let present = self.present(&mut survey)?;
        for number in base..present.last().map_or(base, |last| last + 1) {
            let path = segment_path(self.dir, number);
            survey.next_segment = number + 1;
            match self.disk.read(&path) {
                Ok(bytes) => {
                    survey.is_open_ended = self.salvage(&mut survey, (number, after), &path, &bytes);
                }
                Err(error) if crate::error::is_full(&error) => return Err(OpenError::DiskFull),
                Err(_) => {
                    let what = match present.contains(&number) {
                        true => "it cannot be read",
                        false => "the segment is missing",
                    };
                    survey.note(&path, 0, what);
                    survey.is_open_ended = true;
                }
            }
        }
        Ok(survey)
    }

    /// Numbers of the segments that are there, in order.
    fn present(&self, survey: &mut Survey) -> Result<Vec<u32>, OpenError> {
        let names = match self.disk.list(self.dir) {
            Ok(names) => names,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                survey.note(self.dir, 0, "the folder is missing");
                return Ok(Vec::new());
            }
            Err(error) => return Err(OpenError::io(self.dir, error)),
        };
        let numbers = names
            .iter()
            .filter_map(|name| name.strip_suffix(".seg")?.parse::<u32>().ok());
        let mut numbers: Vec<u32> = numbers.collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// Takes what authenticates in one segment; true where there was more after it, of which this segment does not tell.
    fn salvage(&self, survey: &mut Survey, (number, after): (u32, u64), path: &Path, bytes: &[u8]) -> bool {
        let walked = Walk::over(bytes, self.keys, u64::MAX);
        let (from, floor, is_its_own) = match walked {
            Ok(walk) if walk.header.number == number => {
                let floor = walk.header.after;
                survey.top = survey.top.max(walk.sequence);
                // The segment after it was there before its footer was written.
                let goes_on = walk.has_footer();
                survey.keep(walk.entries, after);
                let Some(fault) = walk.fault else { return goes_on };
                survey.note(path, walk.good_bytes, fault.what);
                (walk.good_bytes, floor, true)
            }
            Ok(_) => {
                survey.note(path, 0, "holds another segment");
                (HEADER_BYTES, survey.top, false)
            }
            Err(what) => {
                survey.note(path, 0, what);
                // The header may be all that is damaged, or be cut off.
                let floor = Header::decode(bytes).map_or(survey.top, |header| header.after);
                (0, floor, false)
            }
        };
        let (mut at, mut ends_here) = (from, is_its_own);
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            let found = is_later_frame(rest, floor)
                .then(|| self.keys.open_alone(number, rest))
                .flatten();
            let Some((length, sequence, plain)) = found else {
                at += 1;
                continue;
            };
            at += length;
            ends_here = true;
            survey.top = survey.top.max(sequence);
            if let Some(entry) = Entry::decode(&plain) {
                ends_here = !matches!(entry, Entry::Footer);
                survey.keep(vec![(sequence, entry)], after);
            }
        }
        !ends_here
    }
}

impl Survey {
    fn keep(&mut self, entries: Vec<(u64, Entry)>, after: u64) {
        let wanted = entries.into_iter().filter(|(sequence, _)| *sequence > after);
        self.frames.extend(wanted);
    }

    fn note(&mut self, path: &Path, offset: usize, what: &'static str) {
        self.damage.push(Damage {
            file: path.to_path_buf(),
            offset: offset as u64,
            what,
        });
    }
}
