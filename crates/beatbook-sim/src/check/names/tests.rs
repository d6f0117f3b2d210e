//! The checker of dots, shown what it has to find.

use super::super::fixtures::{World, dot_of, tell};
use super::*;

/// Invariant: no dot is given twice by a store that was put back with its anchor in place.
#[test]
fn a_dot_given_twice_is_found() {
    let mut world = World::new(1);
    let before = world.devices[0].clone();
    let one = world.found(0, "one");
    world.devices[0] = before;
    let two = world.found(0, "another");
    assert_eq!(dot_of(&one), dot_of(&two));
    let (mut names, mut trace) = (Names::default(), Trace::default());
    let judged = tell(&mut names, &mut trace, &world, &[one, two]);
    assert_eq!(judged.unwrap_err().invariant, NAMES);
}

/// Invariant: what the server accepted under a dot stays what it was.
#[test]
fn other_bytes_at_the_server_are_found() {
    let mut world = World::new(1);
    let (one, two) = (world.found(0, "one"), world.found(0, "two"));
    world.sync(0);
    let (first, second) = (dot_of(&one), dot_of(&two));
    let accepted = world.accepted(0, first);
    let (mut names, mut trace) = (Names::default(), Trace::default());
    assert_eq!(
        tell(&mut names, &mut trace, &world, &[one, two, accepted.clone()]),
        Ok(())
    );
    let other = world.server_value(second);
    world.at_server_do(|tx| ledger::save_entry(tx, first, &other).unwrap());
    let judged = tell(&mut names, &mut trace, &world, &[accepted]);
    assert_eq!(judged.unwrap_err().invariant, NAMES);
    assert_eq!(names.quiet(&mut trace, &world).unwrap_err().invariant, NAMES);
}

/// Invariant: what a copy was first to give is asked of whoever can be told of it, and of nobody else.
#[test]
fn another_entry_on_a_device_is_found_while_it_is_admitted() {
    let mut world = World::new(1);
    let before = world.devices[0].clone();
    let one = world.found(0, "one");
    world.sync(0);
    world.devices[0] = before;
    let two = world.found(0, "another");
    assert_eq!(dot_of(&one), dot_of(&two));
    let (mut names, mut trace) = (Names::default(), Trace::default());
    assert_eq!(names.quiet(&mut trace, &world).unwrap_err().invariant, NAMES);
    let enrolment = world.device(DeviceIndex(0)).enrolment;
    world.out.insert(enrolment);
    assert_eq!(names.quiet(&mut trace, &world), Ok(()));
}
