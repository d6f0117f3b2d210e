//! The checker of going back in time, shown what it has to find.

use super::super::fixtures::{World, dot_of, tell};
use super::*;
use beatbook_proto::frame::{BookClaim, BookPosition};
use beatbook_proto::{Cursor, ReplicaId, ReplicaKind};

fn judge(world: &World, facts: &[Fact]) -> Result<(), &'static str> {
    let (mut check, mut trace) = (Forks::default(), Trace::default());
    tell(&mut check, &mut trace, world, facts).map_err(|violation| violation.invariant)
}

#[test]
fn new_books_without_a_cause_and_old_books_after_a_restore_are_found() {
    let mut world = World::new(1);
    let device = DeviceIndex(0);
    let site = Site::Device(device);
    let report = String::new();
    let reopened = world.fact(What::Reopened { site, report });
    let restored = |copied_at_ms| {
        let unnoticed = false;
        world.fact(What::Restored {
            site,
            copied_at_ms,
            unnoticed,
        })
    };
    let (restored, within) = (restored(0), restored(world.now_ms));
    let opened = world.fact(What::BooksOpened {
        device,
        replicas: [ReplicaId::default(); 2],
        why: OpenedWhy::AnchorMismatch,
    });
    let wrote = world.found(0, "one");
    let sound = [
        vec![reopened.clone(), restored.clone(), opened.clone(), wrote.clone()],
        vec![reopened.clone(), within, wrote.clone()],
    ];
    for facts in sound {
        assert_eq!(judge(&world, &facts), Ok(()));
    }
    assert_eq!(judge(&world, &[reopened, restored, wrote]), Err(FORKS));
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
    world.sync(0);
    let epoch = server::epochs(&world.server).unwrap().unwrap().current;
    let by_itself = false;
    let minted = world.fact(What::EpochMinted { epoch, by_itself });
    let epoch = EpochId::default();
    let other = world.fact(What::EpochMinted { epoch, by_itself });
    let accepted = world.accepted(0, dot);
    assert_eq!(
        judge(&world, &[restored.clone(), minted, accepted.clone()]),
        Ok(())
    );
    assert_eq!(judge(&world, &[restored.clone(), other]), Err(FORKS));
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

#[test]
fn a_feed_that_begins_again_in_one_epoch_is_found() {
    let mut world = World::new(1);
    world.found(0, "one");
    world.sync(0);
    let device = DeviceIndex(0);
    let kept = |back: u64| {
        let cursors = world.cursors(0).into_iter();
        let facts = cursors.filter(|cursor| cursor.position > 0).map(|cursor| {
            let (dots, left) = (vec![], vec![]);
            let position = cursor.position - back;
            let cursor = Cursor { position, ..cursor };
            world.fact(What::FeedKept {
                device,
                cursor,
                dots,
                left,
            })
        });
        facts.collect::<Vec<_>>()
    };
    assert_eq!(judge(&world, &[kept(0), kept(0)].concat()), Ok(()));
    assert_eq!(judge(&world, &[kept(0), kept(1)].concat()), Err(FORKS));
}

#[test]
fn another_history_that_is_not_told_at_the_greeting_is_found() {
    let world = World::new(1);
    let seal = |byte| Hash([byte; 32]);
    let greeted = |claimed, (counter, seal), forked| {
        let claim = BookClaim {
            replica: ReplicaId::default(),
            counter,
            seal,
            kind: ReplicaKind::Book,
        };
        let answered = BookPosition {
            claim,
            secured: 0,
            label: None,
            forked,
        };
        world.fact(What::Greeted {
            device: DeviceIndex(0),
            books: vec![Compared { claimed, answered }],
        })
    };
    let sound = [
        greeted((4, seal(1)), (4, seal(1)), false),
        greeted((4, seal(1)), (2, seal(2)), false),
        greeted((4, seal(1)), (6, seal(2)), true),
    ];
    for fact in sound {
        assert_eq!(judge(&world, &[fact]), Ok(()));
    }
    let silent = [
        greeted((4, seal(1)), (6, seal(2)), false),
        greeted((4, seal(1)), (4, seal(2)), false),
    ];
    for fact in silent {
        assert_eq!(judge(&world, &[fact]), Err(FORKS));
    }
}
