//! Property: a server told to end does so in good order, and devices find the next one by themselves.
//! Method: SIGTERM under a watching device, entries written meanwhile, and a new server on the same address.

use beatbook_tests::{Canaries, Force, assert_each_once};

#[test]
fn devices_come_back_by_themselves() {
    let mut canaries = Canaries::new();
    let mut force = Force::staffed();
    let phone = force.enrol("phone", "9123");
    let desk = force.enrol("desk", "214");
    let mut watching = phone.watch();
    let mut words = Vec::new();
    for _ in 0..2 {
        words.push(canaries.word());
        phone.note(&words[words.len() - 1]);
        phone.wait_safe();
        force.stop();
        words.push(canaries.word());
        phone.note(&words[words.len() - 1]);
        assert!(phone.count("pending") > 0, "nobody can have given a receipt");
        force.serve();
        phone.wait_safe();
    }
    assert_each_once(&desk.pull(), &words);
    assert!(
        watching.ended().is_none(),
        "the watching device went on all the time"
    );
    force.admin(&["check"]).done();
}
