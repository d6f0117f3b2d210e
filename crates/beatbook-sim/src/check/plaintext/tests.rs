//! The thief's eye, shown what it has to find.

use super::super::fixtures::{World, tell};
use super::*;

#[test]
fn a_text_on_the_disk_is_found() {
    let mut world = World::new(1);
    let facts = [world.found(0, "one"), world.found(0, "two")];
    let mut trace = Trace::default();
    let mut check = Plaintext::default();
    world.disk = vec![("journal/00000001.seg".into(), vec![7; 4096])];
    assert_eq!(tell(&mut check, &mut trace, &world, &facts), Ok(()));
    assert_eq!(check.quiet(&mut trace, &world), Ok(()));
    world
        .disk
        .push(("log".into(), b"2026 wrote canary-0-2 ok".to_vec()));
    let judged = check.quiet(&mut trace, &world);
    assert_eq!(judged.unwrap_err().invariant, PLAINTEXT);
}
