//! What cannot be kept holds back its own record and nothing else, and its author hears of every change.

use beatbook_core::ledger::{self, StoredEntry};
use beatbook_core::store::Transaction;
use beatbook_proto::{Bytes, Dot, Entry, RecordId, Revision, Standing, Verdict, VersionVector};

use crate::checks::plain;
use crate::world::{DeviceIndex, LINES, PLACE, SUBJECT, World, set, texts};

#[test]
fn one_bad_entry_among_five_hundred() {
    let mut world = World::new(1);
    let (ann, bob) = (
        world.officer("PCSO", &["52/C02"]),
        world.officer("PCSO", &["52/C02"]),
    );
    let (phone, other) = (world.device(ann), world.device(bob));
    let spoiled = world.found(phone, "CONTACT", "52/C02", "spoiled");
    let sound = world.found(phone, "CONTACT", "52/C02", "sound");
    let bad = world
        .amend(phone, spoiled, vec![(SUBJECT, set("unreadable"))])
        .unwrap()
        .dot;
    let waits = world
        .amend(phone, spoiled, vec![(PLACE, set("behind it"))])
        .unwrap()
        .dot;
    world
        .amend(phone, sound, vec![(PLACE, set("not behind it"))])
        .unwrap();
    for n in 0..494 {
        world.found(phone, "NOTE", "52/C02", &format!("note {n}"));
    }
    // Bytes rotted before they were sealed: nothing in them reads any more.
    replace(&mut world, phone, bad, |entry| Entry {
        body: Bytes(vec![0xff; 9]),
        ..entry
    });
    world.sync(phone);
    world.sync(other);
    let status = ledger::status(&world.devices[phone].store).unwrap();
    assert_eq!((status.pending, status.quarantined, status.waiting), (0, 1, 1));
    let standings = [bad, waits].map(|dot| ledger::entry(&world.server, dot).unwrap().unwrap().standing);
    assert_eq!(standings, [Standing::QUARANTINED_MALFORMED, Standing::WAITING]);
    let shown = ledger::heads(&world.devices[other].store, None, usize::MAX).unwrap();
    assert_eq!(shown.len(), 496);
    assert_eq!(
        texts(&world.head(other, sound).unwrap(), PLACE),
        ["not behind it"]
    );
    assert_eq!(texts(&world.head(other, spoiled).unwrap(), PLACE), [""; 0]);
    world.check_always();
    world.check_nothing_lost();
}

/// A colleague's amendment waits at the server for an entry that a device without contact still has.
#[test]
fn what_waited_is_released_and_its_author_hears_of_it() {
    for seed in 0..8 {
        let (mut world, phone, laptop, record) = one_waiting(seed, |_| {});
        let waiting = ledger::status(&world.devices[laptop].store).unwrap().waiting;
        assert_eq!(waiting, 1, "seed {seed}");
        world.sync(phone);
        world.sync(laptop);
        world.sync(phone);
        let status = ledger::status(&world.devices[laptop].store).unwrap();
        assert_eq!((status.waiting, status.quarantined), (0, 0), "seed {seed}");
        assert_eq!(
            texts(&world.server_head(record).unwrap(), PLACE),
            ["read it on the phone"]
        );
        world.check_always();
        world.check_nothing_lost();
        world.sync(phone);
        let shown = [world.head(phone, record), world.server_head(record)].map(|head| plain(&head.unwrap()));
        assert_eq!(shown[0], shown[1], "seed {seed}");
    }
}

/// Invariant: a revision that turns out unsound when released has one verdict, and that is told.
#[test]
fn what_waited_may_turn_out_unsound() {
    for seed in 0..8 {
        let (mut world, phone, laptop, _) = one_waiting(seed, |revision| revision.header.lamport = 77);
        world.sync(phone);
        world.sync(laptop);
        let status = ledger::status(&world.devices[laptop].store).unwrap();
        assert_eq!((status.waiting, status.quarantined), (0, 1), "seed {seed}");
        world.check_always();
    }
}

/// Invariant: a verdict that changes within the very run that brought it is not lost with an older copy of the book.
#[test]
fn a_verdict_that_changes_within_one_run_is_kept() {
    let mut world = World::new(5);
    let ann = world.officer("PCSO", &["52/C02"]);
    let phone = world.device(ann);
    let record = world.found(phone, "CONTACT", "52/C02", "at first");
    let first = world
        .amend(phone, record, vec![(PLACE, set("second"))])
        .unwrap()
        .dot;
    let second = world
        .amend(phone, record, vec![(LINES, set("third"))])
        .unwrap()
        .dot;
    // The first claims to have read the second, with a Lamport number that does not fit.
    rewrite(&mut world, phone, first, |revision| {
        revision.header.prior = 0;
        revision.header.context = VersionVector::from_iter([record]);
        revision.header.record = Some(Dot { counter: 4, ..record });
    });
    rewrite(&mut world, phone, second, |revision| {
        revision.header.record = None;
        revision.header.context = VersionVector::new();
        revision.header.prior = 0;
        revision.header.lamport = 1;
    });
    world.sync(phone);
    let found = [first, second].map(|dot| ledger::entry(&world.server, dot).unwrap().unwrap().standing);
    assert_eq!(found, [Standing::QUARANTINED_MALFORMED, Standing::KEPT]);
    let own = world.book(phone);
    let verdict = Verdict {
        counter: first.counter,
        standing: found[0],
    };
    assert_eq!(own.verdicts, [verdict]);
    world.check_always();
}

/// Ann's laptop has read what her phone wrote over another way than the server, and amends it: the server waits.
fn one_waiting(seed: u64, change: impl FnOnce(&mut Revision)) -> (World, DeviceIndex, DeviceIndex, RecordId) {
    let mut world = World::new(seed);
    let ann = world.officer("PCSO", &["52/C02"]);
    let (phone, laptop) = (world.device(ann), world.device(ann));
    let record = world.found(phone, "CONTACT", "52/C02", "at first");
    world.heal();
    let unsent = world
        .amend(phone, record, vec![(SUBJECT, set("not sent yet"))])
        .unwrap()
        .dot;
    let written = world
        .amend(laptop, record, vec![(PLACE, set("read it on the phone"))])
        .unwrap()
        .dot;
    rewrite(&mut world, laptop, written, |revision| {
        revision.header.context.cover(unsent);
        revision.header.lamport += 1;
        change(revision);
    });
    world.sync(laptop);
    (world, phone, laptop, record)
}

/// Changes the header of an entry that is not sealed yet, as another build might have written it.
fn rewrite(world: &mut World, device: DeviceIndex, dot: Dot, change: impl FnOnce(&mut Revision)) {
    replace(world, device, dot, |entry| {
        let mut revision = Revision::read(dot, &entry).unwrap();
        change(&mut revision);
        Entry::new(&revision.header, &revision.body).unwrap()
    });
}

fn replace(world: &mut World, device: DeviceIndex, dot: Dot, change: impl FnOnce(Entry) -> Entry) {
    let store = &mut world.devices[device].store;
    let stored = ledger::entry(store, dot).unwrap().unwrap();
    let entry = change(stored.entry.clone());
    world.written.insert(dot, entry.clone());
    let mut tx = Transaction::new(&*store);
    ledger::save_entry(&mut tx, dot, &StoredEntry { entry, ..stored }).unwrap();
    let writes = tx.into_writes();
    store.apply(&writes);
}
