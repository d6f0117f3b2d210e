//! Property: whatever comes over the link or over a process, once it is over each entry is everywhere once, by itself.
//! Method: each fault alone, written under until it has bitten, in two storms that run side by side; then calm.

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
    let bitten = [
        counts.too_long,
        counts.lost,
        counts.late,
        counts.twice,
        counts.rebound,
        counts.held_back,
    ];
    assert!(bitten.iter().all(|count| *count > 0), "{counts:?}");
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
    assert!(storm.counts().cut_off > 0, "{:?}", storm.counts());
}
