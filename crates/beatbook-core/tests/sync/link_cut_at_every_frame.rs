//! A connection cut after any frame in either direction costs time, never an entry; by trying every place.

use beatbook_core::ledger;
use beatbook_core::merge::Concurrency;

use crate::link::Faults;
use crate::world::{PLACE, SUBJECT, World, set};

#[test]
fn every_frame_boundary_heals() {
    for seed in 0..2 {
        for cut in 0..14 {
            for downward in [false, true] {
                let mut faults = Faults {
                    run_bytes: 200,
                    ..Faults::NONE
                };
                if downward {
                    faults.down_max = cut;
                } else {
                    faults.up_max = cut;
                }
                cut_once(seed, faults);
            }
        }
    }
}

fn cut_once(seed: u64, faults: Faults) {
    let mut world = World::new(seed);
    let (ann, bob) = (
        world.officer("PCSO", &["52/C02"]),
        world.officer("PCSO", &["52/C02"]),
    );
    let (phone, laptop, other) = (world.device(ann), world.device(ann), world.device(bob));
    let record = world.found(phone, "CONTACT", "52/C02", "at first");
    world.heal();
    world
        .amend(laptop, record, vec![(PLACE, set("from the laptop"))])
        .unwrap();
    world.found(laptop, "NOTE", "52/C02", "another");
    world.sync(laptop);
    for n in 0..4 {
        world.found(phone, "NOTE", "52/C02", &format!("note {n}"));
    }
    world
        .amend(phone, record, vec![(SUBJECT, set("from the phone"))])
        .unwrap();
    for _ in 0..3 {
        world.sync_with(phone, faults);
        world.check_always();
        world.check_receipted_is_held();
    }
    world.heal();
    world.check_healed();
    for device in [phone, laptop, other] {
        let head = world.head(device, record).unwrap();
        assert_eq!(
            head.concurrency(),
            Concurrency::AutoMerged,
            "seed {seed}, {faults:?}"
        );
        let shown = ledger::heads(&world.devices[device].store, None, usize::MAX).unwrap();
        assert_eq!(shown.len(), 6, "seed {seed}, {faults:?}: everything once");
    }
}
