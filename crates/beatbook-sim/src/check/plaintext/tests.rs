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

#[test]
fn texts_of_several_devices_are_looked_for() {
    let mut world = World::new(2);
    let facts = [world.found(0, "one"), world.found(1, "two")];
    let mut trace = Trace::default();
    let mut check = Plaintext::default();
    world.disk = vec![("log".into(), b"canary- and canary-2-1 are nobody's".to_vec())];
    assert_eq!(tell(&mut check, &mut trace, &world, &facts), Ok(()));
    assert_eq!(check.quiet(&mut trace, &world), Ok(()));
    assert_eq!(trace.asked()[PLAINTEXT], 2);
    world.disk.push(("log".into(), b"canary-1-2".to_vec()));
    let judged = check.quiet(&mut trace, &world);
    assert_eq!(judged.unwrap_err().invariant, PLAINTEXT);
}
