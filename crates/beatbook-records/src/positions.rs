//! Positions as they are given: on the command line, in a GPX file, in a CSV file; cut into chunks that a record
//! holds.

use beatbook_proto::Point;
use beatbook_proto::track::TrackPoint;

use crate::schema::{CHUNK_MS_MAX, POINTS_MAX};

/// Why positions cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PositionsError {
    /// A cell of a CSV file does not read.
    #[error("line {line}: {column} does not read: write time as 2026-11-07T14:05:00Z and degrees as 51.4637")]
    Cell {
        /// The line, counted from 1.
        line: u64,
        /// The column.
        column: &'static str,
    },
    /// A column is missing.
    #[error(
        "the column {0} is missing: the first line names the columns time, lat, lon[, accuracy_m, speed_cm_s]"
    )]
    Column(&'static str),
    /// The file holds no position.
    #[error("there is no position in it: give a GPX track or a CSV file with one position a line")]
    Empty,
    /// A position on the command line does not read.
    #[error("{0:?} is not a position: write latitude,longitude[,accuracy in metres], as 51.4637,-2.5890,8")]
    Fix(String),
    /// The file is neither.
    #[error("it is neither a GPX file nor a CSV file ({0})")]
    Form(String),
    /// A point of a GPX file is incomplete.
    #[error("point {number} of the track lacks its {what} or it does not read: export the track with times")]
    Gpx {
        /// The point, counted from 1.
        number: usize,
        /// What is missing.
        what: &'static str,
    },
}

/// Reads positions of the command line: the first at `start_ms`, the others a sampling interval apart.
pub fn from_arguments(fixes: &[String], start_ms: i64) -> Result<Vec<TrackPoint>, PositionsError> {
    let mut points = Vec::with_capacity(fixes.len());
    let mut at_ms = start_ms;
    for fix in fixes {
        points.push(one(fix, at_ms).ok_or_else(|| PositionsError::Fix(fix.clone()))?);
        at_ms = at_ms.saturating_add(SAMPLING_MS);
    }
    Ok(points)
}

/// Reads a GPX or a CSV file, told apart by their first character; the points come in order of time.
pub fn from_file(text: &str) -> Result<Vec<TrackPoint>, PositionsError> {
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let mut points = match text.starts_with('<') {
        true => from_gpx(text)?,
        false => from_csv(text)?,
    };
    if points.is_empty() {
        return Err(PositionsError::Empty);
    }
    points.sort_by_key(|point| point.utc_ms);
    Ok(points)
}

/// Cuts a track into chunks that one record holds: five minutes or 64 points at most.
pub fn chunks(points: &[TrackPoint]) -> Vec<&[TrackPoint]> {
    let mut chunks = Vec::new();
    let mut rest = points;
    while let Some(first) = rest.first() {
        let fits = |point: &TrackPoint| point.utc_ms.saturating_sub(first.utc_ms) <= CHUNK_MS_MAX;
        let count = rest
            .iter()
            .take(POINTS_MAX)
            .take_while(|point| fits(point))
            .count();
        let (chunk, later) = rest.split_at(count.max(1));
        chunks.push(chunk);
        rest = later;
    }
    chunks
}

fn one(fix: &str, utc_ms: i64) -> Option<TrackPoint> {
    let parts: Vec<&str> = fix.split(',').map(str::trim).collect();
    let (lat, lon, accuracy) = match parts.as_slice() {
        [lat, lon] => (lat, lon, None),
        [lat, lon, accuracy] => (lat, lon, Some(*accuracy)),
        _ => return None,
    };
    point(utc_ms, lat, lon, accuracy, None)
}

fn point(
    utc_ms: i64,
    lat: &str,
    lon: &str,
    accuracy_m: Option<&str>,
    speed_cm_s: Option<&str>,
) -> Option<TrackPoint> {
    Some(TrackPoint {
        utc_ms,
        point: Point {
            lat_e7: degrees(lat, 90.0)?,
            lon_e7: degrees(lon, 180.0)?,
        },
        accuracy_dm: scaled(accuracy_m, 10.0)?,
        speed_cm_s: scaled(speed_cm_s, 1.0)?,
    })
}

fn from_csv(text: &str) -> Result<Vec<TrackPoint>, PositionsError> {
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .flexible(true)
        .from_reader(text.as_bytes());
    let form = |error: csv::Error| PositionsError::Form(error.to_string());
    let headings = reader.headers().map_err(form)?.clone();
    let column = |name: &str| {
        headings
            .iter()
            .position(|heading| heading.eq_ignore_ascii_case(name))
    };
    let needed = |name: &'static str| column(name).ok_or(PositionsError::Column(name));
    let (time, lat, lon) = (needed("time")?, needed("lat")?, needed("lon")?);
    let (accuracy, speed) = (column("accuracy_m"), column("speed_cm_s"));
    let mut points = Vec::new();
    for row in reader.records() {
        let row = row.map_err(form)?;
        let line = row.position().map_or(0, csv::Position::line);
        let wrong = |column| PositionsError::Cell { line, column };
        let optional = |at: Option<usize>| at.and_then(|at| row.get(at)).filter(|cell| !cell.is_empty());
        let at_ms = row
            .get(time)
            .and_then(|text| crate::time::parse_instant(text).ok())
            .ok_or(wrong("time"))?
            .utc_ms;
        let (lat, lon) = (row.get(lat).unwrap_or(""), row.get(lon).unwrap_or(""));
        degrees(lat, 90.0).ok_or(wrong("lat"))?;
        degrees(lon, 180.0).ok_or(wrong("lon"))?;
        points.push(point(at_ms, lat, lon, optional(accuracy), optional(speed)).ok_or(wrong("accuracy_m"))?);
    }
    Ok(points)
}

fn from_gpx(text: &str) -> Result<Vec<TrackPoint>, PositionsError> {
    let tree = roxmltree::Document::parse(text).map_err(|error| PositionsError::Form(error.to_string()))?;
    let tracked = tree
        .descendants()
        .filter(|element| element.has_tag_name("trkpt") || element.tag_name().name() == "trkpt");
    tracked
        .enumerate()
        .map(|(index, element)| {
            let lacks = |what| PositionsError::Gpx {
                number: index + 1,
                what,
            };
            let child = |name: &str| {
                let child = element.children().find(|child| child.tag_name().name() == name);
                child.and_then(|child| child.text()).map(str::trim)
            };
            let at = child("time").and_then(|text| crate::time::parse_instant(text).ok());
            let lat = element.attribute("lat").ok_or(lacks("latitude"))?;
            let lon = element.attribute("lon").ok_or(lacks("longitude"))?;
            point(at.ok_or(lacks("time"))?.utc_ms, lat, lon, None, None).ok_or(lacks("position"))
        })
        .collect()
}

/// Degrees as a whole number of ten-millionths, within bounds.
fn degrees(text: &str, bound: f64) -> Option<i32> {
    let degrees: f64 = text.trim().parse().ok()?;
    // 180 times ten million fits 32 bits; what is no number lies in no range.
    (-bound..=bound)
        .contains(&degrees)
        .then(|| (degrees * 10_000_000.0).round() as i32)
}

/// An optional measure as a whole number of smaller units, 0 where it is not given.
fn scaled(text: Option<&str>, factor: f64) -> Option<u32> {
    let Some(text) = text else { return Some(0) };
    let measure: f64 = text.trim().parse().ok()?;
    (0.0..=MEASURE_MAX)
        .contains(&measure)
        .then(|| (measure * factor).round() as u32)
}

/// Between positions given without times: as a device on foot samples them.
const SAMPLING_MS: i64 = 15_000;
/// A hundred kilometres, and a kilometre a second: beyond that a receiver has lost its way.
const MEASURE_MAX: f64 = 100_000.0;

#[cfg(test)]
mod tests;
