//! The comparison with the model, shown what it has to find.

use super::super::fixtures::{TEXT, World, dot_of, tell};
use super::*;
use crate::fact::Fact;
use beatbook_core::store::Table;
use beatbook_proto::codec;

/// A world in which two devices changed one record without knowing of each other.
fn conflicted() -> (World, Dot, Vec<Fact>) {
    let mut world = World::new(2);
    let founded = world.found(0, "one");
    let record = dot_of(&founded);
    (0..2).for_each(|device| world.sync(device));
    let facts = vec![
        founded,
        world.amend(0, record, "two"),
        world.amend(1, record, "three"),
    ];
    (0..2).for_each(|_| (0..2).for_each(|device| world.sync(device)));
    (world, record, facts)
}

fn judge(world: &World, facts: &[Fact]) -> Result<(), &'static str> {
    let mut trace = Trace::default();
    tell(&mut Heads, &mut trace, world, facts).unwrap();
    Heads
        .quiet(&mut trace, world)
        .map_err(|violation| violation.invariant)
}

fn tamper(world: &mut World, record: Dot, change: impl Fn(&mut Head)) {
    let mut head = ledger::head(&world.server, record).unwrap().unwrap();
    change(&mut head);
    let bytes = codec::encode(&head).unwrap();
    world.at_server_do(|tx| tx.put(Table::Heads, record.key(), bytes.clone()));
    for device in 0..world.devices.len() {
        world.on_device_do(device, |tx, _| tx.put(Table::Heads, record.key(), bytes.clone()));
    }
}

#[test]
fn a_sound_conflict_passes() {
    let (world, _, facts) = conflicted();
    assert_eq!(judge(&world, &facts), Ok(()));
}

/// Invariant: everyone agrees, and everyone is wrong.
#[test]
fn a_dropped_sibling_is_found() {
    let (mut world, record, facts) = conflicted();
    tamper(&mut world, record, |head| {
        let field = head.fields.get_mut(&TEXT).unwrap();
        let kept: Vec<_> = field.items().iter().skip(1).cloned().collect();
        *field = codec::decode(&codec::encode(&kept).unwrap()).unwrap();
    });
    assert_eq!(judge(&world, &facts), Err(VALUES));
}

#[test]
fn a_revision_that_no_record_shows_is_found() {
    let (mut world, record, facts) = conflicted();
    let first = world.devices[0].clone();
    tamper(&mut world, record, |head| head.revisions.truncate(2));
    assert_eq!(judge(&world, &facts), Err(VALUES));
    world.devices[0] = first;
}

#[test]
fn a_device_that_lags_behind_is_found() {
    let (mut world, record, facts) = conflicted();
    let late = world.amend_any(0, record, "four");
    world.sync(0);
    let mut facts = facts;
    facts.push(late);
    assert_eq!(judge(&world, &facts), Err(CONVERGES));
    world.sync(1);
    assert_eq!(judge(&world, &facts), Ok(()));
}
