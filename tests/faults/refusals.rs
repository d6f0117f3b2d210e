//! Property: what is wrong is refused with a sentence that says what to do; nothing is lost, and the right way works after.
//! Method: tokens damaged, unknown, expired and used; a wrong PIN; a server that is not there.

use std::time::{Duration, Instant};

use beatbook_tests::{Canaries, Enrolment, Force, assert_each_once, wait_true};

const PHONE: Enrolment<'_> = Enrolment {
    collar: "9123",
    address: None,
    name: "phone",
};

#[test]
fn tokens_are_checked() {
    let force = Force::staffed();
    let good = force.token(&PHONE, &[]);
    let phone = force.device("phone");

    // Somewhere in the middle a letter was mistaken.
    let at = good.len() / 2;
    let other = if &good[at..=at] == "A" { "B" } else { "A" };
    let mistaken = format!("{}{other}{}", &good[..at], &good[at + 1..]);
    for wrong in [mistaken.as_str(), "", "no token at all"] {
        let refused = phone.run(&["enrol", "--token", wrong]).exits(2);
        refused.complains("token");
    }
    phone.run(&["enrol", "--token", &good]).done();

    let used = force.device("second").run(&["enrol", "--token", &good]).exits(1);
    used.complains("used");
    phone.note("the first enrolment is untouched");
    phone.sync();
}

#[test]
fn a_token_expires() {
    let force = Force::staffed();
    let token = force.token(&PHONE, &["--valid-for", "1s"]);
    let issued = Instant::now();
    wait_true("the token's second to pass", || {
        issued.elapsed() > Duration::from_millis(2_100)
    });
    let phone = force.device("phone");
    phone
        .run(&["enrol", "--token", &token])
        .exits(1)
        .complains("expired");
    let another = force.token(&PHONE, &[]);
    phone.run(&["enrol", "--token", &another]).done();
}

#[test]
fn enrolment_waits_for_the_server() {
    let mut force = Force::staffed();
    let token = force.token(&PHONE, &[]);
    force.stop();
    let phone = force.device("phone");
    let refused = phone.run(&["enrol", "--token", &token]).exits(1);
    refused.complains("server");
    force.serve();
    phone.run(&["enrol", "--token", &token]).done();
    phone.note("enrolled with the token that could not be used before");
    phone.sync();
}

#[test]
fn a_wrong_pin_opens_nothing_and_harms_nothing() {
    let mut canaries = Canaries::new();
    let force = Force::staffed();
    let phone = force.enrol("phone", "9123");
    let word = canaries.word();
    phone.note(&word);
    let wrong = phone.with_pin("000000");
    for args in [
        &["list"][..],
        &["note", "text", "--beat", "C02"],
        &["sync"],
        &["status"],
    ] {
        let refused = wrong.run(args).exits(1);
        assert_eq!(refused.stdout, "", "nothing is told: {refused:?}");
        refused.complains("PIN");
    }
    assert_each_once(&phone.list(), [&word]);
    phone.sync();
}

#[test]
fn a_revoked_device_is_not_let_in_and_keeps_what_it_wrote() {
    let mut canaries = Canaries::new();
    let force = Force::staffed();
    let phone = force.enrol("phone", "9123");
    let desk = force.enrol("desk", "214");
    let [before, after] = [canaries.word(), canaries.word()];
    phone.note(&before);
    phone.sync();
    let devices = force.admin(&["device", "list", "--json"]).done().objects();
    let of_phone = devices.iter().find(|device| device.to_string().contains("9123"));
    let id = of_phone
        .and_then(|device| device.get("device").or_else(|| device.get("id")))
        .and_then(|id| id.as_str())
        .unwrap_or_else(|| panic!("no id of the phone in {devices:?}"));
    force.admin(&["device", "revoke", id]).done();
    phone.note(&after);
    let refused = phone.run(&["sync"]).exits(1);
    refused.complains("administrator");
    assert_each_once(&phone.list(), [&before, &after]);
    let log = desk.pull();
    assert_each_once(&log, [&before]);
    assert!(!log.iter().any(|record| record.to_string().contains(&after)));
}

#[test]
fn without_a_server_nothing_is_lost_and_the_exit_status_says_so() {
    let mut canaries = Canaries::new();
    let mut force = Force::staffed();
    let phone = force.enrol("phone", "9123");
    let desk = force.enrol("desk", "214");
    let word = canaries.word();
    phone.note(&word);
    phone.sync();
    assert_each_once(&desk.pull(), [&word]);
    force.stop();
    let unsent = canaries.word();
    phone.note(&unsent);
    phone.run(&["sync"]).exits(1).complains("server");
    // A pull without a server prints what is held, and says that it is not news.
    let held = desk.run(&["pull", "--format", "jsonl"]).exits(1);
    assert_each_once(&held.objects(), [&word]);
    held.complains("server");
    force.serve();
    phone.sync();
    assert_each_once(&desk.pull(), [&word, &unsent]);
}
