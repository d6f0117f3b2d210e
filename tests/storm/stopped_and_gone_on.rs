//! Property: a process that was stopped for longer than a session lives, as by a lid that was shut, goes on where it was:
//! nothing is lost, nothing twice, and nobody has to start it again.
//! Method: SIGSTOP until the other side has given up the session, writing meanwhile on whoever goes on; then SIGCONT.

use beatbook_tests::{Canaries, Force, Running, assert_each_once};

#[test]
fn a_device_stops_while_the_server_goes_on() {
    let mut canaries = Canaries::new();
    let mut force = Force::staffed_logging("beatbook_server=debug");
    let phone = force.enrol("phone", "9123");
    let colleague = force.enrol("colleague", "8841");
    let mut words = canaries.words(3);
    let watching = phone.watch();
    phone.note(&words[0]);
    phone.wait_safe();

    watching.pause();
    colleague.note(&words[1]);
    colleague.sync();
    // The server gives the session up by its idle time-out: the stopped device does not say anything any more.
    force.server().wait_complained("a device is gone");

    watching.resume();
    phone.note(&words[2]);
    phone.wait_safe();
    colleague.sync();
    words.sort();
    beatbook_tests::wait_true("the colleague's entry on the phone", || {
        phone.list().len() == words.len()
    });
    assert_each_once(&phone.list(), &words);
    assert_each_once(&colleague.list(), &words);
    went_on(watching);
}

#[test]
fn the_server_stops_while_a_device_goes_on() {
    let mut canaries = Canaries::new();
    let mut force = Force::staffed();
    let phone = force.enrol("phone", "9123");
    let desk = force.enrol("desk", "214");
    let words = canaries.words(3);
    let mut watching = phone.watch();
    phone.note(&words[0]);
    phone.wait_safe();

    force.server().pause();
    phone.note(&words[1]);
    watching.wait_said("next try");
    phone.note(&words[2]);
    assert!(phone.count("pending") > 0, "a stopped server gives no receipt");

    force.server().resume();
    phone.wait_safe();
    assert_each_once(&desk.pull(), &words);
    assert_each_once(&phone.list(), &words);
    force.admin(&["check"]).done();
    went_on(watching);
}

/// It is the same process, and ends in good order.
fn went_on(mut watching: Running) {
    assert!(watching.ended().is_none(), "it was never started again");
    watching.interrupt();
    assert!(watching.wait_ended().success());
}
