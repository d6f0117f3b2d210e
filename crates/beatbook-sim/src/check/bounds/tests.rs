//! The caps, shown what they have to find.

use super::super::fixtures::World;
use super::*;

#[test]
fn a_disk_that_balloons_is_found() {
    let mut world = World::new(1);
    world.found(0, "one");
    assert_eq!(Bounds.quiet(&mut Trace::default(), &world), Ok(()));
    world.disk = vec![("journal".into(), vec![0; DISK_BYTES_FREE + (1 << 20)])];
    let judged = Bounds.quiet(&mut Trace::default(), &world);
    assert_eq!(judged.unwrap_err().invariant, BOUNDS);
}
