//! Property: a server that went back in time is healed by its devices; nothing that was receipted is lost.
//! Method: restore an older backup, or put an older copy of the disk under it; with the writer's own device, and with
//! the writer's device gone and only a colleague's left.

use std::fs;

use beatbook_tests::{Canaries, Device, Force, assert_each_once, copy_folder};

struct Yesterday {
    force: Force,
    phone: Device,
    colleague: Device,
    desk: Device,
    before: Vec<String>,
    after: Vec<String>,
    /// Written after the backup and not synced when the server went back.
    unsent: String,
}

impl Yesterday {
    /// Entries on both sides of `keep`, all receipted, all held by a colleague on the beat.
    fn new(keep: impl FnOnce(&mut Force)) -> Self {
        let mut canaries = Canaries::new();
        let mut force = Force::staffed();
        let phone = force.enrol("phone", "9123");
        let colleague = force.enrol("colleague", "8841");
        let desk = force.enrol("desk", "214");
        let (before, after) = (canaries.words(4), canaries.words(4));
        let unsent = canaries.word();
        for word in &before {
            phone.note(word);
        }
        phone.sync();
        colleague.sync();
        keep(&mut force);
        for word in &after {
            phone.note(word);
        }
        phone.sync();
        colleague.sync();
        assert_eq!(phone.count("pending"), 0, "all has a receipt");
        phone.note(&unsent);
        Self {
            force,
            phone,
            colleague,
            desk,
            before,
            after,
            unsent,
        }
    }

    fn receipted(&self) -> impl Iterator<Item = &String> {
        self.before.iter().chain(&self.after)
    }
}

#[test]
fn devices_heal_a_server_restored_from_a_backup() {
    let mut went = Yesterday::new(|force| {
        let backup = force.path("backup");
        force
            .admin(&["backup", backup.to_str().expect("plain names")])
            .done();
    });
    went.force.stop();
    let target = went.force.path("restored");
    went.force.restore(&went.force.path("backup"), &target).done();
    went.force.move_to(target);
    went.force.serve();
    went.phone.sync();
    assert_eq!(went.phone.count("pending"), 0);
    assert_each_once(&went.desk.pull(), went.receipted().chain([&went.unsent]));
    went.colleague.sync();
    assert_each_once(&went.colleague.list(), went.receipted().chain([&went.unsent]));
    assert_each_once(&went.desk.pull(), went.receipted().chain([&went.unsent]));
    went.force.admin(&["check"]).done();
}

#[test]
fn a_colleague_brings_back_what_the_writer_no_longer_can() {
    let mut went = Yesterday::new(|force| {
        let backup = force.path("backup");
        force
            .admin(&["backup", backup.to_str().expect("plain names")])
            .done();
    });
    went.force.stop();
    fs::remove_dir_all(went.phone.folder()).expect("the phone is lost");
    let target = went.force.path("restored");
    went.force.restore(&went.force.path("backup"), &target).done();
    went.force.move_to(target);
    went.force.serve();
    went.colleague.sync();
    assert_each_once(&went.desk.pull(), went.receipted());
    let fresh = went.force.enrol("fresh", "214");
    assert_each_once(&fresh.pull(), went.receipted());
    went.force.admin(&["check"]).done();
}

#[test]
fn devices_heal_a_server_whose_disk_went_back_under_it() {
    let mut went = Yesterday::new(|force| {
        force.stop();
        copy_folder(force.data(), &force.path("disk of yesterday"));
        force.serve();
    });
    went.force.stop();
    went.force.move_to(went.force.path("disk of yesterday"));
    went.force.serve();
    // The first session may end with the discovery; from then on everything heals.
    for device in [&went.phone, &went.colleague, &went.phone] {
        device.sync();
    }
    assert_eq!(went.phone.count("pending"), 0);
    assert_each_once(&went.desk.pull(), went.receipted().chain([&went.unsent]));
    let fresh = went.force.enrol("fresh", "214");
    assert_each_once(&fresh.pull(), went.receipted().chain([&went.unsent]));
    went.force.admin(&["check"]).done();
}
