//! The checker of losses, shown what it has to find.

use super::super::fixtures::{World, tell};
use super::*;
use crate::fact::What;

#[test]
fn an_entry_that_never_came_is_found() {
    let mut world = World::new(1);
    let wrote = world.found(0, "one");
    let mut trace = Trace::default();
    assert_eq!(tell(&mut Lost, &mut trace, &world, &[wrote]), Ok(()));
    assert_eq!(Lost.quiet(&mut trace, &world).unwrap_err().invariant, LOST);
    world.sync(0);
    assert_eq!(Lost.quiet(&mut trace, &world), Ok(()));
}

/// Invariant: what faults destroyed at every holder is no loss of the software.
#[test]
fn a_notebook_that_was_lost_with_its_entries_is_forgiven() {
    let mut world = World::new(1);
    let wrote = world.found(0, "one");
    let given_up = world.fact(What::GivenUp {
        device: DeviceIndex(0),
    });
    let mut trace = Trace::default();
    assert_eq!(tell(&mut Lost, &mut trace, &world, &[wrote, given_up]), Ok(()));
    assert_eq!(Lost.quiet(&mut trace, &world), Ok(()));
    assert_eq!(trace.destroyed().len(), 1);
}
