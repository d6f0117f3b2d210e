//! The checker of durability, shown what it has to find.

use super::super::fixtures::{World, dot_of, tell};
use super::*;
use crate::fact::{DeviceIndex, SessionIndex};

#[test]
fn a_receipt_before_the_journal_is_found() {
    let mut world = World::new(1);
    let wrote = world.found(0, "one");
    let dot = dot_of(&wrote);
    let receipt = world.fact(What::ReceiptSent {
        session: SessionIndex(0),
        replica: dot.replica,
        run: (1, dot.counter),
        verdicts: vec![],
        apart: vec![],
    });
    let mut trace = Trace::default();
    let judged = tell(&mut Told, &mut trace, &world, &[wrote, receipt.clone()]);
    assert_eq!(judged.unwrap_err().invariant, DURABLE);
    world.sync(0);
    assert_eq!(tell(&mut Told, &mut trace, &world, &[receipt]), Ok(()));
}

#[test]
fn a_write_that_is_not_there_is_found() {
    let mut world = World::new(1);
    let wrote = world.found(0, "one");
    let dot = dot_of(&wrote);
    world.on_device_do(0, |tx, _| ledger::remove_entry(tx, dot).unwrap());
    let judged = tell(&mut Told, &mut Trace::default(), &world, &[wrote]);
    assert_eq!(judged.unwrap_err().invariant, DURABLE);
}

#[test]
fn half_a_run_is_found() {
    let mut world = World::new(1);
    let (one, two) = (world.found(0, "one"), world.found(0, "two"));
    world.sync(0);
    let (first, last) = (dot_of(&one), dot_of(&two));
    let stored = world.fact(What::RunAccepted {
        session: SessionIndex(0),
        device: DeviceIndex(0),
        replica: first.replica,
        run: (1, last.counter),
    });
    assert_eq!(
        tell(
            &mut Told,
            &mut Trace::default(),
            &world,
            std::slice::from_ref(&stored)
        ),
        Ok(())
    );
    world.at_server_do(|tx| ledger::remove_entry(tx, first).unwrap());
    let judged = tell(&mut Told, &mut Trace::default(), &world, &[stored]);
    assert_eq!(judged.unwrap_err().invariant, WHOLE);
}
