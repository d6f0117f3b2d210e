//! What an unlimited decoder does not survive: each input is refused, or read within the bound on memory
//! (R-COD-1), measured at the allocator. One test, since the allocator's peak is the process's.
//! zstd's own memory is not Rust's: it is bounded by the window that R-LIM-3 allows.

use std::io::{self, Read};

use beatbook_proto::frame::{Frame, PREFIX_LEN, Prefix};
use beatbook_proto::limits::{
    FEED_ITEMS_MAX, FRAME_BYTES_MAX, ITEMS_MAX, OPS_MAX, RUN_ENTRIES_MAX, TEXT_CHARS_MAX, UNPACKED_BYTES_MAX,
    VALUES_MAX,
};
use beatbook_proto::{Body, FieldId, FieldOp, Value, codec};
use peak_alloc::PeakAlloc;
use samples::{Kind, Thing};

#[path = "samples/samples.rs"]
mod samples;

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

/// Property: no input takes more than 16 times its unpacked bytes + 64 KiB, nor more than 64 MiB.
#[test]
fn no_input_takes_more_memory_than_its_bytes_allow() {
    for bomb in bombs() {
        let refused = measured(&bomb.name, bomb.kind, &bomb.bytes);
        assert_eq!(refused, bomb.refused, "{}", bomb.name);
        for kind in Kind::ALL {
            measured(&bomb.name, kind, &bomb.bytes);
        }
    }
    for sample in samples::all() {
        let refused = measured(&sample.name, sample.thing.kind(), &sample.thing.bytes());
        assert!(!refused, "{}: {}", sample.name, sample.about);
    }
    zstd_bomb();
    packed_frames_at_their_limits();
    prefixes();
    writers_are_held_to_the_same_limits();
}

/// Decodes, checks the peak, and says whether the bytes were refused.
fn measured(name: &str, kind: Kind, bytes: &[u8]) -> bool {
    let before = HEAP.current_usage();
    HEAP.reset_peak_usage();
    let decoded = kind.decode(bytes);
    let peak = HEAP.peak_usage().saturating_sub(before);
    let unpacked = unpacked_len(kind, bytes);
    let bound = (16 * unpacked + SLACK).min(HEAP_BYTES_MAX);
    assert!(peak <= bound, "{name}: {peak} bytes of heap for {unpacked} bytes");
    decoded.is_err()
}

/// How many bytes there are to decode, once a compressed frame is unpacked as far as it may be.
fn unpacked_len(kind: Kind, bytes: &[u8]) -> usize {
    match bytes.split_at_checked(PREFIX_LEN) {
        Some((prefix, payload)) if kind == Kind::Frame && prefix[5] & 0x80 != 0 => {
            codec::unpack(payload).map_or(bytes.len(), |unpacked| unpacked.len())
        }
        _ => bytes.len(),
    }
}

struct Bomb {
    name: String,
    kind: Kind,
    bytes: Vec<u8>,
    refused: bool,
}

fn bombs() -> Vec<Bomb> {
    let mut bombs = declared_lengths();
    bombs.extend(dense_values());
    bombs.extend(dense_lists());
    bombs.extend(trailing());
    bombs
}

fn refused(name: impl Into<String>, kind: Kind, bytes: Vec<u8>) -> Bomb {
    Bomb {
        name: name.into(),
        kind,
        bytes,
        refused: true,
    }
}

fn read(name: impl Into<String>, kind: Kind, bytes: Vec<u8>) -> Bomb {
    Bomb {
        refused: false,
        ..refused(name, kind, bytes)
    }
}

/// Lengths that the input does not hold, wherever a length stands.
fn declared_lengths() -> Vec<Bomb> {
    let mut bombs = Vec::new();
    for length in [1_u64 << 20, 1 << 32, 1 << 33, 1 << 40, u64::MAX] {
        let length = [&[253][..], &length.to_le_bytes()].concat();
        for tag in [2_u8, 3, 7, 11, 12] {
            let bytes = [&[tag][..], &length].concat();
            bombs.push(refused(format!("value {tag} of {length:?}"), Kind::Value, bytes));
        }
        bombs.push(refused("vector", Kind::Vector, length.clone()));
        bombs.push(refused(
            "verdicts",
            Kind::Frame,
            framed(6, &[&[0; 16][..], &length].concat()),
        ));
        bombs.push(refused(
            "hello",
            Kind::Frame,
            framed(1, &[&[1, 1, 0][..], &length].concat()),
        ));
        bombs.push(refused(
            "feed",
            Kind::Frame,
            framed(5, &[&[0][..], &length].concat()),
        ));
    }
    // Lists within their limit, each the first item of the one before, none of them held.
    let lists = [0x0c, 251, 0, 4].repeat(NESTED);
    bombs.push(refused("lists of 1,024 declared", Kind::Value, lists));
    bombs.push(refused(
        "lists nested 50,000 deep",
        Kind::Value,
        [0x0c, 1].repeat(NESTED),
    ));
    bombs.push(refused(
        "groups nested 50,000 deep",
        Kind::Value,
        [0x0b, 1, 1].repeat(NESTED),
    ));
    bombs
}

/// The shortest values in the greatest number.
fn dense_values() -> Vec<Bomb> {
    let list = |items: &[u8], count: u16| [&[0x0c, 251][..], &count.to_le_bytes(), items].concat();
    let most = u16::try_from(VALUES_MAX).expect("the limit is small") - 1;
    let body = |ops: &[u8], count: u16| [&[0, 0, 0, 0, 0, 0, 251][..], &count.to_le_bytes(), ops].concat();
    let ops_max = u16::try_from(OPS_MAX).expect("the limit is small");
    let inner = [&[0x0c, 250][..], &[0, 0].repeat(250)].concat();
    vec![
        read(
            "a list of the most values",
            Kind::Value,
            list(&[0, 1].repeat(most.into()), most),
        ),
        refused(
            "one value more",
            Kind::Value,
            list(&[0, 1].repeat(ITEMS_MAX), most + 1),
        ),
        refused(
            "lists of 250 in a list",
            Kind::Value,
            list(&inner.repeat(300), 300),
        ),
        refused(
            "lists of one in a list",
            Kind::Value,
            list(&[0x0c, 1, 0, 0].repeat(600), 600),
        ),
        read(
            "a body of clears",
            Kind::Body,
            body(&[1, 6].repeat(OPS_MAX), ops_max),
        ),
        refused(
            "one clear more",
            Kind::Body,
            body(&[1, 6].repeat(OPS_MAX + 1), ops_max + 1),
        ),
        refused(
            "more values than operations",
            Kind::Body,
            body(&[1, 0, 0x0c, 1, 0, 0].repeat(600), 600),
        ),
        refused(
            "fewer clears than declared",
            Kind::Body,
            body(&[1, 6].repeat(900), ops_max),
        ),
    ]
}

/// Lists of the smallest items, whole and cut.
fn dense_lists() -> Vec<Bomb> {
    let run = samples::all()
        .into_iter()
        .find_map(|sample| matches!(sample.thing, Thing::Run(_)).then(|| sample.thing.bytes()))
        .expect("there is a sample of a run");
    // Seal and secret, then as many entries of the shortest header and no body as a run may hold.
    let entry = [9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let entries_max = u16::try_from(RUN_ENTRIES_MAX).expect("the limit is small");
    let entries = [
        &[251][..],
        &entries_max.to_le_bytes(),
        &entry.repeat(RUN_ENTRIES_MAX),
    ]
    .concat();
    let run = [&run[..180], &entries].concat();
    let items_max = u16::try_from(FEED_ITEMS_MAX).expect("the limit is small");
    let items = |count: usize| {
        [
            &[0, 251][..],
            &items_max.to_le_bytes(),
            &[0, 0, 0, 1].repeat(count),
        ]
        .concat()
    };
    let feed_end = [&[0, 0, 0, 0][..], &[0; 16], &[0], &[0; 32], &[0; 16]].concat();
    let full = [items(FEED_ITEMS_MAX), feed_end].concat();
    let mut bombs = vec![
        read("a run of empty entries", Kind::Run, run.clone()),
        refused(
            "a run cut in its entries",
            Kind::Run,
            run[..run.len() / 3 * 2].to_vec(),
        ),
        read("a feed of short items", Kind::Frame, framed(5, &full)),
    ];
    for count in [1, 100, 1_000, 4_000, 6_554, FEED_ITEMS_MAX] {
        bombs.push(refused(
            "a feed cut in its items",
            Kind::Frame,
            framed(5, &items(count)),
        ));
    }
    bombs
}

/// Bytes behind a value, for every sample.
fn trailing() -> Vec<Bomb> {
    let behind = |thing: Thing| [thing.bytes(), vec![0]].concat();
    samples::all()
        .into_iter()
        .map(|sample| {
            refused(
                format!("{} and a byte", sample.name),
                sample.thing.kind(),
                behind(sample.thing),
            )
        })
        .collect()
}

/// 1 GiB of zeros, packed on the fly, unpacks to an error and takes no more than the limit on unpacked bytes.
fn zstd_bomb() {
    let zeros = io::repeat(0).take(1 << 30);
    let packed = zstd::stream::encode_all(zeros, 3).expect("zeros compress");
    assert!(packed.len() < 200_000, "{} bytes", packed.len());
    let before = HEAP.current_usage();
    HEAP.reset_peak_usage();
    let frame = [
        &u32::try_from(packed.len()).expect("short").to_be_bytes()[..],
        &[1, 0x82],
        &packed,
    ]
    .concat();
    assert!(Frame::decode_whole(&frame).is_err());
    let peak = HEAP.peak_usage() - before;
    assert!(peak <= 4 * UNPACKED_BYTES_MAX, "{peak} bytes of heap");
}

/// What this side packs it unpacks, however well it packs; a byte over the limit is refused.
fn packed_frames_at_their_limits() {
    for length in [1, 200, 201, 100_000, UNPACKED_BYTES_MAX] {
        let packed = codec::pack(&vec![b'a'; length]);
        assert_eq!(codec::unpack(&packed).map(|bytes| bytes.len()), Ok(length));
        assert!(packed.len() <= FRAME_BYTES_MAX);
    }
    let over = codec::pack(&vec![b'a'; UNPACKED_BYTES_MAX + 1]);
    assert_eq!(codec::unpack(&over), Err(codec::CodecError::Unpack));
}

/// A prefix over the limit is refused from its six bytes alone.
fn prefixes() {
    let declares = |length: usize| {
        let [a, b, c, d] = u32::try_from(length).expect("a length fits").to_be_bytes();
        Prefix::read(&[a, b, c, d, 1, 2])
    };
    assert!(declares(FRAME_BYTES_MAX).is_ok());
    assert!(declares(FRAME_BYTES_MAX + 1).is_err());
    assert!(declares(u32::MAX as usize).is_err());
}

/// What a reader would refuse is not written.
fn writers_are_held_to_the_same_limits() {
    let deep = (0..4).fold(Value::Bool(true), |value, _| Value::List(vec![value].into()));
    let many = Value::List(vec![Value::Bool(true); VALUES_MAX].into());
    let track = Value::Track(vec![0; beatbook_proto::limits::TRACK_BYTES_MAX + 1].into());
    for value in [deep, many, track] {
        let kept = samples::all().into_iter().find_map(|sample| match sample.thing {
            Thing::Body(body) => Some(body),
            _ => None,
        });
        let body = Body {
            ops: vec![(FieldId(16), FieldOp::Set(value))].into(),
            ..kept.expect("there is a sample of a body")
        };
        assert_eq!(codec::encode(&body), Err(codec::CodecError::TooLarge));
    }
    assert!(beatbook_proto::Text::new("x".repeat(TEXT_CHARS_MAX + 1)).is_none());
}

fn framed(kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a payload is short");
    [&length.to_be_bytes()[..], &[1, kind], payload].concat()
}

const SLACK: usize = 64 << 10;
const HEAP_BYTES_MAX: usize = 64 << 20;
const NESTED: usize = 50_000;
