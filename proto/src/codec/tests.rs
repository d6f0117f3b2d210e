//! Packing and unpacking at the edges, and what is left over.

use super::*;

/// Property: what packs too well is packed again so that a reader takes it.
#[test]
fn what_packs_too_well_is_still_unpacked() {
    let zeros = vec![0; UNPACKED_BYTES_MAX];
    let packed = pack(&zeros);
    assert!(
        packed.len() * UNPACK_RATIO_MAX >= zeros.len() && packed.len() < 100_000,
        "{}",
        packed.len()
    );
    assert_eq!(unpack(&packed), Ok(zeros));
}

/// Property: a compressed payload is one frame: none, two, or a skippable one beside it are refused.
#[test]
fn a_payload_is_one_frame() {
    let packed = pack(b"seen");
    let skippable = [0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0];
    assert_eq!(unpack(&packed), Ok(b"seen".to_vec()));
    for other in [
        Vec::new(),
        [&packed[..], &packed].concat(),
        [&packed[..], &skippable].concat(),
        [&skippable[..], &packed].concat(),
        [&packed[..], &[0]].concat(),
        packed[..packed.len() - 1].to_vec(),
    ] {
        assert_eq!(unpack(&other), Err(CodecError::Unpack), "{other:02x?}");
    }
}

/// Property: the window grows with the input, up to the limit on unpacked bytes.
#[test]
fn the_window_fits_the_input() {
    let windows = [
        (1, 10),
        (1_024, 10),
        (1_025, 11),
        (3_600, 12),
        (UNPACKED_BYTES_MAX, 22),
    ];
    for (max, log) in windows {
        assert_eq!(window_log(max), log, "{max}");
    }
    assert_eq!(1 << ZSTD_WINDOW_LOG_MAX, UNPACKED_BYTES_MAX);
}

/// Property: nothing is left over, and nothing longer than a payload is looked at.
#[test]
fn values_fill_their_bytes() {
    assert_eq!(decode::<u8>(&[1]), Ok(1));
    assert_eq!(decode::<u8>(&[1, 2, 3]), Err(CodecError::Trailing(2)));
    assert_eq!(decode::<u8>(&[]), Err(CodecError::Malformed));
    assert_eq!(
        decode::<u8>(&vec![0; UNPACKED_BYTES_MAX + 1]),
        Err(CodecError::TooLarge)
    );
}
