//! The checker of acknowledgements, shown what it has to find.

use super::super::fixtures::{World, dot_of, tell};
use super::*;

#[test]
fn an_acknowledged_entry_that_is_gone_is_found() {
    let mut world = World::new(1);
    let wrote = world.found(0, "one");
    let dot = dot_of(&wrote);
    let reopened = world.fact(What::Reopened {
        site: Site::Device(DeviceIndex(0)),
        report: String::new(),
    });
    let mut trace = Trace::default();
    assert_eq!(
        tell(&mut OnDevice, &mut trace, &world, &[wrote, reopened.clone()]),
        Ok(())
    );
    world.on_device_do(0, |tx, _| ledger::remove_entry(tx, dot).unwrap());
    let judged = tell(&mut OnDevice, &mut trace, &world, std::slice::from_ref(&reopened));
    assert_eq!(judged.unwrap_err().invariant, ACKNOWLEDGED);

    // A store that was put back holds what it holds: the rest is for the checker of losses.
    let put_back = world.fact(What::Restored {
        site: Site::Device(DeviceIndex(0)),
        copied_at_ms: 0,
        unnoticed: false,
    });
    assert_eq!(
        tell(&mut OnDevice, &mut trace, &world, &[put_back, reopened]),
        Ok(())
    );
    assert_eq!(trace.destroyed().len(), 1);
}
