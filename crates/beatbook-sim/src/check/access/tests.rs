//! The oracle of access, shown what it has to find.

use super::super::fixtures::{BEAT, World, code, dot_of, tell};
use super::*;
use crate::fact::SessionIndex;
use beatbook_proto::{Cursor, EpochId, Hash};

fn sent(world: &World, device: usize, scope: Scope, dots: Vec<Dot>) -> [Fact; 2] {
    sent_beside(world, (device, scope), dots, vec![])
}

/// A stretch is read for a device and sent to it.
fn sent_beside(
    world: &World,
    (device, scope): (usize, Scope),
    dots: Vec<Dot>,
    beside: Vec<Dot>,
) -> [Fact; 2] {
    let (epoch, hash) = (EpochId::default(), Hash::default());
    let cursor = Cursor {
        scope,
        epoch,
        position: 1,
        hash,
        tag: [0; 16],
    };
    let (session, device) = (SessionIndex(0), DeviceIndex(device));
    let read = What::FeedRead {
        session,
        device,
        cursor: cursor.clone(),
        dots: dots.clone(),
        beside: beside.clone(),
    };
    let sent = What::FeedSent {
        session,
        device,
        cursor,
        dots,
        beside,
    };
    [read, sent].map(|what| world.fact(what))
}

#[test]
fn what_is_not_granted_is_found() {
    let mut world = World::new(2);
    let founded = world.found(0, "one");
    let dot = dot_of(&founded);
    world.sync(0);
    let beat = |beat| Scope::Beat {
        beat: code(beat),
        class: 0,
    };
    let judge = |facts: [Fact; 2], world: &World| {
        let (mut access, mut trace) = (Access::default(), Trace::default());
        let [read, sent] = facts;
        let facts = [founded.clone(), read, sent];
        tell(&mut access, &mut trace, world, &facts).map_err(|violation| violation.invariant)
    };
    let fine = sent(&world, 1, beat(BEAT), vec![dot]);
    assert_eq!(judge(fine, &world), Ok(()));
    let other_feed = sent(&world, 1, beat("52/C09"), vec![]);
    assert_eq!(judge(other_feed, &world), Err(ACCESS));
    let others_book = sent(&world, 1, Scope::Own, vec![dot]);
    assert_eq!(judge(others_book, &world), Err(ACCESS));
    // Granted, and the record is not of it.
    let reader = world.device(DeviceIndex(1)).officer;
    world.granted.get_mut(&reader).unwrap().push(beat("52/C09"));
    let leaked = sent(&world, 1, beat("52/C09"), vec![dot]);
    assert_eq!(judge(leaked, &world), Err(ACCESS));
    // The rest of a run that goes whole may be of another scope, as long as that is granted.
    let beside = |world: &World| sent_beside(world, (1, beat("52/C09")), vec![dot], vec![dot]);
    let fine = beside(&world);
    assert_eq!(judge(fine, &world), Ok(()));
    let granted = world.granted.get_mut(&reader).unwrap();
    granted.retain(|scope| *scope != beat(BEAT));
    let leaked = beside(&world);
    assert_eq!(judge(leaked, &world), Err(ACCESS));
}

#[test]
fn what_was_not_read_for_the_session_is_found() {
    let mut world = World::new(2);
    let founded = world.found(0, "one");
    let dot = dot_of(&founded);
    world.sync(0);
    let scope = Scope::Beat {
        beat: code(BEAT),
        class: 0,
    };
    let [_, unread] = sent(&world, 1, scope, vec![dot]);
    let (mut access, mut trace) = (Access::default(), Trace::default());
    let told = tell(&mut access, &mut trace, &world, &[founded, unread]);
    assert_eq!(told.unwrap_err().invariant, ACCESS);
}

#[test]
fn what_stayed_after_it_left_is_found() {
    let mut world = World::new(2);
    let founded = world.found(0, "one");
    world.sync(0);
    world.sync(1);
    let (mut access, mut trace) = (Access::default(), Trace::default());
    assert_eq!(tell(&mut access, &mut trace, &world, &[founded]), Ok(()));
    assert_eq!(access.quiet(&mut trace, &world), Ok(()));
    let reader = world.device(DeviceIndex(1)).officer;
    world.granted.insert(reader, vec![Scope::Own]);
    assert_eq!(access.quiet(&mut trace, &world).unwrap_err().invariant, ACCESS);
}
