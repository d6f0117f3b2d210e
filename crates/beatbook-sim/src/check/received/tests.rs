//! The checker of receipts, shown what it has to find.

use super::super::fixtures::{World, dot_of, tell};
use super::*;
use beatbook_core::ledger;

#[test]
fn a_stored_entry_that_is_gone_is_found() {
    let mut world = World::new(1);
    let wrote = world.found(0, "one");
    let dot = dot_of(&wrote);
    world.sync(0);
    let reopened = world.fact(What::Reopened {
        site: Site::Server,
        report: String::new(),
    });
    let facts = [wrote, world.accepted(0, dot), reopened.clone()];
    let mut trace = Trace::default();
    assert_eq!(tell(&mut Received, &mut trace, &world, &facts), Ok(()));
    world.at_server_do(|tx| ledger::remove_entry(tx, dot).unwrap());
    let judged = tell(&mut Received, &mut trace, &world, &[reopened]);
    assert_eq!(judged.unwrap_err().invariant, RECEIPTED);
}
