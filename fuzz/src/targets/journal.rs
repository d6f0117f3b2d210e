//! Segments of the journal: any bytes, and sealed frames of which the file was changed afterwards. Nothing that was
//! changed is believed: what a walk finds is how the segment began.

use beatbook_store_sled::inspect::{self, Plain};

use crate::heap;
use crate::input::{Input, change};
use crate::samples;

/// The first byte says whether the rest is a file, or frames and changes.
pub(super) fn run(data: &[u8]) {
    let Some((choice, rest)) = data.split_first() else {
        return;
    };
    if choice & 1 == 0 {
        let walked = heap::bounded(rest.len(), || inspect::walk(rest));
        assert!(walked.is_none_or(|walked| walked.good_bytes <= rest.len().max(HEADER_BYTES)));
        return;
    }
    let mut input = Input::new(rest);
    let frames: Vec<&[u8]> = (0..input.below(6)).map(|_| input.bytes(400)).collect();
    let whole = inspect::segment(&frames).expect("frames are sealed");
    let walked = inspect::walk(&whole).expect("a segment begins as one");
    let readable = frames.iter().map_while(|plain| Plain::Frame.rewritten(plain));
    let readable: Vec<Vec<u8>> = readable.collect();
    assert_eq!(walked.frames, readable, "other frames than were written");
    assert_eq!(
        walked.is_faulty,
        readable.len() < frames.len(),
        "a fault that is none, or none that is one"
    );
    let mut changed = whole.clone();
    while !input.is_spent() {
        change(&mut input, &mut changed);
    }
    if let Some(found) = heap::bounded(changed.len(), || inspect::walk(&changed)) {
        let begins = walked.frames.starts_with(&found.frames);
        assert!(begins, "a changed segment says what was never written");
        let same = changed.get(..found.good_bytes) == whole.get(..found.good_bytes);
        assert!(same, "a changed byte is counted as good");
    }
}

/// Whole segments, and frames of every kind with and without changes.
pub(super) fn seeds() -> Vec<Vec<u8>> {
    let commit = commit();
    let frames: [&[u8]; 5] = [&[1; 18], &commit, &[3; 18], &[4], &[5]];
    let raw = inspect::segment(&frames).expect("frames are sealed");
    let mut made = vec![1, 5];
    for frame in frames {
        made.extend_from_slice(&u16::try_from(frame.len()).unwrap_or(0).to_be_bytes());
        made.extend_from_slice(frame);
    }
    let cut = &raw[..raw.len() - 9];
    let mut seeds = vec![
        [&[0], raw.as_slice()].concat(),
        [&[0], cut].concat(),
        made.clone(),
    ];
    seeds.extend((0..6).map(|kind| [made.as_slice(), &[0, 80, kind, 1, 2, 3]].concat()));
    seeds
}

/// A commit as a frame says it: a salt, no totals, one row written and one removed.
pub(super) fn commit() -> Vec<u8> {
    let value = samples::all()[0].thing.bytes();
    let mut plain = vec![2];
    plain.extend_from_slice(&[9; 24]);
    plain.extend_from_slice(&[0, 0, 0, 1, 0]);
    plain.extend_from_slice(&[0, 0, 0, 2, 1, 0, 0, 0, 2, 7, 7, 1]);
    plain.extend_from_slice(&u32::try_from(value.len()).unwrap_or(0).to_be_bytes());
    plain.extend_from_slice(&value);
    plain.extend_from_slice(&[3, 0, 0, 0, 1, 7, 0]);
    plain
}

const HEADER_BYTES: usize = 58;
