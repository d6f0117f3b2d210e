//! Compressed payloads: unpacked within the limits on size and ratio, or refused; what is packed here unpacks here.

use beatbook_proto::codec;
use beatbook_proto::limits::{UNPACK_RATIO_MAX, UNPACKED_BYTES_MAX};

use crate::heap;
use crate::samples;

/// The bytes as a compressed payload, then as a plain one.
pub(super) fn run(data: &[u8]) {
    let (unpacked, peak) = heap::peak(|| codec::unpack(data));
    assert!(peak <= 4 * UNPACKED_BYTES_MAX, "{peak} bytes of heap");
    if let Ok(unpacked) = unpacked {
        assert!(unpacked.len() <= UNPACKED_BYTES_MAX);
        assert!(unpacked.len() <= data.len() * UNPACK_RATIO_MAX);
    }
    if data.is_empty() {
        return;
    }
    // Repeated, so that it packs well: also what packs best is within the reader's ratio.
    for plain in [data.to_vec(), data.repeat(REPEATS)] {
        assert_eq!(codec::unpack(&codec::pack(&plain)), Ok(plain));
    }
}

/// Samples, packed and plain, and bytes that pack extremely well.
pub(super) fn seeds() -> Vec<Vec<u8>> {
    let plain = samples::all().into_iter().map(|sample| sample.thing.bytes());
    let even = [1, 200, 4_096].map(|length| vec![b'a'; length]);
    plain
        .chain(even)
        .flat_map(|bytes| [codec::pack(&bytes), bytes])
        .collect()
}

const REPEATS: usize = 64;
