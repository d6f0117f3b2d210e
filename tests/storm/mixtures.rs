//! Property: faults that come together are no worse than one after the other: calm brings everything everywhere, once.
//! Method: seeded mixtures of one to three faults at a time; `beatbook-crash storm` runs many more of them.

use beatbook_tests::{Seed, Storm};

#[test]
fn mixtures_of_faults_end_in_convergence() {
    let mut storm = Storm::new(Seed::fresh());
    storm.mix(SPELLS);
    storm.converge();
}

const SPELLS: u64 = 6;
