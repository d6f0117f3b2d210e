//! Samples of values, operations, tracks and version vectors.

use beatbook_proto::track::{self, TrackPoint};
use beatbook_proto::{BlobRef, Bytes, FieldId, FieldOp, Hash, Instant, Point, Value, VersionVector};

use super::{OFFICER, PHONE, Sample, Thing, code, context, dot, sample, text};

/// Every one of them.
pub fn all() -> Vec<Sample> {
    let mut samples = values();
    samples.extend(tracks_and_vectors());
    samples.extend(operations());
    samples
}

fn values() -> Vec<Sample> {
    let value = |name: &str, about, value| sample(&format!("value-{name}"), about, Thing::Value(value));
    let instant = Instant {
        utc_ms: 1_793_361_600_000,
        offset_min: 60,
    };
    let point = Point {
        lat_e7: 538_123_456,
        lon_e7: -15_654_321,
    };
    let blob = BlobRef {
        hash: Hash([0x77; 32]),
        length: 482_133,
        media: code("image/jpeg"),
    };
    let deep = |inner| Value::List(vec![inner].into());
    vec![
        value("bool", "yes or no", Value::Bool(true)),
        value("int-small", "zigzag: -3 is 5", Value::Int(-3)),
        value("int-min", "the widest integer", Value::Int(i64::MIN)),
        value(
            "text",
            "UTF-8, its length in bytes",
            Value::Text(text("Gate \u{e9}tait ajar")),
        ),
        value(
            "code",
            "a word of an open vocabulary",
            Value::Code(code("OBSERVATION")),
        ),
        value("instant", "UTC milliseconds and offset", Value::Instant(instant)),
        value("date", "days since 1970-01-01", Value::Date(20_779)),
        value("point", "degrees times 10^7", Value::Point(point)),
        value(
            "track",
            "delta-coded points as bytes",
            Value::Track(track_bytes()),
        ),
        value(
            "record",
            "another record, by its dot",
            Value::Record(dot(PHONE, 118)),
        ),
        value("officer", "an officer", Value::Officer(OFFICER)),
        value("blob", "bytes kept elsewhere", Value::Blob(Box::new(blob))),
        value("group", "fields that mean something together", group(point)),
        value(
            "list",
            "values in order",
            Value::List(vec![Value::Int(1), Value::Bool(false)].into()),
        ),
        value(
            "nested",
            "nesting at its limit of 4",
            deep(deep(deep(Value::Bool(true)))),
        ),
    ]
}

fn tracks_and_vectors() -> Vec<Sample> {
    vec![
        sample(
            "track",
            "two points, the second as differences",
            Thing::Track(points()),
        ),
        sample(
            "track-extremes",
            "the widest differences",
            Thing::Track(extreme_points()),
        ),
        sample(
            "vector-empty",
            "covers nothing",
            Thing::Vector(VersionVector::new()),
        ),
        sample("vector", "ascending replicas", Thing::Vector(context())),
    ]
}

fn operations() -> Vec<Sample> {
    let op = |name: &str, about, op| sample(&format!("op-{name}"), about, Thing::Op(op));
    vec![
        op("set", "writes a register", FieldOp::Set(Value::Int(1))),
        op("add", "adds to a set", FieldOp::Add(Value::Code(code("YOUTH")))),
        op(
            "remove",
            "removes from a set",
            FieldOp::Remove(Value::Code(code("YOUTH"))),
        ),
        op(
            "append",
            "appends to a list",
            FieldOp::Append(Value::Text(text("then left"))),
        ),
        op("increment", "adds to a counter", FieldOp::Increment(250)),
        op("max", "raises a maximum", FieldOp::Max(-1)),
        op("clear", "clears what the context covers", FieldOp::Clear),
    ]
}

fn group(point: Point) -> Value {
    let members = vec![
        (FieldId(40), Value::Point(point)),
        (FieldId(41), Value::Int(12)),
        (FieldId(42), Value::Code(code("GNSS"))),
    ];
    Value::Group(members.into())
}

fn points() -> Vec<TrackPoint> {
    let fix = |utc_ms, lat_e7, lon_e7, accuracy_dm, speed_cm_s| TrackPoint {
        utc_ms,
        point: Point { lat_e7, lon_e7 },
        accuracy_dm,
        speed_cm_s,
    };
    vec![
        fix(1_793_361_600_000, 538_123_456, -15_654_321, 48, 0),
        fix(1_793_361_615_000, 538_123_999, -15_654_800, 52, 131),
    ]
}

fn extreme_points() -> Vec<TrackPoint> {
    let fix = |utc_ms, lat_e7, lon_e7| TrackPoint {
        utc_ms,
        point: Point { lat_e7, lon_e7 },
        accuracy_dm: u32::MAX,
        speed_cm_s: u32::MAX,
    };
    vec![
        fix(i64::MIN, i32::MIN, i32::MAX),
        fix(i64::MAX, i32::MAX, i32::MIN),
        fix(0, 0, 0),
    ]
}

fn track_bytes() -> Bytes {
    track::encode(&points()).expect("two points fit a track")
}
