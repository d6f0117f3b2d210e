//! Property: a link that loses, repeats, delays and reorders datagrams delivers each entry once; and a device that watches
//! comes back by itself after a dead spot.

use beatbook_tests::{Canaries, Enrolment, Force, Relay, Seed, Weather, assert_each_once};

#[test]
fn every_entry_once_over_a_bad_link() {
    let mut seed = Seed::fresh();
    let mut canaries = Canaries::new();
    let force = Force::staffed();
    let relay = Relay::to(force.address(), seed.next_u64());
    let phone = force.enrol_as(&Enrolment {
        collar: "9123",
        address: Some(relay.address()),
        name: "phone",
    });
    let desk = force.enrol("desk", "214");
    relay.set_weather(Weather {
        loss_permille: 50,
        duplicate_permille: 50,
        reorder_permille: 100,
        delay_ms_max: 10,
        ..Weather::default()
    });
    let words = canaries.words(30);
    let mut watching = phone.watch();
    for word in &words {
        phone.note(word);
    }
    phone.wait_safe();
    let counts = relay.counts();
    assert!(counts.swallowed > 0, "the weather was bad: {counts:?}");
    assert_each_once(&desk.pull(), &words);

    relay.cut();
    let late = canaries.word();
    phone.note(&late);
    assert!(phone.count("pending") > 0, "nothing passes");
    relay.mend();
    relay.set_weather(Weather::default());
    phone.wait_safe();
    assert_each_once(&desk.pull(), words.iter().chain([&late]));
    assert!(watching.ended().is_none(), "it went on watching");
}
