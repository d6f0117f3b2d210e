//! Frames from a stream in pieces of any length: the same frames as from the stream in one piece, and no memory for
//! what was only announced.

use beatbook_proto::Frame;
use beatbook_proto::frame::{PREFIX_LEN, Prefix};
use beatbook_quic::Assembly;

use crate::heap;
use crate::input::Input;
use crate::samples::{self, Thing};

/// The lengths of eight pieces, which come again and again, then the stream.
pub(super) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let lengths: [usize; 8] = std::array::from_fn(|_| 1 + usize::from(input.byte()));
    let stream = input.rest();
    let whole = frames(stream);
    let mut lengths = lengths.iter().copied().cycle();
    // Frames and the piece under way are copies of the stream; a growing buffer doubles.
    let pieces = heap::bounded(stream.len(), || in_pieces(stream, &mut lengths));
    assert_eq!(pieces, whole, "pieces make other frames than the whole");
    for frame in &whole {
        if let Ok(read) = Frame::decode_whole(frame) {
            let written = read.encode().expect("a short frame encodes");
            assert_eq!(Frame::decode_whole(&written), Ok(read));
        }
    }
}

/// Streams of the samples' frames, whole and cut.
pub(super) fn seeds() -> Vec<Vec<u8>> {
    let frames = samples::all()
        .into_iter()
        .filter(|sample| matches!(sample.thing, Thing::Frame(_)));
    let stream: Vec<u8> = frames.flat_map(|sample| sample.thing.bytes()).collect();
    let cut = stream.len() - 7;
    [0_u8, 4, 255]
        .iter()
        .flat_map(|length| {
            let lengths = [*length; 8];
            [
                [&lengths, stream.as_slice()].concat(),
                [&lengths, &stream[..cut]].concat(),
            ]
        })
        .collect()
}

/// Gathers frames until the stream ends or announces too much.
fn in_pieces(mut rest: &[u8], lengths: &mut impl Iterator<Item = usize>) -> Vec<Vec<u8>> {
    let mut assembly = Assembly::new();
    let mut frames = Vec::new();
    while let Ok(wanted) = assembly.wanted() {
        if wanted == 0 {
            frames.push(assembly.take().into_bytes());
            continue;
        }
        if rest.is_empty() {
            break;
        }
        let length = lengths.next().unwrap_or(1).min(wanted).min(rest.len());
        let (piece, later) = rest.split_at(length);
        assembly.push(piece);
        rest = later;
    }
    frames
}

/// The same by looking at the whole.
fn frames(mut rest: &[u8]) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    while let Some(prefix) = rest.first_chunk::<PREFIX_LEN>()
        && let Ok(prefix) = Prefix::read(prefix)
        && let Some((frame, later)) = rest.split_at_checked(PREFIX_LEN + prefix.length)
    {
        frames.push(frame.to_vec());
        rest = later;
    }
    frames
}
