//! Positions read from every source, and are cut into chunks that a record holds.

use super::*;

fn at(lat_e7: i32, lon_e7: i32) -> Point {
    Point { lat_e7, lon_e7 }
}

#[test]
fn positions_of_the_command_line_read() {
    let points = from_arguments(&["51.4637,-2.5890,8".into(), "51.4638, -2.5891".into()], 1_000).unwrap();
    assert_eq!(points[0].point, at(514_637_000, -25_890_000));
    assert_eq!((points[0].utc_ms, points[0].accuracy_dm), (1_000, 80));
    assert_eq!((points[1].utc_ms, points[1].accuracy_dm), (16_000, 0));
}

#[test]
fn what_is_no_position_is_refused() {
    for fix in [
        "",
        "51.4",
        "51.4;-2.5",
        "91,0",
        "0,181",
        "NaN,0",
        "inf,0",
        "51,-2,x",
        "51,-2,-1",
        "51,-2,3,4",
    ] {
        assert_eq!(
            from_arguments(&[fix.into()], 0),
            Err(PositionsError::Fix(fix.into())),
            "{fix}"
        );
    }
}

#[test]
fn a_csv_file_reads_in_order_of_time() {
    let text = "time,lat,lon,accuracy_m,speed_cm_s\n\
                2026-11-07T14:05:15Z,51.4638,-2.5891,,\n\
                2026-11-07T14:05:00Z,51.4637,-2.5890,7.5,120\n";
    let points = from_file(text).unwrap();
    assert_eq!(points[0].point, at(514_637_000, -25_890_000));
    assert_eq!((points[0].accuracy_dm, points[0].speed_cm_s), (75, 120));
    assert_eq!(points[1].utc_ms - points[0].utc_ms, 15_000);
}

#[test]
fn a_wrong_cell_is_named_with_its_line() {
    let wrong = |text: &str| from_file(text).unwrap_err();
    let heading = "time,lat,lon\n2026-11-07T14:05:00Z,51.4,-2.5\n";
    assert_eq!(
        wrong(&format!("{heading}yesterday,51.4,-2.5\n")),
        PositionsError::Cell {
            line: 3,
            column: "time"
        }
    );
    assert_eq!(
        wrong(&format!("{heading}2026-11-07T14:05:00Z,north,-2.5\n")),
        PositionsError::Cell {
            line: 3,
            column: "lat"
        }
    );
    assert_eq!(wrong("time,lat\n"), PositionsError::Column("lon"));
    assert_eq!(wrong("time,lat,lon\n"), PositionsError::Empty);
}

#[test]
fn a_gpx_file_reads() {
    let text = r#"<?xml version="1.0"?>
        <gpx version="1.1" xmlns="http://www.topografix.com/GPX/1/1"><trk><trkseg>
        <trkpt lat="51.4637" lon="-2.5890"><ele>12</ele><time>2026-11-07T14:05:00Z</time></trkpt>
        <trkpt lat="51.4638" lon="-2.5891"><time>2026-11-07T14:05:15Z</time></trkpt>
        </trkseg></trk></gpx>"#;
    let points = from_file(text).unwrap();
    assert_eq!(points.len(), 2);
    assert_eq!(points[1].point, at(514_638_000, -25_891_000));
    let lacking = text.replace("<time>2026-11-07T14:05:15Z</time>", "");
    assert_eq!(
        from_file(&lacking),
        Err(PositionsError::Gpx {
            number: 2,
            what: "time"
        })
    );
    assert!(matches!(from_file("<gpx><trk>"), Err(PositionsError::Form(_))));
}

#[test]
fn chunks_hold_what_a_record_holds() {
    let fix = |utc_ms| TrackPoint {
        utc_ms,
        point: at(0, 0),
        accuracy_dm: 0,
        speed_cm_s: 0,
    };
    let dense: Vec<TrackPoint> = (0..150).map(|second| fix(second * 1_000)).collect();
    let sizes: Vec<usize> = chunks(&dense).iter().map(|chunk| chunk.len()).collect();
    assert_eq!(sizes, [64, 64, 22]);
    let sparse: Vec<TrackPoint> = (0..7).map(|count| fix(count * 120_000)).collect();
    for chunk in chunks(&sparse) {
        assert!(chunk.last().unwrap().utc_ms - chunk[0].utc_ms <= CHUNK_MS_MAX);
    }
    assert_eq!(chunks(&sparse).iter().map(|chunk| chunk.len()).sum::<usize>(), 7);
    assert!(chunks(&[]).is_empty());
}
