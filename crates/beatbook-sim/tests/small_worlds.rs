//! A few seeds keep every invariant, and give the same trace twice. Many of them run by `cargo xtask sim`.

use std::collections::BTreeSet;

use beatbook_sim::plan::{Overrides, Size};
use beatbook_sim::run::Campaign;

fn campaign(start: u64, overrides: Overrides) -> Campaign {
    Campaign {
        start,
        seeds: 8,
        size: Size::Small,
        overrides,
        threads: 2,
        twice_every: 2,
        failing_max: 0,
    }
}

/// Invariant: every one, under faults and after them.
#[test]
fn a_few_seeds_are_sound_and_repeat_themselves() {
    let summary = campaign(1, Overrides::default()).run(&|_| {});
    assert!(summary.is_sound(), "{summary}");
    assert_eq!((summary.seeds, summary.twice), (8, 4));
    assert!(summary.total.written > 0 && summary.total.sessions > 0);
    assert!(!summary.total.faults.is_empty());
}

#[test]
fn without_faults_nothing_is_injected_and_all_is_receipted() {
    let no_faults = Overrides {
        only: Some(BTreeSet::new()),
        ..Overrides::default()
    };
    let summary = campaign(100, no_faults).run(&|_| {});
    assert!(summary.is_sound(), "{summary}");
    assert!(summary.total.faults.is_empty());
    // Openings of books are receipted beside what was written.
    assert!(summary.total.receipted >= summary.total.written);
}
