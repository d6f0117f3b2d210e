//! The checker of conflicts, shown what it has to find.

use super::super::fixtures::{World, dot_of, set, tell};
use super::*;
use crate::fact::{DeviceIndex, Wrote};
use beatbook_core::ledger::ReadToken;
use beatbook_proto::{Entry, Header, VersionVector};

/// Invariant: an amendment by someone who saw two versions is a violation, however it came to be written.
#[test]
fn an_amendment_of_two_versions_is_found() {
    let mut world = World::new(2);
    let founded = world.found(0, "one");
    let record = dot_of(&founded);
    world.sync(0);
    world.sync(1);
    let facts = vec![
        founded,
        world.amend(0, record, "two"),
        world.amend(1, record, "three"),
    ];
    (0..2).for_each(|_| (0..2).for_each(|device| world.sync(device)));
    let mut trace = Trace::default();
    assert_eq!(tell(&mut Conflicts, &mut trace, &world, &facts), Ok(()));

    // The ledger refuses to write it, so it is forged: a resolution that says that it is an amendment.
    let head = ledger::head(&world.devices[0], record).unwrap().unwrap();
    let context: VersionVector = head.vector.clone();
    let resolved = world.write(
        0,
        Some(ReadToken::of(&head)),
        RevisionKind::RESOLVE,
        vec![set("four")],
    );
    assert_eq!(
        tell(
            &mut Conflicts,
            &mut trace,
            &world,
            std::slice::from_ref(&resolved)
        ),
        Ok(())
    );
    let What::Wrote(wrote) = resolved.what else {
        panic!("not a write")
    };
    let header = Header {
        kind: RevisionKind::AMEND,
        ..wrote.entry.header().unwrap()
    };
    let forged = Wrote {
        device: DeviceIndex(0),
        kind: RevisionKind::AMEND,
        read: context.clone(),
        context,
        entry: Entry::new(&header, &wrote.entry.body().unwrap()).unwrap(),
        ..*wrote
    };
    let forged = world.fact(What::Wrote(Box::new(forged)));
    let judged = tell(&mut Conflicts, &mut trace, &world, &[forged]);
    assert_eq!(judged.unwrap_err().invariant, CONFLICTS);
}

/// Invariant: a change made from an old reading does not count as made on what came in since.
#[test]
fn a_change_that_counts_as_made_on_what_was_not_shown_is_found() {
    let mut world = World::new(1);
    let founded = world.found(0, "one");
    let record = dot_of(&founded);
    let facts = vec![
        founded,
        world.amend(0, record, "two"),
        world.amend(0, record, "three"),
    ];
    let mut trace = Trace::default();
    assert_eq!(tell(&mut Conflicts, &mut trace, &world, &facts), Ok(()));

    let What::Wrote(last) = facts[2].what.clone() else {
        panic!("not a write")
    };
    let stale = Wrote {
        read: [record].into_iter().collect(),
        ..*last
    };
    let stale = world.fact(What::Wrote(Box::new(stale)));
    let judged = tell(&mut Conflicts, &mut trace, &world, &[stale]);
    assert_eq!(judged.unwrap_err().invariant, CONFLICTS);
}
