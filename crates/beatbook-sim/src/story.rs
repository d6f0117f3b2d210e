//! The story of a world: who did what when, one line a fact, and what went wrong in the end.

use std::collections::VecDeque;
use std::fmt;

use crate::fact::{Fact, What};
use crate::observe::{Observer, Violation, WorldView};

/// Keeps the lines of a world.
#[derive(Clone, Debug, Default)]
pub struct Story {
    /// The first lines, then the last ones.
    opening: Vec<String>,
    recent: VecDeque<String>,
    left_out: u64,
    lines_max: Option<usize>,
}

impl Story {
    /// A story of at most so many lines: its beginning and its end, the end being nine tenths.
    pub fn of(lines_max: usize) -> Self {
        Self {
            lines_max: Some(lines_max.max(10)),
            ..Self::default()
        }
    }

    /// Adds a line.
    fn tell(&mut self, line: String) {
        let most = self.lines_max.unwrap_or(usize::MAX);
        if self.opening.len() < most / 10 {
            self.opening.push(line);
            return;
        }
        self.recent.push_back(line);
        if self.recent.len() > most - most / 10 {
            self.recent.pop_front();
            self.left_out += 1;
        }
    }
}

impl Observer for Story {
    fn fact(&mut self, fact: &Fact, _world: &dyn WorldView) -> Result<(), Violation> {
        // Leases and stretches of feeds that bring nothing would bury the rest.
        let dull = match &fact.what {
            What::FeedRead { .. } | What::LeaseRaised { .. } => true,
            What::FeedSent { dots, .. } => dots.is_empty(),
            What::FeedKept { dots, left, .. } => dots.is_empty() && left.is_empty(),
            _ => false,
        };
        if !dull {
            self.tell(fact.to_string());
        }
        Ok(())
    }
}

impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.opening {
            writeln!(f, "  {line}")?;
        }
        if self.left_out > 0 {
            writeln!(f, "  ... {} lines ...", self.left_out)?;
        }
        for line in &self.recent {
            writeln!(f, "  {line}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
