//! Times as officers write them, and the clock of this device. The only place that reads it.

use std::time::{SystemTime, UNIX_EPOCH};

use beatbook_proto::Instant;
use beatbook_records::time::{TimeError, parse_day, parse_instant, uk_instant};

/// A moment given on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(pub(crate) Instant);

impl Moment {
    /// Reads RFC 3339, `YYYY-MM-DD HH:MM` or `YYYY-MM-DD`, which is the beginning of that day.
    pub(crate) fn parse(text: &str) -> Result<Self, TimeError> {
        match parse_day(text) {
            Ok(_) => parse_instant(&format!("{} 00:00", text.trim())).map(Self),
            Err(_) => parse_instant(text).map(Self),
        }
    }

    /// Reads the end of a range: a day alone means to its end.
    pub(crate) fn parse_end(text: &str) -> Result<Self, TimeError> {
        match parse_day(text) {
            Ok(day) => {
                let next = beatbook_records::time::day(day.saturating_add(1));
                parse_instant(&format!("{next} 00:00")).map(Self)
            }
            Err(_) => parse_instant(text).map(Self),
        }
    }

    /// Reads `FROM/TO`.
    pub(crate) fn parse_pair(text: &str) -> Result<(Self, Self), String> {
        let (from, to) = text
            .split_once('/')
            .ok_or("is not a range of times: write it as \"2026-11-07 14:00/2026-11-07 22:00\"")?;
        let from = Self::parse(from).map_err(|error| format!("begins with what {error}"))?;
        let to = Self::parse(to).map_err(|error| format!("ends with what {error}"))?;
        match from < to {
            true => Ok((from, to)),
            false => Err("ends before it begins".to_owned()),
        }
    }
}

/// What the clock of this device says, as the United Kingdom's clocks show it.
pub(crate) fn now() -> Instant {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    uk_instant(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// Day and time, short: `2026-11-07 14:05`.
pub(crate) fn stamp(instant: Instant) -> String {
    let full = beatbook_records::time::rfc3339(instant);
    full.get(..16)
        .map_or_else(String::new, |text| text.replace('T', " "))
}

/// How long ago something was, in words: `3 min`, `2 h 5 min`, `4 days`.
pub(crate) fn age(ms: i64) -> String {
    let minutes = ms.max(0) / 60_000;
    match minutes {
        0 => "under a minute".to_owned(),
        1..=59 => format!("{minutes} min"),
        60..=1_439 => format!("{} h {} min", minutes / 60, minutes % 60),
        1_440..=2_879 => "1 day".to_owned(),
        _ => format!("{} days", minutes / 1_440),
    }
}

#[cfg(test)]
mod tests;
