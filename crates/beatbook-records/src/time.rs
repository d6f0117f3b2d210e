//! Civil time: reading and showing moments and days, with the clock of the United Kingdom by law.
//!
//! Summer time runs from 01:00 UTC on the last Sunday of March to 01:00 UTC on the last Sunday of October.
//! No clock is read here.

use beatbook_proto::Instant;

/// Why a text is not a moment or a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TimeError {
    /// The clocks went back: the local time happened twice.
    #[error("happened twice that night: write it with its offset, as 2026-10-25T01:30+01:00")]
    Ambiguous,
    /// Not a time at all.
    #[error("is not a time: write it as 2026-11-07 14:05 or 2026-11-07T14:05:00+00:00")]
    NotATime,
    /// Not a day.
    #[error("is not a day: write it as 2026-11-07")]
    NotADay,
    /// The clocks went forward: the local time did not happen.
    #[error("did not happen that night: the clocks went forward; check the hour")]
    Skipped,
}

/// A day of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Civil {
    year: i64,
    month: i64,
    day: i64,
}

/// Reads a moment: RFC 3339 with an offset, or local time `YYYY-MM-DD HH:MM[:SS]`.
///
/// # Errors
/// The text is no time, or a local time that happened twice or never.
pub fn parse_instant(text: &str) -> Result<Instant, TimeError> {
    let text = text.trim();
    let (day, rest) = text.split_at_checked(10).ok_or(TimeError::NotATime)?;
    let days = i64::from(parse_day(day).map_err(|_| TimeError::NotATime)?);
    let rest = rest.strip_prefix(['T', 't', ' ']).ok_or(TimeError::NotATime)?;
    let (clock, offset) = match rest.find(['Z', 'z', '+', '-']) {
        Some(at) => {
            let (clock, offset) = rest.split_at_checked(at).ok_or(TimeError::NotATime)?;
            (clock, Some(parse_offset(offset)?))
        }
        None => (rest, None),
    };
    let local_ms = days * DAY_MS + parse_clock(clock)?;
    let offset_min = match offset {
        Some(offset_min) => offset_min,
        None => uk_offset_of_local(local_ms)?,
    };
    Ok(Instant {
        utc_ms: local_ms - i64::from(offset_min) * MINUTE_MS,
        offset_min,
    })
}

/// Reads a day, `YYYY-MM-DD`, as days since 1970-01-01.
///
/// # Errors
/// The text is no day of the calendar.
pub fn parse_day(text: &str) -> Result<i32, TimeError> {
    let mut parts = text.trim().split('-');
    let mut next = |length: usize| {
        let part = parts
            .next()
            .filter(|part| part.len() == length && part.bytes().all(|byte| byte.is_ascii_digit()));
        part.and_then(|part| part.parse::<i64>().ok())
            .ok_or(TimeError::NotADay)
    };
    let civil = Civil {
        year: next(4)?,
        month: next(2)?,
        day: next(2)?,
    };
    if parts.next().is_some() || !(1..=12).contains(&civil.month) || !(1..=31).contains(&civil.day) {
        return Err(TimeError::NotADay);
    }
    let days = to_days(civil);
    // The 31st of a shorter month comes back as another day.
    if from_days(days) != civil {
        return Err(TimeError::NotADay);
    }
    i32::try_from(days).map_err(|_| TimeError::NotADay)
}

/// The offset of clocks in the United Kingdom at a moment, in minutes: 0, or 60 in summer.
pub fn uk_offset_min(utc_ms: i64) -> i16 {
    let year = from_days(utc_ms.div_euclid(DAY_MS)).year;
    let hour_one = |month| last_sunday(year, month) * DAY_MS + 60 * MINUTE_MS;
    let summer = (hour_one(3)..hour_one(10)).contains(&utc_ms);
    i16::from(summer) * 60
}

/// A moment as the United Kingdom's clocks show it.
pub fn uk_instant(utc_ms: i64) -> Instant {
    Instant {
        utc_ms,
        offset_min: uk_offset_min(utc_ms),
    }
}

/// RFC 3339 with offset; milliseconds only where there are any.
pub fn rfc3339(instant: Instant) -> String {
    let (days, ms) = local(instant);
    let offset = i64::from(instant.offset_min);
    let sign = if offset < 0 { '-' } else { '+' };
    let fraction = match ms % 1_000 {
        0 => String::new(),
        ms => format!(".{ms:03}"),
    };
    let (hour, minute) = (offset.abs() / 60, offset.abs() % 60);
    format!(
        "{}T{}:{:02}{fraction}{sign}{hour:02}:{minute:02}",
        day_text(days),
        clock_text(ms),
        ms / 1_000 % 60,
    )
}

/// A day as `YYYY-MM-DD`.
pub fn day(days: i32) -> String {
    day_text(i64::from(days))
}

/// The local clock, 24 hours: `14:05`.
pub fn local_clock(instant: Instant) -> String {
    clock_text(local(instant).1)
}

/// The local day: `Sat 7 Nov 2026`.
pub fn local_day(instant: Instant) -> String {
    let (days, _) = local(instant);
    let civil = from_days(days);
    // 1970-01-01 was a Thursday.
    let weekday = pick(&WEEKDAYS, (days + 3).rem_euclid(7));
    let month = pick(&MONTHS, civil.month - 1);
    format!("{weekday} {} {month} {}", civil.day, civil.year)
}

/// Day since 1970 and millisecond of the day, by local time.
fn local(instant: Instant) -> (i64, i64) {
    let ms = instant
        .utc_ms
        .saturating_add(i64::from(instant.offset_min) * MINUTE_MS);
    (ms.div_euclid(DAY_MS), ms.rem_euclid(DAY_MS))
}

fn clock_text(ms: i64) -> String {
    format!("{:02}:{:02}", ms / 3_600_000, ms / MINUTE_MS % 60)
}

fn day_text(days: i64) -> String {
    let civil = from_days(days);
    format!("{:04}-{:02}-{:02}", civil.year, civil.month, civil.day)
}

fn pick(names: &[&'static str], index: i64) -> &'static str {
    usize::try_from(index)
        .ok()
        .and_then(|index| names.get(index))
        .copied()
        .unwrap_or("?")
}

/// Milliseconds of the day from `HH:MM`, `HH:MM:SS` or `HH:MM:SS.fff`.
fn parse_clock(text: &str) -> Result<i64, TimeError> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let parts: Vec<i64> = whole
        .split(':')
        .map(|part| two_digits(part).ok_or(TimeError::NotATime))
        .collect::<Result<_, _>>()?;
    let (hour, minute, second) = match parts.as_slice() {
        [hour, minute] if fraction.is_empty() => (*hour, *minute, 0),
        [hour, minute, second] => (*hour, *minute, *second),
        _ => return Err(TimeError::NotATime),
    };
    let digits = fraction.len() <= 9 && fraction.bytes().all(|byte| byte.is_ascii_digit());
    if hour > 23 || minute > 59 || second > 59 || !digits {
        return Err(TimeError::NotATime);
    }
    let ms = format!("{fraction:0<3}")
        .get(..3)
        .and_then(|digits| digits.parse::<i64>().ok())
        .ok_or(TimeError::NotATime)?;
    Ok(((hour * 60 + minute) * 60 + second) * 1_000 + ms)
}

/// Minutes from `Z`, `+01:00` or `+0100`.
fn parse_offset(text: &str) -> Result<i16, TimeError> {
    if text.eq_ignore_ascii_case("z") {
        return Ok(0);
    }
    let (sign, rest) = match text.split_at_checked(1) {
        Some(("+", rest)) => (1, rest),
        Some(("-", rest)) => (-1, rest),
        _ => return Err(TimeError::NotATime),
    };
    let (hour, minute) = rest
        .split_once(':')
        .or_else(|| rest.split_at_checked(2))
        .ok_or(TimeError::NotATime)?;
    let (hour, minute) = two_digits(hour)
        .zip(two_digits(minute))
        .ok_or(TimeError::NotATime)?;
    if hour > 14 || minute > 59 {
        return Err(TimeError::NotATime);
    }
    i16::try_from(sign * (hour * 60 + minute)).map_err(|_| TimeError::NotATime)
}

fn two_digits(text: &str) -> Option<i64> {
    (text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| text.parse().ok())
        .flatten()
}

/// The offset at a local time, where exactly one offset makes it happen.
fn uk_offset_of_local(local_ms: i64) -> Result<i16, TimeError> {
    let happens = |offset: i16| uk_offset_min(local_ms - i64::from(offset) * MINUTE_MS) == offset;
    match (happens(0), happens(60)) {
        (true, true) => Err(TimeError::Ambiguous),
        (true, false) => Ok(0),
        (false, true) => Ok(60),
        (false, false) => Err(TimeError::Skipped),
    }
}

/// The last Sunday of a month of 31 days, in days since 1970.
fn last_sunday(year: i64, month: i64) -> i64 {
    let last = to_days(Civil { year, month, day: 31 });
    last - (last + 4).rem_euclid(7)
}

/// Days since 1970 of a civil date: the well-known era arithmetic of the Gregorian calendar.
fn to_days(civil: Civil) -> i64 {
    let year = civil.year - i64::from(civil.month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((civil.month + 9) % 12) + 2) / 5 + civil.day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

fn from_days(days: i64) -> Civil {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let month = (shifted_month + 2) % 12 + 1;
    Civil {
        year: era * 400 + year_of_era + i64::from(month <= 2),
        month,
        day: day_of_year - (153 * shifted_month + 2) / 5 + 1,
    }
}

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 86_400_000;
const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

#[cfg(test)]
mod tests;
