//! The checker of healing, shown what it has to find.

use super::super::fixtures::{World, tell};
use super::*;

#[test]
fn slow_healing_and_what_is_left_pending_are_found() {
    let mut world = World::new(1);
    let quiet = |took_ms| world.fact(What::Quiet { sessions: 1, took_ms });
    let (mut check, mut trace) = (Liveness::default(), Trace::default());
    assert_eq!(
        tell(&mut check, &mut trace, &world, &[quiet(HEALING_MS_MAX)]),
        Ok(())
    );
    let judged = tell(&mut check, &mut trace, &world, &[quiet(HEALING_MS_MAX + 1)]);
    assert_eq!(judged.unwrap_err().invariant, LIVENESS);
    world.found(0, "one");
    assert_eq!(check.quiet(&mut trace, &world).unwrap_err().invariant, CONVERGES);
    world.sync(0);
    assert_eq!(check.quiet(&mut trace, &world), Ok(()));
}

#[test]
fn sessions_without_end_are_found() {
    let world = World::new(1);
    let began = world.fact(What::SessionBegan {
        session: crate::fact::SessionIndex(1),
        device: DeviceIndex(0),
        live: false,
    });
    let mut facts = vec![world.fact(What::HealingBegan)];
    facts.extend((0..=SESSIONS_MAX).map(|_| began.clone()));
    facts.push(world.fact(What::Quiet {
        sessions: SESSIONS_MAX + 1,
        took_ms: 1,
    }));
    let judged = tell(&mut Liveness::default(), &mut Trace::default(), &world, &facts);
    assert_eq!(judged.unwrap_err().invariant, CONVERGES);
}
