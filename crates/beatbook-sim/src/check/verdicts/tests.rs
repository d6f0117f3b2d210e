//! The checker of verdicts, shown what it has to find.

use super::super::fixtures::{World, dot_of, tell};
use super::*;
use beatbook_core::store::Table;
use beatbook_proto::codec;

#[test]
fn a_verdict_without_cause_is_found() {
    let mut world = World::new(1);
    let wrote = world.found(0, "one");
    let dot = dot_of(&wrote);
    world.sync(0);
    let mut trace = Trace::default();
    assert_eq!(tell(&mut Verdicts, &mut trace, &world, &[wrote]), Ok(()));
    assert_eq!(Verdicts.quiet(&mut trace, &world), Ok(()));

    let mut stored = ledger::entry(&world.server, dot).unwrap().unwrap();
    stored.standing = Standing::WAITING;
    world.at_server_do(|tx| ledger::save_entry(tx, dot, &stored).unwrap());
    assert_eq!(
        Verdicts.quiet(&mut trace, &world).unwrap_err().invariant,
        VERDICTS
    );

    // Its book says the same by now; it still waits for nothing.
    let mut book = ledger::book(&world.server, dot.replica).unwrap().unwrap();
    book.verdicts.push(Verdict {
        counter: dot.counter,
        standing: Standing::WAITING,
    });
    let bytes = codec::encode(&book).unwrap();
    world.at_server_do(|tx| tx.put(Table::Books, dot.replica.as_bytes().to_vec(), bytes));
    assert_eq!(
        Verdicts.quiet(&mut trace, &world).unwrap_err().invariant,
        VERDICTS
    );
}
