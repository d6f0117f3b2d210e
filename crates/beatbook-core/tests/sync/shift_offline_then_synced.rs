//! A shift written offline reaches the server once, and everyone who may read it; by whole sessions.

use beatbook_core::ledger;
use beatbook_core::session::Event;
use beatbook_proto::{ReplicaKind, RevisionKind};

use crate::link::{Faults, Link};
use crate::world::{LINES, PLACE, SUBJECT, World, set, texts};

#[test]
fn a_shift_is_read_by_colleague_and_supervisor() {
    for seed in 0..8 {
        let mut world = World::new(seed);
        let (ann, bob) = (
            world.officer("PCSO", &["52/C02"]),
            world.officer("PCSO", &["52/C02"]),
        );
        let sergeant = world.officer("SGT", &["52/C01", "52/C02"]);
        let [phone, other, desk] = [ann, bob, sergeant].map(|officer| world.device(officer));
        let records: Vec<_> = (0..37)
            .map(|n| world.found(phone, "NOTE", "52/C02", &format!("note {n}")))
            .collect();
        world
            .amend(phone, records[3], vec![(PLACE, set("the bandstand"))])
            .unwrap();
        let status = ledger::status(&world.devices[phone].store).unwrap();
        assert_eq!(
            (status.written, status.pending, status.safe),
            (40, 40, 0),
            "seed {seed}"
        );
        let outcome = world.sync(phone);
        assert!(outcome.events.contains(&Event::CaughtUp), "seed {seed}");
        world.sync(other);
        world.sync(desk);
        for device in [other, desk] {
            for (n, record) in records.iter().enumerate() {
                let head = world.head(device, *record).unwrap();
                assert_eq!(texts(&head, SUBJECT), [format!("note {n}")], "seed {seed}");
            }
        }
        let status = ledger::status(&world.devices[phone].store).unwrap();
        assert_eq!((status.pending, status.safe), (0, 40), "seed {seed}");
        world.heal();
        world.check_healed();
    }
}

#[test]
fn a_device_of_another_beat_sees_nothing() {
    let mut world = World::new(1);
    let (ann, eve) = (
        world.officer("PCSO", &["52/C02"]),
        world.officer("PCSO", &["52/C03"]),
    );
    let (phone, stranger) = (world.device(ann), world.device(eve));
    let record = world.found(phone, "CONTACT", "52/C02", "somebody");
    world.sync(phone);
    world.sync(stranger);
    assert!(world.head(stranger, record).is_none());
    assert!(
        ledger::entry(&world.devices[stranger].store, record)
            .unwrap()
            .is_none()
    );
    world.heal();
    world.check_healed();
}

#[test]
fn nothing_new_costs_four_frames() {
    let mut world = World::new(2);
    let ann = world.officer("PCSO", &["52/C02"]);
    let phone = world.device(ann);
    world.found(phone, "NOTE", "52/C02", "a note");
    world.sync(phone);
    let outcome = world.sync(phone);
    let hello_close: &[u8] = &[1, 8];
    let welcome_caught_up: &[u8] = &[3, 7];
    assert_eq!((&*outcome.up, &*outcome.down), (hello_close, welcome_caught_up));
}

#[test]
fn books_get_labels_at_first_contact() {
    let mut world = World::new(3);
    let ann = world.officer("PCSO", &["52/C02"]);
    let (phone, laptop) = (world.device(ann), world.device(ann));
    world.found(phone, "NOTE", "52/C02", "a note");
    let unlabelled = world.book(phone).reference(2);
    assert!(unlabelled.starts_with("new-"), "{unlabelled}");
    world.sync(phone);
    world.sync(laptop);
    let labels = [phone, laptop].map(|device| world.book(device).reference(2));
    assert_eq!(labels, ["B01/2", "B02/2"]);
    let named = ledger::book_named(&world.devices[laptop].store, "b01")
        .unwrap()
        .unwrap();
    assert_eq!(named.replica(), world.book(phone).replica());
}

#[test]
fn an_empty_session_ends() {
    for seed in 0..16 {
        let mut world = World::new(seed);
        let ann = world.officer("PCSO", &[]);
        let phone = world.device(ann);
        world.sync(phone);
        world.check_healed();
    }
}

/// A long absence: far more runs than a server keeps waiting while it asks its register.
#[test]
fn a_backlog_of_hundreds_of_runs_goes_out_in_one_session() {
    for seed in 0..4 {
        let mut world = World::new(seed);
        let ann = world.officer("PCSO", &["52/C02"]);
        let phone = world.device(ann);
        for n in 0..600 {
            world.found(phone, "NOTE", "52/C02", &format!("note {n}"));
        }
        let small_runs = Faults {
            run_bytes: 1,
            ..Faults::NONE
        };
        let outcome = world.sync_with(phone, small_runs);
        assert!(outcome.is_done(), "seed {seed}: {:?}", outcome.error);
        assert_eq!(
            ledger::status(&world.devices[phone].store).unwrap().pending,
            0,
            "seed {seed}"
        );
    }
}

/// Text that packs well is still sent in runs that fit a frame once unpacked.
#[test]
fn large_entries_that_pack_well_are_sent() {
    let mut world = World::new(4);
    let ann = world.officer("PCSO", &["52/C02"]);
    let phone = world.device(ann);
    for _ in 0..30 {
        let record = world.found(phone, "NOTE", "52/C02", "long");
        let page = "so it went on ".repeat(1_400);
        let ops = (50..60)
            .map(|id| (beatbook_proto::FieldId(id), set(&page)))
            .collect();
        world.amend(phone, record, ops).unwrap();
    }
    let faults = Faults {
        run_bytes: usize::MAX,
        ..Faults::NONE
    };
    let outcome = world.sync_with(phone, faults);
    assert!(outcome.is_done(), "{:?}", outcome.error);
    world.heal();
    world.check_healed();
}

#[test]
fn live_sessions_hear_of_each_other() {
    for seed in 0..8 {
        let mut world = World::new(seed);
        let (ann, bob) = (
            world.officer("PCSO", &["52/C02"]),
            world.officer("PCSO", &["52/C02"]),
        );
        let (phone, other) = (world.device(ann), world.device(bob));
        let mut links = [phone, other].map(|device| Link::new(&world, device, true, Faults::NONE));
        run(&mut world, &mut links);
        assert!(links.iter().all(Link::is_settled), "seed {seed}");
        let record = world.found(phone, "NOTE", "52/C02", "just now");
        let mut trace = world.draft("SHIFT", RevisionKind::CREATE, None, vec![(LINES, set("on"))]);
        trace.log = ReplicaKind::Trace;
        world.write(phone, trace).unwrap();
        links[0].wrote();
        run(&mut world, &mut links);
        assert!(links.iter().all(Link::is_settled), "seed {seed}");
        assert!(world.head(other, record).is_some(), "seed {seed}");
        world.check_always();
        world.check_heads_agree();
    }
}

/// Runs links until nothing can happen, telling each what the other made grow.
fn run(world: &mut World, links: &mut [Link; 2]) {
    loop {
        let mut moved = false;
        for index in 0..links.len() {
            moved |= links[index].step(world);
            for feeds in std::mem::take(&mut links[index].grown) {
                links[1 - index].feeds_grew(&feeds);
                moved = true;
            }
        }
        if !moved {
            return;
        }
    }
}
