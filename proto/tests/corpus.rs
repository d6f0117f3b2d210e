//! What an unlimited decoder does not survive: each input is refused, or read within the bound on memory
//! (R-COD-1), measured at the allocator. One test, since the allocator's peak is the process's.
//! zstd's own memory is not Rust's: it is bounded by the window that R-LIM-3 allows.

use std::io::{self, Read};

use beatbook_proto::frame::{Frame, PREFIX_LEN, Prefix};
use beatbook_proto::limits::{FRAME_BYTES_MAX, TEXT_CHARS_MAX, UNPACKED_BYTES_MAX, VALUES_MAX};
use beatbook_proto::{Body, FieldId, FieldOp, Value, codec};
use peak_alloc::PeakAlloc;
use samples::{Kind, Thing};

#[path = "samples/bombs.rs"]
mod bombs;
#[path = "samples/samples.rs"]
mod samples;

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

/// Property: no input takes more than 16 times its unpacked bytes + 64 KiB, nor more than 64 MiB.
#[test]
fn no_input_takes_more_memory_than_its_bytes_allow() {
    for bomb in bombs::all() {
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

const SLACK: usize = 64 << 10;
const HEAP_BYTES_MAX: usize = 64 << 20;
