//! Times as people type and read them: local time here, milliseconds since 1970 everywhere else.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, fmt::strtime};

/// Reads RFC 3339, or `YYYY-MM-DD[ HH:MM]` in local time.
pub(crate) fn parse_time(text: &str) -> Result<i64, String> {
    let text = text.trim();
    if let Ok(timestamp) = text.parse::<Timestamp>() {
        return Ok(timestamp.as_millisecond());
    }
    let local = strtime::parse("%Y-%m-%d %H:%M", text)
        .and_then(|parsed| parsed.to_datetime())
        .or_else(|_| {
            strtime::parse("%Y-%m-%d", text)
                .and_then(|parsed| parsed.to_date())
                .map(DateTime::from)
        });
    local
        .and_then(|local| local.to_zoned(TimeZone::system()))
        .map(|zoned| zoned.timestamp().as_millisecond())
        .map_err(|_| "write a time as 2026-11-22, 2026-11-22 14:05 or 2026-11-22T14:05:00Z".to_owned())
}

/// Reads a length of time such as `15m`, in milliseconds.
pub(crate) fn parse_duration(text: &str) -> Result<i64, String> {
    let wrong = || "write a length of time as 90s, 15m, 2h or 1d".to_owned();
    let text = text.trim();
    let unit = text.chars().last().ok_or_else(wrong)?;
    let unit_ms: i64 = match unit {
        's' => 1_000,
        'm' => 60_000,
        'h' => 3_600_000,
        'd' => 86_400_000,
        _ => return Err(wrong()),
    };
    let digits = text.strip_suffix(unit).unwrap_or_default();
    let number: i64 = digits.parse().map_err(|_| wrong())?;
    number
        .checked_mul(unit_ms)
        .filter(|length| (1_000..=DURATION_MS_MAX).contains(length))
        .ok_or_else(|| "give a length of time between 1s and 30d".to_owned())
}

/// A time as people read it, in local time.
pub(crate) fn show(at_ms: i64) -> String {
    match Timestamp::from_millisecond(at_ms) {
        Ok(timestamp) => timestamp
            .to_zoned(TimeZone::system())
            .strftime("%Y-%m-%d %H:%M")
            .to_string(),
        Err(_) => "-".to_owned(),
    }
}

/// The longest life of a token.
const DURATION_MS_MAX: i64 = 30 * 86_400_000;

#[cfg(test)]
mod tests {
    //! Times as typed.

    use super::*;

    #[test]
    fn a_time_is_read_in_each_of_its_forms() {
        assert_eq!(parse_time("1970-01-01T00:00:01Z"), Ok(1_000));
        assert_eq!(parse_time("1970-01-01T01:00:01+01:00"), Ok(1_000));
        let midnight = parse_time("2026-11-22").unwrap();
        assert_eq!(
            parse_time("2026-11-22 14:05").unwrap() - midnight,
            (14 * 60 + 5) * 60_000
        );
        for wrong in ["", "tomorrow", "2026-13-01", "22/11/2026", "2026-11-22 25:00"] {
            assert!(parse_time(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_length_of_time_needs_its_unit_and_has_bounds() {
        assert_eq!(parse_duration("15m"), Ok(900_000));
        assert_eq!(parse_duration("30d"), Ok(DURATION_MS_MAX));
        for wrong in ["", "15", "m", "-1m", "0s", "31d", "1.5h", "99999999999999999999d"] {
            assert!(parse_duration(wrong).is_err(), "{wrong:?}");
        }
    }
}
