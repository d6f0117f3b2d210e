//! The stream is pinned: a seed that was kept years ago means the same world.

use super::*;

#[test]
fn the_stream_is_pinned() {
    let mut random = Random::new(1, "pinned");
    let drawn = [(); 4].map(|()| random.bits());
    assert_eq!(drawn, PINNED, "{drawn:#x?}");
}

#[test]
fn streams_of_other_purposes_and_indexes_differ() {
    let first = Random::new(1, "a").bits();
    assert_ne!(first, Random::new(1, "b").bits());
    assert_ne!(first, Random::new(2, "a").bits());
    assert_ne!(first, Random::indexed(1, "a", 1).bits());
}

#[test]
fn draws_stay_in_their_bounds() {
    let mut random = Random::new(7, "bounds");
    for _ in 0..1_000 {
        assert!(random.below(3) < 3);
        assert!((5..=6).contains(&random.between(5, 6)));
        assert!(random.weighted(&[0, 1, 0]) == 1);
        assert!(random.around(100) <= 600);
    }
    assert_eq!(random.below(0), 0);
    assert_eq!(random.choose::<u8>(&[]), None);
}

const PINNED: [u64; 4] = [
    0x6d06_8aff_5833_2f8f,
    0x9a5a_3bde_e57a_94e4,
    0x942f_c4e1_f84f_e25c,
    0xc517_cedd_aa3d_db8d,
];
