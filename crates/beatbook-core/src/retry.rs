//! Retry: how long to wait before trying again. Pure: randomness comes from outside.

use crate::planted::{Bug, is_planted};

/// Jittered exponential back-off.
///
/// ```
/// use beatbook_core::retry::Backoff;
/// let mut backoff = Backoff::default();
/// let first = backoff.next_delay_ms(u32::MAX);
/// let second = backoff.next_delay_ms(u32::MAX);
/// assert!(second > first);
/// backoff.reset();
/// assert_eq!(backoff.next_delay_ms(u32::MAX), first);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Backoff {
    failures: u32,
    hold_ms: u64,
}

impl Backoff {
    /// Notes a failure and returns how long to wait: between half of the step and the whole of it, by `random`, and
    /// never less than the server asked for.
    pub fn next_delay_ms(&mut self, random: u32) -> u64 {
        let step = BASE_DELAY_MS
            .saturating_mul(1 << self.failures.min(DOUBLINGS_MAX))
            .min(DELAY_MS_MAX)
            .max(u64::from(is_planted(Bug::BackoffNeverEnds)) << self.failures.saturating_mul(4).min(40));
        self.failures = self.failures.saturating_add(1);
        let jitter = (step / 2).saturating_mul(u64::from(random)) / u64::from(u32::MAX);
        (step / 2 + jitter).max(core::mem::take(&mut self.hold_ms))
    }

    /// Notes the server's wish to be left alone for a while.
    pub fn hold(&mut self, retry_after_ms: u32) {
        self.hold_ms = self.hold_ms.max(u64::from(retry_after_ms).min(HOLD_MS_MAX));
    }

    /// Starts over after a success, or when the app says that a network came.
    pub fn reset(&mut self) {
        *self = Self::default();
    }

    /// Failures since the last success.
    pub fn failures(&self) -> u32 {
        self.failures
    }
}

/// The first step, in milliseconds.
pub const BASE_DELAY_MS: u64 = 500;
/// The longest step, in milliseconds.
pub const DELAY_MS_MAX: u64 = 60_000;
/// The longest wish of a server that is honoured, in milliseconds.
pub const HOLD_MS_MAX: u64 = 15 * 60_000;
const DOUBLINGS_MAX: u32 = 8;
