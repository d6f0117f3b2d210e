//! Tracks: GPS points, delta-coded into a byte string (04-records section 4; R-TRK-1).
//!
//! Each point is five zigzag varints: milliseconds, latitude and longitude in degrees x 1e7, accuracy in
//! decimetres, speed in cm/s; times and positions as the difference from the point before.

use std::fmt;

use crate::bounded::Bytes;
use crate::limits::{TRACK_BYTES_MAX, TRACK_POINTS_MAX};
use crate::value::Point;

/// One fix of a track.
///
/// ```
/// use beatbook_proto::{Point, track};
/// let here = Point { lat_e7: 538_000_000, lon_e7: -15_000_000 };
/// let fix = track::TrackPoint { utc_ms: 0, point: here, accuracy_dm: 50, speed_cm_s: 0 };
/// let bytes = track::encode(&[fix, fix]).unwrap();
/// assert_eq!(track::decode(&bytes), Ok(vec![fix, fix]));
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TrackPoint {
    /// Milliseconds since 1970-01-01T00:00:00Z by the device's clock.
    pub utc_ms: i64,
    /// Where.
    pub point: Point,
    /// Horizontal accuracy in decimetres, 0 if unknown.
    pub accuracy_dm: u32,
    /// Speed in centimetres a second, 0 if unknown.
    pub speed_cm_s: u32,
}

impl fmt::Debug for TrackPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TrackPoint(..)")
    }
}

/// Why a track does not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrackError {
    /// Bytes end inside a point, or a number does not fit.
    #[error("track bytes are malformed")]
    Malformed,
    /// More than [`TRACK_POINTS_MAX`] points.
    #[error("more than {TRACK_POINTS_MAX} points in a track")]
    TooMany,
}

/// Encodes points.
pub fn encode(points: &[TrackPoint]) -> Result<Bytes, TrackError> {
    if points.len() > TRACK_POINTS_MAX {
        return Err(TrackError::TooMany);
    }
    let mut bytes = Vec::with_capacity(points.len().saturating_mul(8));
    let (mut utc_ms, mut lat, mut lon) = (0_i64, 0_i64, 0_i64);
    for fix in points {
        let (next_lat, next_lon) = (i64::from(fix.point.lat_e7), i64::from(fix.point.lon_e7));
        put(&mut bytes, fix.utc_ms.wrapping_sub(utc_ms));
        put(&mut bytes, next_lat - lat);
        put(&mut bytes, next_lon - lon);
        put(&mut bytes, i64::from(fix.accuracy_dm));
        put(&mut bytes, i64::from(fix.speed_cm_s));
        (utc_ms, lat, lon) = (fix.utc_ms, next_lat, next_lon);
    }
    if bytes.len() > TRACK_BYTES_MAX {
        Err(TrackError::TooMany)
    } else {
        Ok(Bytes(bytes))
    }
}

/// Decodes points.
pub fn decode(bytes: &[u8]) -> Result<Vec<TrackPoint>, TrackError> {
    let mut rest = bytes;
    let mut points = Vec::new();
    let (mut utc_ms, mut lat, mut lon) = (0_i64, 0_i64, 0_i64);
    while !rest.is_empty() {
        if points.len() == TRACK_POINTS_MAX {
            return Err(TrackError::TooMany);
        }
        utc_ms = utc_ms.wrapping_add(take(&mut rest)?);
        lat = lat.checked_add(take(&mut rest)?).ok_or(TrackError::Malformed)?;
        lon = lon.checked_add(take(&mut rest)?).ok_or(TrackError::Malformed)?;
        let point = Point {
            lat_e7: narrow(lat)?,
            lon_e7: narrow(lon)?,
        };
        let accuracy_dm = narrow(take(&mut rest)?)?;
        let speed_cm_s = narrow(take(&mut rest)?)?;
        points.push(TrackPoint {
            utc_ms,
            point,
            accuracy_dm,
            speed_cm_s,
        });
    }
    Ok(points)
}

fn narrow<T: TryFrom<i64>>(number: i64) -> Result<T, TrackError> {
    T::try_from(number).map_err(|_| TrackError::Malformed)
}

fn put(bytes: &mut Vec<u8>, number: i64) {
    let mut zigzag = ((number << 1) ^ (number >> 63)) as u64;
    while zigzag >= 0x80 {
        bytes.push((zigzag as u8 & 0x7f) | 0x80);
        zigzag >>= 7;
    }
    bytes.push(zigzag as u8);
}

fn take(rest: &mut &[u8]) -> Result<i64, TrackError> {
    let mut zigzag = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, left) = rest.split_first().ok_or(TrackError::Malformed)?;
        *rest = left;
        let bits = u64::from(byte & 0x7f);
        // SPEC R-TRK-2: a number has one spelling, so a last byte of 0 adds nothing but length.
        if (shift == 63 && bits > 1) || (shift > 0 && *byte == 0) {
            return Err(TrackError::Malformed);
        }
        zigzag |= bits << shift;
        if byte & 0x80 == 0 {
            return Ok(((zigzag >> 1) as i64) ^ -((zigzag & 1) as i64));
        }
    }
    Err(TrackError::Malformed)
}

#[cfg(test)]
mod tests;
