//! The replay, shown what it has to find.

use super::super::fixtures::{World, dot_of};
use super::*;

#[test]
fn a_replay_that_changes_something_is_found() {
    let mut world = World::new(1);
    let wrote = world.found(0, "one");
    world.sync(0);
    assert_eq!(Replays.quiet(&mut Trace::default(), &world), Ok(()));
    // What a replay of the run brings back was never to be missing.
    let dot = dot_of(&wrote);
    world.at_server_do(|tx| {
        let mut book = ledger::book(tx, dot.replica).unwrap().unwrap();
        book.held = 1;
        let bytes = beatbook_proto::codec::encode(&book).unwrap();
        tx.put(Table::Books, dot.replica.as_bytes().to_vec(), bytes);
    });
    assert!(Replays.quiet(&mut Trace::default(), &world).is_err());
}
