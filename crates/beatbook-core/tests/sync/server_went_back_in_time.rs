//! A server restored from a backup, with or without a word, gets back all that it had receipted; from its devices.

use beatbook_core::device::{self, DeviceOp, DeviceReply};
use beatbook_core::ledger;
use beatbook_core::server::{self, ServerOp};
use beatbook_core::session::Event;
use beatbook_core::store::MemoryStore;
use beatbook_proto::Dot;

use crate::link::Faults;
use crate::world::{DeviceIndex, PLACE, SUBJECT, World, set};

#[test]
fn announced_devices_bring_it_back() {
    for seed in 0..6 {
        let (mut world, backup, [phone, ..]) = before_the_loss(seed);
        world.server = backup;
        world.restart_epoch();
        let outcome = world.sync(phone);
        assert!(
            outcome
                .events
                .iter()
                .any(|event| matches!(event, Event::Rewound { .. })),
            "seed {seed}"
        );
        world.heal();
        world.check_healed();
    }
}

#[test]
fn unannounced_devices_bring_it_back() {
    for seed in 0..6 {
        let (mut world, backup, _) = before_the_loss(seed);
        world.server = backup;
        world.heal();
        world.check_healed();
    }
}

/// Invariant: others' entries come back too, also where their author's device is gone for good.
#[test]
fn a_reader_brings_back_what_the_author_cannot() {
    for seed in 0..6 {
        for announced in [false, true] {
            let (mut world, backup, [phone, _, other]) = before_the_loss(seed);
            let lost = world.found(phone, "NOTE", "52/C02", "only a reader has it");
            world.sync(phone);
            world.sync(other);
            world.server = backup;
            if announced {
                world.restart_epoch();
            }
            world.sync(other);
            world.sync(other);
            assert!(
                world.server_head(lost).is_some(),
                "seed {seed}, announced {announced}"
            );
            world.check_always();
        }
    }
}

/// Invariant: an entry that was sealed in two lives of its book proves itself to every reader, in whichever order the runs
/// and parts of both seals come.
#[test]
fn entries_under_two_seals_prove_themselves() {
    for seed in 0..4 {
        for parts_first in [false, true] {
            let (mut world, _, [phone, _, other]) = before_the_loss(seed);
            world.found(phone, "NOTE", "52/C02", "in both lives");
            let (phone_then, server_then) = (world.devices[phone].store.clone(), world.server.clone());
            // The reader holds a part of the run.
            for beat in ["52/C02", "52/C01"] {
                world.found(phone, "NOTE", beat, "in the earlier life");
            }
            world.sync(phone);
            world.sync(other);
            let book = world.book(phone);
            let first = Dot {
                replica: book.replica(),
                counter: 1,
            };
            let op = DeviceOp::Parts(vec![(first, u32::try_from(book.held).unwrap())]);
            let offered = world
                .with_env(other, |tx, env| device::execute(tx, env, op))
                .unwrap();
            let DeviceReply::Parts(offered) = offered else {
                panic!("parts were asked for");
            };
            world.server = server_then;
            world.devices[phone].store = phone_then;
            if !parts_first {
                world.sync(phone);
            }
            for part in offered {
                let run = Box::new(part.verify(&book.opening.key).unwrap());
                world
                    .at_server(|tx, env| server::execute(tx, env, ServerOp::AcceptPart(run)))
                    .unwrap();
            }
            world.sync(phone);
            let carol = world.officer("PCSO", &["52/C02"]);
            let reader = world.device(carol);
            world.sync(reader);
            world.heal();
            world.check_heads_agree();
        }
    }
}

/// Invariant: an offer that was cut is made again.
#[test]
fn a_cut_while_offering_is_made_good() {
    for cut in 0..10 {
        for downward in [false, true] {
            let (mut world, backup, [phone, _, other]) = before_the_loss(3);
            let lost = world.found(phone, "NOTE", "52/C02", "only a reader has it");
            world.sync(phone);
            world.sync(other);
            world.server = backup;
            world.restart_epoch();
            let mut faults = Faults::NONE;
            if downward {
                faults.down_max = cut;
            } else {
                faults.up_max = cut;
            }
            world.sync_with(other, faults);
            world.sync(other);
            assert!(
                world.server_head(lost).is_some(),
                "cut {cut}, downward {downward}"
            );
            world.heal();
            world.check_healed();
        }
    }
}

/// Invariant: a reader that was beyond the branch reads all of the new life, however far that has grown unnoticed.
#[test]
fn a_log_that_grew_again_before_anyone_noticed_is_read_whole() {
    for seed in 0..6 {
        let mut world = World::new(seed);
        let (ann, bob) = (
            world.officer("PCSO", &["52/C02"]),
            world.officer("PCSO", &["52/C02"]),
        );
        let newcomer = world.officer("PCSO", &["52/C02"]);
        let (phone, other, fresh) = (world.device(ann), world.device(bob), world.device(newcomer));
        world.found(phone, "NOTE", "52/C02", "first");
        world.heal();
        let backup = world.server.clone();
        for n in 0..9 {
            world.found(phone, "NOTE", "52/C02", &format!("lost {n}"));
        }
        world.sync(phone);
        world.sync(other);
        world.server = backup;
        let unseen: Vec<_> = (0..3)
            .map(|n| world.found(fresh, "NOTE", "52/C02", &format!("grown {n}")))
            .collect();
        world.sync(fresh);
        world.sync(other);
        world.sync(other);
        for record in unseen {
            assert!(world.head(other, record).is_some(), "seed {seed}: {record:?}");
        }
        world.heal();
        world.check_healed();
    }
}

/// Everything restored to nothing: books come back with openings and labels.
#[test]
fn a_server_restored_to_its_first_day_gets_all_back() {
    for seed in 0..6 {
        let mut world = World::new(seed);
        let (ann, bob) = (
            world.officer("PCSO", &["52/C02"]),
            world.officer("PCSO", &["52/C02"]),
        );
        let (phone, other) = (world.device(ann), world.device(bob));
        let first_day = world.server.clone();
        let record = world.found(phone, "NOTE", "52/C02", "first");
        world.heal();
        world.server = first_day;
        world.restart_epoch();
        world.sync(other);
        world.sync(other);
        assert!(world.server_head(record).is_some(), "seed {seed}");
        let book = ledger::book(&world.server, record.replica).unwrap().unwrap();
        assert!(book.label.is_some(), "seed {seed}: a book without a label");
        world.heal();
        world.check_healed();
    }
}

/// Ann with a phone and a laptop, Bob with one device, a backup, and work by all of them after it.
fn before_the_loss(seed: u64) -> (World, MemoryStore, [DeviceIndex; 3]) {
    let mut world = World::new(seed);
    let (ann, bob) = (
        world.officer("PCSO", &["52/C02"]),
        world.officer("PCSO", &["52/C02"]),
    );
    let (phone, laptop, other) = (world.device(ann), world.device(ann), world.device(bob));
    let record = world.found(phone, "CONTACT", "52/C02", "at first");
    world.heal();
    let backup = world.server.clone();
    world
        .amend(phone, record, vec![(SUBJECT, set("from the phone"))])
        .unwrap();
    world.found(phone, "NOTE", "52/C02", "another");
    world.sync(phone);
    world
        .amend(laptop, record, vec![(PLACE, set("from the laptop"))])
        .unwrap();
    world.sync(laptop);
    world.sync(other);
    world
        .amend(other, record, vec![(PLACE, set("from Bob"))])
        .unwrap();
    world.sync(other);
    (world, backup, [phone, laptop, other])
}

/// Invariant 10: a reader may bring a later run before the device brings the one between; the book is then held whole.
#[test]
fn runs_that_come_in_any_order_are_held_whole() {
    let mut world = World::new(1);
    let ann = world.officer("PCSO", &["52/C02"]);
    let phone = world.device(ann);
    world.found(phone, "NOTE", "52/C02", "in the first run");
    world.sync(phone);
    let mut runs = Vec::new();
    for subject in ["in the second run", "in the third run"] {
        let after = world.book(phone).sealed;
        world.found(phone, "NOTE", "52/C02", subject);
        world.prepare(phone);
        let book = world.book(phone);
        let run = ledger::next_run(&world.devices[phone].store, book.replica(), after).unwrap();
        runs.push(Box::new(run.unwrap().verify(&book.opening.key).unwrap()));
    }
    let book = world.book(phone);
    let peer = book.opening.enrolment;
    let [second, third] = <[_; 2]>::try_from(runs).unwrap();
    for op in [
        ServerOp::AcceptPart(third),
        ServerOp::AcceptRun { peer, run: second },
    ] {
        world.at_server(|tx, env| server::execute(tx, env, op)).unwrap();
    }
    let there = ledger::book(&world.server, book.replica()).unwrap().unwrap();
    assert_eq!(
        (there.held, there.sealed, there.seal),
        (book.sealed, book.sealed, book.seal)
    );
    world.check_always();
}
