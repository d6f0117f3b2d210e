//! Property: an enrolment killed at any moment leaves a device that is enrolled, or that the same token enrols.
//! Method: the command is killed after a random time, run again, and the notebook used.

use std::time::{Duration, Instant};

use beatbook_tests::{Canaries, Enrolment, Force, Running, Seed, assert_each_once, wait_for};

#[test]
fn the_same_token_finishes_what_was_begun() {
    let mut seed = Seed::fresh();
    let mut canaries = Canaries::new();
    let force = Force::staffed();
    let mut words = Vec::new();
    let mut unfinished = 0;
    for round in 0..KILLS {
        let name = format!("phone-{round}");
        let enrolment = Enrolment {
            collar: "9123",
            address: None,
            name: &name,
        };
        let token = force.token(&enrolment, &[]);
        let phone = force.device(&name);
        let mut enrolling = Running::start(phone.command(&["enrol", "--token", &token]));
        let moment = Instant::now() + Duration::from_millis(seed.between(0, 250));
        // The moment is what is random here; an enrolment that is quicker ends by itself.
        wait_for("the moment of the kill", || {
            if enrolling.ended().is_some() || Instant::now() >= moment {
                Ok(())
            } else {
                Err("not yet".to_owned())
            }
        });
        enrolling.kill();
        if phone.run(&["status"]).code != Some(0) {
            unfinished += 1;
            phone.run(&["enrol", "--token", &token]).done();
        }
        words.push(canaries.word());
        phone.note(&words[words.len() - 1]);
        phone.sync();
    }
    assert!(unfinished > 0, "every one of {KILLS} was quicker than its kill");
    let desk = force.enrol("desk", "214");
    assert_each_once(&desk.pull(), &words);
    force.admin(&["check"]).done();
}

const KILLS: usize = 12;
