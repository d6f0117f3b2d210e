//! Clocks of the machines: true time, and what each shows of it.

use beatbook_proto::{ClockSource, Stamp};

/// A machine's clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clock {
    offset_ms: i64,
    /// What it shows while it stands still.
    stands_at_ms: Option<i64>,
}

impl Clock {
    /// What it shows when true time is `now_ms`.
    pub fn shows(&self, now_ms: i64) -> i64 {
        self.stands_at_ms.unwrap_or(now_ms + self.offset_ms)
    }

    /// The stamp that a device takes.
    pub fn stamp(&self, now_ms: i64) -> Stamp {
        Stamp {
            utc_ms: self.shows(now_ms),
            offset_min: 0,
            source: ClockSource::DEVICE,
            uncertainty_ms: 0,
        }
    }

    /// Moves it.
    pub fn jump(&mut self, by_ms: i64) {
        self.offset_ms += by_ms;
    }

    /// Lets it stand still.
    pub fn freeze(&mut self, now_ms: i64) {
        self.stands_at_ms = Some(self.shows(now_ms));
    }

    /// Lets it go on from where it stands.
    pub fn thaw(&mut self, now_ms: i64) {
        if let Some(stands) = self.stands_at_ms.take() {
            self.offset_ms = stands - now_ms;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Clock;

    #[test]
    fn a_clock_that_stood_goes_on_from_there() {
        let mut clock = Clock::default();
        clock.jump(500);
        assert_eq!(clock.shows(1_000), 1_500);
        clock.freeze(1_000);
        assert_eq!(clock.shows(9_000), 1_500);
        clock.thaw(9_000);
        assert_eq!(clock.shows(9_001), 1_501);
    }
}
