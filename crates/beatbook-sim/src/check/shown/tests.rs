//! The checker of what is shown, shown what it has to find.

use super::super::fixtures::{World, dot_of, tell};
use super::*;
use beatbook_core::ledger;
use beatbook_core::store::Table;
use beatbook_proto::codec;

#[test]
fn going_backwards_is_found() {
    let mut world = World::new(1);
    let founded = world.found(0, "one");
    let record = dot_of(&founded);
    let before = world.devices[0].clone();
    let amended = world.amend(0, record, "two");
    let (mut shown, mut trace) = (Shown::default(), Trace::default());
    assert_eq!(tell(&mut shown, &mut trace, &world, &[founded, amended]), Ok(()));
    world.devices[0] = before;
    assert_eq!(shown.quiet(&mut trace, &world).unwrap_err().invariant, BACKWARDS);
}

#[test]
fn a_change_without_its_cause_is_found() {
    let mut world = World::new(1);
    let founded = world.found(0, "one");
    let record = dot_of(&founded);
    let two = world.amend(0, record, "two");
    let three = world.amend(0, record, "three");
    let mut trace = Trace::default();
    for fact in [&founded, &two, &three] {
        trace.take(fact, &world);
    }
    let mut head = ledger::head(&world.devices[0], record).unwrap().unwrap();
    head.revisions.retain(|(_, dot)| *dot != dot_of(&two));
    let bytes = codec::encode(&head).unwrap();
    world.on_device_do(0, |tx, _| tx.put(Table::Heads, record.key(), bytes));
    let judged = Shown::default().fact(&three, &mut trace, &world);
    assert_eq!(judged.unwrap_err().invariant, CAUSES);
}
