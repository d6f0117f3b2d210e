//! A device's store that was restored, rolled back or copied never gives a dot twice and loses nothing of either history.

use beatbook_core::session::Event;
use beatbook_core::store::{Read, Table};
use beatbook_core::{device, ledger};
use beatbook_proto::RecordId;

use crate::link::Faults;
use crate::world::{DeviceIndex, PLACE, SUBJECT, World, set, texts};

#[test]
fn a_restored_device_gets_back_what_it_had_sent() {
    for seed in 0..6 {
        let (mut world, phone, record) = started(seed);
        let backup = world.devices[phone].store.clone();
        world
            .amend(phone, record, vec![(SUBJECT, set("sent after the backup"))])
            .unwrap();
        world.sync(phone);
        world.devices[phone].store = backup;
        world.reopen(phone);
        world
            .amend(
                phone,
                record,
                vec![(PLACE, set("written before the next contact"))],
            )
            .unwrap();
        world.heal();
        let head = world.head(phone, record).unwrap();
        assert_eq!(texts(&head, SUBJECT), ["sent after the backup"], "seed {seed}");
        assert_eq!(
            texts(&head, PLACE),
            ["written before the next contact"],
            "seed {seed}"
        );
        world.check_healed();
    }
}

// Invariant: what a repair could not bring back of what others wrote comes again, though the device had read past it.
#[test]
fn what_a_repair_lost_of_others_comes_again() {
    for seed in 0..6 {
        let (mut world, phone, _) = started(seed);
        let officer = world.devices[phone].identity.officer;
        let laptop = world.device(officer);
        world.sync(laptop);
        let before = world.devices[laptop].store.clone();
        let record = world.found(phone, "CONTACT", "52/C02", "written elsewhere");
        world.sync(phone);
        world.sync(laptop);
        assert!(world.head(laptop, record).is_some(), "seed {seed}");
        // The entry is gone, and the cursors say that it was read.
        let read = |read: &dyn Read| read.scan(Table::Cursors, &[], &[0xff; 64], usize::MAX);
        let cursors = read(&world.devices[laptop].store).unwrap();
        world.devices[laptop].store = before;
        world
            .with_env(laptop, |tx, env| {
                for (scope, cursor) in cursors {
                    tx.put(Table::Cursors, scope, cursor);
                }
                device::reopen_after_loss(tx, env)
            })
            .unwrap();
        world.heal();
        assert!(world.head(laptop, record).is_some(), "seed {seed}");
        world.check_healed();
    }
}

/// Invariant 1: a device that lost its cursors in a repair cannot see that the server went back meanwhile, and still gives
/// it all that the device holds: of its closed books, and of others.
#[test]
fn a_server_that_went_back_while_a_device_was_repaired_gets_everything() {
    for seed in 0..6 {
        let (mut world, phone, _) = started(seed);
        let officer = world.devices[phone].identity.officer;
        let gone = world.device(officer);
        world.sync(gone);
        let backup = world.server.clone();
        let own = world.found(phone, "CONTACT", "52/C02", "in a book that a repair closed");
        let other = world.found(gone, "CONTACT", "52/C02", "on a device that is gone");
        world.sync(gone);
        world.sync(phone);
        let repair = |world: &mut World| {
            world.with_env(phone, device::reopen_after_loss).unwrap();
        };
        repair(&mut world);
        world.sync(phone);
        world.sync(phone);
        repair(&mut world);
        world.server = backup;
        world.restart_epoch();
        world.sync(phone);
        world.sync(phone);
        for record in [own, other] {
            assert!(world.server_head(record).is_some(), "seed {seed}, {record:?}");
        }
        world.heal();
        world.check_healed();
    }
}

#[test]
fn unsent_work_in_the_backup_is_issued_again() {
    for seed in 0..6 {
        for cut in 0..6 {
            let (mut world, phone, record) = started(seed);
            world
                .amend(phone, record, vec![(SUBJECT, set("never sent"))])
                .unwrap();
            let founded = world.found(phone, "CONTACT", "52/C02", "never sent either");
            world
                .amend(phone, founded, vec![(PLACE, set("in the square"))])
                .unwrap();
            let backup = world.devices[phone].store.clone();
            let faults = Faults {
                up_max: cut,
                run_bytes: 1,
                ..Faults::NONE
            };
            world.sync_with(phone, faults);
            world.devices[phone].store = backup;
            world.reopen(phone);
            world
                .amend(phone, founded, vec![(SUBJECT, set("after reopening"))])
                .unwrap();
            world.heal();
            world.check_healed();
            let head = world.head(phone, founded).unwrap();
            assert_eq!(
                texts(&head, SUBJECT),
                ["after reopening"],
                "seed {seed}, cut {cut}"
            );
            assert_eq!(texts(&head, PLACE), ["in the square"], "seed {seed}, cut {cut}");
        }
    }
}

/// Invariant: two readings that did not know of each other stay two, also when what they had read is issued again.
#[test]
fn work_beside_a_reissue_stays_beside_it() {
    for seed in 0..6 {
        let (mut world, phone, record) = started(seed);
        world.amend(phone, record, vec![(SUBJECT, set("six"))]).unwrap();
        let six = ledger::ReadToken::of(&world.head(phone, record).unwrap());
        world.amend(phone, record, vec![(PLACE, set("seven"))]).unwrap();
        let seven = ledger::ReadToken::of(&world.head(phone, record).unwrap());
        world.reopen(phone);
        for (token, text) in [(seven, "had read seven"), (six, "had read six")] {
            let kind = beatbook_proto::RevisionKind::AMEND;
            let draft = world.draft("CONTACT", kind, Some(token), vec![(SUBJECT, set(text))]);
            world.write(phone, draft).unwrap();
        }
        let before = texts(&world.head(phone, record).unwrap(), SUBJECT);
        assert_eq!(before, ["had read seven", "had read six"]);
        world.heal();
        assert_eq!(
            texts(&world.head(phone, record).unwrap(), SUBJECT),
            before,
            "seed {seed}"
        );
        world.check_healed();
    }
}

/// Invariant: a device restored again before its re-issues were sent issues them once more, and nothing waits for ever.
#[test]
fn restored_twice_before_it_was_in_touch() {
    for seed in 0..6 {
        for cut in 0..8 {
            let (mut world, phone, record) = started(seed);
            world
                .amend(phone, record, vec![(SUBJECT, set("never sent"))])
                .unwrap();
            world.reopen(phone);
            world.sync_with(
                phone,
                Faults {
                    up_max: cut,
                    ..Faults::NONE
                },
            );
            world
                .amend(phone, record, vec![(PLACE, set("in between"))])
                .unwrap();
            world.reopen(phone);
            world.amend(phone, record, vec![(PLACE, set("at last"))]).unwrap();
            world.heal();
            let head = world.head(phone, record).unwrap();
            assert_eq!(texts(&head, SUBJECT), ["never sent"], "seed {seed}, cut {cut}");
            assert_eq!(texts(&head, PLACE), ["at last"], "seed {seed}, cut {cut}");
            world.check_healed();
        }
    }
}

#[test]
fn a_folder_copied_while_both_run_keeps_both_histories() {
    for seed in 0..12 {
        let (mut world, phone, record) = started(seed);
        let copy = world.copy_device(phone);
        world
            .amend(phone, record, vec![(SUBJECT, set("the original"))])
            .unwrap();
        world.found(phone, "NOTE", "52/C02", "from the original");
        world
            .amend(copy, record, vec![(SUBJECT, set("the copy"))])
            .unwrap();
        for _ in 0..seed % 4 {
            world.found(copy, "NOTE", "52/C02", "from the copy");
        }
        // The same dot was given twice here on purpose: by a copy, which no store can see.
        world.dots_reused.clear();
        world.sync(phone);
        let outcome = world.sync(copy);
        assert!(outcome.events.contains(&Event::Forked), "seed {seed}");
        world.heal();
        let head = world.head(copy, record).unwrap();
        assert_eq!(texts(&head, SUBJECT), ["the copy", "the original"], "seed {seed}");
        world.check_healed();
    }
}

/// Invariant: what loses its dots in a session is receipted under its new ones before that session says that it has
/// caught up; nothing waits for the next contact.
#[test]
fn what_a_copy_issues_again_goes_out_in_the_same_session() {
    for seed in 0..6 {
        let (mut world, phone, _) = started(seed);
        let copy = world.copy_device(phone);
        world.found(phone, "NOTE", "52/C02", "from the original");
        world.found(copy, "NOTE", "52/C02", "from the copy");
        world.dots_reused.clear();
        world.sync(phone);
        world.sync(copy);
        let own = ledger::own_books(&world.devices[copy].store).unwrap();
        let pending: u64 = own
            .iter()
            .filter(|book| !book.closed)
            .map(|book| book.held - book.receipted)
            .sum();
        assert_eq!(pending, 0, "seed {seed}");
    }
}

/// Invariant: what was written on an entry stays with it, also at a reader who meets what a copy had written under the same
/// dot, and issued again, before it meets the entry itself.
#[test]
fn what_was_written_on_an_entry_stays_with_it() {
    for seed in 0..6 {
        let mut world = World::new(seed);
        let beats = ["52/C01", "52/C02"];
        let (ann, carol) = (world.officer("PCSO", &beats), world.officer("PCSO", &beats));
        let (phone, reader) = (world.device(ann), world.device(carol));
        world.sync(phone);
        let copy = world.copy_device(phone);
        let original = world.found(phone, "CONTACT", "52/C02", "of the original");
        world.sync(phone);
        world.sync(reader);
        world
            .amend(reader, original, vec![(PLACE, set("on the original's"))])
            .unwrap();
        world.sync(reader);
        world.found(copy, "CONTACT", "52/C01", "of the copy");
        world.dots_reused.clear();
        world.sync(copy);
        // Its own feed comes first, then that of the first beat, and the original with the second.
        let late = world.device(carol);
        world.sync(late);
        let shown = world.head(late, original).map(|head| texts(&head, PLACE));
        assert_eq!(shown, Some(vec!["on the original's".to_owned()]), "seed {seed}");
        world.heal();
        world.check_heads_agree();
        world.check_nothing_lost();
    }
}

/// Invariant: where a copy was first at a server that went back in time, and sealed less of the book, the original goes on
/// elsewhere: no run of its own begins where the server stands, and nothing of it may wait for ever.
#[test]
fn a_copy_that_sent_less_under_a_seal_of_its_own_is_another_history() {
    for seed in 0..6 {
        for written_by_copy in [false, true] {
            let (mut world, phone, _) = started(seed);
            world.found(phone, "NOTE", "52/C02", "before the copy");
            let (copy, server_then) = (world.copy_device(phone), world.server.clone());
            for _ in 0..2 {
                world.found(phone, "NOTE", "52/C02", "after the copy");
            }
            world.sync(phone);
            world.server = server_then;
            if written_by_copy {
                world.found(copy, "NOTE", "52/C02", "from the copy");
                world.dots_reused.clear();
            }
            world.sync(copy);
            let outcome = world.sync(phone);
            assert!(outcome.events.contains(&Event::Forked), "seed {seed}");
            world.heal();
            let status = ledger::status(&world.devices[phone].store).unwrap();
            assert_eq!(status.pending, 0, "seed {seed}");
            world.check_heads_agree();
            world.check_nothing_lost();
        }
    }
}

/// Invariant: a dot that a copy gave too, and issued again elsewhere, names here what was written here.
#[test]
fn what_is_written_under_a_dot_that_a_copy_issued_again_is_shown() {
    for seed in 0..6 {
        let (mut world, phone, record) = started(seed);
        let bob = world.officer("PCSO", &["52/C02"]);
        let reader = world.device(bob);
        let copy = world.copy_device(phone);
        for _ in 0..3 {
            world.found(phone, "NOTE", "52/C02", "from the original");
        }
        world.found(copy, "NOTE", "52/C02", "the first of the copy");
        world.sync(copy);
        // The original's dots are taken: it issues all three notes again, and the copy hears of that.
        world.sync(phone);
        world.sync(phone);
        world.sync(copy);
        let later = world.found(copy, "NOTE", "52/C02", "written later by the copy");
        world.dots_reused.clear();
        let shown = world.head(copy, later).map(|head| texts(&head, SUBJECT));
        assert_eq!(
            shown,
            Some(vec!["written later by the copy".to_owned()]),
            "seed {seed}"
        );
        world.sync(copy);
        world.sync(reader);
        world
            .amend(reader, later, vec![(PLACE, set("seen by the reader"))])
            .unwrap();
        world
            .amend(reader, record, vec![(PLACE, set("seen too"))])
            .unwrap();
        world.heal();
        let head = world.head(copy, later).unwrap();
        assert_eq!(
            texts(&head, SUBJECT),
            ["written later by the copy"],
            "seed {seed}"
        );
        assert_eq!(texts(&head, PLACE), ["seen by the reader"], "seed {seed}");
        world.check_healed();
    }
}

#[test]
fn the_original_turns_up_after_its_reissue() {
    for seed in 0..6 {
        let (mut world, phone, record) = started(seed);
        world
            .amend(phone, record, vec![(SUBJECT, set("on its way"))])
            .unwrap();
        world.prepare(phone);
        let twin = world.devices[phone].store.clone();
        world.reopen(phone);
        world.sync(phone);
        world.sync(phone);
        // A replayed session of the store as it was: the runs that had been under way.
        let restored = world.copy_device(phone);
        world.devices[restored].store = twin;
        world.sync_with(
            restored,
            Faults {
                down_max: 0,
                ..Faults::NONE
            },
        );
        world.heal();
        let head = world.server_head(record).unwrap();
        assert_eq!(texts(&head, SUBJECT), ["on its way"], "seed {seed}");
        assert_eq!(head.revisions.len(), 2, "seed {seed}: both dots are one revision");
        world.check_healed();
    }
}

/// Invariant: what a reader brought back of a book does not hide what lies before it.
#[test]
fn both_server_and_device_restored() {
    for seed in 0..8 {
        for announced in [false, true] {
            let (mut world, phone, record) = started(seed);
            let bob = world.officer("PCSO", &["52/C02"]);
            let reader = world.device(bob);
            world.heal();
            let server_backup = world.server.clone();
            world.found(phone, "NOTE", "52/C09", "no one else reads this beat");
            let device_backup = world.devices[phone].store.clone();
            world.sync(phone);
            world
                .amend(phone, record, vec![(PLACE, set("what the reader saw"))])
                .unwrap();
            world.sync(phone);
            world.sync(reader);
            world.server = server_backup;
            if announced {
                world.restart_epoch();
            }
            world.devices[phone].store = device_backup;
            world.reopen(phone);
            world.sync(reader);
            world.heal();
            let head = world.head(phone, record).unwrap();
            assert_eq!(
                texts(&head, PLACE),
                ["what the reader saw"],
                "seed {seed}, {announced}"
            );
            world.check_healed();
        }
    }
}

fn started(seed: u64) -> (World, DeviceIndex, RecordId) {
    let mut world = World::new(seed);
    let ann = world.officer("PCSO", &["52/C02"]);
    let phone = world.device(ann);
    let record = world.found(phone, "CONTACT", "52/C02", "at first");
    world.heal();
    (world, phone, record)
}
