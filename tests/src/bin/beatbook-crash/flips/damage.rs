//! One damage to a closed store: drawn from a seed, done to a copy.

use std::fmt;
use std::fs;
use std::ops::{Bound, ControlFlow};
use std::path::{Path, PathBuf};

use beatbook_core::store::Pairs;
use beatbook_store_sled::{Engine, RowBatch, SledEngine};
use beatbook_tests::{Seed, files_under};

use super::fixture::{BACKUP, Fixture, STORE};

/// A kind of damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Flip,
    Cut,
    Missing,
    Rows,
    Frames,
}

/// A damage to one place.
#[derive(Clone, Debug)]
pub struct Damage {
    kind: Kind,
    /// The file, under the folder that is copied; for swapped rows the folder of the index.
    file: PathBuf,
    /// What it is done to in the file: bit, length, row or frame, by draw.
    at: u64,
    other: u64,
}

impl Kind {
    /// The word of the table.
    pub fn word(self) -> &'static str {
        match self {
            Self::Flip => "flipped bit",
            Self::Cut => "cut file",
            Self::Missing => "missing file",
            Self::Rows => "swapped rows",
            Self::Frames => "swapped frames",
        }
    }
}

impl Damage {
    /// Draws a damage to what lies under `root`.
    pub fn draw(chance: &mut Seed, root: &Path) -> Self {
        let kind = match chance.between(0, 100) {
            0..=59 => Kind::Flip,
            60..=74 => Kind::Cut,
            75..=84 => Kind::Missing,
            85..=92 => Kind::Rows,
            _ => Kind::Frames,
        };
        let mut files: Vec<PathBuf> = files_under(root)
            .into_iter()
            .filter_map(|path| path.strip_prefix(root).map(Path::to_path_buf).ok())
            .filter(|path| *path != Path::new(BACKUP))
            .collect();
        files.sort();
        let in_journal = |path: &&PathBuf| path.extension().is_some_and(|extension| extension == "seg");
        let index = files
            .iter()
            .find(|path| path.ends_with("db"))
            .and_then(|path| path.parent().map(Path::to_path_buf));
        let segments: Vec<&PathBuf> = files.iter().filter(in_journal).collect();
        let mut pick = |from: &[&PathBuf]| from[chance.between(0, from.len() as u64) as usize].clone();
        let file = match kind {
            Kind::Rows => index.expect("a store has an index"),
            Kind::Frames => pick(&segments),
            // A file is hit as often as any other, so that the small ones are.
            _ => pick(&files.iter().collect::<Vec<_>>()),
        };
        Self {
            kind,
            file,
            at: chance.next_u64(),
            other: chance.next_u64(),
        }
    }

    /// Its kind.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Does it to the copy in `root`.
    pub fn apply(&self, root: &Path, fixture: &Fixture) -> Result<(), String> {
        let path = root.join(&self.file);
        let io = |error: std::io::Error| format!("{}: {error}", path.display());
        match self.kind {
            Kind::Missing => return fs::remove_file(&path).map_err(io),
            Kind::Rows => return self.swap_rows(&path, fixture, root),
            _ => {}
        }
        let mut bytes = fs::read(&path).map_err(io)?;
        if bytes.is_empty() {
            return Ok(());
        }
        match self.kind {
            Kind::Flip => {
                let at = (self.at % bytes.len() as u64) as usize;
                bytes[at] ^= 1 << (self.other % 8);
            }
            Kind::Cut => bytes.truncate((self.at % bytes.len() as u64) as usize),
            _ => bytes = self.swap_frames(&bytes),
        }
        fs::write(&path, bytes).map_err(io)
    }

    /// Swaps the values of two rows, as they are, through the engine itself.
    fn swap_rows(&self, index: &Path, fixture: &Fixture, root: &Path) -> Result<(), String> {
        let options = fixture.options(root);
        let rows = SledEngine
            .open(&options.disk, index, options.cache_bytes)
            .map_err(|error| error.to_string())?;
        let mut all = Pairs::new();
        rows.visit((Bound::Unbounded, Bound::Unbounded), &mut |row, bytes| {
            all.push((row.to_vec(), bytes.to_vec()));
            Ok(ControlFlow::Continue(()))
        })
        .map_err(|error| error.to_string())?;
        let one = (self.at % all.len() as u64) as usize;
        let other = (one + 1 + (self.other % (all.len() as u64 - 1)) as usize) % all.len();
        let mut batch = RowBatch::default();
        batch.insert(all[one].0.clone(), all[other].1.clone());
        batch.insert(all[other].0.clone(), all[one].1.clone());
        rows.apply(batch).map_err(|error| error.to_string())?;
        rows.flush().map_err(|error| error.to_string())?;
        rows.close().map_err(|error| error.to_string())
    }

    /// Swaps two frames of a segment; with fewer than two, cuts the segment short.
    fn swap_frames(&self, bytes: &[u8]) -> Vec<u8> {
        let (head, mut rest) = bytes.split_at(HEADER_BYTES.min(bytes.len()));
        let mut frames = Vec::new();
        while let Some(length) = rest.first_chunk::<4>() {
            let whole = FRAME_BYTES + u32::from_be_bytes(*length) as usize;
            let Some((frame, after)) = rest.split_at_checked(whole) else {
                break;
            };
            frames.push(frame);
            rest = after;
        }
        if frames.len() < 2 {
            return bytes[..bytes.len() / 2].to_vec();
        }
        let one = (self.at % frames.len() as u64) as usize;
        let other = (one + 1 + (self.other % (frames.len() as u64 - 1)) as usize) % frames.len();
        frames.swap(one, other);
        [head]
            .into_iter()
            .chain(frames)
            .chain([rest])
            .collect::<Vec<_>>()
            .concat()
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.strip_prefix(STORE).unwrap_or(&self.file);
        write!(f, "{} in {}", self.kind.word(), file.display())
    }
}

/// Length of the head of a segment.
const HEADER_BYTES: usize = 8 + 2 + 4 + 8 + 32 + 4;
/// What a frame is longer than its sealed bytes.
const FRAME_BYTES: usize = 4 + 8 + 32 + 4;
