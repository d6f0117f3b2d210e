//! The hash tells any two traces apart and repeats itself.

use super::*;
use crate::check::fixtures::World;

#[test]
fn every_fact_counts_and_so_does_its_order() {
    let mut world = World::new(1);
    let facts = [
        world.found(0, "one"),
        world.found(0, "two"),
        world.found(0, "three"),
    ];
    let of = |order: &[usize]| {
        let mut hash = TraceHash::default();
        for at in order {
            hash.fact(&facts[*at], &world).unwrap();
        }
        hash.value()
    };
    assert_eq!(of(&[0, 1, 2]), of(&[0, 1, 2]));
    let others = [of(&[0, 1]), of(&[0, 2, 1]), of(&[0, 1, 2, 2]), of(&[])];
    assert!(others.iter().all(|other| *other != of(&[0, 1, 2])));
}
