//! Property: whatever a clock says, officers write and nothing is lost; where certificates cannot be judged by it, the
//! sentence says to look at the clock, and once it is right everything goes through by itself.
//! Method: the programs see a wall clock that is years ahead, years behind, at 1970, or stands still.

use beatbook_tests::{Canaries, Clock, Enrolment, Force, assert_each_once, wait_true};

#[test]
fn a_device_years_ahead_keeps_what_it_writes_and_says_to_check_the_date() {
    let mut canaries = Canaries::new();
    let force = Force::staffed();
    let clock = Clock::right(&force.path("clock"));
    let phone = force.enrol("phone", "9123").staged(clock.variables());
    let desk = force.enrol("desk", "214");
    let words = canaries.words(4);
    phone.note(&words[0]);
    phone.sync();

    clock.shift_s(11 * YEAR_S);
    phone.note(&words[1]);
    phone
        .run(&["sync"])
        .exits(1)
        .complains("check the date of this device");
    assert_eq!(phone.count("pending"), 1, "it waits on the phone");
    phone.note(&words[2]);

    clock.mend();
    phone.sync();
    phone.note(&words[3]);
    phone.sync();
    assert_eq!(phone.count("pending"), 0);
    assert_each_once(&phone.list(), &words);
    assert_each_once(&desk.pull(), &words);
    force.admin(&["check"]).done();
}

#[test]
fn a_device_that_thinks_it_is_1970_or_whose_clock_stands_still_gets_through() {
    let mut canaries = Canaries::new();
    let force = Force::staffed();
    let clock = Clock::right(&force.path("clock"));
    clock.freeze_at_s(0);
    // Enrolled with it as well: a battery that was flat at the counter.
    let token = force.token(
        &Enrolment {
            collar: "9123",
            address: None,
            name: "phone",
        },
        &[],
    );
    let phone = force.device("phone").staged(clock.variables());
    phone.run(&["enrol", "--token", &token]).done();
    let desk = force.enrol("desk", "214");
    let words = canaries.words(4);
    for (word, set) in words.iter().zip([
        &(|| {}) as &dyn Fn(),
        &|| clock.shift_s(-30 * YEAR_S),
        &|| clock.freeze_at_s(1_700_000_000),
        &|| clock.shift_s(3 * YEAR_S),
    ]) {
        set();
        phone.note(word);
        phone.sync();
        assert_eq!(
            phone.count("pending"),
            0,
            "a wrong clock keeps no note on the phone"
        );
    }
    let numbers: Vec<String> = words.iter().map(|word| phone.reference(word)).collect();
    assert_eq!(numbers, ["B01/2", "B01/3", "B01/4", "B01/5"], "numbers run on");
    assert_each_once(&desk.pull(), &words);
}

#[test]
fn a_server_whose_clock_is_wrong_says_so_and_everything_arrives_when_it_is_right() {
    let mut canaries = Canaries::new();
    let mut force = Force::new();
    let clock = Clock::right(&force.path("clock"));
    force.set_variables(clock.variables());
    force.staff();
    let phone = force.enrol("phone", "9123");
    let desk = force.enrol("desk", "214");
    let mut words = vec![canaries.word()];
    phone.note(&words[0]);
    phone.sync();
    for wrong_s in [3 * YEAR_S, -30 * YEAR_S] {
        clock.shift_s(wrong_s);
        words.push(canaries.word());
        phone.note(&words[words.len() - 1]);
        phone.run(&["sync"]).exits(1).complains("server's clock");
        assert_eq!(phone.count("pending"), 1, "nothing is lost by that");
        clock.mend();
        phone.sync();
        assert_eq!(phone.count("pending"), 0);
    }
    assert_each_once(&desk.pull(), &words);
    force.admin(&["check"]).done();
}

#[test]
fn clocks_that_jump_under_a_live_session_lose_nothing() {
    let mut canaries = Canaries::new();
    let mut force = Force::new();
    let [of_server, of_phone] = ["server clock", "phone clock"].map(|name| Clock::right(&force.path(name)));
    force.set_variables(of_server.variables());
    force.staff();
    let phone = force.enrol("phone", "9123").staged(of_phone.variables());
    let desk = force.enrol("desk", "214");
    let watching = phone.watch();
    let mut words = Vec::new();
    let jumps: [(&Clock, i64); 4] = [
        (&of_phone, 11 * YEAR_S),
        (&of_phone, -30 * YEAR_S),
        (&of_server, 3 * YEAR_S),
        (&of_server, -30 * YEAR_S),
    ];
    for (clock, seconds) in jumps {
        for set in [&(|| clock.shift_s(seconds)) as &dyn Fn(), &|| clock.mend()] {
            set();
            words.push(canaries.word());
            phone.note(&words[words.len() - 1]);
        }
        phone.wait_safe();
    }
    wait_true("everything at the desk", || desk.pull().len() == words.len());
    assert_each_once(&desk.pull(), &words);
    let said = watching.stderr();
    assert!(!said.contains("panicked at"), "a panic: {said}");
}

const YEAR_S: i64 = 365 * 86_400;
