//! Tracks at the ends of their numbers.

use proptest::prelude::*;

use super::*;

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_points_round_trip(points in proptest::collection::vec(point(), 0..50)) {
        let bytes = encode(&points).expect("fifty points fit");
        prop_assert_eq!(decode(&bytes), Ok(points));
    }

    #[test]
    fn bytes_that_read_are_the_bytes_that_are_written(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
        if let Ok(points) = decode(&bytes) {
            prop_assert_eq!(encode(&points).map(|track| track.0), Ok(bytes));
        }
    }
}

/// Property: times wrap, positions do not.
#[test]
fn the_widest_numbers_round_trip() {
    let at = |utc_ms, lat_e7, lon_e7| TrackPoint {
        utc_ms,
        point: Point { lat_e7, lon_e7 },
        accuracy_dm: u32::MAX,
        speed_cm_s: u32::MAX,
    };
    let points = vec![
        at(i64::MAX, i32::MAX, i32::MIN),
        at(i64::MIN, i32::MIN, i32::MAX),
        at(-1, 0, -1),
    ];
    let bytes = encode(&points).expect("three points fit");
    assert_eq!(decode(&bytes), Ok(points));
    assert_eq!(decode(&[]), Ok(Vec::new()));
}

/// Property: one point over the limit is neither written nor read, and nor are too many bytes.
#[test]
fn the_limits_hold_both_ways() {
    let still = TrackPoint {
        utc_ms: 0,
        point: Point { lat_e7: 0, lon_e7: 0 },
        accuracy_dm: 0,
        speed_cm_s: 0,
    };
    let most = encode(&vec![still; TRACK_POINTS_MAX]).expect("the most points fit");
    assert_eq!(decode(&most).map(|points| points.len()), Ok(TRACK_POINTS_MAX));
    assert_eq!(
        encode(&vec![still; TRACK_POINTS_MAX + 1]),
        Err(TrackError::TooMany)
    );
    assert_eq!(decode(&[&most[..], &[0; 5]].concat()), Err(TrackError::TooMany));
    let far = |place: usize| TrackPoint {
        utc_ms: if place.is_multiple_of(2) { i64::MAX } else { 1 },
        point: Point {
            lat_e7: if place.is_multiple_of(2) {
                i32::MAX
            } else {
                i32::MIN
            },
            lon_e7: if place.is_multiple_of(2) {
                i32::MIN
            } else {
                i32::MAX
            },
        },
        accuracy_dm: u32::MAX,
        speed_cm_s: u32::MAX,
    };
    let wide: Vec<TrackPoint> = (0..TRACK_POINTS_MAX).map(far).collect();
    match encode(&wide) {
        Ok(bytes) => assert_eq!(decode(&bytes), Ok(wide)),
        Err(error) => assert_eq!(error, TrackError::TooMany),
    }
}

fn point() -> impl Strategy<Value = TrackPoint> {
    (
        any::<i64>(),
        any::<i32>(),
        any::<i32>(),
        any::<u32>(),
        any::<u32>(),
    )
        .prop_map(|(utc_ms, lat_e7, lon_e7, accuracy_dm, speed_cm_s)| TrackPoint {
            utc_ms,
            point: Point { lat_e7, lon_e7 },
            accuracy_dm,
            speed_cm_s,
        })
}
