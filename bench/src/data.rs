//! Reads the peers' records and writes them as notes, contacts and patrols.
//!
//! A note becomes a note, a contact a contact; a patrol becomes a segment and as many breadcrumbs as its track needs,
//! since a breadcrumb holds five minutes at most.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use beatbook_field::Notebook;
use beatbook_field::proto::track::TrackPoint;
use beatbook_field::proto::{Instant, Point};
use beatbook_field::records::build::{Breadcrumb, Contact, Location, Note, Segment, Setting};
use beatbook_field::records::schema::{CHUNK_MS_MAX, POINTS_MAX};
use beatbook_field::records::vocabulary::{FixSource, NoteKind, PatrolMode};
use serde_json::Value;
use tempfile::TempDir;

use crate::Failure;

/// Records to be written.
pub struct Records(Vec<Value>);

impl Records {
    /// Reads JSON Lines.
    pub fn read(file: &Path) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
        Ok(Self(
            text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?,
        ))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Writes them all, several at a time, and returns how many entries that made.
    pub fn write(&self, book: &Notebook) -> Result<u64, Failure> {
        let (next, entries) = (AtomicUsize::new(0), AtomicU64::new(0));
        std::thread::scope(|scope| {
            let writer = || -> Result<(), Failure> {
                while let Some(record) = self.0.get(next.fetch_add(1, Ordering::Relaxed)) {
                    entries.fetch_add(write(book, record)?, Ordering::Relaxed);
                }
                Ok(())
            };
            let writers: Vec<_> = (0..WRITERS).map(|_| scope.spawn(writer)).collect();
            writers
                .into_iter()
                .try_for_each(|writer| writer.join().map_err(|_| "a writer panicked")?)
        })?;
        Ok(entries.into_inner())
    }
}

/// A temporary folder, in `dir` if one is given.
pub fn folder(dir: Option<PathBuf>) -> Result<TempDir, Failure> {
    Ok(match dir {
        Some(dir) => TempDir::new_in(dir)?,
        None => TempDir::new()?,
    })
}

/// Bytes that the files of a folder take on disk.
pub fn disk_bytes(folder: &Path) -> Result<u64, Failure> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += match metadata.is_dir() {
            true => disk_bytes(&entry.path())?,
            false => 512 * metadata.blocks(),
        };
    }
    Ok(bytes)
}

fn write(book: &Notebook, record: &Value) -> Result<u64, Failure> {
    let text = |name: &str| record[name].as_str().unwrap_or_default().to_owned();
    let created_ms = record["created_at"].as_i64().unwrap_or_default();
    let at = Instant {
        utc_ms: created_ms,
        offset_min: 0,
    };
    let mut setting = Setting::at(format!("52/{}", text("beat")), at);
    // The records are older than their writing; the law of the notebook asks why.
    setting.delay_reason = Some("benchmark".into());
    match record["type"].as_str() {
        Some("note") => {
            let body = format!("{}\n{}", text("title"), text("text"));
            book.notes()
                .write(Note::new(setting, NoteKind::Observation, body))?;
            Ok(1)
        }
        Some("contact") => {
            setting.location = Some(Location {
                address_text: Some(text("address")),
                ..Location::fix(point(&record["lat"], &record["lon"]), 50, FixSource::Gnss)
            });
            let summary = format!(
                "{} {} {} {}",
                text("name"),
                text("phone"),
                text("topic"),
                text("text")
            );
            book.contacts().record(Contact {
                summary: Some(summary),
                ..Contact::at(setting)
            })?;
            Ok(1)
        }
        _ => {
            let mut segment = Segment::new(setting.clone(), PatrolMode::Foot);
            segment.summary = Some(format!("{} {}", text("route"), text("text")));
            let segment = book.patrol().start(segment)?.record;
            let mut chunks = 0;
            for points in chunked(record, created_ms) {
                let setting = setting.clone();
                let crumb = Breadcrumb {
                    setting,
                    points,
                    offset_min: 0,
                    segment: Some(segment),
                    duty_state: None,
                };
                book.patrol().breadcrumb(crumb)?;
                chunks += 1;
            }
            Ok(1 + chunks)
        }
    }
}

/// Cuts a track where a breadcrumb is full.
fn chunked(record: &Value, created_ms: i64) -> Vec<Vec<TrackPoint>> {
    let mut chunks: Vec<Vec<TrackPoint>> = Vec::new();
    for fix in record["track"].as_array().into_iter().flatten() {
        let fix = TrackPoint {
            utc_ms: created_ms + 1_000 * fix[2].as_i64().unwrap_or_default(),
            point: point(&fix[0], &fix[1]),
            accuracy_dm: 10 * u32::try_from(fix[3].as_i64().unwrap_or_default()).unwrap_or_default(),
            speed_cm_s: 0,
        };
        match chunks.last_mut() {
            Some(chunk)
                if chunk.len() < POINTS_MAX
                    && chunk
                        .first()
                        .is_some_and(|first| fix.utc_ms - first.utc_ms <= CHUNK_MS_MAX) =>
            {
                chunk.push(fix);
            }
            _ => chunks.push(vec![fix]),
        }
    }
    chunks
}

fn point(lat: &Value, lon: &Value) -> Point {
    let e7 = |degrees: &Value| (degrees.as_f64().unwrap_or_default() * 1e7) as i32;
    Point {
        lat_e7: e7(lat),
        lon_e7: e7(lon),
    }
}

/// Threads that write at once, so that group commit has something to gather.
const WRITERS: usize = 16;
