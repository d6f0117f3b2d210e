//! Files of positions: GPX and CSV. Refused with a reason, or read as points within bounds and cut into whole chunks.

use beatbook_proto::track::TrackPoint;
use beatbook_records::positions;

use crate::heap;

/// The text as a file, and its lines as positions on the command line.
pub(super) fn run(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    // An XML tree costs more for a byte than what travels; it is still bounded by the file.
    let (read, peak) = heap::peak(|| positions::from_file(text));
    assert!(
        peak <= RATIO_MAX * text.len() + SLACK_BYTES,
        "{peak} bytes of heap for {} bytes",
        text.len()
    );
    match read {
        Ok(points) => check(&points),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    let fixes: Vec<String> = text.lines().map(str::to_owned).collect();
    if let Ok(points) = positions::from_arguments(&fixes, i64::MAX - 20_000) {
        check(&points);
    }
}

/// One file of each form, and what has gone wrong in others.
pub(super) fn seeds() -> Vec<Vec<u8>> {
    let gpx = "<gpx><trk><trkseg><trkpt lat=\"51.4637\" lon=\"-2.5890\"><time>2026-11-07T14:05:00Z</time></trkpt>\
               </trkseg></trk></gpx>";
    let csv = "time,lat,lon,accuracy_m,speed_cm_s\n2026-11-07T14:05:00Z,51.4637,-2.5890,8,130\n";
    let entity = "<!DOCTYPE g [<!ENTITY a \"&b;&b;\"><!ENTITY b \"x\">]><gpx>&a;</gpx>";
    let deep = "<a>".repeat(64);
    [gpx, csv, entity, &deep, "51.4637,-2.5890,8\n51.4638,-2.5891"]
        .iter()
        .map(|text| text.as_bytes().to_vec())
        .collect()
}

fn check(points: &[TrackPoint]) {
    for point in points {
        assert!(point.point.lat_e7.abs() <= 900_000_000 && point.point.lon_e7.abs() <= 1_800_000_000);
    }
    let chunks = positions::chunks(points);
    assert!(chunks.iter().all(|chunk| !chunk.is_empty()), "an empty chunk");
    assert_eq!(chunks.concat(), points, "chunks leave something out");
}

const RATIO_MAX: usize = 256;
const SLACK_BYTES: usize = 256 << 10;
