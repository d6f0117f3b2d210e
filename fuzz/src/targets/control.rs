//! What comes over the control socket of a store, from whoever can open it: commands and pieces of any length, within
//! the limit and no more memory than that.

use beatbook_store_sled::control::{CHUNK_BYTES_MAX, REQUEST_BYTES_MAX, Request};
use beatbook_store_sled::inspect::{self, Plain};

use crate::heap;

/// The bytes as a stream of pieces, then as a command.
pub(super) fn run(data: &[u8]) {
    for bytes_max in [REQUEST_BYTES_MAX, CHUNK_BYTES_MAX] {
        let ((pieces, _), peak) = heap::peak(|| inspect::read_pieces(data, bytes_max));
        // A piece is announced before it comes: its limit is what may be taken for it.
        assert!(
            peak <= bytes_max + 64 * data.len() + 4_096,
            "{peak} bytes of heap for {}",
            data.len()
        );
        assert!(pieces.iter().sum::<usize>() <= data.len());
        assert!(pieces.iter().all(|piece| *piece <= bytes_max));
    }
    if let Some(written) = heap::bounded(2 * data.len(), || Plain::Request.rewritten(data)) {
        assert_eq!(Plain::Request.rewritten(&written), Some(written));
    }
    let arguments = data
        .split(|byte| *byte == 0)
        .map(|part| String::from_utf8_lossy(part).into_owned());
    if let Ok(request) = Request::new(arguments) {
        let shown = format!("{:?}", request.with("BEATBOOK_PIN", "01632 960123"));
        assert!(!shown.contains("960123"), "a command shows what it carries");
    }
}

/// Pieces of every tag, one that announces too much, and a command.
pub(super) fn seeds() -> Vec<Vec<u8>> {
    let request = vec![
        1, 0, 0, 0, 1, 0, 0, 0, 3, b'l', b'o', b'g', 0, 0, 0, 1, b'/', 0, 0, 0, 0,
    ];
    let mut pieces = Vec::new();
    for tag in 1..=4 {
        pieces.extend_from_slice(&[tag, 0, 0, 0, 2, b'h', b'i']);
    }
    let over = [pieces.as_slice(), &[1, 0xff, 0xff, 0xff, 0xff]].concat();
    vec![
        request,
        pieces.clone(),
        pieces[..pieces.len() - 1].to_vec(),
        over,
        vec![1, 0, 0x0f, 0xff, 0xff],
    ]
}
