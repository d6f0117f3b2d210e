//! Grid references against published points.

use super::*;

#[test]
fn the_guide_s_worked_example_projects() {
    // Ordnance Survey's guide: 52 39 27.2531 N, 1 43 4.5177 E (OSGB36) is TG 51409 13177.
    let lat = (52.0 + 39.0 / 60.0 + 27.2531 / 3600.0_f64).to_radians();
    let lon = (1.0 + 43.0 / 60.0 + 4.5177 / 3600.0_f64).to_radians();
    let (easting, northing) = project(lat, lon);
    assert!((easting - 651_409.903).abs() < 0.01, "{easting}");
    assert!((northing - 313_177.270).abs() < 0.01, "{northing}");
    let parsed = parse("TG 51409 13177").unwrap();
    assert_eq!((parsed.easting_m, parsed.northing_m), (651_409, 313_177));
    assert_eq!(parsed.to_string(), "TG 51409 13177");
}

#[test]
fn a_wgs84_position_lands_within_ten_metres() {
    // The same point in WGS84.
    let point = Point {
        lat_e7: 526_579_786,
        lon_e7: 17_160_519,
    };
    let grid = from_point(point).unwrap();
    assert!(grid.easting_m.abs_diff(651_409) < 10, "{grid}");
    assert!(grid.northing_m.abs_diff(313_177) < 10, "{grid}");
}

#[test]
fn references_of_every_length_parse_and_bad_ones_do_not() {
    for good in [
        "ST57",
        "ST 58 72",
        "ST587729",
        "ST 5872 7299",
        "ST 58723 72994",
        "HP 62 09",
        "SV 91 10",
    ] {
        assert!(parse(good).is_some(), "{good}");
    }
    for bad in [
        "",
        "S",
        "ST",
        "ST5",
        "ST 58723 7299",
        "SI 58 72",
        "st 58 72",
        "ST 587236 729945",
        "AA 11 11",
        "ST 5x 72",
    ] {
        assert!(parse(bad).is_none(), "{bad}");
    }
}

#[test]
fn every_parsed_reference_to_the_metre_prints_as_it_was() {
    for text in [
        "ST 58723 72994",
        "SV 91000 10000",
        "HP 62000 09000",
        "NT 25000 73000",
        "TQ 30000 80000",
    ] {
        assert_eq!(parse(text).unwrap().to_string(), text);
    }
}

#[test]
fn outside_the_grid_there_is_no_reference() {
    assert!(from_point(Point { lat_e7: 0, lon_e7: 0 }).is_none());
    assert!(
        from_point(Point {
            lat_e7: i32::MAX,
            lon_e7: i32::MIN
        })
        .is_none()
    );
    assert!(!in_uk(Point {
        lat_e7: 488_000_000,
        lon_e7: 23_000_000
    }));
    assert!(in_uk(Point {
        lat_e7: 514_500_000,
        lon_e7: -26_000_000
    }));
}
