//! A run goes whole to who may hold every entry of it, also those of other beats than the feed's; nothing else does, and
//! such records come and go with their own beats from then on.

use beatbook_core::device;
use beatbook_core::ledger;
use beatbook_core::store::{MemoryStore, Read, Table};
use beatbook_proto::{Code, Cursor, Dot, OfficerId, RecordId, Scope, codec, field};

use crate::link::Faults;
use crate::world::{DeviceIndex, SUBJECT, World, set, set_code};

#[test]
fn who_reads_both_beats_gets_the_run_once() {
    let mut world = World::new(0);
    let Scene {
        reader,
        other,
        here,
        there,
        ..
    } = scene(&mut world, &["52/C02", "52/C03"]);
    world.sync(reader);
    assert!(world.holds(reader, here) && world.holds(reader, there));
    assert!(world.has_whole_run(reader, here), "it came with its secret");
    // Invariant: one record of it that may not be held, and nothing but the other goes.
    world.sync(other);
    assert!(world.holds(other, here) && !world.holds(other, there));
    assert!(!world.has_whole_run(other, here));
    world.heal();
    world.check_healed();
}

/// Invariant: what is granted when a run is sent counts, not what was granted when the reader was posted.
#[test]
fn a_posting_that_ended_ends_whole_runs() {
    let mut world = World::new(1);
    let scene = scene(&mut world, &["52/C02", "52/C03"]);
    world.post(scene.officer, &["52/C02"]);
    world.sync(scene.reader);
    assert!(world.holds(scene.reader, scene.here) && !world.holds(scene.reader, scene.there));
    world.heal();
    world.check_healed();
}

/// Invariant: what came beside is kept like all that a reader had of a former beat, and goes with the departure that is
/// read once the beat is granted again.
#[test]
fn a_posting_ends_after_a_record_came_beside() {
    let (mut world, scene) = came_beside(2);
    world.post(scene.officer, &["52/C02"]);
    world
        .may_have_held
        .extend([(scene.reader, scene.there), (scene.reader, scene.here)]);
    world.move_to(scene.phone, scene.there, "52/C09");
    world.heal();
    world.check_healed();
    assert!(world.holds(scene.reader, scene.there), "nothing told it to go");
    world.post(scene.officer, &["52/C02", "52/C03"]);
    world.heal();
    assert!(!world.holds(scene.reader, scene.there));
    world.may_have_held.clear();
    world.check_healed();
}

/// Invariant: a record that came beside leaves with the beat that it is of, whether that beat's feed was read or not.
#[test]
fn a_record_that_came_beside_moves_out() {
    for read_before in [false, true] {
        let (mut world, scene) = came_beside(3);
        if read_before {
            world.sync(scene.reader);
        }
        world.move_to(scene.phone, scene.there, "52/C09");
        world.sync(scene.reader);
        assert!(
            !world.holds(scene.reader, scene.there),
            "read before: {read_before}"
        );
        assert!(world.holds(scene.reader, scene.here));
        world.heal();
        world.check_healed();
    }
}

/// Invariant: a record that came beside and moved to another beat of the reader is of that beat alone, and goes with it.
#[test]
fn a_record_that_came_beside_moves_twice() {
    for read_before in [false, true] {
        let (mut world, scene) = came_beside(4);
        if read_before {
            world.sync(scene.reader);
        }
        world.move_to(scene.phone, scene.there, "52/C04");
        world.sync(scene.reader);
        assert_eq!(world.beats_of(scene.reader, scene.there), ["52/C04"]);
        world.move_to(scene.phone, scene.there, "52/C09");
        world.sync(scene.reader);
        assert!(
            !world.holds(scene.reader, scene.there),
            "read before: {read_before}"
        );
        world.heal();
        world.check_healed();
    }
}

/// Invariant: a run of which one record moved does not go whole: the reader would take that for one of its first beat.
#[test]
fn a_run_of_which_a_record_moved_goes_in_parts() {
    for beat in ["52/C04", "52/C09"] {
        let mut world = World::new(5);
        let scene = scene(&mut world, &["52/C02", "52/C03", "52/C04"]);
        world.move_to(scene.phone, scene.there, beat);
        world.sync(scene.reader);
        assert!(!world.has_whole_run(scene.reader, scene.here), "{beat}");
        assert!(world.holds(scene.reader, scene.here));
        assert_eq!(world.holds(scene.reader, scene.there), beat == "52/C04");
        if beat == "52/C04" {
            assert_eq!(world.beats_of(scene.reader, scene.there), ["52/C04"]);
        }
        world.move_to(scene.phone, scene.there, "52/C10");
        world.sync(scene.reader);
        assert!(!world.holds(scene.reader, scene.there), "{beat}");
        // Where it comes back to, the run may go whole again.
        world.move_to(scene.phone, scene.there, "52/C03");
        world.sync(scene.reader);
        assert!(world.holds(scene.reader, scene.there), "{beat}");
        world.heal();
        world.check_healed();
    }
}

/// Invariant: the only entry of its run proves itself whole, and is of the beat that brings it all the same.
#[test]
fn a_run_of_one_record_that_moved_is_of_where_it_came_from() {
    let mut world = World::new(6);
    let scene = scene(&mut world, &["52/C02", "52/C03", "52/C04"]);
    let alone = world.found(scene.phone, "CONTACT", "52/C03", "alone");
    world.sync(scene.phone);
    world.move_to(scene.phone, alone, "52/C04");
    world.sync(scene.reader);
    assert_eq!(world.beats_of(scene.reader, alone), ["52/C04"]);
    world.move_to(scene.phone, alone, "52/C09");
    world.sync(scene.reader);
    assert!(!world.holds(scene.reader, alone));
    world.heal();
    world.check_healed();
}

/// Invariant: a reader brings back what came beside, and reads the feeds of the new life to the same end; whether the
/// branch is known, or the feeds are read again from their start.
#[test]
fn a_server_that_went_back_gets_and_moves_what_came_beside() {
    for announced in [false, true] {
        for with_author in [false, true] {
            for first in [false, true] {
                let (mut world, scene) = came_beside(7);
                world.server = if first {
                    scene.nothing.clone()
                } else {
                    scene.before.clone()
                };
                if announced {
                    world.restart_epoch();
                }
                let told = format!("announced {announced}, author {with_author}, first {first}");
                if with_author {
                    world.sync(scene.phone);
                }
                world.sync(scene.reader);
                world.sync(scene.reader);
                assert!(world.server_head(scene.there).is_some(), "{told}");
                world.check_always();
                world.heal();
                world.check_healed();
                world.move_to(scene.phone, scene.there, "52/C09");
                world.sync(scene.reader);
                assert!(!world.holds(scene.reader, scene.there), "{told}");
                world.heal();
                world.check_healed();
            }
        }
    }
}

/// Invariant: a feed read again from its start says nothing new, and takes nothing away.
#[test]
fn feeds_read_again_from_their_start_change_nothing() {
    let (mut world, scene) = came_beside(8);
    world
        .amend(scene.phone, scene.here, vec![(SUBJECT, set("changed"))])
        .unwrap();
    world.heal();
    let shown = [scene.here, scene.there].map(|record| world.head(scene.reader, record));
    // A cursor that the server cannot have given out: it starts the feed over.
    world
        .with_env(scene.reader, |tx, _| {
            for scope in device::granted_scopes(tx)? {
                tx.remove(Table::Cursors, scope.key());
            }
            Ok(())
        })
        .unwrap();
    world.sync(scene.reader);
    let again = [scene.here, scene.there].map(|record| world.head(scene.reader, record));
    assert_eq!(shown, again);
    world.heal();
    world.check_healed();
}

/// Two records of two beats, founded in one run that the server has.
struct Scene {
    officer: OfficerId,
    phone: DeviceIndex,
    reader: DeviceIndex,
    /// A reader of the first beat alone.
    other: DeviceIndex,
    here: RecordId,
    there: RecordId,
    /// The server before the run, and before anything.
    before: MemoryStore,
    nothing: MemoryStore,
}

fn scene(world: &mut World, beats: &[&str]) -> Scene {
    let ann = world.officer("SGT", &["52/C02", "52/C03", "52/C04", "52/C09", "52/C10"]);
    let (officer, bob) = (world.officer("PCSO", beats), world.officer("PCSO", &["52/C02"]));
    let [phone, reader, other] = [ann, officer, bob].map(|officer| world.device(officer));
    let nothing = world.server.clone();
    world.heal();
    let before = world.server.clone();
    let here = world.found(phone, "CONTACT", "52/C02", "here");
    let there = world.found(phone, "CONTACT", "52/C03", "there");
    world.sync(phone);
    Scene {
        officer,
        phone,
        reader,
        other,
        here,
        there,
        before,
        nothing,
    }
}

/// A world in which the reader was cut off with the second record held and its beat's feed not read.
fn came_beside(seed: u64) -> (World, Scene) {
    // The order of frames and operations is the seed's: not every one lets the link break in between.
    for (cut, turn) in (0..20).flat_map(|cut| (0..4).map(move |turn| (cut, turn))) {
        let mut world = World::new(seed + 100 * turn);
        let scene = scene(&mut world, &["52/C02", "52/C03", "52/C04"]);
        let faults = Faults {
            down_max: cut,
            ..Faults::NONE
        };
        world.sync_with(scene.reader, faults);
        let unread = world.steps_read(scene.reader, "52/C03") == 0;
        if unread && world.holds(scene.reader, scene.there) {
            assert!(world.has_whole_run(scene.reader, scene.there));
            return (world, scene);
        }
    }
    panic!("no cut leaves the second record beside the first");
}

impl World {
    fn holds(&self, device: DeviceIndex, record: RecordId) -> bool {
        let held = ledger::entry(&self.devices[device].store, record)
            .unwrap()
            .is_some();
        assert_eq!(
            held,
            self.head(device, record).is_some(),
            "held and not shown, or shown and not held"
        );
        held
    }

    fn has_whole_run(&self, device: DeviceIndex, of: Dot) -> bool {
        let store = &self.devices[device].store;
        let runs = (0..of.counter).filter_map(|after| ledger::next_run(store, of.replica, after).unwrap());
        runs.into_iter()
            .any(|run| (run.seal.claim.first..=run.seal.claim.last).contains(&of.counter))
    }

    fn beats_of(&self, device: DeviceIndex, record: RecordId) -> Vec<String> {
        let head = self.head(device, record).expect("the device shows the record");
        head.scopes.iter().map(ToString::to_string).collect()
    }

    fn steps_read(&self, device: DeviceIndex, beat: &str) -> u64 {
        let scope = Scope::Beat {
            beat: Code::new(beat).unwrap(),
            class: 0,
        };
        let kept = self.devices[device]
            .store
            .get(Table::Cursors, &scope.key())
            .unwrap();
        kept.map_or(0, |bytes| codec::decode::<Cursor>(&bytes).unwrap().position)
    }

    fn move_to(&mut self, device: DeviceIndex, record: RecordId, beat: &str) {
        self.amend(device, record, vec![(field::BEAT, set_code(beat))])
            .unwrap();
        self.sync(device);
    }
}
