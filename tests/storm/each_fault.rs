//! Property: whatever comes over the link or over a process, once it is over each entry is everywhere once, by itself.
//! Method: each fault alone, written under, in two storms that run side by side; then calm.

use beatbook_tests::{Fault, Seed, Storm};

#[test]
fn the_link_loses_delays_repeats_and_turns_round() {
    let mut storm = Storm::new(Seed::fresh());
    for fault in [
        Fault::BlackHole,
        Fault::Bursts,
        Fault::Delay,
        Fault::Duplicate,
        Fault::Edge,
        Fault::Narrow,
        Fault::Rebind,
        Fault::Reorder,
    ] {
        storm.spell(&[fault]);
    }
    storm.converge();
    let counts = storm.counts();
    assert!(
        counts.swallowed > counts.too_long + counts.overflowed,
        "{counts:?}"
    );
    assert!(counts.twice > 0 && counts.rebound > 0, "{counts:?}");
}

#[test]
fn links_are_cut_and_processes_stop_or_die() {
    let mut storm = Storm::new(Seed::fresh());
    for fault in [
        Fault::CutUp,
        Fault::CutDown,
        Fault::PausedDevice,
        Fault::PausedServer,
        Fault::KilledServer,
        Fault::Cut,
    ] {
        storm.spell(&[fault]);
    }
    storm.converge();
}
