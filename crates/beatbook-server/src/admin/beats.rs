//! Beats from a CSV file. A mistake is told with its line, and nothing is imported.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::register::NewBeat;

/// Reads `id,name,neighbourhood[,geojson_file]` with a header line; file names are relative to the CSV file.
pub fn read_beats(path: &Path) -> Result<Vec<NewBeat>, BeatFileError> {
    let open = |source| BeatFileError::Read {
        path: path.to_owned(),
        source,
    };
    let text = std::fs::read(path).map_err(open)?;
    let folder = path.parent().unwrap_or(Path::new(""));
    // A mark that some spreadsheets put first belongs to no column.
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text);
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .flexible(true)
        .from_reader(text);
    let header = reader.headers().map_err(|error| malformed(&error))?.clone();
    let column = |name: &str| header.iter().position(|found| found.eq_ignore_ascii_case(name));
    let needed = |name: &'static str| column(name).ok_or(BeatFileError::Column { name });
    let (id, name, neighbourhood) = (needed("id")?, needed("name")?, needed("neighbourhood")?);
    let boundary = column("geojson_file");
    let mut beats = Vec::new();
    let mut lines: BTreeMap<String, u64> = BTreeMap::new();
    for row in reader.records() {
        let row = row.map_err(|error| malformed(&error))?;
        let line = row.position().map_or(0, csv::Position::line);
        let cell = |column: usize| row.get(column).unwrap_or_default().to_owned();
        if row.iter().all(str::is_empty) {
            continue;
        }
        let beat = NewBeat {
            id: cell(id),
            name: cell(name),
            neighbourhood: cell(neighbourhood),
            boundary: match boundary.map(cell).filter(|file| !file.is_empty()) {
                Some(file) => read_boundary(&folder.join(&file), line)?,
                None => String::new(),
            },
        };
        check(&beat, line)?;
        // `52/C02` and `C02` are one beat in the force's own file.
        let short = beat.id.rsplit('/').next().unwrap_or_default().to_owned();
        if let Some(first) = lines.insert(short, line) {
            return Err(BeatFileError::Twice {
                id: beat.id,
                line,
                first,
            });
        }
        beats.push(beat);
    }
    Ok(beats)
}

/// Why a file of beats was not imported. Nothing was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BeatFileError {
    /// A boundary is no GeoJSON.
    #[error("line {line}: {} is not a GeoJSON polygon; correct it or leave the cell empty", path.display())]
    Boundary {
        /// The file with the boundary.
        path: PathBuf,
        /// The line that names it.
        line: u64,
    },
    /// A column is missing.
    #[error("the column {name} is missing; the first line is id,name,neighbourhood,geojson_file")]
    Column {
        /// The column.
        name: &'static str,
    },
    /// A cell is empty.
    #[error("line {line}: {name} is empty; give it")]
    Empty {
        /// The column.
        name: &'static str,
        /// The line.
        line: u64,
    },
    /// An id is none.
    #[error("line {line}: {id} is not a beat id; write it as C02 or 52/C02")]
    Id {
        /// What was given.
        id: String,
        /// The line.
        line: u64,
    },
    /// The file is not CSV.
    #[error("line {line}: {what}; save the file as CSV in UTF-8")]
    Malformed {
        /// The line.
        line: u64,
        /// What is wrong.
        what: String,
    },
    /// The file cannot be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A beat comes twice.
    #[error("line {line}: beat {id} was in line {first} already; keep one of them")]
    Twice {
        /// The beat.
        id: String,
        /// The line.
        line: u64,
        /// The line of the first.
        first: u64,
    },
}

fn check(beat: &NewBeat, line: u64) -> Result<(), BeatFileError> {
    for (name, cell) in [
        ("id", &beat.id),
        ("name", &beat.name),
        ("neighbourhood", &beat.neighbourhood),
    ] {
        if cell.is_empty() {
            return Err(BeatFileError::Empty { name, line });
        }
    }
    let whole = match beat.id.contains('/') {
        true => beat.id.clone(),
        // The force's own digits come later; any two show whether the rest is an id.
        false => format!("00/{}", beat.id),
    };
    if beatbook_records::schema::Form::Beat.check(&whole).is_err() {
        return Err(BeatFileError::Id {
            id: beat.id.clone(),
            line,
        });
    }
    Ok(())
}

fn read_boundary(path: &Path, line: u64) -> Result<String, BeatFileError> {
    let text = std::fs::read_to_string(path).map_err(|source| BeatFileError::Read {
        path: path.to_owned(),
        source,
    })?;
    let boundary = || -> Option<bool> {
        let value: serde_json::Value = serde_json::from_str(&text).ok()?;
        let geometry = value.get("geometry").unwrap_or(&value);
        let kind = geometry.get("type")?.as_str()?;
        Some(matches!(kind, "Polygon" | "MultiPolygon") && geometry.get("coordinates")?.is_array())
    };
    if text.len() > BOUNDARY_BYTES_MAX || boundary() != Some(true) {
        return Err(BeatFileError::Boundary {
            path: path.to_owned(),
            line,
        });
    }
    Ok(text)
}

fn malformed(error: &csv::Error) -> BeatFileError {
    BeatFileError::Malformed {
        line: error.position().map_or(0, csv::Position::line),
        what: match error.kind() {
            csv::ErrorKind::Utf8 { .. } => "the text is not UTF-8".to_owned(),
            _ => "the line does not read".to_owned(),
        },
    }
}

/// Largest boundary, in bytes.
const BOUNDARY_BYTES_MAX: usize = 1 << 20;

#[cfg(test)]
mod tests;
