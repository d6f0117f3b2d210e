//! A new journal and a new index from what is whole: the index, a backup, or the journal's own beginning.
//!
//! Both are made aside, and the state, replaced as a whole, is what switches to them: a kill at any moment leaves
//! the damaged store as it was, or the repaired one.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use beatbook_core::store::StoreError;

use crate::aside::set_aside;
use crate::backup::BackupReader;
use crate::disk::DiskLock;
use crate::error::{OpenError, RepairError, RestoreError};
use crate::index::{Index, Proof, Seals, Shelf, index_path};
use crate::journal::frame::{Entry, Keys, Opening};
use crate::journal::survey::Survey;
use crate::journal::{AppendError, Journal, Source};
use crate::random::draw;
use crate::seal::StoreKey;
use crate::state::{State, journal_dir};
use crate::store::opening::{in_open, is_passing, lock, replay};
use crate::store::repair::small::key_and_state;
use crate::store::repair::{Lost, Mended, RepairSource};
use crate::store::{Options, copying};
use crate::totals::{Known, Totals};
use crate::vault::{Unlock, Vault};

/// Rows of one frame of the new journal.
const ROWS_AT_ONCE: usize = 256;

/// A damaged store, held while it is made whole.
pub(super) struct Salvage<'a> {
    dir: &'a Path,
    options: &'a Options,
    vault: Vault,
    key: StoreKey,
    seals: Seals,
    state: State,
    _held: Box<dyn DiskLock>,
}

/// The index that was made, and how far it is known to reach.
struct Built {
    proof: Proof,
    lost: Vec<Lost>,
}

/// Where the rows that are followed from come from.
#[derive(Clone, Copy)]
struct Start {
    /// The last commit that the rows hold.
    applied: u64,
    /// What the totals are known to have been, and up to which sequence.
    proved: Option<(u64, Totals)>,
    opening: Option<Opening>,
    /// How far the store's own index had followed the journal, where it says so: the journal was that long.
    indexed: u64,
}

impl<'a> Salvage<'a> {
    pub(super) fn take(dir: &'a Path, unlock: &Unlock, options: &'a Options) -> Result<Self, OpenError> {
        let held = lock(options.disk.as_ref(), dir)?;
        let (vault, key, state) = key_and_state(dir, unlock, options)?;
        Ok(Self {
            dir,
            options,
            seals: Seals::new(&key),
            vault,
            key,
            state,
            _held: held,
        })
    }

    /// Makes the store whole from the best copy there is.
    pub(super) fn run(
        &self,
        error: &OpenError,
        backup: Option<&mut dyn Read>,
        mended: &mut Vec<Mended>,
        lost: &mut Vec<Lost>,
    ) -> Result<(), RepairError> {
        let (source, number, built) = self.best(backup)?;
        let survey = self.survey(u64::MAX)?;
        let old = (
            self.state.journal_dir(self.dir),
            index_path(self.dir, self.state.index),
        );
        self.switch(number, &built, survey.next_segment)?;
        let disk = self.options.disk.as_ref();
        let aside = |path: &PathBuf| {
            disk.exists(path)
                .then(|| set_aside(disk, self.dir, path))
                .transpose()
        };
        let journal = aside(&old.0)?;
        let index = aside(&old.1)?;
        let damaged = survey.damage.iter();
        let mut damaged: Vec<(PathBuf, String)> = damaged
            .map(|damage| {
                (
                    damage.file.clone(),
                    format!("{} at byte {}", damage.what, damage.offset),
                )
            })
            .collect();
        if damaged.is_empty() {
            damaged.push(match error {
                OpenError::Damaged { file, what, .. } => (file.clone(), (*what).to_owned()),
                other => (old.1.clone(), other.to_string()),
            });
        }
        for (file, what) in damaged {
            let kept = if file.starts_with(&old.1) {
                &index
            } else {
                &journal
            };
            mended.push(Mended {
                set_aside: kept.clone(),
                ..Mended::new(&file, what, source)
            });
        }
        lost.extend(&built.lost);
        Ok(())
    }

    /// Makes an index of each copy in turn until one loses nothing, and returns the one that loses least.
    fn best(&self, backup: Option<&mut dyn Read>) -> Result<(RepairSource, u32, Built), RepairError> {
        let number = self.state.index + 1;
        let mut best = None;
        let index_why = match self.by_index(number)? {
            Ok(built) if built.lost.is_empty() => return Ok((RepairSource::Index, number, built)),
            Ok(built) => {
                best = Some((RepairSource::Index, number, built));
                "it is older than the journal, or not proved".to_owned()
            }
            Err(why) => why,
        };
        let indexed = self.indexed()?;
        let mut tried = Ok(());
        if let Some(backup) = backup {
            let built = self.by_backup((number + 1, indexed), backup)?;
            best = less(best, (RepairSource::Backup, number + 1, built));
        } else {
            match self.by_journal((number + 2, indexed), index_why) {
                Ok(built) => best = less(best, (RepairSource::Journal, number + 2, built)),
                Err(why @ RepairError::NothingWhole { .. }) => tried = Err(why),
                Err(why) => return Err(why),
            }
        }
        match (best, tried) {
            (Some(best), _) => Ok(best),
            (None, Err(why)) => Err(why),
            (None, Ok(())) => Err(lost_index("no copy was found").into()),
        }
    }

    /// From the rows of the index, or why they cannot be used. An error is no damage: what is whole must not be given
    /// up for a failure that passes.
    fn by_index(&self, number: u32) -> Result<Result<Built, String>, OpenError> {
        let (index, start) = match self.read_index() {
            Ok(read) => read,
            Err(error) if is_passing(&error) => return Err(error),
            Err(error) => return Ok(Err(error.to_string())),
        };
        let proved = start.proved.map_or(0, |(sequence, _)| sequence);
        if start.applied.max(proved) < self.state.base_sequence {
            index.close()?;
            return Ok(Err("rows are missing or changed".to_owned()));
        }
        let survey = self.survey(proved)?;
        let built = self.shelf().build_aside(number, |new| {
            index.copy_to(new).map_err(|error| in_open(self.dir, &error))?;
            self.follow(new, &survey, start)
        });
        // The folder is renamed soon.
        index.close()?;
        match built {
            Err(OpenError::Index { reason }) => Ok(Err(reason)),
            built => Ok(Ok(built?)),
        }
    }

    /// How far the index had followed the journal, as far as it can still say; 0 where it cannot.
    fn indexed(&self) -> Result<u64, OpenError> {
        let index = match self.shelf().open(self.state.index) {
            Ok(index) => index,
            Err(error) if is_passing(&error) => return Err(error),
            Err(_) => return Ok(0),
        };
        let applied = index.applied().unwrap_or(0);
        let proved = index.proof().ok().flatten().map_or(0, |proof| proof.sequence);
        index.close()?;
        Ok(applied.max(proved))
    }

    /// Opens the index as it is, reads all of it, and says what it holds.
    fn read_index(&self) -> Result<(Index, Start), OpenError> {
        let old = index_path(self.dir, self.state.index);
        if !self.options.disk.is_dir(&old) {
            return Err(lost_index("the folder is missing"));
        }
        let index = self.shelf().open(self.state.index)?;
        let read = (|| {
            let (proof, applied) = (index.proof()?, index.applied()?);
            index.open_all()?;
            Ok((proof, applied))
        })();
        match read {
            Ok((proof, applied)) => Ok((
                index,
                Start {
                    applied,
                    proved: proof.map(|proof| (proof.sequence, proof.totals)),
                    opening: proof.map(|proof| proof.opening),
                    indexed: applied.max(proof.map_or(0, |proof| proof.sequence)),
                },
            )),
            Err(error) => {
                index.close()?;
                Err(in_open(&old, &error))
            }
        }
    }

    /// From a backup of this store.
    fn by_backup(&self, (number, indexed): (u32, u64), backup: &mut dyn Read) -> Result<Built, RepairError> {
        let mut reader = BackupReader::start(backup).map_err(RepairError::Backup)?;
        if reader.vault.store_id != self.vault.store_id {
            return Err(RepairError::Backup(RestoreError::Damaged {
                offset: 0,
                what: "it is the backup of another store",
            }));
        }
        let built = self.shelf().build_aside(number, |new| {
            let ending = copying::fill(new, &mut reader, &self.key)?;
            let start = Start {
                applied: ending.sequence,
                proved: Some((ending.sequence, ending.totals)),
                opening: None,
                indexed,
            };
            let survey = self.survey(ending.sequence)?;
            Ok::<_, RestoreError>(self.follow(new, &survey, start)?)
        });
        built.map_err(RepairError::Backup)
    }

    /// From the journal alone, as far as it goes without a gap.
    fn by_journal(&self, (number, indexed): (u32, u64), index_why: String) -> Result<Built, RepairError> {
        let survey = self.survey(0)?;
        let base = self.state.base_sequence;
        let first = survey.frames.get(&(base + 1));
        if base > 0 && !matches!(first, Some(Entry::Rows(_))) {
            return Err(RepairError::NothingWhole {
                index: index_path(self.dir, self.state.index),
                index_why,
                journal_after: base,
            });
        }
        let start = Start {
            applied: base,
            proved: Some((base, Totals::default())),
            opening: None,
            indexed,
        };
        let built = self
            .shelf()
            .build_aside(number, |new| self.follow(new, &survey, start))?;
        Ok(built)
    }

    /// Replays what follows the rows in `new`, checks the result, and writes down what it holds.
    fn follow(&self, new: &Index, survey: &Survey, start: Start) -> Result<Built, OpenError> {
        let in_new = |error: StoreError| in_open(self.dir, &error);
        let mut opening = start.opening;
        let (mut known, missing) = self.known(survey, start, &mut opening);
        let mut reached = start
            .applied
            .max(start.proved.map_or(0, |(sequence, _)| sequence));
        while let Some(entry) = survey.frames.get(&(reached + 1)) {
            reached += 1;
            known_after(entry, &mut known, &mut opening);
            replay(new, reached, entry.clone(), &mut Totals::default()).map_err(in_new)?;
        }
        let totals = new.count().map_err(in_new)?;
        if known.contradicts(&totals) {
            return Err(lost_index("rows are missing or changed"));
        }
        new.open_all().map_err(in_new)?;
        let mut lost = Vec::new();
        if !known.is_whole() {
            lost.extend(missing);
            if lost.is_empty() {
                lost.push(Lost {
                    after: self.state.base_sequence.min(start.applied),
                    upto: reached,
                });
            }
        }
        let applied = new.applied().map_err(in_new)?;
        let top = survey
            .top
            .max(reached)
            .max(start.indexed)
            .max(self.state.closed.map_or(0, |(sequence, _)| sequence));
        // What a store wrote when it was closed, after its last commit, are no commits.
        let ended_here = self.state.closed.is_some() && self.state.applied == applied && lost.is_empty();
        if top > reached && !ended_here {
            lost.push(Lost {
                after: reached,
                upto: top,
            });
        }
        // A journal that ends before what the index took of it has lost more than a write under way.
        let is_open_ended = survey.is_open_ended || survey.top < start.indexed;
        if is_open_ended && self.state.closed.is_none() && lost.is_empty() {
            lost.push(Lost {
                after: top,
                upto: top + 1,
            });
        }
        let proof = Proof {
            sequence: top,
            applied,
            opening: self.opening(opening)?,
            totals,
        };
        new.prove(&proof).map_err(in_new)?;
        Ok(Built { proof, lost })
    }

    /// What the totals must be where the rows are those of `start.applied`, and which frames before are missing.
    fn known(&self, survey: &Survey, start: Start, opening: &mut Option<Opening>) -> (Known, Vec<Lost>) {
        let from_start = (self.state.base_sequence == 0).then(|| (0, Totals::default()));
        let (from, mut known) = match start.proved.or(from_start) {
            Some((sequence, totals)) => (sequence, Known::all(totals)),
            None => (self.state.base_sequence, Known::default()),
        };
        let mut missing = Vec::new();
        let mut next = from + 1;
        let before = survey
            .frames
            .range(next..)
            .take_while(|(at, _)| **at <= start.applied);
        for (sequence, entry) in before {
            if *sequence > next {
                known = Known::default();
                missing.push(Lost {
                    after: next - 1,
                    upto: sequence - 1,
                });
            }
            known_after(entry, &mut known, opening);
            next = sequence + 1;
        }
        if next <= start.applied {
            known = Known::default();
            missing.push(Lost {
                after: next - 1,
                upto: start.applied,
            });
        }
        (known, missing)
    }

    /// The opening that goes on: one that no anchor knows, where the last is not known.
    fn opening(&self, found: Option<Opening>) -> Result<Opening, OpenError> {
        let id = draw(self.key.random.as_ref()).map_err(|_| OpenError::Random)?;
        Ok(found.unwrap_or(Opening { id, anchored: true }))
    }

    /// Writes the new journal, and makes the state name it and the new index.
    fn switch(&self, index: u32, built: &Built, segment: u32) -> Result<(), OpenError> {
        let disk = self.options.disk.as_ref();
        let number = self.state.journal + 1;
        let path = journal_dir(self.dir, number);
        let aside = path.with_extension("building");
        let io = |error| OpenError::io(&path, error);
        for leftover in [&aside, &path] {
            if disk.exists(leftover) {
                disk.remove_dir_all(leftover).map_err(io)?;
            }
        }
        let state = State {
            base_segment: segment,
            base_sequence: built.proof.sequence,
            index,
            closed: None,
            journal: number,
            lost: self.state.lost || !built.lost.is_empty(),
            applied: 0,
        };
        self.write_journal(&aside, &state, built)?;
        disk.rename(&aside, &path).map_err(io)?;
        disk.sync_dir(self.dir).map_err(io)?;
        state.write(disk, self.dir, &self.key)
    }

    fn write_journal(&self, aside: &Path, state: &State, built: &Built) -> Result<(), OpenError> {
        let disk = &self.options.disk;
        Journal::create(disk.as_ref(), aside, state.base_segment, state.base_sequence)?;
        let keys = Keys::new(&self.key);
        let (mut journal, _) =
            Journal::open(Arc::clone(disk), aside, keys, state, self.options.segment_bytes)?;
        let index = self.shelf().open(state.index)?;
        let mut append = |entry| match journal.append(&[entry]) {
            Ok(_) => Ok(()),
            Err(AppendError::Full) => Err(OpenError::DiskFull),
            Err(AppendError::Unknown(reason)) => Err(OpenError::io(aside, std::io::Error::other(reason))),
        };
        let mut after: Option<Vec<u8>> = None;
        loop {
            let rows = index
                .rows_after(after.as_deref(), ROWS_AT_ONCE)
                .map_err(|error| in_open(self.dir, &error))?;
            let Some((last, _)) = rows.last() else { break };
            after = Some(last.clone());
            append(Entry::Rows(rows))?;
        }
        append(Entry::Checkpoint(
            built.proof.opening,
            Box::new(built.proof.totals),
        ))
    }

    fn survey(&self, after: u64) -> Result<Survey, OpenError> {
        let source = Source {
            disk: self.options.disk.as_ref(),
            dir: &self.state.journal_dir(self.dir),
            keys: &Keys::new(&self.key),
        };
        source.survey(&self.state, after)
    }

    fn shelf(&self) -> Shelf<'_> {
        Shelf {
            dir: self.dir,
            options: self.options,
            seals: &self.seals,
        }
    }
}

type Candidate = (RepairSource, u32, Built);

/// The one of two that loses less.
fn less(best: Option<Candidate>, other: Candidate) -> Option<Candidate> {
    let frames = |candidate: &Candidate| -> u64 {
        let lost = candidate.2.lost.iter();
        lost.map(|lost| lost.upto - lost.after).sum()
    };
    match best {
        Some(best) if frames(&best) <= frames(&other) => Some(best),
        _ => Some(other),
    }
}

/// Moves what is known past one frame.
fn known_after(entry: &Entry, known: &mut Known, opening: &mut Option<Opening>) {
    match entry {
        Entry::Commit(commit) => {
            if known.take(&commit.totals).is_none() {
                *known = Known::default();
            }
        }
        Entry::Checkpoint(found, totals) => {
            *known = Known::all(**totals);
            *opening = Some(*found);
        }
        Entry::Open(found) => *opening = Some(*found),
        // The checkpoint after them has their totals.
        Entry::Rows(_) => *known = Known::default(),
        Entry::End | Entry::Footer => {}
    }
}

fn lost_index(reason: &str) -> OpenError {
    OpenError::Index {
        reason: reason.into(),
    }
}
