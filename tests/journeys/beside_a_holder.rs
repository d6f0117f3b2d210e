//! Property: a held store is no obstacle: every command goes through its holder, and only a second holder is refused.
//! Method: `note` and `list` beside `sync --watch`, `officer add` and `device issue` beside `serve`.

use beatbook_tests::{Canaries, Enrolment, Force, Outcome, assert_each_once};

#[test]
fn commands_go_through_the_holder() {
    let mut canaries = Canaries::new();
    let mut force = Force::staffed();
    let phone = force.enrol("phone", "9123");
    let desk = force.enrol("desk", "214");
    let mut watching = phone.watch();
    let words = canaries.words(3);
    for word in &words {
        phone.note(word);
    }
    assert_each_once(&phone.list(), &words);
    phone.wait_safe();
    assert_each_once(&desk.pull(), &words);

    // A wrong option is refused beside a holder as it is without one.
    phone.run(&["note", "text", "--beet", "C02"]).exits(2);
    phone.run(&["note", "text", "--beat", "not a beat"]).exits(2);

    // With the holder gone the store opens again by itself.
    watching.interrupt();
    assert!(watching.wait_ended().success());
    assert_each_once(&phone.list(), &words);
    force.stop();
}

#[test]
fn a_second_holder_is_refused_and_the_first_goes_on() {
    let mut force = Force::staffed();
    let phone = force.enrol("phone", "9123");
    let _watching = phone.watch();
    phone.run(&["sync", "--watch"]).exits(1).complains("already");
    phone.note("after the second holder was refused");
    phone.wait_safe();

    let second = Outcome::of(force.serve_command()).exits(1);
    second.complains("another process");
    assert!(force.server().ended().is_none(), "the first server goes on");
    phone.note("after the second server was refused");
    phone.wait_safe();
}

#[test]
fn administration_beside_a_running_server() {
    let mut canaries = Canaries::new();
    let mut force = Force::staffed();
    force.add_officer("5150", "Una Bell", "PCSO", "C03");
    let listed = force.admin(&["officer", "list", "--json"]).done();
    assert_each_once(&listed.objects(), [&"5150".to_owned()]);
    let phone = force.enrol("una", "5150");
    let word = canaries.word();
    phone.run(&["note", &word, "--beat", "C03"]).done();
    phone.sync();

    // A posting takes effect while the server runs.
    let desk = force.enrol("desk", "214");
    assert!(!desk.run(&["pull", "--format", "jsonl"]).stdout.contains(&word));
    force
        .admin(&[
            "officer",
            "post",
            "214",
            "--beats",
            "C02,C03",
            "--from",
            "2026-01-01",
        ])
        .done();
    assert_each_once(&desk.pull(), [&word]);

    // Tokens can be issued, and are told alone on standard output.
    let enrolment = Enrolment {
        collar: "5150",
        address: None,
        name: "unused",
    };
    assert!(!force.token(&enrolment, &["--label", "spare"]).contains(' '));
    // The same verbs work with no server running.
    let beside = force.admin(&["officer", "list", "--json"]).done();
    force.stop();
    let alone = force.admin(&["officer", "list", "--json"]).done();
    assert_eq!(alone.stdout, beside.stdout);
}
