//! Times read as the contract says.

use super::*;

fn shown(moment: Moment) -> String {
    beatbook_records::time::rfc3339(moment.0)
}

#[test]
fn a_time_is_rfc_3339_or_local() {
    for (text, wanted) in [
        ("2026-11-07T14:05:00+00:00", "2026-11-07T14:05:00+00:00"),
        ("2026-11-07T14:05:00Z", "2026-11-07T14:05:00+00:00"),
        ("2026-11-07 14:05", "2026-11-07T14:05:00+00:00"),
        ("2026-07-07 14:05", "2026-07-07T14:05:00+01:00"),
        ("2026-07-07", "2026-07-07T00:00:00+01:00"),
    ] {
        assert_eq!(shown(Moment::parse(text).unwrap()), wanted, "{text}");
    }
}

#[test]
fn the_end_of_a_day_is_the_beginning_of_the_next() {
    assert_eq!(
        shown(Moment::parse_end("2026-10-25").unwrap()),
        "2026-10-26T00:00:00+00:00"
    );
    assert_eq!(
        shown(Moment::parse_end("2026-12-31").unwrap()),
        "2027-01-01T00:00:00+00:00"
    );
    assert_eq!(
        shown(Moment::parse_end("2026-11-07 14:05").unwrap()),
        "2026-11-07T14:05:00+00:00"
    );
}

#[test]
fn what_is_no_time_is_refused_with_a_reason() {
    for text in [
        "",
        "today",
        "2026-13-01",
        "2026-02-30",
        "14:05",
        "2026-11-07 25:00",
        "2026-11-07T14",
    ] {
        assert_eq!(Moment::parse(text), Err(TimeError::NotATime), "{text}");
    }
    assert_eq!(Moment::parse("2026-10-25 01:30"), Err(TimeError::Ambiguous));
    assert_eq!(Moment::parse("2026-03-29 01:30"), Err(TimeError::Skipped));
}

#[test]
fn a_pair_has_an_order() {
    assert!(Moment::parse_pair("2026-11-07 14:00/2026-11-07 22:00").is_ok());
    assert!(Moment::parse_pair("2026-11-07 22:00/2026-11-07 14:00").is_err());
    assert!(Moment::parse_pair("2026-11-07 22:00").is_err());
}

#[test]
fn ages_read_like_ages() {
    for (ms, wanted) in [
        (0, "under a minute"),
        (-5, "under a minute"),
        (180_000, "3 min"),
        (7_500_000, "2 h 5 min"),
        (86_400_000, "1 day"),
        (4 * 86_400_000, "4 days"),
    ] {
        assert_eq!(age(ms), wanted);
    }
}
