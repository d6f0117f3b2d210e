//! A record is read by those of its beat and marking, from the change on that moved it.

use beatbook_core::ledger::{self, LedgerError};
use beatbook_core::session::Event;
use beatbook_proto::{Dot, field};

use crate::world::{PLACE, SUBJECT, World, set, set_code, texts};

#[test]
fn a_record_moves_whole_to_another_beat() {
    let mut world = World::new(1);
    let ann = world.officer("PCSO", &["52/C02", "52/C03"]);
    let (bob, cat) = (
        world.officer("PCSO", &["52/C02"]),
        world.officer("PCSO", &["52/C03"]),
    );
    let [phone, leaves, gains] = [ann, bob, cat].map(|officer| world.device(officer));
    let record = world.found(phone, "CONTACT", "52/C02", "somebody");
    world
        .amend(phone, record, vec![(PLACE, set("the park"))])
        .unwrap();
    world.heal();
    assert!(world.head(leaves, record).is_some() && world.head(gains, record).is_none());
    world
        .amend(phone, record, vec![(field::BEAT, set_code("52/C03"))])
        .unwrap();
    world.sync(phone);
    world.sync(gains);
    let outcome = world.sync(leaves);
    assert!(outcome.events.contains(&Event::Purged(vec![record])));
    assert!(world.head(leaves, record).is_none());
    assert!(
        ledger::entry(&world.devices[leaves].store, record)
            .unwrap()
            .is_none()
    );
    assert_eq!(texts(&world.head(gains, record).unwrap(), PLACE), ["the park"]);
    world.heal();
    world.check_healed();
}

/// Invariant: a departure from one scope takes nothing from who reads the record in another, whichever feed comes first.
#[test]
fn whoever_reads_both_beats_keeps_the_record() {
    for (from, to) in [("52/C02", "52/C03"), ("52/C03", "52/C02")] {
        let mut world = World::new(2);
        let ann = world.officer("PCSO", &["52/C02", "52/C03"]);
        let sergeant = world.officer("SGT", &["52/C02", "52/C03"]);
        let (phone, desk) = (world.device(ann), world.device(sergeant));
        let record = world.found(phone, "CONTACT", from, "somebody");
        world.heal();
        world
            .amend(phone, record, vec![(field::BEAT, set_code(to))])
            .unwrap();
        world.heal();
        assert!(world.head(desk, record).is_some(), "{from} to {to}");
        world.check_healed();
        world
            .amend(phone, record, vec![(field::BEAT, set_code(from))])
            .unwrap();
        world.heal();
        world.check_healed();
    }
}

/// Invariant: a record that reached a reader by its second beat goes with that beat, whatever its founding entry names:
/// the departure from the first was read before the record came, or took it away for a moment.
#[test]
fn a_record_that_moves_on_leaves_every_reader() {
    for is_newcomer in [false, true] {
        let mut world = World::new(6);
        let ann = world.officer("PCSO", &["52/C02", "52/C03", "52/C04"]);
        let bob = world.officer("PCSO", &["52/C02", "52/C03"]);
        let phone = world.device(ann);
        let record = world.found(phone, "CONTACT", "52/C02", "somebody");
        world.sync(phone);
        let reader = world.device(bob);
        if !is_newcomer {
            world.sync(reader);
        }
        world
            .amend(phone, record, vec![(field::BEAT, set_code("52/C03"))])
            .unwrap();
        world.sync(phone);
        world.sync(reader);
        let moved = world.head(reader, record).expect("it is of a beat of the reader");
        let scopes: Vec<String> = moved.scopes.iter().map(ToString::to_string).collect();
        assert_eq!(scopes, ["52/C03"], "newcomer: {is_newcomer}");
        world
            .amend(phone, record, vec![(field::BEAT, set_code("52/C04"))])
            .unwrap();
        world.sync(phone);
        world.sync(reader);
        assert!(world.head(reader, record).is_none(), "newcomer: {is_newcomer}");
        world.heal();
        world.check_healed();
    }
}

#[test]
fn a_sensitive_marking_moves_it_to_sergeants_and_back() {
    let mut world = World::new(3);
    let (ann, bob) = (
        world.officer("PCSO", &["52/C02"]),
        world.officer("PCSO", &["52/C02"]),
    );
    let sergeant = world.officer("SGT", &["52/C02"]);
    let [phone, other, desk] = [ann, bob, sergeant].map(|officer| world.device(officer));
    let record = world.found(phone, "CONTACT", "52/C02", "somebody");
    world.heal();
    world
        .amend(
            desk,
            record,
            vec![(field::MARKING, set_code(field::OFFICIAL_SENSITIVE))],
        )
        .unwrap();
    world.heal();
    assert!(
        world.head(other, record).is_none(),
        "purged where nothing of it is own work"
    );
    assert!(
        world.head(phone, record).unwrap().frozen,
        "kept, unchangeable, where own work is in it"
    );
    let refused = world.amend(phone, record, vec![(SUBJECT, set("more"))]);
    assert_eq!(refused, Err(LedgerError::Frozen(record)));
    world.check_healed();
    world
        .amend(desk, record, vec![(field::MARKING, set_code("OFFICIAL"))])
        .unwrap();
    world.heal();
    // Invariant: a record that comes back is whole, and no longer frozen.
    assert!(world.head(other, record).is_some());
    world.amend(phone, record, vec![(SUBJECT, set("more"))]).unwrap();
    world.heal();
    world.check_healed();
}

/// Invariant: who is posted later never receives what had left the scope before.
#[test]
fn a_newcomer_does_not_read_what_has_left() {
    let mut world = World::new(4);
    let (ann, sergeant) = (
        world.officer("PCSO", &["52/C02"]),
        world.officer("SGT", &["52/C02"]),
    );
    let (phone, desk) = (world.device(ann), world.device(sergeant));
    let record = world.found(phone, "CONTACT", "52/C02", "somebody");
    let stays = world.found(phone, "CONTACT", "52/C02", "somebody else");
    world.heal();
    world
        .amend(
            desk,
            record,
            vec![(field::MARKING, set_code(field::OFFICIAL_SENSITIVE))],
        )
        .unwrap();
    world.sync(desk);
    let eve = world.officer("PCSO", &["52/C02"]);
    let newcomer = world.device(eve);
    let outcome = world.sync(newcomer);
    let told = outcome.events.iter().any(|event| match event {
        Event::Changed(records) => records.contains(&record),
        _ => false,
    });
    assert!(!told, "the newcomer was shown it for a moment");
    assert!(world.head(newcomer, stays).is_some());
    world.heal();
    world.check_healed();
}

#[test]
fn a_posting_that_ends_ends_the_feed() {
    let mut world = World::new(5);
    let (ann, bob) = (
        world.officer("PCSO", &["52/C02"]),
        world.officer("PCSO", &["52/C02"]),
    );
    let (phone, other) = (world.device(ann), world.device(bob));
    let before = world.found(phone, "NOTE", "52/C02", "before");
    world.heal();
    world.post(bob, &["52/C04"]);
    let opening = Dot { counter: 1, ..before };
    world.may_have_held.extend([(other, before), (other, opening)]);
    let after = world.found(phone, "NOTE", "52/C02", "after");
    world.heal();
    assert!(world.head(other, after).is_none());
    let granted = beatbook_core::device::granted_scopes(&world.devices[other].store).unwrap();
    assert!(granted.iter().all(|scope| scope.to_string() != "52/C02"));
    world.check_healed();
    world.post(bob, &["52/C02"]);
    world.heal();
    assert!(world.head(other, after).is_some());
    world.check_healed();
}
