//! Where the randomness of a test comes from; told when the test fails.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::thread;

/// A small generator (SplitMix64). Same seed, same numbers.
///
/// `BEATBOOK_TEST_SEED` sets the seed; otherwise it is drawn, and told when the test fails.
#[derive(Debug)]
pub struct Seed {
    first: u64,
    state: u64,
    tell: bool,
}

impl Seed {
    /// Takes the seed of the environment, or draws one.
    pub fn fresh() -> Self {
        let given = std::env::var("BEATBOOK_TEST_SEED")
            .ok()
            .and_then(|text| text.parse().ok());
        let first = given.unwrap_or_else(drawn);
        Self {
            first,
            state: first,
            tell: true,
        }
    }

    /// Draws a seed for what decides over no outcome.
    pub fn drawn() -> Self {
        Self::of(drawn())
    }

    /// Takes this seed.
    pub fn of(first: u64) -> Self {
        Self {
            first,
            state: first,
            tell: false,
        }
    }

    /// The next number.
    pub fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number from `low` to before `high`.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        assert!(low < high, "an empty range");
        low + self.next_u64() % (high - low)
    }

    /// True in `permille` of a thousand cases.
    pub fn chance(&mut self, permille: u16) -> bool {
        self.between(0, 1_000) < u64::from(permille)
    }

    /// The number that it began with.
    pub fn first(&self) -> u64 {
        self.first
    }
}

impl Drop for Seed {
    fn drop(&mut self) {
        if self.tell && thread::panicking() {
            eprintln!("to run this again: BEATBOOK_TEST_SEED={}", self.first);
        }
    }
}

fn drawn() -> u64 {
    RandomState::new().build_hasher().finish()
}
