//! Property: a black hole for long datagrams that opens under an upload costs time and no session: the same sync goes on in
//! datagrams that every path must carry, and everything arrives.
//! Method: a phone has more to send than a few round trips carry; once long datagrams are under way, they begin to vanish.

use beatbook_field::{Notebook, Options, Unlock};
use beatbook_tests::{
    Canaries, Device, Enrolment, Force, PIN, Relay, Running, Seed, Weather, assert_each_once, note_of,
    wait_for,
};

#[test]
fn the_sync_that_was_under_way_comes_through() {
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
    let words = canaries.words(ENTRIES);
    write_much(&phone, &words, &mut seed);
    relay.set_weather(Weather {
        delay_ms: 20,
        ..Weather::default()
    });
    let before = relay.counts();
    let mut syncing = Running::start(phone.command(&["sync"]));
    wait_for("long datagrams under way", || {
        assert!(
            syncing.ended().is_none(),
            "it was through before anything could happen"
        );
        let counts = relay.counts();
        let (up, bytes) = (counts.up - before.up, counts.up_bytes - before.up_bytes);
        // Short ones at first: what is found out by trying takes some round trips.
        if up > 40 && bytes > 1_000 * up {
            Ok(())
        } else {
            Err(format!("{counts:?}"))
        }
    });
    relay.set_weather(Weather {
        delay_ms: 20,
        bytes_max: Some(1_200),
        ..Weather::default()
    });
    assert!(
        syncing.wait_ended().success(),
        "the same session came through: {syncing:?}"
    );
    let counts = relay.counts();
    assert!(counts.too_long > 0, "long ones vanished: {counts:?}");
    assert_eq!(phone.count("pending"), 0);
    assert_each_once(&desk.pull(), &words);
}

/// Writes entries that do not compress.
fn write_much(phone: &Device, words: &[String], seed: &mut Seed) {
    let book = Notebook::open(phone.store(), &Unlock::pin(PIN), Options::default()).expect("it opens");
    for word in words {
        let filler: String = (0..120).map(|_| format!("{:016x}", seed.next_u64())).collect();
        book.notes()
            .write(note_of(&format!("{word} {filler}")))
            .expect("a note");
    }
    book.close().expect("it closes");
}

/// Half a megabyte on the wire.
const ENTRIES: usize = 500;
