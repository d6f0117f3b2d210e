//! The golden vectors: what is accepted is pinned byte for byte in both directions, what is refused is
//! refused by the rule that it names. `BEATBOOK_BLESS=1` rewrites the vectors to accept.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use annotate::{Row, Rows};
use beatbook_proto::frame::{Frame, PREFIX_LEN};
use beatbook_proto::track;
use samples::{Kind, Sample, Thing};

mod annotate;
#[path = "../samples/samples.rs"]
mod samples;

/// Property: every sample has exactly the bytes of its vector, and they read back as the sample.
#[test]
fn vectors_to_accept_are_read_and_written_as_pinned() {
    for sample in samples::all() {
        let path = accept().join(format!("{}.txt", sample.name));
        if env::var_os("BEATBOOK_BLESS").is_some() {
            bless(&sample, &path);
        }
        let vector = Vector::read(&path);
        let decoded = sample.thing.kind().decode(&vector.bytes);
        assert_eq!(decoded.as_ref(), Ok(&sample.thing), "{}", sample.name);
        assert_eq!(
            vector.field("type"),
            type_name(sample.thing.kind()),
            "{}",
            sample.name
        );
        // A compressor may spell the same payload otherwise tomorrow: only reading it is pinned.
        if !is_packed(&vector.bytes, sample.thing.kind()) {
            let written = decoded.map(|thing| thing.bytes());
            assert_eq!(written, Ok(vector.bytes), "{}", sample.name);
        }
    }
}

/// Property: the encoder agrees with a second one that was written from SPEC.md.
#[test]
fn a_second_encoder_writes_the_same_bytes() {
    for sample in samples::all() {
        let rows = rows(&sample.thing);
        let bytes: Vec<u8> = rows.iter().flat_map(|row| row.bytes.clone()).collect();
        assert_eq!(bytes, sample.thing.bytes(), "{}", sample.name);
    }
}

/// Property: no vector is left over, and every kind of thing and of frame has one.
#[test]
fn every_vector_has_a_sample_and_every_kind_a_vector() {
    let samples = samples::all();
    let named: BTreeSet<String> = samples
        .iter()
        .map(|sample| format!("{}.txt", sample.name))
        .collect();
    assert_eq!(named.len(), samples.len(), "two samples share a name");
    let kept: BTreeSet<String> = files(&accept())
        .iter()
        .filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()))
        .collect();
    assert_eq!(named, kept);
    for kind in Kind::ALL {
        assert!(
            samples.iter().any(|sample| sample.thing.kind() == kind),
            "{kind:?}"
        );
    }
    let frames: BTreeSet<u8> = samples
        .iter()
        .filter_map(|sample| match &sample.thing {
            Thing::Frame(frame) => Some(frame.kind()),
            _ => None,
        })
        .collect();
    assert_eq!(frames, (1..=11).collect());
}

/// Property: every vector to refuse is refused with the error that it names, for a rule of SPEC.md.
#[test]
fn vectors_to_refuse_are_refused_for_the_rule_they_name() {
    let spec =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("SPEC.md")).expect("SPEC.md reads");
    let paths = files(&reject());
    assert!(paths.len() >= 30, "only {} vectors to refuse", paths.len());
    for path in paths {
        let vector = Vector::read(&path);
        let kind = Kind::ALL
            .into_iter()
            .find(|kind| type_name(*kind) == vector.field("type"));
        let kind = kind.unwrap_or_else(|| panic!("{}: no such type", path.display()));
        let rule = vector.field("rule");
        assert!(
            spec.contains(&format!("**{rule}**")),
            "{}: no rule {rule}",
            path.display()
        );
        let refused = refusal(kind, &vector.bytes);
        assert_eq!(
            refused.as_deref(),
            Some(vector.field("error")),
            "{}",
            path.display()
        );
    }
}

/// Why bytes are refused: undecodable, or, for what carries a seal, not proved under the samples' key.
fn refusal(kind: Kind, bytes: &[u8]) -> Option<String> {
    let key = samples::all().into_iter().find_map(|sample| match sample.thing {
        Thing::Opening(opening) => Some(opening.key),
        _ => None,
    })?;
    match kind.decode(bytes) {
        Err(said) => Some(said),
        Ok(Thing::Run(run)) => run.verify(&key).err().map(|error| error.to_string()),
        Ok(Thing::Part(part)) => part.verify(&key).err().map(|error| error.to_string()),
        Ok(Thing::Seal(seal)) => seal.verify(&key).err().map(|error| error.to_string()),
        Ok(_) => None,
    }
}

/// A vector file: comments that name its fields, and hexadecimal bytes.
struct Vector {
    path: PathBuf,
    text: String,
    bytes: Vec<u8>,
}

impl Vector {
    fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let digits: Vec<u8> = text
            .lines()
            .map(|line| line.split('#').next().unwrap_or(""))
            .flat_map(|hex| hex.bytes().filter(|byte| !byte.is_ascii_whitespace()))
            .collect();
        let bytes = digits
            .chunks(2)
            .map(|pair| {
                let pair = std::str::from_utf8(pair).unwrap_or("");
                u8::from_str_radix(pair, 16)
                    .unwrap_or_else(|error| panic!("{}: {pair}: {error}", path.display()))
            })
            .collect();
        Self {
            path: path.to_owned(),
            text,
            bytes,
        }
    }

    fn field(&self, name: &str) -> &str {
        let prefix = format!("# {name}: ");
        self.text
            .lines()
            .find_map(|line| line.strip_prefix(&prefix))
            .unwrap_or_else(|| panic!("{}: no line `{prefix}`", self.path.display()))
    }
}

/// Rewrites a vector, unless it is a compressed frame that still reads as the sample.
fn bless(sample: &Sample, path: &Path) {
    let kind = sample.thing.kind();
    if path.exists() {
        let kept = Vector::read(path).bytes;
        if is_packed(&kept, kind) && kind.decode(&kept).as_ref() == Ok(&sample.thing) {
            return;
        }
    }
    let mut text = format!(
        "# {}: {}\n# type: {}\n\n",
        sample.name,
        sample.about,
        type_name(kind)
    );
    for row in rows(&sample.thing) {
        let mut says = row.says.as_str();
        let pieces = row.bytes.chunks(BYTES_PER_LINE);
        for piece in pieces {
            let hex = piece.iter().fold(String::new(), |mut hex, byte| {
                write!(hex, "{byte:02x}").expect("a string takes text");
                hex
            });
            let line = format!("{hex:<width$}  # {says}", width = 2 * BYTES_PER_LINE);
            writeln!(text, "{}", line.trim_end()).expect("a string takes text");
            says = "..";
        }
    }
    fs::create_dir_all(accept()).expect("the folder of vectors can be made");
    fs::write(path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

fn rows(thing: &Thing) -> Vec<Row> {
    match thing {
        Thing::Body(body) => Rows::of(body),
        Thing::Cursor(cursor) => Rows::of(cursor),
        Thing::Frame(frame) => frame_rows(frame),
        Thing::Header(header) => Rows::of(header),
        Thing::Op(op) => Rows::of(op),
        Thing::Opening(opening) => Rows::of(opening),
        Thing::Original(original) => Rows::of(original),
        Thing::Part(part) => Rows::of(part),
        Thing::Receipt(receipt) => Rows::of(receipt),
        Thing::Run(run) => Rows::of(run),
        Thing::Seal(seal) => Rows::of(seal),
        Thing::Track(points) => (0..points.len()).map(|place| track_row(points, place)).collect(),
        Thing::Value(value) => Rows::of(value),
        Thing::Vector(vector) => Rows::of(vector),
    }
}

fn frame_rows(frame: &Frame) -> Vec<Row> {
    let bytes = frame.encode().expect("a sample encodes");
    let (prefix, sent) = bytes.split_at(PREFIX_LEN);
    let is_packed = prefix[5] & 0x80 != 0;
    let compression = if is_packed { ", compressed" } else { "" };
    let mut rows = vec![
        row(&prefix[..4], format!("payload of {} bytes", sent.len())),
        row(&prefix[4..5], "protocol version".to_owned()),
        row(&prefix[5..], format!("kind {}{compression}", frame.kind())),
    ];
    if is_packed {
        rows.push(row(sent, "the payload as one zstd frame".to_owned()));
    } else {
        rows.extend(payload_rows(frame));
    }
    rows
}

fn payload_rows(frame: &Frame) -> Vec<Row> {
    match frame {
        Frame::Hello(hello) => Rows::of(hello),
        Frame::Run(run) => Rows::of(run),
        Frame::Welcome(welcome) => Rows::of(welcome),
        Frame::Receipt(receipt) => Rows::of(receipt),
        Frame::Feed(feed) => Rows::of(feed),
        Frame::Verdicts(verdicts) => Rows::of(verdicts),
        Frame::CaughtUp => Vec::new(),
        Frame::Close(close) => Rows::of(close),
        Frame::Offer(offer) | Frame::Want(offer) => Rows::of(offer),
        Frame::Part(part) => Rows::of(part),
        other => panic!("no rows for frames of kind {}", other.kind()),
    }
}

fn track_row(points: &[track::TrackPoint], place: usize) -> Row {
    let encoded = |count| track::encode(&points[..count]).expect("a sample encodes").0;
    row(
        &encoded(place + 1)[encoded(place).len()..],
        format!("point {place}: time, latitude, longitude, accuracy, speed"),
    )
}

fn row(bytes: &[u8], says: String) -> Row {
    Row {
        bytes: bytes.to_vec(),
        says,
    }
}

fn is_packed(bytes: &[u8], kind: Kind) -> bool {
    kind == Kind::Frame && bytes.get(5).is_some_and(|kind| kind & 0x80 != 0)
}

fn type_name(kind: Kind) -> String {
    format!("{kind:?}").to_lowercase()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let listed = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = listed
        .map(|entry| entry.expect("a folder of vectors lists").path())
        .collect();
    paths.sort();
    paths
}

fn accept() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors/accept")
}

fn reject() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors/reject")
}

const BYTES_PER_LINE: usize = 32;
