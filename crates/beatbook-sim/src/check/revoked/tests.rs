//! The checker of revocations, shown what it has to find.

use super::super::fixtures::{World, dot_of, tell};
use super::*;
use crate::fact::RegisterChange;

#[test]
fn a_run_after_the_revocation_is_found() {
    let mut world = World::new(1);
    let dot = dot_of(&world.found(0, "one"));
    let enrolment = world.device(DeviceIndex(0)).enrolment;
    world.out.insert(enrolment);
    let revoked = world.fact(What::RegisterChanged {
        change: RegisterChange::Revoked { enrolment },
    });
    world.now_ms += GRACE_MS;
    let under_way = world.accepted(0, dot);
    world.now_ms += 1;
    let late = world.accepted(0, dot);
    let (mut check, mut trace) = (Revoked::default(), Trace::default());
    assert_eq!(
        tell(&mut check, &mut trace, &world, &[revoked, under_way]),
        Ok(())
    );
    let judged = tell(&mut check, &mut trace, &world, &[late]);
    assert_eq!(judged.unwrap_err().invariant, REVOKED);
}
