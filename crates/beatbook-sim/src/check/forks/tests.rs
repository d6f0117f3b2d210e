//! The checker of going back in time, shown what it has to find.

use super::super::fixtures::{World, dot_of, tell};
use super::*;
use beatbook_proto::{Cursor, ReplicaId};

fn judge(world: &World, facts: &[Fact]) -> Result<(), &'static str> {
    let (mut check, mut trace) = (Forks::default(), Trace::default());
    tell(&mut check, &mut trace, world, facts).map_err(|violation| violation.invariant)
}

#[test]
fn new_books_without_a_cause_and_old_books_after_a_restore_are_found() {
    let mut world = World::new(1);
    let device = DeviceIndex(0);
    let restored = world.fact(What::Restored {
        site: Site::Device(device),
        copied_at_ms: 0,
        unnoticed: false,
    });
    let opened = world.fact(What::BooksOpened {
        device,
        replicas: [ReplicaId::default(); 2],
        why: OpenedWhy::AnchorMismatch,
    });
    let wrote = world.found(0, "one");
    assert_eq!(
        judge(&world, &[restored.clone(), opened.clone(), wrote.clone()]),
        Ok(())
    );
    assert_eq!(judge(&world, &[restored, wrote]), Err(FORKS));
    assert_eq!(judge(&world, &[opened]), Err(FORKS));
}

#[test]
fn a_restored_server_in_its_old_epoch_is_found() {
    let mut world = World::new(1);
    let dot = dot_of(&world.found(0, "one"));
    let restored = world.fact(What::Restored {
        site: Site::Server,
        copied_at_ms: 0,
        unnoticed: false,
    });
    let minted = world.fact(What::EpochMinted {
        epoch: EpochId::default(),
        by_itself: false,
    });
    let accepted = world.accepted(0, dot);
    assert_eq!(
        judge(&world, &[restored.clone(), minted, accepted.clone()]),
        Ok(())
    );
    assert_eq!(judge(&world, &[restored, accepted]), Err(FORKS));
}

#[test]
fn a_log_that_went_back_unseen_is_found() {
    let mut world = World::new(1);
    world.sync(0);
    world.found(0, "one");
    let early = world.server.clone();
    world.sync(0);
    let kept: Vec<Cursor> = world.cursors(0);
    let facts: Vec<Fact> = kept
        .into_iter()
        .map(|cursor| {
            let (dots, left) = (vec![], vec![]);
            world.fact(What::FeedKept {
                device: DeviceIndex(0),
                cursor,
                dots,
                left,
            })
        })
        .collect();
    let (mut check, mut trace) = (Forks::default(), Trace::default());
    assert_eq!(tell(&mut check, &mut trace, &world, &facts), Ok(()));
    assert_eq!(check.quiet(&mut trace, &world), Ok(()));
    world.server = early;
    assert_eq!(check.quiet(&mut trace, &world).unwrap_err().invariant, FORKS);
}
