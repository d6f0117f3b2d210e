//! Property: a connection cut anywhere costs nothing but the time to try again.
//! Method: a session is cut after its first datagram, after its second, and so on, until one comes through whole; every
//! frame ends in some datagram, so every boundary of frames is among the cuts.

use beatbook_tests::{Canaries, Device, Enrolment, Force, Relay, Running, Seed, assert_each_once, wait_for};

#[test]
fn cut_after_every_datagram() {
    let mut seed = Seed::fresh();
    let mut canaries = Canaries::new();
    let force = Force::staffed();
    let relay = Relay::to(force.address(), seed.next_u64());
    let by_relay = |name, collar| Enrolment {
        collar,
        address: Some(relay.address()),
        name,
    };
    let phone = force.enrol_as(&by_relay("phone", "9123"));
    let colleague = force.enrol("colleague", "8841");
    let desk = force.enrol("desk", "214");
    let (mut words, mut theirs) = (Vec::new(), Vec::new());
    let (mut whole, mut cuts) = (false, 0);
    for cut in 1..CUTS_MAX {
        // News in both directions, so that runs, receipts and feeds are all cut somewhere.
        if cut % 4 == 1 {
            words.push(canaries.word());
            phone.note(&words[words.len() - 1]);
            theirs.push(canaries.word());
            colleague.note(&theirs[theirs.len() - 1]);
            colleague.sync();
        }
        if came_through(&phone, &relay, cut) {
            whole = true;
            break;
        }
        cuts += 1;
    }
    assert!(whole, "no session came through within {CUTS_MAX} datagrams");
    assert!(cuts > 8, "a session of {cuts} datagrams is none");
    assert_eq!(phone.count("pending"), 0);
    assert_each_once(&phone.list(), words.iter().chain(&theirs));
    assert_each_once(&desk.pull(), words.iter().chain(&theirs));
    force.admin(&["check"]).done();
}

/// Syncs over a link that is cut after so many datagrams. A device that waits in a dead spot is switched off.
fn came_through(phone: &Device, relay: &Relay, cut: u64) -> bool {
    relay.mend();
    relay.cut_after_datagrams(cut);
    let mut syncing = Running::start(phone.command(&["sync"]));
    let status = wait_for("the cut or the end", || match syncing.ended() {
        Some(status) => Ok(Some(status)),
        None if relay.is_cut() => Ok(None),
        None => Err(format!("{:?}", relay.counts())),
    });
    syncing.kill();
    match status {
        Some(status) => {
            assert!(
                status.success() || relay.is_cut(),
                "a whole link and no success: {syncing:?}"
            );
            status.success()
        }
        None => false,
    }
}

const CUTS_MAX: u64 = 200;
