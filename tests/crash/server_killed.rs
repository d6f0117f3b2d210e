//! Property: what a server gave a receipt for it holds after SIGKILL at any moment, once, and a device that lost its
//! session midway just goes on.
//! Method: a device has more to send than fits a session; the server is killed after a random amount of it, started again,
//! and asked by a sergeant before the device can mend anything.

use beatbook_field::{Notebook, Options, Unlock};
use beatbook_tests::{
    Canaries, Device, Enrolment, Force, PIN, Relay, Running, Seed, assert_each_once, note_of, wait_for,
};

#[test]
fn killed_in_the_middle_of_runs() {
    let mut seed = Seed::fresh();
    let mut canaries = Canaries::new();
    let mut force = Force::staffed();
    let relay = Relay::to(force.address(), seed.next_u64());
    let phone = force.enrol_as(&Enrolment {
        collar: "9123",
        address: Some(relay.address()),
        name: "phone",
    });
    let desk = force.enrol("desk", "214");
    let words = canaries.words(ENTRIES);
    write_much(&phone, &words, &mut seed);

    let (mut receipted, mut kills) = (0, 0);
    for _ in 0..KILLS {
        if sync_until(&phone, &relay, &mut force, seed.between(1, BYTES_A_KILL)) {
            break;
        }
        kills += 1;
        force.serve();
        let safe = phone.count("safe");
        assert!(safe >= receipted, "a receipt is never taken back");
        receipted = safe;
        let log = desk.pull();
        let held = words
            .iter()
            .filter(|word| {
                log.iter()
                    .any(|record| record.to_string().contains(word.as_str()))
            })
            .count();
        // The openings of book and trace count among the safe entries.
        assert!(
            held as u64 + 2 >= safe,
            "the server holds {held} and gave a receipt for {safe}"
        );
    }
    assert!(
        kills > 3,
        "only {kills} kills before everything was sent: {:?}",
        relay.counts()
    );
    phone.sync();
    assert_eq!(phone.count("pending"), 0);
    assert_each_once(&desk.pull(), &words);
    force.admin(&["check"]).done();
}

/// Syncs until the device has sent so many more bytes, and kills the server there; true if the sync came through first.
fn sync_until(phone: &Device, relay: &Relay, force: &mut Force, bytes: u64) -> bool {
    let target = relay.counts().up_bytes + bytes;
    let mut syncing = Running::start(phone.command(&["sync"]));
    let through = wait_for("the moment of the kill", || {
        if let Some(status) = syncing.ended() {
            assert!(status.success(), "the sync failed by itself: {syncing:?}");
            return Ok(true);
        }
        if relay.counts().up_bytes >= target {
            Ok(false)
        } else {
            Err(format!("{:?}", relay.counts()))
        }
    });
    if !through {
        force.kill();
    }
    // It would wait for the dead server until the connection times out.
    syncing.kill();
    through
}

/// Writes entries that do not compress, so that they fill many runs.
fn write_much(phone: &Device, words: &[String], seed: &mut Seed) {
    let book = Notebook::open(phone.store(), &Unlock::pin(PIN), Options::default()).expect("it opens");
    for word in words {
        let filler: String = (0..60).map(|_| format!("{:016x}", seed.next_u64())).collect();
        book.notes()
            .write(note_of(&format!("{word} {filler}")))
            .expect("a note");
    }
    book.close().expect("it closes");
}

const ENTRIES: usize = 600;
const KILLS: usize = 12;
/// About a tenth of what there is to send.
const BYTES_A_KILL: u64 = 60_000;
