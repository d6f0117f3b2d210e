//! The small files of a store and its backups: any bytes, and what is sealed in them. Refused, or read as what is written
//! again; of a backup that was changed nothing is believed but its beginning.

use beatbook_store_sled::inspect::{self, Plain};

use super::journal::commit;
use crate::heap;
use crate::input::{Input, change};

/// The first byte chooses what the bytes are to be.
pub(super) fn run(data: &[u8]) {
    let Some((choice, bytes)) = data.split_first() else {
        return;
    };
    match usize::from(*choice) % (Plain::ALL.len() + 2) {
        kind if kind < Plain::ALL.len() => plain(Plain::ALL[kind], bytes),
        kind if kind == Plain::ALL.len() => {
            let (chunks, _) = heap::bounded(bytes.len(), || inspect::read_backup(bytes));
            assert!(chunks.len() <= bytes.len());
        }
        _ => backup(bytes),
    }
}

/// One of each.
pub(super) fn seeds() -> Vec<Vec<u8>> {
    let totals = [&[1, 2][..], &[0; 48]].concat();
    let end = [&[4][..], &[0, 0, 0, 0, 0, 0, 0, 3, 1], &totals].concat();
    let rows = [2, 0, 0, 0, 1, 0, 0, 0, 2, 1, 1, 0, 0, 0, 1, 9];
    let start = [1, 0, 0, 0, 0, 0, 0, 0, 2];
    let copied = [&[3, 0, 0, 0, 0, 0, 0, 0, 3][..], &commit()[1..]].concat();
    let chunks: [&[u8]; 4] = [&start, &rows, &copied, &end];
    let whole = inspect::backup(&chunks).expect("chunks are sealed");
    let vault = whole[12..12 + usize::from(whole[11])].to_vec();
    let anchor = [&[1; 32][..], &[1], &[2; 16], &[0, 0, 0, 1], &[3; 24]].concat();
    let request = [
        1, 0, 0, 0, 1, 0, 0, 0, 3, b'l', b'o', b'g', 0, 0, 0, 1, b'/', 0, 0, 0, 0,
    ];
    let state = [0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 2, 1];
    let state = [&state[..], &[0; 40]].concat();
    let mut made = vec![4];
    for chunk in chunks {
        made.extend_from_slice(&u16::try_from(chunk.len()).unwrap_or(0).to_be_bytes());
        made.extend_from_slice(chunk);
    }
    let mut seeds = vec![
        [&[0], anchor.as_slice()].concat(),
        [&[2], commit().as_slice()].concat(),
        [&[3], request.as_slice()].concat(),
        [&[4], state.as_slice()].concat(),
        [&[5], vault.as_slice()].concat(),
        [&[6], whole.as_slice()].concat(),
        [&[7], made.as_slice()].concat(),
    ];
    seeds.extend(chunks.iter().map(|chunk| [&[1], *chunk].concat()));
    seeds.extend((0..6).map(|kind| [&[7], made.as_slice(), &[1, 0, kind, 1, 2, 3]].concat()));
    seeds
}

fn plain(kind: Plain, bytes: &[u8]) {
    // What was read and what is written of it are both there.
    let Some(written) = heap::bounded(2 * bytes.len(), || kind.rewritten(bytes)) else {
        return;
    };
    assert_eq!(
        kind.rewritten(&written).as_ref(),
        Some(&written),
        "{kind:?} is written otherwise"
    );
}

fn backup(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let chunks: Vec<&[u8]> = (0..input.below(6)).map(|_| input.bytes(400)).collect();
    let chunks: Vec<&[u8]> = chunks
        .into_iter()
        .filter(|plain| Plain::Chunk.rewritten(plain).is_some())
        .collect();
    let whole = inspect::backup(&chunks).expect("chunks that read are sealed");
    let (written, _) = inspect::read_backup(&whole);
    let mut changed = whole.clone();
    while !input.is_spent() {
        change(&mut input, &mut changed);
    }
    let (found, is_whole) = heap::bounded(changed.len(), || inspect::read_backup(&changed));
    assert!(
        written.starts_with(&found),
        "a changed backup says what was never written"
    );
    assert!(!is_whole || changed == whole, "a changed backup counts as whole");
}
