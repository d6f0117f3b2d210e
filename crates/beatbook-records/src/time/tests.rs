//! Civil time against known days, and the two nights on which clocks change.

use super::*;

#[test]
fn known_days_convert_both_ways() {
    for (text, days) in [
        ("1970-01-01", 0),
        ("2000-02-29", 11_016),
        ("2026-11-22", 20_779),
        ("1969-12-31", -1),
    ] {
        assert_eq!(parse_day(text), Ok(days));
        assert_eq!(day(days), text);
    }
    for days in -200_000..200_000 {
        assert_eq!(to_days(from_days(days)), days);
    }
}

#[test]
fn what_is_no_day_is_refused() {
    for bad in [
        "",
        "2026-02-30",
        "2026-13-01",
        "2026-00-10",
        "26-1-1",
        "2026-11-31",
        "2026-1-01",
        "2026-01-01-01",
        "2026-+1-01",
    ] {
        assert_eq!(parse_day(bad), Err(TimeError::NotADay), "{bad}");
    }
}

#[test]
fn local_times_follow_the_clocks() {
    let summer = parse_instant("2026-07-01 14:05").unwrap();
    assert_eq!(
        (summer.offset_min, rfc3339(summer).as_str()),
        (60, "2026-07-01T14:05:00+01:00")
    );
    let winter = parse_instant("2026-11-07T14:05:30").unwrap();
    assert_eq!(rfc3339(winter), "2026-11-07T14:05:30+00:00");
    assert_eq!(local_day(winter), "Sat 7 Nov 2026");
    assert_eq!(local_clock(winter), "14:05");
}

#[test]
fn the_hour_that_happens_twice_needs_its_offset() {
    assert_eq!(parse_instant("2026-10-25 01:30"), Err(TimeError::Ambiguous));
    let first = parse_instant("2026-10-25T01:30+01:00").unwrap();
    let second = parse_instant("2026-10-25T01:30+00:00").unwrap();
    assert_eq!(second.utc_ms - first.utc_ms, 3_600_000);
    assert_eq!(parse_instant("2026-10-25 02:00").unwrap().offset_min, 0);
    assert_eq!(parse_instant("2026-10-25 00:59").unwrap().offset_min, 60);
}

#[test]
fn the_hour_that_never_happens_is_refused() {
    assert_eq!(parse_instant("2026-03-29 01:30"), Err(TimeError::Skipped));
    assert_eq!(parse_instant("2026-03-29 02:00").unwrap().offset_min, 60);
    assert_eq!(parse_instant("2026-03-29 00:59").unwrap().offset_min, 0);
}

#[test]
fn rfc3339_comes_back_as_it_was() {
    for text in [
        "2026-11-07T14:05:00.250+00:00",
        "2026-11-07T23:59:59-05:30",
        "1969-12-31T23:59:59.999+00:00",
    ] {
        assert_eq!(rfc3339(parse_instant(text).unwrap()), text);
    }
    assert_eq!(
        parse_instant("2026-11-07T14:05:00Z"),
        parse_instant("2026-11-07T14:05:00+00:00")
    );
}

#[test]
fn what_is_no_time_is_refused() {
    for bad in [
        "",
        "2026-11-07",
        "14:05",
        "2026-11-07 24:00",
        "2026-11-07 14:60",
        "2026-11-07 1:05",
        "2026-11-07T14:05+1",
        "2026-11-07T14:05+15:00",
        "caf\u{e9} caf\u{e9} caf\u{e9}",
    ] {
        assert_eq!(parse_instant(bad), Err(TimeError::NotATime), "{bad}");
    }
}
